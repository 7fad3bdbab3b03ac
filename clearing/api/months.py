"""``/v1/tenants/{tenant}/months``: the month at the finance desk: preview, what is open, its end, its tables."""

import io
import re
from collections.abc import Iterator
from datetime import date
from typing import IO, Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import READERS
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, page, read_cursor
from clearing.api.statements import DisagreementSchema
from settlement.months.differences import SHOWN, DifferentLine, difference_totals, list_differences
from settlement.months.month import Month
from settlement.months.month_end import close_month, list_closed, preview, require_begun
from settlement.months.tables import NAMES, write_csv, write_workbook
from tenants.kernel.canonical import Json, canonical_bytes
from tenants.kernel.database import Scope, Work, run

blueprint = Noun("months", __name__, url_prefix="/v1/tenants/<tenant>/months", description="月结 / months")

LINES_AT_ONCE: Final = 500
PART_BYTES: Final = 64 * 1024
_PLACE: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ([0-9]{1,9})", re.ASCII)
"""A statement and a line of it."""
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class MonthLineSchema(Schema):
    """A month as a line of a list."""

    month = text("月份 / month", examples=["2024-10"])
    state = text("进行中、待月结或已月结 / state", enum=["running", "ended", "closed"])
    report_sha256 = text("报表的 SHA-256 / SHA-256 of the report, which the audit chain holds")
    previous_sha256 = text("上月报表的 SHA-256 / of the month before; zeros for the first")
    closed_by = text("月结人 / who closed it")
    closed_at = instant("月结时刻 / when")


class AccountMonthSchema(Schema):
    """One account over the month; the accounts of single enterprises stand together."""

    account = text("账户 / account")
    opening = text("期初（元） / opening")
    debits = text("借方（元） / debits")
    credits = text("贷方（元） / credits")
    closing = text("期末（元） / closing")
    pending = text("待定（元） / pending")


class OpenItemsSchema(Schema):
    """What is open of one kind at the month's end; the first items, and how many and how much there are."""

    count = fields.Integer()
    amount = text("合计（元） / sum in yuan")
    items = fields.List(fields.Dict())


class OpenSchema(Schema):
    """What is open at the month's end, and carried into the next."""

    batches = fields.Nested(OpenItemsSchema, metadata={"description": "未关闭的批次 / batches not closed"})
    instructions = fields.Nested(OpenItemsSchema, metadata={"description": "银行未答复的指令 / no word from the bank"})
    returned = fields.Nested(OpenItemsSchema, metadata={"description": "退回未重付 / came back, not issued again"})
    suspense = fields.Nested(OpenItemsSchema, metadata={"description": "待查 / movements without an explanation"})


class MonthSchema(MonthLineSchema):
    """A month with its figures: fixed once it is closed, before that as they stand."""

    tenant = text("区域 / tenant")
    accounts = fields.List(fields.Nested(AccountMonthSchema))
    open = fields.Nested(OpenSchema)


