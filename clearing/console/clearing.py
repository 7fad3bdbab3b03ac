"""Clearing between regions: its windows with what is owed in them, counted and summed; a new window."""

from http import HTTPStatus
from uuid import UUID

from flask import Response, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.cycles import CycleQuerySchema, WindowSchema, everyone, opened_by_caller
from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.console.desk_words import CYCLE_STATES
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen, within
from clearing.console.words import word
from settlement.agreements.agreement import DEFAULT_SET
from settlement.cycles.cycle import Cycle, cycle_totals, gross_of, list_cycles
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import ZERO, Money

blueprint = screen("clearing", "/clearing")

Listed = tuple[Cycle, int, Money]
"""A window, how many debts of it concern the person's regions, and their sum."""


@blueprint.get("")
@as_api("cycles.get_cycles")
def list_page() -> Response:
    """The windows, newest first."""
    return _page()


@blueprint.post("")
@as_api("cycles.open_cycle")
def open_window() -> AnyResponse:
    """Open the set's window, where none is open."""

    def use_case(work: Work) -> Cycle:
        given = load(WindowSchema(), plain_form("agreement_set"))
        return opened_by_caller(work, given["agreement_set"])

    try:
        opened = within(use_case, everyone())
    except Problem as problem:
        return _page(problem)
    return redirect(f"/console/clearing/{opened.id}?done=cycle-opened", HTTPStatus.SEE_OTHER)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("cycles.get_cycles")
def export(form: str) -> Response:
    """The windows that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _page(problem: Problem | None = None) -> Response:
    return shown("clearing.html", _listing().page(), problem, states=CYCLE_STATES, usual_set=DEFAULT_SET)


def _listing() -> Listing[Listed, UUID]:
    tenants = principal().tenants
    return Listing(
        name="cycles",
        schema=CycleQuerySchema,
        read=lambda work, query, after, limit: _with_sums(
            work, list_cycles(work.connection, dict(query), after, limit), tenants
        ),
        totals=lambda work, query, most: cycle_totals(work.connection, dict(query), tenants, most),
        key=lambda listed: listed[0].id,
        columns=_columns,
        figures=lambda: (Figure(_("合计（元）"), lambda listed: listed[2]),),
    )


def _with_sums(work: Work, cycles: list[Cycle], tenants: tuple[str, ...]) -> list[Listed]:
    sums = gross_of(work.connection, cycles, tenants)
    return [(cycle, *sums.get(cycle.id, (0, ZERO))) for cycle in cycles]


def _columns() -> tuple[Column[Listed], ...]:
    def at(listed: Listed, name: str) -> str:
        return str(plain(getattr(listed[0], name)) or "")

    return (
        Column(_("周期"), lambda listed: listed[0].name),
        Column(_("状态"), lambda listed: word("cycle_state", listed[0].state)),
        Column(_("协议组"), lambda listed: listed[0].agreement_set),
        Column(_("开启"), lambda listed: at(listed, "opened_at")),
        Column(_("关闭"), lambda listed: at(listed, "closed_at")),
        Column(_("全部确认"), lambda listed: at(listed, "confirmed_at")),
        Column(_("结清"), lambda listed: at(listed, "settled_at")),
        Column(_("债务笔数"), lambda listed: str(listed[1])),
        Column(_("总额（元）"), lambda listed: str(listed[2]), amount=True),
    )
