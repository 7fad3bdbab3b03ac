"""Assessment (核定): from a claim, a policy version and the facts to a verdict, an award and a trace.

A pure function: the same claim, policy and facts give the same bytes of trace. See ``assessment.md`` for the rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from clearing.claims.facts import Facts, LinkedRegion
from clearing.claims.rules.finding import (
    CORRECT,
    HOLD,
    PASS,
    REJECT,
    Finding,
    finding_json,
    print_finding,
    trace_bytes,
)
from clearing.claims.rules.order import Compiled, compiled
from clearing.claims.rules.quota_years import policy_date
from clearing.claims.rules.reservation import faults_of
from clearing.claims.rules.sheet import Sheet
from clearing.claims.rules.terms import none_in_force
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Text
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import Rate, print_rate
from tenants.policy import UNSET, Policy, Zone

REJECTED: Final = "rejected"
NEEDS_CORRECTION: Final = "needs_correction"
ON_HOLD: Final = "on_hold"
IN_REVIEW: Final = "in_review"
APPROVED: Final = "approved"
_STATES: Final = {REJECT: REJECTED, CORRECT: NEEDS_CORRECTION, HOLD: ON_HOLD}

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One rule that ran: what it read, what it said, and the clause behind it."""

    rule: str
    verdict: str
    cite: str
    inputs: Mapping[str, Json]
    output: Mapping[str, Json]
    message: Text


@dataclass(frozen=True, slots=True)
class Matching:
    """The linked region's own money on top of the award (联动配套)."""

    linked_region: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdict, award and trace of one revision of a claim under one policy version.

    ``award`` is computed less every cut, and zero in a refusal. In ``needs_correction`` it is what the claim as it
    stands would give: nothing of it is reserved. ``deferred`` are the claimed parts of invoices of later quota years.
    ``waitlisted``: on hold because the budget does not suffice; nothing is granted, so nothing is to be reserved.
    ``findings`` are the trace in its compact form.
    """

    state: str
    policy_version: str | None
    quota_year: int | None
    base: Money
    rate: Rate | None
    computed: Money
    award: Money
    cut: Mapping[str, Money]
    matching: Matching | None
    deferred: Money
    next_stage: str | None
    findings: tuple[Finding, ...]
    zone: str | None = None
    enterprise_type: str | None = None
    waitlisted: bool = False

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Every rule that ran, in the fixed order; printed anew each time it is asked for."""
        return tuple(_entry(finding) for finding in self.findings)

    @property
    def holding(self) -> tuple[TraceEntry, ...]:
        """The entries of the trace that hold the claim."""
        return tuple(_entry(finding) for finding in self.findings if finding[0].verdict == HOLD)


def assess(claim: Submission, policy: Policy | None, facts: Facts) -> Assessment:
    """Assess one claim by the version that the caller found in force, or ``None`` where there is none.

    Raises:
        ValueError: the policy is another tenant's or scheme's.
    """
    if policy is None:
        return _without_policy(claim)
    if policy.tenant != claim.tenant or policy.scheme != claim.scheme:
        raise ValueError(f"{policy.version} does not govern {claim.tenant}/{claim.scheme}")
    ready = compiled(policy)
    policy_on = policy_date(claim)
    sheet = Sheet(
        claim=claim,
        facts=facts,
        policy_on=policy_on,
        zone=policy.zone(claim.enterprise.division, claim.enterprise.resident_of),
        windowed=ready.windowing(claim, policy_on),
    )
    if facts.reservation is not None:
        sheet.reservation_usable = not faults_of(sheet)
    findings: list[Finding] = []
    for rule in ready.rules:
        findings += rule(sheet)
    return _conclude(ready, sheet, tuple(findings))


def _conclude(ready: Compiled, sheet: Sheet, findings: tuple[Finding, ...]) -> Assessment:
    gravest = findings[0][0]
    for ruling, _ in findings:
        if ruling.gravity > gravest.gravity:
            gravest = ruling
    trusted = ready.trust_list and sheet.facts.provider.trust_listed
    first_stage = ready.trusted_stage if trusted else ready.first_stage
    state = _STATES.get(gravest.verdict) or (APPROVED if first_stage is None else IN_REVIEW)
    rate = sheet.zone.rate.value
    linked = sheet.facts.linked_region
    matching = None
    if linked is not None and sheet.matching_fen and state != REJECTED:
        matching = Matching(linked.division, Money(sheet.matching_fen))
    windowed = sheet.windowed
    return Assessment(
        state=state,
        policy_version=ready.version,
        quota_year=windowed.year,
        base=Money(sheet.base_fen),
        rate=None if rate is UNSET else rate,
        computed=Money(sheet.computed_fen),
        award=ZERO if state == REJECTED else Money(sheet.award_fen),
        cut={name: Money(fen) for name, fen in sheet.cut.items()} if sheet.cut else {},
        matching=matching,
        deferred=Money(windowed.deferred_fen) if windowed.deferred_fen else ZERO,
        next_stage=first_stage if state == IN_REVIEW else None,
        findings=findings,
        zone=sheet.zone.code,
        enterprise_type=sheet.proven[0] if sheet.proven else None,
        waitlisted=sheet.waitlisted,
    )


