"""The audit chain of one region: searched, exported, checked as a whole, and one entry with its proof."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Response, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.audit import AuditQuerySchema, counted, searched, verified
from clearing.api.frame import current, principal
from clearing.api.noun import load, write_cursor
from clearing.auditing.proof import chain_head, prove
from clearing.auditing.search import Found, Page
from clearing.checkpoints import Checkpoints
from clearing.console import lists
from clearing.console.deed_words import ACTIONS
from clearing.console.export import Column
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import word
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem

blueprint = screen("audit", "/audit")

Entry = dict[str, Json]


@blueprint.get("")
@as_api("audit.search_entries")
def choose() -> AnyResponse:
    """Lead to the person's first region."""
    return redirect(f"/console/audit/{principal().tenants[0]}", HTTPStatus.SEE_OTHER)


@blueprint.get("/<tenant>")
@as_api("audit.search_entries")
def search_page(tenant: str) -> Response:
    """One page of the entries that the address asks for."""
    asked = lists.asked()
    problem: Problem | None = None
    page, found, length = Page([], None), Found(0), 0
    try:
        query: dict[str, Any] = load(AuditQuerySchema(), {**asked, "tenant": tenant})
        page, found, length = within(
            lambda work: (
                searched(work, query), counted(work, query, lists.counted()), chain_head(work.connection, tenant)[0],
            ),
            (tenant,),
        )  # fmt: skip
    except Problem as refused:
        problem = refused
    return show(
        "audit.html", HTTPStatus.OK if problem is None else problem.status, tenant=tenant, tenants=principal().tenants,
        asked=asked, page=page, length=length, looked=found.looked,
        tally=lists.tally_of((found.count,), ()), problem=problem, actions=ACTIONS,
        next_cursor=None if page.next_before is None else write_cursor(str(page.next_before)),
    )  # fmt: skip


@blueprint.get("/<tenant>/export.<any(csv,xlsx):form>")
@as_api("audit.search_entries")
def export(tenant: str, form: str) -> Response:
    """The entries that the address asks for, all of them, as a file."""
    asked = lists.filters()
    query: dict[str, Any] = load(AuditQuerySchema(), {**asked, "tenant": tenant})
    lists.require_exportable(within(lambda work: counted(work, query, None), (tenant,)).count)
    return lists.as_file(form, f"audit-{tenant}", _columns(), _all(tenant, asked))


@blueprint.get("/<tenant>/check")
@as_api("audit.verify_chain")
def check(tenant: str) -> Response:
    """Recompute the whole chain and say what was found."""
    return show("chain.html", tenant=tenant, checked=verified(tenant))


@blueprint.get("/<tenant>/<int:entry>")
@as_api("audit.prove_entry")
def entry_page(tenant: str, entry: int) -> Response:
    """One entry with its proof."""
    checkpoints = Checkpoints.of(current().settings)
    proof = within(lambda work: prove(work.connection, checkpoints, tenant, entry), (tenant,))
    if request.args.get("form") == "json":
        headers = {"Content-Disposition": f'attachment; filename="proof-{tenant}-{entry}.json"'}
        return Response(json.dumps(proof, ensure_ascii=False), mimetype="application/json", headers=headers)
    return show("entry.html", tenant=tenant, proof=proof, entry=proof["entry"])


def _all(tenant: str, asked: dict[str, str]) -> Iterator[Entry]:
    query: dict[str, Any] = load(AuditQuerySchema(), {**asked, "tenant": tenant, "limit": str(lists.EXPORTED_AT_ONCE)})
    while True:

        def read(work: Work, query: dict[str, Any] = query) -> Page:
            return searched(work, query)

        page = within(read, (tenant,))
        yield from page.items
        if page.next_before is None:
            return
        query = query | {"cursor": write_cursor(str(page.next_before))}


def _columns() -> tuple[Column[Entry], ...]:
    return (
        Column(_("序号"), lambda entry: str(entry["seq"])),
        Column(_("时间"), lambda entry: str(entry["at"])),
        Column(_("人员"), lambda entry: str(entry["actor"])),
        Column(_("操作"), lambda entry: word("action", str(entry["action"]))),
        Column(_("代码"), lambda entry: str(entry["action"])),
        Column(_("对象"), object_of),
        Column(_("原状态"), lambda entry: str(entry["from"] or "")),
        Column(_("新状态"), lambda entry: str(entry["to"] or "")),
        Column(_("理由"), lambda entry: str(entry["reason"] or "")),
        Column(_("详情"), lambda entry: json.dumps(entry["details"], ensure_ascii=False)),
        Column("SHA-256", lambda entry: str(entry["hash"])),
    )


def object_of(entry: Entry) -> str:
    """What people call the object of the entry: its number, or its id."""
    details = entry["details"]
    if isinstance(details, dict):
        for name in ("claim_no", "batch_no", "reservation_no", "login", "version", "kid"):
            if details.get(name):
                return str(details[name])
    return str(entry["subject"])
