"""The bank table as an XLSX workbook: a sheet of lines and a sheet of totals.

XlsxWriter makes the workbook with its styles and the totals; the lines are streamed into its first sheet in the form
that XlsxWriter's own streaming mode writes, ten times as fast. Text is always an inline string, never a formula, a
number or a link; amounts are written as decimal digits and never pass through a float.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from typing import BinaryIO, Final
from zipfile import ZipFile

from xlsxwriter import Workbook  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]

from settlement.formats.amount_in_words import amount_in_words
from settlement.formats.bank_table import NUMERIC, ColumnMapping, Row, row_values
from settlement.formats.long_archive import LongArchive, Packed
from settlement.formats.payout_batch import PayoutBatch, counted
from settlement.payouts.instruction import Instruction
from tenants.kernel.clock import print_instant

MAX_LINES: Final = 1_048_575
"""The rows of a sheet, less the headings."""
LINES_SHEET: Final = "明细 lines"
TOTALS_SHEET: Final = "合计 totals"

_LINES_PART: Final = "xl/worksheets/sheet1.xml"
_COLUMN_CHARS: Final = 24
_NARROW_CHARS: Final = 14
_CHARACTER_CODE = re.compile(r"_(x[0-9A-Fa-f]{4}_)")
"""Spreadsheets read ``_x0041_`` as one character, so that a text which says just that needs its ``_`` spelt out."""

_TEXT_CELL: Final = ' t="inlineStr"><is><t%s</t></is></c>'
_PLAIN_TEXT_CELL: Final = ' t="inlineStr"><is><t>%s</t></is></c>'


def write_xlsx(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction], mapping: ColumnMapping) -> None:
    """Write the workbook; the same batch gives the same bytes.

    Raises:
        ValueError: more than ``MAX_LINES`` instructions.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    book = OpenWorkbook(out, batch, mapping)
    values, rows = row_values(mapping), sheet_rows(batch, mapping)
    for number, each in counted(batch, instructions):
        book.add(rows(number, [values(number, each)]))
    book.close()


class OpenWorkbook:
    """A workbook that is open for its lines; ``close`` ends it and leaves the file open. The file has to be seekable.

    Raises:
        ValueError: the batch has more than ``MAX_LINES`` instructions.
    """

    def __init__(self, out: BinaryIO, batch: PayoutBatch, mapping: ColumnMapping) -> None:
        if batch.count > MAX_LINES:
            raise ValueError(f"a sheet holds at most {MAX_LINES} lines")
        self._frame = ZipFile(io.BytesIO(_frame(batch, mapping)))
        self._before, _, self._after = _sheet_frame(self._frame, batch, mapping)
        self._archive = LongArchive(out)
        names = self._frame.namelist()
        at = names.index(_LINES_PART)
        self._rest = names[at + 1 :]
        for name in names[:at]:
            self._archive.add(name, self._frame.read(name))
        self.lines_begin = self._archive.begin_long(_LINES_PART)
        """Where in the file the lines begin; all before it is known only at the end."""
        self._begun = False

    def go_on(self, packed: Packed) -> None:
        """Go on behind sections of lines that stand in the file already."""
        self._archive.go_on(packed)
        self._begun = packed.packed > 0

    def add(self, rows: bytes) -> None:
        """Append rows of :func:`sheet_rows`."""
        self._archive.write(rows if self._begun else self._before + rows)
        self._begun = True

    def end_section(self) -> Packed:
        """End a section of lines that can be gone on behind."""
        return self._archive.end_section()

    def close(self) -> None:
        """Write what follows the lines.

        Raises:
            ValueError: the workbook is larger than a spreadsheet reads.
        """
        self._archive.write(self._after)
        self._archive.end_long()
        for name in self._rest:
            self._archive.add(name, self._frame.read(name))
        self._archive.close()


