"""Tables that people upload: CSV in UTF-8 or GB18030, and XLSX, read into named columns with each cell's address.

A workbook is looked at before it is unpacked: sizes, ratio, entities. A number in a column of text is refused where a
spreadsheet may have changed it: it keeps fifteen digits and drops leading noughts.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from openpyxl.utils import get_column_letter

from tenants.kernel.errors import FieldError, Invalid, Malformed, Text
from tenants.kernel.texts import TextError, normal
from tenants.tables.bounds import UPLOADED_BYTES
from tenants.tables.cells import BLANK, EXACT_DIGITS, Row
from tenants.tables.cells import Cell as Read
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.errors import TableError
from tenants.tables.xlsx_table import xlsx_rows

MAX_ROWS: Final = 5_000
MAX_COLUMNS: Final = 60
"""How many columns are shown."""
MAX_CELL_CHARACTERS: Final = 4_000
MAX_SHOWN: Final = 200
"""Characters of a cell that a preview shows."""
MAX_FAULTS: Final = 200
"""How many cells one answer names."""

_XLSX: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as text, ``None`` where the cell is empty, and where it stands, such as ``C5``."""

    address: str
    text: str | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a table may have: its name in the answer, and what its heading may be."""

    name: str
    headings: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table; every column of the table's kind has its cell."""

    number: int
    cells: Mapping[str, Cell]

    def text(self, name: str) -> str | None:
        """What stands in the column."""
        return self.cells[name].text

    def fault(self, name: str, code: str, message: Text) -> FieldError:
        """A fault at the column's cell."""
        return cell_fault(self.cells[name].address, code, message)


def cell_fault(address: str, code: str, message: Text) -> FieldError:
    """A fault at the address of a cell; the message names it too, for people."""
    said = Text(f"单元格 {address}：{message.zh}", f"Cell {address}: {message.en}")
    return FieldError(f"/{address}", code, said)


def read_table(content: bytes, columns: Sequence[Column]) -> list[Line]:
    """The lines of the table below its heading, blank ones left out.

    Raises:
        Malformed: it is neither CSV nor a workbook, or a workbook that would unpack to too much.
        Invalid: a heading is missing, unknown or repeated, a cell cannot be taken, or there are too many rows.
    """
    rows = _rows(content)
    heading = next(rows, Row(0, ()))
    number, places = heading.number, _places(heading, columns)
    lines: list[Line] = []
    faults: list[FieldError] = []
    for row in rows:
        if row.is_blank:
            continue
        if len(lines) == MAX_ROWS:
            raise _invalid(
                _row_fault(row.number, "table.too_long", f"最多 {MAX_ROWS} 行。", f"At most {MAX_ROWS} rows.")
            )
        cells = {name: _cell(row.number, place, row.cells) for name, place in places.items()}
        faults += [cell_fault(c.address, c.fault, _FAULTS[c.fault]) for c in cells.values() if c.fault is not None]
        lines.append(Line(row.number, cells))
    if faults:
        raise _invalid(*faults)
    if not lines:
        raise _invalid(_row_fault(number + 1, "table.empty", "表中没有数据。", "The table has no rows."))
    return lines


def first_rows(content: bytes, wanted: AbstractSet[int], limit: int) -> list[dict[str, Any]]:
    """The table's heading and at most ``limit`` rows below it as people see them, with each cell's address.

    With rows ``wanted`` only those. A file that cannot be read as a table has no rows.
    """
    shown: list[dict[str, Any]] = []
    try:
        for row in _rows(content):
            if len(shown) > limit or row.number > MAX_ROWS:
                break
            if not shown or not wanted or row.number in wanted:
                cells = [
                    (f"{get_column_letter(place + 1)}{row.number}", read.text[:MAX_SHOWN])
                    for place, read in enumerate(row.cells[:MAX_COLUMNS])
                ]
                shown.append({"number": row.number, "cells": cells})
    except Malformed:
        return []
    return shown


