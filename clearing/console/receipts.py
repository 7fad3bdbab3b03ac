"""Daily receipts: what each platform submitted on each day, counted, summed and exported as its address asks."""

from collections.abc import Iterator
from typing import Any

from flask import Response
from flask_babel import gettext as _

from clearing.api.frame import principal
from clearing.api.noun import cursor_id, load, write_cursor
from clearing.api.operations import ReceiptQuerySchema
from clearing.console.export import Column
from clearing.console.filters import platform_name, tenant_name
from clearing.console.lists import as_file, asked, every, filters, require_exportable
from clearing.console.screen import as_api, screen, show, within
from clearing.operating.receipts import Receipt, list_receipts, receipt_totals
from tenants.kernel.canonical import plain
from tenants.kernel.database import Work
from tenants.kernel.errors import Problem
from tenants.kernel.money import Money

blueprint = screen("receipts", "/connectors/receipts")


@blueprint.get("")
@as_api("operations.get_receipts")
def list_page() -> Response:
    """One page of the receipts."""
    given, tenants = asked(), principal().tenants
    try:
        query: dict[str, Any] = load(ReceiptQuerySchema(), dict(given))
        limit, after = query["limit"], cursor_id(query["cursor"])
    except Problem as problem:
        return show("receipts.html", problem.status, problem=problem, asked=given, tenants=tenants, receipts=None)

    def use_case(work: Work) -> tuple[list[Receipt], tuple[int, int, Money]]:
        rows = list_receipts(work.connection, tenants, query, after, limit + 1)
        return rows, receipt_totals(work.connection, tenants, query)

    receipts, (count, submissions, claimed) = within(use_case)
    return show(
        "receipts.html", problem=None, asked=given, tenants=tenants, receipts=receipts[:limit], count=count,
        submissions=submissions, claimed=claimed,
        next_cursor=write_cursor(str(receipts[limit - 1].id)) if len(receipts) > limit else None,
    )  # fmt: skip


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("operations.get_receipts")
def export(form: str) -> Response:
    """The receipts that the address asks for, all of them, as a file."""
    query: dict[str, Any] = load(ReceiptQuerySchema(), dict(filters()))
    tenants = principal().tenants
    count, submissions, claimed = within(lambda work: receipt_totals(work.connection, tenants, query))
    require_exportable(count)
    totals = (
        (_("回执数"), str(count)), (_("提交笔数"), str(submissions)), (_("申报合计（元）"), str(claimed)),
    )  # fmt: skip
    return as_file(form, "receipts", _columns(), _all(tenants, query), totals)


def _all(tenants: tuple[str, ...], query: dict[str, Any]) -> Iterator[Receipt]:
    return every(
        lambda after, limit: within(lambda work: list_receipts(work.connection, tenants, query, after, limit)),
        lambda receipt: receipt.id,
    )


def _columns() -> tuple[Column[Receipt], ...]:
    return (
        Column(_("日期"), lambda receipt: str(receipt.day_on)),
        Column(_("平台"), lambda receipt: platform_name(receipt.platform)),
        Column(_("区域"), lambda receipt: tenant_name(receipt.tenant)),
        Column(_("提交笔数"), lambda receipt: str(receipt.submissions)),
        Column(_("申报合计（元）"), lambda receipt: str(receipt.claimed), amount=True),
        Column(_("出具时间"), lambda receipt: str(plain(receipt.issued_at))),
    )
