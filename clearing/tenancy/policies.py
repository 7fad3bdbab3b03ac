"""Policy versions as people read them."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found

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


def _summary(row: Any) -> dict[str, Json]:  # noqa: ANN401 - a row of the driver
    return {name: plain(value) for name, value in zip(_COLUMNS, row, strict=False)}
