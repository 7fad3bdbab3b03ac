"""Reading the bank tables: CSV and XLSX, line by line, with what their writers did for spreadsheets undone."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from lzma import LZMAError
from pathlib import Path
from struct import error as StructError  # noqa: N812 - an exception by its rank
from typing import Final
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - the same

from lxml import etree

from settlement.offline.records import Line
from tenants.kernel.money import Money, MoneyError

MAX_RATIO: Final = 100
"""How much larger than packed a part of a workbook may be; a bomb is larger."""
MAX_SHARED_TEXT_BYTES: Final = 64 * 2**20

_SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_FORMULA: Final = f"{_SHEET}f"
_VALUE: Final = f"{_SHEET}v"
_TEXT: Final = f"{_SHEET}t"
LINES_PART: Final = "xl/worksheets/sheet1.xml"
_TOTALS_PART: Final = "xl/worksheets/sheet2.xml"
_SHARED_PART: Final = "xl/sharedStrings.xml"
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PRINTED = re.compile(r"(?:0|[1-9][0-9]{0,12})\.[0-9]{2}", re.ASCII)
_BYTE_ORDER_MARK: Final = "\ufeff"
FAULTS: Final = (
    ArithmeticError,
    BadZipFile,
    EOFError,
    LookupError,
    LZMAError,
    OSError,
    RuntimeError,
    StructError,
    ValueError,
    ZlibError,
    etree.LxmlError,
)
"""What one changed byte makes the readers of a workbook raise, found by changing every one."""

Columns = Sequence[Mapping[str, str]]
"""``{"field", "heading"}`` of each column, as the manifest lists them."""


def csv_lines(path: Path, columns: Columns, encoding: str) -> Iterator[Line]:
    """The lines of a CSV. No field of ours holds a line break, so that each physical line is a record."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                text = raw.decode("utf-8" if encoding == "utf-8-sig" else encoding)
                cells = next(csv.reader([text.removeprefix(_BYTE_ORDER_MARK)], strict=True))
            except (UnicodeDecodeError, csv.Error, StopIteration):
                yield _unreadable(number)
                continue
            yield _line(number, [unguarded(cell) for cell in cells], columns)


def xlsx_lines(path: Path, columns: Columns) -> Iterator[Line]:
    """The lines of the first sheet; one line with a fault where the workbook cannot be read on."""
    number = 0
    try:
        for number, cells in _rows(path, LINES_PART):
            yield _line(number, cells, columns)
    except FAULTS:
        yield _unreadable(number + 1)


def xlsx_totals(path: Path) -> dict[str, str]:
    """The second sheet: the last word of each label, and its value.

    Raises:
        ValueError: the workbook cannot be read.
    """
    try:
        return {
            cells[0].partition(" ")[2]: cells[1]
            for _, cells in _rows(path, _TOTALS_PART)
            if len(cells) == 2  # noqa: PLR2004 - label, value
        }
    except FAULTS as fault:
        raise ValueError(str(fault)) from fault


def amount_text(text: str) -> str:
    """An amount as a table shows it, printed with two decimals; what is no amount stays as it is."""
    if _PRINTED.fullmatch(text):
        return text
    try:
        return str(Money.parse(text))
    except MoneyError:
        return text


def _line(number: int, cells: Sequence[str], columns: Columns) -> Line:
    if len(cells) != len(columns):
        return Line(
            number,
            None,
            (
                f"应有 {len(columns)} 列，实有 {len(cells)} 列。",
                f"{len(columns)} columns expected, {len(cells)} found.",
            ),
        )
    if number == 1:
        return Line(number, {column["field"]: cell for column, cell in zip(columns, cells, strict=True)})
    return Line(
        number,
        {
            column["field"]: amount_text(cell) if column["field"] == "amount" else cell
            for column, cell in zip(columns, cells, strict=True)
        },
    )


def unguarded(cell: str) -> str:
    """The text without the apostrophe or tab that keeps a spreadsheet from running it or losing its digits."""
    return cell[1:] if cell.startswith("'") else cell.removesuffix("\t")


def _unreadable(number: int) -> Line:
    return Line(number, None, ("无法读取。", "It cannot be read."))


def refuse_bomb(book: ZipFile) -> None:
    """Refuse a workbook with a part that is far larger than packed.

    Raises:
        ValueError: it has one.
    """
    for entry in book.infolist():
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1024):
            raise ValueError("a part is packed too densely")


def _rows(path: Path, part: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet with their numbers, every cell as text."""
    with ZipFile(path) as book:
        refuse_bomb(book)
        shared = _shared(book)
        with book.open(part) as sheet:
            rows = etree.iterparse(sheet, tag=f"{_SHEET}row", resolve_entities=False, no_network=True, load_dtd=False)
            for count, (_, row) in enumerate(rows, start=1):
                yield int(row.get("r", count)), [_cell(cell, shared) for cell in row]
                row.clear()
                while row.getprevious() is not None:
                    del row.getparent()[0]


def _shared(book: ZipFile) -> list[str]:
    """The texts that cells refer to by number; our headings are there, and all texts once a spreadsheet saved it."""
    if _SHARED_PART not in book.namelist():
        return []
    if book.getinfo(_SHARED_PART).file_size > MAX_SHARED_TEXT_BYTES:
        raise ValueError("too many shared texts")
    with book.open(_SHARED_PART) as part:
        items = etree.iterparse(part, tag=f"{_SHEET}si", resolve_entities=False, no_network=True, load_dtd=False)
        return [_text(item) for _, item in items]


def _cell(cell: etree._Element, shared: Sequence[str]) -> str:
    kind, parts = cell.get("t"), list(cell)
    if any(part.tag == _FORMULA for part in parts):
        return "=" + (cell.findtext(_FORMULA) or "")
    if kind == "inlineStr":
        return _text(cell)
    value = "".join(part.text or "" for part in parts if part.tag == _VALUE)
    return shared[int(value)] if kind == "s" else value


def _text(element: etree._Element) -> str:
    return unescaped("".join([part.text or "" for part in element.iter(_TEXT)]))


def unescaped(text: str) -> str:
    """The text with the characters that a workbook spells by their codes."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text
