"""Rules 8 and 9: whether the provider may be paid for."""

from collections.abc import Callable
from datetime import date
from typing import Final

from clearing.claims.rules.finding import CORRECT, PASS, REJECT, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.parties import years_later
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.policy import ANYWHERE, Policy, lies_in

WHOLE_COUNTRY: Final = Label(ANYWHERE, "全国", "the whole country")
PROVIDER_IN: Final = Wording(
    "服务机构注册地 {division} 在允许范围 {divisions} 之内。",
    "The provider's division {division} lies in {divisions}.",
    ("division", "divisions"),
)
PROVIDER_OUT: Final = Wording(
    "服务机构注册地 {division} 不在允许范围 {divisions} 之内。",
    "The provider's division {division} is not in {divisions}.",
    ("division", "divisions"),
)
ADMITTED: Final = Wording(
    "服务机构符合入库条件（平台入驻：{on_platform}）。",
    "The provider is admitted (on the platform: {on_platform}).",
    ("on_platform",),
)
NOT_ADMITTED: Final = Wording(
    "服务机构不符合入库条件：{faults}。",
    "The provider is not admitted: {faults}.",
    ("on_platform",),
    ("faults",),
)
REMOVED: Final = Wording("入库记录已失效或未通过", "its admission on record has ended or was refused")
NO_DIRECTORY: Final = Wording("未列入服务机构名录或未在平台注册", "it is not in the directory of the platform")
ORDER_ON_PLATFORM: Final = Wording(
    "该机构已入驻平台，请在平台上下单后再申请",
    "it is on the platform, so the order must go through the platform",
)
AGE_UNKNOWN: Final = Wording(
    "未报成立日期，须成立满 {years} 年", "its age is not stated; {years} years are needed", ("years",)
)
TOO_YOUNG: Final = Wording(
    "成立于 {established_on}，至合同签订日 {signed_on} 不满 {years} 年",
    "founded on {established_on}, it was not {years} years old on the contract date {signed_on}",
    ("established_on", "signed_on", "years"),
)
UNQUALIFIED_LINE: Final = Wording(
    "服务 {item} 须有 {accepted} 资质，未报",
    "service {item} needs {accepted}, which is not stated",
    ("item", "accepted"),
)
LAPSED_LINE: Final = Wording(
    "服务 {item} 完成于 {completed_on}，所报资质已于 {valid_through} 到期",
    "service {item} was completed on {completed_on}, after the qualification ended on {valid_through}",
    ("item", "completed_on", "valid_through"),
)

Found = tuple[tuple[str, Fault], ...]


def provider_region(policy: Policy) -> Rule:
    """Rule 8: the provider is registered where the scheme allows; a zone may widen that for its enterprises."""
    terms = {zone.code: zone.provider_divisions or policy.provider.divisions for zone in policy.zones}
    allowed = {
        code: (
            term.value,
            tuple(WHOLE_COUNTRY if each == ANYWHERE else each for each in term.value),
            Ruling("provider.region", PASS, term.cite, PROVIDER_IN),
            Ruling("provider.region", REJECT, term.cite, PROVIDER_OUT),
        )
        for code, term in terms.items()
    }

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        divisions, shown, within, outside = allowed[sheet.zone.code]
        division = sheet.claim.provider.division
        return ((within if lies_in(division, divisions) else outside, (division, shown)),)

    return rule


def provider_admission(policy: Policy) -> Rule:
    """Rule 9: directory, age on the contract date, qualifications on the day of completion, each as the scheme says."""
    directory, age, lines = _directory(policy), _age(policy), _lines(policy)
    admitted = Ruling("provider.admission", PASS, policy.provider.directory.cite, ADMITTED)
    refused, correctable = (
        Ruling("provider.admission", verdict, _cites(policy), NOT_ADMITTED) for verdict in (REJECT, CORRECT)
    )

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        on_platform = stands_on_platform(sheet)
        found = directory(sheet) + age(sheet) + lines(sheet)
        if not found:
            return ((admitted, (on_platform,)),)
        ruling = refused if any(verdict == REJECT for verdict, _ in found) else correctable
        return ((ruling, (on_platform, tuple(fault for _, fault in found))),)

    return rule


