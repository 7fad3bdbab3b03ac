"""Items that objections hold: rewards, payments issued again; objected to by number, resumed by a reviewer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.held_items import ItemObjectionSchema, ResumeSchema, objected_by_caller, resumed_by_caller
from clearing.api.noun import DEFAULT_LIMIT, cursor_id, load, write_cursor
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, screen, show, within
from settlement.batches.batch import find_batch_by_number
from settlement.batches.held_items import list_held
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


def _acted(tenant: str, use_case: Callable[[Work], None], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/held/{tenant}?done={done}",
    )


def _page(tenant: str, problem: Problem | None = None) -> Response:
    after = cursor_id(request.args.get("cursor"))

    def use_case(work: Work) -> dict[str, Any]:
        found = list_held(work.connection, tenant, after, DEFAULT_LIMIT + 1)
        more = len(found) > DEFAULT_LIMIT
        following = write_cursor(str(found[DEFAULT_LIMIT - 1].obligation_id)) if more else None
        return {"items": found[:DEFAULT_LIMIT], "next_cursor": following}

    status = HTTPStatus.OK if problem is None else problem.status
    given = request.form if problem is not None else {}
    return show("held.html", status, tenant=tenant, problem=problem, given=given, **within(use_case, (tenant,)))
