"""The ledger: double-entry transfers between the accounts of one tenant, pending, then posted or voided.

Accounts are named by what they hold: ``quota/provincial/2024/9132…`` is what an enterprise may still receive,
``budget/provincial/2024`` the year's appropriation. Transfers are only ever appended; the database keeps the sums of
counted accounts and refuses to pass a limit (I1, I3, I7, I8).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.arrays import bigints, texts
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import Query, Write, read, read_all, write_all

TREASURY: Final = "treasury"
"""The public purse outside this ledger, from which appropriations come."""
BANK: Final = "bank"
"""The account at the bank, outside this ledger: what moved there without an explanation."""
SUSPENSE: Final = "suspense"
"""What moved at the bank and waits for a person's explanation."""
UNRELATED: Final = "unrelated"
"""What moved at the bank and, by two people's word, has nothing to do with what was ordered here."""
CHARGES: Final = "charges"
"""What banks took for carrying orders between tenants."""


def quota_account(scheme: str, year: int, uscc: str) -> str:
    """What one enterprise takes of its annual cap in a scheme and quota year."""
    return f"quota/{scheme}/{year}/{uscc}"


def quota_used_account(scheme: str, year: int) -> str:
    """The other side of every quota taken in a scheme and quota year."""
    return f"quota-used/{scheme}/{year}"


def budget_account(scheme: str, year: int) -> str:
    """The appropriation of a scheme and quota year; what is pending on it is reserved."""
    return f"budget/{scheme}/{year}"


def obligations_account(scheme: str, year: int) -> str:
    """Approved, not yet instructed."""
    return f"obligations/{scheme}/{year}"


def in_transit_account(scheme: str, year: int) -> str:
    """Instructed, the bank's word not yet in."""
    return f"in-transit/{scheme}/{year}"


def paid_account(scheme: str, year: int) -> str:
    """Arrived, by the bank's statement."""
    return f"paid/{scheme}/{year}"


def returned_account(scheme: str, year: int) -> str:
    """Sent back or refused by the bank: still owed, to be issued again."""
    return f"returned/{scheme}/{year}"


def clawback_account(scheme: str, year: int) -> str:
    """Paid and asked back, not yet recovered."""
    return f"clawback/{scheme}/{year}"


def matching_account(scheme: str, year: int, division: str, uscc: str) -> str:
    """What one enterprise takes of its linked region's annual matching cap."""
    return f"matching/{scheme}/{year}/{division}/{uscc}"


def matching_payable_account(scheme: str, year: int, division: str) -> str:
    """What a linked region owes on top of the awards of a scheme and quota year."""
    return f"matching-payable/{scheme}/{year}/{division}"


def matching_paid_account(scheme: str, year: int, division: str) -> str:
    """What a linked region has paid of its matching."""
    return f"matching-paid/{scheme}/{year}/{division}"


def matching_waiting_account(scheme: str, year: int, division: str) -> str:
    """Matching that is not owed while the payouts that it follows wait to be issued again."""
    return f"matching-waiting/{scheme}/{year}/{division}"


def matching_expense_account(scheme: str, year: int) -> str:
    """In a linked tenant's books: what matching a province's awards costs it."""
    return f"matching-expense/{scheme}/{year}"


def matching_recoverable_account(scheme: str, year: int) -> str:
    """In a linked tenant's books: matching that was paid on awards that were asked back, to be recovered."""
    return f"matching-recoverable/{scheme}/{year}"


def matching_recovered_account(scheme: str, year: int) -> str:
    """In a linked tenant's books: what came back of it."""
    return f"matching-recovered/{scheme}/{year}"


def clearing_account(scheme: str, year: int, tenant: str) -> str:
    """What stands between this tenant and another: credits are owed to the other, debits are owed by it."""
    return f"clearing/{scheme}/{year}/{tenant}"


def netted_account(scheme: str, year: int) -> str:
    """What was taken over by clearing cycles: credits were owed to others, debits by others."""
    return f"netted/{scheme}/{year}"


def settled_account(scheme: str, year: int) -> str:
    """What clearing cycles have settled by the banks' word: credits were paid to others, debits by others."""
    return f"settled/{scheme}/{year}"


