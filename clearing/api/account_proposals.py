"""``/v1/tenants/{tenant}/account-proposals``: accounts, further roles and new proofs, under four eyes."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.accounts import ADMINISTRATORS, AccountReasonSchema, acting_for
from clearing.api.address import public_url
from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from connectors.leaf import TextField
from tenants.account_proposals import (
    KINDS,
    PROPOSED_ROLES,
    STATES,
    Proposal,
    Wish,
    approve,
    proposals_of,
    propose,
    reject,
    view,
)
from tenants.invitations import Issued
from tenants.kernel.canonical import Json, plain
from tenants.kernel.database import Work
from tenants.opening_codes import codes_of_proposer

blueprint = Noun(
    "account_proposals", __name__, url_prefix="/v1/tenants/<tenant>/account-proposals",
    description="账号提议 / account proposals",
)  # fmt: skip

NAME_CHARACTERS = 100


class WishSchema(Schema):
    """What is proposed; ``person`` and ``name`` are those of a new account."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    login = TextField(40, about="登录名 / login name")
    person = TextField(NAME_CHARACTERS, optional=True, about="自然人，四眼以此比较 / the natural person")
    name = TextField(NAME_CHARACTERS, optional=True, about="页面显示的姓名 / the name that pages show")
    roles = fields.List(
        fields.String(validate=validate.Length(max=40)),
        load_default=list, validate=validate.Length(max=len(PROPOSED_ROLES)),
    )  # fmt: skip
    reason = TextField(MAX_REASON_CHARACTERS)


class ProposalQuerySchema(PageSchema):
    """The filters of the list."""

    state = fields.String(load_default=None, validate=validate.OneOf(STATES))


@blueprint.get("")
@needs(*ADMINISTRATORS, "audit:read")
@blueprint.arguments(ProposalQuerySchema, location="query")
def get_proposals(query: dict[str, Any], tenant: str) -> Response:
    """List the tenant's proposals, the oldest first."""
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))

    def use_case(work: Work) -> Answer:
        found = proposals_of(work.connection, tenant, query, after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(), lambda each: str(each.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("")
@needs("policies:write")
@blueprint.arguments(WishSchema)
@blueprint.response(201, description="the proposal; nothing changes until another person approves it")
def post_proposal(body: dict[str, Any], tenant: str) -> Response:
    """Propose an account for somebody else, further roles for one, or new proofs.

    The opening code, which the person needs beside the invitation's link, is told this once, and by the proposal to
    who proposed it.
    """

    def use_case(work: Work) -> Answer:
        made, code = proposed_by_caller(work, tenant, body)
        location = {"Location": f"/v1/tenants/{tenant}/account-proposals/{made.id}"}
        return Answer({**made.json(), "opening_code": None}, 201, location, once={"opening_code": code})

    return in_transaction(use_case)


@blueprint.get("/<uuid:proposal_id>")
@needs(*ADMINISTRATORS, "audit:read")
def get_proposal(tenant: str, proposal_id: UUID) -> Response:
    """One proposal, for who proposed it with the code that opens its invitation."""
    mine, sealer = principal().subject, current().vault.sealer

    def use_case(work: Work) -> Answer:
        proposal = view(work.connection, tenant, proposal_id)
        codes = codes_of_proposer(work.connection, sealer, tenant, [proposal_id], mine)
        return Answer({**proposal.json(), "opening_code": codes.get(proposal_id)})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:proposal_id>/approve")
@needs(*ADMINISTRATORS)
def approve_proposal(tenant: str, proposal_id: UUID) -> Response:
    """Approve, as somebody else than proposed it.

    The invitation's link is told this once; a repeated call does not tell it.
    """

    def use_case(work: Work) -> Answer:
        proposal, issued = approved_by_caller(work, tenant, proposal_id)
        once: dict[str, Json] = {} if issued is None else {"invitation": invitation_json(issued)}
        return Answer({**proposal.json(), "invitation": None}, once=once)

    return in_transaction(use_case)


@blueprint.post("/<uuid:proposal_id>/reject")
@needs(*ADMINISTRATORS)
@blueprint.arguments(AccountReasonSchema)
def reject_proposal(body: dict[str, str], tenant: str, proposal_id: UUID) -> Response:
    """Reject, or take back what one proposed oneself."""
    return in_transaction(lambda work: Answer(rejected_by_caller(work, tenant, proposal_id, body["reason"]).json()))


def proposed_by_caller(work: Work, tenant: str, given: dict[str, Any]) -> tuple[Proposal, str | None]:
    """Propose what :class:`WishSchema` read, as the caller; with the code that opens its invitation."""
    wish = Wish(given["kind"], given["login"], given["reason"], tuple(given["roles"]), given["person"], given["name"])
    service = current()
    return propose(work, service.vault.sealer, acting_for(tenant), tenant, wish, service.machine.now())


def approved_by_caller(work: Work, tenant: str, proposal_id: UUID) -> tuple[Proposal, Issued | None]:
    """Approve as the caller; the invitation where a person has to set proofs."""
    service = current()
    return approve(work, service.vault.sealer, acting_for(tenant), tenant, proposal_id, service.machine.now())


def rejected_by_caller(work: Work, tenant: str, proposal_id: UUID, reason: str) -> Proposal:
    """Reject or take back, as the caller."""
    return reject(work, acting_for(tenant), tenant, proposal_id, reason, current().machine.now())


def invitation_json(issued: Issued) -> dict[str, Json]:
    """The invitation with its link, for whoever made it."""
    return {"login": issued.login, "link": issued.link(public_url()), "expires_at": plain(issued.expires_at)}
