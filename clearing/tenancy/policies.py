"""Policy versions as people read them."""

from typing import Any, Final

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found

_COLUMNS: Final = (
    "version", "effective_on", "state", "demonstration", "content_sha256", "author", "approver", "recorded_at",
    "approved_at",
)  # fmt: skip


def list_versions(connection: Connection, tenant: str, scheme: str) -> list[Json]:
    """The scheme's versions in the order in which they take effect."""
    rows = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from policy_version where tenant = %s and scheme = %s "  # noqa: S608 - ours
        "order by effective_on, version",
        (tenant, scheme),
    )
    return [_summary(row) for row in rows]


def read_version(connection: Connection, tenant: str, scheme: str, version: str) -> dict[str, Json]:
    """One version with its document; ``version`` is the whole name or what follows ``tenant/scheme/``.

    Raises:
        NotFound: the tenant's scheme has no such version.
    """
    row = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)}, document from policy_version "  # noqa: S608 - our own columns
        "where tenant = %s and scheme = %s and version = any(%s)",
        (tenant, scheme, [version, f"{tenant}/{scheme}/{version}"]),
    ).one_or_none()
    if row is None:
        raise not_found("政策版本", "policy version")
    return _summary(row) | {"document": row[-1]}


def _summary(row: Any) -> dict[str, Json]:  # noqa: ANN401 - a row of the driver
    return {name: plain(value) for name, value in zip(_COLUMNS, row, strict=False)}
