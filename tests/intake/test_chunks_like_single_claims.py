"""A chunk leaves exactly what its lines leave one by one: states, amounts, keys, ledger, holds, audit and notices.

Both are run on the same database at the same time of the clock, and undone; identifiers, which are new each time, are
told by what they stand for.
"""

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from sqlalchemy import Engine

from clearing.claims.case import Desk
from clearing.claims.intake import submit
from clearing.claims.vault import Vault, open_vault
from clearing.tenancy import budgets
from connectors.reading import read_submission
from connectors.submission import Submission
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, transaction
from tenants.kernel.money import Money
from tenants.kernel.secrets import load_secrets
from tests.intake.bodies import JIANGSU, WUJIANG, Programme, buyer, claim, invoice_number, receipt, seller

AT: Final = datetime(2093, 8, 21, 1, tzinfo=UTC)
ON: Final = date(2093, 8, 20)
LINES: Final = 60
Rows = list[tuple[Any, ...]]
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SEQ: Final = re.compile(r'"seq":[0-9]+,')
_TOLD: Final = (
    (
        "select id, external_id, claim_no, state, next_stage, revision, encode(content_mac, 'hex'), policy_version, "
        "quota_year, base_fen, computed_fen, award_fen, matching_fen, correction_due_on::text from claim "
        "where received_at = %(at)s order by external_id"
    ),
    (
        "select a.claim_id, a.seq, a.revision, a.facts, a.result from assessment a "
        "join claim c on c.tenant = a.tenant and c.id = a.claim_id where a.at = %(at)s order by c.external_id"
    ),
    (
        "select claim_id, code, place, detail, opened_at::text from hold h "
        "join claim c on c.tenant = h.tenant and c.id = h.claim_id where opened_at = %(at)s "
        "order by c.external_id, code, place"
    ),
    (
        "select encode(digest, 'hex'), exclusion_group, holder_id, status, claimed_fen, stated_fen, h.scheme, month "
        "from registry_holding h join claim c on c.id = h.holder_id where c.received_at = %(at)s "
        "order by digest, c.external_id"
    ),
    (
        "select encode(k.digest, 'hex'), k.total_fen, k.taken_fen from registry_key k where k.digest in (select digest "
        "from registry_holding h join claim c on c.id = h.holder_id where c.received_at = %(at)s) order by 1"
    ),
    (
        "select code, limit_fen, debits_pending_fen, debits_posted_fen, credits_posted_fen from ledger_account "
        "where code like '%%2093%%' order by code"
    ),
    (
        "select subject_id, kind, debit, credit, amount_fen, reason from ledger_transfer t "
        "join claim c on c.id = t.subject_id where t.at = %(at)s order by c.external_id, debit"
    ),
    "select action, subject_id, body from audit_entry where at = %(at)s and action like 'claim.%%' order by seq",
    (
        "select o.kind, o.platform, o.subject_id, o.payload from outbox o join claim c on c.id = o.subject_id "
        "where created_at = %(at)s order by c.external_id"
    ),
    (
        "select later_id, earlier_id, code, due_on::text from duplicate_case d join claim c on c.id = d.later_id "
        "where opened_at = %(at)s order by c.external_id, code, earlier_id"
    ),
)


class _UndoneError(Exception):
    """Ends a transaction whose rows nobody is to keep."""


def lines(programme: Programme, seed: int) -> list[Submission]:
    """Few enterprises and invoices, so that lines meet each other, the caps and the end of the budget."""
    rng = Random(seed)
    parties, provider = [buyer(programme) for _ in range(5)], seller(programme)
    numbers = [invoice_number() for _ in range(25)]
    found = []
    for _ in range(LINES):
        body = claim(programme, f"{rng.randrange(1, 400)}00.00", on=ON, by=rng.choice(parties), to=provider)
        if rng.random() < 0.5:
            body["invoices"][0]["number"] = rng.choice(numbers)
        if rng.random() < 0.1:
            body["receipts"] = [receipt("0.01", ON)]
        if rng.random() < 0.1:
            body["invoices"][0]["number"] = "12345678"
        found.append(read_submission(body))
    return found


def left(app: Engine, vault: Vault, desk: Desk, parts: Sequence[Sequence[Submission]]) -> list[Rows]:
    """What the parts leave when each is a chunk."""
    found: list[Rows] = []
    with contextlib.suppress(_UndoneError), transaction(app, Scope(("jiangsu", "wujiang")), FixedClock(AT)) as work:
        scheme, enough_for_some = parts[0][0].scheme, Money.parse("120000.00")
        budgets.appropriate(work.connection, desk.tenant, scheme, ON.year, enough_for_some, work.at)
        outcomes = [outcome for part in parts for outcome in submit(work, vault, desk, part)]
        found += _all_told(work)
        raise _UndoneError
    assert {outcome.status for outcome in outcomes} == {201}
    names = {str(row[0]): row[1] for row in found[0]}
    return [[tuple(_named(value, names) for value in row) for row in rows] for rows in found]


def _all_told(work: Work) -> list[Rows]:
    driver: Any = work.connection.connection.driver_connection
    return [driver.execute(statement, {"at": AT}).fetchall() for statement in _TOLD]


def _named(value: object, names: dict[str, str]) -> object:
    text = _SEQ.sub("", str(value))  # the entries of the cases opened stand behind the whole chunk's
    return _ID.sub(lambda met: names.get(met[0], "another id"), text)


@pytest.mark.parametrize(("programme", "seed"), [(JIANGSU, 1), (WUJIANG, 2)])
def test_a_chunk_leaves_what_its_lines_leave_one_by_one(
    app: Engine, data_dir: Path, programme: Programme, seed: int
) -> None:
    vault = open_vault(load_secrets(data_dir / "secrets"))
    claims = lines(programme, seed)
    desk = Desk(claims[0].tenant, programme.platform, "test-client", "test-client", True, True)  # noqa: FBT003
    single = left(app, vault, desk, [[one] for one in claims])
    assert left(app, vault, desk, [claims]) == single
    assert left(app, vault, desk, [claims[:7], claims[7:40], claims[40:]]) == single
    states = {row[3] for row in single[0]}
    assert len(single[0]) == LINES
    assert len(states) >= 3, states  # the lines did meet each other
