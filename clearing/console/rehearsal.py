"""Rehearsal (预演) of a version over past claims: before and after by zone, type and month, and each changed claim.

The page works as a plain form. Its script asks for the same as lines of JSON, which say how far the work has come, and
last the very part of the page that the plain form would have shown.
"""

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from flask import Response, render_template, request, stream_with_context
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.api.noun import load
from clearing.api.policies import SimulationSchema
from clearing.console.chart import Chart, bars
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.language import said
from clearing.console.lists import Figure, as_file
from clearing.console.policies import short_name
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import word
from clearing.tenancy.policies import read_version
from clearing.tenancy.policy_life import Place
from clearing.tenancy.rehearsing import Wanted, read_only, rehearse
from clearing.tenancy.simulation import Seen, Told, nobody, nothing
from tenants.kernel.database import Scope, Work, database_away, is_away, run
from tenants.kernel.errors import Problem, Text
from tenants.kernel.money import ZERO, Money

blueprint = screen("rehearsal", "/policies/<tenant>/<scheme>/<version>/rehearsal")

CHANGED_SHOWN: Final = 500
AT_ONCE: Final = 1_000
"""Changed claims that wait to be written into a file."""
PERIOD: Final = ("submitted_from", "submitted_through")
NONE: Final = (ZERO, ZERO, ZERO)
"""The sums of a file without rows."""
LINES: Final = "application/x-ndjson"
RIGHTS: Final = ("policies.get_policy", "policies.simulate_policy")

Changed = dict[str, Any]
_Heard = queue.Queue[tuple[str, Any]]


class _Gone(Exception):  # noqa: N818 - nothing is wrong: nobody listens any more
    """The person closed the page."""


@blueprint.get("")
@as_api(*RIGHTS)
def rehearsal_page(tenant: str, scheme: str, version: str) -> Response:
    """Over which claims."""
    return _page(Place(tenant, scheme, version))


@blueprint.post("")
@as_api(*RIGHTS)
def run_rehearsal(tenant: str, scheme: str, version: str) -> AnyResponse:
    """Rehearse, and show what would have been; it changes nothing."""
    where = Place(tenant, scheme, version)
    try:
        wanted = _wanted(plain_form(*PERIOD), request.form, CHANGED_SHOWN)
        if request.accept_mimetypes.best == LINES:
            return Response(stream_with_context(_told(where, wanted)), content_type=LINES)
        found = _rehearsed(where, wanted, nobody)
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise
        return _page(where, problem=problem)
    return _page(where, found=found, wanted=wanted)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api(*RIGHTS)
def export(tenant: str, scheme: str, version: str, form: str) -> Response:
    """Rehearse once more, and put every changed claim into a file, in the order of the page."""
    where = Place(tenant, scheme, version)
    named = [name for name in PERIOD if request.args.get(name)]
    wanted = _wanted({name: request.args[name] for name in named}, request.args, 0)
    within(lambda work: read_version(work.connection, tenant, scheme, version), (tenant,))
    name = f"rehearsal-{tenant}-{scheme}-{version}"
    return as_file(form, name, _columns(), _changed(where, wanted), _figures(), NONE)


def _wanted(period: Mapping[str, Any], chosen: Mapping[str, str], kept: int) -> Wanted:
    given = load(SimulationSchema(), {**period, "governed_only": "governed_only" in chosen})
    return Wanted(given.get("submitted_from"), given.get("submitted_through"), given["governed_only"], kept)


def _columns() -> tuple[Column[Changed], ...]:
    def reasons(one: Changed) -> str:
        findings = [each for each in one["findings"] if not each["rule"].startswith("policy.")]
        return "; ".join(said(Text(each["zh"], each["en"])) for each in findings)

    return (
        Column(_("申请编号"), lambda one: str(one["claim_no"])),
        Column(_("月份"), lambda one: str(one["month"])),
        Column(_("当时"), lambda one: word("state", one["before"]["state"])),
        Column(_("当时核定（元）"), lambda one: str(one["before"]["award"]), amount=True),
        Column(_("按本版本"), lambda one: word("state", one["after"]["state"])),
        Column(_("按本版本（元）"), lambda one: str(one["after"]["award"]), amount=True),
        Column(_("差额（元）"), lambda one: str(one["difference"]), amount=True),
        Column(_("理由"), reasons),
    )


def _figures() -> tuple[Figure[Changed], ...]:
    return (
        Figure(_("当时核定（元）"), lambda one: Money.parse(one["before"]["award"])),
        Figure(_("按本版本（元）"), lambda one: Money.parse(one["after"]["award"])),
        Figure(_("差额（元）"), lambda one: _signed(one["difference"])),
    )


def _signed(text: str) -> Money:
    return Money(-Money.parse(text[1:]).fen) if text.startswith("-") else Money.parse(text)


def _file(where: Place, wanted: Wanted) -> dict[str, Any]:
    """Where all changed claims are to be had as a file."""
    asked = {
        "submitted_from": wanted.from_on, "submitted_through": wanted.through_on,
        "governed_only": 1 if wanted.governed_only else None,
    }  # fmt: skip
    return {"file": f"/console/policies/{where.tenant}/{where.scheme}/{where.version}/rehearsal", "period": asked}


