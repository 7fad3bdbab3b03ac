"""What becomes of orders between tenants, by the banks' word: in both tenants' books, and the cycle's own end.

Paid: what the order nets goes from ``netted`` to ``settled``, in the payer's books and, mirrored, in the receiver's.
Returned: that is reversed. Rejected or returned, an order waits for a remedy (``settlement.cycles.order_remedies``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.settling import SYSTEM
from settlement.cycles.clearing_order import Order, find_orders, parts_of
from settlement.cycles.cycle import Cycle, change_cycle, find_cycle
from settlement.office import Office
from settlement.statements.line import REJECTED
from settlement.statements.matching import PAID, RETURNED
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change
from tenants.kernel.database import StartAgainError
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

_COLUMNS: Final = (
    "tenant", "order_id", "outcome", "amount_fen", "reference", "statement_id", "line", "call_id",
    "resolution_id", "at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """One outcome of one order; ``line`` is the line of the statement that says it, where one does."""

    order: Order
    outcome: str
    line: int | None = None


def require_everyone(connection: Connection) -> tuple[str, ...]:
    """All tenants, whom a booking of orders has to be bound to: both sides' books, and every position of a cycle.

    Raises:
        StartAgainError: the transaction is bound to fewer.
    """
    everyone = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    bound = connection.exec_driver_sql("select (bound_tenants())::text[]").scalar_one()
    if not set(everyone) <= set(bound or ()):
        raise StartAgainError(frozenset(everyone))
    return everyone


def book_orders(
    connection: Connection,
    outcomes: Sequence[OrderOutcome],
    at: datetime,
    *,
    statement_id: UUID | None = None,
    call_id: UUID | None = None,
    resolution_id: UUID | None = None,
) -> list[Change]:
    """Store the outcomes and move their money; what the chains are to say of it, for the caller to record.

    The orders must be held, and everybody bound.

    Raises:
        sqlalchemy.exc.IntegrityError: an outcome came before, or contradicts another.
    """
    insert_rows(
        connection,
        "clearing_order_outcome",
        _COLUMNS,
        [
            (
                each.order.tenant, each.order.id, each.outcome, each.order.amount.fen, each.order.reference,
                statement_id, each.line, call_id, resolution_id, at,
            )
            for each in outcomes
        ],
    )  # fmt: skip
    changes: list[Change] = []
    for each in outcomes:
        for side in _sides(each.order):
            _move(connection, side, each, at)
            changes.append(_told(side, each, statement_id, call_id, resolution_id))
    return changes


def outcomes_of(connection: Connection, order: Order) -> list[Json]:
    """What the bank told of the order, in the form of the API, the first first."""
    rows = connection.exec_driver_sql(
        "select outcome, statement_id, line, call_id, resolution_id, at from clearing_order_outcome "
        "where tenant = %s and order_id = %s order by at, outcome",
        (order.tenant, order.id),
    )
    return [
        {
            "outcome": row.outcome,
            "statement_id": None if row.statement_id is None else str(row.statement_id),
            "line": row.line,
            "call_id": None if row.call_id is None else str(row.call_id),
            "resolution_id": None if row.resolution_id is None else str(row.resolution_id),
            "at": plain(row.at),
        }
        for row in rows
    ]


def settle_paid_cycles(connection: Connection, cycle_ids: Iterable[UUID], at: datetime) -> list[Change]:
    """Settle those of the held cycles of which every order that stands is paid; what the chains are to say of it.

    What is paid may come back later; the cycle is settled all the same, and the order waits for its remedy.
    """
    changes: list[Change] = []
    for cycle_id in sorted(set(cycle_ids)):
        cycle = find_cycle(connection, cycle_id)
        if cycle.state == "confirmed" and not unpaid(connection, cycle_id):
            change_cycle(connection, cycle, state="settled", settled_by=SYSTEM, settled_at=at)
            changes += _settled(connection, cycle)
    return changes


def unpaid(connection: Connection, cycle_id: UUID) -> int:
    """How many orders of the cycle stand and are not paid, or were paid and came back."""
    count: int = connection.exec_driver_sql(
        "select count(*) from clearing_order o where o.cycle_id = %s and not exists ("
        "select 1 from clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id) "
        "and (select array_agg(x.outcome) from clearing_order_outcome x where x.tenant = o.tenant "
        "and x.order_id = o.id and x.outcome in ('paid', 'returned')) is distinct from array['paid']",
        (cycle_id,),
    ).scalar_one()
    return count


def by_bank(connection: Connection, cycle_id: UUID) -> bool:
    """Whether a bank was called, or has spoken, about an order of the cycle: its word then settles it."""
    return (
        connection.exec_driver_sql(
            "select 1 from clearing_order o where o.cycle_id = %s and (exists (select 1 from bank_submission s "
            "where s.tenant = o.tenant and s.order_id = o.id) or exists (select 1 from clearing_order_outcome x "
            "where x.tenant = o.tenant and x.order_id = o.id)) limit 1",
            (cycle_id,),
        ).first()
        is not None
    )


def reject_order(
    connection: Connection,
    tenant: str,
    order_id: UUID,
    office: Office,
    at: datetime,
    *,
    statement_id: UUID | None = None,
    call_id: UUID | None = None,
) -> list[Change]:
    """Book that the bank refused the order's message, unless something was decided of it before."""
    [order] = find_orders(connection, tenant, [order_id], office)
    decided = connection.exec_driver_sql(
        "select 1 from clearing_order_outcome where tenant = %s and order_id = %s and outcome in ('paid', 'rejected')",
        (tenant, order_id),
    ).first()
    if decided is not None or order.ended:
        return []
    return book_orders(connection, [OrderOutcome(order, REJECTED)], at, statement_id=statement_id, call_id=call_id)


