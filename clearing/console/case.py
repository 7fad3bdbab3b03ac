"""One suspected duplicate: both sides next to each other, the foreign one masked; taken on, held, decided."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.cases import AssignmentSchema, CaseHoldSchema, CaseResolutionSchema
from clearing.api.claims import reviewer
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.claims.deciding import OUTCOMES, Verdict, assign, hold_own_side
from clearing.claims.records import view_claims
from clearing.claims.suspicions import EARLIER, LATER, SIMILAR, CaseRow, case_json, find_case
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, screen, show, within
from clearing.likeness.holding import resolve_case
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem, not_found

blueprint = screen("case", "/cases/<uuid:case_id>")


@blueprint.get("")
@as_api("cases.get_case")
def case_page(case_id: UUID) -> Response:
    """The case."""
    return _page(case_id)


@blueprint.post("/take")
@as_api("cases.assign_case")
def take(case_id: UUID) -> AnyResponse:
    """Take the case on, or give it back."""
    mine = request.form.get("owner") == "me"

    def use_case(work: Work) -> CaseRow:
        me = principal()
        owner = load(AssignmentSchema(), {"owner": me.subject if mine else None})["owner"]
        return assign(work, me.subject, me.tenants, case_id, owner)

    return _acted(case_id, use_case, "case-taken" if mine else "case-given-back")


@blueprint.post("/hold")
@as_api("cases.freeze_own_side")
def hold(case_id: UUID) -> AnyResponse:
    """Freeze the own unpaid claim until the case is decided."""

    def use_case(work: Work) -> CaseRow:
        given = load(CaseHoldSchema(), plain_form("reason", required=("reason",)))
        return hold_own_side(work, principal().subject, principal().tenants, case_id, given["reason"])

    return _acted(case_id, use_case, "case-held")


@blueprint.post("/resolution")
@as_api("cases.resolve_case")
def decide(case_id: UUID) -> AnyResponse:
    """Decide the case for both sides."""

    def use_case(work: Work) -> CaseRow:
        given = load(CaseResolutionSchema(), plain_form("outcome", "reason", required=("outcome", "reason")))
        verdict = Verdict(given["outcome"], given["reason"])
        return resolve_case(work, reviewer(), principal().tenants, case_id, verdict)

    return _acted(case_id, use_case, "case-resolved")


def _acted(case_id: UUID, use_case: Callable[[Work], CaseRow], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case), lambda problem: _page(case_id, problem), f"/console/cases/{case_id}?done={done}"
    )


def _page(case_id: UUID, problem: Problem | None = None) -> Response:
    status = HTTPStatus.OK if problem is None else problem.status
    given = request.form if problem is not None else {}
    return show("case.html", status, problem=problem, given=given, **within(lambda work: _read(work, case_id)))


def _read(work: Work, case_id: UUID) -> dict[str, Any]:
    tenants = principal().tenants
    row = find_case(work.connection, case_id)
    own = row.sides_of(tenants)
    if not own:
        raise not_found("疑似重复", "case")
    sides = [row.side(which) for which in (EARLIER, LATER)]
    views = {view.row.id: view for view in view_claims(work.connection, [each.id for each in sides])}
    return {
        "case": case_json(row, tenants, shanghai_day(work.at)),
        "me": principal().subject,
        "sides": [
            {"side": each, "own": each.which in own, "waits": row.waiting == each.which, "view": views.get(each.id)}
            for each in sides
        ],
        # a tenant gives up its own side alone
        "outcomes": [one for one in OUTCOMES if Verdict(one, "").refused in {None, *own} and _fits(row, own, one)],
        "holdable": row.kind != SIMILAR and any(each != row.waiting for each in own),
    }


def _fits(row: CaseRow, own: list[str], outcome: str) -> bool:
    """Of two claims that look alike the later one's region decides, and about that one alone."""
    return row.kind != SIMILAR or (LATER in own and outcome != "later_stands")
