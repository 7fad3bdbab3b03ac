"""Enterprises' qualifications (申领资格): listed, decided by another person than who entered them, imported."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import request
from flask_babel import gettext as _

from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.api.standing_form import QualificationDecisionSchema, QualificationQuerySchema, YearQuerySchema
from clearing.api.standings import RACED
from clearing.console.enterprise_types import types_of
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.registers import Register, Shown, columns_of, told
from clearing.console.table_upload import Import
from clearing.console.words import QUALIFICATION_STATES, word
from clearing.tenancy import qualifications
from clearing.tenancy.governing import Year, governed_year
from clearing.tenancy.imports import QUALIFICATION_COLUMNS, import_qualifications
from clearing.tenancy.qualifications import QUALIFICATIONS
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work


def _read(work: Work, tenant: str, query: Mapping[str, Any], after: UUID | None, limit: int) -> list[Shown]:
    today = shanghai_day(work.at)
    rows = QUALIFICATIONS.listed(work.connection, tenant, query, after, limit)
    return [dict(qualifications.qualification_json(row, today)) for row in rows]


def _decide(work: Work, tenant: str) -> object:
    """Admit, refuse or withdraw."""
    asked: dict[str, Any] = load(YearQuerySchema(), plain_form("scheme", "year"))
    given = load(QualificationDecisionSchema(), plain_form("outcome", "reason"))
    of, uscc = _year(work, tenant, asked["scheme"], asked["year"]), request.form.get("uscc", "")
    return qualifications.decide(work, principal().subject, of, uscc, given["outcome"], given["reason"])


def _columns() -> tuple[Column[Shown], ...]:
    names = {
        "uscc": _("信用代码"), "name": _("企业"), "scheme": _("券种"), "year": _("年度"),
        "enterprise_type": _("企业类型"), "state": _("状态"), "from_on": _("起始日"), "through_on": _("截止日"),
    }  # fmt: skip
    return columns_of(names, {"state": lambda code: word("standing", code)})


def _table(tenant: str, given: Mapping[str, str]) -> Import:
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


def _year(work: Work, tenant: str, scheme: str | None, year: int) -> Year:
    return governed_year(work, tenant, scheme, year, demonstration=current().settings.demonstration)


REGISTER: Final = Register(
    name="qualifications",
    list_operation="standings.list_qualifications",
    decide_operation="standings.decide_qualification",
    import_operation="standings.post_qualifications",
    schema=QualificationQuerySchema,
    read=_read,
    totals=lambda work, tenant, query, most: QUALIFICATIONS.total(work.connection, tenant, query, most),
    columns=_columns,
    decide=_decide,
    table=_table,
    choices=lambda tenant: {"states": QUALIFICATION_STATES, "type_names": types_of(tenant)},
)
blueprint = REGISTER.screen()
