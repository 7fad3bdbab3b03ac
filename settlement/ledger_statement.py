"""What the ledger says of one account over a period, and which accounts there are: derived from the transfers alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.errors import FieldError, Invalid, Text, not_found
from tenants.kernel.money import Money

_EARLIEST: Final = date(2000, 1, 1)
"""No transfer lies before: the service's years begin here."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Business days in Asia/Shanghai, both inclusive."""

    from_on: date
    through_on: date

    @classmethod
    def of(cls, from_on: date | None, through_on: date | None, today: date) -> "Period":
        """The period; without a beginning from the first transfer on, without an end through ``today``.

        Raises:
            Invalid: it ends before it begins.
        """
        period = cls(from_on or _EARLIEST, through_on or today)
        if period.through_on < period.from_on:
            said = Text("截止日早于起始日。", "The period ends before it begins.")
            raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/through", "period.reversed", said),))
        return period

    @property
    def begins_at(self) -> datetime:
        """The first instant."""
        return datetime.combine(self.from_on, time(), SHANGHAI).astimezone(UTC)

    @property
    def ends_before(self) -> datetime:
        """The first instant behind the period."""
        return datetime.combine(self.through_on + _ONE_DAY, time(), SHANGHAI).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it stands: what was moved from it (debits) and to it (credits), and what is pending on it."""

    code: str
    counted: bool
    limit: Money | None
    debits: Money
    credits: Money
    pending_debits: Money
    pending_credits: Money

    @property
    def balance(self) -> Money:
        """Credits less debits; negative where more went out than came in."""
        return self.credits - self.debits

    def json(self) -> dict[str, Json]:
        """The account in the form of the API."""
        return {
            "account": self.code,
            "counted": self.counted,
            "limit": None if self.limit is None else str(self.limit),
            "debits": str(self.debits),
            "credits": str(self.credits),
            "balance": str(self.balance),
            "pending_debits": str(self.pending_debits),
            "pending_credits": str(self.pending_credits),
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer that moved money on the account; ``debit`` or ``credit`` is zero. ``balance``: after it."""

    transfer_id: UUID
    at: datetime
    other_account: str
    debit: Money
    credit: Money
    balance: Money
    reason: str
    subject_id: UUID
    reverses: UUID | None

    def json(self) -> dict[str, Json]:
        """The line in the form of the API."""
        return {
            "transfer_id": str(self.transfer_id),
            "at": plain(self.at),
            "other_account": self.other_account,
            "debit": str(self.debit),
            "credit": str(self.credit),
            "balance": str(self.balance),
            "reason": self.reason,
            "subject_id": str(self.subject_id),
            "reverses": None if self.reverses is None else str(self.reverses),
        }


@dataclass(frozen=True, slots=True)
class Statement:
    """An account over a period: opening + credits - debits = closing, whichever page of its lines is shown."""

    account: str
    period: Period
    opening: Money
    debits: Money
    credits: Money
    count: int
    pending_debits: Money
    pending_credits: Money

    @property
    def closing(self) -> Money:
        """The balance at the end of the period."""
        return self.opening + self.credits - self.debits

    def json(self) -> dict[str, Json]:
        """The statement's head in the form of the API."""
        return {
            "account": self.account,
            "from": plain(self.period.from_on),
            "through": plain(self.period.through_on),
            "opening": str(self.opening),
            "debits": str(self.debits),
            "credits": str(self.credits),
            "closing": str(self.closing),
            "count": self.count,
            "pending_debits": str(self.pending_debits),
            "pending_credits": str(self.pending_credits),
        }


LEGS: Final = (
    "select code, at, id, case when kind in ('post', 'posted') then debit_fen else 0 end as debit_fen, "
    "case when kind in ('post', 'posted') then credit_fen else 0 end as credit_fen, "
    "case kind when 'pending' then debit_fen when 'posted' then 0 else -debit_fen end as held_debit_fen, "
    "case kind when 'pending' then credit_fen when 'posted' then 0 else -credit_fen end as held_credit_fen "
    "from (select tenant, debit as code, at, id, kind, amount_fen as debit_fen, 0 as credit_fen from ledger_transfer "
    "union all select tenant, credit, at, id, kind, 0, amount_fen from ledger_transfer) l where tenant = %s"
)
"""Both sides of every transfer: what it moves, and what it sets aside (pending) or frees (its end)."""

_SUMS: Final = (
    "coalesce(sum(debit_fen) filter (where {0}), 0)::bigint, coalesce(sum(credit_fen) filter (where {0}), 0)::bigint"
)


