"""The worked cases of the specification as submissions, and a clerk who keeps the facts between their steps."""

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, cast

from clearing.claims.assessment import Assessment, TraceEntry, assess, target_quota_year
from clearing.claims.facts import EarlierUse, Facts, KeyState, LinkedRegion
from clearing.claims.fingerprint import canonical_contract_number, identities
from connectors.submission import (
    Contract,
    Declarations,
    Document,
    Enterprise,
    Invoice,
    Payee,
    Provider,
    ProviderQualification,
    Receipt,
    RelatedParty,
    ServiceLine,
    Submission,
    TypeProof,
)
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import parse_rate
from tenants.policy import Policy, in_force
from tenants.policy_document import load_demonstration, load_shipped

CASES: Final = Path(__file__).parents[2] / "clearing" / "demonstration" / "cases"
"""The specification lies beside the repository."""


def read_case(name: str) -> dict[str, Any]:
    """The case as the specification writes it."""
    case: dict[str, Any] = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return case


def claim_of(name: str, step: int = 0) -> Submission:
    """The claim of one step of a worked case."""
    return submission_of(read_case(name)["steps"][step]["claim"])


def submission_of(data: dict[str, Any]) -> Submission:
    """The claim in the form of ``POST /v1/claims`` as a submission."""
    return Submission(
        external_id=data["external_id"],
        tenant=data["tenant"],
        scheme=data["scheme"],
        mode=data["mode"],
        submitted_at=datetime.fromisoformat(data["submitted_at"]),
        enterprise=_enterprise(data["enterprise"]),
        provider=_provider(data["provider"]),
        contract=Contract(
            data["contract"]["number"],
            data["contract"]["title"],
            date.fromisoformat(data["contract"]["signed_on"]),
            Money.parse(data["contract"]["amount"]),
        ),
        services=tuple(
            ServiceLine(
                each["item"],
                each["name"],
                Money.parse(each["amount"]),
                date.fromisoformat(each["completed_on"]),
                each["instrument"],
            )
            for each in data["services"]
        ),
        invoices=tuple(_invoice(each) for each in data["invoices"]),
        receipts=tuple(
            Receipt(each["serial"], date.fromisoformat(each["paid_on"]), amount, amount)
            for each in data["receipts"]
            for amount in [Money.parse(each["amount"])]
        ),
        documents=tuple(
            Document(each["kind"], each["sha256"], each["media_type"], each["bytes"]) for each in data["documents"]
        ),
        declarations=_declarations(data["declarations"]),
        payee=Payee(**data["payee"]),
        duplicate_explanation=data["duplicate_explanation"],
    )


def _enterprise(data: dict[str, Any]) -> Enterprise:
    return Enterprise(
        uscc=data["uscc"],
        name=data["name"],
        division=data["division"],
        types=tuple(data["types"]),
        type_proofs={kind: TypeProof(number=proof["number"]) for kind, proof in data["type_proofs"].items()},
        prior_year_revenue=Money.parse(data["prior_year_revenue"]),
        established_on=date.fromisoformat(data["established_on"]),
        resident_of=tuple(data["resident_of"]),
    )


def _provider(data: dict[str, Any]) -> Provider:
    return Provider(
        uscc=data["uscc"],
        name=data["name"],
        division=data["division"],
        kind=data["kind"],
        established_on=date.fromisoformat(data["established_on"]),
        on_platform=data["on_platform"],
        qualifications=tuple(
            ProviderQualification(each["kind"], date.fromisoformat(each["valid_through"]))
            for each in data["qualifications"]
        ),
    )


def _invoice(data: dict[str, Any]) -> Invoice:
    amount = Money.parse(data["amount"])
    return Invoice(data["number"], date.fromisoformat(data["issued_on"]), amount, amount, data["code"])


def _declarations(data: dict[str, Any]) -> Declarations:
    related = data["related_party"]
    percent = parse_rate(related["common_shareholder_percent"])
    return Declarations(
        RelatedParty(related["direct_equity"], related["same_legal_representative"], percent, related["control"]),
        data["statutory_testing"],
        data["publicly_funded"],
        data["subcontracted"],
        data["rd_related"],
    )


def policies() -> tuple[Policy, ...]:
    """Every version that comes with the product, demonstration included."""
    return tuple(document.policy for document in (*load_shipped(), *load_demonstration()))


def policy_for(claim: Submission) -> Policy | None:
    """The version in force for the claim in demonstration mode."""
    own = [each for each in policies() if (each.tenant, each.scheme) == (claim.tenant, claim.scheme)]
    return in_force(own, shanghai_day(claim.submitted_at))


