"""A month at the finance desk: what its accounts came to and what is open at its end, as of that instant.

Everything is derived from rows that never change, so that a month says the same whenever it is asked, and what is open
at the end of one is open at the beginning of the next.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

from sqlalchemy import Connection

from settlement.ledger_statement import LEGS, Period
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Invalid
from tenants.kernel.money import Money, total

MOST_LISTED: Final = 200
"""How many open items of a kind a report lists; all are counted and summed, and the tables hold each."""
_NAME: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month in Asia/Shanghai, by its first day."""

    first_on: date

    @classmethod
    def parse(cls, text: str) -> Self:
        """The month that is written ``2024-10``.

        Raises:
            Invalid: it is not of this form.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            raise Invalid("month.malformed", "月份须为 YYYY-MM。", "A month is written YYYY-MM.")
        return cls(date(int(found[1]), int(found[2]), 1))

    @classmethod
    def of(cls, day: date) -> Self:
        """The month of the day."""
        return cls(day.replace(day=1))

    @property
    def following(self) -> "Month":
        """The next one."""
        return Month.of(self.first_on + timedelta(days=31))

    @property
    def period(self) -> Period:
        """Its days."""
        return Period(self.first_on, self.following.first_on - timedelta(days=1))

    @property
    def begins_at(self) -> datetime:
        """Its first instant."""
        return self.period.begins_at

    @property
    def ends_at(self) -> datetime:
        """The first instant behind it."""
        return self.period.ends_before.astimezone(UTC)

    def __str__(self) -> str:
        return f"{self.first_on:%Y-%m}"


_ACCOUNTS: Final = (
    "select regexp_replace(code, '/[0-9A-Z]{18}$', '') as account, "  # noqa: S608 - our own statement
    "sum(credit_fen - debit_fen) filter (where at < %s) as opening, "
    "sum(debit_fen) filter (where at >= %s) as debits, sum(credit_fen) filter (where at >= %s) as credits, "
    "sum(held_debit_fen) as pending "
    f"from ({LEGS} and at < %s) l group by 1 order by 1"
)
_BATCHES: Final = (
    "select b.batch_no, b.kind, b.scheme, e.body::json ->> 'to' as state, b.item_count, b.total_fen from batch b "
    "cross join lateral (select body from audit_entry e where e.tenant = b.tenant and e.subject_id = b.id "
    "and e.action like 'batch.%%' and e.at < %s order by e.seq desc limit 1) e "
    "where b.tenant = %s and b.cut_at < %s and e.body::json ->> 'to' not in ('closed', 'cancelled') "
    "order by b.batch_no"
)
_INSTRUCTIONS: Final = (
    "select b.batch_no, i.id, i.amount_fen, count(*) over () as number, sum(i.amount_fen) over ()::bigint as fen "
    "from instruction i join batch b on b.tenant = i.tenant and b.id = i.batch_id "
    "where i.tenant = %s and i.created_at < %s and not exists (select 1 from instruction_outcome o "
    "where o.tenant = i.tenant and o.instruction_id = i.id and o.outcome in ('paid', 'rejected') and o.at < %s) "
    "order by b.batch_no, i.line limit %s"
)
_RETURNED: Final = (
    "select o.claim_no, b.batch_no, o.amount_fen, count(*) over () as number, sum(o.amount_fen) over ()::bigint as fen "
    "from instruction_claim c join instruction_outcome x "
    "on x.tenant = c.tenant and x.instruction_id = c.instruction_id "
    "and x.outcome in ('returned', 'rejected') and x.at < %s "
    "join obligation o on o.tenant = c.tenant and o.id = c.claim_id "
    "join batch b on b.tenant = o.tenant and b.id = o.batch_id "
    "where c.tenant = %s and not exists (select 1 from reissue r where r.tenant = c.tenant "
    "and r.of_obligation = c.claim_id and r.made_at < %s and not exists (select 1 from reissue_undone e "
    "where e.tenant = r.tenant and e.obligation_id = r.obligation_id and e.decided_at < %s)) "
    "order by o.claim_no limit %s"
)
_SUSPENSE: Final = (
    "select *, count(*) over () as number, sum(left_fen) over ()::bigint as fen from ("
    "select l.statement_id, l.line, l.kind, l.booked_on, "
    "l.amount_fen - coalesce((select sum(p.amount_fen) from suspense_part p join suspense_decision d "
    "on d.tenant = p.tenant and d.resolution_id = p.resolution_id and d.outcome = 'approve' and d.decided_at < %s "
    "where p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line), 0)::bigint as left_fen "
    "from bank_line l join bank_statement s on s.tenant = l.tenant and s.id = l.statement_id "
    "where l.tenant = %s and l.to_suspense and s.imported_at < %s) u where left_fen > 0 "
    "order by statement_id, line limit %s"
)


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """One account over the month; the accounts of single enterprises stand together."""

    account: str
    opening: Money
    debits: Money
    credits: Money
    pending: Money

    @property
    def closing(self) -> Money:
        """The balance at the month's end."""
        return self.opening + self.credits - self.debits

    def json(self) -> dict[str, Json]:
        """The account in the form of the API."""
        return {
            "account": self.account,
            "opening": str(self.opening),
            "debits": str(self.debits),
            "credits": str(self.credits),
            "closing": str(self.closing),
            "pending": str(self.pending),
        }


