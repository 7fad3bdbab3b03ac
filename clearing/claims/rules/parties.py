"""Rules 3 to 7: sanctions, and whether the enterprise may apply."""

from calendar import isleap
from collections.abc import Callable
from datetime import date
from typing import Final

from clearing.claims.rules.finding import CORRECT, PASS, REJECT, Fault, Finding, Label, Ruling, Wording
from clearing.claims.rules.sheet import Rule, Sheet
from tenants.catalogue import DOCUMENT_KINDS
from tenants.policy import EnterpriseType, Policy, Proof, lies_in

REGISTRY_NUMBER_LENGTH: Final = 18
"""Characters of a technology SME's registration number (入库登记编号); the first four are the year."""
LEAP_DAY: Final = (2, 29)

NO_SANCTION: Final = Wording("企业和服务机构均无生效的失信惩戒。", "Neither party is under a sanction.")
SANCTIONED: Final = Wording(
    "政策日 {policy_on} 处于失信惩戒期内：{parties}。",
    "Under a sanction on {policy_on}: {parties}.",
    ("policy_on",),
    ("parties",),
)
ENTERPRISE_UNTIL: Final = Wording("企业，至 {through_on}", "the enterprise, through {through_on}", ("through_on",))
PROVIDER_UNTIL: Final = Wording("服务机构，至 {through_on}", "the provider, through {through_on}", ("through_on",))

IN_REGION: Final = Wording(
    "企业注册地 {division} 属于 {divisions}。",
    "The enterprise's division {division} lies in {divisions}.",
    ("division", "divisions"),
)
OUT_OF_REGION: Final = Wording(
    "企业注册地 {division} 不属于本券种的行政区划 {divisions}。",
    "The enterprise's division {division} is not under the scheme's divisions {divisions}.",
    ("division", "divisions"),
)

TYPE_PROVEN: Final = Wording(
    "以{chosen}的身份申请，证明有效。", "Applies as {chosen}; the proof holds.", ("types",), ("chosen",)
)
NO_TYPE: Final = Wording(
    "企业申报的类型（{types}）均不在支持之列：{eligible}。",
    "None of the enterprise's types ({types}) is supported; these are: {eligible}.",
    ("types",),
    ("eligible",),
)
TYPE_UNPROVEN: Final = Wording(
    "企业类型缺少有效证明，请补正：{faults}。",
    "The enterprise's type lacks a valid proof; please correct: {faults}.",
    ("types",),
    ("faults",),
)
NUMBER_OF_YEAR: Final = Wording(
    "{type}须有 {year} 年度的 {length} 位入库登记编号（前四位为年度），所报为“{number}”",
    "{type} needs its registration number of {year} ({length} characters, the year first); stated: “{number}”",
    ("type", "number"),
    ("year", "length"),
)
NUMBER: Final = Wording(
    "{type}须有登记编号或文件编号",
    "{type} needs the number of its registration or document",
    ("type",),
)
CERTIFICATE: Final = Wording(
    "{type}须有发证未满 {years} 年的证书，所报发证日为 {issued_on}，政策日为 {policy_on}",
    "{type} needs a certificate issued less than {years} years before {policy_on}; stated: {issued_on}",
    ("type", "issued_on", "policy_on"),
    ("years",),
)
DOCUMENTS: Final = Wording("{type}须附：{documents}", "{type} needs: {documents}", ("type",), ("documents",))
RESIDENCE: Final = Wording("{type}须注明入驻地", "{type} must name where it resides", ("type",))

NO_CEILING: Final = Wording("本券种不设营业收入上限。", "The scheme has no revenue ceiling.")
REVENUE_WITHIN: Final = Wording(
    "上年度营业收入 {revenue} 元，不高于 {ceiling} 元。",
    "Last year's revenue of {revenue} yuan is not above {ceiling} yuan.",
    ("revenue", "ceiling"),
)
REVENUE_ABOVE: Final = Wording(
    "上年度营业收入 {revenue} 元，高于上限 {ceiling} 元。",
    "Last year's revenue of {revenue} yuan is above the ceiling of {ceiling} yuan.",
    ("revenue", "ceiling"),
)
REVENUE_MISSING: Final = Wording(
    "未报上年度营业收入，无法核对上限 {ceiling} 元，请补正。",
    "Last year's revenue is missing; it is compared with the ceiling of {ceiling} yuan. Please correct.",
    ("ceiling",),
)

