"""Clearing between regions: its windows with what is owed in them, counted and summed; a new window."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.cycles import CycleQuerySchema, WindowSchema, everyone, opened_by_caller
from clearing.api.frame import principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.console.desk_words import CYCLE_STATES
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import as_api, screen, show, within
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
    query = _query(filters())
    query.pop("limit"), query.pop("cursor")
    tenants = principal().tenants
    count, total = within(lambda work: cycle_totals(work.connection, query, tenants))
    require_exportable(count)
    return as_file(form, "cycles", _columns(), _all(query), ((_("周期数"), str(count)), (_("合计（元）"), str(total))))


def _page(problem: Problem | None = None) -> Response:
    given, tenants = asked(), principal().tenants
    shown: dict[str, Any] = {"asked": given, "states": CYCLE_STATES, "usual_set": DEFAULT_SET}
    try:
        query = _query(given)
        limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))
    except Problem as found:
        return show("clearing.html", found.status, problem=found, cycles=None, **shown)

    def use_case(work: Work) -> tuple[list[Listed], tuple[int, Money]]:
        cycles = list_cycles(work.connection, query, after, limit + 1)
        return _with_sums(work, cycles, tenants), cycle_totals(work.connection, query, tenants)

    cycles, (count, total) = within(use_case)
    following = write_cursor(str(cycles[limit - 1][0].id)) if len(cycles) > limit else None
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "clearing.html", status, problem=problem, cycles=cycles[:limit], count=count, total=total,
        next_cursor=following, **shown,
    )  # fmt: skip


def _query(given: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = load(CycleQuerySchema(), dict(given))
    return found


def _with_sums(work: Work, cycles: list[Cycle], tenants: tuple[str, ...]) -> list[Listed]:
    sums = gross_of(work.connection, cycles, tenants)
    return [(cycle, *sums.get(cycle.id, (0, ZERO))) for cycle in cycles]


def _all(query: dict[str, Any]) -> Iterator[Listed]:
    tenants = principal().tenants

    def read(after: UUID | None, limit: int) -> list[Listed]:
        return within(lambda work: _with_sums(work, list_cycles(work.connection, query, after, limit), tenants))

    return every(read, lambda listed: listed[0].id)


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
