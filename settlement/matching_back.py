"""Matching follows its award (联动配套随省补助): in the transaction in which the payout comes back or is asked back.

A payout that came back leaves its matching waiting, which is due anew once the payout is issued again; one that was
paid meanwhile stands. What is asked back of an award is owed no more; what was paid of it, or is in a sealed batch, is
for the linked region to recover. The linked tenant's obligation is taken out of its books, and another one opened for
what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.batch import Batch
from settlement.batches.batch_states import FREEZE
from settlement.batches.batch_steps import take_out
from settlement.batches.held_items import end_hold
from settlement.batches.obligation import Obligation, account_place, open_obligations
from settlement.matching import MATCHING, due_day, matching_subject
from settlement.payouts.instruction import Account
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.database import Work, reach
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.sealing import Sealer

RETURNED: Final = "returned"
CLAWED_BACK: Final = "clawed_back"
UPHELD: Final = "upheld"
TAKEN_BACK: Final = "matching taken back"
AGAIN: Final = "matching due again"
FREED: Final = "matching freed"
"""Reasons of transfers, of items that leave a batch, and of obligations that end."""
_UNSEALED: Final = frozenset({"cut", "in_publicity"})

LOCKED: Final = (
    "select d.*, o.scheme, o.quota_year, o.claim_no, h.batch_id as h_batch_id, b.state as h_state, "
    "(select t.debit from ledger_transfer t where t.tenant = d.tenant and t.subject_id = d.claim_id "
    "and t.kind in ('post', 'posted') and starts_with(t.credit, 'matching-payable/') and t.reverses is null "
    "order by t.id desc limit 1) as cap from matching_due d "
    "join obligation o on o.tenant = d.tenant and o.id = d.claim_id "
    "left join obligation h on h.tenant = d.linked and h.id = d.obligation_id "
    "left join batch b on b.tenant = h.tenant and b.id = h.batch_id "
    "where d.tenant = %s and d.claim_id = any(%s) order by d.claim_id for no key update of d"
)
_ROOTS: Final = (
    "with recursive chain (id, root) as (select r.of_obligation, r.of_obligation from batch_item i "
    "join reissue r on r.tenant = i.tenant and r.obligation_id = i.claim_id "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null "
    "union all select r.of_obligation, r.of_obligation from chain c "
    "join reissue r on r.tenant = %s and r.obligation_id = c.id) "
    "select d.claim_id from matching_due d where d.tenant = %s and d.claim_id in (select root from chain) "
    "and d.waiting_fen > 0 order by d.claim_id"
)


@dataclass(frozen=True, slots=True)
class Back:
    """Why and by whom matching is taken back; ``cause`` names the act, such as the clawback or the statement."""

    ground: str
    cause: UUID
    actor: str
    at: datetime


def linked_tenants(connection: Connection, tenant: str) -> tuple[str, ...]:
    """The tenant and those that match its awards: whom a transaction has to be bound to that takes matching back."""
    rows = connection.exec_driver_sql(
        "select distinct linked from matching_due where tenant = %s and linked is not null order by 1", (tenant,)
    ).scalars()
    return (tenant, *rows)


def reach_linked(work: Work, tenant: str) -> None:
    """Make sure that the transaction may take back what linked regions match of the tenant's awards.

    Raises:
        StartAgainError: it may not, see :func:`tenants.kernel.database.reach`.
    """
    reach(work, linked_tenants(work.connection, tenant))


def of_instructions(connection: Connection, tenant: str, instruction_ids: Sequence[UUID]) -> dict[UUID, Money]:
    """The matchings of the claims that the instructions paid; nothing of them stands while the payouts are back."""
    rows = connection.exec_driver_sql(
        "select d.claim_id from matching_due d join instruction_claim c on c.tenant = d.tenant "
        "and c.claim_id = d.claim_id where d.tenant = %s and c.instruction_id = any(%s)",
        (tenant, list(instruction_ids)),
    ).scalars()
    return dict.fromkeys(rows, Money(0))


def take_back(connection: Connection, tenant: str, keeps: Mapping[UUID, Money], back: Back, sealer: Sealer) -> None:
    """Leave of each claim's matching no more than is to be kept.

    The transaction has to be bound to the linked tenants too: see :func:`reach_linked`.
    """
    if not keeps:
        return
    changes = []
    for row in connection.exec_driver_sql(LOCKED, (tenant, list(keeps))).all():
        standing_fen = row.amount_fen - row.waiting_fen - row.freed_fen - row.recover_fen
        cut = Money(max(standing_fen - keeps[row.claim_id].fen, 0))
        paying = row.paid_on is not None or (row.h_batch_id is not None and row.h_state not in _UNSEALED)
        if not cut or (paying and back.ground == RETURNED):
            continue
        column = "recover_fen" if paying else "waiting_fen" if back.ground == RETURNED else "freed_fen"
        instead = None
        if not paying:
            credit = _waiting(row) if back.ground == RETURNED else row.cap
            _book(connection, row, _payable(row), credit, cut, TAKEN_BACK, back.at)
            instead = _replace(connection, row, Money(standing_fen - cut.fen), row.due_on, back, sealer)
        elif row.linked is not None:
            _owed_back(connection, row, cut, back.at)
        _write(connection, row, {column: getattr(row, column) + cut.fen}, instead, row.due_on, back)
        changes += _changes("matching.taken_back", row, cut, standing_fen - cut.fen, instead, column, back)
    _record(connection, changes, back.at)


def make_due_again(connection: Connection, batch: Batch, sealer: Sealer, at: datetime, *, demonstration: bool) -> None:
    """What waited for payouts of this batch, which are issued again by it, is due some months from now.

    The transaction has to be bound to all tenants.
    """
    waiting = connection.exec_driver_sql(
        _ROOTS, (batch.tenant, batch.id, batch.tenant, batch.tenant)
    ).scalars().all()  # fmt: skip
    if not waiting:
        return
    back = Back(RETURNED, batch.id, "system", at)
    due_on, changes = due_day(connection, batch, at, demonstration=demonstration), []
    for row in connection.exec_driver_sql(LOCKED, (batch.tenant, list(waiting))).all():
        again, standing_fen = Money(row.waiting_fen), row.amount_fen - row.freed_fen - row.recover_fen
        _book(connection, row, _waiting(row), _payable(row), again, AGAIN, at)
        instead = _replace(connection, row, Money(standing_fen), due_on, back, sealer)
        _write(connection, row, {"waiting_fen": 0}, instead, due_on, back)
        changes += _changes("matching.due_again", row, again, standing_fen, instead, "waiting_fen", back, due_on)
    _record(connection, changes, at)


def free_waiting(connection: Connection, tenant: str, claim_id: UUID, back: Back) -> None:
    """What waits for a payout that is never issued again is owed no more, and takes nothing of the enterprise's cap.

    The transaction has to be bound to the linked tenants too: see :func:`reach_linked`.
    """
    changes = []
    for row in connection.exec_driver_sql(LOCKED, (tenant, [claim_id])).all():
        if not row.waiting_fen:
            continue
        waited, standing_fen = (
            Money(row.waiting_fen),
            row.amount_fen - row.waiting_fen - row.freed_fen - row.recover_fen,
        )
        _book(connection, row, _waiting(row), row.cap, waited, FREED, back.at)
        _write(
            connection, row, {"waiting_fen": 0, "freed_fen": row.freed_fen + waited.fen}, None, row.due_on, back
        )  # fmt: skip
        changes += _changes("matching.freed", row, waited, standing_fen, None, "freed_fen", back)
    _record(connection, changes, back.at)


def _payable(row: Any) -> str:  # noqa: ANN401 - a row of LOCKED
    return ledger.matching_payable_account(row.scheme, row.quota_year, row.division)


def _waiting(row: Any) -> str:  # noqa: ANN401 - a row of LOCKED
    return ledger.matching_waiting_account(row.scheme, row.quota_year, row.division)


def _book(
    connection: Connection,
    row: Any,  # noqa: ANN401 - a row of LOCKED
    debit: str,
    credit: str,
    amount: Money,
    reason: str,
    at: datetime,
) -> None:
    """Move the amount in the province's books."""
    ledger.open_accounts(connection, row.tenant, {debit: False} if credit == row.cap else {debit: False, credit: False})
    if credit == row.cap:
        ledger.lock_accounts(connection, row.tenant, [credit])
    transfer = ledger.posted(debit, credit, amount, reason, matching_subject(row.tenant, row.claim_id))
    ledger.append(connection, row.tenant, [transfer], at)


