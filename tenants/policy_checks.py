"""What a policy's types cannot say: tables that overlap or are empty, dates and figures that cannot be."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import MAXYEAR, MINYEAR, date, timedelta
from itertools import combinations
from typing import Final

from tenants.catalogue import DECLARED_EXCLUSIONS, DOCUMENT_KINDS, PROVIDER_KINDS
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.errors import FieldError, Text
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tenants.kernel.workdays import MAX_WORKING_DAYS
from tenants.policy import ANYWHERE, UNSET, Policy, Term, Zone

DEMONSTRATION_SOURCE: Final = "demonstration, not law"
"""The only source a demonstration policy may name, and no other policy may."""
WHOLE: Final = Rate(1)
"""All of an amount."""
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2100
MAX_AGE_YEARS: Final = 100
MAX_MONTHS: Final = 120
MAX_CORRECTION_DAYS: Final = 366
MAX_CORRECTIONS: Final = 99
"""Corrections of one version."""

_CAP: Final = r"[a-z][a-z0-9-]{0,30}"
"""Part of an account's name, as a scheme's code is."""
_CODE: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)
_ITEM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}", re.ASCII)
_DIVISION: Final = re.compile(r"[1-9][0-9](?:[0-9]{2}){0,2}", re.ASCII)
_MONTH_DAY: Final = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])", re.ASCII)

_MESSAGES: Final = {
    "empty": Text("此表不能为空。", "This table must not be empty."),
    "overlap": Text("两个分区重叠。", "Two zones overlap."),
    "outside": Text("此区划不在本券种的行政区划之内。", "This division is not within the scheme's own divisions."),
    "no_rest": Text(
        "须恰有一个不列区划和入驻地的分区（其余地区）。",
        "Exactly one zone must name neither divisions nor residences: the rest of the region.",
    ),
    "repeated": Text("代码重复。", "The same code stands twice."),
    "impossible_day": Text("日期不在合理范围内。", "The day cannot be right."),
    "not_ascending": Text("截止时刻须依次递增。", "Cut-offs must ascend."),
    "not_a_code": Text("代码的写法不对。", "This is not a code."),
    "not_a_division": Text("行政区划代码须为 2、4 或 6 位数字。", "A division code has 2, 4 or 6 digits."),
    "unknown_kind": Text("没有这个种类。", "There is no such kind."),
    "above_base": Text(
        "与补贴比例合计超过核定基数的 100%。", "With the rate of the award it comes to over 100 % of the base."
    ),
    "out_of_range": Text("数值超出范围。", "The figure is out of range."),
    "unknown_declaration": Text("申请中没有这项声明。", "Claims carry no such declaration."),
    "no_ground": Text("排除情形须有声明或服务事项之一。", "An exclusion needs a declaration or service items."),
    "not_supported": Text("此服务事项不在目录之内。", "This service item is not in the catalogue."),
    "both": Text("同一服务事项既支持又排除。", "One service item is both supported and excluded."),
    "proof_incomplete": Text(
        "此证明方式缺少年限或材料种类。", "This way of proof needs its years or its kinds of document."
    ),
    "source_of_demonstration": Text(
        f"演示政策的来源须且仅能写作“{DEMONSTRATION_SOURCE}”。",
        f'A demonstration policy, and no other, names "{DEMONSTRATION_SOURCE}" as its source.',
    ),
    "half_matching": Text("联动比例与配套上限须同时给出。", "A matching ratio and its cap stand together."),
    "shares": Text("分担比例须全部未定，或合计为 1。", "Shares are all unset, or add up to 1."),
}

Check = Callable[[Policy], Iterator[tuple[str, str]]]


def faults_of(policy: Policy) -> tuple[FieldError, ...]:
    """Everything that makes the policy impossible, each with its place."""
    found = [pair for check in _CHECKS for pair in check(policy)]
    return tuple(FieldError(place, code, _MESSAGES[code]) for place, code in found)


def _identity(policy: Policy) -> Iterator[tuple[str, str]]:
    for name in ("tenant", "scheme"):
        if not _CODE.fullmatch(getattr(policy, name)):
            yield f"/{name}", "not_a_code"
    if not FIRST_YEAR <= policy.effective_on.year <= LAST_YEAR:
        yield "/effective/value", "impossible_day"
    if policy.correction > MAX_CORRECTIONS:
        yield "/correction", "out_of_range"
    if policy.demonstration != (policy.source == DEMONSTRATION_SOURCE):
        yield "/source", "source_of_demonstration"


def _not_empty(policy: Policy) -> Iterator[tuple[str, str]]:
    tables: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("/modes/value", policy.modes.value),
        ("/enterprise/divisions/value", policy.enterprise.divisions.value),
        ("/enterprise/types", policy.enterprise.types),
        ("/zones", policy.zones),
        ("/provider/divisions/value", policy.provider.divisions.value),
        ("/services", policy.services),
        ("/evidence", policy.evidence),
        ("/review/chain/value", policy.review.chain.value),
        ("/funders", policy.funders),
        ("/related_party/grounds/value", policy.related_party.grounds.value),
    )
    yield from ((place, "empty") for place, table in tables if not table)


def _codes(policy: Policy) -> Iterator[tuple[str, str]]:
    lists: tuple[tuple[str, re.Pattern[str], list[str]], ...] = (
        ("/enterprise/types", _CODE, [each.code for each in policy.enterprise.types]),
        ("/zones", _CODE, [each.code for each in policy.zones]),
        ("/services", _ITEM, [each.code for each in policy.services]),
        ("/exclusions", _CODE, [each.code for each in policy.exclusions]),
        ("/service_classes", _CODE, [each.code for each in policy.service_classes]),
        ("/evidence", _CODE, [each.kind for each in policy.evidence]),
        ("/funders", _CODE, [each.code for each in policy.funders]),
        ("/review/chain/value", _CODE, list(policy.review.chain.value)),
        ("/review/trusted_chain/value", _CODE, list(policy.trusted_chain)),
        ("/quota_year/cut_offs", re.compile("[0-9]+"), [str(each.year) for each in policy.quota_year.cut_offs]),
    )
    for place, shape, codes in lists:
        yield from ((f"{place}/{index}", "not_a_code") for index, code in enumerate(codes) if not shape.fullmatch(code))
        yield from ((place, "repeated") for code, times in Counter(codes).items() if times > 1 and code)
    if not re.fullmatch(_CAP, policy.cap):
        yield "/limits/shared_cap/value", "not_a_code"
    group = policy.exclusion_group
    if not _CODE.fullmatch(group):
        yield "/duplicates/exclusion_group/value", "not_a_code"


def _division_faults(place: str, divisions: Iterable[str], *, anywhere: bool = False) -> Iterator[tuple[str, str]]:
    for index, division in enumerate(divisions):
        if not _DIVISION.fullmatch(division) and not (anywhere and division == ANYWHERE):
            yield f"{place}/{index}", "not_a_division"


def _divisions(policy: Policy) -> Iterator[tuple[str, str]]:
    own = policy.enterprise.divisions.value
    yield from _division_faults("/enterprise/divisions/value", own)
    yield from _division_faults("/provider/divisions/value", policy.provider.divisions.value, anywhere=True)
    for index, zone in enumerate(policy.zones):
        place = f"/zones/{index}"
        yield from _division_faults(f"{place}/divisions", zone.divisions)
        if zone.provider_divisions is not None:
            widened = zone.provider_divisions.value
            yield from _division_faults(f"{place}/provider_divisions/value", widened, anywhere=True)
            if not widened:
                yield f"{place}/provider_divisions/value", "empty"
        for inner, division in enumerate(zone.divisions):
            if own and not division.startswith(own):
                yield f"{place}/divisions/{inner}", "outside"


def legs_exceed_base(rate: Rate, provincial_to_local: Rate) -> bool:
    """Whether an award at the rate and the matching on top of it could come to more than the base (I6)."""
    return rate * (1 + 1 / provincial_to_local) > WHOLE


def _zones(policy: Policy) -> Iterator[tuple[str, str]]:
    if policy.zones and sum(not zone.divisions and not zone.residences for zone in policy.zones) != 1:
        yield "/zones", "no_rest"
    for (_, one), (index, other) in combinations(enumerate(policy.zones), 2):
        prefixes = any(a.startswith(b) or b.startswith(a) for a in one.divisions for b in other.divisions)
        if prefixes or set(one.residences) & set(other.residences):
            yield f"/zones/{index}", "overlap"
    for index, zone in enumerate(policy.zones):
        if any(one.startswith(other) or other.startswith(one) for one, other in combinations(zone.divisions, 2)):
            yield f"/zones/{index}", "overlap"
        yield from _zone_figures(f"/zones/{index}", zone)


def _zone_figures(place: str, zone: Zone) -> Iterator[tuple[str, str]]:
    if (zone.provincial_to_local is None) != (zone.matching_cap is None):
        yield place, "half_matching"
    if zone.provincial_to_local is not None and zone.provincial_to_local.value <= 0:
        yield f"{place}/provincial_to_local/value", "out_of_range"
    rate, cap, ratio = zone.rate.value, zone.annual_cap.value, zone.provincial_to_local
    if rate is not UNSET and not 0 < rate <= WHOLE:
        yield f"{place}/rate/value", "out_of_range"
    elif rate is not UNSET and ratio is not None and ratio.value > 0 and legs_exceed_base(rate, ratio.value):
        yield f"{place}/provincial_to_local/value", "above_base"
    if cap is not UNSET and not cap:
        yield f"{place}/annual_cap/value", "out_of_range"


def _types(policy: Policy) -> Iterator[tuple[str, str]]:
    for index, kind in enumerate(policy.enterprise.types):
        place = f"/enterprise/types/{index}"
        needs_years = kind.proof in {"certificate", "certificate_or_number"}
        if needs_years != bool(kind.certificate_years) or (kind.proof == "documents") != bool(kind.documents):
            yield place, "proof_incomplete"
        if kind.certificate_years is not None and kind.certificate_years > MAX_AGE_YEARS:
            yield f"{place}/certificate_years", "out_of_range"
        yield from _document_kinds(f"{place}/documents", kind.documents)


def _document_kinds(place: str, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from ((f"{place}/{index}", "unknown_kind") for index, kind in enumerate(kinds) if kind not in DOCUMENT_KINDS)


def _evidence(policy: Policy) -> Iterator[tuple[str, str]]:
    for index, need in enumerate(policy.evidence):
        place = f"/evidence/{index}"
        if need.kind not in DOCUMENT_KINDS:
            yield f"{place}/kind", "unknown_kind"
        if need.at_most is not None and not 1 <= need.at_most >= need.at_least:
            yield f"{place}/at_most", "out_of_range"
        if need.max_bytes == 0:
            yield f"{place}/max_bytes", "out_of_range"


def _exclusions(policy: Policy) -> Iterator[tuple[str, str]]:
    supported = {item.code for item in policy.services}
    for index, exclusion in enumerate(policy.exclusions):
        place = f"/exclusions/{index}"
        if exclusion.declared and exclusion.code not in DECLARED_EXCLUSIONS:
            yield f"{place}/code", "unknown_declaration"
        if not exclusion.declared and not exclusion.items:
            yield place, "no_ground"
        if supported & set(exclusion.items):
            yield f"{place}/items", "both"


def _service_classes(policy: Policy) -> Iterator[tuple[str, str]]:
    supported = {item.code for item in policy.services}
    taken: set[str] = set()
    for index, each in enumerate(policy.service_classes):
        place = f"/service_classes/{index}"
        if not each.items:
            yield f"{place}/items", "empty"
        if not 0 < each.rate.value <= WHOLE:
            yield f"{place}/rate/value", "out_of_range"
        for inner, item in enumerate(each.items):
            if item not in supported:
                yield f"{place}/items/{inner}", "not_supported"
            elif item in taken:
                yield f"{place}/items/{inner}", "repeated"
            taken.add(item)


def _provider(policy: Policy) -> Iterator[tuple[str, str]]:
    for index, kind in enumerate(policy.provider.direct_kinds.value):
        if kind not in PROVIDER_KINDS:
            yield f"/provider/direct_kinds/value/{index}", "unknown_kind"
    if policy.provider.minimum_age_years.value > MAX_AGE_YEARS:
        yield "/provider/minimum_age_years/value", "out_of_range"
    if not 0 < policy.related_party.shareholder_percent.value <= Rate(100):
        yield "/related_party/shareholder_percent/value", "out_of_range"


def _quota_year(policy: Policy) -> Iterator[tuple[str, str]]:
    if not _MONTH_DAY.fullmatch(policy.quota_year.starts.value):
        yield "/quota_year/starts/value", "impossible_day"
        return
    for index, cut_offs in enumerate(policy.quota_year.cut_offs):
        place = f"/quota_year/cut_offs/{index}"
        if not cut_offs.at:
            yield f"{place}/at", "empty"
        if not FIRST_YEAR <= cut_offs.year <= LAST_YEAR:
            yield f"{place}/year", "impossible_day"
            continue
        if any(later <= earlier for earlier, later in zip(cut_offs.at, cut_offs.at[1:], strict=False)):
            yield f"{place}/at", "not_ascending"
        first = window_of(policy.quota_year.starts.value, cut_offs.year)[0]
        days = [at.astimezone(SHANGHAI).date() for at in cut_offs.at]
        if any(not first <= day <= date(cut_offs.year + 1, 12, 31) for day in days):
            yield f"{place}/at", "impossible_day"


def _limits(policy: Policy) -> Iterator[tuple[str, str]]:
    for name in ("claim_cap", "full_support_through"):
        term: Term[Money] | None = getattr(policy.limits, name)
        if term is not None and not term.value:
            yield f"/limits/{name}/value", "out_of_range"


def _figures(policy: Policy) -> Iterator[tuple[str, str]]:
    def beyond(term: Term[int] | None, most: int) -> bool:
        return term is not None and not 1 <= term.value <= most

    if beyond(policy.payout.publicity_days, MAX_WORKING_DAYS):
        yield "/payout/publicity_days/value", "out_of_range"
    if beyond(policy.payout.within_months, MAX_MONTHS):
        yield "/payout/within_months/value", "out_of_range"
    if beyond(policy.payout.matching_due_months, MAX_MONTHS):
        yield "/payout/matching_due_months/value", "out_of_range"
    if beyond(policy.review.correction_days, MAX_CORRECTION_DAYS):
        yield "/review/correction_days/value", "out_of_range"
    if policy.review.sample_share is not None and not 0 < policy.review.sample_share.value <= WHOLE:
        yield "/review/sample_share/value", "out_of_range"
    if policy.reward is not None and not 0 < policy.reward.rate.value <= WHOLE:
        yield "/reward/rate/value", "out_of_range"
    if policy.sanction_years.value is not UNSET and not 1 <= policy.sanction_years.value <= MAX_AGE_YEARS:
        yield "/sanction_years/value", "out_of_range"
    shares = [funder.share.value for funder in policy.funders]
    known = [share for share in shares if share is not UNSET]
    if known and (len(known) != len(shares) or sum(known) != WHOLE):
        yield "/funders", "shares"


def window_of(starts: str, year: int) -> tuple[date, date]:
    """The first and last day of quota year ``year``, which begins on ``starts`` (``MM-DD``).

    Years that Python's calendar does not reach count as the nearest that it does.
    """
    month, day = (int(part) for part in starts.split("-"))
    year = min(max(year, MINYEAR + 1), MAXYEAR)
    if (month, day) == (1, 1):
        return date(year, 1, 1), date(year, 12, 31)
    return date(year - 1, month, day), date(year, month, day) - timedelta(days=1)


_CHECKS: Final[tuple[Check, ...]] = (
    _identity,
    _not_empty,
    _codes,
    _divisions,
    _zones,
    _types,
    _evidence,
    _exclusions,
    _service_classes,
    _provider,
    _quota_year,
    _limits,
    _figures,
)
