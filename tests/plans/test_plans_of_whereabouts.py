"""Claims by where their payment is: found from the batches' side, whatever else was approved."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from clearing.claims.listing import Filter, list_claims, totals_of
from clearing.embedded import EmbeddedServers
from clearing.preparation import migrate_schema
from tenants.kernel.database import open_engine
from tests.plans.spread import FEW, RARE, fill, unchecked
from tests.plans.steps import plan, touched
from tests.settlement_service.bench import new_tenant

ROWS = 10_000
LIMIT = 51
MOST_TOUCHED = 14 * LIMIT
"""A row for each row that is shown, of each of the tables and of the tenant's batches."""
MOST_TOUCHED_OF_PAID = 60 * LIMIT
"""What is paid is asked of each batch that may have paid: the first rows of each of up to thirty."""
SITUATIONS = {
    "nothing paid yet": ("payable", 1), "nearly all paid": ("paid", 40), "all cut": ("batched", 5),
    "few big batches paid": ("paid", 2), "the bank says nothing": ("instructed", 1),
}  # fmt: skip
"""In which state most claims are, and in how many batches."""


@dataclass(frozen=True)
class Spread:
    """The application's engine, and the tenant of each situation."""

    app: Engine
    tenants: dict[str, str]


@pytest.fixture(scope="module")
def spread() -> Iterator[Spread]:
    """A database of our own: its checks are taken away."""
    with tempfile.TemporaryDirectory(prefix="plans-") as folder, EmbeddedServers(Path(folder)) as addresses:
        migrate_schema(addresses.owner_url)
        owner, app = open_engine(addresses.owner_url), open_engine(addresses.app_url)
        try:
            with owner.begin() as connection:
                unchecked(connection)
            tenants = {situation: new_tenant(owner) for situation in SITUATIONS}
            for situation, (most, batches) in SITUATIONS.items():
                with owner.begin() as connection:
                    fill(connection, tenants[situation], ROWS, most, batches)
            with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("vacuum analyze")
            yield Spread(app, tenants)
        finally:
            owner.dispose()
            app.dispose()


@pytest.fixture
def bound(spread: Spread, request: pytest.FixtureRequest) -> Iterator[Connection]:
    with spread.app.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (spread.tenants[request.param],))
        yield connection
        connection.rollback()


def asked(bound: Connection, wanted: Filter) -> list[tuple[str, Any]]:
    """The statements of the page and of its bounded sums; what is read of each claim shown is left out."""
    sent: list[tuple[str, Any]] = []

    def keep(*call: Any) -> None:
        if "join claim_revision" not in call[2]:
            sent.append((call[2], call[3]))

    event.listen(bound, "before_cursor_execute", keep)
    list_claims(bound, wanted, None, LIMIT)
    totals_of(bound, wanted, LIMIT)
    event.remove(bound, "before_cursor_execute", keep)
    return sent


@pytest.mark.parametrize("bound", SITUATIONS, indirect=True)
@pytest.mark.parametrize("state", RARE)
def test_a_state_is_found_without_reading_what_is_in_another(bound: Connection, state: str) -> None:
    most = MOST_TOUCHED_OF_PAID if state == "paid" else MOST_TOUCHED
    for statement, values in asked(bound, Filter.from_query({"state": state})):
        assert round(touched(plan(bound, statement, values))) <= most, statement


@pytest.mark.parametrize("bound", SITUATIONS, indirect=True)
def test_each_state_has_just_the_claims_that_are_in_it(bound: Connection) -> None:
    for state in (*RARE, "paid,returned", "approved,batched,rejected", "in_review,paid"):
        told = bound.exec_driver_sql(
            "select count(*), sum(award_fen) from claim_now where state_now = any(%s)", (state.split(","),)
        ).one()
        count, award = totals_of(bound, Filter.from_query({"state": state}))
        assert (count, award.fen) == tuple(told)
        assert count >= FEW


SINGLE: dict[str, dict[str, Any]] = {
    "a year of which there is none": {"quota_year": 1999},
    "a platform of which there is none": {"platform": "delta"},
    "a scheme of which there is none": {"scheme": "local"},
    "a mode of which there is none": {"mode": "cross_redemption"},
    "a state that there is not": {"state": ""},
    "a provider": {"provider": "P7"},
    "an enterprise, with a state": {"enterprise": "U7", "state": "paid"},
    "one that there is not": {"claim_no": "x"},
    "another platform's number": {"external_id": "x"},
    "another region": {"tenant": "x"},
    "a day": {"submitted_from": date(2024, 1, 8), "submitted_through": date(2024, 1, 8)},
    "a day of which there is none": {"submitted_from": date(2029, 1, 8)},
}


@pytest.mark.parametrize("bound", ["nearly all paid"], indirect=True)
@pytest.mark.parametrize("name", SINGLE)
def test_every_filter_finds_its_claims_by_an_index(bound: Connection, name: str) -> None:
    for statement, values in asked(bound, Filter.from_query(SINGLE[name])):
        assert round(touched(plan(bound, statement, values))) <= 8 * LIMIT, statement
