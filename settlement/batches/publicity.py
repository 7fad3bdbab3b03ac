"""The terms of a batch's public notice: how many working days it runs, by which calendar."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict
from tenants.kernel.workdays import Calendar, CalendarYear, official_calendar
from tenants.policy_store import approved_policies

PUBLISHED_BEFORE: Final = frozenset({"home_region", "matching", "reissue"})
"""Kinds of batch whose items follow from claims that ended their public notice."""
ANNOUNCED_DAYS: Final = 1


@dataclass(frozen=True, slots=True)
class PublicityTerms:
    """``working_days`` of the policy in force, counted by ``calendar`` from the day after publication."""

    working_days: int
    calendar: Calendar


def calendar_of(connection: Connection, tenant: str) -> Calendar:
    """The official calendar, with the years that the tenant loaded itself."""
    rows = connection.exec_driver_sql(
        "select distinct on (year) year, version, holidays, workdays, cite from calendar_year where tenant = %s "
        "order by year, set_at desc, version desc",
        (tenant,),
    )
    return official_calendar(
        CalendarYear(year, version, frozenset(holidays), frozenset(workdays), cite)
        for year, version, holidays, workdays, cite in rows
    )


def publicity_terms(connection: Connection, batch: Batch, at: datetime, *, demonstration: bool) -> PublicityTerms:
    """The terms for a batch that is published at ``at``.

    What was in public notice before, with the claim behind it, is announced for one working day.

    Raises:
        Conflict: ``policy.none_in_force``.
    """
    if batch.kind in PUBLISHED_BEFORE:
        return PublicityTerms(ANNOUNCED_DAYS, calendar_of(connection, batch.tenant))
    policies = approved_policies(connection, batch.tenant, [batch.scheme], demonstration=demonstration)
    policy = policies.in_force(batch.scheme, shanghai_day(at))
    if policy is None:
        raise Conflict(
            "policy.none_in_force",
            "该券种目前没有生效的政策版本，无法确定公示期。",
            "No policy version of this scheme is in force, so the length of the notice is not known.",
        )
    return PublicityTerms(policy.payout.publicity_days.value, calendar_of(connection, batch.tenant))


def require_publicity_over(batch: Batch, on: date) -> None:
    """Refuse to seal before the notice has run its course (I10).

    Raises:
        Conflict: ``publicity.provisional`` or ``publicity.running``.
    """
    if batch.publicity_through_on is None:
        raise ValueError("the batch was never published")
    if batch.publicity_provisional:
        raise Conflict(
            "publicity.provisional",
            f"公示截止日 {batch.publicity_through_on}（暂定）超出已公布的放假安排，载入国务院通知后才能封存。",
            f"The notice's last day {batch.publicity_through_on} is provisional until the year's calendar is loaded.",
        )
    if on <= batch.publicity_through_on:
        raise Conflict(
            "publicity.running",
            f"公示至 {batch.publicity_through_on} 结束，次日起才能封存。",
            f"The notice runs through {batch.publicity_through_on}; the batch can be sealed from the next day on.",
        )
