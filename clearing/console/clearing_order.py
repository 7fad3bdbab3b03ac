"""One order between regions at the bank: sent, answered, and remedied by two people where it came back."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_acts import office
from clearing.api.clearing_orders import (
    RemedyOrderSchema,
    attached_order_file,
    order_imported_by_caller,
    order_sent_by_caller,
    remedy_decided_by_caller,
    remedy_proposed_by_caller,
    shown_order,
)
from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.api.reissues import DecisionSchema
from clearing.console.bank_file import let_files_be_large, taken_in
from clearing.console.forms import plain_form
from clearing.console.language import said
from clearing.console.screen import act, as_api, screen, show, within
from settlement.cycles.clearing_order import Order, find_order
from settlement.cycles.cycle import find_cycle
from settlement.cycles.order_file import bank_of
from settlement.cycles.order_receipts import MISSING, missing_word
from settlement.cycles.order_remedies import REMEDIES
from settlement.statements.reconciliation import Imported
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("clearing_order", "/clearing/orders/<tenant>/<uuid:order_id>")

let_files_be_large(blueprint, "console_clearing_order.hand_in")


@blueprint.get("")
@as_api("clearing-orders.get_order")
def order_page(tenant: str, order_id: UUID) -> Response:
    """What was ordered, what the bank told, and what came of it."""
    return _page(tenant, order_id)


@blueprint.get("/file")
@as_api("clearing-orders.get_order_file")
def download_file(tenant: str, order_id: UUID) -> Response:
    """Download the order's payment file."""
    return attached_order_file(tenant, order_id)


@blueprint.post("/sending")
@as_api("clearing-orders.send_clearing_order")
def send(tenant: str, order_id: UUID) -> AnyResponse:
    """Send the order; ordering it again changes nothing."""
    return act(
        lambda: within(lambda work: order_sent_by_caller(work, tenant, order_id), (tenant,)),
        lambda problem: _page(tenant, order_id, problem),
        f"{_place(tenant, order_id)}?done=bank-ordered",
    )


@blueprint.post("/statements")
@as_api("clearing-orders.post_order_statement")
def hand_in(tenant: str, order_id: UUID) -> AnyResponse:
    """Import a bank's answer about the account that pays the order."""

    def leads_to(imported: Imported) -> str:
        done = "statement-known" if imported.before else "statement-imported"
        return f"{_place(tenant, order_id)}?done={done}"

    return act(
        lambda: taken_in(tenant, lambda work, path: order_imported_by_caller(work, tenant, order_id, path)),
        lambda problem: _page(tenant, order_id, problem),
        leads_to,
    )


@blueprint.post("/remedies")
@as_api("clearing-orders.post_remedy")
def propose(tenant: str, order_id: UUID) -> AnyResponse:
    """Propose what is to become of an order that came back."""

    def use_case(work: Work) -> None:
        given = load(RemedyOrderSchema(), plain_form("kind", "reason", required=("kind", "reason")))
        remedy_proposed_by_caller(work, tenant, order_id, given)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, order_id, problem),
        f"{_place(tenant, order_id)}?done=remedy-proposed",
    )


@blueprint.post("/remedies/<uuid:remedy_id>")
@as_api("clearing-orders.decide_remedy")
def decide(tenant: str, order_id: UUID, remedy_id: UUID) -> AnyResponse:
    """Approve or refuse a remedy, by another person."""

    def use_case(work: Work) -> None:
        given = load(DecisionSchema(), plain_form("outcome", "reason", required=("outcome",)))
        remedy_decided_by_caller(work, tenant, order_id, remedy_id, given)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, order_id, problem),
        f"{_place(tenant, order_id)}?done=remedy-decided",
    )


def _page(tenant: str, order_id: UUID, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> dict[str, Any]:
        order = find_order(work.connection, tenant, order_id, office())
        cycle = None if order.cycle_id is None else find_cycle(work.connection, order.cycle_id)
        return {
            "order": shown_order(work, tenant, order_id),
            "amount": order.amount,
            "created_at": order.created_at,
            "received_at": order.received_at,
            "missing": missing_said(work, order),
            "cycle": cycle,
            "batch_id": order.batch_id,
            "connected": bank_of(work.connection, order, current().banks) is not None,
            "whole": order.debtor is not None and order.creditor is not None,
        }

    status = HTTPStatus.OK if problem is None else problem.status
    shown = within(use_case, (tenant,))
    return show(
        "clearing_order.html",
        status,
        tenant=tenant,
        problem=problem,
        remedies=REMEDIES,
        me=principal().subject,
        **shown,
    )


def missing_said(work: Work, order: Order) -> str | None:
    """Which of the two banks' words is missing, in the page's language."""
    code = missing_word(work.connection, order, shanghai_day(work.at))
    return None if code is None else said(MISSING[code])


def _place(tenant: str, order_id: UUID) -> str:
    return f"/console/clearing/orders/{tenant}/{order_id}"