@dataclass(slots=True)
class Clerk:
    """Keeps in memory what intake keeps in the database: quotas, matching, and who holds which identity."""

    linked: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    quotas: dict[tuple[object, ...], Money] = field(default_factory=dict)
    held: dict[tuple[str, str], list[tuple[Submission, str, Money, Money | None]]] = field(default_factory=dict)

    def take_in(self, claim: Submission, platform: str) -> Assessment:
        """Assess the claim with what the claims before it left, and let it take its share."""
        policy = policy_for(claim)
        year = 0 if policy is None else target_quota_year(policy, claim)
        account = (claim.tenant, claim.scheme, year, claim.enterprise.uscc)
        facts = Facts(
            contract_number=canonical_contract_number(claim.contract.number),
            quota_taken=self.quotas.get(account, ZERO),
            linked_region=self._linked_region(claim, year),
            matching_taken=self.quotas.get(("matching", *account), ZERO),
            keys=self.keys_of(claim, platform),
        )
        assessment = assess(claim, policy, facts)
        if assessment.state in {"on_hold", "in_review", "approved"}:
            self.quotas[account] = facts.quota_taken + assessment.award
            if assessment.matching is not None:
                self.quotas["matching", *account] = facts.matching_taken + assessment.matching.amount
        if assessment.state in {"needs_correction", "on_hold", "in_review", "approved"}:
            for identity in identities(claim):
                uses = self.held.setdefault((identity.kind, identity.text), [])
                uses.append((claim, platform, identity.claimed, identity.total))
        return assessment

    def _linked_region(self, claim: Submission, year: int) -> LinkedRegion | None:
        for division, types in self.linked.get(str(year), {}).items():
            if claim.enterprise.division.startswith(division.rstrip("0")):
                return LinkedRegion(division, tuple(types))
        return None

    def keys_of(self, claim: Submission, platform: str) -> tuple[KeyState, ...]:
        """What the registry would say of the claim's identities."""
        return tuple(
            self._key(claim, platform, each.kind, each.place, each.text, each.total, each.claimed)
            for each in identities(claim)
        )

    def _key(
        self,
        claim: Submission,
        platform: str,
        kind: str,
        place: str,
        text: str,
        total: Money | None,
        claimed: Money,
    ) -> KeyState:
        earlier = self.held.get((kind, text), [])
        stated = [amount for amount in (*(use[3] for use in earlier), total) if amount is not None]
        mine = (claim.tenant, claim.scheme, platform)
        counted = [use for use in earlier if kind != "contract" or (use[0].tenant, use[0].scheme, use[1]) == mine]
        return KeyState(
            kind=kind,
            place=place,
            counted=min(stated, default=ZERO),
            taken=Money(sum(use[2].fen for use in counted)),
            claimed=claimed,
            amount_conflict=kind == "invoice" and len(set(stated)) > 1,
            uses=tuple(
                EarlierUse(
                    same_enterprise=other.enterprise.uscc == claim.enterprise.uscc,
                    same_programme=(other.tenant, other.scheme, through) == mine,
                    platform=through,
                    month=f"{shanghai_day(other.submitted_at):%Y-%m}",
                    reference=other.external_id,
                )
                for other, through, _, _ in earlier
            ),
        )


SOUTH: Final = claim_of("jiangsu_south_rate")
NORTH: Final = claim_of("jiangsu_north_capped")
SHANXI: Final = claim_of("shanxi_buys_from_hainan")
_DELTA: Final = claim_of("same_spending_local_then_delta", 1)
DELTA: Final = replace(_DELTA, services=(replace(_DELTA.services[0], item="testing"),))
"""The Delta claim of the case names a service of another catalogue; this one names Delta's own."""


def facts_of(claim: Submission, **more: Any) -> Facts:
    """Facts of a first claim, with some of them changed."""
    return replace(
        Facts(canonical_contract_number(claim.contract.number), keys=Clerk().keys_of(claim, "platform")), **more
    )


def judge(claim: Submission, policy: Policy | None = None, **more: Any) -> Assessment:
    """The claim's assessment by the version in force, or by the given one, with some facts changed."""
    return assess(claim, policy or policy_for(claim), facts_of(claim, **more))


def codes(assessment: Assessment, verdict: str) -> list[str]:
    """The rules that gave this verdict, in order."""
    return [entry.rule for entry in assessment.trace if entry.verdict == verdict]


def entry_of(assessment: Assessment, rule: str) -> TraceEntry:
    """The one trace entry of the rule."""
    (entry,) = [each for each in assessment.trace if each.rule == rule]
    return entry


def faults_in(assessment: Assessment, rule: str) -> list[dict[str, Any]]:
    """The faults that the rule's one entry names."""
    return cast("list[dict[str, Any]]", entry_of(assessment, rule).output["faults"])
