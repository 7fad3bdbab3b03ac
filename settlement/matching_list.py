"""Lists of matching: what is due and overdue, what was paid, what waits, what is to be recovered, and who owes."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Due:
    """One matching that is due: by a division, which may be a tenant (``linked``), to the enterprise of a claim.

    ``amount`` is what is owed of it now; ``waiting`` while its payout waits to be issued again; ``to_recover`` is what
    was paid of it, or is being paid, on an award that was asked back, of which ``recovered`` came back since.
    """

    tenant: str
    claim_id: UUID
    division: str
    linked: str | None
    amount: Money
    due_on: date
    claim_no: str | None
    enterprise_name: str | None
    paid_on: date | None
    paid_document: str | None
    waiting: Money
    to_recover: Money
    recovered: Money

    def json(self, today: date) -> dict[str, Json]:
        """The matching in the form of the API."""
        return {
            "province": self.tenant,
            "claim_id": str(self.claim_id),
            "claim_no": self.claim_no,
            "enterprise": self.enterprise_name,
            "division": self.division,
            "linked_tenant": self.linked,
            "amount": str(self.amount),
            "waiting": str(self.waiting),
            "to_recover": str(self.to_recover - self.recovered),
            "recovered": str(self.recovered),
            "due_on": plain(self.due_on),
            "overdue": self.paid_on is None and self.due_on < today and bool(self.amount),
            "paid_on": plain(self.paid_on),
            "document": self.paid_document,
        }


def list_due(
    connection: Connection,
    tenant: str,
    today: date,
    which: str,
    division: str | None,
    after: tuple[date, UUID] | None,
    limit: int,
) -> list[Due]:
    """At most ``limit`` matchings behind the place that the tenant is owed or owes: the longest due first.

    ``which``: one of :data:`WHICH`.
    """
    due_on, claim_id = after or (date.min, UUID(int=0))
    found, values = _found(tenant, today, which, division)
    rows = connection.exec_driver_sql(
        "select d.tenant, d.claim_id, d.division, d.linked, "  # noqa: S608
        "d.amount_fen - d.waiting_fen - d.freed_fen as owed_fen, "
        "d.due_on, coalesce(o.claim_no, h.claim_no) as claim_no, "
        "coalesce(o.enterprise_name, h.enterprise_name) as enterprise_name, d.paid_on, "
        "d.paid_document, d.waiting_fen, d.recover_fen, (select coalesce(sum(r.amount_fen), 0)::bigint "
        "from matching_recovery r where r.tenant = d.tenant and r.claim_id = d.claim_id) as recovered_fen "
        "from matching_due d left join obligation o on o.tenant = d.tenant and o.id = d.claim_id "
        "left join obligation h on h.tenant = d.linked and h.id = d.obligation_id "
        f"where {found} and (d.due_on, d.claim_id) > (%s, %s) order by d.due_on, d.claim_id limit %s",
        (*values, due_on, claim_id, limit),
    )
    return [
        Due(
            row.tenant, row.claim_id, row.division, row.linked, Money(row.owed_fen), row.due_on, row.claim_no,
            row.enterprise_name, row.paid_on, row.paid_document, Money(row.waiting_fen), Money(row.recover_fen),
            Money(row.recovered_fen),
        )
        for row in rows
    ]  # fmt: skip


WHICH: Final = ("open", "overdue", "paid", "waiting", "to_recover", "all")
_OWED: Final = "d.paid_on is null and d.amount_fen > d.waiting_fen + d.freed_fen"
_WHICH: Final = {
    "open": _OWED,
    "overdue": f"{_OWED} and d.due_on < %s",
    "paid": "d.paid_on is not null",
    "waiting": "d.waiting_fen > 0",
    "to_recover": "d.recover_fen > (select coalesce(sum(r.amount_fen), 0) from matching_recovery r "
    "where r.tenant = d.tenant and r.claim_id = d.claim_id)",
    "all": "true",
}


def due_totals(
    connection: Connection, tenant: str, today: date, which: str, division: str | None, most: int | None
) -> tuple[int, Money, Money]:
    """How many matchings :func:`list_due` lists, what is owed of them, and to be recovered; of the first ``most``."""
    found, values = _found(tenant, today, which, division)
    count, owed_fen, recover_fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(owed_fen), 0)::bigint, coalesce(sum(left_fen), 0)::bigint from ("  # noqa: S608
        "select d.amount_fen - d.waiting_fen - d.freed_fen as owed_fen, d.recover_fen - coalesce((select "
        "sum(r.amount_fen) from matching_recovery r where r.tenant = d.tenant and r.claim_id = d.claim_id), 0) "
        f"as left_fen from matching_due d where {found} limit %s) found",
        (*values, most),
    ).one()
    return count, Money(owed_fen), Money(recover_fen)


def _found(tenant: str, today: date, which: str, division: str | None) -> tuple[str, tuple[object, ...]]:
    """The condition of what the tenant is owed or owes, and its values."""
    return (
        f"(d.tenant = %s or d.linked = %s) and {_WHICH[which]} and (%s::text is null or d.division = %s)",
        (tenant, tenant, *([today] if which == "overdue" else []), division, division),
    )


def overdue_count(connection: Connection, tenant: str, today: date, most: int) -> int:
    """How many amounts linked regions owe past their day, counted up to ``most``; by the index of what is due."""
    found: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from matching_due d "  # noqa: S608 - our own conditions
        f"where tenant = %s and {_OWED} and d.due_on < %s limit %s) found",
        (tenant, today, most),
    ).scalar_one()
    return found


def who_owes(connection: Connection, tenant: str, today: date) -> list[dict[str, Json]]:
    """What each linked region owes, and how much of it is overdue; the largest overdue first."""
    rows = connection.exec_driver_sql(
        "select division, linked, count(*) as items, sum(d.amount_fen - waiting_fen - freed_fen)::bigint as fen, "  # noqa: S608
        "count(*) filter (where due_on < %s) as late, coalesce(sum(d.amount_fen - waiting_fen - freed_fen) "
        "filter (where due_on < %s), 0)::bigint as late_fen, min(due_on) as first_due "
        f"from matching_due d where tenant = %s and {_OWED} group by division, linked "
        "order by late_fen desc, division",
        (today, today, tenant),
    )
    return [
        {
            "division": row.division, "linked_tenant": row.linked, "count": row.items, "amount": str(Money(row.fen)),
            "overdue_count": row.late, "overdue_amount": str(Money(row.late_fen)), "first_due_on": plain(row.first_due),
        }
        for row in rows
    ]  # fmt: skip