def agent_account(scheme: str, year: int, batch_no: str) -> str:
    """What was paid in to the settlement agent for one batch, and not paid out by it yet."""
    return f"agent/{scheme}/{year}/{batch_no}"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One row of the ledger. ``kind``: ``pending``; ``post`` or ``void`` of a pending one; or ``posted`` at once."""

    transfer_id: UUID
    kind: str
    debit: str
    credit: str
    amount: Money
    reason: str
    subject_id: UUID
    pending_id: UUID | None = None
    reverses: UUID | None = None


def pending(debit: str, credit: str, amount: Money, reason: str, subject_id: UUID) -> Transfer:
    """Money set aside, to be posted or voided later."""
    return Transfer(new_id(), "pending", debit, credit, amount, reason, subject_id)


def posted(debit: str, credit: str, amount: Money, reason: str, subject_id: UUID) -> Transfer:
    """Money moved at once."""
    return Transfer(new_id(), "posted", debit, credit, amount, reason, subject_id)


def ended(transfer: Transfer, kind: str, reason: str) -> Transfer:
    """The ``post`` or ``void`` that ends a pending transfer."""
    return Transfer(
        new_id(),
        kind,
        transfer.debit,
        transfer.credit,
        transfer.amount,
        reason,
        transfer.subject_id,
        pending_id=transfer.transfer_id,
    )


def reversal(transfer: Transfer, reason: str) -> Transfer:
    """The transfer that takes a posted one back, once (I3)."""
    return Transfer(
        new_id(),
        "posted",
        transfer.credit,
        transfer.debit,
        transfer.amount,
        reason,
        transfer.subject_id,
        reverses=transfer.transfer_id,
    )


def transfer_write(tenant: str, transfers: Sequence[Transfer], at: datetime) -> Write:
    """The transfers as rows to be written."""
    return Write(
        "ledger_transfer",
        (
            "tenant", "id", "kind", "debit", "credit", "amount_fen", "pending_id", "reverses", "reason", "subject_id",
            "at",
        ),
        [
            (
                tenant, t.transfer_id, t.kind, t.debit, t.credit, t.amount.fen, t.pending_id, t.reverses, t.reason,
                t.subject_id, at,
            )
            for t in transfers
        ],
        kinds=("text", "uuid", "text", "text", "text", "bigint", "uuid", "uuid", "text", "uuid", "timestamptz"),
    )  # fmt: skip


def append(connection: Connection, tenant: str, transfers: Sequence[Transfer], at: datetime) -> None:
    """Append the transfers; their accounts must be open.

    Raises:
        sqlalchemy.exc.IntegrityError: a limit would be passed, or a pending transfer was ended before.
    """
    write_all(connection, [transfer_write(tenant, transfers, at)])


@dataclass(frozen=True, slots=True)
class AccountState:
    """What has been taken from a counted account (pending and posted, less what came back), and its limit."""

    taken: Money
    limit: Money | None

    @property
    def left(self) -> Money | None:
        """What may still be taken; ``None`` where there is no limit."""
        return None if self.limit is None else self.limit - self.taken


States = dict[str, AccountState]


def open_accounts(connection: Connection, tenant: str, counted: Mapping[str, bool]) -> None:
    """Open the accounts that are not open yet; ``counted`` says which keep their sums."""
    read(connection, opening(tenant, counted))


def ready(
    tenant: str, transfers: Sequence[Transfer], locked: Collection[str] = ()
) -> tuple[Query[None], Query[States]]:
    """Open the accounts that new transfers need, and lock those that they draw on; ``locked`` ones are both already.

    Whoever appends transfers does so first: an account that another transaction opens or changes is waited for here,
    never with the audit chain in hand, which that transaction will want.
    """
    accounts = {transfer.credit: False for transfer in transfers} | {transfer.debit: True for transfer in transfers}
    wanted = {code: counted for code, counted in accounts.items() if code not in locked}
    return opening(tenant, wanted), _locked_accounts(tenant, {code for code, drawn in wanted.items() if drawn}, "true")


def append_ready(connection: Connection, tenant: str, transfers: Sequence[Transfer], at: datetime) -> None:
    """Append the transfers, whose accounts are made ready first.

    Raises:
        sqlalchemy.exc.IntegrityError: see :func:`append`.
    """
    read_all(connection, *ready(tenant, transfers))
    append(connection, tenant, transfers, at)


def opening(tenant: str, counted: Mapping[str, bool]) -> Query[None]:
    """Open the accounts that are not open yet, in the order of their codes."""
    codes = sorted(counted)
    return Query(
        "insert into ledger_account (tenant, code, counted) "
        "select %s, code, counted from unnest(%s::text[], %s::bool[]) as w(code, counted) order by code "
        "on conflict do nothing returning 1",
        (tenant, codes, [counted[code] for code in codes]),
        lambda _: None,
    )


def open_and_lock(tenant: str, limits: Mapping[str, Money | None]) -> Query[States]:
    """Open counted accounts, lock them in the order of their codes, set their limits where given, and read them.

    A limit is never set below what is taken already.
    """
    codes = sorted(limits)
    return Query(
        "insert into ledger_account as a (tenant, code, counted, limit_fen) "
        "select %s, code, true, limit_fen from unnest(%s, %s) as w(code, limit_fen) order by code "
        "on conflict (tenant, code) do update set limit_fen = case when excluded.limit_fen is null then a.limit_fen "
        "else greatest(excluded.limit_fen, a.debits_pending_fen + a.debits_posted_fen - a.credits_posted_fen) end "
        "returning code, debits_pending_fen + debits_posted_fen - credits_posted_fen, limit_fen",
        (tenant, texts(codes), bigints([None if (limit := limits[code]) is None else limit.fen for code in codes])),
        _states,
    )


def _states(rows: Sequence[tuple[str, int, int | None]]) -> States:
    return {code: AccountState(Money(taken), None if limit is None else Money(limit)) for code, taken, limit in rows}


def lock_accounts(connection: Connection, tenant: str, codes: Iterable[str]) -> States:
    """Lock counted accounts in the order of the house and read them; absent ones are left out."""
    return read(connection, _locked_accounts(tenant, codes, "true"))


def lock_limited(tenant: str, codes: Iterable[str]) -> Query[States]:
    """Lock and read those of the counted accounts that have a limit: only these can run out."""
    return _locked_accounts(tenant, codes, "limit_fen is not null")


def _locked_accounts(tenant: str, codes: Iterable[str], which: str) -> Query[States]:
    return Query(
        "select code, debits_pending_fen + debits_posted_fen - credits_posted_fen, limit_fen "  # noqa: S608 - our own
        f"from ledger_account where tenant = %s and code = any(%s) and {which} order by {_ORDER} for no key update",
        (tenant, texts(sorted(set(codes)))),
        _states,
    )


def lock_caps(connection: Connection, tenant: str, subject_ids: Sequence[UUID]) -> None:
    """Lock the enterprises' accounts that the subjects draw on, so that registry keys may be locked before budgets."""
    connection.exec_driver_sql(
        "select 1 from ledger_account where tenant = %s and code in (select debit from ledger_transfer "  # noqa: S608
        f"where tenant = %s and subject_id = any(%s) and kind = 'pending') and not {_IS_BUDGET} order by code "
        "for no key update",
        (tenant, tenant, list(subject_ids)),
    )