def stands_on_platform(sheet: Sheet) -> bool:
    """Whether the provider is on the platform: the admission on record, else the platform's own statement."""
    recorded = sheet.facts.provider.on_platform
    return sheet.claim.provider.on_platform if recorded is None else recorded


def _directory(policy: Policy) -> Callable[[Sheet], Found]:
    """``required``: the directory entry. ``or_proof``: none is needed, but who is on the platform is ordered there."""
    required = policy.provider.directory.value == "required"

    def faults(sheet: Sheet) -> Found:
        record = sheet.facts.provider
        if record.admitted is False:
            return ((REJECT, Fault("admission_ended", REMOVED)),)
        if required:
            listed = stands_on_platform(sheet) or bool(record.admitted and record.on_platform is None)
            return () if listed else ((REJECT, Fault("not_in_directory", NO_DIRECTORY)),)
        if record.on_platform and not sheet.claim.provider.on_platform:
            return ((CORRECT, Fault("order_on_platform", ORDER_ON_PLATFORM)),)
        return ()

    return faults


def _age(policy: Policy) -> Callable[[Sheet], Found]:
    years = policy.provider.minimum_age_years.value
    direct = frozenset(policy.provider.direct_kinds.value)

    def faults(sheet: Sheet) -> Found:
        provider, entry = sheet.claim.provider, sheet.facts.provider.directory
        if not years or (provider if entry is None else entry).kind in direct:
            return ()
        founded_on, signed_on = provider.established_on, sheet.claim.contract.signed_on
        if entry is not None and entry.established_on is not None:
            founded_on = entry.established_on
        if founded_on is None:
            return ((CORRECT, Fault("age_unknown", AGE_UNKNOWN, (years,))),)
        if founded_on <= signed_on and years_later(founded_on, years) <= signed_on:
            return ()
        return ((REJECT, Fault("too_young", TOO_YOUNG, (founded_on, signed_on, years))),)

    return faults


def _lines(policy: Policy) -> Callable[[Sheet], Found]:
    """Kinds that are admitted directly need not state a qualification, but one that they state must have been valid.

    What the directory holds goes before what the platform states. What is not stated can be stated (correct); what had
    ended by the day of completion cannot be mended (reject).
    """
    needed = {item.code: item.qualifications for item in policy.services if item.qualifications}
    direct = frozenset(policy.provider.direct_kinds.value)

    def faults(sheet: Sheet) -> Found:
        provider, entry = sheet.claim.provider, sheet.facts.provider.directory
        kind = provider.kind if entry is None else entry.kind
        stated = tuple((each.kind, each.valid_through) for each in provider.qualifications)
        found: Found = ()
        for line in sheet.claim.services:
            accepted = needed.get(line.item)
            if accepted is None:
                continue
            latest = _latest(accepted, () if entry is None else entry.qualifications) or _latest(accepted, stated)
            if latest is None:
                if kind not in direct:
                    found += ((CORRECT, Fault("qualification_missing", UNQUALIFIED_LINE, (line.item, accepted))),)
            elif latest < line.completed_on:
                lapsed = Fault("qualification_lapsed", LAPSED_LINE, (line.item, line.completed_on, latest))
                found += ((REJECT, lapsed),)
        return tuple(dict.fromkeys(found)) if found else found

    return faults


def _latest(accepted: tuple[str, ...], held: tuple[tuple[str, date], ...]) -> date | None:
    """The last day of the longest of the accepted qualifications."""
    return max((valid_through for kind, valid_through in held if kind in accepted), default=None)


def _cites(policy: Policy) -> str:
    terms = policy.provider
    return "；".join(dict.fromkeys((terms.directory.cite, terms.minimum_age_years.cite, terms.direct_kinds.cite)))
