"""A bulk looks its thousands of keys up by key, and reads no table from end to end, however small that is yet.

By the planner's costs reading a young registry whole is cheaper than looking up what one chunk names; every chunk then
reads all that came before it.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from clearing.claims.free_keys import known_keys_of_chunk
from clearing.claims.records import by_external_id
from clearing.claims.registry import holdings_of
from tenants.kernel.statements import Query
from tests.plans.steps import plan, touched, walked

ROWS = 20_000
COPIED = ("claim", "registry_key", "registry_holding")
GROWN = (
    (
        "insert into registry_key (digest, exclusion_group, kind, key_version) "
        "select substr(sha256(n::text::bytea), 1, 16), 'national', 'invoice', 1 from generate_series(1, %(n)s) n"
    ),
    (
        "insert into registry_holding (digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, "
        "enterprise_digest, month, status, claimed_fen) select substr(sha256(n::text::bytea), 1, 16), 'national', "
        "gen_random_uuid(), 'claim', 'jiangsu', 's', 'jssic', '\\x00', '2024-01', 'taken', 1 "
        "from generate_series(1, %(n)s) n"
    ),
    (
        "insert into claim (tenant, id, claim_no, platform, external_id, scheme, mode, state, next_stage, revision, "
        "content_mac, enterprise_uscc, enterprise_name, provider_uscc, provider_name, division, base_fen, "
        "computed_fen, award_fen, matching_fen, submitted_at, received_at, changed_at) select 'jiangsu', "
        "gen_random_uuid(), 'N' || n, 'jssic', 'E' || n, 's', 'common_use', 'withdrawn', null, 1, '\\x00', 'U', 'e', "
        "'P', 'p', '320100', 1, 1, 1, 0, now(), now(), now() from generate_series(1, %(n)s) n"
    ),
)
NAMED = range(100, 2_100)
DIGESTS = [sha256(str(number).encode()).digest()[:16] for number in NAMED]
QUERIES: dict[str, Query[Any]] = {
    "which keys are known": known_keys_of_chunk(DIGESTS),
    "who holds keys": holdings_of(DIGESTS),
    "claims by their external ids": by_external_id("jssic", [f"E{number}" for number in NAMED]),
}


@pytest.fixture
def grown(owner: Engine) -> Iterator[Connection]:
    """Copies of the tables with nobody else's rows, in a transaction that is undone."""
    with owner.connect() as connection:
        connection.exec_driver_sql("create schema young")
        for name in COPIED:
            connection.exec_driver_sql(f"create table young.{name} (like public.{name} including all)")
        connection.exec_driver_sql("set local search_path = young, public")
        for each in GROWN:
            connection.exec_driver_sql(each, {"n": ROWS})
        yield connection
        connection.rollback()


@pytest.mark.parametrize("statistics", [False, True], ids=["before statistics", "with statistics"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_bulk_looks_up_by_key_what_it_names(grown: Connection, name: str, statistics: bool) -> None:  # noqa: FBT001
    if statistics:
        grown.exec_driver_sql(f"analyze {', '.join(COPIED)}")
    query = QUERIES[name]
    steps = plan(grown, query.statement, query.values)
    assert walked(steps) == set()
    assert len(NAMED) <= round(touched(steps)) <= 2 * len(NAMED)
