"""Rows of an XLSX workbook's first visible sheet, as a stream; what spreadsheets hide or lose is named by its cell."""

import re
import warnings
import zlib
from collections.abc import Iterator
from datetime import date, time
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Final
from zipfile import BadZipFile, ZipFile

import openpyxl
from lxml import etree
from openpyxl.utils.cell import range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from tenants.tables.bounds import LOCAL_BYTES, Source, refuse_bomb
from tenants.tables.cells import BLANK, Cell, Row, day_cell, number_cell, text_cell
from tenants.tables.errors import TableError

MAX_COLUMNS: Final = 500
MAX_MERGED: Final = 10_000

_BLOCK_BYTES: Final = 1024 * 1024
_TAG_BYTES: Final = 512
_MERGED: Final = re.compile(rb'<(?:[A-Za-z0-9]+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_RELATION: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Merged = list[tuple[int, int, int, int, str]]
"""First column, first row, last column, last row, counted from one, and the range as it is written."""


_BROKEN: Final = (
    ArithmeticError, AttributeError, BadZipFile, EOFError, InvalidFileException, LookupError, NotImplementedError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, zlib.error,
)  # fmt: skip
"""What reading raises of a file that is no workbook, or is cut off or harmed."""


def xlsx_rows(source: Source, unpacked_bytes: int = LOCAL_BYTES, *, results: bool = False) -> Iterator[Row]:
    """The rows of the first visible sheet, blank ones included; of a formula the ``results`` that it had, or a fault.

    Raises:
        TableError: the file is no workbook, is protected by a password, is a bomb, or shows no sheet with cells.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                yield from _read(file, unpacked_bytes, results=results)
        else:
            yield from _read(source, unpacked_bytes, results=results)
    except TableError:
        raise
    except _BROKEN as error:
        raise TableError(
            "文件不是完整的 XLSX 工作簿，或有密码保护；旧版 .xls 请另存为 .xlsx。",
            "The file is no whole XLSX workbook, or is protected by a password; save an old .xls as .xlsx.",
        ) from error


def _read(source: IO[bytes], unpacked_bytes: int, *, results: bool) -> Iterator[Row]:
    with ZipFile(source) as archive:
        refuse_bomb(archive, unpacked_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions, which say nothing here
        book = openpyxl.load_workbook(source, read_only=True, data_only=results, keep_links=False)
    try:
        visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise TableError("工作簿没有可见的工作表。", "The workbook has no visible sheet.")
        sheet = visible[0]
        sheet.reset_dimensions()  # what the file says of its size is often wrong
        yield from _rows(sheet, _merged(source, sheet.title))
    finally:
        book.close()


def hidden_sheets(path: Path) -> tuple[str, ...]:
    """The titles of sheets that are not shown; nothing in them is read."""
    return tuple(title for title, _, state in _sheets(path) if state != "visible")


def more_sheets(path: Path) -> tuple[str, ...]:
    """The titles of visible sheets after the first; nothing in them is read."""
    return tuple(title for title, _, state in _sheets(path) if state == "visible")[1:]


def _rows(sheet: Any, merged: Merged) -> Iterator[Row]:  # noqa: ANN401 - openpyxl's own
    expected = 1
    for given in sheet.iter_rows():
        cells = given[:MAX_COLUMNS]
        found = [cell for cell in cells if hasattr(cell, "row")]
        number = found[0].row if found else expected
        expected = number + 1
        here = [one for one in merged if one[1] <= number <= one[3]]
        read = [_cell(cell) for cell in cells]
        covered = min(max((one[2] for one in here), default=0), MAX_COLUMNS)
        read += [BLANK] * (covered - len(read))  # what a range covers need not stand in the file
        yield Row(number, tuple(_merged_cell(cell, at, here) for at, cell in enumerate(read, 1)))


def _cell(cell: Any) -> Cell:  # noqa: ANN401 - openpyxl's own
    value = cell.value
    if value is None:
        return BLANK
    if cell.data_type == "f":
        return Cell("", "cell.formula")
    if cell.data_type == "e":
        return Cell("", f"cell.error|{value}")
    if isinstance(value, date | time):
        return day_cell(value)
    if isinstance(value, str):
        return text_cell(value)
    return number_cell(value)


def _merged_cell(cell: Cell, column: int, merged: Merged) -> Cell:
    for first_column, _, last_column, _, written in merged:
        if first_column <= column <= last_column:
            return Cell(cell.text, f"cell.merged|{written}", cell.is_number, cell.is_day)
    return cell


def _merged(source: Source, title: str) -> Merged:
    """The merged ranges of the sheet, which stand behind its rows and so are looked for first."""
    part = next((part for name, part, _ in _sheets(source) if name == title), None)
    if part is None:
        return []
    found: Merged = []
    with ZipFile(source) as archive, archive.open(part) as stream:
        kept = b""
        while block := stream.read(_BLOCK_BYTES):
            text = kept + block
            for match in _MERGED.finditer(text):
                written = match[1].decode()
                first_column, first_row, last_column, last_row = (int(edge or 0) for edge in range_boundaries(written))
                found.append((first_column, first_row, last_column, last_row, written))
            if len(found) > MAX_MERGED:
                raise TableError("合并区域过多。", "There are too many merged ranges.")
            kept = text[-_TAG_BYTES:]
    return [next(same) for _, same in groupby(sorted(found))]


def _sheets(source: Source) -> list[tuple[str, str, str]]:
    """Title, part of the archive, and state of every sheet, in their order."""
    with ZipFile(source) as archive:
        book = _xml(archive.read("xl/workbook.xml"))
        relations = _xml(archive.read("xl/_rels/workbook.xml.rels"))
    parts = {one.get("Id"): str(one.get("Target")) for one in relations}
    return [
        (str(one.get("name")), _part(parts[one.get(_RELATION)]), str(one.get("state", "visible")))
        for one in book.iter("{*}sheet")
        if one.get(_RELATION) in parts
    ]


def _part(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _xml(data: bytes) -> Any:  # noqa: ANN401 - lxml's element
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
