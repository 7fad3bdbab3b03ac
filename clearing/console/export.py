"""Lists as files: CSV and XLSX, every number-like text a text, nothing that a spreadsheet would run as a formula."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, TypeVar

from flask import Response, stream_with_context
from flask_babel import gettext as _
from xlsxwriter import Workbook  # type: ignore[import-untyped]

Row = TypeVar("Row")
Totals = Callable[[], tuple[tuple[str, str], ...]]
"""Names and values of what all rows come to, asked for when the last row has gone by."""

_BOM: Final = "\ufeff"
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With these a spreadsheet begins a formula; a text that does is led by an apostrophe."""
_MAX_CELL: Final = 32_767
"""Characters that a workbook's cell can hold; whoever writes more loses the rest without a word."""
_WIDTH: Final = 22
_CHUNK_BYTES: Final = 65_536
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its heading, and what it shows of a row; an ``amount`` is a decimal text in yuan."""

    heading: str
    value: Callable[[Row], str]
    amount: bool = False


def as_csv(name: str, columns: tuple[Column[Row], ...], rows: Iterable[Row], totals: Totals) -> Response:
    """The rows as CSV in UTF-8 with its mark, so that spreadsheets read the Chinese; the totals stand below."""

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        buffer.write(_BOM)
        writer.writerow([column.heading for column in columns])
        for row in rows:
            writer.writerow(
                [value if column.amount else _inert(value) for column in columns for value in (column.value(row),)]
            )
            if buffer.tell() > _CHUNK_BYTES:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        for pair in totals():
            writer.writerow(pair)
        yield buffer.getvalue()

    return _attachment(stream_with_context(lines()), f"{name}.csv", "text/csv; charset=utf-8")


def as_xlsx(name: str, columns: tuple[Column[Row], ...], rows: Iterable[Row], totals: Totals) -> Response:
    """The rows as a workbook: texts as text, amounts as amounts; the totals on a sheet of their own.

    A text that no cell can hold is cut and says so; in the same list as CSV it is whole.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(file, options) as book:
        bold, plain = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        money = book.add_format({"num_format": "#,##0.00"})
        sheet = book.add_worksheet("1")
        sheet.freeze_panes(1, 0)
        for index, column in enumerate(columns):
            sheet.set_column(index, index, _WIDTH)
            sheet.write_string(0, index, column.heading, bold)
        for number, row in enumerate(rows, 1):
            for index, column in enumerate(columns):
                if column.amount:
                    sheet.write_number(number, index, Decimal(column.value(row)), money)
                else:
                    sheet.write_string(number, index, _fitting(column.value(row)), plain)
        sums = book.add_worksheet("2")
        sums.set_column(0, 1, _WIDTH)
        for number, (label, value) in enumerate(totals()):
            sums.write_string(number, 0, label, bold)
            sums.write_string(number, 1, value, plain)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    response = _attachment(iter(lambda: file.read(_CHUNK_BYTES), b""), f"{name}.xlsx", XLSX)
    response.content_length = size
    response.call_on_close(file.close)
    return response


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_RUNS) else text


def _fitting(text: str) -> str:
    if len(text) <= _MAX_CELL:
        return text
    said = str(_("……（共 %(count)s 个字符，本格放不下；全文见 CSV 文件）", count=len(text)))
    return text[: _MAX_CELL - len(said)] + said


def _attachment(body: Iterable[str | bytes], name: str, media_type: str) -> Response:
    response = Response(body, content_type=media_type)  # type: ignore[arg-type]  # texts or bytes alike
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
