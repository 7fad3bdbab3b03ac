"""Agreements between regions: how providers across the border are paid; proposed, agreed to by both, or refused."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.agreements import (
    AgreementQuerySchema,
    ProposalSchema,
    RefusalSchema,
    proposal_of,
    proposed_sides,
    sides_of,
)
from clearing.api.batch_acts import office
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.console.desk_words import AGREEMENT_FORMS, AGREEMENT_STATES, CYCLE_VIEWS
from clearing.console.export import Column
from clearing.console.filters import tenant_name
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from settlement.agreements.agreement import DEFAULT_SET, Agreement, agreement_totals, list_agreements
from settlement.agreements.agreement_steps import agree, propose, refuse
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import ZERO
from tenants.profile import load_tenants

blueprint = screen("agreements", "/agreements")

AGENT: Final = ("account_name", "account_number", "bank_name", "cnaps")
TERMS: Final = (
    "counterparty", "form", "netting", "agreement_set", "effective_on", "document", "exposure_limit",
    "exposure_approver", "sends_orders",
)  # fmt: skip


@blueprint.get("")
@as_api("agreements.get_agreements")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/agreements/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("agreements.get_agreements")
def list_page(tenant: str) -> Response:
    """The region's agreements, newest first, and the form for a new one."""
    return _page(tenant)


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("agreements.get_agreements")
def export(tenant: str, form: str) -> Response:
    """The agreements that the address asks for, all of them, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("/<tenant>")
@as_api("agreements.put_agreement")
def propose_one(tenant: str) -> AnyResponse:
    """Propose an agreement to the other side."""

    def given() -> dict[str, Any]:
        terms = plain_form(*TERMS, required=("counterparty", "form", "effective_on", "document"))
        agent = plain_form(*AGENT)
        read: dict[str, Any] = load(ProposalSchema(), terms | ({"agent": agent} if agent else {}))
        return read

    try:
        proposal = proposal_of(given())
        actor = principal().subject
        within(
            lambda work: propose(work.connection, tenant, proposal, office(), actor, work.at),
            proposed_sides(tenant, proposal),
        )
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/agreements/{tenant}?done=agreement-proposed", HTTPStatus.SEE_OTHER)


@blueprint.post("/<tenant>/<uuid:agreement_id>/approve")
@as_api("agreements.approve_agreement")
def approve(tenant: str, agreement_id: UUID) -> AnyResponse:
    """Agree, for this side."""
    actor = principal().subject
    return _acted(
        tenant,
        agreement_id,
        lambda work: agree(work.connection, tenant, agreement_id, actor, work.at),
        "agreement-approved",
    )


@blueprint.post("/<tenant>/<uuid:agreement_id>/refuse")
@as_api("agreements.refuse_agreement")
def refuse_one(tenant: str, agreement_id: UUID) -> AnyResponse:
    """Refuse, for this side, and say why."""

    def use_case(work: Work) -> Agreement:
        reason = load(RefusalSchema(), plain_form("reason", required=("reason",)))["reason"]
        return refuse(work.connection, tenant, agreement_id, reason, principal().subject, work.at)

    return _acted(tenant, agreement_id, use_case, "agreement-refused")


def _acted(tenant: str, agreement_id: UUID, use_case: Callable[[Work], Agreement], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, sides_of(tenant, agreement_id)),
        lambda problem: _page(tenant, problem),
        f"/console/agreements/{tenant}?done={done}",
    )


def _page(tenant: str, problem: Problem | None = None) -> Response:
    others = [profile.tenant for profile in load_tenants() if profile.tenant != tenant]
    return shown(
        "agreements.html", _listing(tenant).page(), problem, tenant=tenant, tenants=principal().tenants,
        states=AGREEMENT_STATES, others=others, forms=AGREEMENT_FORMS, nettings=CYCLE_VIEWS, usual_set=DEFAULT_SET,
        given=request.form,
    )  # fmt: skip


def _listing(tenant: str) -> Listing[Agreement, UUID]:
    return Listing(
        name=f"agreements-{tenant}",
        schema=AgreementQuerySchema,
        read=lambda work, query, after, limit: list_agreements(work.connection, tenant, query, after, limit),
        totals=lambda work, query, most: agreement_totals(work.connection, tenant, query, most),
        key=lambda agreement: agreement.id,
        columns=_columns,
        figures=lambda: (Figure(_("敞口限额合计（元）"), lambda agreement: agreement.exposure_limit or ZERO),),
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[Agreement], ...]:
    def text(name: str) -> Column[Agreement]:
        return Column(names[name], lambda each: str(plain(getattr(each, name)) or ""))

    names = {
        "agreement_set": _("协议组"), "effective_on": _("生效日"), "document": _("协议文号"),
        "proposed_by": _("提出人"), "approved_by": _("己方同意"), "accepted_by": _("对方同意"),
        "refused_by": _("拒绝人"), "refused_reason": _("拒绝理由"),
    }  # fmt: skip
    return (
        Column(_("提出方"), lambda each: tenant_name(each.tenant)),
        Column(_("对方"), lambda each: tenant_name(each.counterparty)),
        Column(_("方式"), lambda each: word("agreement_form", each.form)),
        Column(_("轧差"), lambda each: word("cycle_view", each.netting)),
        Column(_("状态"), lambda each: word("agreement_state", each.state)),
        Column(_("自动送交银行"), lambda each: _("是") if each.sends_orders else _("否")),
        Column(_("敞口限额（元）"), lambda each: "" if each.exposure_limit is None else str(each.exposure_limit)),
        *(text(name) for name in names),
    )
