"""The lines of a bank's answer that name orders between tenants: what was ordered, from whose account's view."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from settlement.cycles.clearing_order import Order, find_orders, hold_order
from settlement.cycles.order_outcomes import require_everyone
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.outcomes import ORDER_SURPLUS
from settlement.statements.line import CREDIT, DEBIT, StatementLine
from settlement.statements.matching import Booked, Expected, Verdict, judge


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order that a line names. ``arriving``: the file is about the account that is paid, not about the payer's."""

    order: Order
    payer: Account
    arriving: bool

    def judge(self, line: StatementLine, expected: Expected, statement_id: UUID, *, seen: bool) -> Verdict:
        """What the line is; what comes in by a pay-out is its payment, named by who paid it or by who got it."""
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
    """The tenant's orders of these ids, held; with an account, only those that it pays or that are paid to it.

    Raises:
        StartAgainError: there are such, and the transaction is not bound to everybody.
    """
    found = find_orders(connection, tenant, order_ids, office) if order_ids else []
    if not found:
        return NamedOrders({}, {}, set())
    require_everyone(connection)
    for order in sorted(found, key=lambda each: (str(each.cycle_id), str(each.batch_id))):
        hold_order(connection, order)
    outcomes, surplus = _known(connection, tenant, [order.id for order in found])
    orders, expected = {}, {}
    for order in found:
        payer, payee = order.debtor, order.creditor
        if payer is None or payee is None:
            continue
        if account_number not in {None, payer.account_number, payee.account_number}:
            continue
        orders[order.reference] = NamedOrder(order, payer, account_number not in {None, payer.account_number})
        expected[order.reference] = Expected(
            order.id, order.amount, payee.account_number, payee.account_name, outcomes.get(order.id, {}),
            surplus.get(order.id, 0),
        )  # fmt: skip
    return NamedOrders(orders, expected, {order.cycle_id for order in found if order.cycle_id is not None})


def _known(
    connection: Connection, tenant: str, order_ids: Sequence[UUID]
) -> tuple[dict[UUID, dict[str, Booked]], dict[UUID, int]]:
    ids, outcomes = list(order_ids), dict[UUID, dict[str, Booked]]()
    for row in connection.exec_driver_sql(
        "select o.order_id, o.outcome, o.statement_id, l.booked_on from clearing_order_outcome o "
        "left join bank_line l on l.tenant = o.tenant and l.statement_id = o.statement_id and l.line = o.line "
        "where o.tenant = %s and o.order_id = any(%s)",
        (tenant, ids),
    ):
        outcomes.setdefault(row.order_id, {})[row.outcome] = Booked(row.statement_id, row.booked_on)
    surplus = connection.exec_driver_sql(
        f"select o.id, {ORDER_SURPLUS} as surplus from clearing_order o "  # noqa: S608 - our own
        "where o.tenant = %s and o.id = any(%s)",
        (tenant, ids),
    )
    return outcomes, {row.id: row.surplus for row in surplus}
