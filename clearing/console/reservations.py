"""Quota for intended contracts (额度确认): what platforms asked for, confirmed or given up by the center."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.reservations import ReservationQuerySchema
from clearing.claims.reservation_list import STATES, listed, reservation_totals
from clearing.claims.reservations import ReservationRow, cancel, confirm, reservation_json
from clearing.console.export import Column
from clearing.console.filters import platform_name, scheme_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import RESERVATION_STATES, word
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import Money

blueprint = screen("reservations", "/reservations")

Shown = dict[str, Any]


@blueprint.get("")
@as_api("reservations.list_reservations")
def list_page() -> Response:
    """The reservations, the oldest first."""
    return _page()


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("reservations.list_reservations")
def export(form: str) -> Response:
    """The reservations that the address asks for, all of them, as a file."""
    return _listing().export(form)


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
    return shown(
        "reservations.html", _listing().page(), problem, tenants=principal().tenants,
        states={code: RESERVATION_STATES[code] for code in STATES},
    )  # fmt: skip


def _listing() -> Listing[Shown, UUID]:
    def read(work: Work, query: Mapping[str, Any], after: UUID | None, limit: int) -> list[Shown]:
        today = shanghai_day(work.at)
        return [dict(reservation_json(row, today)) for row in listed(work.connection, query, after, limit)]

    return Listing(
        name="reservations",
        schema=ReservationQuerySchema,
        read=read,
        totals=lambda work, query, most: reservation_totals(work.connection, query, most),
        key=lambda item: UUID(str(item["id"])),
        columns=_columns,
        figures=lambda: (Figure(_("额度合计（元）"), lambda item: Money.parse(str(item["amount"]))),),
    )


def _columns() -> tuple[Column[Shown], ...]:
    return (
        Column(_("编号"), lambda item: str(item["reservation_no"])),
        Column(_("区域"), lambda item: tenant_name(str(item["tenant"]))),
        Column(_("券种"), lambda item: scheme_name(str(item["tenant"]), str(item["scheme"]))),
        Column(_("方式"), lambda item: word("mode", str(item["mode"]))),
        Column(_("平台"), lambda item: platform_name(str(item["platform"]))),
        Column(_("状态"), lambda item: word("reservation", str(item["state"]))),
        Column(_("企业"), lambda item: str(item["enterprise"]["name"])),
        Column(_("企业信用代码"), lambda item: str(item["enterprise"]["uscc"])),
        Column(_("服务机构"), lambda item: str(item["provider"]["name"])),
        Column(_("服务机构信用代码"), lambda item: str(item["provider"]["uscc"])),
        Column(_("额度（元）"), lambda item: str(item["amount"]), amount=True),
        Column(_("年度"), lambda item: str(item["quota_year"])),
        Column(_("有效期至"), lambda item: str(item["expires_on"])),
    )