_IS_BUDGET: Final = "code like 'budget/%%'"
_ORDER: Final = f"{_IS_BUDGET}, code"
"""The order of locks: enterprises' accounts before budgets, as intake takes them, each kind by its codes."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums of one counted account; all zero where it was never opened."""

    debits_pending: Money = ZERO
    debits_posted: Money = ZERO
    credits_posted: Money = ZERO
    limit: Money | None = None

    @property
    def taken(self) -> Money:
        """What has been taken from the account, less what came to it; negative where more came."""
        return self.debits_pending + self.debits_posted - self.credits_posted

    @property
    def limited(self) -> bool:
        """Whether the account has a limit."""
        return self.limit is not None


def sums_of(connection: Connection, tenant: str, code: str) -> Sums:
    """The account's sums, unlocked."""
    row = connection.exec_driver_sql(
        "select debits_pending_fen, debits_posted_fen, credits_posted_fen, limit_fen from ledger_account "
        "where tenant = %s and code = %s",
        (tenant, code),
    ).one_or_none()
    if row is None:
        return Sums()
    return Sums(Money(row[0]), Money(row[1]), Money(row[2]), None if row[3] is None else Money(row[3]))


def set_limits(connection: Connection, tenant: str, limits: Mapping[str, Money]) -> None:
    """Set the limit of each counted account."""
    if limits:
        connection.exec_driver_sql(
            "update ledger_account a set limit_fen = w.limit_fen "
            "from unnest(%s::text[], %s::bigint[]) as w(code, limit_fen) where a.tenant = %s and a.code = w.code",
            (list(limits), [limit.fen for limit in limits.values()], tenant),
        )


def open_transfers(connection: Connection, tenant: str, subject_ids: Sequence[UUID]) -> list[Transfer]:
    """The subjects' pending transfers that are neither posted nor voided."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} where t.tenant = %s and t.subject_id = any(%s) and t.kind = 'pending' and not exists ("  # noqa: S608
        "select 1 from ledger_transfer e where e.tenant = t.tenant and e.pending_id = t.id) order by t.id",
        (tenant, list(subject_ids)),
    )
    return [_transfer(tuple(row)) for row in rows]


def standing_transfers(connection: Connection, tenant: str, subject_ids: Sequence[UUID]) -> list[Transfer]:
    """The subjects' posted transfers that were not taken back."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} where t.tenant = %s and t.subject_id = any(%s) and t.kind in ('post', 'posted') "  # noqa: S608
        "and t.reverses is null and not exists (select 1 from ledger_transfer r where r.tenant = t.tenant "
        "and r.reverses = t.id) order by t.id",
        (tenant, list(subject_ids)),
    )
    return [_transfer(tuple(row)) for row in rows]


def give_back(connection: Connection, tenant: str, subject_ids: Sequence[UUID], reason: str, at: datetime) -> None:
    """Void what the subjects have pending and reverse what they have posted, so that all of it is free again."""
    voids = [ended(t, "void", reason) for t in open_transfers(connection, tenant, subject_ids)]
    reversals = [reversal(t, reason) for t in standing_transfers(connection, tenant, subject_ids)]
    lock_accounts(connection, tenant, [t.debit for t in voids] + [t.credit for t in reversals])
    append(connection, tenant, voids + reversals, at)


_SELECT: Final = (
    "select t.id, t.kind, t.debit, t.credit, t.amount_fen, t.reason, t.subject_id, t.pending_id, t.reverses "
    "from ledger_transfer t"
)


def _transfer(row: tuple[UUID, str, str, str, int, str, UUID, UUID | None, UUID | None]) -> Transfer:
    transfer_id, kind, debit, credit, amount_fen, reason, subject_id, pending_id, reverses = row
    return Transfer(transfer_id, kind, debit, credit, Money(amount_fen), reason, subject_id, pending_id, reverses)
