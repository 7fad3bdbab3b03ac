"""Batches of one region: the list with its filters, and the cut of a new one with a preview."""

from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_acts import cut_as_ordered, order_of
from clearing.api.batches import BatchOrderSchema, BatchQuerySchema
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.console.desk_words import BATCH_KINDS
from clearing.console.export import Column
from clearing.console.filters import scheme_name
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import BATCH_STATES, MODES, word
from settlement.batches.batch import Batch, list_batches
from settlement.batches.preview import Preview, batch_totals, preview_cut
from settlement.batches.progress import cut_progress
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem, not_found
from tenants.profile import load_tenants

blueprint = screen("batches", "/batches")

ORDERED: Final = ("scheme", "mode", "kind", "counterparty", "cut_off")
"""What the form of a cut asks for."""


@blueprint.get("")
@as_api("batches.get_batches")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/batches/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("batches.get_batches")
def list_page(tenant: str) -> Response:
    """The region's batches, newest first, counted and summed as filtered."""
    cutting = within(lambda work: cut_progress(work.connection, tenant) is not None, (tenant,))
    return shown(
        "batches.html", _listing(tenant).page(), tenant=tenant, tenants=principal().tenants, cutting=cutting,
        states=BATCH_STATES, modes=MODES, schemes=schemes_of(tenant),
    )  # fmt: skip


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("batches.get_batches")
def export(tenant: str, form: str) -> Response:
    """The batches that the address asks for, all of them, as a file."""
    return _listing(tenant).export(form)


def _listing(tenant: str) -> Listing[Batch, UUID]:
    return Listing(
        name=f"batches-{tenant}",
        schema=BatchQuerySchema,
        read=lambda work, query, after, limit: list_batches(work.connection, tenant, dict(query), after, limit),
        totals=lambda work, query, most: batch_totals(work.connection, tenant, query, most),
        key=lambda batch: batch.id,
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda batch: batch.total),),
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[Batch], ...]:
    return (
        Column(_("批次"), lambda batch: batch.batch_no),
        Column(_("种类"), lambda batch: word("batch_kind", batch.kind)),
        Column(_("券种"), lambda batch: scheme_name(batch.tenant, batch.scheme)),
        Column(_("方式"), lambda batch: word("mode", batch.mode)),
        Column(_("状态"), lambda batch: word("batch_state", batch.state)),
        Column(_("笔数"), lambda batch: str(batch.item_count)),
        Column(_("合计（元）"), lambda batch: str(batch.total), amount=True),
        Column(_("切批时间"), lambda batch: str(plain(batch.cut_at))),
        Column(_("切批人"), lambda batch: batch.cut_by),
        Column(_("公示截止"), lambda batch: str(plain(batch.publicity_through_on) or "")),
        Column(_("封存人"), lambda batch: batch.sealed_by or ""),
    )


@blueprint.get("/<tenant>/cut")
@as_api("batches.cut_batch")
def cut_form(tenant: str) -> Response:
    """What a batch would take; the form that cuts it."""
    asked = {name: value for name, value in request.args.items() if value}
    return _preview(tenant, asked)


@blueprint.post("/<tenant>/cut")
@as_api("batches.cut_batch")
def cut_batch(tenant: str) -> AnyResponse:
    """Cut the batch, as ``POST /v1/tenants/{tenant}/batches`` does."""
    given = plain_form(*ORDERED)

    def use_case(work: Work) -> Batch:
        order = load(BatchOrderSchema(), dict(given))
        return cut_as_ordered(work, tenant, order)

    try:
        batch = within(use_case, (tenant,))
    except Problem as problem:
        return _preview(tenant, {name: str(value) for name, value in given.items()}, problem)
    return redirect(f"/console/batches/{tenant}/{batch.id}?done=cut", HTTPStatus.SEE_OTHER)


def schemes_of(tenant: str) -> list[str]:
    """The tenant's schemes that pay.

    Raises:
        NotFound: there is no such tenant.
    """
    for profile in load_tenants():
        if profile.tenant == tenant:
            return [scheme.code for scheme in profile.schemes if scheme.assessed]
    raise not_found("区域", "tenant")


def _preview(tenant: str, asked: dict[str, str], problem: Problem | None = None) -> Response:
    chosen = {"scheme": schemes_of(tenant)[0], "mode": next(iter(MODES)), **asked}
    preview: Preview | None = None
    if problem is None:
        try:
            order = load(BatchOrderSchema(), {k: v for k, v in chosen.items() if k in ORDERED and v})
            preview = within(lambda work: _look(work, tenant, order), (tenant,))
        except Problem as found:
            problem = found
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "cut.html", status, tenant=tenant, tenants=principal().tenants, chosen=chosen, preview=preview, problem=problem,
        modes=MODES, schemes=schemes_of(tenant), kinds=BATCH_KINDS,
        others=[profile.tenant for profile in load_tenants() if profile.tenant != tenant],
    )  # fmt: skip


def _look(work: Work, tenant: str, order: dict[str, Any]) -> Preview:
    return preview_cut(work.connection, order_of(work, tenant, order), work.at)
