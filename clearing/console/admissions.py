"""Providers' admissions (服务单位入库): listed, decided by another person than who entered them, imported."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.api.standing_form import AdmissionDecisionSchema, AdmissionQuerySchema, SchemeSchema
from clearing.api.standings import RACED
from clearing.console.batches import schemes_of
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import as_file, every
from clearing.console.qualifications import told
from clearing.console.screen import act, as_api, screen, show, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.console.words import ADMISSION_STATES
from clearing.tenancy import admissions
from clearing.tenancy.admissions import GROUNDS, AdmissionRow, Decision, admission_json
from clearing.tenancy.governing import governing_policy
from clearing.tenancy.imports import ADMISSION_COLUMNS, import_admissions
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.policy import Policy

blueprint = screen("admissions", "/registers/admissions/<tenant>", max_form_bytes=MAX_FORM_BYTES)

FILTERS: Final = ("scheme", "state", "cursor")
Shown = dict[str, Any]


@blueprint.get("")
@as_api("standings.list_admissions")
def list_page(tenant: str) -> Response:
    """One page of the admissions that the address asks for, the oldest first."""
    return _page(tenant)


@blueprint.post("/decision")
@as_api("standings.decide_admission")
def decide(tenant: str) -> AnyResponse:
    """Admit, refuse, or let a provider leave."""

    def use_case(work: Work) -> None:
        asked: dict[str, Any] = load(SchemeSchema(), plain_form("scheme"))
        given = load(AdmissionDecisionSchema(), plain_form("outcome", "reason", "ground"))
        decision = Decision(given["outcome"], given["reason"], given["ground"])
        policy = _policy(work, tenant, asked["scheme"])
        admissions.decide(work, principal().subject, policy, request.form.get("uscc", ""), decision)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/registers/admissions/{tenant}?done=decided",
    )


@blueprint.get("/import")
@as_api("standings.post_admissions")
def import_page(tenant: str) -> Response:
    """The form of the import."""
    return form_page(_import(tenant, request.args))


@blueprint.post("/import")
@as_api("standings.post_admissions")
def import_table(tenant: str) -> AnyResponse:
    """Look at the table, or enter its rows."""
    return take(_import(tenant, request.form), tenant)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("standings.list_admissions")
def export(tenant: str, form: str) -> Response:
    """The admissions that the address asks for, all of them, as a file."""
    wanted, _after, _limit = _read(dict(request.args))
    return as_file(form, f"admissions-{tenant}", _columns(), _all(tenant, wanted), ())


def _read(asked: Mapping[str, str]) -> tuple[dict[str, Any], UUID | None, int]:
    query: dict[str, Any] = load(
        AdmissionQuerySchema(), {name: asked[name].strip() for name in FILTERS if asked.get(name, "").strip()}
    )
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))
    return query, after, limit


def _page(tenant: str, problem: Problem | None = None) -> Response:
    asked = {name: value for name, value in request.args.items() if name in FILTERS}
    try:
        wanted, after, limit = _read(asked)
    except Problem as wrong:
        problem, wanted, after, limit = wrong, {}, None, 0

    def use_case(work: Work) -> tuple[list[AdmissionRow], list[Shown]]:
        rows = admissions.listed(work.connection, tenant, wanted, after, limit + 1)
        today = shanghai_day(work.at)
        return rows, [dict(admission_json(row, today)) for row in rows[:limit]]

    rows, items = within(use_case, (tenant,)) if limit else ([], [])
    return show(
        "admissions.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, problem=problem,
        tenants=principal().tenants, schemes=schemes_of(tenant), asked=asked, items=items,
        states=ADMISSION_STATES, grounds=GROUNDS, me=principal().subject, given=request.form,
        next_cursor=write_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None,
    )  # fmt: skip


def _all(tenant: str, wanted: dict[str, Any]) -> Iterator[Shown]:
    def read(after: UUID | None, limit: int) -> list[Shown]:
        def use_case(work: Work) -> list[Shown]:
            rows = admissions.listed(work.connection, tenant, wanted, after, limit)
            return [dict(admission_json(row, shanghai_day(work.at))) for row in rows]

        return within(use_case, (tenant,))

    return every(read, lambda item: UUID(str(item["id"])))


def _columns() -> tuple[Column[Shown], ...]:
    names = (
        ("uscc", _("信用代码")), ("name", _("服务机构")), ("scheme", _("券种")), ("division", _("行政区划")),
        ("kind", _("机构类别")), ("state", _("状态")), ("from_on", _("起始日")), ("through_on", _("截止日")),
    )  # fmt: skip
    return tuple(Column(str(title), lambda row, name=name: str(row[name] or "")) for name, title in names)  # type: ignore[misc]


def _import(tenant: str, given: Mapping[str, str]) -> Import:
    asked: dict[str, Any] = load(SchemeSchema(), {"scheme": given["scheme"]} if given.get("scheme") else {})

    def store(work: Work, content: bytes) -> list[str]:
        return told(import_admissions(work, principal().subject, _policy(work, tenant, asked["scheme"]), content))

    place = f"/console/registers/admissions/{tenant}"
    headings = [column.headings[0] for column in ADMISSION_COLUMNS]
    title, fields = str(_("导入服务机构")), {"scheme": asked["scheme"] or ""}
    return Import(title, f"{place}/import", place, "imported", headings, store, fields, RACED)


def _policy(work: Work, tenant: str, scheme: str | None) -> Policy:
    on = shanghai_day(work.at)
    return governing_policy(work, tenant, scheme, on, demonstration=current().settings.demonstration)
