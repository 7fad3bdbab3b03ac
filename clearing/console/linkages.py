"""Linked regions' commitments (联动承诺): what each commits itself to for a year, proposed, approved by another."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.cycles import everyone
from clearing.api.frame import current, principal
from clearing.api.linkages import (
    CommitmentSchema,
    LinkageDecisionSchema,
    LinkageQuerySchema,
    decided_by_caller,
    proposed_by_caller,
    proposed_sides,
    sides_of,
)
from clearing.api.noun import load
from clearing.console.export import Column
from clearing.console.filters import percent, scheme_name, tenant_name
from clearing.console.forms import plain_form
from clearing.console.lists import Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.console.words import LINKAGE_STATES, word
from clearing.tenancy.linkages import RACED, Linkage, Offer, linkage_totals, listed, offers, propose
from clearing.tenancy.setting_tables import LINKAGE_COLUMNS, read_linkages
from connectors.table_file import refuse
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Problem, not_found
from tenants.kernel.money import Money
from tenants.profile import load_tenants

blueprint = screen("linkages", "/settings/<tenant>/linkages", max_form_bytes=MAX_FORM_BYTES)

TERMS: Final = ("province", "scheme", "year", "division", "provincial_to_local", "cap", "from_on", "cite")


@blueprint.get("")
@as_api("linkages.get_linkages")
def list_page(tenant: str) -> Response:
    """One page of the commitments that the address asks for, the oldest first, and the form of a new one."""
    return _page(tenant)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("linkages.get_linkages")
def export(tenant: str, form: str) -> Response:
    """The commitments that the address asks for, all of them, as a file."""
    return _listing(tenant).export(form)


@blueprint.post("")
@as_api("linkages.post_linkage")
def propose_one(tenant: str) -> AnyResponse:
    """Propose what a region commits itself to."""

    def do() -> None:
        form: dict[str, Any] = plain_form(*TERMS, required=TERMS[3:])
        form |= {"types": request.form.getlist("types"), "province": form.get("province", tenant)}
        form["year"] = _whole(form.get("year"))
        given = load(CommitmentSchema(), form)
        within(lambda work: proposed_by_caller(work, tenant, given), proposed_sides(tenant, given))

    return _acted(tenant, do, "linkage-proposed")


@blueprint.post("/<uuid:linkage_id>/decision")
@as_api("linkages.decide_linkage")
def decide(tenant: str, linkage_id: UUID) -> AnyResponse:
    """Approve or reject a proposal, as the province."""

    def do() -> None:
        given = load(LinkageDecisionSchema(), plain_form("outcome", "reason"))
        within(lambda work: decided_by_caller(work, tenant, linkage_id, given), sides_of(tenant, linkage_id))

    return _acted(tenant, do, f"linkage-{'approved' if request.form.get('outcome') == 'approve' else 'rejected'}")


@blueprint.get("/import")
@as_api("linkages.post_linkage")
def import_page(tenant: str) -> Response:
    """The form of the import."""
    return form_page(_import(tenant, request.args))


@blueprint.post("/import")
@as_api("linkages.post_linkage")
def import_table(tenant: str) -> AnyResponse:
    """Look at the table, or propose each of its rows."""
    return take(_import(tenant, request.form), tenant)


def _acted(tenant: str, do: Any, done: str) -> AnyResponse:  # noqa: ANN401 - what is done
    return act(do, lambda problem: _page(tenant, problem), f"/console/settings/{tenant}/linkages?done={done}")


def _page(tenant: str, problem: Problem | None = None) -> Response:
    open_to = offers_to(tenant)
    return shown(
        "linkages.html", _listing(tenant).page(), problem, tenant=tenant,
        tenants=principal().tenants, states=LINKAGE_STATES, offers=open_to, me=principal().subject,
        types={one.code: one for offer in open_to for one in offer.types},
        year=within(lambda work: shanghai_day(work.at).year), given=request.form if problem is not None else {},
        chosen=request.form.getlist("types"),
    )  # fmt: skip


def offers_to(tenant: str) -> list[Offer]:
    """The schemes that the tenant may commit itself to match: its own, and those of provinces around it."""
    demonstration = current().settings.demonstration
    found = within(lambda work: offers(work, demonstration=demonstration), everyone())
    divisions = {profile.tenant: profile.divisions for profile in load_tenants()}
    own = divisions.get(tenant, ())
    around = {name for name, theirs in divisions.items() if any(one.startswith(tuple(theirs)) for one in own)}
    return [offer for offer in found if offer.province in around | {tenant}]


def _listing(tenant: str) -> Listing[Linkage, UUID]:
    return Listing(
        name=f"linkages-{tenant}",
        schema=LinkageQuerySchema,
        read=lambda work, query, after, limit: listed(
            work.connection, tenant, query["year"], query["state"], after, limit
        ),
        totals=lambda work, query, most: linkage_totals(work.connection, tenant, query["year"], query["state"], most),
        key=lambda row: row.id,
        columns=_columns,
        tenants=(tenant,),
    )


def _columns() -> tuple[Column[Linkage], ...]:
    return (
        Column(_("省级区域"), lambda row: tenant_name(row.tenant)),
        Column(_("券种"), lambda row: scheme_name(row.tenant, row.scheme)),
        Column(_("年度"), lambda row: str(row.year)),
        Column(_("区划代码"), lambda row: row.division),
        Column(_("联动区域"), lambda row: "" if row.linked is None else tenant_name(row.linked)),
        Column(_("企业类型"), lambda row: "、".join(row.types)),
        Column(_("省地比例"), lambda row: percent(row.provincial_to_local)),
        Column(_("企业年度上限（元）"), lambda row: str(Money(row.cap_fen)), amount=True),
        Column(_("起始日"), lambda row: str(row.from_on)),
        Column(_("承诺文号"), lambda row: row.cite),
        Column(_("状态"), lambda row: word("linkage", row.state)),
        Column(_("提出人"), lambda row: row.proposed_by),
        Column(_("决定人"), lambda row: row.decided_by or ""),
        Column(_("理由"), lambda row: row.reason or ""),
    )


def _import(tenant: str, given: Mapping[str, str]) -> Import:
    province = given.get("province") or tenant
    if province not in {offer.province for offer in offers_to(tenant)} | {tenant}:
        raise not_found("区域", "tenant")

    def store(work: Work, content: bytes) -> list[str]:
        lines, faults = read_linkages(content), []
        demonstration = current().settings.demonstration
        for line, commitment in lines:
            try:
                propose(work, principal().subject, tenant, province, commitment, demonstration=demonstration)
            except Invalid as problem:
                faults += [_at_cell(line, error) for error in problem.errors]
            except Problem as problem:
                faults.append(line.fault("division", problem.code, problem.text))
        if faults:
            raise refuse(faults)
        return [str(_("提出 %(count)s 份联动承诺，由另一人核准", count=len(lines)))]

    back = f"/console/settings/{tenant}/linkages"
    title = str(_("导入联动承诺（%(province)s）", province=tenant_name(province)))
    headings = [column.headings[0] for column in LINKAGE_COLUMNS]
    sides = tuple(dict.fromkeys((tenant, province)))
    return Import(title, f"{back}/import", back, "imported", headings, store, {"province": province}, RACED, sides)


def _at_cell(line: Any, error: FieldError) -> FieldError:  # noqa: ANN401 - a line of the table
    name = error.pointer.removeprefix("/")
    known = {column.name for column in LINKAGE_COLUMNS}
    fault: FieldError = line.fault(name if name in known else "division", error.code, error.message)
    return fault


def _whole(text: Any) -> Any:  # noqa: ANN401 - what the schema refuses where it is no number
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else text
