"""One claim: why this amount, evidence, duplicates side by side, time line; and what this person may do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.claims import ResolutionSchema, ReviewSchema, reviewer
from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.api.objections import ReviewersObjectionSchema
from clearing.claims.listing import claim_history, traces_of
from clearing.claims.objections import Complaint, object_to_claim
from clearing.claims.queue import decided_by
from clearing.claims.records import ClaimView, claim_json, etag_of, view_claim, view_claims
from clearing.claims.review import NEVER_CLEARED, Decision, resolve_hold, review
from clearing.console.forms import plain_form
from clearing.console.language import speaks_english
from clearing.console.screen import act, as_api, may, screen, show, within
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import PreconditionFailed, Problem

blueprint = screen("claim", "/claims/<uuid:claim_id>")

QUEUE: Final = "queue"
COMPUTING: Final = frozenset({"award", "matching"})
REVIEW: Final = "claims.review_claim"
RESOLVE: Final = "claims.resolve_claim_hold"
OBJECT: Final = "objections.make_objection"


@blueprint.get("")
@as_api("claims.get_claim", "claims.get_trace", "claims.get_history")
def claim_page(claim_id: UUID) -> Response:
    """The claim."""
    return claim_shown(claim_id)


@blueprint.post("/review")
@as_api(REVIEW)
def decide(claim_id: UUID) -> AnyResponse:
    """Decide the claim's next stage, as ``POST /v1/claims/{id}/reviews`` does."""

    def use_case(work: Work) -> ClaimView:
        given = load(ReviewSchema(), plain_form("stage", "outcome", "award", "reason"))
        decision = Decision(given["stage"], given["outcome"], given.get("award"), given["reason"])
        _require_unchanged(work, claim_id)
        return review(work, current().vault, reviewer(), claim_id, decision)

    return _acted(claim_id, use_case, request.form.get("outcome", ""))


@blueprint.post("/holds/<uuid:hold_id>")
@as_api(RESOLVE)
def resolve(claim_id: UUID, hold_id: UUID) -> AnyResponse:
    """Clear a hold or reject the claim for it."""

    def use_case(work: Work) -> ClaimView:
        given = load(ResolutionSchema(), plain_form("outcome", "reason", required=("reason",)))
        _require_unchanged(work, claim_id)
        return resolve_hold(work, reviewer(), claim_id, hold_id, given["outcome"], given["reason"])

    return _acted(claim_id, use_case, f"hold-{request.form.get('outcome', '')}")


@blueprint.post("/objection")
@as_api(OBJECT)
def object_to(claim_id: UUID) -> AnyResponse:
    """Take the claim out of its batch in publicity."""

    def use_case(work: Work) -> ClaimView:
        given = load(ReviewersObjectionSchema(), plain_form("reason", "contact", required=("reason",)))
        _require_unchanged(work, claim_id)
        complaint = Complaint(given["reason"], given["contact"])
        return object_to_claim(work, current().vault, claim_id, complaint, principal().subject)

    return _acted(claim_id, use_case, "objection")


def claim_shown(
    claim_id: UUID,
    status: int = HTTPStatus.OK,
    problem: Problem | None = None,
    **more: Any,  # noqa: ANN401
) -> Response:
    """The claim's page; with a problem, what was typed stands in the form again."""
    shown = within(lambda work: _read(work, claim_id))
    given = request.form if problem is not None else {}
    return show(
        "claim.html", status, problem=problem, given=given, queue=request.args.get("from") == QUEUE, **shown | more
    )


def _acted(claim_id: UUID, use_case: Callable[[Work], ClaimView], done: str) -> AnyResponse:
    """Do it and lead on: back to the claim, or to the next one where the person works through the queue."""
    worked_through = request.form.get("from") == QUEUE
    return act(
        lambda: within(use_case),
        lambda problem: claim_shown(claim_id, problem.status, problem),
        f"/console/queue?after={claim_id}&done={done}" if worked_through else f"/console/claims/{claim_id}?done={done}",
    )


def _require_unchanged(work: Work, claim_id: UUID) -> None:
    """Refuse a decision about a claim that is no longer as the person read it.

    Raises:
        PreconditionFailed: ``claim.changed``.
    """
    if request.form.get("version") != etag_of(view_claim(work.connection, claim_id)):
        raise PreconditionFailed(
            "claim.changed",
            "您打开页面之后，申请有了变化，尚未作任何处理。下面是现在的内容，请核对后再决定。",
            "The claim changed after you opened the page; nothing was done. Below is how it stands now: look again.",
        )


def _read(work: Work, claim_id: UUID) -> dict[str, Any]:
    view = view_claim(work.connection, claim_id)
    claim = claim_json(view, english=speaks_english())
    traces = cast("list[dict[str, Any]]", traces_of(work.connection, claim_id))
    person = principal().person or ""
    return {
        "view": view,
        "claim": claim,
        "version": etag_of(view),
        "steps": _steps(traces[-1]["trace"]),
        "traces": traces,
        "history": claim_history(work.connection, view.row),
        "holds": _sides(work, claim, traces[-1]["trace"]),
        "conflict": may(REVIEW) and decided_by(work.connection, claim_id, view.row.revision, person),
        "today": shanghai_day(work.at),
        "never_cleared": NEVER_CLEARED,
    }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that look at one thing; those that compute the amount or did not simply pass stand open."""

    name: str
    entries: list[dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether all of them passed."""
        return all(entry["verdict"] == "pass" for entry in self.entries)

    @property
    def open(self) -> bool:
        """Whether the page shows them at once."""
        return self.name in COMPUTING or not self.passed


def _steps(trace: list[dict[str, Any]]) -> list[Group]:
    """The rules by what they look at, in their order."""
    groups: list[Group] = []
    for entry in trace:
        name = entry["rule"].partition(".")[0]
        if not groups or groups[-1].name != name:
            groups.append(Group(name, []))
        groups[-1].entries.append(entry)
    return groups


def _sides(work: Work, claim: Mapping[str, Json], trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each hold, and each finding that met another use, with its other sides.

    Of this person's own tenants the other side is the claim itself, of others only what a finding tells.
    """
    holds = cast("list[dict[str, Any]]", claim["holds"])
    held = {hold["code"] for hold in holds}
    language = "en" if speaks_english() else "zh"
    met = [
        {
            "message": e["message"][language],
            "place": ", ".join(e["output"].get("places", [])),
            "state": "found",
            **_found(e),
        }
        for e in trace
        if e["output"].get("other_side") and e["rule"] not in held
    ]
    named = {UUID(side["reference"]) for one in holds + met for side in one["other_side"]}
    own = {str(other.row.id): other for other in view_claims(work.connection, sorted(named))}
    return [
        one | {"sides": [{"said": side, "own": own.get(side["reference"])} for side in one["other_side"]]}
        for one in holds + met
    ]


def _found(entry: dict[str, Any]) -> dict[str, Any]:
    return {"code": entry["rule"], "other_side": entry["output"]["other_side"]}
