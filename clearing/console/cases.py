"""The register of suspected duplicates (疑似重复): filtered by its address, counted, exported exactly as filtered."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _

from clearing.api.cases import CaseQuerySchema, wanted_cases
from clearing.api.frame import principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.claims.suspicions import CaseRow, case_json, case_totals, list_cases
from clearing.console.desk_words import CASE_KINDS
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import as_api, screen, show, within
from clearing.console.words import word
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import Money

blueprint = screen("cases", "/cases")

Shown = dict[str, Json]


@blueprint.get("")
@as_api("cases.list_the_cases")
def list_page() -> Response:
    """One page of the cases that the address asks for, each from the own side."""
    given = asked()
    shown: dict[str, Any] = {"asked": given, "kinds": CASE_KINDS, "tenants": principal().tenants, "me": principal()}
    try:
        query: dict[str, Any] = load(CaseQuerySchema(), dict(given))
        limit, after = query["limit"], cursor_id(query["cursor"])
    except Problem as problem:
        return show("cases.html", problem.status, problem=problem, items=[], **shown)

    def use_case(work: Work) -> tuple[list[CaseRow], list[Shown], tuple[int, Money]]:
        today = shanghai_day(work.at)
        wanted = wanted_cases(query, today)
        rows = list_cases(work.connection, wanted, after, limit + 1)
        told = [case_json(row, wanted.tenants, today) for row in rows[:limit]]
        return rows, told, case_totals(work.connection, wanted)

    rows, items, (count, total) = within(use_case)
    following = write_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
    return show("cases.html", problem=None, items=items, count=count, total=total, next_cursor=following, **shown)


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("cases.list_the_cases")
def export(form: str) -> Response:
    """The cases that the address asks for, all of them, as a file."""
    query: dict[str, Any] = load(CaseQuerySchema(), dict(filters()))
    count, total = within(lambda work: case_totals(work.connection, wanted_cases(query, shanghai_day(work.at))))
    require_exportable(count)
    totals = ((_("件数"), str(count)), (_("本方申请核定合计（元）"), str(total)))
    return as_file(form, "cases", _columns(), _all(query), totals)


def _all(query: dict[str, Any]) -> Iterator[Shown]:
    def read(after: UUID | None, limit: int) -> list[Shown]:
        def use_case(work: Work) -> list[Shown]:
            today = shanghai_day(work.at)
            wanted = wanted_cases(query, today)
            return [case_json(row, wanted.tenants, today) for row in list_cases(work.connection, wanted, after, limit)]

        return within(use_case)

    return every(read, lambda item: UUID(str(item["id"])))


def _columns() -> tuple[Column[Shown], ...]:
    def side(item: Shown, which: str, name: str) -> str:
        told = item[which]
        return str(told.get(name) or "") if isinstance(told, dict) else ""

    return (
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
