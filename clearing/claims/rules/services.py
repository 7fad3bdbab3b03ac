"""Rule 12: only what stands in the scheme's catalogue counts."""

from typing import Final

from clearing.claims.rules.finding import INFO, PASS, REJECT, Finding, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import Policy

ALL_LISTED: Final = Wording(
    "服务项目均在目录内，合计 {listed} 元。",
    "All services stand in the catalogue, {listed} yuan in all.",
    (),
    ("listed_fen",),
)
SOME_LISTED: Final = Wording(
    "目录外的服务事项（{items}，合计 {removed} 元）不计入；目录内合计 {listed} 元。",
    "Services outside the catalogue ({items}, {removed} yuan) are left out; {listed} yuan remain.",
    ("items",),
    ("removed_fen", "listed_fen"),
)
NONE_LISTED: Final = Wording(
    "没有目录内的服务事项（所报：{items}，合计 {removed} 元）。",
    "No service stands in the catalogue (stated: {items}, {removed} yuan).",
    ("items",),
    ("removed_fen",),
)


def catalogue(policy: Policy) -> Rule:
    """Rule 12: lines outside the catalogue are taken out of the base; none left rejects."""
    listed = frozenset(item.code for item in policy.services)
    cites = "；".join(dict.fromkeys(item.cite for item in policy.services))
    cite_of = {item.code: item.cite for item in policy.services}
    none = Ruling("service.catalogue", REJECT, cites, NONE_LISTED)
    every = {item.code: Ruling("service.catalogue", PASS, item.cite, ALL_LISTED) for item in policy.services}

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        listed_fen = removed_fen = 0
        outside: tuple[str, ...] = ()
        inside: dict[str, None] = {}
        for line in sheet.claim.services:
            if line.item in listed:
                listed_fen += line.amount.fen
                inside[line.item] = None
            else:
                removed_fen += line.amount.fen
                outside = (*outside, line.item)
        sheet.catalogue_fen = listed_fen
        if not inside:
            sheet.base_said = True
            return ((none, (tuple(dict.fromkeys(outside)), removed_fen)),)
        if len(inside) == 1 and not outside:
            return ((every[next(iter(inside))], (listed_fen,)),)
        cite = "；".join(dict.fromkeys(cite_of[code] for code in inside))
        if outside:
            values = (tuple(dict.fromkeys(outside)), removed_fen, listed_fen)
            return ((Ruling("service.catalogue", INFO, cite, SOME_LISTED), values),)
        return ((Ruling("service.catalogue", PASS, cite, ALL_LISTED), (listed_fen,)),)

    return rule
