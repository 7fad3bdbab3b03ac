"""Outlets that this service pulls from: how each stands, asked at once, and the records that could not be taken in."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.dead_letters import LetterDismissalSchema, LetterQuerySchema
from clearing.api.frame import current, principal
from clearing.api.noun import DEFAULT_LIMIT, cursor_id, load, write_cursor
from clearing.api.pull_sources import REPLAYED_AT_ONCE
from clearing.console.desk_words import LETTER_STATES
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.forms import plain_form
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import act, as_api, screen, show, within
from clearing.console.words import word
from clearing.pulling import letters, sources
from clearing.pulling.pace import Pace
from clearing.pulling.replaying import replay_all, replay_one
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("outlets", "/connectors/outlets")

PLACE: Final = "/console/connectors/outlets"
LETTERS: Final = f"{PLACE}/letters"
_PACE: Final = Pace()

Letter = dict[str, Json]


@blueprint.get("")
@as_api("pull-sources.list_sources")
def list_page() -> Response:
    """The outlets of the person's regions."""
    return _page()


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
def export(form: str) -> Response:
    """The dead letters that the address asks for, all of them, as a file."""
    wanted = _wanted(filters())
    count, still_open = within(lambda work: letters.letter_totals(work.connection, wanted))
    require_exportable(count)
    totals = ((_("记录数"), str(count)), (_("其中待处理"), str(still_open)))
    return as_file(form, "dead-letters", _columns(), _all(wanted), totals)


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
    given = asked()
    after = cursor_id(given.get("cursor"))
    rows = within(lambda work: sources.listed(work.connection, None, after, DEFAULT_LIMIT + 1))
    shown = [sources.source_json(row, _PACE) for row in rows[:DEFAULT_LIMIT]]
    following = write_cursor(str(rows[DEFAULT_LIMIT - 1].id)) if len(rows) > DEFAULT_LIMIT else None
    status = HTTPStatus.OK if problem is None else problem.status
    return show("outlets.html", status, problem=problem, outlets=shown, asked=given, next_cursor=following)


def _letters(problem: Problem | None = None) -> Response:
    given = asked()
    query: dict[str, Any] = load(LetterQuerySchema(), dict(given))
    limit, after, wanted = query["limit"], cursor_id(query["cursor"]), _wanted(given)

    def use_case(work: Work) -> tuple[list[letters.LetterRow], tuple[int, int]]:
        rows = letters.listed(work.connection, wanted, after, limit + 1)
        return rows, letters.letter_totals(work.connection, wanted)

    rows, (count, still_open) = within(use_case)
    status = HTTPStatus.OK if problem is None else problem.status
    return show(
        "letters.html", status, problem=problem, letters=[letters.letter_json(row) for row in rows[:limit]],
        asked=given, states=LETTER_STATES, count=count, still_open=still_open,
        next_cursor=write_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None,
    )  # fmt: skip


def _wanted(given: dict[str, str]) -> letters.Filter:
    query: dict[str, Any] = load(LetterQuerySchema(), dict(given))
    return letters.Filter(None, query["source"], query["state"])


def _all(wanted: letters.Filter) -> Iterator[letters.LetterRow]:
    return every(
        lambda after, limit: within(lambda work: letters.listed(work.connection, wanted, after, limit)),
        lambda row: row.id,
    )


def _columns() -> tuple[Column[letters.LetterRow], ...]:
    def said(row: letters.LetterRow, name: str) -> str:
        return str(letters.letter_json(row)[name] or "")

    return (
        Column(_("到达时间"), lambda row: said(row, "came_at")),
        Column(_("平台"), lambda row: platform_name(row.platform)),
        Column(_("区域"), lambda row: tenant_name(row.tenant)),
        Column(_("页、位置"), lambda row: f"{row.page_seq}/{row.position}"),
        Column(_("代码"), lambda row: row.code),
        Column(_("问题"), lambda row: row.problem),
        Column(_("状态"), lambda row: word("letter", row.state)),
        Column(_("处理人"), lambda row: row.decided_by or ""),
        Column(_("理由"), lambda row: row.reason or ""),
    )
