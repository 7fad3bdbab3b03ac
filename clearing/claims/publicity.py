"""Public notice (公示) of a batch: how long it runs by the policy, and whether it has ended."""

from dataclasses import dataclass
from datetime import date, datetime

from tenants.kernel.clock import shanghai_day
from tenants.kernel.workdays import Calendar, publicity_through
from tenants.policy import Policy


@dataclass(frozen=True, slots=True)
class Notice:
    """The span of one notice, both days included, with the calendar and the clause it follows.

    ``provisional`` (暂定): a year in between is not published yet, so nothing may be sealed on this date.
    """

    published_on: date
    through_on: date
    working_days: int
    provisional: bool
    calendar_version: str
    cite: str


def notice_of(policy: Policy, published_on: date, calendar: Calendar) -> Notice:
    """The notice of a batch published on the day; it starts on the day after."""
    days = policy.payout.publicity_days
    end = publicity_through(published_on, days.value, calendar)
    return Notice(published_on, end.through_on, days.value, end.provisional, end.calendar_version, days.cite)


def may_seal(notice: Notice, at: datetime) -> bool:
    """Whether the notice's last day has passed in Asia/Shanghai, by a calendar that is not provisional."""
    return not notice.provisional and shanghai_day(at) > notice.through_on