def _sides(order: Order) -> list[str]:
    """In whose books the order stands: its own tenant's, and its counterparty's."""
    return [order.tenant] if order.counterparty is None else [order.tenant, order.counterparty]


def transfers_of(parts: Mapping[tuple[str, int], int], reason: str, subject: UUID) -> list[ledger.Transfer]:
    """What is paid goes from ``netted`` to ``settled``, what is received instead the other way, year by year."""
    made = []
    for (scheme, year), fen in parts.items():
        sides = ledger.netted_account(scheme, year), ledger.settled_account(scheme, year)
        made.append(ledger.posted(*(sides if fen > 0 else sides[::-1]), Money(abs(fen)), reason, subject))
    return made


def _move(connection: Connection, side: str, told: OrderOutcome, at: datetime) -> None:
    order, transfers = told.order, list[ledger.Transfer]()
    if told.outcome == PAID:
        sign = 1 if side == order.tenant else -1
        mine = {year: sign * fen for year, fen in parts_of(connection, order).items()}
        transfers = transfers_of(mine, PAID, order.id)
    elif told.outcome == RETURNED:
        standing = ledger.standing_transfers(connection, side, [order.id])
        transfers = [ledger.reversal(each, RETURNED) for each in standing if each.reason == PAID]
    if transfers:
        codes = {code for each in transfers for code in (each.debit, each.credit)}
        ledger.open_accounts(connection, side, dict.fromkeys(codes, False))
        ledger.append(connection, side, transfers, at)


def _told(
    side: str, told: OrderOutcome, statement_id: UUID | None, call_id: UUID | None, resolution_id: UUID | None
) -> Change:
    order = told.order
    details: dict[str, Json] = {
        "tenant": order.tenant, "kind": order.kind, "amount": str(order.amount),
        "statement": None if statement_id is None or side != order.tenant else str(statement_id),
        "line": None if side != order.tenant else told.line,
        "call": None if call_id is None or side != order.tenant else str(call_id),
    }  # fmt: skip
    if resolution_id is not None and side == order.tenant:
        details["resolution"] = str(resolution_id)
    return Change(side, SYSTEM, f"order.{told.outcome}", order.id, None, told.outcome, details=details)


def _settled(connection: Connection, cycle: Cycle) -> list[Change]:
    concerned = connection.exec_driver_sql(
        "select tenant from clearing_position where cycle_id = %s order by tenant", (cycle.id,)
    ).scalars()
    details: dict[str, Json] = {
        "cycle": cycle.name, "agreement_set": cycle.agreement_set, "currency": cycle.currency,
    }  # fmt: skip
    return [
        Change(tenant, SYSTEM, "cycle.settled", cycle.id, "confirmed", "settled", details=details)
        for tenant in concerned
    ]
