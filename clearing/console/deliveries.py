"""Webhooks of all platforms: what was delivered, what waits, what was given up; sent again from an event on."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import bad_query
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
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from clearing.operating.deliveries import (
    Backlog,
    MessageRow,
    backlogs,
    endpoint_totals,
    find_endpoint,
    list_endpoints,
    list_messages,
    message_totals,
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
    return shown("deliveries.html", _endpoints().page())


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_endpoints")
def export(form: str) -> Response:
    """The endpoints that the address asks for, all of them, as a file."""
    return _endpoints().export(form)


def _endpoints() -> Listing[Listed, UUID]:
    tenants = principal().tenants

    def totals(work: Work, query: Mapping[str, Any], most: int | None) -> tuple[int, int, int]:
        count, behind = endpoint_totals(work.connection, tenants, query["platform"], most)
        return count, behind.waiting, behind.given_up

    return Listing(
        name="webhooks",
        schema=EndpointQuerySchema,
        read=lambda work, query, after, limit: _read(work, tenants, query["platform"], after, limit),
        totals=totals,
        key=lambda one: one[0].id,
        columns=_columns,
        figures=lambda: (
            Figure(_("待推送"), lambda one: one[1].waiting),
            Figure(_("已放弃"), lambda one: one[1].given_up),
        ),
    )


@blueprint.get("/<uuid:endpoint_id>")
@as_api("operations.get_messages")
def endpoint_page(endpoint_id: UUID) -> Response:
    """One endpoint with a page of its messages, the newest first."""
    return _page(endpoint_id)


@blueprint.get("/<uuid:endpoint_id>/export.<any(csv,xlsx):form>")
@as_api("operations.get_messages")
def export_messages(endpoint_id: UUID, form: str) -> Response:
    """The endpoint's messages that the address asks for, all of them, as a file."""
    row = within(lambda work: find_endpoint(work.connection, principal().tenants, endpoint_id))
    return _messages(row).export(form)


@blueprint.post("/<uuid:endpoint_id>/resend")
@as_api("operations.resend_events")
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
    def use_case(work: Work) -> tuple[EndpointRow, Backlog]:
        row = find_endpoint(work.connection, principal().tenants, endpoint_id)
        return row, backlogs(work.connection, [row.id])[row.id]

    row, behind = within(use_case)
    return shown(
        "endpoint.html", _messages(row).page(), problem, endpoint=row, behind=behind, states=MESSAGE_STATES,
        given=request.form,
    )  # fmt: skip


def _messages(row: EndpointRow) -> Listing[MessageRow, int]:
    return Listing(
        name=f"webhook-{row.platform}",
        schema=MessageQuerySchema,
        read=lambda work, query, before, limit: list_messages(work.connection, row, query["state"], before, limit),
        totals=lambda work, query, most: message_totals(work.connection, row, query["state"], most),
        key=lambda message: message.seq,
        columns=_message_columns,
        after=seq_of,
    )


def _read(work: Work, tenants: tuple[str, ...], platform: str | None, after: UUID | None, limit: int) -> list[Listed]:
    rows = list_endpoints(work.connection, tenants, platform, after, limit)
    behind = backlogs(work.connection, [row.id for row in rows])
    return [(row, behind[row.id]) for row in rows]


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


def _message_columns() -> tuple[Column[MessageRow], ...]:
    return (
        Column(_("序号"), lambda message: str(message.seq)),
        Column(_("事件"), lambda message: message.type),
        Column(_("对象"), lambda message: str(message.subject_id)),
        Column(_("状态"), lambda message: word("message", message.state)),
        Column(_("产生时间"), lambda message: str(plain(message.queued_at))),
        Column(_("已尝试次数"), lambda message: str(message.attempts)),
        Column(_("最近答复"), lambda message: str(message.last_answer or "")),
        Column(_("完成时间"), lambda message: str(plain(message.done_at) or "")),
    )
