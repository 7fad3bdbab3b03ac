"""``/v1/clearing/cycles``: windows of debts between tenants, their positions, confirmations and orders."""

import re
from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batch_acts import office
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, cursor_id, page, read_cursor
from connectors.faults import Fault
from connectors.leaf import CodeField, Leaf
from settlement.agreements.agreement import DEFAULT_SET, members
from settlement.cycles.clearing_order import list_orders
from settlement.cycles.cycle import (
    CURRENCY,
    Cycle,
    StoredPosition,
    ensure_open,
    find_cycle,
    list_cycles,
    shown_cycle,
)
from settlement.cycles.cycle_debts import Debt, list_debts
from settlement.cycles.cycle_steps import close, confirm, settle
from settlement.cycles.figures import figures_json
from settlement.cycles.order_receipts import missing_json, missing_words
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict, Forbidden, not_found
from tenants.kernel.money import Money

blueprint = Noun("cycles", __name__, url_prefix="/v1/clearing", description="清算周期 / clearing cycles")

OPERATOR: Final = "clearing:operate"
READERS: Final = (OPERATOR, "batches:write", "batches:release", "audit:read")
TENANT: Final = r"[a-z][a-z0-9-]{1,30}"
_SIGNED_YUAN: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,12})\.[0-9]{2}", re.ASCII)


class NetField(Leaf[Money]):
    """A net position in yuan with two decimals; below zero where the tenant has to pay."""

    def __init__(self) -> None:
        super().__init__(
            _net, {"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,12})\.[0-9]{2}$", "examples": ["-1250.00"]}
        )


def _net(value: object) -> Money:
    if type(value) is not str:
        raise Fault("money.text_expected")
    if not _SIGNED_YUAN.fullmatch(value):
        raise Fault("money.malformed")
    amount = Money.parse(value.removeprefix("-"))
    return Money(-amount.fen) if value.startswith("-") else amount


class WindowSchema(Schema):
    """Which window."""

    agreement_set = fields.String(load_default=DEFAULT_SET, validate=validate.Regexp(rf"{TENANT}\Z"))
    currency = fields.String(load_default=CURRENCY, validate=validate.OneOf([CURRENCY]))


class CycleQuerySchema(PageSchema):
    """The filters of the list of cycles."""

    state = fields.String(validate=validate.OneOf(("open", "closed", "confirmed", "settled")))
    agreement_set = fields.String(validate=validate.Regexp(rf"{TENANT}\Z"))


class ConfirmationSchema(Schema):
    """Whose position, and what finance takes it to be."""

    tenant = CodeField(TENANT, example="jiashan")
    net = NetField()


class DebtQuerySchema(PageSchema):
    """Which cell of the matrix."""

    debtor = fields.String(load_default=None, validate=validate.Regexp(rf"{TENANT}\Z"))
    creditor = fields.String(load_default=None, validate=validate.Regexp(rf"{TENANT}\Z"))


@blueprint.post("/cycles")
@needs(OPERATOR)
@blueprint.arguments(WindowSchema)
def open_cycle(body: dict[str, Any]) -> Response:
    """Open the set's window where none is open, else answer the open one: a set never has two."""

    def use_case(work: Work) -> Answer:
        cycle = opened_by_caller(work, body["agreement_set"])
        return Answer(cycle.json(), headers={"Location": f"/v1/clearing/cycles/{cycle.id}"})

    return in_transaction(use_case, everyone())


@blueprint.get("/cycles")
@needs(*READERS)
@blueprint.arguments(CycleQuerySchema, location="query")
def get_cycles(query: dict[str, Any]) -> Response:
    """List the cycles, newest first."""
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))

    def use_case(work: Work) -> Answer:
        cycles = list_cycles(work.connection, query, after, limit + 1)
        return Answer(page(cycles, limit, lambda each: each.json(), lambda each: str(each.id)))

    return in_transaction(use_case)


@blueprint.get("/cycles/<uuid:cycle_id>")
@needs(*READERS)
def get_cycle(cycle_id: UUID) -> Response:
    """One cycle."""
    return in_transaction(lambda work: Answer(shown_cycle(work.connection, cycle_id).json()))


@blueprint.post("/cycles/<uuid:cycle_id>/close")
@needs(OPERATOR)
def close_cycle(cycle_id: UUID) -> Response:
    """Close the window: its matrix and positions are fixed, and the next window opens."""
    tenants = everyone()

    return in_transaction(lambda work: Answer(closed_by_caller(work, cycle_id, tenants).json()), tenants)


@blueprint.post("/cycles/<uuid:cycle_id>/settle")
@needs(OPERATOR)
def settle_cycle(cycle_id: UUID) -> Response:
    """Declare that everything ordered has been paid."""
    tenants = everyone()

    return in_transaction(lambda work: Answer(settled_by_caller(work, cycle_id, tenants).json()), tenants)


