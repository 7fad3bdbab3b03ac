"""Rule 25: the linked region's own money on top of the award (联动配套)."""

from typing import Final

from clearing.claims.rules.finding import INFO, PASS, Finding, Ruling, Wording
from clearing.claims.rules.parties import type_label
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import Policy

NOT_LINKED: Final = Wording("企业所在地当年未与本券种联动。", "The enterprise's division is not linked this year.")
TYPE_NOT_ACCEPTED: Final = Wording(
    "联动地区 {linked_region} 只配套以下类型：{accepted}；企业为：{types}。",
    "The linked region {linked_region} matches only {accepted}; the enterprise is {types}.",
    ("linked_region", "accepted", "types"),
)
MATCHED: Final = Wording(
    "联动地区 {linked_region} 配套：{award} 元 × {ratio} = {computed} 元，年度配套上限 {cap} 元已用 {taken} 元，"
    "配套 {matching} 元。",
    "The linked region {linked_region} adds {award} yuan × {ratio} = {computed} yuan; of its yearly {cap} yuan {taken} "
    "are taken: {matching} yuan.",
    ("linked_region", "award_fen", "ratio", "cap", "taken"),
    ("computed_fen", "matching_fen"),
)
WITHIN_BASE: Final = Wording(
    "联动地区 {linked_region} 配套：{award} 元 × {ratio} = {computed} 元，年度配套上限 {cap} 元已用 {taken} 元；"
    "各项补贴合计不超过核定基数 {base} 元，配套 {matching} 元。",
    "The linked region {linked_region} adds {award} yuan × {ratio} = {computed} yuan; of its yearly {cap} yuan {taken} "
    "are taken; all subsidies together stay within the base of {base} yuan: {matching} yuan.",
    ("linked_region", "award_fen", "ratio", "cap", "taken", "base_fen"),
    ("computed_fen", "matching_fen"),
)


def matching(policy: Policy) -> Rule:
    """Rule 25: award × local / provincial, rounded down, within the linked region's yearly cap for the enterprise.

    Award and matching together are never more than the base: the matching is on top of the award, so it is what gives.
    A region that committed itself to a ratio and cap of its own is held to those; the clause is then its own and the
    policy's. It is worked out for what the claim would be awarded; a claim that is refused has none.
    """
    cite = policy.payout.matching_due_months.cite if policy.payout.matching_due_months else policy.source
    not_linked: tuple[Finding, ...] = ((Ruling("matching", PASS, cite, NOT_LINKED), ()),)
    terms = {
        zone.code: (
            1 / zone.provincial_to_local.value,
            zone.matching_cap.value,
            Ruling("matching", PASS, zone.provincial_to_local.cite, MATCHED),
            Ruling("matching", INFO, zone.provincial_to_local.cite, TYPE_NOT_ACCEPTED),
        )
        for zone in policy.zones
        if zone.provincial_to_local is not None and zone.matching_cap is not None
    }

    labels = {kind.code: type_label(kind) for kind in policy.enterprise.types}

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        if sheet.incomplete:
            return ()
        linked = sheet.facts.linked_region
        if linked is None or sheet.zone.code not in terms:
            return not_linked
        ratio, cap, matched, not_accepted = terms[sheet.zone.code]
        if frozenset(linked.types).isdisjoint(sheet.proven):
            accepted, proven = (tuple(labels.get(one, one) for one in codes) for codes in (linked.types, sheet.proven))
            return ((not_accepted, (linked.division, accepted, proven)),)
        if linked.terms is not None:
            ratio, cap = linked.terms.share, linked.terms.cap
            matched = Ruling("matching", PASS, f"{linked.terms.cite}；{matched.cite}", MATCHED)
        taken = sheet.facts.matching_taken
        computed_fen = sheet.award_fen * ratio.numerator // ratio.denominator
        within_fen, room_fen = min(computed_fen, max(cap.fen - taken.fen, 0)), sheet.base_fen - sheet.award_fen
        sheet.matching_fen = min(within_fen, room_fen)
        given = (linked.division, sheet.award_fen, ratio, cap, taken)
        if room_fen < within_fen:
            within_base = Ruling("matching", PASS, matched.cite, WITHIN_BASE)
            return ((within_base, (*given, sheet.base_fen, computed_fen, sheet.matching_fen)),)
        return ((matched, (*given, computed_fen, sheet.matching_fen)),)

    return rule