def _without_policy(claim: Submission) -> Assessment:
    return Assessment(
        state=REJECTED,
        policy_version=None,
        quota_year=None,
        base=ZERO,
        rate=None,
        computed=ZERO,
        award=ZERO,
        cut={},
        matching=None,
        deferred=ZERO,
        next_stage=None,
        findings=(none_in_force(claim.tenant, claim.scheme, policy_date(claim)),),
    )


def _entry(finding: Finding) -> TraceEntry:
    ruling, printed = finding[0], print_finding(finding)
    return TraceEntry(ruling.rule, ruling.verdict, ruling.cite, printed.inputs, printed.output, printed.message)


def target_quota_year(policy: Policy, claim: Submission) -> int:
    """The quota year that the claim would take from: by the policy date, or by the invoices' windows."""
    return compiled(policy).windowing(claim, policy_date(claim)).year


def zone_of(policy: Policy, claim: Submission) -> Zone:
    """The zone whose figures govern the claim."""
    return policy.zone(claim.enterprise.division, claim.enterprise.resident_of)


def annual_cap(policy: Policy, claim: Submission) -> Money | None:
    """The enterprise's annual cap; ``None`` while the policy leaves it unset."""
    cap = zone_of(policy, claim).annual_cap.value
    return None if cap is UNSET else cap


def matching_cap(policy: Policy, claim: Submission, linked: LinkedRegion | None) -> Money | None:
    """The linked region's annual matching cap for the enterprise, its own where it has one.

    ``None`` where the zone has no matching.
    """
    cap = zone_of(policy, claim).matching_cap
    if cap is not None and linked is not None and linked.terms is not None:
        return linked.terms.cap
    return None if cap is None else cap.value


def trace_json(assessment: Assessment) -> list[Json]:
    """The whole trace as JSON data, messages in both languages. The same assessment gives the same data."""
    return [finding_json(finding) for finding in assessment.findings]


def assessment_json(assessment: Assessment, language: Language) -> dict[str, Json]:
    """The assessment as the API answers it; ``findings`` are the rules that did not simply pass."""
    findings: list[Json] = []
    for finding in assessment.findings:
        ruling = finding[0]
        if ruling.verdict != PASS:
            message = print_finding(finding).message
            findings.append(
                {
                    "rule": ruling.rule,
                    "verdict": ruling.verdict,
                    "cite": ruling.cite,
                    "message": message.zh if language == "zh" else message.en,
                }
            )
    return {**_figures(assessment), "findings": findings}


def result_json(assessment: Assessment) -> dict[str, Json]:
    """What is stored of an assessment: state, figures, and the trace in both languages."""
    return {
        "state": assessment.state,
        "next_stage": assessment.next_stage,
        **_figures(assessment),
        "trace": trace_json(assessment),
    }


def result_bytes(assessment: Assessment) -> bytes:
    """The canonical bytes (RFC 8785) of :func:`result_json`, put together from findings that were printed before."""
    matching = assessment.matching
    return orjson.dumps(
        {  # in the order of RFC 8785
            "award": str(assessment.award),
            "base": str(assessment.base),
            "computed": str(assessment.computed),
            "cut": {name: str(assessment.cut[name]) for name in sorted(assessment.cut)},
            "deferred": str(assessment.deferred),
            "enterprise_type": assessment.enterprise_type,
            "matching": None
            if matching is None
            else {"amount": str(matching.amount), "linked_region": matching.linked_region},
            "next_stage": assessment.next_stage,
            "policy_version": assessment.policy_version,
            "quota_year": assessment.quota_year,
            "rate": None if assessment.rate is None else print_rate(assessment.rate),
            "state": assessment.state,
            "trace": orjson.Fragment(b"[%b]" % trace_bytes(assessment.findings)),
            "waitlisted": assessment.waitlisted,
            "zone": assessment.zone,
        }
    )


def _figures(assessment: Assessment) -> dict[str, Json]:
    matching = assessment.matching
    return {
        "policy_version": assessment.policy_version,
        "quota_year": assessment.quota_year,
        "zone": assessment.zone,
        "enterprise_type": assessment.enterprise_type,
        "base": str(assessment.base),
        "rate": None if assessment.rate is None else print_rate(assessment.rate),
        "computed": str(assessment.computed),
        "award": str(assessment.award),
        "cut": {name: str(amount) for name, amount in assessment.cut.items()},
        "matching": None
        if matching is None
        else {"linked_region": matching.linked_region, "amount": str(matching.amount)},
        "deferred": str(assessment.deferred),
        "waitlisted": assessment.waitlisted,
    }
