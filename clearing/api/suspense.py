"""``/v1/tenants/{tenant}/suspense``: movements at the bank without an explanation, explained by two people."""

import re
from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import MAX_REASON_CHARACTERS, READERS
from clearing.api.cycles import OPERATOR, operated
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, cursor_id, page, read_cursor
from connectors.fields import MoneyField, UuidField
from connectors.leaf import IntegerField, TextField
from settlement.cycles.clearing_order import find_order
from settlement.cycles.cycle import find_cycle
from settlement.matching_back import reach_linked
from settlement.second_person import APPROVE, REFUSE
from settlement.statements.matching import CLASSES
from settlement.statements.order_explanations import CARRY
from settlement.statements.suspense import KINDS, Explanation, Movement, decide, propose
from settlement.statements.suspense_records import (
    Resolution,
    find_resolution,
    list_resolutions,
    list_suspense,
)
from tenants.kernel.database import Work
from tenants.kernel.errors import Forbidden
from tenants.kernel.money import ZERO

blueprint = Noun("suspense", __name__, url_prefix="/v1/tenants/<tenant>/suspense", description="待查款项 / suspense")

MAX_LINES: Final = 100
MAX_LINE: Final = 2_000_000


class SuspenseLineSchema(Schema):
    """A movement that nobody has explained in full."""

    statement_id = fields.UUID()
    batch_id = fields.UUID(metadata={"description": "导入时所在批次 / the batch at which the file was handed in"})
    handed_in_at_order = fields.UUID(metadata={"description": "或清算指令 / or the order between tenants"})
    line = fields.Integer(metadata={"description": "行号 / line"})
    kind = text("借记或贷记 / whether money left or came", enum=["debit", "credit"])
    class_ = fields.String(data_key="class", metadata={"description": "分类 / class", "enum": list(CLASSES)})
    amount = text("金额（元） / amount in yuan")
    left = text("尚未说明（元） / not explained yet")
    proposed = text("待复核（元） / explained by one person, waiting for another")
    end_to_end_id = text("端到端标识 / end-to-end id")
    instruction_id = fields.UUID()
    order_id = fields.UUID(metadata={"description": "所写的区域间清算指令 / the order between tenants that it names"})
    payee = text("对方户名 / the other side")
    account_number = text("对方账号（末四位） / last four digits")
    booked_on = text("记账日 / booked on", format="date")
    bank_reference = text("银行流水号 / the bank's reference")
    reason = text("原因 / reason")
    imported_at = instant("导入时刻 / when it was imported")