def _owed_back(connection: Connection, row: Any, amount: Money, at: datetime) -> None:  # noqa: ANN401 - a row of LOCKED
    """What the linked tenant paid, or is paying, is a receivable in its books from now on."""
    receivable = ledger.matching_recoverable_account(row.scheme, row.quota_year)
    expense = ledger.matching_expense_account(row.scheme, row.quota_year)
    ledger.open_accounts(connection, row.linked, {receivable: False, expense: False})
    transfer = ledger.posted(receivable, expense, amount, TAKEN_BACK, matching_subject(row.tenant, row.claim_id))
    ledger.append(connection, row.linked, [transfer], at)


def _replace(
    connection: Connection,
    row: Any,  # noqa: ANN401 - a row of LOCKED
    left: Money,
    due_on: date,
    back: Back,
    sealer: Sealer,
) -> UUID | None:
    """End the linked tenant's obligation and open another for what is left; its id, ``None`` where nothing is."""
    if row.linked is None:
        return None
    known: Any = connection.exec_driver_sql(
        "select * from obligation where tenant = %s and id = %s for no key update", (row.linked, row.obligation_id)
    ).one()
    if known.held_at is not None:
        end_hold(connection, row.linked, known.id, TAKEN_BACK, back.actor, back.at)
    if known.batch_id is not None:
        take_out(connection, row.linked, known.id, TAKEN_BACK, back.actor, back.at, FREEZE)
    elif known.released_at is None:
        connection.exec_driver_sql(
            "update obligation set released_at = %s where tenant = %s and id = %s", (back.at, row.linked, known.id)
        )
    ledger.give_back(connection, row.linked, [known.id], TAKEN_BACK, back.at)
    if not left:
        return None
    number = sealer.unseal(bytes(known.account_sealed), account_place(row.linked, known.id))
    made = Obligation(
        claim_id=new_id(), claim_no=known.claim_no, platform=known.platform, scheme=known.scheme, mode=known.mode,
        quota_year=known.quota_year, enterprise_name=known.enterprise_name, provider_name=known.provider_name,
        provider_uscc=known.provider_uscc, payee_name=known.payee_name,
        payee=Account(known.account_name, number, known.bank_name, known.cnaps),
        payee_digest=bytes(known.payee_digest), amount=left, provider_division=known.provider_division, kind=MATCHING,
        funder=known.funder, origin_id=known.origin_id, due_on=due_on,
    )  # fmt: skip
    transfer = ledger.posted(
        ledger.matching_expense_account(made.scheme, made.quota_year),
        ledger.obligations_account(made.scheme, made.quota_year), left, MATCHING, made.claim_id,
    )  # fmt: skip
    ledger.append(connection, row.linked, [transfer], back.at)
    open_obligations(connection, row.linked, [made], sealer, back.at)
    return made.claim_id


