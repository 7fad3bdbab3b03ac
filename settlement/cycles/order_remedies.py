"""Remedies for an order between tenants that came back: a linked new order, or its cancellation; of two people.

A cancelled order is owed again: its parts go back from ``netted`` to what stands between the two, in both books, and
into the window that is open now, so that the positions of both windows add up to zero. Where a pay-in is cancelled,
the agent has that much less to pay out: the largest pay-outs are made smaller, each by a linked new order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.cycles.clearing_order import (
    PAY_IN,
    PAY_OUT,
    Order,
    find_order,
    hold_order,
    list_orders,
    order_again,
    parts_of,
    pay_in_again,
)
from settlement.cycles.cycle import Cycle, find_cycle, hold_open
from settlement.cycles.netting import Payment, Year, shared_out
from settlement.cycles.order_outcomes import require_everyone, settle_paid_cycles
from settlement.office import Office
from settlement.payouts.outcomes import ORDER_SURPLUS
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.errors import Conflict, Forbidden, Invalid, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

REPLACE: Final = "replace"
CANCEL: Final = "cancel"
REMEDIES: Final = (REPLACE, CANCEL)
APPROVE: Final = "approve"
REFUSE: Final = "refuse"
CARRIED: Final = "carried"
BACK: Final = frozenset({"rejected", "returned"})
"""The states of an order that waits for its remedy."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A proposed remedy, with its decision where there is one."""

    tenant: str
    id: UUID
    order_id: UUID
    came_back: str
    kind: str
    reason: str
    proposed_by: str
    proposed_at: datetime
    outcome: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None

    def json(self) -> dict[str, Json]:
        """The remedy in the form of the API."""
        return {
            "id": str(self.id),
            "tenant": self.tenant,
            "order_id": str(self.order_id),
            "came_back": self.came_back,
            "kind": self.kind,
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "proposed_at": plain(self.proposed_at),
            "outcome": self.outcome,
            "decided_by": self.decided_by,
            "decided_at": plain(self.decided_at),
            "decision_reason": self.decision_reason,
        }


def propose(
    connection: Connection,
    tenant: str,
    order_id: UUID,
    kind: str,
    reason: str,
    office: Office,
    actor: str,
    at: datetime,
) -> Remedy:
    """Propose what is to become of an order that came back; nothing is done before another person approves it.

    Raises:
        NotFound: the tenant has no such order.
        Conflict: ``order.not_back``, ``order.not_cancelled``.
    """
    order = find_order(connection, tenant, order_id, office)
    hold_order(connection, order)
    order = _require_back(find_order(connection, tenant, order_id, office))
    if kind == CANCEL and order.kind not in {"payment", PAY_IN}:
        raise Conflict(
            "order.not_cancelled",
            "清算专户的付款与批次缴存不能取消，只能重新下达：款项须付给应收方。",
            "What an agent pays out and a batch's pay-in are never cancelled, only ordered anew: the money is owed.",
        )
    remedy_id = new_id()
    insert_rows(
        connection,
        "clearing_remedy",
        ("tenant", "id", "order_id", "came_back", "kind", "reason", "proposed_by", "proposed_at"),
        [(tenant, remedy_id, order_id, order.state, kind, reason, actor, at)],
    )
    details: dict[str, Json] = {"order": str(order_id), "came_back": order.state, "kind": kind}
    record(connection, [Change(tenant, actor, "remedy.proposed", remedy_id, None, "proposed", reason, details)], at)
    return find_remedy(connection, tenant, remedy_id)


def decide(
    connection: Connection,
    tenant: str,
    remedy_id: UUID,
    outcome: str,
    reason: str | None,
    office: Office,
    actor: str,
    at: datetime,
) -> Remedy:
    """Approve and carry out a proposed remedy, or refuse it, by somebody else; the same again changes nothing.

    Raises:
        NotFound: there is no such proposal.
        Forbidden: ``remedy.four_eyes``.
        Conflict: ``remedy.decided``, ``order.not_back``, ``order.paid_twice``, ``order.paid_out``, and as
            :func:`settlement.cycles.clearing_order.make_orders`.
        Invalid: ``remedy.reason``: a refusal says why.
        StartAgainError: the transaction is not bound to everybody.
    """
    require_everyone(connection)
    found = find_remedy(connection, tenant, remedy_id)
    order = find_order(connection, tenant, found.order_id, office)
    hold_order(connection, order)
    found = find_remedy(connection, tenant, remedy_id)
    if (found.outcome, found.decided_by) == (outcome, actor):
        return found
    if found.outcome is not None:
        raise Conflict("remedy.decided", "该处理方案已有决定。", "The remedy is decided already.")
    if actor == found.proposed_by:
        raise Forbidden("remedy.four_eyes", "处理方案须由另一人复核。", "Somebody else has to decide on the remedy.")
    if outcome == REFUSE and not reason:
        raise Invalid("remedy.reason", "不同意须说明理由。", "A refusal needs a reason.")
    if outcome == APPROVE:
        order = _require_back(find_order(connection, tenant, found.order_id, office))
        _require_no_surplus(connection, order)
    insert_rows(
        connection,
        "clearing_remedy_decision",
        ("tenant", "remedy_id", "order_id", "kind", "proposed_by", "outcome", "reason", "decided_by", "decided_at"),
        [(tenant, remedy_id, found.order_id, found.kind, found.proposed_by, outcome, reason, actor, at)],
    )
    run = _Remedying(connection, found, office, actor, at)
    if outcome == APPROVE:
        (run.replace if found.kind == REPLACE else run.cancel)(order)
    after = "approved" if outcome == APPROVE else "refused"
    details: dict[str, Json] = {"order": str(found.order_id), "kind": found.kind}
    change = Change(tenant, actor, f"remedy.{after}", remedy_id, "proposed", after, reason, details)
    record(connection, [change, *run.changes], at)
    return find_remedy(connection, tenant, remedy_id)


