"""The trust list (服务承诺制): the list in force, and the one proposed whole from a table and decided by another."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import principal
from clearing.api.noun import load
from clearing.api.standing_form import TrustDecisionSchema
from clearing.console.batches import schemes_of
from clearing.console.forms import decision_form
from clearing.console.lists import as_file
from clearing.console.registers import columns_of
from clearing.console.screen import as_api, screen, show, within
from clearing.console.table_upload import MAX_FORM_BYTES, Import, form_page, take
from clearing.tenancy import trust_lists
from clearing.tenancy.setting_tables import TRUST_COLUMNS, read_trust_list
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("trust_list", "/registers/trust-list/<tenant>", max_form_bytes=MAX_FORM_BYTES)


@blueprint.get("")
@as_api("standings.get_trust_list")
def list_page(tenant: str) -> Response:
    """The list in force, and the one proposed."""
    return _page(tenant)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("standings.get_trust_list")
def export(tenant: str, form: str) -> Response:
    """The list in force, or with ``which=proposed`` the one proposed, as a file."""
    which = "proposed" if request.args.get("which") == "proposed" else "in_force"
    found = within(lambda work: trust_lists.read(work.connection, tenant), (tenant,))[which]
    listed = found["providers"] if isinstance(found, dict) and isinstance(found["providers"], dict) else {}
    rows = [{"uscc": uscc, **one} for uscc, one in listed.items() if isinstance(one, dict)]
    names = {"uscc": _("信用代码"), "name": _("服务机构"), "from_on": _("起始日"), "through_on": _("截止日")}
    return as_file(form, f"trust-list-{tenant}", columns_of(names, {}), rows)


@blueprint.post("/decision")
@as_api("standings.decide_trust_list")
def decide(tenant: str) -> AnyResponse:
    """Approve or reject the version that was proposed."""

    def use_case(work: Work) -> None:
        given: dict[str, Any] = load(TrustDecisionSchema(), decision_form())
        trust_lists.decide(work, principal().subject, tenant, given["version"], given["outcome"], given["reason"])

    try:
        within(use_case, (tenant,))
    except Problem as problem:
        return _page(tenant, problem)
    return redirect(f"/console/registers/trust-list/{tenant}?done=trust-decided", HTTPStatus.SEE_OTHER)


@blueprint.get("/import")
@as_api("standings.put_trust_list")
def import_page(tenant: str) -> Response:
    """The form of the import."""
    return form_page(_import(tenant, request.args))


@blueprint.post("/import")
@as_api("standings.put_trust_list")
def import_table(tenant: str) -> AnyResponse:
    """Look at the table, or propose it as the whole list."""
    return take(_import(tenant, request.form), tenant)


def _import(tenant: str, given: Mapping[str, str]) -> Import:
    cite = " ".join(given.get("cite", "").split())

    def store(work: Work, content: bytes) -> list[str]:
        listings = read_trust_list(content, cite)
        before = trust_lists.read(work.connection, tenant)["in_force"]
        known = (
            set(before["providers"]) if isinstance(before, dict) and isinstance(before["providers"], dict) else set()
        )
        trust_lists.propose(work, principal().subject, tenant, cite, listings)
        now = {one.uscc for one in listings}
        return [
            str(_("共 %(count)s 家服务机构", count=len(now))),
            str(_("比现行名单新增 %(count)s 家", count=len(now - known))),
            str(_("比现行名单减少 %(count)s 家", count=len(known - now))),
        ]

    place = f"/console/registers/trust-list/{tenant}"
    headings = [column.headings[0] for column in TRUST_COLUMNS]
    title = str(_("提出免审名单（依据：%(cite)s）", cite=cite or "—"))
    return Import(title, f"{place}/import", place, "trust-proposed", headings, store, {"cite": cite})


def _page(tenant: str, problem: Problem | None = None) -> Response:
    found = within(lambda work: trust_lists.read(work.connection, tenant), (tenant,))
    return show(
        "trust_list.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, problem=problem,
        tenants=principal().tenants, schemes=schemes_of(tenant), lists=found, me=principal().subject,
        given=request.form,
    )  # fmt: skip
