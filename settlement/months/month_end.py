"""The end of a month (月结): its figures are fixed, and nothing is posted to it any more; what is open is carried."""

import json
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.months.month import Month, report
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows

FIRST: Final = "0" * 64
"""What stands for the previous month's hash in a tenant's first."""
AFTER: Final = timedelta(hours=1)
"""How long after its end a month can be closed: no posting takes as long, so none of it is under way any more."""


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """One row of ``month_close``; the field names are the columns'."""

    tenant: str
    month_on: date
    id: UUID
    ends_at: datetime
    report: str
    report_sha256: str
    previous_sha256: str
    closed_by: str
    closed_at: datetime

    def json(self, *, whole: bool) -> dict[str, Json]:
        """The closed month in the form of the API; ``whole``: with its figures and what was open."""
        shown: dict[str, Json] = {
            "month": str(Month(self.month_on)),
            "state": "closed",
            "report_sha256": self.report_sha256,
            "previous_sha256": self.previous_sha256,
            "closed_by": self.closed_by,
            "closed_at": plain(self.closed_at),
        }
        return shown | json.loads(self.report) if whole else shown


_COLUMNS: Final = tuple(field.name for field in fields(ClosedMonth))
_SELECT: Final = f"select {', '.join(_COLUMNS)} from month_close where tenant = %s"  # noqa: S608 - our own columns


def preview(connection: Connection, tenant: str, month: Month, at: datetime) -> dict[str, Json]:
    """The month as it was closed, or as it stands: ``running``, or ``ended`` and not closed yet."""
    closed = _find(connection, tenant, month)
    if closed is not None:
        return closed.json(whole=True)
    state = "running" if at < month.ends_at else "ended"
    empty: dict[str, Json] = dict.fromkeys(("report_sha256", "previous_sha256", "closed_by", "closed_at"))
    return {"state": state, **empty, **report(connection, tenant, month)}


def close_month(connection: Connection, tenant: str, month: Month, actor: str, at: datetime) -> ClosedMonth:
    """Close the month: from then on the database refuses every posting into it. Closing it again changes nothing.

    The first month that a tenant closes closes all before it; then they follow without gaps.

    Raises:
        Conflict: ``month.running``, ``month.order``.
    """
    lock_chains(connection, (tenant,))
    closed = _find(connection, tenant, month)
    if closed is not None:
        return closed
    if at < month.ends_at + AFTER:
        raise Conflict(
            "month.running",
            f"{month} 尚未结束满一小时，不能月结。",
            f"{month} has not been over for an hour: it cannot be closed yet.",
        )
    last = connection.exec_driver_sql(f"{_SELECT} order by month_on desc limit 1", (tenant,)).one_or_none()
    if last is not None and Month(last.month_on).following != month:
        raise Conflict(
            "month.order",
            f"须先月结 {Month(last.month_on).following}。",
            f"{Month(last.month_on).following} has to be closed first.",
        )
    content = canonical_bytes(report(connection, tenant, month)).decode()
    made = ClosedMonth(
        tenant, month.first_on, new_id(), month.ends_at, content, sha256(content.encode()).hexdigest(),
        FIRST if last is None else last.report_sha256, actor, at,
    )  # fmt: skip
    insert_rows(connection, "month_close", _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    details: dict[str, Json] = {
        "month": str(month), "report_sha256": made.report_sha256, "previous_sha256": made.previous_sha256,
    }  # fmt: skip
    record(connection, [Change(tenant, actor, "month.closed", made.id, None, "closed", details=details)], at)
    return made


def list_closed(connection: Connection, tenant: str, before: date | None, limit: int) -> list[ClosedMonth]:
    """At most ``limit`` closed months before the one that begins on the day, the latest first."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} and (%s::date is null or month_on < %s::date) order by month_on desc limit %s",
        (tenant, before, before, limit),
    )
    return [ClosedMonth(*row) for row in rows]


def closed_totals(connection: Connection, tenant: str, most: int | None) -> tuple[int]:
    """How many months are closed, counted up to ``most``."""
    count: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from month_close where tenant = %s limit %s) found", (tenant, most)
    ).scalar_one()
    return (count,)


def require_begun(month: Month, at: datetime) -> None:
    """Refuse a month that has not begun.

    Raises:
        NotFound: as above.
    """
    if month > Month.of(shanghai_day(at)):
        raise not_found("月份", "month")


def _find(connection: Connection, tenant: str, month: Month) -> ClosedMonth | None:
    row = connection.exec_driver_sql(f"{_SELECT} and month_on = %s", (tenant, month.first_on)).one_or_none()
    return None if row is None else ClosedMonth(*row)
