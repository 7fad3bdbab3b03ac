"""Policy versions as people read them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found
from tenants.policy_document import read_policy
from tenants.policy_words import differences

_COLUMNS: Final = (
    "version", "effective_on", "state", "kind", "correction", "demonstration", "content_sha256", "author", "submitter",
    "approver", "recorded_at", "submitted_at", "approved_at", "reason",
)  # fmt: skip


def list_versions(
    connection: Connection, tenant: str, scheme: str, known_at: datetime | None = None, *, unapproved: bool = True
) -> list[Json]:
    """The scheme's versions in the order in which they take effect; of ``known_at`` those approved by then.

    ``unapproved``: drafts, and what is submitted or rejected, too.
    """
    rows = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from policy_version where tenant = %s and scheme = %s "  # noqa: S608 - ours
        "and (%s or state = 'approved') and (%s::timestamptz is null or approved_at <= %s) "
        "order by effective_on, correction, version",
        (tenant, scheme, unapproved, known_at, known_at),
    )
    return [_summary(row) for row in rows]


def read_version(
    connection: Connection, tenant: str, scheme: str, version: str, *, unapproved: bool = True
) -> dict[str, Json]:
    """One version with its document; ``version`` is the whole name or what follows ``tenant/scheme/``.

    ``unapproved``: a draft, or what is submitted or rejected, is shown too.

    Raises:
        NotFound: the tenant's scheme has no such version.
    """
    row = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)}, document from policy_version "  # noqa: S608 - our own columns
        "where tenant = %s and scheme = %s and version = any(%s) and (%s or state = 'approved')",
        (tenant, scheme, [version, f"{tenant}/{scheme}/{version}"], unapproved),
    ).one_or_none()
    if row is None:
        raise not_found("政策版本", "policy version")
    return _summary(row) | {"document": row[-1]}


def diff(
    connection: Connection, tenant: str, scheme: str, version: str, against: str | None, *, unapproved: bool
) -> dict[str, Json]:
    """What the version says otherwise than ``against``, or than the approved version before it.

    Raises:
        NotFound: there is no such version, or none before it.
    """
    later = read_version(connection, tenant, scheme, version, unapproved=unapproved)
    if against is None:
        before = connection.exec_driver_sql(
            "select version from policy_version where tenant = %s and scheme = %s and state = 'approved' "
            "and not demonstration and version <> %s and (effective_on, correction) < (%s::date, %s) "
            "order by effective_on desc, correction desc limit 1",
            (tenant, scheme, later["version"], later["effective_on"], later["correction"]),
        ).scalar_one_or_none()
        if before is None:
            raise not_found("更早的政策版本", "earlier policy version")
        against = str(before)
    earlier = read_version(connection, tenant, scheme, against, unapproved=unapproved)
    found = differences(read_policy(str(earlier["document"])), read_policy(str(later["document"])))
    return {
        "version": later["version"],
        "against": earlier["version"],
        "items": [each.json() for each in found],
    }


def _summary(row: Any) -> dict[str, Json]:  # noqa: ANN401 - a row of the driver
    return {name: plain(value) for name, value in zip(_COLUMNS, row, strict=False)}
