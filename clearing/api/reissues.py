"""``/v1/claims/{id}/payee-corrections`` and ``/reissue``: what came back gets another account, and is paid again."""

from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.batches import READERS as BATCH_READERS
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun
from clearing.claims.handover import payee_digest
from clearing.claims.records import view_claim
from connectors.claim_schema import PayeeSchema
from connectors.leaf import TextField
from settlement.payouts.instruction import Account
from settlement.payouts.reissue import Correction, Proposal, decide, list_corrections, propose, reissue
from settlement.second_person import APPROVE, REFUSE
from tenants.kernel.database import Work
from tenants.kernel.errors import not_found

blueprint = Noun("reissues", __name__, url_prefix="/v1/claims", description="退汇与重新拨付 / returns and re-issue")

READERS: Final = (*BATCH_READERS, "reviews:write")


class CorrectionOrderSchema(Schema):
    """The account to be paid instead of the one that the bank could not pay."""

    payee = fields.Nested(PayeeSchema, required=True)
    reason = TextField(MAX_REASON_CHARACTERS, about="更正理由 / why")


class DecisionSchema(Schema):
    """What another person says of it."""

    outcome = fields.String(required=True, validate=validate.OneOf((APPROVE, REFUSE)))
    reason = TextField(MAX_REASON_CHARACTERS, optional=True, about="不同意时必填 / needed for a refusal")


class CorrectionSchema(Schema):
    """A proposed account and its decision; the account number is masked."""

    id = fields.UUID()
    account_name = text("户名 / account name")
    account_number = text("账号（末四位） / last four digits")
    bank_name = text("开户银行 / bank")
    cnaps = text("联行号 / line number of the bank")
    reason = text("更正理由 / why")
    proposed_by = text("提出人 / who proposed it")
    proposed_at = instant("提出时刻 / when")
    outcome = text("决定 / decision", enum=[APPROVE, REFUSE])
    decided_by = text("复核人 / who decided")
    decided_at = instant("复核时刻 / when")
    decision_reason = text("复核意见 / why")
    cooling_through = text("冷静期截止日，次日起可重新拨付 / paid from the day after", format="date")


class CorrectionPageSchema(Schema):
    """A claim's corrections."""

    items = fields.List(fields.Nested(CorrectionSchema))
    next_cursor = text("总是 null / always null")


class ReissueSchema(Schema):
    """What is owed again."""

    claim_id = fields.UUID()
    obligation_id = fields.UUID(metadata={"description": "批次明细中的 claim_id / the claim_id of its batch item"})
    state = text("申请状态 / the claim's state")


@blueprint.post("/<uuid:claim_id>/payee-corrections")
@needs("batches:write")
@blueprint.arguments(CorrectionOrderSchema)
@blueprint.response(201, CorrectionSchema)
def propose_correction(body: dict[str, Any], claim_id: UUID) -> Response:
    """Propose another account for a claim whose payment came back."""
    return in_transaction(lambda work: _shown(proposed_by_caller(work, claim_id, body), 201))


def proposed_by_caller(work: Work, claim_id: UUID, body: dict[str, Any]) -> Correction:
    """Propose the account, as the caller; ``body`` is what :class:`CorrectionOrderSchema` made."""
    service, given = current(), body["payee"]
    account = Account(given.account_name, given.account_number, given.bank_name, given.cnaps)
    proposal = Proposal(account, payee_digest(service.vault, account), body["reason"])
    tenant = view_claim(work.connection, claim_id).row.tenant
    return propose(work.connection, tenant, claim_id, proposal, service.office, principal().subject, work.at)


@blueprint.get("/<uuid:claim_id>/payee-corrections")
@needs(*READERS)
@blueprint.response(200, CorrectionPageSchema)
def get_corrections(claim_id: UUID) -> Response:
    """List the claim's corrections, the oldest first."""

    def use_case(work: Work) -> Answer:
        tenant = view_claim(work.connection, claim_id).row.tenant
        found = list_corrections(work.connection, tenant, claim_id)
        return Answer({"items": [each.json() for each in found], "next_cursor": None})

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/payee-corrections/<uuid:correction_id>/decision")
@needs("batches:release")
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, CorrectionSchema)
def decide_correction(body: dict[str, Any], claim_id: UUID, correction_id: UUID) -> Response:
    """Approve or refuse the account, by another person; three working days later it may be paid to."""
    return in_transaction(lambda work: _shown(decided_by_caller(work, claim_id, correction_id, body), 200))


def decided_by_caller(work: Work, claim_id: UUID, correction_id: UUID, body: dict[str, Any]) -> Correction:
    """Approve or refuse the account, as the caller; ``body`` is what :class:`DecisionSchema` made.

    Raises:
        NotFound: the claim has no such correction.
    """
    tenant = view_claim(work.connection, claim_id).row.tenant
    known = {each.id for each in list_corrections(work.connection, tenant, claim_id)}
    if correction_id not in known:
        raise not_found("账户更正", "correction")
    actor = principal().subject
    return decide(work.connection, tenant, correction_id, body["outcome"], body["reason"], actor, work.at)


@blueprint.post("/<uuid:claim_id>/reissue")
@needs("batches:write")
@blueprint.response(201, ReissueSchema)
def reissue_claim(claim_id: UUID) -> Response:
    """Owe again what came back; a batch of kind ``reissue`` of its scheme and mode pays it to the corrected account."""

    def use_case(work: Work) -> Answer:
        made = reissued_by_caller(work, claim_id)
        state = view_claim(work.connection, claim_id).state_now
        return Answer({"claim_id": str(claim_id), "obligation_id": str(made), "state": state}, 201)

    return in_transaction(use_case)


def reissued_by_caller(work: Work, claim_id: UUID) -> UUID:
    """Owe again what came back, as the caller; the id of what is owed."""
    tenant = view_claim(work.connection, claim_id).row.tenant
    return reissue(work.connection, tenant, claim_id, current().office, principal().subject, work.at)


def _shown(correction: Correction, status: int) -> Answer:
    return Answer(correction.json(), status)
