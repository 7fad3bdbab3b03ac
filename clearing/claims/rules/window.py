"""Rule 17: which invoices may be claimed in which quota year, and until when."""

from typing import Final

from clearing.claims.rules.finding import INFO, PASS, REJECT, Finding, Ruling, Wording
from clearing.claims.rules.quota_years import Standing
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import Policy
from tenants.policy_checks import window_of

IN_WINDOW: Final = Wording(
    "属于 {year} 年度（{from} 至 {through}），计入 {counted} 元。",
    "Belongs to {year} ({from} to {through}); {counted} yuan count.",
    ("from", "through"),
    ("year", "counted_fen"),
)
PARTLY: Final = Wording(
    "{year} 年度（{from} 至 {through}）计入 {counted} 元；转入以后年度 {deferred} 元（{years}）；"
    "所属年度已不受理 {lost} 元。",
    "{counted} yuan count in {year} ({from} to {through}); {deferred} yuan are deferred ({years}); {lost} yuan lie in "
    "years that take nothing any more.",
    ("from", "through"),
    ("year", "counted_fen", "deferred_fen", "years", "lost_fen"),
)
LATE: Final = Wording(
    "于 {submitted_at} 提交，晚于 {year} 年度最后截止时间 {cut_off}，不予受理。",
    "Submitted at {submitted_at}, after the last cut-off of {year}, {cut_off}.",
    ("submitted_at", "cut_off"),
    ("year",),
)
CLOSED: Final = Wording(
    "发票均不在可兑付的年度内（所属 {year} 年度，{from} 至 {through}，已不受理）。",
    "No invoice lies in a payable window (its year {year}, {from} to {through}, takes nothing any more).",
    ("from", "through"),
    ("year",),
)


def window(policy: Policy) -> Rule:
    """Rule 17: later invoices are deferred; none left in a payable window, or after the last cut-off, rejects."""
    terms = policy.quota_year
    cite = terms.basis.cite
    late = {each.year: (Ruling("window.late", REJECT, each.cite, LATE), each.at[-1]) for each in terms.cut_offs}
    within, partly = (Ruling("window", PASS, cite, IN_WINDOW), Ruling("window", INFO, cite, PARTLY))
    closed = Ruling("window.closed", REJECT, cite, CLOSED)
    spans = _Spans(terms.starts.value)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        windowed = sheet.windowed
        year = windowed.year
        first_on, last_on = spans[year]
        if windowed.standing is Standing.LATE:
            sheet.base_said = True
            ruling, cut_off = late[year]
            return ((ruling, (sheet.claim.submitted_at, cut_off, year)),)
        if windowed.standing is Standing.CLOSED:
            sheet.base_said = True
            return ((closed, (first_on, last_on, year)),)
        if not windowed.deferred_fen and not windowed.lost_fen:
            return ((within, (first_on, last_on, year, windowed.in_fen)),)
        later = tuple(str(each) for each, _ in windowed.deferred)
        values = (first_on, last_on, year, windowed.in_fen, windowed.deferred_fen, later, windowed.lost_fen)
        return ((partly, values),)

    return rule


class _Spans(dict[int, tuple[object, object]]):
    """The first and last day of each quota year, worked out once."""

    def __init__(self, starts: str) -> None:
        super().__init__()
        self._starts = starts

    def __missing__(self, year: int) -> tuple[object, object]:
        self[year] = window_of(self._starts, year)
        return self[year]
