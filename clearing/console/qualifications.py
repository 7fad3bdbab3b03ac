"""Enterprises' qualifications (申领资格): listed, decided by another person than who entered them, imported."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.api.standing_form import QualificationDecisionSchema, QualificationQuerySchema, YearQuerySchema
from clearing.api.standings import RACED
from clearing.console.batches import schemes_of
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import as_file, every
from clearing.console.screen import act, as_api, screen, show, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.console.words import QUALIFICATION_STATES
from clearing.tenancy import qualifications
from clearing.tenancy.governing import Year, governed_year
from clearing.tenancy.imports import QUALIFICATION_COLUMNS, Imported, import_qualifications
from clearing.tenancy.qualifications import QualificationRow, qualification_json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("qualifications", "/registers", max_form_bytes=MAX_FORM_BYTES)

FILTERS: Final = ("scheme", "year", "state", "cursor")
Shown = dict[str, Any]


@blueprint.get("")
@as_api("standings.list_qualifications")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/registers/qualifications/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/qualifications/<tenant>")
@as_api("standings.list_qualifications")
def list_page(tenant: str) -> Response:
    """One page of the qualifications that the address asks for, the oldest first."""
    return _page(tenant)


@blueprint.post("/qualifications/<tenant>/decision")
@as_api("standings.decide_qualification")
def decide(tenant: str) -> AnyResponse:
    """Admit, refuse or withdraw."""

    def use_case(work: Work) -> None:
        asked: dict[str, Any] = load(YearQuerySchema(), plain_form("scheme", "year"))
        given = load(QualificationDecisionSchema(), plain_form("outcome", "reason"))
        of = _year(work, tenant, asked["scheme"], asked["year"])
        uscc = request.form.get("uscc", "")
        qualifications.decide(work, principal().subject, of, uscc, given["outcome"], given["reason"])

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/registers/qualifications/{tenant}?done=decided",
    )


@blueprint.get("/qualifications/<tenant>/import")
@as_api("standings.post_qualifications")
def import_page(tenant: str) -> Response:
    """The form of the import."""
    return form_page(_import(tenant, request.args))


@blueprint.post("/qualifications/<tenant>/import")
@as_api("standings.post_qualifications")
def import_table(tenant: str) -> AnyResponse:
    """Look at the table, or enter its rows."""
    return take(_import(tenant, request.form), tenant)


@blueprint.get("/qualifications/<tenant>/export.<any(csv,xlsx):form>")
@as_api("standings.list_qualifications")
def export(tenant: str, form: str) -> Response:
    """The qualifications that the address asks for, all of them, as a file."""
    wanted, _after, _limit = _read(dict(request.args))
    return as_file(form, f"qualifications-{tenant}", _columns(), _all(tenant, wanted), ())


def _read(asked: Mapping[str, str]) -> tuple[dict[str, Any], UUID | None, int]:
    query: dict[str, Any] = load(
        QualificationQuerySchema(), {name: asked[name].strip() for name in FILTERS if asked.get(name, "").strip()}
    )
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))
    return query, after, limit


def _page(tenant: str, problem: Problem | None = None) -> Response:
    asked = {name: value for name, value in request.args.items() if name in FILTERS}
    try:
        wanted, after, limit = _read(asked)
    except Problem as wrong:
        problem, wanted, after, limit = wrong, {}, None, 0

    def use_case(work: Work) -> tuple[list[QualificationRow], list[Shown]]:
        rows = qualifications.listed(work.connection, tenant, wanted, after, limit + 1)
        return rows, [dict(qualification_json(row, shanghai_day(work.at))) for row in rows[:limit]]

    rows, items = within(use_case, (tenant,)) if limit else ([], [])
    return show(
        "qualifications.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, problem=problem,
        tenants=principal().tenants, schemes=schemes_of(tenant), asked=asked, items=items,
        states=QUALIFICATION_STATES, me=principal().subject, given=request.form,
        year=within(lambda work: shanghai_day(work.at).year),
        next_cursor=write_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None,
    )  # fmt: skip


def _all(tenant: str, wanted: dict[str, Any]) -> Iterator[Shown]:
    def read(after: UUID | None, limit: int) -> list[Shown]:
        def use_case(work: Work) -> list[Shown]:
            rows = qualifications.listed(work.connection, tenant, wanted, after, limit)
            return [dict(qualification_json(row, shanghai_day(work.at))) for row in rows]

        return within(use_case, (tenant,))

    return every(read, lambda item: UUID(str(item["id"])))


def _columns() -> tuple[Column[Shown], ...]:
    names = (
        ("uscc", _("信用代码")), ("name", _("企业")), ("scheme", _("券种")), ("year", _("年度")),
        ("enterprise_type", _("企业类型")), ("state", _("状态")), ("from_on", _("起始日")), ("through_on", _("截止日")),
    )  # fmt: skip
    return tuple(Column(str(title), lambda row, name=name: str(row[name])) for name, title in names)  # type: ignore[misc]


def _import(tenant: str, given: Mapping[str, str]) -> Import:
    asked: dict[str, Any] = load(
        YearQuerySchema(), {name: given[name] for name in ("scheme", "year") if given.get(name)}
    )

    def store(work: Work, content: bytes) -> list[str]:
        of = _year(work, tenant, asked["scheme"], asked["year"])
        return told(import_qualifications(work, principal().subject, of, content))

    place = f"/console/registers/qualifications/{tenant}"
    fields = {"scheme": asked["scheme"] or "", "year": str(asked["year"])}
    title = _("导入企业资格（%(year)s 年度）", year=asked["year"])
    headings = [column.headings[0] for column in QUALIFICATION_COLUMNS]
    return Import(str(title), f"{place}/import", place, "imported", headings, store, fields, RACED)


def told(done: Imported) -> list[str]:
    """What an import of parties did or would do, in words."""
    return [
        str(_("共 %(count)s 行", count=done.rows)),
        str(_("直接生效 %(count)s 行", count=done.admitted)),
        str(_("待审核 %(count)s 行", count=done.waiting)),
        str(_("与现有内容相同、不变 %(count)s 行", count=done.unchanged)),
    ]


def _year(work: Work, tenant: str, scheme: str | None, year: int) -> Year:
    return governed_year(work, tenant, scheme, year, demonstration=current().settings.demonstration)
