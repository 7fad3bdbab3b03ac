"""What the receiver's bank tells of a payment between tenants: that it arrived, beside the payer's that it left.

Both words make an order ``received``. One word without the other is a named difference: a credit without our debit at
once, a debit without the credit once the receiver has had its working days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.publicity import calendar_of
from settlement.batches.settling import SYSTEM
from settlement.cycles.clearing_order import RECEIVED, Order
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Text
from tenants.kernel.statements import insert_rows
from tenants.kernel.workdays import Calendar, publicity_through

ARRIVES_WITHIN: Final = 3
"""Working days in which a payment that left one region's account has to arrive at the other's."""
NO_DEBIT: Final = "no_debit"
NO_CREDIT: Final = "no_credit"
MISSING: Final = {
    NO_DEBIT: Text(
        "收款方银行已入账，付款方银行尚未告知付出：请核对付款方账户的回单。",
        "The receiver's bank booked it, and the payer's has told of nothing: look into the payer's statement.",
    ),
    NO_CREDIT: Text(
        f"付款方银行已付出超过 {ARRIVES_WITHIN} 个工作日，收款方银行尚未告知入账：请核对收款方账户的回单。",
        f"It left the payer's account more than {ARRIVES_WITHIN} working days ago, and the receiver's bank has told of "
        "nothing: look into the receiver's statement.",
    ),
}
"""The differences between the two banks' words."""
_COLUMNS: Final = (
    "tenant", "order_tenant", "order_id", "reference", "amount_fen", "statement_id", "line", "resolution_id",
    "received_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arrival:
    """One order that has arrived; ``line`` is the line of the receiver's statement that says it, where one does."""

    order: Order
    line: int | None = None


def paid_to(connection: Connection, tenant: str, order_ids: Sequence[UUID]) -> dict[str, list[UUID]]:
    """Those of the orders that pay the tenant, by whose orders they are, whoever the transaction is bound to."""
    found: dict[str, list[UUID]] = {}
    for row in connection.exec_driver_sql(
        "select order_tenant, order_id from orders_paid_to(%s, %s) order by 1, 2", (tenant, list(order_ids))
    ):
        found.setdefault(row.order_tenant, []).append(row.order_id)
    return found


def book_arrivals(
    connection: Connection,
    tenant: str,
    arrivals: Sequence[Arrival],
    at: datetime,
    *,
    statement_id: UUID | None = None,
    resolution_id: UUID | None = None,
) -> list[Change]:
    """Store that orders arrived at the tenant's account; what both sides' chains are to say of it.

    No money is booked: the payer's word did, in both books.
    """
    insert_rows(
        connection,
        "clearing_order_receipt",
        _COLUMNS,
        [
            (
                tenant, each.order.tenant, each.order.id, each.order.reference, each.order.amount.fen, statement_id,
                each.line, resolution_id, at,
            )
            for each in arrivals
        ],
    )  # fmt: skip
    changes = []
    for each in arrivals:
        for side in (each.order.tenant, tenant):
            own = side == tenant
            details: dict[str, Json] = {
                "tenant": each.order.tenant, "receiver": tenant, "amount": str(each.order.amount),
                "statement": str(statement_id) if own and statement_id is not None else None,
                "line": each.line if own else None,
                "resolution": str(resolution_id) if own and resolution_id is not None else None,
            }  # fmt: skip
            changes.append(Change(side, SYSTEM, "order.received", each.order.id, None, RECEIVED, details=details))
    return changes


def missing_words(connection: Connection, orders: Sequence[Order], today: date) -> list[str | None]:
    """Which bank's word is missing of each order on a day: a name of :data:`MISSING`; ``None`` if nothing is amiss."""
    calendar = cache(partial(calendar_of, connection))  # one region's orders share it
    return [_missing(order, today, calendar) for order in orders]


def missing_word(connection: Connection, order: Order, today: date) -> str | None:
    """The same of one order."""
    return missing_words(connection, [order], today)[0]


def missing_json(code: str | None) -> Json:
    """What is missing in the form of the API."""
    return None if code is None else {"code": code, "zh": MISSING[code].zh, "en": MISSING[code].en}


def _missing(order: Order, today: date, calendar: Callable[[str], Calendar]) -> str | None:
    if order.ended or order.counterparty is None:
        return None
    if order.received_at is not None:
        return NO_DEBIT if order.paid_at is None else None
    if order.state != "paid" or order.paid_at is None:
        return None
    days = publicity_through(shanghai_day(order.paid_at), ARRIVES_WITHIN, calendar(order.tenant))
    return NO_CREDIT if today > days.through_on else None
