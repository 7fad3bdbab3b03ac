"""Providers' admissions (服务单位入库): listed, decided by another person than who entered them, imported."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import request
from flask_babel import gettext as _

from clearing.api.frame import current, principal
from clearing.api.noun import load
from clearing.api.standing_form import AdmissionDecisionSchema, AdmissionQuerySchema, SchemeSchema
from clearing.api.standings import RACED
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.registers import Register, Shown, columns_of, told
from clearing.console.table_upload import Import
from clearing.console.words import ADMISSION_STATES, word
from clearing.tenancy import admissions
from clearing.tenancy.admissions import ADMISSIONS, GROUNDS, Decision
from clearing.tenancy.governing import governing_policy
from clearing.tenancy.imports import ADMISSION_COLUMNS, import_admissions
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.policy import Policy


def _read(work: Work, tenant: str, query: Mapping[str, Any], after: UUID | None, limit: int) -> list[Shown]:
    today = shanghai_day(work.at)
    rows = ADMISSIONS.listed(work.connection, tenant, query, after, limit)
    return [dict(admissions.admission_json(row, today)) for row in rows]


def _decide(work: Work, tenant: str) -> object:
    """Admit, refuse, or let a provider leave."""
    asked: dict[str, Any] = load(SchemeSchema(), plain_form("scheme"))
    given = load(AdmissionDecisionSchema(), plain_form("outcome", "reason", "ground"))
    decision = Decision(given["outcome"], given["reason"], given["ground"])
    policy = _policy(work, tenant, asked["scheme"])
    return admissions.decide(work, principal().subject, policy, request.form.get("uscc", ""), decision)


def _columns() -> tuple[Column[Shown], ...]:
    names = {
        "uscc": _("信用代码"), "name": _("服务机构"), "scheme": _("券种"), "division": _("行政区划"),
        "kind": _("机构类别"), "state": _("状态"), "from_on": _("起始日"), "through_on": _("截止日"),
    }  # fmt: skip
    words = {"state": lambda code: word("standing", code), "kind": lambda code: word("provider_kind", code)}
    return columns_of(names, words)


def _table(tenant: str, given: Mapping[str, str]) -> Import:
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


REGISTER: Final = Register(
    name="admissions",
    list_operation="standings.list_admissions",
    decide_operation="standings.decide_admission",
    import_operation="standings.post_admissions",
    schema=AdmissionQuerySchema,
    read=_read,
    totals=lambda work, tenant, query, most: ADMISSIONS.total(work.connection, tenant, query, most),
    columns=_columns,
    decide=_decide,
    table=_table,
    choices=lambda _tenant: {"states": ADMISSION_STATES, "grounds": GROUNDS},
)
blueprint = REGISTER.screen()