def report(connection: Connection, tenant: str, month: Month) -> dict[str, Json]:
    """The month: each account's opening, movements and closing, and what is open at its end."""
    return {
        "tenant": tenant,
        "month": str(month),
        "accounts": [each.json() for each in account_months(connection, tenant, month)],
        "open": _open(connection, tenant, month.ends_at),
    }


def account_months(connection: Connection, tenant: str, month: Month) -> list[AccountMonth]:
    """Every account over the month, by code."""
    begins, ends = month.begins_at, month.ends_at
    rows = connection.exec_driver_sql(_ACCOUNTS, (begins, begins, begins, tenant, ends))
    return [AccountMonth(account, *(Money(int(fen or 0)) for fen in sums)) for account, *sums in rows]


def _open(connection: Connection, tenant: str, ends: datetime) -> dict[str, Json]:
    batches = connection.exec_driver_sql(_BATCHES, (ends, tenant, ends)).all()
    instructions = connection.exec_driver_sql(_INSTRUCTIONS, (tenant, ends, ends, MOST_LISTED)).all()
    returned = connection.exec_driver_sql(_RETURNED, (ends, tenant, ends, ends, MOST_LISTED)).all()
    suspense = connection.exec_driver_sql(_SUSPENSE, (ends, tenant, ends, MOST_LISTED)).all()
    return {
        "batches": {
            "count": len(batches),
            "amount": str(total(Money(row.total_fen) for row in batches)),
            "items": [
                {"batch_no": row.batch_no, "kind": row.kind, "scheme": row.scheme, "state": row.state}
                for row in batches[:MOST_LISTED]
            ],
        },
        "instructions": _listed(
            instructions,
            [
                {"batch_no": row.batch_no, "instruction_id": str(row.id), "amount": str(Money(row.amount_fen))}
                for row in instructions
            ],
        ),
        "returned": _listed(
            returned,
            [
                {"claim_no": row.claim_no, "batch_no": row.batch_no, "amount": str(Money(row.amount_fen))}
                for row in returned
            ],
        ),
        "suspense": _listed(
            suspense,
            [
                {"statement_id": str(row.statement_id), "line": row.line, "kind": row.kind,
                 "left": str(Money(row.left_fen))}
                for row in suspense
            ],
        ),
    }  # fmt: skip


def _listed(rows: object, items: list[Json]) -> dict[str, Json]:
    first = next(iter(rows), None)  # type: ignore[call-overload]  # a list of rows
    count, fen = (0, 0) if first is None else (first.number, first.fen)
    return {"count": count, "amount": str(Money(fen)), "items": items}
