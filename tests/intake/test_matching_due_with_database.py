"""What linked regions owe once an award was paid: on its day, and seen by the tenant that owes it."""

from datetime import date, datetime
from random import SystemRandom

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.claims import matching_due
from clearing.claims.matching_due import MatchingObligation, months_later, open_matching
from clearing.demonstration.parties import Region, enterprise_in
from clearing.tenancy import linked_regions
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tests.intake.bodies import Programme, claim
from tests.intake.counter import Counter
from tests.intake.own_tenant import own_programme
from tests.settlement_service.bench import Bench, shanghai

PAID = shanghai("2024-11-30")


@pytest.fixture
def programme(owner: Engine, app: Engine) -> Programme:
    return own_programme(owner, app, lambda policy: policy)


def link(counter: Counter, tenant: str, regions: dict[str, list[str]]) -> None:
    at = shanghai("2024-01-02")
    counter.do(lambda work: linked_regions.replace(work.connection, tenant, 2024, regions, "管理员", at), tenant)


def paid(counter: Counter, programme: Programme, division: str, amount: str = "20000.00") -> int:
    """An approved claim of an enterprise of the division, cut into a batch whose payout opens the matching."""
    party = enterprise_in(SystemRandom(), Region(division, "某地", 1))
    counter.review(counter.submit(claim(programme, amount, by=party), "jssic"))
    batch = Bench(counter.app, programme.tenant).cut()
    return run(
        counter.app,
        Scope((programme.tenant,)),
        FixedClock(PAID),
        lambda work: open_matching(work, programme.tenant, batch.id, demonstration=False),
    )


def seen(counter: Counter, viewer: str, region: str, at: datetime = PAID) -> list[MatchingObligation]:
    def use_case(work: Work) -> list[MatchingObligation]:
        return matching_due.listed(work.connection, viewer, {"linked_region": region}, None, 10)

    return run(counter.app, Scope((viewer,)), FixedClock(at), use_case)


def test_s0_the_linked_regions_part_is_due_three_months_after_the_payout(
    counter: Counter, programme: Programme
) -> None:
    link(counter, programme.tenant, {"320300": ["tech_sme"]})
    assert paid(counter, programme, "320312") == 1
    [owed] = seen(counter, programme.tenant, "320300")
    assert (owed.award_fen, owed.amount_fen) == (700_000, 300_000)
    assert (owed.paid_on, owed.due_on, owed.linked_tenant) == (date(2024, 11, 30), date(2025, 2, 28), None)
    assert "3个月内" in owed.cite


def test_a_linked_region_that_is_a_tenant_sees_what_it_owes_and_nobody_else_does(
    counter: Counter, programme: Programme
) -> None:
    link(counter, programme.tenant, {"320509": ["tech_sme"]})
    paid(counter, programme, "320509")
    [own] = [one for one in seen(counter, "wujiang", "320509") if one.tenant == programme.tenant]
    assert own in seen(counter, programme.tenant, "320509")
    assert (own.linked_tenant, own.amount_fen) == ("wujiang", 500_000)
    shown = matching_due.matching_json(own, "wujiang", date(2025, 3, 1))
    assert (shown["side"], shown["overdue"], shown["amount"]) == ("linked", True, "5000.00")
    assert seen(counter, "qingpu", "320509") == []


def test_a_tenant_writes_no_obligation_of_another_and_changes_none(counter: Counter, programme: Programme) -> None:
    link(counter, programme.tenant, {"320509": ["tech_sme"]})
    paid(counter, programme, "320509")
    copy = "insert into matching_obligation select * from matching_obligation where linked_tenant = 'wujiang' limit 1"
    with pytest.raises(DBAPIError):
        counter.do(lambda work: work.connection.exec_driver_sql(copy), "wujiang")
    with pytest.raises(DBAPIError):
        counter.do(
            lambda work: work.connection.exec_driver_sql("update matching_obligation set due_on = due_on + 1"),
            programme.tenant,
        )


def test_a_payout_without_matching_opens_nothing(counter: Counter, programme: Programme) -> None:
    link(counter, programme.tenant, {"320300": ["high_tech"]})
    assert paid(counter, programme, "320312") == 0


@pytest.mark.parametrize(
    ("day", "months", "due"),
    [
        ("2024-08-31", 3, "2024-11-30"),
        ("2024-11-30", 3, "2025-02-28"),
        ("2023-11-30", 3, "2024-02-29"),
        ("2024-10-15", 3, "2025-01-15"),
        ("2024-12-31", 12, "2025-12-31"),
        ("2024-09-30", 3, "2024-12-30"),
    ],
)
def test_a_due_day_is_the_same_day_of_the_month_or_the_months_last(day: str, months: int, due: str) -> None:
    assert months_later(date.fromisoformat(day), months) == date.fromisoformat(due)
