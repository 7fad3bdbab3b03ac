"""Tables that people upload: CSV in UTF-8 or GB18030, and XLSX, read into named columns with each cell's address.

A workbook is looked at before it is unpacked: sizes, ratio, entities. A number in a column of text is refused where a
spreadsheet may have changed it: it keeps fifteen digits and drops leading noughts.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from tenants.kernel.errors import FieldError, Invalid, Malformed, Text
from tenants.kernel.texts import TextError, normal

MAX_ROWS: Final = 5_000
MAX_COLUMNS: Final = 60
MAX_CELL_CHARACTERS: Final = 4_000
MAX_UNPACKED_BYTES: Final = 64 * 2**20
MAX_RATIO: Final = 100
MAX_PARTS: Final = 200
EXACT_DIGITS: Final = 15
"""How many digits of a number a spreadsheet keeps."""
MAX_SHOWN: Final = 200
"""Characters of a cell that a preview shows."""
MAX_FAULTS: Final = 200
"""How many cells one answer names."""

_XLSX: Final = b"PK\x03\x04"
_ENTITY: Final = (b"<!DOCTYPE", b"<!ENTITY")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
"""How a part begins that is not written in bytes of ASCII and so could hide an entity."""


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


Values = Iterator[tuple[int, Sequence[object]]]
"""Rows with their numbers, counted from one."""


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
    rows = _workbook_rows(content) if content.startswith(_XLSX) else _csv_rows(content)
    number, heading = next(rows, (0, ()))
    places = _places(number, heading, columns)
    lines: list[Line] = []
    faults: list[FieldError] = []
    for row_number, values in rows:
        if all(value is None or (isinstance(value, str) and not value.strip()) for value in values):
            continue
        if len(lines) == MAX_ROWS:
            raise _invalid(
                _row_fault(row_number, "table.too_long", f"最多 {MAX_ROWS} 行。", f"At most {MAX_ROWS} rows.")
            )
        cells = {name: _cell(row_number, place, values) for name, place in places.items()}
        faults += [cell_fault(c.address, c.fault, _FAULTS[c.fault]) for c in cells.values() if c.fault is not None]
        lines.append(Line(row_number, cells))
    if faults:
        raise _invalid(*faults)
    if not lines:
        raise _invalid(_row_fault(number + 1, "table.empty", "表中没有数据。", "The table has no rows."))
    return lines


def first_rows(content: bytes, wanted: AbstractSet[int], limit: int) -> list[dict[str, Any]]:
    """The table's heading and at most ``limit`` rows below it as people see them, with each cell's address.

    With rows ``wanted`` only those. A file that cannot be read as a table has no rows.
    """
    rows = _workbook_rows(content) if content.startswith(_XLSX) else _csv_rows(content)
    shown: list[dict[str, Any]] = []
    try:
        for number, values in rows:
            if len(shown) > limit or number > MAX_ROWS:
                break
            if not shown or not wanted or number in wanted:
                cells = [
                    (f"{get_column_letter(place + 1)}{number}", "" if value is None else str(value)[:MAX_SHOWN])
                    for place, value in enumerate(values[:MAX_COLUMNS])
                ]
                shown.append({"number": number, "cells": cells})
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
    "cell.text": Text("文字过长或含不可用字符。", "The text is too long or holds a forbidden character."),
}


def _places(number: int, heading: Sequence[object], columns: Sequence[Column]) -> dict[str, int | None]:
    """Which column of the file holds which of ours."""
    by_heading = {text: column.name for column in columns for text in (column.name, *column.headings)}
    places: dict[str, int | None] = {}
    faults = []
    for place, value in enumerate(heading):
        text = "" if value is None else str(value).strip().lstrip("*")
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


def _cell(row: int, place: int | None, values: Sequence[object]) -> Cell:
    address = f"{get_column_letter((place or 0) + 1)}{row}"
    value = None if place is None or place >= len(values) else values[place]
    match value:
        case None:
            return Cell(address, None)
        case str():
            return _text(address, value)
        case bool():
            return Cell(address, "true" if value else "false")
        case int() if abs(value) < 10**EXACT_DIGITS:
            return Cell(address, str(value))
        case datetime() if (value.hour, value.minute, value.second) == (0, 0, 0):
            return Cell(address, value.date().isoformat())
        case date() if not isinstance(value, datetime):
            return Cell(address, value.isoformat())
        case int() | float():
            return Cell(address, None, "cell.number")
        case _:
            return Cell(address, None, "cell.kind")


def _text(address: str, value: str) -> Cell:
    if len(value) > MAX_CELL_CHARACTERS:
        return Cell(address, None, "cell.text")
    if value.startswith("#") and value.endswith(("!", "?", "/A")):
        return Cell(address, None, "cell.kind")
    try:
        return Cell(address, normal(value.strip()) or None)
    except TextError:
        return Cell(address, None, "cell.text")


def _csv_rows(content: bytes) -> Values:
    if b"\x00" in content:
        raise _malformed(
            "文件须为 CSV（UTF-8 或 GB18030）或 XLSX。", "A CSV in UTF-8 or GB18030, or an XLSX, is expected."
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise _malformed("文件编码须为 UTF-8 或 GB18030。", "The file is neither UTF-8 nor GB18030.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from enumerate(reader, 1)
    except csv.Error as error:
        raise _malformed(
            f"CSV 第 {reader.line_num} 行无法读取。", f"Line {reader.line_num} of the CSV cannot be read."
        ) from error


def _workbook_rows(content: bytes) -> Values:
    """The rows of the first sheet."""
    _refuse_bomb(content)
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        rows = enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), 1)
        for number, row in rows:
            yield number, [_FORMULA if cell.data_type == "f" else cell.value for cell in row]
    except (KeyError, ValueError, IndexError, TypeError, AttributeError, OSError, EOFError, SyntaxError) as error:
        raise _malformed("无法读取该 XLSX 文件。", "The workbook cannot be read.") from error
    except zipfile.BadZipFile as error:
        raise _malformed("无法读取该 XLSX 文件。", "The workbook cannot be read.") from error


_FORMULA: Final = object()
"""In place of a formula, whose value we do not compute."""


def _refuse_bomb(content: bytes) -> None:
    """Refuse before unpacking what would unpack to too much, and after it what declares entities."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            packed = max(len(content), 1)
            if len(parts) > MAX_PARTS or unpacked > min(MAX_UNPACKED_BYTES, packed * MAX_RATIO):
                raise _malformed("XLSX 解压后过大。", "The workbook would unpack to too much.")
            for part in parts:
                with archive.open(part) as stream:
                    data = stream.read(part.file_size + 1)
                if len(data) > part.file_size or _declares(part.filename, data):
                    raise _malformed("XLSX 含有不可用的内容。", "The workbook holds what it may not.")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        raise _malformed("无法读取该 XLSX 文件。", "The workbook cannot be read.") from error


def _declares(name: str, data: bytes) -> bool:
    is_xml = name.endswith((".xml", ".rels", ".vml"))
    return is_xml and (data.startswith(_WIDE) or any(word in data for word in _ENTITY))


def _row_fault(row: int, code: str, zh: str, en: str) -> FieldError:
    return FieldError(f"/{row}", code, Text(f"第 {row} 行：{zh}", f"Row {row}: {en}"))


def _malformed(zh: str, en: str) -> Malformed:
    return Malformed("table.malformed", zh, en)


def _invalid(*faults: FieldError) -> Invalid:
    return Invalid(
        "table.invalid",
        f"表格有 {len(faults)} 处错误，未保存任何内容。",
        f"The table has {len(faults)} faults; nothing was stored.",
        errors=faults[:MAX_FAULTS],
    )
