"""The months of a region: how each stands, what is open at its end, its end by clicking, its tables as files."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.months import month_before, month_file
from clearing.api.noun import DEFAULT_LIMIT, PageSchema
from clearing.console.export import Column
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, screen, show, within
from settlement.months.month import Month
from settlement.months.month_end import ClosedMonth, close_month, closed_totals, list_closed, preview, require_begun
from settlement.months.tables import NAMES
from tenants.kernel.canonical import plain
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem, not_found

blueprint = screen("months", "/months")

RECENT: Final = 3
"""Months that are not closed and are offered: this one and those just before it."""


@blueprint.get("")
@as_api("months.get_months")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/months/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("months.get_months")
def list_page(tenant: str) -> Response:
    """The closed months, the latest first, and those that are not closed yet."""
    listing = _listing(tenant).page()

    def still_open(work: Work) -> list[Month]:
        latest = list_closed(work.connection, tenant, None, 1)
        return _open_months(latest, shanghai_day(work.at))

    return shown(
        "months.html", listing, tenant=tenant, tenants=principal().tenants,
        still_open=[] if "cursor" in listing["asked"] else within(still_open, (tenant,)),
    )  # fmt: skip


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("months.get_months")
def export_list(tenant: str, form: str) -> Response:
    """The closed months, all of them, as a file."""
    return _listing(tenant).export(form)


def _listing(tenant: str) -> Listing[ClosedMonth, date]:
    return Listing(
        name=f"months-{tenant}",
        schema=PageSchema,
        read=lambda work, _query, before, limit: list_closed(work.connection, tenant, before, limit),
        totals=lambda work, _query, most: closed_totals(work.connection, tenant, most),
        key=lambda month: month.month_on,
        columns=_columns,
        tenants=(tenant,),
        after=month_before,
    )


def _columns() -> tuple[Column[ClosedMonth], ...]:
    return (
        Column(_("月份"), lambda month: month.month_on.isoformat()[:7]),
        Column(_("月结人"), lambda month: month.closed_by),
        Column(_("月结时间"), lambda month: str(plain(month.closed_at))),
        Column("SHA-256", lambda month: month.report_sha256),
    )


@blueprint.get("/<tenant>/<month>")
@as_api("months.get_month")
def month_page(tenant: str, month: str) -> Response:
    """One month with its accounts and what is open at its end."""
    return _page(tenant, month)


@blueprint.post("/<tenant>/<month>/close")
@as_api("months.post_close")
def close(tenant: str, month: str) -> AnyResponse:
    """Close the month: its figures are fixed."""
    wanted = Month.parse(month)

    def use_case(work: Work) -> None:
        require_begun(wanted, work.at)
        close_month(work.connection, tenant, wanted, principal().subject, work.at)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, month, problem),
        f"/console/months/{tenant}/{wanted}?done=month-closed",
    )


@blueprint.get("/<tenant>/<month>/export.<any(csv,xlsx):form>")
@as_api("months.get_export")
def export(tenant: str, month: str, form: str) -> Response:
    """One of the month's tables as CSV, or all of them as a workbook."""
    table = request.args.get("table", NAMES[0])
    if form == "csv" and table not in NAMES:
        raise not_found("表格", "table")
    return month_file(tenant, month, None if form == "xlsx" else table)


def _page(tenant: str, month: str, problem: Problem | None = None) -> Response:
    wanted = Month.parse(month)

    def use_case(work: Work) -> dict[str, Any]:
        require_begun(wanted, work.at)
        return preview(work.connection, tenant, wanted, work.at)

    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "month.html", status, tenant=tenant, month=within(use_case, (tenant,)), wanted=wanted, tables=NAMES,
        problem=problem,
    )  # fmt: skip


def _open_months(closed: list[ClosedMonth], today: date) -> list[Month]:
    """From the month behind the last closed one to the present; where none is closed, the recent ones."""
    now = Month.of(today)
    if closed:
        month = Month(closed[0].month_on).following
        found: list[Month] = []
        while month <= now and len(found) < DEFAULT_LIMIT:
            found.append(month)
            month = month.following
        return found
    recent = [now]
    while len(recent) < RECENT:
        recent.insert(0, Month.of(recent[0].first_on - timedelta(days=1)))
    return recent
