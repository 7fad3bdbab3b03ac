"""Districts of reviewers (属地): which division binds whom, so that a city bureau sees and decides only its claims."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.oversight import RACED, DistrictQuerySchema, DistrictSchema, EndSchema
from clearing.claims.districts import District, bind, district_totals, end, listed
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, may, screen, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.console.words import DISTRICT_STATES, word
from clearing.tenancy.setting_tables import DISTRICT_COLUMNS, read_districts
from connectors.table_file import refuse
from tenants.accounts import Account, list_accounts
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("districts", "/settings/<tenant>/districts", max_form_bytes=MAX_FORM_BYTES)

REVIEWERS: Final = frozenset({"center_reviewer", "authority_approver"})
BOUND: Final = ("person", "division", "ground")


@blueprint.get("")
@as_api("oversight.list_districts")
def list_page(tenant: str) -> Response:
    """One page of the bindings that the address asks for, the oldest first, and the form of a new one."""
    return _page(tenant)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("oversight.list_districts")
def export(tenant: str, form: str) -> Response:
    """The bindings that the address asks for, all of them, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("")
@as_api("oversight.bind_district")
def bind_one(tenant: str) -> AnyResponse:
    """Bind a reviewer to a division."""

    def use_case(work: Work) -> District:
        return bind(work, principal().subject, tenant, load(DistrictSchema(), plain_form(*BOUND, required=BOUND)))

    return _acted(tenant, use_case, "district-bound")


@blueprint.post("/<uuid:district_id>/end")
@as_api("oversight.end_district")
def end_one(tenant: str, district_id: UUID) -> AnyResponse:
    """End a binding, and say why."""

    def use_case(work: Work) -> District:
        reason = load(EndSchema(), plain_form("reason", required=("reason",)))["reason"]
        return end(work, principal().subject, tenant, district_id, reason)

    return _acted(tenant, use_case, "district-ended")


@blueprint.get("/import")
@as_api("oversight.bind_district")
def import_page(tenant: str) -> Response:
    """The form of the import."""
    return form_page(_import(tenant))


@blueprint.post("/import")
@as_api("oversight.bind_district")
def import_table(tenant: str) -> AnyResponse:
    """Look at the table, or bind everybody in it."""
    return take(_import(tenant), tenant)


def _acted(tenant: str, use_case: Callable[[Work], District], done: str) -> AnyResponse:
    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, problem),
        f"/console/settings/{tenant}/districts?done={done}",
    )


def _page(tenant: str, problem: Problem | None = None) -> Response:
    return shown(
        "districts.html", _listing(tenant).page(), problem, tenant=tenant,
        tenants=principal().tenants, states=DISTRICT_STATES, me=principal().subject,
        reviewers=_reviewers(tenant) if may("oversight.bind_district") else [],
        given=request.form if problem is not None else {},
    )  # fmt: skip


def _reviewers(tenant: str) -> list[Account]:
    """Who reviews for the tenant at the console; clients of people may be bound too."""
    accounts = within(lambda work: list_accounts(work.connection), (tenant,))
    return [one for one in accounts if one.revoked_at is None and tenant in one.tenants and REVIEWERS & set(one.roles)]


def _listing(tenant: str) -> Listing[District, UUID]:
    return Listing(
        name=f"districts-{tenant}",
        schema=DistrictQuerySchema,
        read=lambda work, query, after, limit: listed(work.connection, tenant, query, after, limit),
        totals=lambda work, query, most: district_totals(work.connection, tenant, query, most),
        key=lambda row: row.id,
        columns=_columns,
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[District], ...]:
    return (
        Column(_("人员"), lambda row: row.person),
        Column(_("区划代码"), lambda row: row.division),
        Column(_("依据"), lambda row: row.ground),
        Column(_("状态"), lambda row: word("district", state_of(row))),
        Column(_("设定人"), lambda row: row.set_by),
        Column(_("设定时间"), lambda row: str(plain(row.set_at))),
        Column(_("解除人"), lambda row: row.ended_by or ""),
        Column(_("解除时间"), lambda row: str(plain(row.ended_at) or "")),
        Column(_("解除理由"), lambda row: row.end_reason or ""),
    )


def state_of(row: District) -> str:
    """Whether the binding holds."""
    return "bound" if row.ended_at is None else "ended"


def _import(tenant: str) -> Import:
    def store(work: Work, content: bytes) -> list[str]:
        lines, faults = read_districts(content), []
        (before,) = district_totals(work.connection, tenant, {}, None)
        for line, given in lines:
            try:
                bind(work, principal().subject, tenant, given)
            except Problem as problem:
                faults.append(line.fault("person", problem.code, problem.text))
        if faults:
            raise refuse(faults)
        new = district_totals(work.connection, tenant, {}, None)[0] - before
        return [
            str(_("共 %(count)s 行", count=len(lines))),
            str(_("新设定属地 %(count)s 项", count=new)),
            str(_("与现有内容相同、不变 %(count)s 行", count=len(lines) - new)),
        ]

    back = f"/console/settings/{tenant}/districts"
    headings = [column.headings[0] for column in DISTRICT_COLUMNS]
    return Import(str(_("导入审核人属地")), f"{back}/import", back, "imported", headings, store, {}, RACED)
