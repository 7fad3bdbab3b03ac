"""Webhooks of all platforms: what was delivered, what waits, what was given up; sent again from an event on."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import bad_query, cursor_id, load, write_cursor
from clearing.api.operations import (
    LARGEST_SEQ,
    EndpointQuerySchema,
    MessageQuerySchema,
    resend_as_caller,
    seq_of,
)
from clearing.console.desk_words import MESSAGE_STATES
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import act, as_api, screen, show, within
from clearing.operating.deliveries import (
    Backlog,
    MessageRow,
    backlogs,
    endpoint_totals,
    find_endpoint,
    list_endpoints,
    list_messages,
)
from clearing.webhooks.endpoints import EndpointRow
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("deliveries", "/connectors/webhooks")

Listed = tuple[EndpointRow, Backlog]


@blueprint.get("")
@as_api("operations.get_endpoints")
def list_page() -> Response:
    """One page of the endpoints."""
    given, tenants = asked(), principal().tenants
    query: dict[str, Any] = load(EndpointQuerySchema(), dict(given))
    limit, after, platform = query["limit"], cursor_id(query["cursor"]), query["platform"]

    def use_case(work: Work) -> tuple[list[Listed], tuple[int, Backlog]]:
        return _read(work, tenants, platform, after, limit + 1), endpoint_totals(work.connection, tenants, platform)

    endpoints, (count, behind) = within(use_case)
    return show(
        "deliveries.html", asked=given, endpoints=endpoints[:limit], count=count, behind=behind,
        next_cursor=write_cursor(str(endpoints[limit - 1][0].id)) if len(endpoints) > limit else None,
    )  # fmt: skip


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_endpoints")
def export(form: str) -> Response:
    """The endpoints that the address asks for, all of them, as a file."""
    platform, tenants = load(EndpointQuerySchema(), dict(filters()))["platform"], principal().tenants
    count, behind = within(lambda work: endpoint_totals(work.connection, tenants, platform))
    require_exportable(count)
    totals = (
        (_("地址数"), str(count)), (_("待推送"), str(behind.waiting)), (_("已放弃"), str(behind.given_up)),
    )  # fmt: skip
    return as_file(form, "webhooks", _columns(), _all(tenants, platform), totals)


@blueprint.get("/<uuid:endpoint_id>")
@as_api("operations.get_messages")
def endpoint_page(endpoint_id: UUID) -> Response:
    """One endpoint with a page of its messages, the newest first."""
    return _page(endpoint_id)


@blueprint.post("/<uuid:endpoint_id>/resend")
@as_api("operations.resend")
def resend(endpoint_id: UUID) -> AnyResponse:
    """Tell everything from an event on again."""
    return act(
        lambda: within(lambda work: resend_as_caller(work, endpoint_id, _first() - 1)),
        lambda problem: _page(endpoint_id, problem),
        lambda count: f"/console/connectors/webhooks/{endpoint_id}?done={'resent' if count else 'nothing-resent'}",
    )


def _first() -> int:
    """The first event to be told again.

    Raises:
        Invalid: no such number.
    """
    text = request.form.get("from", "").strip()
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= LARGEST_SEQ:
        raise bad_query("from", "请填写事件序号（正整数）。", "Give the number of an event.")
    return int(text)


def _page(endpoint_id: UUID, problem: Problem | None = None) -> Response:
    given = asked()
    query: dict[str, Any] = load(MessageQuerySchema(), dict(given))
    limit, before = query["limit"], seq_of(query["cursor"])

    def use_case(work: Work) -> tuple[EndpointRow, Backlog, list[MessageRow]]:
        row = find_endpoint(work.connection, principal().tenants, endpoint_id)
        messages = list_messages(work.connection, row, query["state"], before, limit + 1)
        return row, backlogs(work.connection, [row.id])[row.id], messages

    row, behind, messages = within(use_case)
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "endpoint.html", status, endpoint=row, behind=behind, messages=messages[:limit], asked=given, problem=problem,
        states=MESSAGE_STATES, given=request.form,
        next_cursor=write_cursor(str(messages[limit - 1].seq)) if len(messages) > limit else None,
    )  # fmt: skip


def _read(work: Work, tenants: tuple[str, ...], platform: str | None, after: UUID | None, limit: int) -> list[Listed]:
    rows = list_endpoints(work.connection, tenants, platform, after, limit)
    behind = backlogs(work.connection, [row.id for row in rows])
    return [(row, behind[row.id]) for row in rows]


def _all(tenants: tuple[str, ...], platform: str | None) -> Iterator[Listed]:
    return every(
        lambda after, limit: within(lambda work: _read(work, tenants, platform, after, limit)), lambda one: one[0].id
    )


def _columns() -> tuple[Column[Listed], ...]:
    return (
        Column(_("平台"), lambda one: platform_name(one[0].platform)),
        Column(_("区域"), lambda one: tenant_name(one[0].tenant)),
        Column(_("地址"), lambda one: one[0].url),
        Column(_("登记时间"), lambda one: str(plain(one[0].registered_at))),
        Column(_("停用时间"), lambda one: str(plain(one[0].disabled_at) or "")),
        Column(_("待推送"), lambda one: str(one[1].waiting)),
        Column(_("已放弃"), lambda one: str(one[1].given_up)),
    )
