"""What goes to the banks by itself: orders of windows whose agreements say so, and agents' batches once paid in.

An order between tenants is sent where every agreement that it comes of was in force on the day on which the window was
confirmed and lets orders go by themselves: the pair's for a payment, all of the tenant's in the set for what goes
through the settlement agent. Without such a word nothing is sent. What is due is found anew each time, and ordered as
by a person: once for ever, which the database enforces.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.agreements.agreement import Agreement, all_in_force
from settlement.bank.connections import BankConnection
from settlement.bank.order_sending import bank_of_batch, send_order
from settlement.bank.sending import order_sending
from settlement.batches.batch import find_batch
from settlement.batches.settling import SYSTEM
from settlement.cycles.clearing_order import PAY_OUT, Order, find_orders
from settlement.cycles.order_file import bank_of, can_be_sent, is_unexplained, not_paid_in
from settlement.cycles.order_outcomes import require_everyone
from settlement.office import Office
from tenants.kernel.clock import shanghai_day


@dataclass(frozen=True, slots=True)
class Due:
    """One order or one batch that is to be sent now, and the way that it goes."""

    tenant: str
    bank: BankConnection
    order_id: UUID | None = None
    batch_id: UUID | None = None


def find_due(connection: Connection, office: Office) -> list[Due]:
    """Everything that goes by itself and may go now; the transaction is bound to everybody."""
    return [*_due_orders(connection, office), *_due_batches(connection, office)]


def send_due(connection: Connection, due: Due, office: Office, at: datetime) -> None:
    """Order that it be sent, in a transaction of its own.

    Raises:
        Conflict: something came between since it was found; the next look finds what is due then.
    """
    if due.order_id is not None:
        [order] = find_orders(connection, due.tenant, [due.order_id], office)
        send_order(connection, order, office, SYSTEM, at)
    elif due.batch_id is not None:
        order_sending(connection, due.tenant, due.batch_id, due.bank.method, SYSTEM, at)


# of a window that is settled, what came back since is ordered anew
_WAITING: Final = (
    "select o.tenant, o.id, o.kind, o.counterparty, c.agreement_set, c.confirmed_at from clearing_order o "
    "join clearing_cycle c on c.id = o.cycle_id "
    "where (c.state = 'confirmed' or (c.state = 'settled' and o.replaces is not null)) "
    "and not exists (select 1 from bank_submission s where s.tenant = o.tenant and s.order_id = o.id) "
    "and not exists (select 1 from clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id) "
    "and not exists (select 1 from clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id) "
    "order by o.tenant, o.id"
)


def _due_orders(connection: Connection, office: Office) -> Iterator[Due]:
    rows = connection.exec_driver_sql(_WAITING).all()
    if not rows:
        return
    everyone = require_everyone(connection)
    agreed = {
        day: _by_side(all_in_force(connection, everyone, day)) for day in {shanghai_day(r.confirmed_at) for r in rows}
    }
    wanted: defaultdict[str, list[UUID]] = defaultdict(list)
    for row in rows:
        own = agreed[shanghai_day(row.confirmed_at)][row.tenant, row.agreement_set]
        if row.counterparty is not None:
            own = [each for each in own if each.other(row.tenant) == row.counterparty]
        if own and all(each.sends_orders for each in own):
            wanted[row.tenant].append(row.id)
    for tenant, ids in wanted.items():
        for order in find_orders(connection, tenant, ids, office):
            bank = bank_of(connection, order, office.banks)
            if bank is not None and _may_go(connection, order, office):
                yield Due(tenant, bank, order_id=order.id)


def _may_go(connection: Connection, order: Order, office: Office) -> bool:
    if not can_be_sent(connection, order, office.banks) or is_unexplained(connection, order):
        return False
    return order.kind != PAY_OUT or not not_paid_in(connection, order)


def _by_side(agreements: list[Agreement]) -> defaultdict[tuple[str, str], list[Agreement]]:
    found: defaultdict[tuple[str, str], list[Agreement]] = defaultdict(list)
    for each in agreements:
        if each.form == "home_region":
            for side in each.sides:
                found[side, each.agreement_set].append(each)
    return found


_PAID_IN: Final = (
    "select b.tenant, b.id from batch b where b.form = 'agent' and b.state = 'instructed' "
    "and not exists (select 1 from bank_submission s where s.tenant = b.tenant and s.batch_id = b.id) "
    "and not exists (select 1 from instruction i join instruction_outcome x on x.tenant = i.tenant "
    "and x.instruction_id = i.id where i.tenant = b.tenant and i.batch_id = b.id) "
    "and not waits_for_pay_in(b.tenant, b.id) order by b.tenant, b.id"
)


def _due_batches(connection: Connection, office: Office) -> Iterator[Due]:
    """Agents' batches that could not go when they were instructed, since they were not paid in."""
    for row in connection.exec_driver_sql(_PAID_IN).all():
        bank = bank_of_batch(connection, find_batch(connection, row.tenant, row.id), office.banks)
        if bank is not None and bank.automatic:
            yield Due(row.tenant, bank, batch_id=row.id)
