"""Rehearsal (预演) of a version over past claims: before and after by zone, type and month, and each changed claim.

The page works as a plain form. Its script asks for the same as lines of JSON, which say how far the work has come, and
last the very part of the page that the plain form would have shown.
"""

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from flask import Response, render_template, request, stream_with_context
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current
from clearing.api.noun import load
from clearing.api.policies import SimulationSchema
from clearing.console.chart import Chart, bars
from clearing.console.forms import plain_form
from clearing.console.language import said
from clearing.console.policies import short_name
from clearing.console.screen import as_api, screen, show, within
from clearing.tenancy.policies import read_version
from clearing.tenancy.policy_life import Place
from clearing.tenancy.rehearsing import Wanted, read_only, rehearse
from clearing.tenancy.simulation import Told, nobody
from tenants.kernel.database import Scope, Work, database_away, is_away, run
from tenants.kernel.errors import Problem, Text
from tenants.kernel.money import Money

blueprint = screen("rehearsal", "/policies/<tenant>/<scheme>/<version>/rehearsal")

CHANGED_SHOWN: Final = 500
LINES: Final = "application/x-ndjson"
RIGHTS: Final = ("policies.get_policy", "policies.simulate_policy")


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
        wanted = _wanted()
        if request.accept_mimetypes.best == LINES:
            return Response(stream_with_context(_told(where, wanted)), content_type=LINES)
        found = _rehearsed(where, wanted, nobody)
    except Problem as problem:
        if problem.status == HTTPStatus.NOT_FOUND:
            raise
        return _page(where, problem=problem)
    return _page(where, found=found)


def _wanted() -> Wanted:
    body = plain_form("submitted_from", "submitted_through")
    body["governed_only"] = "governed_only" in request.form
    given = load(SimulationSchema(), body)
    return Wanted(given.get("submitted_from"), given.get("submitted_through"), given["governed_only"], CHANGED_SHOWN)


def _rehearsed(where: Place, wanted: Wanted, tell: Told) -> dict[str, Any]:
    service = current()
    demonstration = service.settings.demonstration

    def use_case(work: Work) -> dict[str, Any]:
        return rehearse(work, where, wanted, None, demonstration=demonstration, tell=tell)

    return run(read_only(service.engine), Scope((where.tenant,)), service.machine, use_case)


def _told(where: Place, wanted: Wanted) -> Iterator[str]:
    """How far it has come, a line each, and at last the outcome as a part of the page."""
    service = current()
    demonstration = service.settings.demonstration
    heard: queue.Queue[tuple[str, Any]] = queue.Queue()
    gone = threading.Event()

    def tell(done: int, of: int) -> None:
        if gone.is_set():
            raise _Gone
        heard.put(("progress", (done, of)))

    def work_off() -> None:
        try:
            found = run(
                read_only(service.engine),
                Scope((where.tenant,)),
                service.machine,
                lambda work: rehearse(work, where, wanted, None, demonstration=demonstration, tell=tell),
            )
            heard.put(("found", found))
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - it is raised again where it is heard
            heard.put(("failed", error))

    threading.Thread(target=work_off, name="rehearsal", daemon=True).start()
    try:
        yield from _lines(heard, where)
    finally:
        gone.set()


def _lines(heard: "queue.Queue[tuple[str, Any]]", where: Place) -> Iterator[str]:
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
        shown = {"found": value, **_charts(value)} if kind == "found" else {"found": None}
        html = render_template(
            "console/rehearsed.html", tenant=where.tenant, scheme=where.scheme, problem=problem, **shown
        )
        yield json.dumps({"html": html}) + "\n"
        return


def _page(where: Place, found: dict[str, Any] | None = None, problem: Problem | None = None) -> Response:
    stored = within(
        lambda work: read_version(work.connection, where.tenant, where.scheme, where.version), (where.tenant,)
    )
    return show(
        "rehearsal.html", HTTPStatus.OK if problem is None else problem.status, charts=True, tenant=where.tenant,
        scheme=where.scheme, stored=stored, short=short_name(str(stored["version"])), found=found, problem=problem,
        given=request.form, **({} if found is None else _charts(found)),
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