class MonthPageSchema(Schema):
    """A page of months."""

    items = fields.List(fields.Nested(MonthLineSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class DifferenceSchema(Schema):
    """One line of the month's bank answers that did not simply match."""

    statement_id = fields.UUID()
    line = fields.Integer(metadata={"description": "行号 / line"})
    imported_at = instant("导入时刻 / when the file was imported")
    class_ = fields.String(data_key="class", metadata={"description": "分类 / class", "enum": list(SHOWN)})
    kind = text("状态、借记或贷记 / what the line is", enum=["status", "debit", "credit"])
    amount = text("金额（元） / amount in yuan")
    left_in_suspense = text("待查未说明（元） / what of it nobody has explained")
    payee = text("对方 / payee")
    end_to_end_id = text("端到端标识 / end-to-end id")
    booked_on = text("记账日 / booked on", format="date")
    reason = text("原因 / reason")
    batch_no = text("批次 / batch")
    instruction_id = fields.UUID(metadata={"description": "拨付指令 / instruction"})
    order_id = fields.UUID(metadata={"description": "清算指令 / order between tenants"})
    differences = fields.List(fields.Nested(DisagreementSchema))


class DifferencePageSchema(Schema):
    """A page of the month's differences, and the totals of the whole month by class."""

    totals = fields.Dict(fields.String(), fields.Dict(), metadata={"description": "按分类合计 / totals by class"})
    items = fields.List(fields.Nested(DifferenceSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class DifferenceQuerySchema(PageSchema):
    """Which class of lines."""

    class_ = fields.String(data_key="class", load_default=None, validate=validate.OneOf(SHOWN))


class TableQuerySchema(Schema):
    """Which table."""

    table = fields.String(
        load_default=None,
        validate=validate.OneOf(NAMES),
        metadata={"description": "CSV 的表；缺省为含全部表的 XLSX / a table as CSV; without, all of them as XLSX"},
    )


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, MonthPageSchema)
def get_months(query: dict[str, Any], tenant: str) -> Response:
    """List the closed months, the latest first."""
    limit, before = query["limit"], month_before(query["cursor"])

    def use_case(work: Work) -> Answer:
        found = list_closed(work.connection, tenant, before, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(whole=False), lambda each: str(each.month_on)))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<month>")
@needs(*READERS)
@blueprint.response(200, MonthSchema)
def get_month(tenant: str, month: str) -> Response:
    """A month: every account's opening, movements and closing, and what is open at its end."""
    wanted = Month.parse(month)

    def use_case(work: Work) -> Answer:
        require_begun(wanted, work.at)
        return Answer(preview(work.connection, tenant, wanted, work.at))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<month>/close")
@needs("batches:write")
@blueprint.response(200, MonthSchema)
def post_close(tenant: str, month: str) -> Response:
    """Close a month that is over: its figures are fixed, and nothing is posted to it any more."""
    wanted = Month.parse(month)

    def use_case(work: Work) -> Answer:
        require_begun(wanted, work.at)
        return Answer(close_month(work.connection, tenant, wanted, principal().subject, work.at).json(whole=True))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<month>/differences")
@needs(*READERS)
@blueprint.arguments(DifferenceQuerySchema, location="query")
@blueprint.response(200, DifferencePageSchema)
def get_differences(query: dict[str, Any], tenant: str, month: str) -> Response:
    """Every line of the month's bank answers that differs, is unknown, came twice or came back, with its batch."""
    wanted, limit = Month.parse(month), query["limit"]
    after = line_place(query["cursor"])

    def use_case(work: Work) -> Answer:
        require_begun(wanted, work.at)
        found = list_differences(work.connection, tenant, wanted, query["class_"], after, limit + 1)
        totals = difference_totals(work.connection, tenant, wanted)
        return Answer({"totals": totals, **page(found, limit, DifferentLine.json, lambda each: each.place)})

    return in_transaction(use_case, (tenant,))


def line_place(cursor: str | None) -> tuple[UUID, int] | None:
    """The line of a statement behind which a page begins.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    if key is None:
        return None
    found = _PLACE.fullmatch(key)
    if found is None:
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.")
    return UUID(found[1]), int(found[2])


@blueprint.get("/<month>/export")
@needs(*READERS)
@blueprint.arguments(TableQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "the table or workbook, as an attachment", "content": {"*/*": {}}}})
def get_export(query: dict[str, Any], tenant: str, month: str) -> Response:
    """Download the month's accounts, transfers, batches, payments and differences, one as CSV or all as XLSX."""
    return month_file(tenant, month, query["table"])


def differences_file(tenant: str, month: str) -> Response:
    """The month's whole difference list as JSON, as an attachment."""
    service, wanted = current(), Month.parse(month)

    def use_case(work: Work) -> dict[str, Json]:
        require_begun(wanted, work.at)
        items: list[Json] = []
        after = None
        while found := list_differences(work.connection, tenant, wanted, None, after, LINES_AT_ONCE):
            items += [each.json() for each in found]
            after = found[-1].statement_id, found[-1].line
        return {"totals": difference_totals(work.connection, tenant, wanted), "items": items}

    content = canonical_bytes(run(service.engine, Scope((tenant,)), service.machine, use_case))
    response = Response(content, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{tenant}-{wanted}-differences.json"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def month_file(tenant: str, month: str, table: str | None) -> Response:
    """One table of the month as CSV, or all of them as a workbook, as an attachment."""
    service, wanted = current(), Month.parse(month)

    def use_case(work: Work) -> IO[bytes]:
        require_begun(wanted, work.at)
        if table is None:
            return write_workbook(work.connection, tenant, wanted)
        return write_csv(work.connection, tenant, wanted, table)

    file = run(service.engine, Scope((tenant,)), service.machine, use_case)
    response = Response(_parts(file), mimetype=XLSX if table is None else "text/csv")
    response.content_length = file.seek(0, io.SEEK_END)
    response.call_on_close(file.close)
    name = f"{tenant}-{wanted}.xlsx" if table is None else f"{tenant}-{wanted}-{table}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while part := file.read(PART_BYTES):
            yield part


def month_before(cursor: str | None) -> date | None:
    """The first day of the month before which a page begins.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    try:
        return None if key is None else date.fromisoformat(key)
    except ValueError as error:
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.") from error
