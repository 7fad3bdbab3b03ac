"""Types of enterprises by the names that a region's policies give them."""

from collections.abc import Mapping

from clearing.api.frame import current
from clearing.console.batches import schemes_of
from clearing.console.language import said
from clearing.console.screen import within
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Text
from tenants.policy import EnterpriseType
from tenants.policy_store import approved_policies


def types_of(tenant: str) -> dict[str, EnterpriseType]:
    """The types that the versions in force today know, by their codes."""
    demonstration = current().settings.demonstration

    def use_case(work: Work) -> dict[str, EnterpriseType]:
        schemes = schemes_of(tenant)
        policies = approved_policies(work.connection, tenant, schemes, demonstration=demonstration)
        versions = [policies.in_force(scheme, shanghai_day(work.at)) for scheme in schemes]
        return {one.code: one for policy in versions if policy is not None for one in policy.enterprise.types}

    return within(use_case, (tenant,))


def named(types: Mapping[str, EnterpriseType], code: str) -> str:
    """The type's name in the page's language; its code where no version knows it any more."""
    return said(Text(types[code].zh, types[code].en)) if code in types else code