@blueprint.get("/cycles/<uuid:cycle_id>/positions")
@needs(*READERS)
def get_positions(cycle_id: UUID) -> Response:
    """The caller's tenants' positions and what stands between each and the others; of an open window, as of now."""
    tenants = principal().tenants

    def use_case(work: Work) -> Answer:
        cycle = shown_cycle(work.connection, cycle_id)
        figures = figures_json(work.connection, cycle, tenants)
        shown: dict[str, Json] = {name: [*each] for name, each in figures.items()}
        return Answer({"cycle": cycle.name, "state": cycle.state, **shown})

    return in_transaction(use_case)


@blueprint.get("/cycles/<uuid:cycle_id>/debts")
@needs(*READERS)
@blueprint.arguments(DebtQuerySchema, location="query")
def get_debts(query: dict[str, Any], cycle_id: UUID) -> Response:
    """List the claims behind a figure: of one cell where debtor and creditor are named, else all of the caller's."""
    limit, after = query["limit"], debt_place(query["cursor"])

    def use_case(work: Work) -> Answer:
        shown_cycle(work.connection, cycle_id)
        debts = list_debts(
            work.connection, cycle_id, principal().tenants, query["debtor"], query["creditor"], after, limit + 1
        )
        return Answer(page(debts, limit, Debt.json, lambda debt: f"{debt.tenant} {debt.claim_id}"))

    return in_transaction(use_case)


@blueprint.post("/cycles/<uuid:cycle_id>/confirmations")
@needs("batches:release")
@blueprint.arguments(ConfirmationSchema)
def post_confirmation(body: dict[str, Any], cycle_id: UUID) -> Response:
    """Confirm one tenant's position, saying its net; the last confirmation brings about the signed orders."""
    tenants = everyone()
    return in_transaction(lambda work: Answer(confirmed_by_caller(work, cycle_id, body, tenants).json()), tenants)


@blueprint.get("/cycles/<uuid:cycle_id>/orders")
@needs("batches:write", "batches:release")
def get_orders(cycle_id: UUID) -> Response:
    """The caller's tenants' signed orders to pay in, pay out or pay each other; none before all have confirmed."""

    def use_case(work: Work) -> Answer:
        shown_cycle(work.connection, cycle_id)
        orders = list_orders(work.connection, cycle_id, principal().tenants, office())
        missing = missing_words(work.connection, orders, shanghai_day(work.at))
        items: list[Json] = [
            order.json() | {"missing": missing_json(code)} for order, code in zip(orders, missing, strict=True)
        ]
        return Answer({"items": items, "next_cursor": None})

    return in_transaction(use_case)


def opened_by_caller(work: Work, agreement_set: str) -> Cycle:
    """The set's open window, opened as the caller where there is none; as in all steps, everyone must be bound."""
    concerned = operated(work, agreement_set)
    return ensure_open(work.connection, agreement_set, concerned, principal().subject, work.at)


def closed_by_caller(work: Work, cycle_id: UUID, tenants: tuple[str, ...]) -> Cycle:
    """Close the window, as the caller."""
    operated(work, find_cycle(work.connection, cycle_id).agreement_set)
    return close(work.connection, cycle_id, tenants, principal().subject, work.at)


def settled_by_caller(work: Work, cycle_id: UUID, tenants: tuple[str, ...]) -> Cycle:
    """Declare the window settled, as the caller."""
    operated(work, find_cycle(work.connection, cycle_id).agreement_set)
    return settle(work.connection, cycle_id, tenants, office(), principal().subject, work.at)


def confirmed_by_caller(work: Work, cycle_id: UUID, given: dict[str, Any], tenants: tuple[str, ...]) -> StoredPosition:
    """Confirm one of the caller's tenants' position; ``given`` is what :class:`ConfirmationSchema` made.

    Raises:
        NotFound: the tenant is none of the caller's.
    """
    caller = principal()
    if given["tenant"] not in caller.tenants:
        raise not_found("清算头寸", "position")
    return confirm(work.connection, cycle_id, given["tenant"], given["net"], tenants, office(), caller.subject, work.at)


def everyone() -> tuple[str, ...]:
    """All tenants: what a step on a whole window is bound to."""
    service = current()

    def tenants(work: Work) -> tuple[str, ...]:
        return tuple(work.connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())

    return run(service.engine, Scope(()), service.machine, tenants)


def operated(work: Work, agreement_set: str) -> list[str]:
    """The members of a set, for all of whom the caller must act.

    Raises:
        Conflict: ``agreement_set.empty``.
        Forbidden: ``clearing.tenants``.
    """
    concerned = members(work.connection, agreement_set)
    if not concerned:
        raise Conflict("agreement_set.empty", "该协议组没有生效的垫付协议。", "No agreement of this set is approved.")
    if not set(concerned) <= set(principal().tenants):
        raise Forbidden(
            "clearing.tenants",
            "清算操作须由覆盖该协议组全部区域的运营人员进行。",
            "A window is operated by somebody who acts for every tenant of its set.",
        )
    return concerned


def debt_place(cursor: str | None) -> tuple[str, UUID] | None:
    """The debt behind which a page starts.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    if key is None:
        return None
    tenant, _, claim_id = key.partition(" ")
    try:
        place = tenant, UUID(claim_id)
    except ValueError:
        place = None
    if place is None or not tenant.isprintable():
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.")
    return place
