"""Rehearsals as people ask for them: of a version by its name, over past claims or an uploaded set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Engine

from clearing.claims.past_claims import Span
from clearing.tenancy.policies import read_version
from clearing.tenancy.policy_life import RETROACTIVE, Place, find_version
from clearing.tenancy.simulation import Simulated, Told, nobody, simulate, simulate_set
from connectors.reading import read_submission
from connectors.submission import Submission
from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.policy import Policy, in_force
from tenants.policy_document import read_policy
from tenants.policy_store import Policies, approved_policies

IMPACT_CLAIMS: Final = 200
"""Changed claims that the audited report of a retroactive version names; its digest is over all."""
ALL: Final = 10**9


@dataclass(frozen=True, slots=True)
class Wanted:
    """Over which of the past claims, and how many changed ones are to be named."""

    from_on: date | None = None
    through_on: date | None = None
    governed_only: bool = False
    kept: int = 1_000


def read_only(engine: Engine) -> Engine:
    """The engine with transactions that see one snapshot and can change nothing."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def rehearse(
    work: Work,
    where: Place,
    wanted: Wanted,
    claims: Sequence[Submission] | None,
    *,
    demonstration: bool,
    tell: Told = nobody,
) -> dict[str, Json]:
    """The report of one version, and the changed claims.

    Raises:
        NotFound: there is no such version.
    """
    version = read_version(work.connection, where.tenant, where.scheme, where.version)
    policy = read_policy(str(version["document"]))
    policies = approved_policies(work.connection, where.tenant, [where.scheme], demonstration=demonstration)
    if claims is not None:
        return _shown(simulate_set(work.connection, policy, policies, claims, kept=wanted.kept))
    span = Span(where.tenant, where.scheme, wanted.from_on, wanted.through_on)
    governs = _governed_by(policy, policies) if wanted.governed_only else None
    return _shown(simulate(work.connection, policy, span, kept=wanted.kept, tell=tell, governs=governs))


def impact_of(work: Work, where: Place, *, demonstration: bool) -> dict[str, Json] | None:
    """What a retroactive version would have changed of the claims that it would have governed; ``None`` for others.

    The report names the first changed claims, and the SHA-256 of all of them in canonical form.

    Raises:
        NotFound: there is no such version.
    """
    version = find_version(work, where)
    if version.kind != RETROACTIVE:
        return None
    policy = read_policy(version.document)
    policies = approved_policies(work.connection, where.tenant, [where.scheme], demonstration=demonstration)
    span = Span(where.tenant, where.scheme, policy.effective_on, None)
    found = simulate(work.connection, policy, span, kept=ALL, governs=_governed_by(policy, policies))
    digest = sha256(canonical_bytes(found.changed)).hex()
    return found.report | {"changed_claims": found.changed[:IMPACT_CLAIMS], "changed_sha256": digest}


def read_set(given: Sequence[Any], tenant: str, scheme: str) -> list[Submission]:
    """The claims of an uploaded set.

    Raises:
        Invalid: the faults of the first claim that has any, each under its place in the set.
    """
    claims = []
    for number, body in enumerate(given):
        try:
            claim = read_submission(body)
        except Invalid as fault:
            errors = tuple(
                FieldError(f"/claims/{number}{error.pointer}", error.code, error.message) for error in fault.errors
            )
            raise Invalid("claim.invalid", fault.text.zh, fault.text.en, errors=errors) from fault
        if (claim.tenant, claim.scheme) != (tenant, scheme):
            said = Text("不是本区域本券种的申请。", "This is no claim of this tenant's scheme.")
            error = FieldError(f"/claims/{number}/scheme", "claim.elsewhere", said)
            raise Invalid("claim.invalid", said.zh, said.en, errors=(error,))
        claims.append(claim)
    return claims


def _governed_by(policy: Policy, policies: Policies) -> Any:  # noqa: ANN401 - a test of submissions
    """Whether the version, once approved, is the one in force on a claim's policy date."""
    others = [each for each in policies.of_scheme(policy.scheme) if each.version != policy.version]
    return lambda claim: in_force([*others, policy], shanghai_day(claim.submitted_at)) is policy


def _shown(found: Simulated) -> dict[str, Json]:
    return found.report | {"changed_claims": found.changed, "cut_off": found.cut_off}
