"""What lies in suspense and names an order between tenants: explained by two people, and booked in both books.

``assign``: the movements paid the order, gave it back or brought it, whole, from one line or several; what banks took
for themselves is a charge on top. ``carry``: another amount left than was ordered, and stays so: what is short is owed
again in the window that is open, what is too much is owed the other way, and the order is restated to what was paid.
Until somebody says which, a part of a payment waits; what is taken back again is ``reversed``, as of any line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.cycles.clearing_order import (
    PAY_IN,
    PAY_OUT,
    PAYMENT,
    RECEIVED,
    find_order,
    hold_order,
    parts_of,
)
from settlement.cycles.order_changes import Cause, OrderChanges
from settlement.cycles.order_outcomes import OrderOutcome, book_orders, require_everyone, settle_paid_cycles
from settlement.cycles.order_receipts import Arrival, book_arrivals, paid_to
from settlement.office import Office
from settlement.statements.line import DEBIT
from settlement.statements.matching import PAID, RETURNED
from settlement.statements.suspense_records import Part, Resolution
from tenants.kernel.change import Change
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.money import ZERO, Money, total

ASSIGN: Final = "assign"
CARRY: Final = "carry"


@dataclass(frozen=True, slots=True)
class Explained:
    """What an explanation makes of an order: its own tenant, the outcome, and what was really paid."""

    order_tenant: str
    outcome: str
    amount: Money


@dataclass(frozen=True, slots=True)
class _Known:
    """One order as far as explaining it needs: ``outcomes`` without acceptances."""

    tenant: str
    id: UUID
    kind: str
    amount: Money
    ended: bool
    outcomes: frozenset[str]
    received: bool


def explain_order(
    connection: Connection, tenant: str, order_id: UUID, kind: str, parts: Sequence[Part], charge: Money
) -> Explained:
    """What the parts make of the order, whose sums have to fit.

    Raises:
        NotFound: the tenant has no such order, and none pays it.
        Conflict: ``suspense.amount``, ``suspense.outcome``, ``suspense.not_carried``, ``suspense.nothing_to_carry``.
        StartAgainError: the order is another tenant's, and the transaction is not bound to everybody.
    """
    known = _find(connection, tenant, order_id)
    debits = total(part.amount for part in parts if part.kind == DEBIT)
    credits_ = total(part.amount for part in parts if part.kind != DEBIT)
    if kind == CARRY:
        return _carried(known, tenant, debits, credits_)
    outcome = _outcome(known, tenant, parts)
    wanted = (known.amount + charge, ZERO) if debits else (ZERO, known.amount - charge)
    if (debits, credits_) != wanted:
        raise Conflict(
            "suspense.amount",
            f"金额不符：指令为 {known.amount:,} 元、手续费 {charge:,} 元，所选款项合计 {debits + credits_:,} 元；"
            "可与其他部分付款一并归属，或填写手续费，或按实付金额结转差额。",
            f"The amounts differ: {known.amount:,} yuan were ordered and {charge:,} are charges, the movements come to "
            f"{debits + credits_:,}: take the other parts with them, name the charges, or carry the difference.",
        )
    _require_outcome(known, outcome)
    return Explained(known.tenant, outcome, known.amount)


def _carried(known: _Known, tenant: str, debits: Money, credits_: Money) -> Explained:
    if known.tenant != tenant or known.kind not in {PAYMENT, PAY_IN} or credits_:
        raise Conflict(
            "suspense.not_carried",
            "只有本区域付出的区域间付款与缴存可以结转差额；清算专户的付款与批次缴存须由银行补付或退回。",
            "Only what leaves the tenant's own account for another region is carried: of what an agent pays, the bank "
            "pays the rest or takes back what is too much.",
        )
    if debits == known.amount or not debits:
        raise Conflict("suspense.nothing_to_carry", "没有差额可以结转。", "There is no difference to be carried.")
    _require_outcome(known, PAID)
    return Explained(known.tenant, PAID, debits)


def require_order_bookable(connection: Connection, tenant: str, found: Resolution, office: Office) -> None:
    """Hold the order, and look again at whether it may be booked as was proposed.

    Raises:
        Conflict: ``suspense.outcome``.
        StartAgainError: the transaction is not bound to everybody.
    """
    if found.order_id is None or found.order_tenant is None or found.outcome is None:
        raise ValueError("the explanation names no order")
    require_everyone(connection)
    hold_order(connection, find_order(connection, found.order_tenant, found.order_id, office))
    _require_outcome(_find(connection, tenant, found.order_id), found.outcome)


def book_order(
    connection: Connection, tenant: str, found: Resolution, office: Office, actor: str, at: datetime
) -> list[Change]:
    """Book what the approved explanation makes of its held order; what the chains are to say of it."""
    if found.order_id is None or found.order_tenant is None or found.outcome is None:
        raise ValueError("the explanation names no order")
    order = find_order(connection, found.order_tenant, found.order_id, office)
    if found.outcome == RECEIVED:
        return book_arrivals(connection, tenant, [Arrival(order)], at, resolution_id=found.id)
    changes: list[Change] = []
    if found.kind == CARRY:
        for side in filter(None, (order.tenant, order.counterparty)):  # the ledger before the chains
            years = parts_of(connection, order)
            ledger.open_accounts(connection, side, {ledger.settled_account(*year): False for year in years})
        run = OrderChanges(connection, Cause("resolution", tenant, found.id), office, actor, at)
        made = run.restate(order, found.amount)
        changes += run.changes
        order = find_order(connection, tenant, made, office)
    changes += book_orders(connection, [OrderOutcome(order, found.outcome)], at, resolution_id=found.id)
    if order.cycle_id is not None:
        changes += settle_paid_cycles(connection, [order.cycle_id], at)
    return changes


def _find(connection: Connection, tenant: str, order_id: UUID) -> _Known:
    whose = tenant
    if (
        connection.exec_driver_sql(
            "select 1 from clearing_order where tenant = %s and id = %s", (tenant, order_id)
        ).first()
        is None
    ):
        paying = paid_to(connection, tenant, [order_id])
        if not paying:
            raise not_found("清算指令", "clearing order")
        require_everyone(connection)
        [whose] = paying
    row = connection.exec_driver_sql(
        "select o.kind, o.amount_fen, exists (select 1 from clearing_order_end e where e.tenant = o.tenant "
        "and e.order_id = o.id) as ended, array(select x.outcome from clearing_order_outcome x "
        "where x.tenant = o.tenant and x.order_id = o.id and x.outcome <> 'accepted') as outcomes, "
        "exists (select 1 from clearing_order_receipt q where q.order_tenant = o.tenant and q.order_id = o.id) "
        "as received from clearing_order o "
        "where o.tenant = %s and o.id = %s",
        (whose, order_id),
    ).one()
    return _Known(whose, order_id, row.kind, Money(row.amount_fen), row.ended, frozenset(row.outcomes), row.received)


def _outcome(known: _Known, tenant: str, parts: Sequence[Part]) -> str:
    """What left paid it and what came gave it back; but an agent's payment comes, and so does another tenant's."""
    if known.tenant != tenant:
        return RECEIVED
    if parts[0].kind == DEBIT:
        return PAID
    return PAID if known.kind == PAY_OUT and not known.outcomes else RETURNED


def _require_outcome(known: _Known, outcome: str) -> None:
    """What nothing is decided of was paid, what was paid comes back, and what stands arrives: each once (I9)."""
    fits = {
        PAID: not known.outcomes and not known.ended,
        RETURNED: known.outcomes == {PAID} and not known.ended,
        RECEIVED: not known.received and not known.ended,
    }
    if not fits[outcome]:
        raise Conflict(
            "suspense.outcome",
            "该指令的结果已定，或尚未支付，不能归属这笔款项。",
            "The order's outcome is decided, or it was never paid: this movement cannot be its.",
        )