def list_accounts(connection: Connection, tenant: str, prefix: str, after: str, limit: int) -> list[Account]:
    """At most ``limit`` accounts behind the code ``after`` that begin with ``prefix``, with their sums."""
    rows = connection.exec_driver_sql(
        "with page as (select code, counted, limit_fen from ledger_account "  # noqa: S608 - our own statement
        "where tenant = %s and code > %s and starts_with(code, %s) order by code limit %s), "
        f"legs as ({LEGS} and code in (select code from page)) "
        "select p.code, p.counted, p.limit_fen, coalesce(sum(debit_fen), 0)::bigint, "
        "coalesce(sum(credit_fen), 0)::bigint, coalesce(sum(held_debit_fen), 0)::bigint, "
        "coalesce(sum(held_credit_fen), 0)::bigint from page p left join legs l using (code) "
        "group by p.code, p.counted, p.limit_fen order by p.code",
        (tenant, after, prefix, limit, tenant),
    )
    return [
        Account(code, counted, None if limit_fen is None else Money(limit_fen), *map(Money, sums))
        for code, counted, limit_fen, *sums in rows
    ]


def read_statement(connection: Connection, tenant: str, code: str, period: Period) -> Statement:
    """The account's sums over the period.

    Raises:
        NotFound: the tenant has no such account.
    """
    known = connection.exec_driver_sql("select 1 from ledger_account where tenant = %s and code = %s", (tenant, code))
    if known.first() is None:
        raise not_found("账户", "ledger account")
    begins, ends = period.begins_at, period.ends_before
    row = connection.exec_driver_sql(
        f"select coalesce(sum(credit_fen - debit_fen) filter (where at < %s), 0)::bigint, "  # noqa: S608 - our own
        f"{_SUMS.format('at >= %s')}, "
        "count(*) filter (where at >= %s and debit_fen + credit_fen > 0), "
        "coalesce(sum(held_debit_fen), 0)::bigint, coalesce(sum(held_credit_fen), 0)::bigint "
        f"from ({LEGS} and code = %s and at < %s) l",
        (begins, begins, begins, begins, tenant, code, ends),
    ).one()
    opening, debits, credits_, count, pending_debits, pending_credits = row
    return Statement(
        code, period, Money(opening), Money(debits), Money(credits_), count, Money(pending_debits),
        Money(pending_credits),
    )  # fmt: skip


def statement_lines(
    connection: Connection, tenant: str, statement: Statement, after: tuple[datetime, UUID] | None, limit: int
) -> list[Line]:
    """At most ``limit`` lines of the statement behind the one made at an instant with an id, each with its balance."""
    begins, ends = statement.period.begins_at, statement.period.ends_before
    place = (begins, UUID(int=0)) if after is None else after
    code = statement.account
    rows: Sequence[tuple[UUID, datetime, str, int, int, str, UUID, UUID | None]] = [
        tuple(row)
        for row in connection.exec_driver_sql(
            "select id, at, case when debit = %s then credit else debit end, "
            "case when debit = %s then amount_fen else 0 end, case when debit = %s then 0 else amount_fen end, "
            "reason, subject_id, reverses from ledger_transfer "
            "where tenant = %s and (debit = %s or credit = %s) and kind in ('post', 'posted') and at >= %s and at < %s "
            "and (at, id) > (%s, %s) order by at, id limit %s",
            (code, code, code, tenant, code, code, begins, ends, *place, limit),
        )
    ]
    balance_fen = _balance_through(connection, tenant, statement, after)
    lines = []
    for transfer_id, at, other, debit_fen, credit_fen, reason, subject_id, reverses in rows:
        balance_fen += credit_fen - debit_fen
        lines.append(
            Line(
                transfer_id, at, other, Money(debit_fen), Money(credit_fen), Money(balance_fen), reason, subject_id,
                reverses,
            )
        )  # fmt: skip
    return lines


def _balance_through(
    connection: Connection, tenant: str, statement: Statement, after: tuple[datetime, UUID] | None
) -> int:
    """The balance before the page's first line: the opening one, or what it was after the line before."""
    if after is None:
        return statement.opening.fen
    fen: int = connection.exec_driver_sql(
        "select coalesce(sum(case when credit = %s then amount_fen else -amount_fen end), 0)::bigint "
        "from ledger_transfer where tenant = %s and (debit = %s or credit = %s) and kind in ('post', 'posted') "
        "and (at, id) <= (%s, %s)",
        (code := statement.account, tenant, code, code, *after),
    ).scalar_one()
    return fen
