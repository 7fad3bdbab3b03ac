"""The lines of a bank's answer that name orders between tenants: what was ordered, from whose account's view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from settlement.cycles.clearing_order import RECEIVED, Order, find_orders, hold_order
from settlement.cycles.order_outcomes import require_everyone
from settlement.cycles.order_receipts import paid_to
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.outcomes import ORDER_SURPLUS
from settlement.statements.line import CREDIT, DEBIT, StatementLine
from settlement.statements.matching import DIFFERS, PAID, Booked, Disagreement, Expected, Verdict, judge


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order that a line names. ``arriving``: the file is about the account that is paid, not about the payer's.

    ``receiving``: it is another tenant's order, which pays this one.
    """

    order: Order
    payer: Account
    arriving: bool
    receiving: bool = False

    def judge(self, line: StatementLine, expected: Expected, statement_id: UUID, *, seen: bool) -> Verdict:
        """What the line is; what comes in is its payment, named by who paid it or by who got it."""
        found = self._judged(line, expected, statement_id, seen=seen)
        if self.order.ended and found.outcome is not None:  # what it became is for two people to say
            moved = line.kind in {CREDIT, DEBIT}
            wrong = Disagreement("state", self.order.state, found.outcome)
            return Verdict(DIFFERS, to_suspense=moved, disagreements=(wrong,))
        return replace(found, outcome=RECEIVED) if self.receiving and found.outcome == PAID else found

    def _judged(self, line: StatementLine, expected: Expected, statement_id: UUID, *, seen: bool) -> Verdict:
        if not self.arriving or line.kind not in {CREDIT, DEBIT}:
            return judge(line, expected, statement_id, seen=seen)
        if line.kind == DEBIT:  # the payee's account does not pay it
            return judge(line, None, statement_id, seen=seen)
        arrived = replace(line, kind=DEBIT)
        by_payer = replace(expected, account_number=self.payer.account_number, name=self.payer.account_name)
        found = judge(arrived, by_payer, statement_id, seen=seen)
        own = judge(arrived, expected, statement_id, seen=seen)
        return own if found.disagreements and not own.disagreements else found


@dataclass(frozen=True, slots=True)
class NamedOrders:
    """What lines name, by end-to-end id; ``cycles`` are theirs, and are locked."""

    orders: dict[str, NamedOrder]
    expected: dict[str, Expected]
    cycles: set[UUID]


def named_orders(
    connection: Connection, tenant: str, order_ids: Sequence[UUID], office: Office, account_number: str | None = None
) -> NamedOrders:
    """The orders of these ids that are the tenant's or pay it, held; with an account, only those that move it.

    Raises:
        StartAgainError: there are such, and the transaction is not bound to everybody.
    """
    found = find_orders(connection, tenant, order_ids, office) if order_ids else []
    paying = paid_to(connection, tenant, order_ids) if order_ids else {}
    if not found and not paying:
        return NamedOrders({}, {}, set())
    require_everyone(connection)
    for other, ids in paying.items():
        found += find_orders(connection, other, ids, office)
    for order in sorted(found, key=lambda each: (str(each.cycle_id), str(each.batch_id))):
        hold_order(connection, order)
    outcomes, surplus = _known(connection, tenant, [order.id for order in found])
    orders, expected = {}, {}
    for order in found:
        payer, payee = order.debtor, order.creditor
        if payer is None or payee is None:
            continue
        receiving = order.tenant != tenant
        moved = {payee.account_number} if receiving else {payer.account_number, payee.account_number}
        if account_number is not None and account_number not in moved:
            continue
        arriving = receiving or account_number not in {None, payer.account_number}
        orders[order.reference] = NamedOrder(order, payer, arriving, receiving)
        expected[order.reference] = Expected(
            order.id, order.amount, payee.account_number, payee.account_name, outcomes.get(order.id, {}),
            surplus.get(order.id, 0),
        )  # fmt: skip
    return NamedOrders(orders, expected, {order.cycle_id for order in found if order.cycle_id is not None})


def _known(
    connection: Connection, tenant: str, order_ids: Sequence[UUID]
) -> tuple[dict[UUID, dict[str, Booked]], dict[UUID, int]]:
    """What is known of the orders by the tenant's own statements: of one that pays it, that it arrived."""
    ids, outcomes = list(order_ids), dict[UUID, dict[str, Booked]]()
    for row in connection.exec_driver_sql(
        "select o.order_id, o.outcome, o.statement_id, l.booked_on from (select tenant, order_id, outcome, "
        "statement_id, line from clearing_order_outcome union all select tenant, order_id, %s, statement_id, line "
        "from clearing_order_receipt) o "
        "left join bank_line l on l.tenant = o.tenant and l.statement_id = o.statement_id and l.line = o.line "
        "where o.tenant = %s and o.order_id = any(%s)",
        (PAID, tenant, ids),
    ):
        outcomes.setdefault(row.order_id, {})[row.outcome] = Booked(row.statement_id, row.booked_on)
    surplus = connection.exec_driver_sql(
        f"select o.id, {ORDER_SURPLUS} as surplus from clearing_order o "  # noqa: S608 - our own
        "where o.tenant = %s and o.id = any(%s)",
        (tenant, ids),
    )
    return outcomes, {row.id: row.surplus for row in surplus}
