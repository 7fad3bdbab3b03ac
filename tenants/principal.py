"""Who calls: a client or person, the tenants and platform it speaks for, and what it may do."""

from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request. ``subject`` is the natural person where the client is bound to one, for four-eyes."""

    client_id: str
    subject: str
    platform: str | None
    tenants: tuple[str, ...]
    scopes: frozenset[str]
    person: str | None = None

    def may(self, *scopes: str) -> bool:
        """Whether the principal has any of the scopes."""
        return not self.scopes.isdisjoint(scopes)
