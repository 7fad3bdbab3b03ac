"""Rows that were not taken, as they came, with what is wrong beside each: corrected there, they are handed in again."""

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from xlsxwriter import Workbook  # type: ignore[import-untyped]

from connectors.worksheet.claims import CellFault
from connectors.worksheet.heading import RESULT_COLUMNS, Heading
from tenants.tables.cells import Row, place

REFUSED: Final = "未接收"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t")
ALONG: Final = "未接收（同一申请的其他行有误）"


class ReturnedRows:
    """A file of rows to be corrected, in the form in which they came; made with the first row, if any comes."""

    def __init__(self, path: Path, heading: Heading, encoding: str) -> None:
        self._path, self._encoding = path, encoding
        kept = [c for c, title in enumerate(heading.titles) if title not in RESULT_COLUMNS]
        self._columns = kept
        self._titles = [heading.titles[column] for column in kept]
        self._writer: _CsvWriter | _XlsxWriter | None = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, rows: Sequence[Row], faults: Sequence[CellFault]) -> None:
        """The rows of one claim and what is wrong with them."""
        if self._writer is None:
            make = _XlsxWriter if self._path.suffix.lower() == ".xlsx" else _CsvWriter
            self._writer = make(self._path, self._titles, self._encoding)
        for row in rows:
            own = [fault for fault in faults if fault.row == row.number]
            texts = [row.cells[column].text if column < len(row.cells) else "" for column in self._columns]
            said = "；".join(self._said(row, fault) for fault in own)
            marked = {self._columns.index(f.column): f.message.zh for f in own if f.column in self._columns}
            self._writer.write(texts, (REFUSED if own else ALONG, said, str(row.number)), marked)
            self.count += 1

    def _said(self, row: Row, fault: CellFault) -> str:
        if fault.column is None or fault.column not in self._columns:
            return f"第 {row.number} 行：{fault.message.zh}"
        title = self._titles[self._columns.index(fault.column)]
        return f"{place(row.number, fault.column)}“{title}”：{fault.message.zh}"


def _harmless(text: str) -> str:
    """The text so that a spreadsheet that opens the file takes it for no formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


class _CsvWriter:
    def __init__(self, path: Path, titles: list[str], encoding: str) -> None:
        name = "utf-8-sig" if encoding == "utf-8" else encoding
        self._file: IO[str] = path.open("w", encoding=name, newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow([*titles, *RESULT_COLUMNS])

    def write(self, texts: list[str], results: tuple[str, ...], marked: dict[int, str]) -> None:
        del marked
        self._writer.writerow([*map(_harmless, texts), *results])

    def close(self) -> None:
        self._file.close()


class _XlsxWriter:
    def __init__(self, path: Path, titles: list[str], encoding: str) -> None:
        del encoding
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book: Any = Workbook(str(path), options)
        self._text = self._book.add_format({"num_format": "@"})
        self._wrong = self._book.add_format({"num_format": "@", "bg_color": "#FFC7CE"})
        bold = self._book.add_format({"bold": True})
        self._sheet: Any = self._book.add_worksheet("待更正")
        self._at = 0
        for column, title in enumerate([*titles, *RESULT_COLUMNS]):
            self._sheet.write_string(0, column, title, bold)

    def write(self, texts: list[str], results: tuple[str, ...], marked: dict[int, str]) -> None:
        self._at += 1
        for column, text in enumerate([*texts, *results]):
            form = self._wrong if column in marked else self._text
            if text:
                self._sheet.write_string(self._at, column, text, form)
            elif column in marked:
                self._sheet.write_blank(self._at, column, None, form)

    def close(self) -> None:
        self._book.close()
