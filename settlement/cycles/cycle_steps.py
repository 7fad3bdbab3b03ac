"""The steps of a clearing cycle: close the window, confirm every position, order what has to be paid, settle.

Every step locks the window, and is written to the chains of the tenants that it concerns, to each only what is its own.
The same step again by the same person changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.agreements.agreement import members
from settlement.cycles.clearing_order import list_orders, make_orders
from settlement.cycles.cycle import (
    Cycle,
    StoredPosition,
    cells_of,
    cells_of_debts,
    change_cycle,
    ensure_open,
    find_cycle,
    owed_in,
    positions_of,
    queue_up,
)
from settlement.cycles.netting import Cell, Position, payments, positions
from settlement.cycles.order_file import can_be_sent
from settlement.cycles.order_outcomes import by_bank
from settlement.office import Office
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.errors import Conflict, Forbidden, not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import Write, write_all

Tenants = tuple[str, ...]


def close(connection: Connection, cycle_id: UUID, everyone: Tenants, actor: str, at: datetime) -> Cycle:
    """Close the window: fix its gross matrix and positions, and open the next one. Without debts it is settled at once.

    ``everyone``: all tenants, which the transaction has to be bound to.

    Raises:
        NotFound: there is no such cycle.
        Conflict: ``cycle.state``.
    """
    queue_up(connection, find_cycle(connection, cycle_id).agreement_set, closing=True)
    cycle = find_cycle(connection, cycle_id, lock=True)
    if cycle.closed_by == actor:
        return cycle
    if cycle.state != "open":
        raise _state(cycle)
    cells = cells_of_debts(connection, cycle.id, everyone)
    found = positions(cells)
    _store(connection, cycle, cells, found)
    closed = replace(cycle, state="closed", closed_by=actor, closed_at=at)
    changed: dict[str, object] = {"state": "closed", "closed_by": actor, "closed_at": at}
    if not cells:
        closed = replace(closed, state="settled", confirmed_at=at, settled_by=actor, settled_at=at)
        changed |= {"state": "settled", "confirmed_at": at, "settled_by": actor, "settled_at": at}
    change_cycle(connection, cycle, **changed)
    concerned = sorted({*members(connection, cycle.agreement_set), *found})
    record(
        connection,
        [
            Change(
                tenant, actor, "cycle.closed", cycle.id, "open", closed.state,
                details=_details(cycle) | position_details(tenant, found.get(tenant, Position()), cells),
            )
            for tenant in concerned
        ],
        at,
    )  # fmt: skip
    ensure_open(connection, cycle.agreement_set, concerned, actor, at)
    return closed


def confirm(
    connection: Connection,
    cycle_id: UUID,
    tenant: str,
    net: Money,
    everyone: Tenants,
    office: Office,
    actor: str,
    at: datetime,
) -> StoredPosition:
    """The tenant's finance confirms its position, saying what it is; the last to confirm brings about the orders.

    Raises:
        NotFound: there is no such cycle, or the tenant has no position in it.
        Conflict: ``cycle.state``, ``position.differs``, ``position.confirmed``, ``payout_account.unset``,
            ``payout_account.demonstration``, ``key.revoked``.
        Forbidden: ``cycle.four_eyes``: who closed the window confirms nothing in it.
    """
    cycle = find_cycle(connection, cycle_id, lock=True)
    stored = {each.tenant: each for each in positions_of(connection, cycle.id, everyone)}
    position = stored.get(tenant)
    if position is None:
        if cycle.state == "open":
            raise _state(cycle)
        raise not_found("清算头寸", "position")
    if position.confirmed_by == actor:
        return position
    _require_confirmable(cycle, position, net, actor)
    connection.exec_driver_sql(
        "update clearing_position set confirmed_by = %s, confirmed_at = %s where tenant = %s and cycle_id = %s",
        (actor, at, tenant, cycle.id),
    )
    confirmed = replace(position, confirmed_by=actor, confirmed_at=at)
    stored[tenant] = confirmed
    last = all(each.confirmed_at is not None for each in stored.values())
    if last:  # the ledger before the chains, as everywhere
        _net_in_ledger(connection, cycle, tuple(stored), at)
        lock_chains(connection, stored)
    details = _details(cycle) | {"net": str(net)}
    record(connection, [Change(tenant, actor, "cycle.confirmed", cycle.id, details=details)], at)
    if last:
        _order(connection, cycle, tuple(stored), office, at)
    return confirmed


def settle(
    connection: Connection, cycle_id: UUID, everyone: Tenants, office: Office, actor: str, at: datetime
) -> Cycle:
    """Everything that was ordered has been paid, by a person's word: where no bank is connected, and none has spoken.

    Raises:
        NotFound: there is no such cycle.
        Conflict: ``cycle.state``, ``cycle.by_bank``.
    """
    cycle = find_cycle(connection, cycle_id, lock=True)
    if cycle.settled_by == actor:
        return cycle
    if cycle.state != "confirmed":
        raise _state(cycle)
    orders = list_orders(connection, cycle.id, everyone, office)
    if by_bank(connection, cycle.id) or any(can_be_sent(connection, each, office.banks) for each in orders):
        raise Conflict(
            "cycle.by_bank",
            f"清算周期 {cycle.name} 的指令经银行办理，以银行回单为准结清，不能由人工确认。",
            f"The orders of {cycle.name} go through a bank: its word settles the cycle, and no person's does.",
        )
    change_cycle(connection, cycle, state="settled", settled_by=actor, settled_at=at)
    concerned = [each.tenant for each in positions_of(connection, cycle.id, everyone)]
    _tell(connection, cycle, concerned, "cycle.settled", ("confirmed", "settled"), actor, at)
    return replace(cycle, state="settled", settled_by=actor, settled_at=at)


WORKER: Final = "system"
"""Who orders: no person, it follows from the last confirmation."""


def _order(connection: Connection, cycle: Cycle, concerned: Tenants, office: Office, at: datetime) -> None:
    """Order what remains of the debts once they are netted; where nothing remains, the window is settled."""
    cells = cells_of(connection, cycle.id, concerned)
    due = payments(cells)
    make_orders(connection, cycle, due, office, at)
    change_cycle(connection, cycle, state="confirmed", confirmed_at=at)
    _tell(connection, cycle, concerned, "cycle.ordered", ("closed", "confirmed"), WORKER, at)
    if not due:
        change_cycle(connection, cycle, state="settled", settled_by=WORKER, settled_at=at)
        _tell(connection, cycle, concerned, "cycle.settled", ("confirmed", "settled"), WORKER, at)


def _net_in_ledger(connection: Connection, cycle: Cycle, concerned: Tenants, at: datetime) -> None:
    """Bring the accounts between the tenants back to zero for the window's debts, in both books."""
    transfers: defaultdict[str, list[ledger.Transfer]] = defaultdict(list)
    sums: defaultdict[tuple[str, str, str, int], int] = defaultdict(int)
    for one in owed_in(connection, cycle.id, concerned):  # by scheme and year, whatever the netting
        sums[one.tenant, one.creditor, one.scheme, one.quota_year] += one.amount.fen
    for (tenant, creditor, scheme, year), fen in sorted(sums.items()):
        amount, netted = Money(fen), ledger.netted_account(scheme, year)
        owed = ledger.clearing_account(scheme, year, creditor)
        transfers[tenant].append(ledger.posted(owed, netted, amount, cycle.name, cycle.id))
        mirror = ledger.clearing_account(scheme, year, tenant)
        transfers[creditor].append(ledger.posted(netted, mirror, amount, cycle.name, cycle.id))
    for tenant in sorted(transfers):
        made = transfers[tenant]
        ledger.open_accounts(connection, tenant, {code: False for t in made for code in (t.debit, t.credit)})
        ledger.append(connection, tenant, made, at)


