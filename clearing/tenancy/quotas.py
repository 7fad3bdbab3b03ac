"""Quotas (额度): what an enterprise has taken of its annual cap, and what is left."""

from datetime import date

from settlement import ledger
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO, Money
from tenants.policy import UNSET, Policy
from tenants.policy_store import approved_policies


def read(work: Work, tenant: str, scheme: str, uscc: str, year: int, *, demonstration: bool) -> dict[str, Json]:
    """The enterprise's cap, reserved, used and left.

    The cap is the one applied to its claims; before its first claim, the scheme's own where all zones have the same,
    else ``null``: the zone is known only from a claim.
    """
    policies = approved_policies(work.connection, tenant, [scheme], demonstration=demonstration)
    policy = policies.in_force(scheme, date(year, 12, 31))
    shared = scheme if policy is None else policy.cap
    state = ledger.sums_of(work.connection, tenant, ledger.quota_account(shared, year, uscc))
    cap = state.limit or _common_cap(policy)
    used = state.debits_posted - state.credits_posted
    return {
        "tenant": tenant,
        "scheme": scheme,
        "enterprise": uscc,
        "year": year,
        "cap": None if cap is None else str(cap),
        "reserved": str(state.debits_pending),
        "used": str(used),
        "left": None if cap is None else str(max(cap - used - state.debits_pending, ZERO)),
    }


def _common_cap(policy: Policy | None) -> Money | None:
    caps = set() if policy is None else {zone.annual_cap.value for zone in policy.zones}
    cap = caps.pop() if len(caps) == 1 else UNSET
    return cap if isinstance(cap, Money) else None
