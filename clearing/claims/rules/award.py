"""Rules 20, 21, 23 and 24: what the base gives, and what the claim's cap, the year's cap and the budget leave of it.

Nothing here is computed while the policy is incomplete.
"""

from typing import Final

from clearing.claims.rules.finding import HOLD, INFO, PASS, REJECT, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
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
BY_CLASS: Final = Wording(
    "计算基数 {base} 元（目录内服务 {services} 元与本年度发票 {invoices} 元取小）：其中 {full} 元全额支持，"
    "其余 {rest} 元 × 混合比例 {blended} = {partial} 元；合计 {computed} 元，分以下舍去。"
    "混合比例为各类服务金额与比例之积的和除以服务合计：{classes}。",
    "The base of {base} yuan (the smaller of services {services} and invoices {invoices}): {full} yuan in full, the "
    "other {rest} yuan × the blended rate {blended} = {partial} yuan; {computed} yuan in all, rounded down to the fen. "
    "The blended rate is the sum of each class's amount × rate over all services: {classes}.",
    ("services_fen", "invoices_fen", "classes"),
    ("full_fen", "rest_fen", "blended", "partial", "base_fen", "computed_fen"),
)
CLASS: Final = Wording(
    "{class} {amount} 元 × {rate}", "{class} {amount} yuan × {rate}", ("class", "amount_fen", "rate")
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
DIVIDED: Final = Wording(
    "{year} 年度预算不足，按比例分配（最大余数法）：应核定 {before} 元，分得 {share} 元，核减 {cut} 元。",
    "The budget of {year} is divided in proportion (largest remainder): {share} of {before} yuan, {cut} yuan less.",
    ("before_fen", "share_fen", "year"),
    ("cut_fen", "award_fen"),
)
WHOLE_SHARE: Final = Wording(
    "{year} 年度预算按比例分配，足以全额核定 {award} 元。",
    "The budget of {year} is divided and suffices for all {award} yuan.",
    ("award_fen", "share_fen", "year"),
)
UNDIVIDED: Final = Wording(
    "{year} 年度预算在年度分配时按比例分给全部申请（兑完为止），应核定 {before} 元，待分配后核定。",
    "The budget of {year} is divided among all its claims; {before} yuan are due, and the claim waits for that.",
    ("before_fen", "year"),
)
NO_MONEY: Final = Wording(
    "{year} 年度预算余 {left} 元，不足以核定 {before} 元，兑完为止，不予支持。",
    "The {left} yuan left of the budget of {year} do not suffice for {before} yuan.",
    ("before_fen", "left_fen", "year"),
)


def rate(policy: Policy) -> Rule:
    """Rule 20: base × rate, rounded down to the fen."""
    if policy.service_classes or policy.limits.full_support_through is not None:
        return _rate_by_class(policy)
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


def _rate_by_class(policy: Policy) -> Rule:
    """Rule 20 with a first amount in full and rates by class: exact until the one rounding, down to the fen."""
    term = policy.limits.full_support_through
    first_fen = 0 if term is None else term.value.fen
    own = {item: each.rate.value for each in policy.service_classes for item in each.items}
    of_item = {item: Label(each.code, each.zh, each.en) for each in policy.service_classes for item in each.items}
    listed = frozenset(item.code for item in policy.services)
    cites = [each.rate.cite for each in policy.service_classes] + ([] if term is None else [term.cite])
    rulings = {
        zone.code: (
            zone.rate.value,
            Ruling("award.rate", PASS, "；".join(dict.fromkeys([zone.rate.cite, *cites])), BY_CLASS),
            Ruling("award.rate", INFO, zone.rate.cite, NO_BASE),
            Ruling("award.nothing", REJECT, zone.rate.cite, BY_CLASS),
        )
        for zone in policy.zones
    }

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        services_fen, invoices_fen = sheet.catalogue_fen, sheet.windowed.in_fen
        sheet.base_fen = base_fen = min(services_fen, invoices_fen)
        general, given, no_base, nothing = rulings[sheet.zone.code]
        if sheet.incomplete or general is UNSET:
            return ()
        if not base_fen and sheet.base_said:
            return ((no_base, ()),)
        sums: dict[Label, int] = {}
        for line in sheet.claim.services:
            if line.item in listed:
                label = of_item.get(line.item, OTHER_SERVICES)
                sums[label] = sums.get(label, 0) + line.amount.fen
        rates = {label: own[item] for item, label in of_item.items()} | {OTHER_SERVICES: general}
        blended = Rate(sum(fen * rates[label] for label, fen in sums.items())) / (services_fen or 1)
        full_fen = min(base_fen, first_fen)
        rest_fen = base_fen - full_fen
        partial = rest_fen * blended
        sheet.computed_fen = sheet.award_fen = computed_fen = full_fen + partial.numerator // partial.denominator
        classes = tuple(Fault(label.code, CLASS, (label, fen, rates[label])) for label, fen in sums.items())
        shown = Money(partial.numerator // partial.denominator)
        values = (services_fen, invoices_fen, classes, full_fen, rest_fen, blended, shown, base_fen, computed_fen)
        return ((given if computed_fen else nothing, values),)

    return rule


OTHER_SERVICES: Final = Label("other", "其他服务", "other services")
"""Services of no class, which have the zone's rate."""


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
    if choice == "pro_rata":
        return _divided_budget(cite)
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


def _divided_budget(cite: str) -> Rule:
    """Rule 24 where a year's budget is divided in proportion: hold until it is, then not above the claim's share."""
    waits = Ruling("award.pro_rata", HOLD, cite, UNDIVIDED)
    whole = Ruling("award.budget", PASS, cite, WHOLE_SHARE)
    divided = Ruling("award.budget", INFO, cite, DIVIDED)
    none = Ruling("award.budget", REJECT, cite, DIVIDED)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        if sheet.incomplete:
            return ()
        share, year, before_fen = sheet.facts.budget_share, sheet.windowed.year, sheet.award_fen
        if share is None:
            sheet.award_fen = 0
            sheet.waitlisted = True
            if before_fen:
                sheet.cut["budget"] = before_fen
            return ((waits, (before_fen, year)),)
        if before_fen <= share.fen:
            return ((whole, (before_fen, share.fen, year)),)
        sheet.award_fen = share.fen
        sheet.cut["budget"] = before_fen - share.fen
        values = (before_fen, share.fen, year, before_fen - share.fen, share.fen)
        return ((divided if share.fen else none, values),)

    return rule
