"""Daily receipts as operators see them: what each platform submitted on each day, as it arrived here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt; ``claimed`` is what the submissions claim of their invoices."""

    id: UUID
    tenant: str
    platform: str
    day_on: date
    submissions: int
    claimed: Money
    issued_at: datetime

    def json(self) -> dict[str, Json]:
        """The receipt in the form of the API."""
        return {
            "id": str(self.id),
            "tenant": self.tenant,
            "platform": self.platform,
            "day": plain(self.day_on),
            "submissions": self.submissions,
            "claimed": str(self.claimed),
            "issued_at": plain(self.issued_at),
        }


_FILTERS: Final = {
    "tenant": "tenant = %s", "platform": "platform = %s", "from_on": "day_on >= %s", "through_on": "day_on <= %s",
}  # fmt: skip


def list_receipts(
    connection: Connection, tenants: Sequence[str], filters: Mapping[str, Any], after: UUID | None, limit: int
) -> list[Receipt]:
    """At most ``limit`` receipts of the tenants, the newest first, behind ``after``."""
    where, values = _wanted(tenants, filters)
    rows = connection.exec_driver_sql(
        "select id, tenant, platform, day_on, submissions, claimed_fen, issued_at from receipt "  # noqa: S608 - ours
        f"where {where} and (%s::uuid is null or id < %s) order by id desc limit %s",
        (*values, after, after, limit),
    )
    return [
        Receipt(receipt_id, tenant, platform, day_on, submissions, Money(fen), at)
        for receipt_id, tenant, platform, day_on, submissions, fen, at in rows
    ]


def receipt_totals(
    connection: Connection, tenants: Sequence[str], filters: Mapping[str, Any], most: int | None = None
) -> tuple[int, int, Money]:
    """How many receipts there are of these, their submissions and what these claim; of ``most``, where it is given."""
    where, values = _wanted(tenants, filters)
    count, submissions, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(submissions), 0)::bigint, coalesce(sum(claimed_fen), 0)::bigint from ("  # noqa: S608
        f"select submissions, claimed_fen from receipt where {where} limit %s) found",
        (*values, most),
    ).one()
    return count, submissions, Money(fen)


def _wanted(tenants: Sequence[str], filters: Mapping[str, Any]) -> tuple[str, list[Any]]:
    named = [name for name in _FILTERS if filters.get(name)]
    values = [list(tenants), *(filters[name] for name in named)]
    return " and ".join(["tenant = any(%s)", *(_FILTERS[name] for name in named)]), values
