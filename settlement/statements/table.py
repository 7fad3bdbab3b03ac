"""Banks' tables, CSV and XLSX: columns are told by their headings, whatever their order.

The tables that a bank sends back are often ours with columns added, so our own headings are known too, and what our
CSV puts before or behind a text against spreadsheets is taken away again.
"""

import csv
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from settlement.statements.line import (
    ACCEPTED,
    CREDIT,
    DEBIT,
    MAX_LINES,
    REJECTED,
    STATUS,
    Owner,
    StatementLine,
    StatementRefused,
    amount_of,
    day_of,
    foreign,
    kept,
    malformed,
    reference_in,
    refused,
    too_many_lines,
)
from settlement.statements.texts import opened_text

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
MAX_XLSX_ENTRIES: Final = 1_000
MAX_XLSX_BYTES: Final = 64 * 2**20
MAX_CSV_LINE_CHARACTERS: Final = 65_536
MAX_RATIO: Final = 100
_SMALL: Final = 2**20
_PROBE_BYTES: Final = 4096

Row = Sequence[Any]


def csv_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The lines of a CSV.

    Raises:
        StatementRefused: no headings that we know, not text, or of another payer.
    """
    with opened_text(path) as file:
        try:
            yield from _lines(csv.reader(_bounded(file), strict=True), owner)
        except csv.Error as fault:
            raise malformed(f"CSV: {fault}") from fault


def _bounded(file: TextIO) -> Iterator[str]:
    """The file's lines, none of them longer than is read at once."""
    while line := file.readline(MAX_CSV_LINE_CHARACTERS + 1):
        if len(line) > MAX_CSV_LINE_CHARACTERS:
            raise malformed("CSV: a line is too long")
        yield line


def xlsx_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The lines of a workbook's first sheet, read as a stream.

    Raises:
        StatementRefused: not a workbook, one that unpacks to too much, or as for a CSV.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 - a start waits for no format of a bank

    try:
        _require_small(path)
        with path.open("rb") as file:
            book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            yield from _lines(book.worksheets[0].iter_rows(values_only=True), owner)
    except StatementRefused:
        raise
    except Exception as fault:
        raise malformed(f"XLSX: {type(fault).__name__}") from fault


def _lines(rows: Iterable[Row], owner: Owner) -> Iterator[StatementLine]:
    places: dict[str, int] | None = None
    number = 0
    for position, row in enumerate(rows, start=1):
        if len(row) > MAX_COLUMNS:
            raise malformed("columns")
        if places is None:
            places = _places(row)
            if places is None and position >= MAX_HEADING_ROWS:
                break
            continue
        cells = {name: _cell(row[place]) if place < len(row) else "" for name, place in places.items()}
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


def _places(row: Row) -> dict[str, int] | None:
    """Where each known field stands; ``None`` where this is no line of headings."""
    headings = [_cell(value).strip() for value in row]
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


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a workbook holds
    """The cell as text, without what guards it against spreadsheets."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    text = str(value)
    return text[1:] if text.startswith("'") else text.removesuffix("\t")


def _require_small(path: Path) -> None:
    """Look at the directory of the archive before anything is unpacked."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        unpacked = sum(entry.file_size for entry in entries)
        packed = sum(entry.compress_size for entry in entries)
        too_much = unpacked > MAX_XLSX_BYTES or (unpacked > _SMALL and unpacked > MAX_RATIO * max(packed, 1))
        if len(entries) > MAX_XLSX_ENTRIES or too_much:
            raise refused("bomb", "工作簿解压后过大。", "The workbook unpacks to too much.")
        for entry in entries:
            if entry.flag_bits & 1:
                raise malformed("XLSX: encrypted")
            if entry.filename.endswith((".xml", ".rels")):
                with archive.open(entry) as part:
                    if b"<!DOCTYPE" in part.read(_PROBE_BYTES):
                        raise malformed("XLSX: document type")