_SELECT: Final = (
    "select r.tenant, r.id, r.order_id, r.came_back, r.kind, r.reason, r.proposed_by, r.proposed_at, d.outcome, "
    "d.decided_by, d.decided_at, d.reason from clearing_remedy r "
    "left join clearing_remedy_decision d on d.tenant = r.tenant and d.remedy_id = r.id "
)


def find_remedy(connection: Connection, tenant: str, remedy_id: UUID) -> Remedy:
    """One remedy.

    Raises:
        NotFound: the tenant has none with this id.
    """
    row = connection.exec_driver_sql(f"{_SELECT} where r.tenant = %s and r.id = %s", (tenant, remedy_id)).one_or_none()
    if row is None:
        raise not_found("处理方案", "remedy")
    return Remedy(*row)


def remedies_of(connection: Connection, cycle_id: UUID, tenants: tuple[str, ...]) -> list[Remedy]:
    """The tenants' remedies for orders of the cycle, the oldest first."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} join clearing_order o on o.tenant = r.tenant and o.id = r.order_id "
        "where o.cycle_id = %s and r.tenant = any(%s) order by r.id",
        (cycle_id, list(tenants)),
    )
    return [Remedy(*row) for row in rows]


def remedies_of_order(connection: Connection, order: Order) -> list[Remedy]:
    """The order's remedies, the oldest first."""
    rows = connection.exec_driver_sql(
        f"{_SELECT} where r.tenant = %s and r.order_id = %s order by r.id", (order.tenant, order.id)
    )
    return [Remedy(*row) for row in rows]