def sheet_rows(batch: PayoutBatch, mapping: ColumnMapping) -> Callable[[int, Iterable[Row]], bytes]:
    """What makes the rows of lines, the first of which has a number, as they follow each other in the first sheet."""
    _, styled, _ = _sheet_frame(ZipFile(io.BytesIO(_frame(batch, mapping))), batch, mapping)
    styles = re.findall(r' s="(\d+)"', styled)
    numeric = [field in NUMERIC for field in mapping.fields]
    pattern = '<row r="%s">' + "".join(
        [
            f'<c r="{xl_col_to_name(index)}%s" s="{style}"' + ("><v>%s</v></c>" if number else _TEXT_CELL)
            for index, (style, number) in enumerate(zip(styles, numeric, strict=True))
        ]
    )
    pattern += "</row>"
    escaped, plain = pattern.encode(), pattern.replace(_TEXT_CELL, _PLAIN_TEXT_CELL).encode()
    parts = 2 * len(numeric) + 1

    def row(number: int, values: Row) -> bytes:
        filled = [b"%d" % (number + 1)] * parts
        if _nothing_special("".join(values)) and list(map(str.strip, values)) == values:
            filled[2::2] = [value.encode() for value in values]
            return plain % tuple(filled)
        contents = [value if no else _content(value) for value, no in zip(values, numeric, strict=True)]
        filled[2::2] = [content.encode() for content in contents]
        return escaped % tuple(filled)

    return lambda first, lines: b"".join([row(number, each) for number, each in enumerate(lines, start=first)])


def _frame(batch: PayoutBatch, mapping: ColumnMapping) -> bytes:
    """The workbook without its lines; in the place of the first line, an empty cell of each column's style."""
    buffer = io.BytesIO()
    with Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"title": batch.title, "created": batch.created_at.astimezone(UTC).replace(tzinfo=None)})
        heading = book.add_format({"bold": True, "num_format": "@", "bottom": 1})
        styles = {
            "text": book.add_format({"num_format": "@"}),
            "amount": book.add_format({"num_format": "#,##0.00"}),
            "sequence": book.add_format({"num_format": "0"}),
        }
        lines = book.add_worksheet(LINES_SHEET)
        lines.freeze_panes(1, 0)
        for index, column in enumerate(mapping.columns):
            style = styles[column.field if column.field in NUMERIC else "text"]
            lines.set_column(index, index, _NARROW_CHARS if column.field in NUMERIC else _COLUMN_CHARS, style)
            lines.write_string(0, index, column.heading, heading)
            lines.write_blank(1, index, None, style)
        totals = book.add_worksheet(TOTALS_SHEET)
        totals.set_column(0, 1, _COLUMN_CHARS * 2, styles["text"])
        for row, (label, value) in enumerate(_totals(batch)):
            totals.write_string(row, 0, label, heading)
            totals.write_string(row, 1, value, styles["text"])
    return buffer.getvalue()


def _totals(batch: PayoutBatch) -> Iterator[tuple[str, str]]:
    yield "地区 tenant", f"{batch.tenant_name} {batch.tenant}"
    yield "名称 title", batch.title
    yield "批次 batch", batch.batch
    yield "付款人 payer", batch.debtor.account_name
    yield "付款账号 payer account", batch.debtor.account_number
    yield "笔数 count", str(batch.count)
    yield "合计金额（元） total", str(batch.total)
    yield "合计金额（大写） total in words", amount_in_words(batch.total)
    yield "默克尔根 batch root", batch.batch_root
    yield "生成时间 created at", print_instant(batch.created_at)


def _sheet_frame(frame: ZipFile, batch: PayoutBatch, mapping: ColumnMapping) -> tuple[bytes, str, bytes]:
    """The first sheet's XML before its lines, the row of styles in their place, and after them."""
    sheet, last = frame.read(_LINES_PART).decode(), xl_col_to_name(len(mapping.columns) - 1)
    sheet = sheet.replace(f'<dimension ref="A1:{last}2"/>', f'<dimension ref="A1:{last}{batch.count + 1}"/>')
    before, styled, after = re.split(r'(<row r="2".*?</row>)', sheet, maxsplit=1)
    return before.encode(), styled, after.encode()


def _nothing_special(text: str) -> bool:
    """Whether nothing has to be escaped; space around a value has to be preserved besides."""
    return not ("&" in text or "<" in text or ">" in text or "_" in text)


def _content(text: str) -> str:
    """The end of the opening tag, and the text."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _CHARACTER_CODE.sub(r"_x005F_\1", escaped)
    if text[:1].isspace() or text[-1:].isspace():
        return f' xml:space="preserve">{escaped}'
    return f">{escaped}"
