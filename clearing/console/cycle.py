"""One clearing window: who owes whom as a heat map and as flows, netted each way, confirmed, ordered and settled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_acts import office
from clearing.api.cycles import (
    ConfirmationSchema,
    closed_by_caller,
    confirmed_by_caller,
    everyone,
    settled_by_caller,
)
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.console.chart import Chart, Flow, heat_map, sankey
from clearing.console.clearing_order import missing_said
from clearing.console.filters import link, tenant_name
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, may, screen, show, within
from settlement.agreements.agreement import all_in_force
from settlement.cycles.clearing_order import list_orders
from settlement.cycles.cycle import Cycle, cells_of, cells_of_debts, positions_of, shown_cycle
from settlement.cycles.exposure import exposures, open_holds_of
from settlement.cycles.netting import Cell, bilateral, positions
from settlement.cycles.order_file import can_be_sent
from settlement.cycles.order_outcomes import by_bank
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import ZERO, Money

blueprint = screen("cycle", "/clearing/<uuid:cycle_id>")

VIEWS: Final = ("gross", "bilateral", "multilateral")
ORDERS: Final = "cycles.get_orders"
FULL: Final = 1000
"""A bar's whole length."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of the table beside the chart: who pays whom, and the pages with the claims behind it."""

    payer: str
    payee: str
    debts: int | None
    amount: Money
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one side of an agreement owes the other and has not settled; ``bar`` is its share of the limit in 1/1000."""

    debtor: str
    creditor: str
    owed: Money
    limit: Money | None
    approver: str | None

    @property
    def bar(self) -> int:
        """How much of the limit is used, in thousandths; at most the whole of it."""
        return min(FULL, self.owed.fen * FULL // self.limit.fen) if self.limit else 0


@blueprint.get("")
@as_api("cycles.get_cycle", "cycles.get_positions")
def cycle_page(cycle_id: UUID) -> Response:
    """The window."""
    return _page(cycle_id)


@blueprint.post("/confirmation")
@as_api("cycles.post_confirmation")
def confirm_position(cycle_id: UUID) -> AnyResponse:
    """Confirm one region's position, as the person saw it."""
    tenants = everyone()

    def use_case(work: Work) -> None:
        given = load(ConfirmationSchema(), plain_form("tenant", "net", required=("tenant", "net")))
        confirmed_by_caller(work, cycle_id, given, tenants)

    return _acted(cycle_id, use_case, tenants, "cycle-confirmed")


@blueprint.post("/close")
@as_api("cycles.close_cycle")
def close_window(cycle_id: UUID) -> AnyResponse:
    """Fix the window's matrix and positions; the next window opens."""
    tenants = everyone()
    return _acted(cycle_id, lambda work: closed_by_caller(work, cycle_id, tenants), tenants, "cycle-closed")


@blueprint.post("/settle")
@as_api("cycles.settle_cycle")
def settle_window(cycle_id: UUID) -> AnyResponse:
    """Declare that everything ordered has been paid."""
    tenants = everyone()
    return _acted(cycle_id, lambda work: settled_by_caller(work, cycle_id, tenants), tenants, "cycle-settled")


def _acted(cycle_id: UUID, use_case: Callable[[Work], Any], tenants: tuple[str, ...], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, tenants),
        lambda problem: _page(cycle_id, problem),
        f"/console/clearing/{cycle_id}?done={done}",
    )


def _page(cycle_id: UUID, problem: Problem | None = None) -> Response:
    view = request.args.get("view", "")
    view = view if view in VIEWS else VIEWS[0]
    shown = within(lambda work: _read(work, cycle_id))
    lines = _lines(shown["cycle"], view, shown["cells"])
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "cycle.html", status, problem=problem, view=view, views=VIEWS, lines=lines, charts=_charts(view, lines),
        total=sum((line.amount for line in lines if line.payer), ZERO), **shown,
    )  # fmt: skip


def _read(work: Work, cycle_id: UUID) -> dict[str, Any]:
    tenants, connection = principal().tenants, work.connection
    cycle = shown_cycle(connection, cycle_id)
    stored = [] if cycle.state == "open" else positions_of(connection, cycle.id, tenants)
    orders = list_orders(connection, cycle_id, tenants, office())
    cells = (cells_of_debts if cycle.state == "open" else cells_of)(connection, cycle.id, tenants)
    return {
        "cycle": cycle,
        "cells": cells,
        "positions": stored or [(tenant, each) for tenant, each in positions(cells).items() if tenant in tenants],
        "fixed": bool(stored),
        "orders": orders if may(ORDERS) else [],
        "missing": {each.id: missing_said(work, each) for each in orders},
        "by_bank": by_bank(connection, cycle.id)
        or any(can_be_sent(connection, each, office().banks) for each in orders),
        "exposed": _exposed(work, tenants),
        "holds": open_holds_of(connection, tenants),
    }


def _exposed(work: Work, tenants: Sequence[str]) -> list[Exposed]:
    """What is owed and not settled between the person's regions and others, against the limits in force."""
    owed = exposures(work.connection, tenants)
    agreements = all_in_force(work.connection, tenants, shanghai_day(work.at))
    limits = {frozenset((each.tenant, each.counterparty)): each for each in agreements}
    found = []
    for (debtor, creditor), amount in sorted(owed.items()):
        agreement = limits.get(frozenset((debtor, creditor)))
        limit, approver = (None, None) if agreement is None else (agreement.exposure_limit, agreement.exposure_approver)
        found.append(Exposed(debtor, creditor, amount, limit, approver))
    return found


def _lines(cycle: Cycle, view: str, cells: Sequence[Cell]) -> list[Line]:
    """The figures of the view; each opens down to the claims that it is made of."""

    def behind(debtor: str | None, creditor: str | None) -> str:
        return link(f"/console/clearing/{cycle.id}/debts", {}, debtor=debtor, creditor=creditor)

    if view == "gross":
        return [
            Line(cell.tenant, cell.creditor, cell.debts, cell.gross, (behind(cell.tenant, cell.creditor),))
            for cell in cells
        ]
    if view == "bilateral":
        return [
            Line(payer, payee, None, amount, (behind(payer, payee), behind(payee, payer)))
            for (payer, payee), amount in bilateral(cells).items()
        ]
    own = principal().tenants
    nets = {tenant: each.net for tenant, each in positions(cells).items() if tenant in own and each.net}
    pages = {tenant: (behind(tenant, None), behind(None, tenant)) for tenant in nets}
    return [
        Line(tenant, "", None, Money(-net.fen), pages[tenant])
        if net < ZERO
        else Line("", tenant, None, net, pages[tenant])
        for tenant, net in nets.items()
    ]


def _charts(view: str, lines: Sequence[Line]) -> list[Chart]:
    if not lines:
        return []
    agent = _("清算专户")
    flows = [
        Flow(
            tenant_name(line.payer) if line.payer else agent,
            tenant_name(line.payee) if line.payee else agent,
            line.amount,
            line.behind[0],
        )
        for line in lines
    ]
    labels = {
        "gross": _("总额：谁欠谁多少，按欠款方与收款方"),
        "bilateral": _("双边轧差后：谁付给谁多少"),
        "multilateral": _("多边轧差后：各区域应付或应收多少，中间为清算专户"),
    }
    flowing = sankey(labels[view], flows, agent if view == "multilateral" else None)
    if view == "multilateral":
        return [flowing]
    return [heat_map(labels[view], (_("欠款方"), _("收款方")), flows), flowing]
