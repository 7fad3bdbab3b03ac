"""Rules 20, 21, 23 and 24: what the base gives, and what the claim's cap, the year's cap and the budget leave of it.

Nothing here is computed while the policy is incomplete.
"""

from typing import Final

from clearing.claims.rules.finding import HOLD, INFO, PASS, REJECT, Finding, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import UNSET, Policy

COMPUTED: Final = Wording(
    "计算基数 {base} 元（目录内服务 {services} 元与本年度发票 {invoices} 元取小）"
    "× {rate} = {computed} 元，分以下舍去。",
    "The base of {base} yuan (the smaller of services {services} and invoices {invoices}) × {rate} = {computed} yuan, "
    "rounded down to the fen.",
    ("services_fen", "invoices_fen", "rate"),
    ("base_fen", "computed_fen"),
)
NOTHING: Final = Wording(
    "计算基数 {base} 元（目录内服务 {services} 元与本年度发票 {invoices} 元取小）× {rate} 不足一分，无可核定金额。",
    "The base of {base} yuan (the smaller of services {services} and invoices {invoices}) × {rate} is less than one "
    "fen: there is nothing to award.",
    ("services_fen", "invoices_fen", "rate"),
    ("base_fen", "computed_fen"),
)
NO_BASE: Final = Wording("计算基数为 0.00 元，原因见前。", "The base is 0.00 yuan, for the reason given above.")

NO_CLAIM_CAP: Final = Wording("本券种不设单笔上限。", "The scheme has no cap for one claim.")
WITHIN_CLAIM_CAP: Final = Wording(
    "{award} 元，不高于单笔上限 {cap} 元。",
    "{award} yuan are not above the claim's cap of {cap} yuan.",
    ("award_fen", "cap"),
)
ABOVE_CLAIM_CAP: Final = Wording(
    "单笔上限 {cap} 元，由 {before} 元核减 {cut} 元至 {award} 元。",
    "The claim's cap is {cap} yuan: {before} yuan less {cut} yuan leaves {award} yuan.",
    ("before_fen", "cap"),
    ("cut_fen", "award_fen"),
)

WITHIN_YEAR: Final = Wording(
    "年度上限 {cap} 元，已用 {taken} 元，余 {left} 元，足以核定 {award} 元。",
    "Of the year's {cap} yuan {taken} are taken; the {left} left suffice for {award} yuan.",
    ("award_fen", "cap_fen", "taken_fen"),
    ("left_fen",),
)
ABOVE_YEAR: Final = Wording(
    "年度上限 {cap} 元，已用 {taken} 元，余 {left} 元，由 {before} 元核减 {cut} 元至 {award} 元。",
    "Of the year's {cap} yuan {taken} are taken and {left} left: {before} yuan less {cut} yuan leaves {award} yuan.",
    ("before_fen", "cap_fen", "taken_fen"),
    ("left_fen", "cut_fen", "award_fen"),
)
EXHAUSTED: Final = Wording(
    "{year} 年度上限 {cap} 元已用 {taken} 元，没有剩余额度。",
    "Of the {cap} yuan of {year} {taken} are taken: nothing is left.",
    ("before_fen", "cap_fen", "taken_fen"),
    ("year",),
)

NO_BUDGET: Final = Wording("{year} 年度未登记预算，不作限制。", "No appropriation of {year} is on record.", ("year",))
WITHIN_BUDGET: Final = Wording(
    "{year} 年度预算余 {left} 元，足以核定 {award} 元。",
    "The {left} yuan left of the budget of {year} suffice for {award} yuan.",
    ("award_fen", "left_fen", "year"),
)
PARTIAL: Final = Wording(
    "{year} 年度预算仅余 {left} 元（兑完为止），由 {before} 元核减 {cut} 元至 {award} 元。",
    "Only {left} yuan of the budget of {year} are left: {before} yuan less {cut} yuan leaves {award} yuan.",
    ("before_fen", "left_fen", "year"),
    ("cut_fen", "award_fen"),
)
WAITLISTED: Final = Wording(
    "{year} 年度预算仅余 {left} 元，不足以核定 {before} 元，列入候补，待预算补足后核定。",
    "The {left} yuan left of the budget of {year} do not suffice for {before} yuan; the claim waits for money.",
    ("before_fen", "left_fen", "year"),
)
NO_MONEY: Final = Wording(
    "{year} 年度预算余 {left} 元，不足以核定 {before} 元，兑完为止，不予支持。",
    "The {left} yuan left of the budget of {year} do not suffice for {before} yuan.",
    ("before_fen", "left_fen", "year"),
)