NO_QUALIFICATION: Final = Wording(
    "资格由平台审核，本券种不另行核对资格名单。",
    "The platform admits enterprises; the scheme keeps no list of qualifications here.",
)
QUALIFIED: Final = Wording(
    "{year} 年度申领资格已审核通过，或该类型无须审核。",
    "The qualification of {year} is on record, or the type needs no review.",
    ("year",),
)
UNQUALIFIED: Final = Wording(
    "没有 {year} 年度的申领资格记录。", "There is no admitted qualification of {year} on record.", ("year",)
)


def sanction(policy: Policy) -> Rule:
    """Rule 3: neither party is under a sanction on the policy date."""
    cite = policy.sanction_years.cite
    passed: tuple[Finding, ...] = ((Ruling("sanction", PASS, cite, NO_SANCTION), ()),)
    sanctioned = Ruling("sanction", REJECT, cite, SANCTIONED)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        facts = sheet.facts
        enterprise, provider = facts.enterprise.sanctioned_through, facts.provider.sanctioned_through
        if enterprise is None and provider is None:
            return passed
        stated = (("enterprise", ENTERPRISE_UNTIL, enterprise), ("provider", PROVIDER_UNTIL, provider))
        faults = tuple(
            Fault(code, wording, (through_on,))
            for code, wording, through_on in stated
            if through_on is not None and through_on >= sheet.policy_on
        )
        if not faults:
            return passed
        return ((sanctioned, (sheet.policy_on, faults)),)

    return rule


def region(policy: Policy) -> Rule:
    """Rule 4: the enterprise is registered in the funding region."""
    cite, divisions = policy.enterprise.divisions.cite, policy.enterprise.divisions.value
    within = Ruling("enterprise.region", PASS, cite, IN_REGION)
    outside = Ruling("enterprise.region", REJECT, cite, OUT_OF_REGION)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        division = sheet.claim.enterprise.division
        return ((within if lies_in(division, divisions) else outside, (division, divisions)),)

    return rule


def enterprise_type(policy: Policy) -> Rule:
    """Rule 5: one of the types is supported and proven; of several, the first in the policy's order is taken."""
    kinds = policy.enterprise.types
    provers = tuple((kind, _PROVERS[kind.proof](kind)) for kind in kinds)
    proven = {kind.code: Ruling("enterprise.type", PASS, kind.cite, TYPE_PROVEN) for kind in kinds}
    labels = {kind.code: type_label(kind) for kind in kinds}
    eligible = tuple(labels.values())
    none = Ruling("enterprise.type", REJECT, "；".join(kind.cite for kind in kinds), NO_TYPE)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        types = sheet.claim.enterprise.types
        faults: tuple[Fault, ...] = ()
        first: EnterpriseType | None = None
        cites: tuple[str, ...] = ()
        for kind, prove in provers:
            if kind.code not in types:
                continue
            fault = prove(sheet)
            if fault is None:
                sheet.proven = (*sheet.proven, kind.code)
                first = first or kind
            else:
                faults, cites = (*faults, fault), (*cites, kind.cite)
        if first is not None:
            return ((proven[first.code], (types, labels[first.code])),)
        if not faults:
            return ((none, (types, eligible)),)
        return ((Ruling("enterprise.type", CORRECT, "；".join(cites), TYPE_UNPROVEN), (types, faults)),)

    return rule


Prover = Callable[[Sheet], Fault | None]


def _number_of_year(kind: EnterpriseType) -> Prover:
    label = type_label(kind)

    def prove(sheet: Sheet) -> Fault | None:
        proof = sheet.claim.enterprise.type_proofs.get(kind.code)
        number = "" if proof is None or proof.number is None else proof.number
        year = str(sheet.windowed.year)
        if len(number) == REGISTRY_NUMBER_LENGTH and number.startswith(year) and number.isascii():
            return None
        return Fault(kind.code, NUMBER_OF_YEAR, (label, number, year, REGISTRY_NUMBER_LENGTH))

    return prove


def _number(kind: EnterpriseType) -> Prover:
    fault = Fault(kind.code, NUMBER, (type_label(kind),))

    def prove(sheet: Sheet) -> Fault | None:
        proof = sheet.claim.enterprise.type_proofs.get(kind.code)
        return None if proof is not None and proof.number and proof.number.strip() else fault

    return prove


