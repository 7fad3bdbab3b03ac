"""Remedies for an order between tenants that came back: a linked new order, or its cancellation; of two people.

What they do to orders and debts is in ``settlement.cycles.order_changes``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.cycles.clearing_order import PAY_IN, Order, find_order, hold_order
from settlement.cycles.order_changes import Cause, OrderChanges
from settlement.cycles.order_file import is_unexplained
from settlement.cycles.order_outcomes import require_everyone
from settlement.office import Office
from settlement.payouts.outcomes import ORDER_SURPLUS
from settlement.second_person import APPROVE, require_second_person
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.statements import insert_rows

REPLACE: Final = "replace"
CANCEL: Final = "cancel"
REMEDIES: Final = (REPLACE, CANCEL)
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
        Conflict: ``remedy.decided``, ``order.not_back``, ``order.paid_twice``, ``order.paid_out``,
            ``order.unexplained``, and as :func:`settlement.cycles.clearing_order.make_orders`.
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
    said = Text("处理方案须由另一人复核。", "Somebody else has to decide on the remedy.")
    require_second_person("remedy", said, found.proposed_by, actor, outcome, reason)
    if outcome == APPROVE:
        order = _require_remediable(connection, find_order(connection, tenant, found.order_id, office), found.kind)
    insert_rows(
        connection,
        "clearing_remedy_decision",
        ("tenant", "remedy_id", "order_id", "kind", "proposed_by", "outcome", "reason", "decided_by", "decided_at"),
        [(tenant, remedy_id, found.order_id, found.kind, found.proposed_by, outcome, reason, actor, at)],
    )
    run = OrderChanges(connection, Cause("remedy", tenant, remedy_id), office, actor, at)
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


def _require_remediable(connection: Connection, order: Order, kind: str) -> Order:
    """It is back, once, and where it is to be cancelled nothing left for it that nobody has explained."""
    _require_no_surplus(connection, _require_back(order))
    if kind == CANCEL:
        _require_explained(connection, order)
    return order


def _require_explained(connection: Connection, order: Order) -> None:
    if is_unexplained(connection, order):
        raise Conflict(
            "order.unexplained",
            "银行已付出写明该指令的款项，尚在待查：须先由两人说明，才能取消。",
            "Money left that names this order and lies in suspense: two people explain it before it is cancelled.",
        )