class SuspensePageSchema(Schema):
    """A page of movements."""

    items = fields.List(fields.Nested(SuspenseLineSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class SuspenseMovementSchema(Schema):
    """A line in suspense, or part of it."""

    statement_id = UuidField()
    line = IntegerField(1, MAX_LINE, about="行号 / line")
    amount = MoneyField(optional=True, about="缺省为尚未说明的全部 / default: all that is not explained")


class SuspenseExplanationSchema(Schema):
    """What a person says of movements."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(KINDS),
        metadata={
            "description": "assign：属于某条指令；carry：按实付金额结转清算指令的差额；reversed：相互抵销；"
            "unrelated：与本系统无关 / an instruction's or an order's, its difference carried, undone by each other, "
            "or nothing to do with what was ordered"
        },
    )
    lines = fields.List(fields.Nested(SuspenseMovementSchema), required=True, validate=validate.Length(1, MAX_LINES))
    instruction_id = UuidField(optional=True)
    order_id = UuidField(optional=True)
    charge = MoneyField(optional=True, about="银行扣收的手续费，仅用于清算指令 / what banks took, of an order only")
    reason = TextField(MAX_REASON_CHARACTERS, about="理由 / why")


class SuspensePartSchema(Schema):
    """What an explanation takes of one line."""

    statement_id = fields.UUID()
    line = fields.Integer()
    kind = text("借记或贷记 / debit or credit")
    amount = text("金额（元） / amount in yuan")


class SuspenseResolutionSchema(Schema):
    """An explanation, with its decision where there is one."""

    id = fields.UUID()
    kind = text("类别 / kind", enum=list(KINDS))
    instruction_id = fields.UUID()
    order_tenant = text("清算指令的区域 / whose order it is")
    order_id = fields.UUID(metadata={"description": "清算指令 / the order between tenants"})
    outcome = text("指令结果 / what it makes of it", enum=["paid", "returned", "received"])
    amount = text("金额（元） / amount in yuan")
    charge = text("手续费（元） / what banks took, in yuan")
    reason = text("理由 / why")
    proposed_by = text("提出人 / who proposed it")
    proposed_at = instant("提出时刻 / when")
    decision = text("决定 / decision", enum=[APPROVE, REFUSE])
    decided_by = text("复核人 / who decided")
    decided_at = instant("复核时刻 / when")
    decision_reason = text("复核意见 / why")
    lines = fields.List(fields.Nested(SuspensePartSchema))


class SuspenseResolutionPageSchema(Schema):
    """A page of explanations."""

    items = fields.List(fields.Nested(SuspenseResolutionSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class SuspenseResolutionQuerySchema(PageSchema):
    """Which explanations."""

    waiting = fields.Boolean(load_default=False, metadata={"description": "仅待复核 / only those without a decision"})


class SuspenseDecisionSchema(Schema):
    """What another person says of it."""

    outcome = fields.String(required=True, validate=validate.OneOf((APPROVE, REFUSE)))
    reason = TextField(MAX_REASON_CHARACTERS, optional=True, about="不同意时必填 / needed for a refusal")


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, SuspensePageSchema)
def get_suspense(query: dict[str, Any], tenant: str) -> Response:
    """List the movements that are not explained in full, the oldest first."""
    limit, after = query["limit"], suspense_place(query["cursor"])

    def use_case(work: Work) -> Answer:
        found = list_suspense(work.connection, tenant, after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(), lambda each: f"{each.statement_id}/{each.line}"))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/resolutions")
@needs(*READERS)
@blueprint.arguments(SuspenseResolutionQuerySchema, location="query")
@blueprint.response(200, SuspenseResolutionPageSchema)
def get_resolutions(query: dict[str, Any], tenant: str) -> Response:
    """List explanations, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        found = list_resolutions(work.connection, tenant, after, limit + 1, waiting=query["waiting"])
        return Answer(page(found, limit, lambda each: each.json(), lambda each: str(each.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/resolutions")
@needs("batches:write")
@blueprint.arguments(SuspenseExplanationSchema)
@blueprint.response(201, SuspenseResolutionSchema)
def post_resolution(body: dict[str, Any], tenant: str) -> Response:
    """Propose what movements were; nothing is booked before another person approves it."""

    def use_case(work: Work) -> Answer:
        made = proposed_by_caller(work, tenant, body)
        location = f"/v1/tenants/{tenant}/suspense/resolutions/{made.id}"
        return Answer(made.json(), 201, {"Location": location})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/resolutions/<uuid:resolution_id>")
@needs(*READERS)
@blueprint.response(200, SuspenseResolutionSchema)
def get_resolution(tenant: str, resolution_id: UUID) -> Response:
    """One explanation."""
    return in_transaction(
        lambda work: Answer(find_resolution(work.connection, tenant, resolution_id).json()), (tenant,)
    )


@blueprint.post("/resolutions/<uuid:resolution_id>/decision")
@needs("batches:release", OPERATOR)
@blueprint.arguments(SuspenseDecisionSchema)
@blueprint.response(200, SuspenseResolutionSchema)
def post_decision(body: dict[str, Any], tenant: str, resolution_id: UUID) -> Response:
    """Approve and book an explanation, or refuse it; never by who proposed it. What is carried takes the operator."""
    return in_transaction(lambda work: Answer(decided_by_caller(work, tenant, resolution_id, body).json()), (tenant,))


def proposed_by_caller(work: Work, tenant: str, body: dict[str, Any]) -> Resolution:
    """Propose what movements were, as the caller; ``body`` is what :class:`SuspenseExplanationSchema` made."""
    movements = [Movement(each["statement_id"], each["line"], each["amount"]) for each in body["lines"]]
    charge = ZERO if body["charge"] is None else body["charge"]
    said = Explanation(body["kind"], movements, body["instruction_id"], body["reason"], body["order_id"], charge)
    return propose(work.connection, tenant, said, principal().subject, work.at)


def decided_by_caller(work: Work, tenant: str, resolution_id: UUID, body: dict[str, Any]) -> Resolution:
    """Approve or refuse an explanation, as the caller; ``body`` is what :class:`SuspenseDecisionSchema` made.

    Raises:
        Forbidden: ``scope.missing``: what was explained is finance's to decide, what is carried the operator's.
    """
    found = find_resolution(work.connection, tenant, resolution_id)
    if not principal().may(OPERATOR if found.kind == CARRY else "batches:release"):
        raise Forbidden(
            "scope.missing",
            "结转差额会改动多个区域的账簿，须由清算运营人员决定；其他说明由财务放行人复核。",
            "What is carried changes several regions' books: the operator decides; the rest is for who releases.",
        )
    if found.kind == CARRY:
        order = find_order(work.connection, tenant, found.order_id or resolution_id, current().office)
        operated(work, find_cycle(work.connection, order.cycle_id or resolution_id).agreement_set)
    reach_linked(work, tenant)
    actor, office = principal().subject, current().office
    return decide(work.connection, tenant, resolution_id, body["outcome"], body["reason"], actor, work.at, office)


def suspense_place(cursor: str | None) -> tuple[UUID, int] | None:
    """The line behind which a page starts.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    if key is None:
        return None
    statement, _, line = key.partition("/")
    if not _PLACE.fullmatch(key):
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.")
    return UUID(statement), int(line)


_PLACE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]{1,7}", re.ASCII)
