"""Approval as a whole: the report of a retroactive version, the approval, and the assessment of what waited for it."""

from clearing.claims.activation import assess_waiting
from clearing.claims.vault import Vault
from clearing.tenancy import policy_life
from clearing.tenancy.policy_life import Place
from clearing.tenancy.rehearsing import impact_of
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work


def approve_version(work: Work, vault: Vault, where: Place, actor: str, *, demonstration: bool) -> dict[str, Json]:
    """Approve the version; where it is in force already, assess the claims that waited for a value that it sets.

    Raises:
        NotFound, Conflict, Forbidden, PreconditionFailed: see :func:`clearing.tenancy.policy_life.approve`.
    """
    impact = impact_of(work, where, demonstration=demonstration)
    approved = policy_life.approve(work, where, actor, impact)
    assessed = 0
    if str(approved["effective_on"]) <= shanghai_day(work.at).isoformat():
        assessed = assess_waiting(work, vault, where.tenant, where.scheme, demonstration=demonstration)
    return approved | {"assessed_claims": assessed} | ({} if impact is None else {"impact": impact})
