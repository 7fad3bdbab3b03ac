"""The demonstration clock: an operator lets business time pass; this screen exists in demonstration mode only."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.demo_clock import ClockSchema
from clearing.api.frame import current
from clearing.api.noun import load
from clearing.console.screen import as_api, screen, show, within
from clearing.demonstration_clock import move_forward
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("clock", "/clock")

OPENS: Final = "T09:00:00+08:00"
"""The morning of a day, where the clock is moved to a day."""


@blueprint.get("")
@as_api("demo.read_clock")
def clock_page() -> Response:
    """The business time, and where to move it."""
    return _page()


@blueprint.post("")
@as_api("demo.set_clock")
def move() -> AnyResponse:
    """Move the business time forward to the morning of a day."""

    def use_case(work: Work) -> datetime:
        wanted: datetime = load(ClockSchema(), {"now": request.form.get("day", "") + OPENS})["now"]
        return move_forward(work.connection, wanted, current().machine)

    try:
        within(use_case)
    except Problem as problem:
        return _page(problem)
    return redirect("/console/clock?done=clock", HTTPStatus.SEE_OTHER)


def _page(problem: Problem | None = None) -> Response:
    status = HTTPStatus.OK if problem is None else problem.status
    now = within(lambda work: work.at)
    return show("clock.html", status, now=now, problem=problem, day=request.form.get("day", ""))
