"""A payment that came back: another account proposed, approved by a second person, and owed again."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.reissues import (
    CorrectionOrderSchema,
    DecisionSchema,
    decided_by_caller,
    proposed_by_caller,
    reissued_by_caller,
)
from clearing.claims.records import view_claim
from clearing.console.batch import prove
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, screen, show, within
from settlement.payouts.reissue import list_corrections
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("payee", "/claims/<uuid:claim_id>/payee")

ACCOUNT: Final = ("account_name", "account_number", "bank_name", "cnaps")


@blueprint.get("")
@as_api("reissues.get_corrections")
def payee_page(claim_id: UUID) -> Response:
    """The claim's corrections."""
    return _page(claim_id)


@blueprint.post("")
@as_api("reissues.propose_correction")
def propose_account(claim_id: UUID) -> AnyResponse:
    """Propose another account, after proving once more who it is."""

    def use_case(work: Work) -> Any:  # noqa: ANN401 - what came of it is read again
        given = plain_form("reason", required=("reason",)) | {"payee": plain_form(*ACCOUNT, required=ACCOUNT)}
        return proposed_by_caller(work, claim_id, load(CorrectionOrderSchema(), given))

    return _acted(claim_id, use_case, "correction-proposed", proved=True)


@blueprint.post("/<uuid:correction_id>/decision")
@as_api("reissues.decide_correction")
def decide(claim_id: UUID, correction_id: UUID) -> AnyResponse:
    """Approve or refuse the account, after proving once more who it is."""

    def use_case(work: Work) -> Any:  # noqa: ANN401 - as above
        given = load(DecisionSchema(), plain_form("outcome", "reason", required=("outcome",)))
        return decided_by_caller(work, claim_id, correction_id, given)

    done = "correction-approve" if request.form.get("outcome") == "approve" else "correction-refuse"
    return _acted(claim_id, use_case, done, proved=True)


@blueprint.post("/reissue")
@as_api("reissues.reissue_claim")
def reissue(claim_id: UUID) -> AnyResponse:
    """Owe again what came back."""
    return _acted(claim_id, lambda work: reissued_by_caller(work, claim_id), "reissued", proved=False)


def _acted(claim_id: UUID, use_case: Callable[[Work], Any], done: str, *, proved: bool) -> AnyResponse:
    def do() -> None:
        if proved:
            prove()
        within(use_case)

    return act(do, lambda problem: _page(claim_id, problem), f"/console/claims/{claim_id}/payee?done={done}")


def _page(claim_id: UUID, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> dict[str, Any]:
        view = view_claim(work.connection, claim_id)
        corrections = list_corrections(work.connection, view.row.tenant, claim_id)
        today = shanghai_day(work.at)
        approved = next((each for each in reversed(corrections) if each.outcome == "approve"), None)
        cooled = (
            approved is not None and approved.cooling_through_on is not None and today > approved.cooling_through_on
        )
        return {"view": view, "corrections": corrections, "cooled": cooled}

    status = HTTPStatus.OK if problem is None else problem.status
    given = request.form if problem is not None else {}
    return show("payee.html", status, problem=problem, given=given, me=principal().subject, **within(use_case))