def refuse(faults: Sequence[FieldError]) -> Invalid:
    """The answer to a table with these faults: nothing of it was stored."""
    return _invalid(*faults)


_FAULTS: Final = {
    "cell.number": Text(
        f"该列须为文本格式：数字超过 {EXACT_DIGITS} 位或含小数，表格软件可能已改动。",
        f"This column must be text: a number of over {EXACT_DIGITS} digits or with decimals may have been changed.",
    ),
    "cell.kind": Text("该单元格的内容类型不可用（公式或错误值）。", "The cell holds a formula or an error."),
    "cell.merged": Text("该单元格在合并区域内，请取消合并并逐行填写。", "The cell is merged; fill in every row."),
    "cell.text": Text("文字过长或含不可用字符。", "The text is too long or holds a forbidden character."),
}


def _places(heading: Row, columns: Sequence[Column]) -> dict[str, int | None]:
    """Which column of the file holds which of ours."""
    by_heading = {text: column.name for column in columns for text in (column.name, *column.headings)}
    places: dict[str, int | None] = {}
    faults = []
    number = heading.number
    for place, read in enumerate(heading.cells):
        text = read.text.lstrip("*")
        name = by_heading.get(text)
        address = f"{get_column_letter(place + 1)}{number}"
        if name is None and text:
            said = Text(f"不认识的列“{text[:40]}”。", f"Unknown column “{text[:40]}”.")
            faults.append(cell_fault(address, "column.unknown", said))
        elif name is not None and name in places:
            faults.append(cell_fault(address, "column.repeated", Text("重复的列。", "The column is there twice.")))
        elif name is not None:
            places[name] = place
    for column in columns:
        if column.name not in places:
            if column.required:
                zh, en = f"缺少“{column.headings[0]}”列。", f"The column {column.name} is missing."
                faults.append(_row_fault(number or 1, "column.missing", zh, en))
            places[column.name] = None
    if faults:
        raise _invalid(*faults)
    return places


def _cell(row: int, place: int | None, cells: Sequence[Read]) -> Cell:
    address = f"{get_column_letter((place or 0) + 1)}{row}"
    read = BLANK if place is None or place >= len(cells) else cells[place]
    if read.fault is not None:
        return Cell(address, None, "cell.merged" if read.fault.startswith("cell.merged") else "cell.kind")
    if read.is_number and ("." in read.text or len(read.text.lstrip("-")) > EXACT_DIGITS):
        return Cell(address, None, "cell.number")
    if (read.is_day and ":" in read.text) or (read.text.startswith("#") and read.text.endswith(("!", "?", "/A"))):
        return Cell(address, None, "cell.kind")
    try:
        if len(read.text) > MAX_CELL_CHARACTERS:
            return Cell(address, None, "cell.text")
        return Cell(address, normal(read.text) or None)
    except TextError:
        return Cell(address, None, "cell.text")


def _rows(content: bytes) -> Iterator[Row]:
    """The rows of the table.

    Raises:
        Malformed: it is neither CSV nor a workbook, or would unpack to too much.
    """
    source = io.BytesIO(content)
    try:
        if content.startswith(_XLSX):
            rows = xlsx_rows(source, UPLOADED_BYTES)
        else:
            rows = csv_rows(source, encoding_of(source), ",")
        for row in rows:
            if row.fault is not None:
                said = f"第 {row.number} 行无法读取。", f"Row {row.number} cannot be read."
                raise Malformed("table.malformed", *said)
            yield row
    except TableError as error:
        raise Malformed("table.malformed", error.text.zh, error.text.en) from error


def _row_fault(row: int, code: str, zh: str, en: str) -> FieldError:
    return FieldError(f"/{row}", code, Text(f"第 {row} 行：{zh}", f"Row {row}: {en}"))


def _invalid(*faults: FieldError) -> Invalid:
    return Invalid(
        "table.invalid",
        f"表格有 {len(faults)} 处错误，未保存任何内容。",
        f"The table has {len(faults)} faults; nothing was stored.",
        errors=faults[:MAX_FAULTS],
    )
