"""Outlets that this service pulls from: how each stands, asked at once, and the records that could not be taken in."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.dead_letters import LetterDismissalSchema, LetterQuerySchema
from clearing.api.frame import current, principal
from clearing.api.noun import PageSchema, load
from clearing.api.pull_sources import REPLAYED_AT_ONCE
from clearing.console.desk_words import LETTER_STATES
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.forms import plain_form
from clearing.console.language import speaks_english
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from clearing.pulling import letters, sources
from clearing.pulling.pace import Pace
from clearing.pulling.replaying import replay_all, replay_one
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("outlets", "/connectors/outlets")

PLACE: Final = "/console/connectors/outlets"
LETTERS: Final = f"{PLACE}/letters"
_PACE: Final = Pace()

Outlet = dict[str, Any]


@blueprint.get("")
@as_api("pull-sources.list_sources")
def list_page() -> Response:
    """The outlets of the person's regions."""
    return _page()


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("pull-sources.list_sources")
def export_outlets(form: str) -> Response:
    """The outlets of the person's regions, all of them, as a file."""
    return _outlets().export(form)


@blueprint.post("/<uuid:source_id>/poll")
@as_api("pull-sources.poll_source")
def poll(source_id: UUID) -> AnyResponse:
    """Ask the outlet at once."""
    me, now = principal().subject, current().machine.now()
    return _acted(lambda work: sources.ask_now(work, me, source_id, None, now), "outlet-asked")


@blueprint.post("/<uuid:source_id>/disable")
@as_api("pull-sources.disable_source")
def disable(source_id: UUID) -> AnyResponse:
    """Ask the outlet no more."""
    me = principal().subject
    return _acted(lambda work: sources.disable(work, me, source_id, None), "outlet-disabled")


@blueprint.post("/<uuid:source_id>/replay")
@as_api("pull-sources.replay_source")
def replay_source(source_id: UUID) -> AnyResponse:
    """Try the outlet's open dead letters again, the oldest first."""
    within(lambda work: sources.view(work.connection, source_id, None))
    done = list(replay_all(current(), principal(), source_id, REPLAYED_AT_ONCE))
    left = sum(one.problem is not None for one in done)
    return redirect(f"{LETTERS}?state=open&done={'letters-left' if left else 'letters-taken'}", HTTPStatus.SEE_OTHER)


@blueprint.get("/letters")
@as_api("dead-letters.list_letters")
def letters_page() -> Response:
    """One page of the dead letters that the address asks for."""
    return _letters()


@blueprint.get("/letters/export.<any(csv,xlsx):form>")
@as_api("dead-letters.list_letters")
def export_letters(form: str) -> Response:
    """The dead letters that the address asks for, all of them, as a file."""
    return _letter_list().export(form)


@blueprint.post("/letters/<uuid:letter_id>/replay")
@as_api("dead-letters.replay_letter")
def replay_letter(letter_id: UUID) -> AnyResponse:
    """Take the record in now, as it came."""
    return act(
        lambda: replay_one(current(), principal(), letter_id), _letters, f"{LETTERS}?state=open&done=letters-taken"
    )


@blueprint.post("/letters/<uuid:letter_id>/dismiss")
@as_api("dead-letters.dismiss_letter")
def dismiss(letter_id: UUID) -> AnyResponse:
    """Lay the record aside for good."""

    def use_case(work: Work) -> object:
        reason = load(LetterDismissalSchema(), plain_form("reason", required=("reason",)))["reason"]
        return letters.dismiss(work, principal().subject, letter_id, None, reason)

    return act(lambda: within(use_case), _letters, f"{LETTERS}?state=open&done=letter-dismissed")


def _acted(use_case: Callable[[Work], object], done: str) -> AnyResponse:
    return act(lambda: within(use_case), _page, f"{PLACE}?done={done}")


def _page(problem: Problem | None = None) -> Response:
    return shown("outlets.html", _outlets().page(), problem)


def _outlets() -> Listing[Outlet, UUID]:
    return Listing(
        name="outlets",
        schema=PageSchema,
        read=lambda work, _query, after, limit: [
            dict(sources.source_json(row, _PACE)) for row in sources.listed(work.connection, None, after, limit)
        ],
        totals=lambda work, _query, most: sources.source_totals(work.connection, None, most),
        key=lambda one: UUID(str(one["id"])),
        columns=_outlet_columns,
    )


def _letters(problem: Problem | None = None) -> Response:
    listing = _letter_list().page()
    rows = listing["items"]
    listing["items"] = None if rows is None else [letters.letter_json(row) for row in rows]
    return shown("letters.html", listing, problem, states=LETTER_STATES)


def _letter_list() -> Listing[letters.LetterRow, UUID]:
    def wanted(query: Mapping[str, Any]) -> letters.Filter:
        return letters.Filter(None, query["source"], query["state"])

    return Listing(
        name="dead-letters",
        schema=LetterQuerySchema,
        read=lambda work, query, after, limit: letters.listed(work.connection, wanted(query), after, limit),
        totals=lambda work, query, most: letters.letter_totals(work.connection, wanted(query), most),
        key=lambda row: row.id,
        columns=_columns,
        figures=lambda: (Figure(_("其中待处理"), lambda row: int(row.state == "open")),),
    )


def _outlet_columns() -> tuple[Column[Outlet], ...]:
    return (
        Column(_("平台"), lambda one: platform_name(str(one["platform"]))),
        Column(_("区域"), lambda one: tenant_name(str(one["tenant"]))),
        Column(_("种类"), lambda one: word("outlet_kind", str(one["what"]))),
        Column(_("地址"), lambda one: str(one["url"])),
        Column(_("状况"), lambda one: word("outlet", str(one["state"]))),
        Column(_("最近答复"), lambda one: str(one["answered_at"] or "")),
        Column(_("下次拉取"), lambda one: str(one["next_poll_at"] or "")),
        Column(_("记录数"), lambda one: str(one["records"])),
        Column(_("新收"), lambda one: str(one["stored"])),
        Column(_("未接收"), lambda one: str(one["dead_letters_open"])),
    )


def _columns() -> tuple[Column[letters.LetterRow], ...]:
    def said(row: letters.LetterRow, name: str) -> str:
        return str(letters.letter_json(row)[name] or "")

    def problem(row: letters.LetterRow) -> str:
        told: Any = letters.letter_json(row)["problem"]
        language = "en" if speaks_english() else "zh"
        errors = [f"{error['pointer']} {error[language]}" for error in told["errors"]]
        return "; ".join((str(told[language]), *errors))

    return (
        Column(_("编号"), lambda row: str(row.id)),
        Column(_("到达时间"), lambda row: said(row, "came_at")),
        Column(_("平台"), lambda row: platform_name(row.platform)),
        Column(_("区域"), lambda row: tenant_name(row.tenant)),
        Column(_("页、位置"), lambda row: f"{row.page_seq}/{row.position}"),
        Column(_("代码"), lambda row: row.code),
        Column(_("问题"), problem),
        Column(_("状态"), lambda row: word("letter", row.state)),
        Column(_("处理人"), lambda row: row.decided_by or ""),
        Column(_("理由"), lambda row: row.reason or ""),
    )
