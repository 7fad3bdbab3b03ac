"""``/v1/tenants/{tenant}/came-back``: what the bank returned or rejected, corrected by two people, issued again.

The calls of ``/v1/claims/{id}/payee-corrections`` for obligations of every kind: a reward, matching money or what is
paid for another region has no claim of the tenant's own.
"""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from clearing.api.batches import READERS
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.api.reissues import CorrectionOrderSchema, CorrectionPageSchema, CorrectionSchema, DecisionSchema
from clearing.claims.handover import payee_digest
from settlement.payouts.came_back import list_came_back
from settlement.payouts.instruction import Account
from settlement.payouts.reissue import Proposal, decide, list_corrections, propose, reissue
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import not_found

blueprint = Noun(
    "came-back", __name__, url_prefix="/v1/tenants/<tenant>/came-back", description="退回待重付 / came back"
)


class CameBackSchema(Schema):
    """An obligation whose payment came back, and how far its re-issue has come."""

    obligation_id = fields.UUID(metadata={"description": "应付款，通常即申请 / as a rule the claim's id"})
    claim_no = text("申请编号 / number of the claim")
    kind = text("类别 / kind")
    scheme = text("券种 / scheme")
    mode = text("通用或通兑 / who is paid")
    amount = text("金额（元） / amount in yuan")
    batch_no = text("批次 / batch")
    instruction_id = fields.UUID()
    outcome = text("退回或被拒 / returned or rejected", enum=["returned", "rejected"])
    at = instant("时刻 / when")
    correction = text("账户更正进度 / correction of the account", enum=["none", "proposed", "cooling_off", "ready"])
    cooling_through = text("冷静期截止日 / cools off through", format="date")
    paid_twice = fields.Boolean(metadata={"description": "重复支付未退回 / paid twice, and once came back"})


class CameBackPageSchema(Schema):
    """A page of them."""

    items = fields.List(fields.Nested(CameBackSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class IssuedAgainSchema(Schema):
    """What is owed again."""

    obligation_id = fields.UUID(metadata={"description": "新的应付款 / the new obligation"})


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, CameBackPageSchema)
def get_came_back(query: dict[str, Any], tenant: str) -> Response:
    """List what came back and is not issued again."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        found, on = list_came_back(work.connection, tenant, after, limit + 1), shanghai_day(work.at)
        return Answer(page(found, limit, lambda each: each.json(on), lambda each: str(each.obligation_id)))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:obligation_id>/payee-corrections")
@needs(*READERS)
@blueprint.response(200, CorrectionPageSchema)
def get_obligation_corrections(tenant: str, obligation_id: UUID) -> Response:
    """List the corrections of the obligation's account, the oldest first."""

    def use_case(work: Work) -> Answer:
        found = list_corrections(work.connection, tenant, obligation_id)
        if not found:
            raise not_found("账户更正", "correction")
        return Answer({"items": [each.json() for each in found], "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:obligation_id>/payee-corrections")
@needs("batches:write")
@blueprint.arguments(CorrectionOrderSchema)
@blueprint.response(201, CorrectionSchema)
def propose_for_obligation(body: dict[str, Any], tenant: str, obligation_id: UUID) -> Response:
    """Propose another account for what came back."""
    service, given = current(), body["payee"]
    account = Account(given.account_name, given.account_number, given.bank_name, given.cnaps)
    proposal = Proposal(account, payee_digest(service.vault, account), body["reason"])

    def use_case(work: Work) -> Answer:
        actor = principal().subject
        made = propose(work.connection, tenant, obligation_id, proposal, service.office, actor, work.at)
        return Answer(made.json(), 201)

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:obligation_id>/payee-corrections/<uuid:correction_id>/decision")
@needs("batches:release")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, CorrectionSchema)
def decide_for_obligation(body: dict[str, Any], tenant: str, obligation_id: UUID, correction_id: UUID) -> Response:
    """Approve or refuse the account, by another person; three working days later it may be paid to."""

    def use_case(work: Work) -> Answer:
        if correction_id not in {each.id for each in list_corrections(work.connection, tenant, obligation_id)}:
            raise not_found("账户更正", "correction")
        actor = principal().subject
        made = decide(work.connection, tenant, correction_id, body["outcome"], body["reason"], actor, work.at)
        return Answer(made.json())

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:obligation_id>/reissue")
@needs("batches:write")
@blueprint.response(201, IssuedAgainSchema)
def reissue_obligation(tenant: str, obligation_id: UUID) -> Response:
    """Owe again what came back; a batch of kind ``reissue`` of its scheme and mode pays it to the corrected account."""
    office = current().office

    def use_case(work: Work) -> Answer:
        made = reissue(work.connection, tenant, obligation_id, office, principal().subject, work.at)
        return Answer({"obligation_id": str(made)}, 201)

    return in_transaction(use_case, (tenant,))
