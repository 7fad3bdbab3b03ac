"""Which policy governs what a tenant keeps on record about a party, and from when to when a quota year runs."""

from dataclasses import dataclass
from datetime import date

from clearing.claims.rules.quota_years import year_span
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.policy import Policy
from tenants.policy_store import approved_policies


@dataclass(frozen=True, slots=True)
class Year:
    """A quota year of a scheme with its first and last day, and the policy that governs it today."""

    policy: Policy
    number: int
    first_on: date
    last_on: date

    @property
    def scope(self) -> tuple[str, str, int]:
        """Tenant, scheme and number."""
        return self.policy.tenant, self.policy.scheme, self.number


def governing_policy(work: Work, tenant: str, scheme: str | None, on: date, *, demonstration: bool) -> Policy:
    """The version in force on the day; of the scheme named or, where the tenant has only one, of that one.

    Raises:
        Invalid: the scheme is unknown, there are several and none is named, or nothing is in force on the day.
    """
    schemes = [scheme] if scheme is not None else _schemes(work, tenant, demonstration=demonstration)
    policies = approved_policies(work.connection, tenant, schemes, demonstration=demonstration)
    if len(schemes) != 1 or not policies.has_scheme(schemes[0]):
        named = "、".join(schemes) or "—"
        raise _invalid(
            "scheme.unknown", f"请指明本区域的一个券种（{named}）。", f"Name one scheme of this tenant ({named})."
        )
    policy = policies.in_force(schemes[0], on)
    if policy is None:
        raise _invalid("policy.in_force", f"{on} 没有施行中的政策版本。", f"No policy version is in force on {on}.")
    return policy


def governed_year(work: Work, tenant: str, scheme: str | None, number: int, *, demonstration: bool) -> Year:
    """The quota year as the policy of today has it; of a year that is over, the policy of its last day.

    Raises:
        Invalid: as :func:`governing_policy`.
    """
    today = shanghai_day(work.at)
    policy = governing_policy(work, tenant, scheme, min(today, date(number, 12, 31)), demonstration=demonstration)
    first_on, last_on = year_span(policy, number)
    return Year(policy, number, first_on, last_on)


def _schemes(work: Work, tenant: str, *, demonstration: bool) -> list[str]:
    return list(
        work.connection.exec_driver_sql(
            "select distinct scheme from policy_version where tenant = %s and state = 'approved' "
            "and (%s or not demonstration) order by scheme",
            (tenant, demonstration),
        ).scalars()
    )


def _invalid(code: str, zh: str, en: str) -> Invalid:
    return Invalid("scheme.invalid", zh, en, errors=(FieldError("/scheme", code, Text(zh, en)),))