def _certificate(kind: EnterpriseType) -> Prover:
    label, years = type_label(kind), kind.certificate_years or 0

    def prove(sheet: Sheet) -> Fault | None:
        proof = sheet.claim.enterprise.type_proofs.get(kind.code)
        issued_on = None if proof is None else proof.issued_on
        if issued_on is not None and issued_on <= sheet.policy_on < years_later(issued_on, years):
            return None
        return Fault(kind.code, CERTIFICATE, (label, issued_on, sheet.policy_on, years))

    return prove


def _certificate_or_number(kind: EnterpriseType) -> Prover:
    by_day, by_number = _certificate(kind), _number(kind)

    def prove(sheet: Sheet) -> Fault | None:
        proof = sheet.claim.enterprise.type_proofs.get(kind.code)
        return by_number(sheet) if proof is None or proof.issued_on is None else by_day(sheet)

    return prove


def _documents(kind: EnterpriseType) -> Prover:
    label = type_label(kind)

    def prove(sheet: Sheet) -> Fault | None:
        present = {document.kind for document in sheet.claim.documents}
        missing = tuple(document_label(each) for each in kind.documents if each not in present)
        return Fault(kind.code, DOCUMENTS, (label, missing)) if missing else None

    return prove


def _residence(kind: EnterpriseType) -> Prover:
    fault = Fault(kind.code, RESIDENCE, (type_label(kind),))
    return lambda sheet: None if sheet.claim.enterprise.resident_of else fault


_PROVERS: Final[dict[Proof, Callable[[EnterpriseType], Prover]]] = {
    "registry_number_of_year": _number_of_year,
    "registry_number": _number,
    "certificate": _certificate,
    "certificate_or_number": _certificate_or_number,
    "documents": _documents,
    "residence": _residence,
}


def revenue(policy: Policy) -> Rule:
    """Rule 6: last year's revenue is not above the ceiling; equal to it passes."""
    term = policy.enterprise.revenue_ceiling
    if term is None:
        passed: tuple[Finding, ...] = ((Ruling("enterprise.revenue", PASS, policy.source, NO_CEILING), ()),)
        return lambda _sheet: passed
    ceiling, ceiling_fen = term.value, term.value.fen
    within = Ruling("enterprise.revenue", PASS, term.cite, REVENUE_WITHIN)
    above = Ruling("enterprise.revenue", REJECT, term.cite, REVENUE_ABOVE)
    missing = Ruling("enterprise.revenue", CORRECT, term.cite, REVENUE_MISSING)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        stated = sheet.claim.enterprise.prior_year_revenue
        if stated is None:
            return ((missing, (ceiling,)),)
        return ((within if stated.fen <= ceiling_fen else above, (stated, ceiling)),)

    return rule


def qualification(policy: Policy) -> Rule:
    """Rule 7: where the scheme requires it, an admitted qualification of the quota year.

    A proven type that needs no review counts at once, unless its qualification was refused, withdrawn or has run out.
    """
    term = policy.enterprise.requires_qualification
    if not term.value:
        passed: tuple[Finding, ...] = ((Ruling("enterprise.qualification", PASS, term.cite, NO_QUALIFICATION), ()),)
        return lambda _sheet: passed
    qualified = Ruling("enterprise.qualification", PASS, term.cite, QUALIFIED)
    unqualified = Ruling("enterprise.qualification", REJECT, term.cite, UNQUALIFIED)
    at_once = frozenset(kind.code for kind in policy.enterprise.types if not kind.needs_review)

    def rule(sheet: Sheet) -> tuple[Finding, ...]:
        on_record = sheet.facts.enterprise.qualified
        admitted = not at_once.isdisjoint(sheet.proven) if on_record is None else on_record
        return ((qualified if admitted else unqualified, (sheet.windowed.year,)),)

    return rule


def years_later(day: date, years: int) -> date:
    """The same day so many years later; 1 March for a leap day in a year without one."""
    year = day.year + years
    return date(year, 3, 1) if (day.month, day.day) == LEAP_DAY and not isleap(year) else day.replace(year=year)


def document_label(kind: str) -> Label:
    """The kind of document as people call it."""
    name = DOCUMENT_KINDS[kind]
    return Label(kind, name.zh, name.en)


def type_label(kind: EnterpriseType) -> Label:
    """The type of enterprise as the policy calls it."""
    return Label(kind.code, kind.zh, kind.en)
