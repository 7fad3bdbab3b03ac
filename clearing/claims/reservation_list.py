"""Lists of reservations: filtered, by keyset, counted and summed."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.reservations import COLUMNS, ReservationRow, row_of
from tenants.kernel.money import Money
from tenants.kernel.statements import of_each_tenant


def listed(connection: Connection, wanted: Mapping[str, Any], after: UUID | None, limit: int) -> list[ReservationRow]:
    """At most ``limit`` reservations behind the one with the id ``after``.

    They are filtered by ``platform``, ``tenant``, ``state``, ``enterprise`` and ``quota_year``, each where it is given.
    """
    where, values = _found(wanted)
    bound = connection.exec_driver_sql("select bound_tenants()").scalar_one()
    rows = connection.exec_driver_sql(
        of_each_tenant(", ".join(COLUMNS), "reservation", f"{where} and (%s::uuid is null or id > %s)"),
        (bound, *values, after, after, limit, limit),
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