def _rehearsed(where: Place, wanted: Wanted, tell: Told) -> dict[str, Any]:
    service = current()
    demonstration = service.settings.demonstration

    def use_case(work: Work) -> dict[str, Any]:
        return rehearse(work, where, wanted, None, demonstration=demonstration, tell=tell)

    return run(read_only(service.engine), Scope((where.tenant,)), service.machine, use_case)


def _told(where: Place, wanted: Wanted) -> Iterator[str]:
    """How far it has come, a line each, and at last the outcome as a part of the page."""
    heard: _Heard = queue.Queue()
    gone = threading.Event()

    _set_off(where, wanted, heard, gone, tell=lambda done, of: _say(heard, gone, "progress", (done, of)))
    try:
        yield from _lines(heard, where, wanted)
    finally:
        gone.set()


def _changed(where: Place, wanted: Wanted) -> Iterator[Changed]:
    """Every changed claim in the order of the page, as it is found; a few at a time are held."""
    heard: _Heard = queue.Queue(AT_ONCE)
    gone = threading.Event()

    _set_off(where, wanted, heard, gone, seen=lambda changed: _say(heard, gone, "changed", changed))
    try:
        while (told := heard.get())[0] == "changed":
            yield told[1]
        if told[0] == "failed":
            raise told[1]
    finally:
        gone.set()


def _say(heard: "_Heard", gone: threading.Event, kind: str, value: Any) -> None:  # noqa: ANN401 - what is heard
    """Let it be heard; where nobody listens any more, stop."""
    while not gone.is_set():
        try:
            heard.put((kind, value), timeout=1)
        except queue.Full:
            continue
        return
    raise _Gone


def _set_off(
    where: Place,
    wanted: Wanted,
    heard: "_Heard",
    gone: threading.Event,
    *,
    tell: Told = nobody,
    seen: Seen = nothing,
) -> None:
    """Rehearse beside this thread; what comes of it is heard last: ``found`` or ``failed``."""
    service = current()
    demonstration = service.settings.demonstration

    def work_off() -> None:
        try:
            found = run(
                read_only(service.engine),
                Scope((where.tenant,)),
                service.machine,
                lambda work: rehearse(work, where, wanted, None, demonstration=demonstration, tell=tell, seen=seen),
            )
            _say(heard, gone, "found", found)
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - it is raised again where it is heard
            with suppress(_Gone):
                _say(heard, gone, "failed", error)

    threading.Thread(target=work_off, name="rehearsal", daemon=True).start()


def _lines(heard: "_Heard", where: Place, wanted: Wanted) -> Iterator[str]:
    while True:
        kind, value = heard.get()
        if kind == "progress":
            yield json.dumps({"done": value[0], "of": value[1]}) + "\n"
            continue
        problem = None
        if kind == "failed":
            problem = value if isinstance(value, Problem) else database_away() if is_away(value) else None
            if problem is None:
                raise value
        shown = {"found": value, **_charts(value), **_file(where, wanted)} if kind == "found" else {"found": None}
        html = render_template(
            "console/rehearsed.html", tenant=where.tenant, scheme=where.scheme, problem=problem, **shown
        )
        yield json.dumps({"html": html}) + "\n"
        return


def _page(
    where: Place, found: dict[str, Any] | None = None, problem: Problem | None = None, wanted: Wanted | None = None
) -> Response:
    stored = within(
        lambda work: read_version(work.connection, where.tenant, where.scheme, where.version), (where.tenant,)
    )
    return show(
        "rehearsal.html", HTTPStatus.OK if problem is None else problem.status, charts=True, tenant=where.tenant,
        scheme=where.scheme, stored=stored, short=short_name(str(stored["version"])), found=found, problem=problem,
        given=request.form, **({} if found is None or wanted is None else _charts(found) | _file(where, wanted)),
    )  # fmt: skip


def _charts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Before and after, by zone, type and month: each as a chart and as the rows of the table beside it."""
    kinds = (("zone", "zones", _("分区")), ("type", "types", _("企业类型")), ("month", "months", _("提交月份")))
    return {
        "groups": [
            {"name": name, "title": title, "rows": rows, "figure": _figure(rows, title)}
            for name, several, title in kinds
            for rows in [[{**one, "label": _label(one, name)} for one in found[several]]]
        ]
    }


def _label(one: Mapping[str, Any], name: str) -> str:
    if one[name] in {"none", ""}:
        return str(_("（无）"))
    return said(Text(str(one["zh"]), str(one["en"])))


def _figure(rows: Sequence[Mapping[str, Any]], title: str) -> Chart:
    series = [
        (str(name), [Money.parse(row["award"][which]) for row in rows])
        for which, name in (("before", _("当时核定")), ("after", _("按本版本")))
    ]
    label = _("按%(group)s的柱状图，数值见旁边的表", group=title)
    return bars(str(label), str(_("元")), [row["label"] for row in rows], series)
