"""Policy versions as stored: which are approved, and which is in force on a day."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from tenants.kernel.statements import Query, read
from tenants.policy import Policy, in_force
from tenants.policy_document import read_policy

Named = list[tuple[str, str]]
"""Schemes with the content hash of a version each."""


class Policies:
    """The approved versions of one tenant, as one transaction sees them."""

    def __init__(self, versions: dict[str, tuple[Policy, ...]]) -> None:
        self._versions = versions

    def in_force(self, scheme: str, on: date) -> Policy | None:
        """The scheme's version in force on the day; ``None`` where there is none."""
        return in_force(self._versions.get(scheme, ()), on)

    def has_scheme(self, scheme: str) -> bool:
        """Whether the tenant has any approved version of the scheme."""
        return scheme in self._versions

    def of_scheme(self, scheme: str) -> tuple[Policy, ...]:
        """All approved versions of the scheme, the earliest first."""
        return self._versions.get(scheme, ())

    def version(self, scheme: str, version: str) -> Policy:
        """The version with this name.

        Raises:
            KeyError: there is no such approved version.
        """
        for policy in self._versions.get(scheme, ()):
            if policy.version == version:
                return policy
        raise KeyError(version)


def approved_policies(
    connection: Connection,
    tenant: str,
    schemes: Iterable[str],
    *,
    demonstration: bool,
    known_at: datetime | None = None,
) -> Policies:
    """The tenant's approved versions of the schemes; demonstration policies only in demonstration mode.

    ``known_at``: only what had been approved by then, which is how a past assessment saw the schemes.
    """
    named = approved_versions(tenant, schemes, demonstration=demonstration, known_at=known_at)
    return policies_named(connection, tenant, read(connection, named))


def approved_versions(
    tenant: str, schemes: Iterable[str], *, demonstration: bool, known_at: datetime | None = None
) -> Query[Named]:
    """The schemes and content hashes of the versions that :func:`approved_policies` answers."""
    return Query(
        "select scheme, content_sha256 from policy_version where tenant = %s and scheme = any(%s) "
        "and state = 'approved' and (%s or not demonstration) and (%s::timestamptz is null or approved_at <= %s) "
        "order by scheme, effective_on, demonstration, correction",
        (tenant, sorted(set(schemes)), demonstration, known_at, known_at),
        lambda rows: [(scheme, sha256) for scheme, sha256 in rows],
    )


def policies_named(connection: Connection, tenant: str, named: Named) -> Policies:
    """The versions with these content hashes, read from the database where this process has not parsed them yet."""
    unknown = sorted({sha256 for _, sha256 in named if sha256 not in _PARSED})
    if unknown:
        documents = connection.exec_driver_sql(
            "select content_sha256, document from policy_version where tenant = %s and content_sha256 = any(%s)",
            (tenant, unknown),
        )
        for sha256, document in documents:
            _PARSED[sha256] = read_policy(document)
    versions: dict[str, tuple[Policy, ...]] = {}
    for scheme, sha256 in named:
        versions[scheme] = (*versions.get(scheme, ()), _PARSED[sha256])
    return Policies(versions)


_PARSED: Final[dict[str, Policy]] = {}
"""Approved versions never change, so a parsed one is kept under its content's hash."""


def policy_subject(version: str) -> UUID:
    """The id under which the audit chain speaks of a policy version."""
    return uuid5(NAMESPACE_OID, f"policy/{version}")
