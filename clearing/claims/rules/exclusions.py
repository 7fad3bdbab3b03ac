"""Rules 10 and 11: relations between the parties, and services that are never supported."""

from collections.abc import Callable
from typing import Final

from clearing.claims.rules.finding import PASS, REJECT, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from connectors.submission import Declarations, RelatedParty
from tenants.kernel.rate import print_rate
from tenants.policy import Policy, RelationGround

UNRELATED: Final = Wording("企业与服务机构无应排除的关联关系。", "The parties are not related in a way that excludes.")
RELATED: Final = Wording(
    "企业与服务机构存在应排除的关联关系：{grounds}。",
    "The parties are related in a way that excludes: {grounds}.",
    (),
    ("grounds",),
)
DIRECT_EQUITY: Final = Wording("直接股权关系", "direct equity")
SAME_LEGAL_REPRESENTATIVE: Final = Wording("同一法定代表人", "the same legal representative")
COMMON_SHAREHOLDER: Final = Wording(
    "同一股东对双方持股比例均达 {percent}%（达 {limit}% 即不支持）",
    "one shareholder holds {percent}% of both, {limit}% or more",
    ("percent", "limit"),
)
CONTROL: Final = Wording("隶属或直接、间接控制", "subordination, or direct or indirect control")

NOT_EXCLUDED: Final = Wording(
    "未触及不支持范围：{grounds}。", "None of the exclusions applies: {grounds}.", (), ("grounds",)
)
DECLARED: Final = Wording(
    "属于不支持范围：{ground}（企业声明）。", "Excluded: {ground} (the enterprise's declaration).", (), ("ground",)
)
BY_ITEM: Final = Wording(
    "属于不支持范围：{ground}（服务事项 {items}）。",
    "Excluded: {ground} (service items {items}).",
    ("items",),
    ("ground",),
)


def related_party(policy: Policy) -> Rule:
    """Rule 10: none of the relations that the scheme excludes is declared."""
    cite, grounds = policy.related_party.grounds.cite, policy.related_party.grounds.value
    limit = policy.related_party.shareholder_percent.value
    passed: tuple[Finding, ...] = ((Ruling("exclusion.related_party", PASS, cite, UNRELATED), ()),)
    related = Ruling("exclusion.related_party", REJECT, cite, RELATED)
    tests: dict[RelationGround, Callable[[RelatedParty], Fault | None]] = {
        "direct_equity": lambda said: Fault("direct_equity", DIRECT_EQUITY) if said.direct_equity else None,
        "same_legal_representative": lambda said: (
            Fault("same_legal_representative", SAME_LEGAL_REPRESENTATIVE) if said.same_legal_representative else None
        ),
        "common_shareholder": lambda said: (
            Fault(
                "common_shareholder",
                COMMON_SHAREHOLDER,
                (print_rate(said.common_shareholder_percent), print_rate(limit)),
            )
            if said.common_shareholder_percent >= limit
            else None
        ),
        "control": lambda said: Fault("control", CONTROL) if said.control else None,
    }
    asked = tuple(tests[ground] for ground in grounds)
    limit_numerator, limit_denominator = limit.numerator, limit.denominator

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        said = sheet.claim.declarations.related_party
        percent = said.common_shareholder_percent
        harmless = percent.numerator * limit_denominator < limit_numerator * percent.denominator
        if harmless and not (said.direct_equity or said.same_legal_representative or said.control):
            return passed
        faults = tuple(fault for fault in (test(said) for test in asked) if fault is not None)
        return ((related, (faults,)),) if faults else passed

    return rule


def exclusions(policy: Policy) -> Rule:
    """Rule 11: no ground of exclusion is declared, and no service line names an excluded item."""
    cites = "；".join(dict.fromkeys(each.cite for each in policy.exclusions)) or policy.source
    labels = {each.code: Label(each.code, each.zh, each.en) for each in policy.exclusions}
    passed: tuple[Finding, ...] = ((Ruling("exclusion.*", PASS, cites, NOT_EXCLUDED), (tuple(labels.values()),)),)
    declared = frozenset(each.code for each in policy.exclusions if each.declared)
    by_item = {item: each.code for each in policy.exclusions for item in each.items}

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        said = sheet.claim.declarations
        suspect = said.statutory_testing or said.publicly_funded or said.subcontracted or not said.rd_related
        if not suspect and not any(line.item in by_item for line in sheet.claim.services):
            return passed
        grounds = _declared(said) & declared
        items: dict[str, tuple[str, ...]] = {}
        for line in sheet.claim.services:
            code = by_item.get(line.item)
            if code is not None and line.item not in items.get(code, ()):
                items[code] = (*items.get(code, ()), line.item)
        found: list[Finding] = []
        for each in policy.exclusions:
            name = f"exclusion.{each.code}"
            if each.code in items:
                found.append((Ruling(name, REJECT, each.cite, BY_ITEM), (items[each.code], labels[each.code])))
            elif each.code in grounds:
                found.append((Ruling(name, REJECT, each.cite, DECLARED), (labels[each.code],)))
        return tuple(found) or passed

    return rule


def _declared(said: Declarations) -> frozenset[str]:
    grounds = (
        ("statutory_testing", said.statutory_testing),
        ("publicly_funded", said.publicly_funded),
        ("subcontracted", said.subcontracted),
        ("not_rd_related", not said.rd_related),
    )
    return frozenset(code for code, holds in grounds if holds)