def _store(connection: Connection, cycle: Cycle, cells: list[Cell], found: Mapping[str, Position]) -> None:
    write_all(
        connection,
        [
            Write(
                "clearing_cell",
                ("tenant", "cycle_id", "creditor", "netting", "debts", "gross_fen"),
                [(c.tenant, cycle.id, c.creditor, c.netting, c.debts, c.gross.fen) for c in cells],
            ),
            Write(
                "clearing_position",
                ("tenant", "cycle_id", "payable_fen", "receivable_fen"),
                [(tenant, cycle.id, p.payable.fen, p.receivable.fen) for tenant, p in found.items()],
            ),
        ],
    )


def position_details(tenant: str, position: Position, cells: Iterable[Cell]) -> dict[str, Json]:
    """What the tenant's chain says of its position: what it owes whom, and who owes it."""
    owes: list[Json] = []
    owed: list[Json] = []
    for cell in cells:
        if tenant in {cell.tenant, cell.creditor}:
            other = cell.creditor if cell.tenant == tenant else cell.tenant
            said: Json = {"with": other, "netting": cell.netting, "debts": cell.debts, "gross": str(cell.gross)}
            (owes if cell.tenant == tenant else owed).append(said)
    return {
        "payable": str(position.payable), "receivable": str(position.receivable), "net": str(position.net),
        "owes": owes, "owed": owed,
    }  # fmt: skip


def _require_confirmable(cycle: Cycle, position: StoredPosition, net: Money, actor: str) -> None:
    if position.confirmed_by is not None:
        raise Conflict(
            "position.confirmed", "该区域的头寸已由他人确认。", "Somebody else has confirmed this position already."
        )
    if cycle.state != "closed":
        raise _state(cycle)
    if cycle.closed_by == actor:
        raise Forbidden(
            "cycle.four_eyes",
            "关闭窗口的人不能确认头寸，须由区域财务人员确认。",
            "You closed the window; a position is confirmed by somebody else.",
        )
    if position.net != net:
        raise Conflict(
            "position.differs",
            f"确认的净额 {net:,} 元与系统的 {position.net:,} 元不符，请核对明细。",
            f"The net is {position.net:,} yuan, not {net:,}: compare the debts behind it.",
        )


def _tell(
    connection: Connection,
    cycle: Cycle,
    tenants: Iterable[str],
    action: str,
    states: tuple[str, str],
    actor: str,
    at: datetime,
) -> None:
    changes = [
        Change(tenant, actor, action, cycle.id, *states, details=_details(cycle)) for tenant in sorted(set(tenants))
    ]
    record(connection, changes, at)


def _details(cycle: Cycle) -> dict[str, Json]:
    return {"cycle": cycle.name, "agreement_set": cycle.agreement_set, "currency": cycle.currency}


def _state(cycle: Cycle) -> Conflict:
    words = {"open": "开放中", "closed": "已关闭", "confirmed": "已确认", "settled": "已结清"}
    return Conflict(
        "cycle.state",
        f"清算周期 {cycle.name} {words[cycle.state]}，不能进行此操作。",
        f"The cycle {cycle.name} is {cycle.state}: this is not possible, or somebody did it already.",
    )
