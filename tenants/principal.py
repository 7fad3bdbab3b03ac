"""Who calls: a client or person, the tenants and platform it speaks for, and what it may do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tenants.client_terms import Terms

SCOPES: Final = (
    "claims:write",
    "claims:read",
    "claims:import",
    "support:write",
    "reviews:write",
    "policies:write",
    "policies:approve",
    "batches:write",
    "batches:release",
    "clearing:operate",
    "audit:read",
)

PLATFORM_SCOPES: Final = ("claims:write", "claims:read", "support:write")
"""What a platform's client gets where its creator names no scope."""

READER_SCOPES: Final = ("claims:read", "audit:read")
"""What any other client gets where its creator names no scope."""

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "center_reviewer": ("claims:read", "reviews:write"),
    "authority_approver": ("claims:read", "reviews:write"),
    "tenant_admin": ("claims:read", "policies:write"),
    "policy_approver": ("claims:read", "policies:approve"),
    "finance_maker": ("claims:read", "batches:write"),
    "finance_releaser": ("claims:read", "batches:release"),
    "clearing_operator": ("claims:read", "clearing:operate", "audit:read"),
    "auditor": ("claims:read", "audit:read"),
}
"""What each role of a person may do: the scopes of the interface, and nothing beside them."""


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """The scopes of a person who holds the roles."""
    return frozenset(scope for role in roles for scope in ROLES[role])


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request. ``subject`` is the natural person where the client is bound to one, for four-eyes."""

    client_id: str
    subject: str
    platform: str | None
    tenants: tuple[str, ...]
    scopes: frozenset[str]
    person: str | None = None
    terms: tuple[Terms, ...] = ()
    """What the tenants ask of this client."""

    def may(self, *scopes: str) -> bool:
        """Whether the principal has any of the scopes."""
        return not self.scopes.isdisjoint(scopes)
