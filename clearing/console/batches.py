"""Batches of one region: the list with its filters, and the cut of a new one with a preview."""

from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_acts import cut_as_ordered, order_of
from clearing.api.batches import BatchOrderSchema, BatchQuerySchema
from clearing.api.frame import principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.console.desk_words import BATCH_KINDS
from clearing.console.forms import plain_form
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import BATCH_STATES, MODES
from settlement.batches.batch import Batch, list_batches
from settlement.batches.preview import Preview, batch_totals, preview_cut
from settlement.batches.progress import cut_progress
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem, not_found
from tenants.kernel.money import Money
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
    asked = {name: value for name, value in request.args.items() if value and name != "done"}
    query: dict[str, Any] = load(BatchQuerySchema(), dict(asked))
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))

    def use_case(work: Work) -> tuple[list[Batch], tuple[int, Money], bool]:
        return (
            list_batches(work.connection, tenant, query, after, limit + 1),
            batch_totals(work.connection, tenant, query),
            cut_progress(work.connection, tenant) is not None,
        )

    batches, (count, total), cutting = within(use_case, (tenant,))
    return show(
        "batches.html", tenant=tenant, tenants=principal().tenants, asked=asked, batches=batches[:limit], count=count,
        total=total, next_cursor=write_cursor(str(batches[limit - 1].id)) if len(batches) > limit else None,
        cutting=cutting, states=BATCH_STATES, modes=MODES, schemes=schemes_of(tenant),
    )  # fmt: skip


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
