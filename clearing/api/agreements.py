"""``/v1/tenants/{tenant}/agreements``: how providers across the border are paid, agreed by both sides."""

from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batch_acts import office
from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from connectors.claim_schema import PayeeSchema
from connectors.fields import DayField, MoneyField
from connectors.leaf import ChoiceField, CodeField, TextField
from settlement.agreements.agreement import DEFAULT_SET, FORMS, Agreement, find_agreement, list_agreements
from settlement.agreements.agreement_steps import SAME_DAY, Proposal, agree, propose, refuse
from settlement.cycles.netting import NETTINGS
from settlement.payouts.instruction import Account
from tenants.kernel.database import Scope, Work, run

blueprint = Noun(
    "agreements", __name__, url_prefix="/v1/tenants/<tenant>/agreements", description="结算协议 / agreements"
)

READERS: Final = ("policies:write", "policies:approve", "batches:write", "batches:release", "audit:read")
SIDE: Final = r"[a-z][a-z0-9-]{1,30}|[1-9][0-9]{5}"
MAX_DOCUMENT_CHARACTERS: Final = 200
MAX_PERSON_CHARACTERS: Final = 100


class ProposalSchema(Schema):
    """What one side proposes to the other."""

    counterparty = CodeField(f"(?:{SIDE})", about="对方区域，或外部地区的六位区划代码 / a tenant, or six digits")
    form = ChoiceField(FORMS, about="直接、代理或由对方垫付 / who pays the providers")
    netting = fields.String(load_default="multilateral", validate=validate.OneOf(NETTINGS))
    agreement_set = fields.String(load_default=DEFAULT_SET, validate=validate.Regexp(r"[a-z][a-z0-9-]{1,30}\Z"))
    effective_on = DayField(about="生效日，不早于今天 / not before today")
    document = TextField(MAX_DOCUMENT_CHARACTERS, about="协议文号 / number of the document")
    exposure_limit = MoneyField(zero=True, optional=True, about="敞口限额 / what may be owed and not settled")
    exposure_approver = TextField(MAX_PERSON_CHARACTERS, optional=True, about="超限批准人 / who alone lifts a hold")
    agent = fields.Nested(PayeeSchema, load_default=None, allow_none=True)
    sends_orders = fields.Boolean(
        load_default=False,
        metadata={"description": "清算指令自动送交银行 / whether orders go to the banks by themselves"},
    )


class RefusalSchema(Schema):
    """Why not."""

    reason = TextField(MAX_REASON_CHARACTERS)


class AgreementQuerySchema(PageSchema):
    """The filters of the list."""

    state = fields.String(validate=validate.OneOf(("proposed", "approved", "refused")))
    counterparty = fields.String(validate=validate.Regexp(rf"(?:{SIDE})\Z"))


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(AgreementQuerySchema, location="query")
def get_agreements(query: dict[str, Any], tenant: str) -> Response:
    """List the tenant's agreements, whichever side proposed them, newest first."""
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))

    def use_case(work: Work) -> Answer:
        found = list_agreements(work.connection, tenant, query, after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(), lambda each: str(each.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.put("")
@needs("policies:write")
@blueprint.arguments(ProposalSchema)
@blueprint.response(201, description="the proposal; it takes effect once both sides have agreed")
def put_agreement(body: dict[str, Any], tenant: str) -> Response:
    """Propose an agreement to another tenant or an outside region."""
    proposal = proposal_of(body)

    def use_case(work: Work) -> Answer:
        made = propose(work.connection, tenant, proposal, office(), principal().subject, work.at)
        return Answer(made.json(), 201, {"Location": f"/v1/tenants/{tenant}/agreements/{made.id}"})

    return in_transaction(use_case, proposed_sides(tenant, proposal))


def proposal_of(body: dict[str, Any]) -> Proposal:
    """The proposal that :class:`ProposalSchema` read."""
    agent = body.pop("agent")
    account = None
    if agent is not None:
        account = Account(agent.account_name, agent.account_number, agent.bank_name, agent.cnaps)
    return Proposal(agent=account, **body)


def proposed_sides(tenant: str, proposal: Proposal) -> tuple[str, ...]:
    """The tenants whose books the proposal is written to."""
    return (tenant,) if proposal.counterparty.isdecimal() else (tenant, proposal.counterparty)


@blueprint.get("/<uuid:agreement_id>")
@needs(*READERS)
def get_agreement(tenant: str, agreement_id: UUID) -> Response:
    """One agreement."""
    return in_transaction(lambda work: Answer(find_agreement(work.connection, tenant, agreement_id).json()), (tenant,))


@blueprint.post("/<uuid:agreement_id>/approve")
@needs("policies:approve")
def approve_agreement(tenant: str, agreement_id: UUID) -> Response:
    """Agree: the proposing side's approval, or the other side's acceptance; the second puts it in force."""

    def use_case(work: Work) -> Answer:
        return Answer(agree(work.connection, tenant, agreement_id, principal().subject, work.at).json())

    return in_transaction(use_case, sides_of(tenant, agreement_id), frozenset({SAME_DAY}))


@blueprint.post("/<uuid:agreement_id>/refuse")
@needs("policies:approve")
@blueprint.arguments(RefusalSchema)
def refuse_agreement(body: dict[str, Any], tenant: str, agreement_id: UUID) -> Response:
    """Refuse what is not in force yet; either side may."""

    def use_case(work: Work) -> Answer:
        actor = principal().subject
        return Answer(refuse(work.connection, tenant, agreement_id, body["reason"], actor, work.at).json())

    return in_transaction(use_case, sides_of(tenant, agreement_id))


def sides_of(tenant: str, agreement_id: UUID) -> tuple[str, ...]:
    """The tenants whose books a step on the agreement writes to."""
    service = current()

    def find(work: Work) -> Agreement:
        return find_agreement(work.connection, tenant, agreement_id)

    return run(service.engine, Scope((tenant,)), service.machine, find).sides
