"""The register of suspected duplicates (疑似重复): filtered by its address, counted, exported exactly as filtered."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.cases import CaseQuerySchema, wanted_cases
from clearing.api.frame import principal
from clearing.claims.case_list import case_totals, list_cases
from clearing.claims.suspicions import case_json
from clearing.console.desk_words import CASE_KINDS
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import as_api, screen
from clearing.console.words import word
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work

blueprint = screen("cases", "/cases")

Shown = dict[str, Json]


@blueprint.get("")
@as_api("cases.list_cases")
def list_page() -> Response:
    """One page of the cases that the address asks for, each from the own side."""
    return shown("cases.html", _listing().page(), kinds=CASE_KINDS, tenants=principal().tenants, me=principal())


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("cases.list_cases")
def export(form: str) -> Response:
    """The cases that the address asks for, all of them, as a file."""
    return _listing().export(form)


def _listing() -> Listing[Shown, UUID]:
    def read(work: Work, query: Mapping[str, Any], after: UUID | None, limit: int) -> list[Shown]:
        today = shanghai_day(work.at)
        wanted = wanted_cases(dict(query), today)
        return [case_json(row, wanted.tenants, today) for row in list_cases(work.connection, wanted, after, limit)]

    return Listing(
        name="cases",
        schema=CaseQuerySchema,
        read=read,
        totals=lambda work, query, most: case_totals(
            work.connection, wanted_cases(dict(query), shanghai_day(work.at)), most
        ),
        key=lambda item: UUID(str(item["id"])),
        columns=_columns,
        figures=lambda: (Figure(_("本方申请核定合计（元）"), None),),
    )


def _columns() -> tuple[Column[Shown], ...]:
    def side(item: Shown, which: str, name: str) -> str:
        told = item[which]
        return str(told.get(name) or "") if isinstance(told, dict) else ""

    return (
        Column(_("编号"), lambda item: str(item["id"])),
        Column(_("发现时间"), lambda item: str(item["opened_at"])),
        Column(_("期限"), lambda item: str(item["due_on"])),
        Column(_("状态"), lambda item: word("case_state", str(item["state"]))),
        Column(_("情形"), lambda item: word("case_code", str(item["code"]))),
        Column(_("代码"), lambda item: str(item["code"])),
        Column(_("种类"), lambda item: word("case_kind", str(item["kind"]))),
        Column(_("区域"), lambda item: tenant_name(str(item["tenant"]))),
        Column(_("本方"), lambda item: word("case_side", str(item["side"]))),
        Column(_("本方对象"), lambda item: word("subject", side(item, "subject", "kind"))),
        Column(_("本方编号"), lambda item: side(item, "subject", "id")),
        Column(_("本方平台"), lambda item: platform_name(side(item, "subject", "platform"))),
        Column(_("对方平台"), lambda item: platform_name(side(item, "other_side", "platform"))),
        Column(_("对方月份"), lambda item: side(item, "other_side", "month")),
        Column(_("对方编号"), lambda item: side(item, "other_side", "reference")),
        Column(_("处理人"), lambda item: str(item["owner"] or "")),
        Column(_("结果"), lambda item: word("case_outcome", str(item["outcome"] or ""))),
        Column(_("理由"), lambda item: str(item["reason"] or "")),
    )
