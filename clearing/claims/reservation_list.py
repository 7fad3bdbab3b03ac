"""Lists of reservations: filtered, by keyset, counted and summed."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.reservations import COLUMNS, ReservationRow, row_of
from tenants.kernel.money import Money


def listed(connection: Connection, wanted: Mapping[str, Any], after: UUID | None, limit: int) -> list[ReservationRow]:
    """At most ``limit`` reservations behind the one with the id ``after``.

    They are filtered by ``platform``, ``tenant``, ``state``, ``enterprise`` and ``quota_year``, each where it is given.
    """
    where, values = _found(wanted)
    rows = connection.exec_driver_sql(
        f"select {', '.join(COLUMNS)} from reservation where {where} "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (*values, after, after, limit),
    )
    return [row_of(row) for row in rows]


def reservation_totals(connection: Connection, wanted: Mapping[str, Any], most: int | None) -> tuple[int, Money]:
    """How many reservations :func:`listed` lists and the sum of their amounts, counted up to ``most``."""
    where, values = _found(wanted)
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint from ("  # noqa: S608 - our own conditions
        f"select amount_fen from reservation where {where} limit %s) found",
        (*values, most),
    ).one()
    return count, Money(fen)


STATES: Final = ("requested", "confirmed", "used", "cancelled")
"""As they are stored: one past its last day is shown as expired, and soon is cancelled."""
_FILTERS: Final = {
    "platform": "platform", "tenant": "tenant", "state": "state", "enterprise": "enterprise_uscc",
    "quota_year": "quota_year",
}  # fmt: skip


def _found(wanted: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    named = [name for name in _FILTERS if wanted.get(name) is not None]
    where = " and ".join(("tenant = any((select bound_tenants())::text[])", *(f"{_FILTERS[n]} = %s" for n in named)))
    return where, tuple(wanted[name] for name in named)
