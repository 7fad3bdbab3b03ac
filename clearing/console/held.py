"""Items that objections hold: rewards, payments issued again; objected to by number, resumed by a reviewer."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.held_items import (
    FindingDecisionSchema,
    ItemObjectionSchema,
    ResumeSchema,
    UpholdingRequestSchema,
    decided_by_caller,
    objected_by_caller,
    proposed_by_caller,
    resumed_by_caller,
)
from clearing.api.noun import PageSchema, load
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from settlement.batches.batch import find_batch_by_number
from settlement.batches.held_items import HeldItem, held_totals, list_held
from settlement.batches.upholding import ENDS
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("held", "/held")


@blueprint.get("")
@as_api("held-items.get_held_items")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/held/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("held-items.get_held_items")
def list_page(tenant: str) -> Response:
    """What is on hold."""
    return _page(tenant)


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("held-items.get_held_items")
def export(tenant: str, form: str) -> Response:
    """Every item on hold, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("/<tenant>/objections")
@as_api("held-items.object_in_batch")
def object_to(tenant: str) -> AnyResponse:
    """Take one item out of a batch in publicity, named by the numbers that the notice shows."""

    def use_case(work: Work) -> None:
        given = plain_form("batch_no", "claim_no", "reason", "contact", required=("batch_no", "claim_no", "reason"))
        batch = find_batch_by_number(work.connection, tenant, str(given.pop("batch_no")))
        objected_by_caller(work, tenant, batch.id, load(ItemObjectionSchema(), given))

    return _acted(tenant, use_case, "item-held")


@blueprint.post("/<tenant>/<uuid:obligation_id>")
@as_api("held-items.resume_item")
def resume(tenant: str, obligation_id: UUID) -> AnyResponse:
    """Decide that the item may be paid."""

    def use_case(work: Work) -> None:
        given = load(ResumeSchema(), plain_form("reason", required=("reason",)))
        resumed_by_caller(work, tenant, obligation_id, given)

    return _acted(tenant, use_case, "item-resumed")


@blueprint.post("/<tenant>/<uuid:obligation_id>/upholding")
@as_api("held-items.propose_upholding")
def propose(tenant: str, obligation_id: UUID) -> AnyResponse:
    """Propose to uphold the objection."""

    def use_case(work: Work) -> None:
        given = load(UpholdingRequestSchema(), plain_form("outcome", "keeps", "reason", required=("outcome", "reason")))
        proposed_by_caller(work, tenant, obligation_id, given)

    return _acted(tenant, use_case, "upholding-proposed")


@blueprint.post("/<tenant>/<uuid:obligation_id>/upholding/decision")
@as_api("held-items.decide_on_upholding")
def decide(tenant: str, obligation_id: UUID) -> AnyResponse:
    """Decide on it, as another person."""

    def use_case(work: Work) -> None:
        given = load(FindingDecisionSchema(), plain_form("outcome", "reason", required=("outcome",)))
        decided_by_caller(work, tenant, obligation_id, given)

    done = "upholding-refuse" if request.form.get("outcome") == "refuse" else "upholding-approve"
    return _acted(tenant, use_case, done)


def _acted(tenant: str, use_case: Callable[[Work], None], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/held/{tenant}?done={done}",
    )


def _page(tenant: str, problem: Problem | None = None) -> Response:
    given = request.form if problem is not None else {}
    return shown("held.html", _listing(tenant).page(), problem, tenant=tenant, given=given, ends=ENDS)


def _listing(tenant: str) -> Listing[HeldItem, UUID]:
    return Listing(
        name=f"held-{tenant}",
        schema=PageSchema,
        read=lambda work, _query, after, limit: list_held(work.connection, tenant, after, limit),
        totals=lambda work, _query, most: held_totals(work.connection, tenant, most),
        key=lambda item: item.obligation_id,
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda item: item.amount),),
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[HeldItem], ...]:
    return (
        Column(_("编号"), lambda item: item.claim_no),
        Column(_("类别"), lambda item: word("batch_kind", item.kind)),
        Column(_("企业"), lambda item: item.enterprise_name),
        Column(_("服务机构"), lambda item: item.provider_name),
        Column(_("金额（元）"), lambda item: str(item.amount)),
        Column(_("批次"), lambda item: item.batch_no),
        Column(_("异议"), lambda item: item.reason),
        Column(_("异议人"), lambda item: item.made_by),
        Column(_("暂停时间"), lambda item: str(plain(item.held_at))),
        Column(_("待决定的认定"), lambda item: word("finding", item.finding)),
    )