class _Remedying:
    """One approved remedy as it is carried out; what the chains are to say gathers in ``changes``."""

    def __init__(self, connection: Connection, remedy: Remedy, office: Office, actor: str, at: datetime) -> None:
        self.changes: list[Change] = []
        self._connection = connection
        self._remedy = remedy
        self._office = office
        self._actor = actor
        self._at = at

    def replace(self, order: Order) -> None:
        """Order the same again, from and to the accounts of now."""
        self._hold_chains()
        self._end(order)
        if order.cycle_id is None:
            made = pay_in_again(self._connection, order, self._office, self._at)
        else:
            cycle = find_cycle(self._connection, order.cycle_id)
            parts = parts_of(self._connection, order)
            made = order_again(
                self._connection, cycle, _payment(order, order.amount), parts, order.id, self._office, self._at
            )
        self._tell(order, "replaced", {"made": str(made), "amount": str(order.amount)})

    def cancel(self, order: Order) -> None:
        """Owe again, in the window that is open, what the order would have paid."""
        if order.cycle_id is None:
            raise ValueError("a batch's pay-in is never cancelled")
        cycle = find_cycle(self._connection, order.cycle_id)
        parts = parts_of(self._connection, order)
        if order.counterparty is not None:
            smaller, carried = {}, {order.counterparty: parts}
        else:
            smaller = self._pay_outs(cycle, order)
            shares = [(each.tenant, taken.fen) for each, taken in smaller.values()]
            carried = shared_out(parts, shares)
        window = find_cycle(self._connection, hold_open(self._connection, cycle.agreement_set))
        for other, years in carried.items():
            self._move(order, other, years)
        self._hold_chains()
        self._end(order)
        self._tell(order, "cancelled", {"amount": str(order.amount), "window": window.name})
        for other, years in carried.items():
            self._carry(order, other, years, window)
        for pay_out, taken in smaller.values():
            self._make_smaller(cycle, pay_out, taken, carried[pay_out.tenant])
        self.changes += settle_paid_cycles(self._connection, [cycle.id], self._at)

    def _pay_outs(self, cycle: Cycle, order: Order) -> dict[UUID, tuple[Order, Money]]:
        """Which pay-outs shrink by how much: the largest first, of those that nothing was sent of."""
        everyone = require_everyone(self._connection)
        orders = list_orders(self._connection, cycle.id, everyone, self._office)
        waiting = [each for each in orders if each.kind == PAY_OUT and each.state == "ordered"]
        left, found = order.amount, dict[UUID, tuple[Order, Money]]()
        for each in sorted(waiting, key=lambda one: (-one.amount.fen, one.tenant)):
            if not left:
                break
            taken = min(left, each.amount)
            found[each.id] = each, taken
            left -= taken
        if left:
            raise Conflict(
                "order.paid_out",
                f"清算专户已付出款项，尚缺 {left:,} 元：该缴存不能取消，只能重新下达。",
                f"The agent has paid out already and is {left:,} yuan short: the pay-in is ordered anew, not "
                "cancelled.",
            )
        return found

    def _make_smaller(self, cycle: Cycle, pay_out: Order, taken: Money, carried: Mapping[Year, int]) -> None:
        left = pay_out.amount - taken
        self._end(pay_out)
        if not left:
            self._tell(pay_out, "cancelled", {"amount": str(pay_out.amount)})
            return
        parts = parts_of(self._connection, pay_out)
        for year, fen in carried.items():
            parts[year] = parts.get(year, 0) + fen
        kept = {year: fen for year, fen in sorted(parts.items()) if fen}
        made = order_again(self._connection, cycle, _payment(pay_out, left), kept, pay_out.id, self._office, self._at)
        self._tell(pay_out, "replaced", {"made": str(made), "amount": str(left)})

    def _end(self, order: Order) -> None:
        insert_rows(
            self._connection,
            "clearing_order_end",
            ("tenant", "order_id", "remedy_tenant", "remedy_id", "ended_at"),
            [(order.tenant, order.id, self._remedy.tenant, self._remedy.id, self._at)],
        )

    def _move(self, order: Order, other: str, years: Mapping[Year, int]) -> None:
        """Back from what was netted to what stands between the two, in both books."""
        for side, against, sign in ((order.tenant, other, 1), (other, order.tenant, -1)):
            transfers = []
            for (scheme, year), fen in years.items():
                sides = ledger.netted_account(scheme, year), ledger.clearing_account(scheme, year, against)
                transfers.append(
                    ledger.posted(*(sides if sign * fen > 0 else sides[::-1]), Money(abs(fen)), CARRIED, order.id)
                )
            codes = {code for each in transfers for code in (each.debit, each.credit)}
            ledger.open_accounts(self._connection, side, dict.fromkeys(codes, False))
            ledger.append(self._connection, side, transfers, self._at)

    def _carry(self, order: Order, other: str, years: Mapping[Year, int], window: Cycle) -> None:
        netting = "multilateral" if order.kind == PAY_IN else "bilateral"
        rows: list[tuple[Any, ...]] = []
        for (scheme, year), fen in years.items():
            debtor, creditor = (order.tenant, other) if fen > 0 else (other, order.tenant)
            rows.append((
                debtor, new_id(), creditor, window.id, netting, scheme, year, abs(fen), order.tenant, order.id,
                self._at,
            ))  # fmt: skip
        insert_rows(
            self._connection,
            "clearing_carry",
            (
                "tenant", "id", "creditor", "cycle_id", "netting", "scheme", "quota_year", "amount_fen",
                "order_tenant", "order_id", "posted_at",
            ),
            rows,
        )  # fmt: skip
        owed: list[Json] = [
            {"id": str(row[1]), "tenant": row[0], "creditor": row[2], "scheme": row[5], "quota_year": row[6],
             "amount": str(Money(row[7]))}
            for row in rows
        ]  # fmt: skip
        details: dict[str, Json] = {
            "window": window.name, "order_tenant": order.tenant, "netting": netting, "owed": owed,
        }  # fmt: skip
        for side in sorted({order.tenant, other}):
            self.changes.append(Change(side, self._actor, "order.carried", order.id, details=details))

    def _hold_chains(self) -> None:
        """A new order may make a key, which is told: all chains are held first, in their order."""
        lock_chains(self._connection, require_everyone(self._connection))

    def _tell(self, order: Order, what: str, details: dict[str, Json]) -> None:
        said: dict[str, Json] = {
            **details,
            "remedy": str(self._remedy.id),
            "remedy_tenant": self._remedy.tenant,
            "kind": order.kind,
        }
        self.changes.append(
            Change(order.tenant, self._actor, f"order.{what}", order.id, order.state, what, details=said)
        )


def _payment(order: Order, amount: Money) -> Payment:
    if order.kind == PAY_OUT:
        return Payment(None, order.tenant, amount)
    return Payment(order.tenant, order.counterparty, amount)


def _require_back(order: Order) -> Order:
    if order.state not in BACK:
        raise Conflict(
            "order.not_back",
            "该指令没有被银行拒绝或退回，或已处理。",
            "The order was neither rejected nor returned, or is remedied already.",
        )
    return order


def _require_no_surplus(connection: Connection, order: Order) -> None:
    surplus = connection.exec_driver_sql(
        f"select {ORDER_SURPLUS} from clearing_order o where o.tenant = %s and o.id = %s",  # noqa: S608 - our own
        (order.tenant, order.id),
    ).scalar_one()
    if surplus > 0:
        raise Conflict(
            "order.paid_twice",
            "银行重复支付了该指令，尚有一笔未退回，不能再次支付。",
            "The bank paid the order twice and only one payment came back: it is not paid again.",
        )
