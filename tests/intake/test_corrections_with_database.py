"""Corrections (补正): every revision is kept, the deadline is the scheme's, and keys are held until it passes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from clearing.claims.corrections import release_overdue
from settlement import ledger
from tenants.kernel.clock import SHANGHAI, FixedClock
from tenants.kernel.database import Scope, run
from tenants.policy import Policy, Term
from tests.intake.bodies import Programme, again, buyer, claim, receipt
from tests.intake.counter import Counter, award, codes, traces
from tests.intake.own_tenant import own_programme

DAYS = 10


@pytest.fixture(scope="module")
def programme(owner: Engine, app: Engine) -> Programme:
    def hurried(policy: Policy) -> Policy:
        return replace(policy, review=replace(policy.review, correction_days=Term(DAYS, "租户设置")))

    return own_programme(owner, app, hurried)


def overdue(counter: Counter, programme: Programme, at: datetime) -> int:
    return run(counter.app, Scope((programme.tenant,)), FixedClock(at), release_overdue)


def test_the_deadline_of_a_correction_is_the_schemes_own_and_ends_with_its_day(
    counter: Counter, programme: Programme
) -> None:
    body = claim(programme)
    body["receipts"] = [receipt("1.00")]
    first = counter.submit(body, "jssic")
    assert first.row.correction_due_on == date(2024, 9, 8)
    other = again(body, receipts=[receipt("10000.00")])
    last_moment = datetime(2024, 9, 9, tzinfo=SHANGHAI) - timedelta(microseconds=1)
    assert overdue(counter, programme, last_moment) == 0
    assert counter.submit(other, "jssic").row.state == "rejected"
    assert overdue(counter, programme, last_moment + timedelta(microseconds=1)) == 1
    assert counter.submit(again(other), "jssic").row.state == "in_review"


def test_a_correction_on_its_last_day_finds_its_keys_still_held(counter: Counter, programme: Programme) -> None:
    body = claim(programme)
    body["receipts"] = [receipt("1.00")]
    counter.submit(body, "jssic")
    overdue(counter, programme, datetime(2024, 9, 8, 15, 59, tzinfo=UTC))
    mended = replace(counter, at=datetime(2024, 9, 8, 15, 59, 30, tzinfo=UTC))
    second = mended.submit(body | {"receipts": [receipt("10000.00")]}, "jssic")
    assert (second.row.revision, second.row.state, second.row.correction_due_on) == (2, "in_review", None)


def test_every_revision_is_kept_with_its_assessment_and_its_reasons(counter: Counter, programme: Programme) -> None:
    body = claim(programme)
    right, wrong = body["documents"], [paper for paper in body["documents"] if paper["kind"] != "service_report"]
    first = counter.submit(body | {"documents": wrong}, "jssic")
    assert (first.row.state, codes(first)) == ("needs_correction", {"evidence.complete"})
    second = counter.submit(body | {"documents": right, "receipts": [receipt("9999.99")]}, "jssic")
    assert (second.row.state, codes(second)) == ("needs_correction", {"totals.receipts"})
    third = counter.submit(body, "jssic")
    assert (third.row.revision, third.row.state) == (3, "in_review")
    kept = counter.rows(
        "select r.revision, r.submission::json #>> '{receipts,0,amount}', a.result::json ->> 'state' "
        "from claim_revision r join assessment a on a.tenant = r.tenant and a.claim_id = r.claim_id "
        "and a.revision = r.revision where r.claim_id = %s order by r.revision",
        third.row.id,
        tenants=[programme.tenant],
    )
    assert [tuple(row) for row in kept] == [
        (1, "10000.00", "needs_correction"), (2, "9999.99", "needs_correction"), (3, "10000.00", "in_review"),
    ]  # fmt: skip
    assert [item["revision"] for item in traces(counter, third)] == [1, 2, 3]


def test_what_is_given_back_after_the_new_year_goes_back_to_the_year_it_was_taken_from(
    counter: Counter, programme: Programme
) -> None:
    party = buyer(programme)
    old = counter.review(counter.submit(claim(programme, "400000.00", by=party, on=date(2024, 12, 30)), "jssic"))
    new = counter.submit(claim(programme, "200000.00", by=party, on=date(2025, 1, 6)), "jssic")
    assert (award(old), award(new)) == ("100000.00", "50000.00")
    late = replace(counter, at=datetime(2025, 1, 8, 2, tzinfo=UTC))
    late.withdraw(old)

    def taken(year: int) -> str:
        account = ledger.quota_account(programme.scheme, year, party.uscc)
        return str(
            counter.do(lambda work: ledger.sums_of(work.connection, programme.tenant, account), programme.tenant).taken
        )

    assert (taken(2024), taken(2025)) == ("0.00", "50000.00")
