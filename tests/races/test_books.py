"""The books find what is off: each check against a database that its owner tampers with (and rolls back)."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from clearing.embedded import Addresses
from tenants.kernel.database import open_engine
from tests.intake.bodies import buyer, claim
from tests.intake.counter import Counter
from tests.races.books import CHECKS, faults, faults_of
from tests.races.crowd import Place

TAMPERING = {
    "an account's sums are those of its transfers": (
        "update ledger_account set debits_pending_fen = debits_pending_fen + 1 where limit_fen is null"
    ),
    "nothing is taken beyond a limit": (
        "alter table ledger_account drop constraint ledger_account_within_limit; "
        "update ledger_account set limit_fen = 0 where limit_fen > 0"
    ),
    "an identity's fen are those of its holders and lie within the smallest total": (
        "update registry_key set taken_fen = taken_fen - 1 where taken_fen > 0"
    ),
    "a claim holds its award and matching while it lives, and nothing else": (
        "update claim set award_fen = award_fen - 1 where award_fen > 0"
    ),
    "a claim that ended holds no key": (
        "update claim set state = 'withdrawn', next_stage = null where state = 'in_review'"
    ),
    "a claim has every revision and an assessment of each": "update claim set revision = revision + 1",
    "claims are numbered without gap": "update number_series set latest = latest + 1 where series = 'claim'",
    "the audit chain has no gap and ends at its head": "update audit_head set seq = seq + 1",
    "an entry of the chain follows from the one before": (
        "alter table audit_entry disable trigger user; update audit_entry set body = body || ' '"
    ),
    "an approved claim is owed exactly once": (
        "update claim set state = 'in_review', next_stage = 'center' where state = 'approved'"
    ),
}


@pytest.fixture
def tampering(servers: Addresses, place: Place, counter: Counter) -> Iterator[Connection]:
    party = buyer()
    counter.submit(claim(by=party))
    counter.review(counter.submit(claim(by=party)))
    engine = open_engine(servers.owner_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        yield connection
        connection.rollback()
    engine.dispose()


@pytest.mark.parametrize("what", CHECKS)
def test_the_books_find_what_was_tampered_with(tampering: Connection, what: str) -> None:
    assert faults_of(tampering, what) == []
    for statement in TAMPERING[what].split("; "):
        tampering.exec_driver_sql(statement)
    assert faults_of(tampering, what)


def test_the_books_are_in_order_after_plain_work(counter: Counter, auditor: Engine) -> None:
    counter.withdraw(counter.submit(claim()))
    counter.review(counter.submit(claim()), "correct", reason="请补报告")
    assert faults(auditor) == []