def rate(policy: Policy) -> Rule:
    """Rule 20: base × rate, rounded down to the fen."""
    rates = {
        zone.code: (
            zone.rate.value,
            Ruling("award.rate", PASS, zone.rate.cite, COMPUTED),
            Ruling("award.rate", INFO, zone.rate.cite, NO_BASE),
            Ruling("award.nothing", REJECT, zone.rate.cite, NOTHING),
        )
        for zone in policy.zones
    }

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        services_fen, invoices_fen = sheet.catalogue_fen, sheet.windowed.in_fen
        sheet.base_fen = base_fen = min(services_fen, invoices_fen)
        support, given, no_base, nothing = rates[sheet.zone.code]
        if sheet.incomplete or support is UNSET:
            return ()
        computed_fen = base_fen * support.numerator // support.denominator
        sheet.computed_fen = sheet.award_fen = computed_fen
        values = (services_fen, invoices_fen, support, base_fen, computed_fen)
        if computed_fen:
            return ((given, values),)
        return ((no_base, ()),) if not base_fen and sheet.base_said else ((nothing, values),)

    return rule


def claim_cap(policy: Policy) -> Rule:
    """Rule 21: the scheme's cap for one claim, where it has one."""
    term = policy.limits.claim_cap
    if term is None:
        uncapped: tuple[Finding, ...] = ((Ruling("award.claim_cap", PASS, policy.source, NO_CLAIM_CAP), ()),)
        return lambda sheet: () if sheet.incomplete else uncapped
    within = Ruling("award.claim_cap", PASS, term.cite, WITHIN_CLAIM_CAP)
    above = Ruling("award.claim_cap", INFO, term.cite, ABOVE_CLAIM_CAP)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        if sheet.incomplete:
            return ()
        before_fen, cap_fen = sheet.award_fen, term.value.fen
        if before_fen <= cap_fen:
            return ((within, (before_fen, term.value)),)
        sheet.award_fen = cap_fen
        sheet.cut["claim_cap"] = before_fen - cap_fen
        return ((above, (before_fen, term.value, before_fen - cap_fen, cap_fen)),)

    return rule


def annual_cap(policy: Policy) -> Rule:
    """Rule 23: not above what is left of the enterprise's annual cap in this scheme."""
    caps = {
        zone.code: (
            zone.annual_cap.value,
            Ruling("award.annual_cap", PASS, zone.annual_cap.cite, WITHIN_YEAR),
            Ruling("award.annual_cap", INFO, zone.annual_cap.cite, ABOVE_YEAR),
            Ruling("quota.exhausted", REJECT, zone.annual_cap.cite, EXHAUSTED),
        )
        for zone in policy.zones
    }

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        cap, within, above, exhausted = caps[sheet.zone.code]
        if sheet.incomplete or cap is UNSET:
            return ()
        before_fen, cap_fen, taken_fen = sheet.award_fen, cap.fen, sheet.facts.quota_taken.fen
        left_fen = max(cap_fen - taken_fen, 0)
        if before_fen <= left_fen:
            return ((within, (before_fen, cap_fen, taken_fen, left_fen)),)
        sheet.award_fen = left_fen
        sheet.cut["annual_cap"] = before_fen - left_fen
        if not left_fen:
            return ((exhausted, (before_fen, cap_fen, taken_fen, sheet.windowed.year)),)
        return ((above, (before_fen, cap_fen, taken_fen, left_fen, before_fen - left_fen, left_fen)),)

    return rule


def budget(policy: Policy) -> Rule:
    """Rule 24: not above the budget left, or else cut (``partial``), held with nothing granted, or refused."""
    choice, cite = policy.limits.budget_rule.value, policy.limits.budget_rule.cite
    unlimited, within = (Ruling("award.budget", PASS, cite, wording) for wording in (NO_BUDGET, WITHIN_BUDGET))
    partial = Ruling("award.budget", INFO, cite, PARTIAL)
    waits = choice == "waitlist"
    short = Ruling("award.budget", HOLD, cite, WAITLISTED) if waits else Ruling("award.budget", REJECT, cite, NO_MONEY)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        if sheet.incomplete:
            return ()
        left, year = sheet.facts.budget_left, sheet.windowed.year
        if left is None:
            return ((unlimited, (year,)),)
        before_fen, left_fen = sheet.award_fen, max(left.fen, 0)
        if before_fen <= left_fen:
            return ((within, (before_fen, left_fen, year)),)
        granted_fen = left_fen if choice == "partial" else 0
        sheet.award_fen = granted_fen
        sheet.cut["budget"] = before_fen - granted_fen
        if granted_fen:
            return ((partial, (before_fen, left_fen, year, before_fen - granted_fen, granted_fen)),)
        sheet.waitlisted = waits
        return ((short, (before_fen, left_fen, year)),)

    return rule
