"""Quota years: to which year each invoice belongs, which of them may be claimed now, and what is deferred (rule 17)."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from connectors.submission import Submission
from tenants.kernel.clock import shanghai_day
from tenants.policy import CutOffs, Policy


class Standing(Enum):
    """How a quota year stands towards claims at an instant."""

    OPEN = "open"
    LATE = "late"
    """Its last cut-off has passed."""
    UNSET = "unset"
    """Later than every year whose cut-offs are published."""
    CLOSED = "closed"
    """Earlier than every year whose cut-offs are published."""


class Windowed(NamedTuple):
    """A claim's quota year, how it stands, and the claimed parts by where they belong, in whole fen.

    ``deferred`` names later years with their sums; ``lost_fen`` lies in years that take nothing any more.
    """

    year: int
    standing: Standing
    in_fen: int
    deferred_fen: int
    lost_fen: int
    deferred: tuple[tuple[int, int], ...]


Windowing = Callable[[Submission, date], Windowed]


def windowing(policy: Policy) -> Windowing:
    """The policy's way from a claim and its policy date to its quota year."""
    year_of = _year_of(policy.quota_year.starts.value)
    standing = _standing(policy.quota_year.cut_offs)
    if policy.quota_year.basis.value == "invoice_date":
        return lambda claim, policy_on: _by_invoice(claim, policy_on, year_of, standing)

    def by_policy_date(claim: Submission, policy_on: date) -> Windowed:
        in_fen = 0
        for invoice in claim.invoices:
            in_fen += invoice.claimed.fen
        year = year_of(policy_on)
        how = standing(year, claim.submitted_at)
        payable = how in (Standing.OPEN, Standing.UNSET)
        return Windowed(year, how, in_fen if payable else 0, 0, 0 if payable else in_fen, ())

    return by_policy_date


def _by_invoice(
    claim: Submission,
    policy_on: date,
    year_of: Callable[[date], int],
    standing: Callable[[int, datetime], Standing],
) -> Windowed:
    """The earliest year that still takes claims, else the earliest not yet published, else the latest of all.

    A claim without invoices, which is sent back for them, counts as of its policy date.
    """
    sums: dict[int, int] = {}
    for invoice in claim.invoices:
        year = year_of(invoice.issued_on)
        sums[year] = sums.get(year, 0) + invoice.claimed.fen
    years = {year: standing(year, claim.submitted_at) for year in sorted(sums or {year_of(policy_on): 0})}
    payable = [year for year, how in years.items() if how is Standing.OPEN] or [
        year for year, how in years.items() if how is Standing.UNSET
    ]
    if not payable:
        latest = max(years)
        return Windowed(latest, years[latest], 0, 0, sum(sums.values()), ())
    target = payable[0]
    deferred = tuple((year, sums[year]) for year in years if year > target)
    lost_fen = sum(fen for year, fen in sums.items() if year < target)
    return Windowed(target, years[target], sums.get(target, 0), sum(fen for _, fen in deferred), lost_fen, deferred)


def _year_of(starts: str) -> Callable[[date], int]:
    month, day = (int(part) for part in starts.split("-"))
    if (month, day) == (1, 1):
        return lambda on: on.year
    return lambda on: on.year + ((on.month, on.day) >= (month, day))


def year_span(policy: Policy, year: int) -> tuple[date, date]:
    """The first and the last day of the quota year, both in it."""
    month, day = (int(part) for part in policy.quota_year.starts.value.split("-"))
    if (month, day) == (1, 1):
        return date(year, 1, 1), date(year, 12, 31)
    return date(year - 1, month, day), date(year, month, day) - timedelta(days=1)


def year_on(policy: Policy, day: date) -> int:
    """The quota year in which the day lies."""
    return _year_of(policy.quota_year.starts.value)(day)


def _standing(cut_offs: tuple[CutOffs, ...]) -> Callable[[int, datetime], Standing]:
    if not cut_offs:
        return lambda _year, _at: Standing.OPEN
    last = {each.year: each.at[-1] for each in cut_offs}
    newest = max(last)

    def of(year: int, at: datetime) -> Standing:
        if year > newest:
            return Standing.UNSET
        if year not in last:
            return Standing.CLOSED
        return Standing.LATE if at > last[year] else Standing.OPEN

    return of


def policy_date(claim: Submission) -> date:
    """The day on which the claim was submitted, in Asia/Shanghai."""
    return shanghai_day(claim.submitted_at)