def _write(
    connection: Connection,
    row: Any,  # noqa: ANN401 - a row of LOCKED
    amounts: Mapping[str, int],
    instead: UUID | None,
    due_on: date,
    back: Back,
) -> None:
    given = {**amounts, "changed_by": back.actor, "changed_at": back.at}
    if instead is not None:
        given["obligation_id"] = instead
    if due_on != row.due_on:
        given["due_on"] = due_on
    assigned = ", ".join(f"{column} = %s" for column in given)
    connection.exec_driver_sql(
        f"update matching_due set {assigned} where tenant = %s and claim_id = %s",  # noqa: S608 - our own columns
        (*given.values(), row.tenant, row.claim_id),
    )


def _changes(
    action: str,
    row: Any,  # noqa: ANN401 - a row of LOCKED
    amount: Money,
    standing_fen: int,
    instead: UUID | None,
    column: str,
    back: Back,
    due_on: date | None = None,
) -> list[Change]:
    """What the chains of both sides have to say of it."""
    details: dict[str, Json] = {
        "claim_id": str(row.claim_id), "claim_no": row.claim_no, "ground": back.ground, "cause": str(back.cause),
        "amount": str(amount), "stands": str(Money(standing_fen)), "as": column.removesuffix("_fen"),
        "receivable": column == "recover_fen" and row.linked is not None,
        "obligation": plain(row.obligation_id), "instead": plain(instead), "due_on": plain(due_on or row.due_on),
    }  # fmt: skip
    sides = [side for side in (row.tenant, row.linked) if side is not None]
    subject = matching_subject(row.tenant, row.claim_id)
    return [Change(side, back.actor, action, subject, details=details) for side in sides]


def _record(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    lock_chains(connection, sorted({change.tenant for change in changes}))
    record(connection, changes, at)
