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
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from xlsxwriter import Workbook  # type: ignore[import-untyped]
from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]

from settlement.formats.amount_in_words import amount_in_words
from settlement.formats.bank_table import FIELDS, NUMERIC, ColumnMapping
from settlement.formats.payout_batch import PayoutBatch, counted
from settlement.payouts.instruction import Instruction
from tenants.kernel.clock import print_instant

MAX_LINES: Final = 1_048_575
"""The rows of a sheet, less the headings."""
LINES_SHEET: Final = "明细 lines"
TOTALS_SHEET: Final = "合计 totals"

_LINES_PART: Final = "xl/worksheets/sheet1.xml"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_COLUMN_CHARS: Final = 24
_NARROW_CHARS: Final = 14
_CHARACTER_CODE = re.compile(r"_(x[0-9A-Fa-f]{4}_)")
"""Spreadsheets read ``_x0041_`` as one character, so that a text which says just that needs its ``_`` spelt out."""

_PLAIN = re.compile(r"[^\s&<>_](?:[^&<>_]*[^\s&<>_])?")
"""Texts in which there is nothing to escape or preserve."""


def write_xlsx(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction], mapping: ColumnMapping) -> None:
    """Write the workbook; the same batch gives the same bytes.

    Raises:
        ValueError: more than ``MAX_LINES`` instructions.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    if batch.count > MAX_LINES:
        raise ValueError(f"a sheet holds at most {MAX_LINES} lines")
    frame = ZipFile(io.BytesIO(_frame(batch, mapping)))
    with ZipFile(out, "w", ZIP_DEFLATED) as workbook:
        for name in frame.namelist():
            part = ZipInfo(name, _EPOCH)
            part.compress_type = ZIP_DEFLATED
            with workbook.open(part, "w") as target:
                if name == _LINES_PART:
                    target.writelines(_lines_sheet(frame.read(name).decode(), batch, instructions, mapping))
                else:
                    target.write(frame.read(name))


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


def _lines_sheet(
    frame: str, batch: PayoutBatch, instructions: Iterable[Instruction], mapping: ColumnMapping
) -> Iterator[bytes]:
    """The first sheet's XML: the frame's, with the lines in place of its row of styles."""
    last = xl_col_to_name(len(mapping.columns) - 1)
    frame = frame.replace(f'<dimension ref="A1:{last}2"/>', f'<dimension ref="A1:{last}{batch.count + 1}"/>')
    before, styled, after = re.split(r'(<row r="2".*?</row>)', frame, maxsplit=1)
    cells = [
        _cell_writer(xl_col_to_name(index), style, field)
        for index, (style, field) in enumerate(zip(re.findall(r' s="(\d+)"', styled), mapping.fields, strict=True))
    ]
    yield before.encode()
    for number, each in counted(batch, instructions):
        row = str(number + 1)
        yield f'<row r="{row}">{"".join([cell(row, number, each) for cell in cells])}</row>'.encode()
    yield after.encode()


def _cell_writer(letters: str, style: str, field: str) -> Callable[[str, int, Instruction], str]:
    """The function that writes one column's cell of a row."""
    value = FIELDS[field]
    if field in NUMERIC:
        return lambda row, number, each: f'<c r="{letters}{row}" s="{style}"><v>{value(number, each)}</v></c>'
    head, middle = f'<c r="{letters}', f'" s="{style}" t="inlineStr"><is><t'
    return lambda row, number, each: f"{head}{row}{middle}{_content(value(number, each))}</t></is></c>"


def _content(text: str) -> str:
    """The end of the opening tag, and the text."""
    if _PLAIN.fullmatch(text):
        return f">{text}"
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = _CHARACTER_CODE.sub(r"_x005F_\1", escaped)
    if text[0].isspace() or text[-1].isspace():
        return f' xml:space="preserve">{escaped}'
    return f">{escaped}"
