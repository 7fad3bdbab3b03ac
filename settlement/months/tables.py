"""A month's tables, as a CSV or a workbook: every account, transfer, batch, payment and line that needs an eye."""

import csv
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

import xlsxwriter  # type: ignore[import-untyped]
from sqlalchemy import Connection

from settlement.months.differences import FROM, LEFT
from settlement.months.month import Month, account_months
from settlement.payouts.payments import stream
from tenants.kernel.canonical import plain
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money

MAX_ROWS: Final = 1_048_575
"""The rows of a sheet, less the headings."""
_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet may take for the beginning of a formula (CSV injection)."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its headings, and its statement with the tenant, the month's begin and its end as parameters.

    A column whose name ends in ``_fen`` is an amount, shown in yuan.
    """

    headings: tuple[str, ...]
    statement: str


TABLES: Final[Mapping[str, Table]] = {
    "transfers": Table(
        ("时刻 at", "编号 id", "种类 kind", "借方 debit", "贷方 credit", "金额（元） amount", "事由 reason",
         "对象 subject"),
        "select at, id, kind, debit, credit, amount_fen, reason, subject_id from ledger_transfer "
        "where tenant = %s and at >= %s and at < %s order by at, id",
    ),
    "batches": Table(
        ("批次 batch", "券种 scheme", "类别 kind", "状态 state", "笔数 count", "合计（元） total", "切批 cut at",
         "封存 sealed at", "放行 released at", "指令 instructed at", "结算 settled at"),
        "select batch_no, scheme, kind, state, item_count, total_fen, cut_at, sealed_at, released_at, instructed_at, "
        "settled_at from batch where tenant = %s and (state not in ('closed', 'cancelled') "
        "or greatest(cut_at, sealed_at, released_at, instructed_at, settled_at) >= %s) and cut_at < %s "
        "order by batch_no",
    ),
    "payments": Table(
        ("时刻 at", "批次 batch", "指令 instruction", "结果 outcome", "金额（元） amount", "依据文件 statement",
         "行 line"),
        "select o.at, b.batch_no, o.instruction_id, o.outcome, o.amount_fen, o.statement_id, o.line "
        "from instruction_outcome o join instruction i on i.tenant = o.tenant and i.id = o.instruction_id "
        "join batch b on b.tenant = i.tenant and b.id = i.batch_id "
        "where o.tenant = %s and o.at >= %s and o.at < %s and o.outcome <> 'accepted' "
        "order by o.at, b.batch_no, i.line",
    ),
    "differences": Table(
        ("导入 imported at", "文件 statement", "行 line", "分类 class", "借贷 kind", "金额（元） amount",
         "未说明（元） left", "对方 payee", "端到端标识 end-to-end id", "记账日 booked on", "原因 reason",
         "批次 batch", "指令 instruction", "区域间指令 order"),
        "select s.imported_at, l.statement_id, l.line, l.line_class, l.kind, l.amount_fen, "
        f"{LEFT} as left_fen, l.payee, l.reference, l.booked_on, l.reason, b.batch_no, l.instruction_id, "
        f"o.id as order_id {FROM}order by s.id, l.line",
    ),
}  # fmt: skip
ACCOUNTS: Final = ("账户 account", "期初 opening", "借方 debits", "贷方 credits", "期末 closing", "待定 pending")
NAMES: Final = ("accounts", *TABLES)


def write_csv(connection: Connection, tenant: str, month: Month, name: str) -> IO[bytes]:
    """One table (of ``NAMES``) as UTF-8 with a byte order mark, which spreadsheets of this country expect."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    headings, rows = _table(connection, tenant, month, name)
    writer.writerow(headings)
    for row in rows:
        writer.writerow([_safe(cell) for cell in row])
    text.flush()
    text.detach()
    return file


def write_workbook(connection: Connection, tenant: str, month: Month) -> IO[bytes]:
    """All tables in one workbook; every cell is text, amounts too, so that none passes through a float.

    Raises:
        Conflict: ``month.too_long``: a table has more rows than a sheet holds.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        for name in NAMES:
            sheet = book.add_worksheet(name)
            headings, rows = _table(connection, tenant, month, name)
            for column, heading in enumerate(headings):
                sheet.write_string(0, column, heading)
            for number, row in enumerate(rows, start=1):
                if number > MAX_ROWS:
                    raise _too_long(name)
                for column, cell in enumerate(row):
                    sheet.write_string(number, column, _text(cell))
    return file


def _table(
    connection: Connection, tenant: str, month: Month, name: str
) -> tuple[Sequence[str], Iterator[tuple[Any, ...]]]:
    if name == "accounts":
        accounts = account_months(connection, tenant, month)
        return ACCOUNTS, ((a.account, a.opening, a.debits, a.credits, a.closing, a.pending) for a in accounts)
    table = TABLES[name]
    rows = stream(connection, table.statement, (tenant, month.begins_at, month.ends_at))
    money = [key.endswith("_fen") for key in rows.keys()]  # noqa: SIM118 - a result's columns, not a mapping
    return table.headings, (
        tuple(Money(cell) if is_money and cell is not None else cell for cell, is_money in zip(row, money, strict=True))
        for row in rows
    )


def _text(cell: object) -> str:
    return "" if cell is None else str(plain(cell))


def _safe(cell: object) -> str:
    """The cell's text; one that a spreadsheet would run gets an apostrophe before it."""
    text = _text(cell)
    return f"'{text}" if text.startswith(_RISKY) and not isinstance(cell, Money) else text


def _too_long(name: str) -> Conflict:
    return Conflict(
        "month.too_long",
        f"表 {name} 超过一个工作表的行数，请下载 CSV。",
        f"The table {name} is longer than a sheet: download it as CSV.",
    )
