"""The review queue: the next claim that this person may decide, decided by keys, and then the one behind it."""

from http import HTTPStatus
from uuid import UUID

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import bad_query
from clearing.claims.queue import next_in_review, waiting_claims
from clearing.console.claim import REVIEW
from clearing.console.screen import as_api, screen, show, within
from tenants.kernel.clock import shanghai_day

blueprint = screen("queue", "/queue")


@blueprint.get("")
@as_api(REVIEW)
def next_claim() -> AnyResponse:
    """Lead to the next claim; when there is none behind the last, to the first again, or say that all is done."""
    after = _after(request.args.get("after"))
    person = principal().person or ""
    found = within(
        lambda work: next_in_review(work.connection, person, after) or next_in_review(work.connection, person, None)
    )
    done = request.args.get("done", "")
    if found is None:
        return _empty()
    address = f"/console/claims/{found}?from=queue"
    return redirect(f"{address}&done={done}" if done.isalpha() else address, HTTPStatus.SEE_OTHER)


def _empty() -> Response:
    waiting = within(lambda work: waiting_claims(work.connection, shanghai_day(work.at)))
    return show("queue.html", waiting=waiting)


def _after(given: str | None) -> UUID | None:
    try:
        return UUID(given) if given else None
    except ValueError as error:
        raise bad_query(
            "after",
            "地址无效，请从首页重新进入审核队列。",
            "The address is not valid; enter the queue from the home page.",
        ) from error
