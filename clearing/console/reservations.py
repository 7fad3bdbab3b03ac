"""Quota for intended contracts (额度确认): what platforms asked for, confirmed or given up by the center."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.noun import DEFAULT_LIMIT, cursor_id, write_cursor
from clearing.claims.reservations import ReservationRow, cancel, confirm, listed, reservation_json
from clearing.console.screen import act, as_api, screen, show, within
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("reservations", "/reservations")


@blueprint.get("")
@as_api("reservations.list_reservations")
def list_page() -> Response:
    """The reservations, the oldest first."""
    return _page()


@blueprint.post("/<uuid:reservation_id>/confirm")
@as_api("reservations.confirm_reservation")
def confirm_one(reservation_id: UUID) -> AnyResponse:
    """Set quota and budget aside."""
    demonstration = current().settings.demonstration
    return _acted(
        lambda work: confirm(work, principal().subject, reservation_id, demonstration=demonstration),
        "reservation-confirmed",
    )


@blueprint.post("/<uuid:reservation_id>/cancel")
@as_api("reservations.cancel_reservation")
def cancel_one(reservation_id: UUID) -> AnyResponse:
    """Give the reservation up: what it set aside is free at once."""
    return _acted(lambda work: cancel(work, principal().subject, reservation_id, None), "reservation-cancelled")


def _acted(use_case: Callable[[Work], ReservationRow], done: str) -> AnyResponse:
    return act(lambda: within(use_case), _page, f"/console/reservations?done={done}")


def _page(problem: Problem | None = None) -> Response:
    after = cursor_id(request.args.get("cursor"))

    def read(work: Work) -> list[dict[str, Any]]:
        rows = listed(work.connection, None, after, DEFAULT_LIMIT + 1)
        return [dict(reservation_json(row, shanghai_day(work.at))) for row in rows]

    found = within(read)
    following = write_cursor(str(found[DEFAULT_LIMIT - 1]["id"])) if len(found) > DEFAULT_LIMIT else None
    status = HTTPStatus.OK if problem is None else problem.status
    return show("reservations.html", status, items=found[:DEFAULT_LIMIT], next_cursor=following, problem=problem)
