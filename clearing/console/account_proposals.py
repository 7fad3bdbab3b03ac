"""Rights under four eyes: accounts, further roles and new proofs, proposed by one person and approved by another."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.account_proposals import (
    ProposalQuerySchema,
    WishSchema,
    approved_by_caller,
    proposed_by_caller,
    rejected_by_caller,
)
from clearing.api.accounts import AccountReasonSchema
from clearing.api.address import public_url
from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.console.batch import prove
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, screen, show, within
from clearing.console.words import PROPOSAL_STATES, PROPOSED, word
from tenants.account_proposals import PROPOSED_ROLES, Proposal, proposal_total, proposals_of
from tenants.invitations import Issued
from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.errors import Problem
from tenants.opening_codes import codes_of_proposer

blueprint = screen("account_proposals", "/accounts/<tenant>/proposals")

OF_A_NEW_ACCOUNT: Final = ("login", "person", "name")


@blueprint.get("")
@as_api("account_proposals.get_proposals")
def list_page(tenant: str) -> Response:
    """The region's proposals, the oldest first."""
    return _page(tenant)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("account_proposals.get_proposals")
def export(tenant: str, form: str) -> Response:
    """The proposals that the address asks for, all of them, as a file."""
    return _listing(tenant).export(form)


@blueprint.get("/new")
@as_api("account_proposals.post_proposal")
def form_page(tenant: str) -> Response:
    """The form of a new account, of further roles or of new proofs."""
    return _form(tenant)


@blueprint.post("/new")
@as_api("account_proposals.post_proposal")
def propose_one(tenant: str) -> AnyResponse:
    """Propose it, after proving once more who one is."""

    def do() -> None:
        kind = request.form.get("kind", "")
        needed = OF_A_NEW_ACCOUNT if kind == "account" else ("login",)
        given: dict[str, Json] = plain_form("kind", *needed, "reason", required=("kind", *needed, "reason"))
        given["roles"] = [*request.form.getlist("roles")]
        body = load(WishSchema(), given)
        prove()
        within(lambda work: proposed_by_caller(work, tenant, body))

    return act(do, lambda problem: _form(tenant, problem), f"{_place(tenant)}?state=proposed&done=account-proposed")


@blueprint.post("/<uuid:proposal_id>/approve")
@as_api("account_proposals.approve_proposal")
def approve(tenant: str, proposal_id: UUID) -> AnyResponse:
    """Approve, after proving once more who one is; the invitation is on the page that answers, and nowhere else."""
    approved: list[tuple[Proposal, Issued | None]] = []

    def do() -> str:
        prove()
        approved.append(within(lambda work: approved_by_caller(work, tenant, proposal_id)))
        return f"{_place(tenant)}?done=proposal-approved"

    answer = act(do, lambda problem: _page(tenant, problem), lambda leads_to: leads_to)
    for proposal, issued in approved:
        if issued is not None:
            address = issued.link(public_url())
            return show("invited.html", tenant=tenant, proposal=proposal, issued=issued, address=address)
    return answer


@blueprint.post("/<uuid:proposal_id>/reject")
@as_api("account_proposals.reject_proposal")
def reject(tenant: str, proposal_id: UUID) -> AnyResponse:
    """Reject, or take back what one proposed oneself."""

    def do() -> None:
        body = load(AccountReasonSchema(), plain_form("reason", required=("reason",)))
        within(lambda work: rejected_by_caller(work, tenant, proposal_id, body["reason"]))

    return act(do, lambda problem: _page(tenant, problem), f"{_place(tenant)}?done=proposal-rejected")


def _place(tenant: str) -> str:
    return f"/console/accounts/{tenant}/proposals"


def _page(tenant: str, problem: Problem | None = None) -> Response:
    mine, listing = principal(), _listing(tenant).page()
    ids, sealer = [row.id for row in listing["items"] or ()], current().vault.sealer
    codes = within(lambda work: codes_of_proposer(work.connection, sealer, tenant, ids, mine.subject), (tenant,))
    return shown(
        "account_proposals.html", listing, problem, tenant=tenant, tenants=mine.tenants, me=mine.subject,
        states=PROPOSAL_STATES, given=request.form, again=_place(tenant), codes=codes,
        fresh=request.args.get("done") == "account-proposed",
    )  # fmt: skip


def _form(tenant: str, problem: Problem | None = None) -> Response:
    asked = request.form if request.method == "POST" else request.args
    kind = asked.get("kind", "")
    chosen: dict[str, Any] = {"kind": kind if kind in PROPOSED else "account", "chosen": asked.getlist("roles")}
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "account_proposal.html", status, problem=problem, tenant=tenant, given=asked, roles=PROPOSED_ROLES, **chosen
    )


def _listing(tenant: str) -> Listing[Proposal, UUID]:
    return Listing(
        name=f"account-proposals-{tenant}",
        schema=ProposalQuerySchema,
        read=lambda work, query, after, limit: proposals_of(work.connection, tenant, query, after, limit),
        totals=lambda work, query, most: (proposal_total(work.connection, tenant, query, most),),
        key=lambda row: row.id,
        columns=_columns,
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[Proposal], ...]:
    return (
        Column(_("提议"), lambda row: word("proposed", row.kind)),
        Column(_("登录名"), lambda row: row.login),
        Column(_("人员"), lambda row: row.person),
        Column(_("姓名"), lambda row: row.display_name),
        Column(_("角色"), lambda row: _("、").join(word("role", role) for role in row.roles)),
        Column(_("理由"), lambda row: row.ground),
        Column(_("状态"), lambda row: word("proposal", row.state)),
        Column(_("提出人"), lambda row: row.proposed_by),
        Column(_("提出时间"), lambda row: print_instant(row.proposed_at)),
        Column(_("决定人"), lambda row: row.decided_by or ""),
        Column(_("决定时间"), lambda row: "" if row.decided_at is None else print_instant(row.decided_at)),
        Column(_("决定理由"), lambda row: row.reason or ""),
    )
