"""Objections to items of every kind of batch by a reviewer; what they hold, and the decision that lets it be paid."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.batches import READERS as FINANCE
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.notices import MAX_CONTACT_CHARACTERS
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.claims.objections import Complaint, object_to_item
from clearing.claims.upheld import decide_upholding
from connectors.fields import MoneyField
from connectors.leaf import PatternField, TextField
from settlement.batches.batch import find_batch
from settlement.batches.held_items import HeldItem, list_held, resume
from settlement.batches.upholding import LOWERED, RETURNED, WITHDRAWN, Finding, Upholding, propose
from settlement.second_person import APPROVE, REFUSE
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO

blueprint = Noun(
    "held-items", __name__, url_prefix="/v1/tenants/<tenant>", description="异议与暂停 / objections to items"
)

READERS = (*FINANCE, "reviews:write")


class ItemObjectionSchema(Schema):
    """Which item of the batch must not be paid yet, why, and who said so."""

    claim_no = PatternField(r"[A-Z0-9-]{1,40}", "code.malformed", example="RW-JS-2024-0001")
    reason = TextField(MAX_REASON_CHARACTERS, about="异议理由 / why")
    contact = TextField(MAX_CONTACT_CHARACTERS, optional=True, about="异议人联系方式，加密保存 / kept encrypted")


class ResumeSchema(Schema):
    """Why the item may be paid after all."""

    reason = TextField(MAX_REASON_CHARACTERS, about="核查结论 / what was found")


class UpholdingRequestSchema(Schema):
    """That the objection is right, and what becomes of the item."""

    outcome = fields.String(
        required=True,
        validate=validate.OneOf((WITHDRAWN, LOWERED, RETURNED)),
        metadata={"description": "撤销、核减，或（重新拨付）退回更正账户 / how the item ends"},
    )
    keeps = MoneyField(optional=True, about="核减后仍拨付的金额（元） / what is still paid, where it is lowered")
    reason = TextField(MAX_REASON_CHARACTERS, about="核查结论 / what was found")


class FindingDecisionSchema(Schema):
    """What another person decides on the finding."""

    outcome = fields.String(required=True, validate=validate.OneOf((APPROVE, REFUSE)))
    reason = TextField(MAX_REASON_CHARACTERS, optional=True, about="不同意的理由 / why not")


class OpenFindingSchema(Schema):
    """A finding that waits for another person."""

    outcome = text("如何处理 / how the item ends", enum=[WITHDRAWN, LOWERED, RETURNED])
    keeps = text("仍拨付的金额（元） / what is still paid of it")
    reason = text("核查结论 / what was found")
    proposed_by = text("提出人 / who proposed it")


class UpholdingSchema(OpenFindingSchema):
    """A finding, as it was proposed or decided."""

    id = fields.UUID()
    obligation_id = fields.UUID()
    proposed_at = instant("提出时刻 / when")
    decision = text("决定 / the decision", enum=[APPROVE, REFUSE])


class HeldItemSchema(Schema):
    """An item that an objection took out of its batch."""

    obligation_id = fields.UUID()
    claim_no = text("编号 / number")
    kind = text("类别 / kind")
    scheme = text("券种 / scheme")
    mode = text("通用或通兑 / who is paid")
    enterprise = text("企业 / enterprise")
    provider = text("服务机构 / provider")
    amount = text("金额（元） / amount in yuan")
    held_at = instant("暂停时刻 / since when")
    batch_no = text("批次 / batch")
    made_by = text("异议人 / who objected")
    reason = text("理由 / why")
    state = text("状态 / state", enum=["on_hold", "owed"])
    finding = fields.Nested(OpenFindingSchema)


class HeldItemPageSchema(Schema):
    """A page of them."""

    items = fields.List(fields.Nested(HeldItemSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


@blueprint.post("/batches/<uuid:batch_id>/objections")
@needs("reviews:write")
@blueprint.arguments(ItemObjectionSchema)
@blueprint.response(201, description="taken out of the batch and held until it is decided")
def object_in_batch(body: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """Take one item of whatever kind out of its batch in publicity; the others go on."""

    def use_case(work: Work) -> Answer:
        objected_by_caller(work, tenant, batch_id, body)
        return Answer({"claim_no": body["claim_no"], "state": "on_hold"}, 201)

    return in_transaction(use_case, (tenant,))


@blueprint.get("/held-items")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, HeldItemPageSchema)
def get_held_items(query: dict[str, Any], tenant: str) -> Response:
    """List what objections hold and has no claim of its own: rewards, payments issued again, matching money."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        found = list_held(work.connection, tenant, after, limit + 1)
        return Answer(page(found, limit, HeldItem.json, lambda each: str(each.obligation_id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/held-items/<uuid:obligation_id>/resolution")
@needs("reviews:write")
@blueprint.arguments(ResumeSchema)
@blueprint.response(200, HeldItemSchema)
def resume_item(body: dict[str, Any], tenant: str, obligation_id: UUID) -> Response:
    """Decide that the item may be paid: the next batch of its kind takes it."""
    return in_transaction(
        lambda work: Answer(resumed_by_caller(work, tenant, obligation_id, body).json() | {"state": "owed"}), (tenant,)
    )


@blueprint.post("/held-items/<uuid:obligation_id>/upholding")
@needs("reviews:write")
@blueprint.arguments(UpholdingRequestSchema)
@blueprint.response(201, UpholdingSchema)
def propose_upholding(body: dict[str, Any], tenant: str, obligation_id: UUID) -> Response:
    """Propose to uphold the objection: the item is withdrawn, lowered, or goes back for another account."""
    return in_transaction(
        lambda work: Answer(proposed_by_caller(work, tenant, obligation_id, body).json() | {"decision": None}, 201),
        (tenant,),
    )


@blueprint.post("/held-items/<uuid:obligation_id>/upholding/decision")
@needs("reviews:write")
@blueprint.arguments(FindingDecisionSchema)
@blueprint.response(200, UpholdingSchema)
def decide_on_upholding(body: dict[str, Any], tenant: str, obligation_id: UUID) -> Response:
    """Decide on it, as another person: approved, the item ends as proposed; refused, it stays on hold."""
    return in_transaction(
        lambda work: Answer(
            decided_by_caller(work, tenant, obligation_id, body).json() | {"decision": body["outcome"]}
        ),
        (tenant,),
    )


def objected_by_caller(work: Work, tenant: str, batch_id: UUID, body: dict[str, Any]) -> None:
    """Object, as the caller; ``body`` is what :class:`ItemObjectionSchema` made."""
    batch = find_batch(work.connection, tenant, batch_id)
    complaint = Complaint(body["reason"], body["contact"])
    object_to_item(work, current().vault, batch, body["claim_no"], complaint, principal().subject)


def resumed_by_caller(work: Work, tenant: str, obligation_id: UUID, body: dict[str, Any]) -> HeldItem:
    """Let the item be paid, as the caller."""
    return resume(work.connection, tenant, obligation_id, body["reason"], principal().subject, work.at)


def proposed_by_caller(work: Work, tenant: str, obligation_id: UUID, body: dict[str, Any]) -> Upholding:
    """Propose to uphold the objection, as the caller; ``body`` is what :class:`UpholdingRequestSchema` made."""
    finding = Finding(body["outcome"], body["keeps"] or ZERO, body["reason"])
    return propose(work.connection, tenant, obligation_id, finding, principal().subject, work.at)


def decided_by_caller(work: Work, tenant: str, obligation_id: UUID, body: dict[str, Any]) -> Upholding:
    """Decide on the finding, as the caller; ``body`` is what :class:`FindingDecisionSchema` made."""
    vault, subject = current().vault, principal().subject
    return decide_upholding(work, vault, tenant, obligation_id, body["outcome"], body["reason"], subject)
