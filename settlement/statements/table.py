"""Banks' tables, CSV and XLSX: columns are told by their headings, whatever their order.

The tables that a bank sends back are often ours with columns added, so our own headings are known too, and what our
CSV puts before or behind a text against spreadsheets is taken away again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from settlement.statements.line import (
    ACCEPTED,
    CREDIT,
    DEBIT,
    MAX_LINES,
    REJECTED,
    STATUS,
    Owner,
    StatementLine,
    amount_of,
    day_of,
    foreign,
    kept,
    malformed,
    reference_in,
    refused,
    too_many_lines,
)
from tenants.kernel.errors import Text
from tenants.tables.cells import Cell, Row, said
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.errors import TableError, TooLargeError
from tenants.tables.xlsx_table import xlsx_rows

HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "reference": ("端到端标识 end_to_end_id", "end_to_end_id", "端到端标识", "附言", "备注", "摘要"),
    "amount": ("金额（元） amount", "amount", "转账金额", "支付金额", "交易金额", "金额", "金额（元）", "金额(元)"),
    "account_number": ("收款账号 account_number", "account_number", "收款账号", "收款人账号", "对方账号"),
    "name": ("收款人 payee", "payee", "收款户名", "收款人全称", "收款人", "对方户名"),
    "status": ("status", "状态", "交易状态", "处理结果", "处理状态"),
    "direction": ("direction", "借贷", "借贷标志", "收支"),
    "booked_on": ("booked_on", "日期", "交易日期", "记账日期"),
    "bank_reference": ("bank_reference", "流水号", "交易流水号", "银行流水号"),
    "reason": ("reason", "原因", "失败原因", "退汇原因"),
    "payer_account_number": ("付款账号", "付款人账号", "本方账号", "payer_account_number"),
}
REQUIRED: Final = ("reference", "amount")
PAID: Final = "paid"
RETURNED: Final = "returned"
STATUSES: Final[Mapping[str, str]] = {
    "成功": PAID, "已支付": PAID, "支付成功": PAID, "交易成功": PAID, "paid": PAID,
    "失败": REJECTED, "交易失败": REJECTED, "拒绝": REJECTED, "rejected": REJECTED,
    "退汇": RETURNED, "已退汇": RETURNED, "退回": RETURNED, "returned": RETURNED,
    "处理中": ACCEPTED, "已受理": ACCEPTED, "accepted": ACCEPTED,
}  # fmt: skip
CREDITS: Final = frozenset({"贷", "收", "收入", "credit"})
MAX_HEADING_ROWS: Final = 20
"""How far down the line of headings may stand; above it banks print titles."""
MAX_COLUMNS: Final = 200
UNPACKED_BYTES: Final = 2**30
"""What a bank's workbook may unpack to, of which one row is looked at at a time: a sheet has a million rows at most."""


def csv_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The lines of a CSV.

    Raises:
        StatementRefused: no headings that we know, not text, or of another payer.
    """
    with _refusing():
        yield from _lines(csv_rows(path, encoding_of(path), ","), owner)


def xlsx_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The lines of a workbook's first sheet that is shown, read as a stream; of a formula the result that it had.

    Raises:
        StatementRefused: not a workbook, one that unpacks to too much, or as for a CSV.
    """
    with _refusing():
        yield from _lines(xlsx_rows(path, UNPACKED_BYTES, results=True), owner)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except TooLargeError as fault:
        zh, en = fault.text.zh.rstrip("。"), fault.text.en.rstrip(".")
        raise refused("bomb", f"{zh}，请改用 CSV 或 camt.053。", f"{en}: use CSV or camt.053.") from fault
    except TableError as fault:
        raise malformed(fault.text) from fault


def _in_row(row: Row, why: Text) -> Text:
    return Text(f"第 {row.number} 行：{why.zh}", f"row {row.number}: {why.en}")


def _lines(rows: Iterable[Row], owner: Owner) -> Iterator[StatementLine]:
    places: dict[str, int] | None = None
    number = 0
    for position, row in enumerate(rows, start=1):
        if row.fault is not None:
            raise malformed(_in_row(row, said(row.fault)[1]))
        if len(row.cells) > MAX_COLUMNS:
            raise malformed(_in_row(row, Text(f"超过 {MAX_COLUMNS} 列", f"more than {MAX_COLUMNS} columns")))
        texts = [_text(cell) for cell in row.cells]
        if places is None:
            places = _places(texts)
            if places is None and position >= MAX_HEADING_ROWS:
                break
            continue
        cells = {name: texts[place] if place < len(texts) else "" for name, place in places.items()}
        if not any(cells.values()):
            continue
        number += 1
        if number > MAX_LINES:
            raise too_many_lines()
        yield _line(number, cells, owner)
    if places is None:
        raise refused(
            "headings",
            "没有找到表头：至少需要金额与附言（或端到端标识）两列。",
            "No line of headings: at least an amount and our end-to-end id (附言) are needed.",
        )


def _places(headings: Sequence[str]) -> dict[str, int] | None:
    """Where each known field stands; ``None`` where this is no line of headings."""
    places = {
        name: headings.index(known)
        for name, possible in HEADINGS.items()
        for known in [next((each for each in possible if each in headings), None)]
        if known is not None
    }
    return places if all(name in places for name in REQUIRED) else None


def _line(number: int, cells: Mapping[str, str], owner: Owner) -> StatementLine:
    payer = cells.get("payer_account_number", "")
    if payer and payer != owner.account_number:
        raise foreign()
    amount, fault = amount_of(cells["amount"].replace(",", ""))
    kind, status = DEBIT, None
    if word := cells.get("status", "").strip():
        meaning = STATUSES.get(word.lower())
        if meaning in {ACCEPTED, REJECTED}:
            kind, status = STATUS, meaning
        elif meaning == RETURNED:
            kind = CREDIT
        elif meaning is None:
            kind, fault = STATUS, "status.unknown"
    elif cells.get("direction", "").strip().lower() in CREDITS:
        kind = CREDIT
    return StatementLine(
        line=number,
        kind=kind,
        status=status,
        reference=reference_in(cells["reference"]),
        amount=amount,
        name=kept(cells.get("name")),
        account_number=cells.get("account_number") or None,
        booked_on=day_of(cells.get("booked_on")),
        bank_reference=kept(cells.get("bank_reference")),
        reason=kept(cells.get("reason")),
        fault=fault,
    )


def _text(cell: Cell) -> str:
    """What stands in the cell, without what guards it against spreadsheets."""
    return cell.text.removeprefix("'")
