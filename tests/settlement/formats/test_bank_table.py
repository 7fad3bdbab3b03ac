"""The bank tables: what a bank reads, and what a spreadsheet does not run."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from zipfile import ZipFile

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape  # what spreadsheets do with _x0041_, and openpyxl leaves to us

from settlement.formats.bank_table import (
    ENCODINGS,
    FIELDS,
    GB18030,
    NUMERIC,
    PRESETS,
    UTF8,
    Column,
    ColumnMapping,
    MappingError,
    write_csv,
)
from settlement.formats.payout_batch import PayoutBatch, TotalsError
from settlement.formats.workbook import LINES_SHEET, MAX_LINES, TOTALS_SHEET, write_xlsx
from settlement.payouts.instruction import Account, Instruction, InstructionError
from tests.settlement.making import NAMES, instructions_of

GENERIC = PRESETS["generic"]
DANGEROUS = "=+-@\t\r＝＋－＠"


def csv_bytes(
    batch: PayoutBatch, instructions: tuple[Instruction, ...], mapping: ColumnMapping = GENERIC, encoding: str = UTF8
) -> bytes:
    out = io.BytesIO()
    write_csv(out, batch, instructions, mapping, encoding)
    return out.getvalue()


def xlsx_bytes(batch: PayoutBatch, instructions: tuple[Instruction, ...], mapping: ColumnMapping = GENERIC) -> bytes:
    out = io.BytesIO()
    write_xlsx(out, batch, instructions, mapping)
    return out.getvalue()


def rows_of(data: bytes, encoding: str = UTF8) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(encoding), newline=""), strict=True))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("mapping", PRESETS.values(), ids=PRESETS.keys())
def test_every_preset_carries_every_payment(mapping: ColumnMapping, encoding: str) -> None:
    batch, instructions = instructions_of(23, "kid", claims_each=2)
    head, *rows = rows_of(csv_bytes(batch, instructions, mapping, encoding), encoding)
    assert head == [column.heading for column in mapping.columns]
    place = {field: at for at, field in enumerate(mapping.fields)}
    assert [row[place["amount"]] for row in rows] == [str(each.amount) for each in instructions]
    assert sum(Decimal(row[place["amount"]]) for row in rows) == Decimal(str(batch.total))
    assert [row[place["end_to_end_id"]] for row in rows] == [each.end_to_end_id for each in instructions]
    assert [row[place["account_number"]].strip() for row in rows] == [
        each.creditor.account_number for each in instructions
    ]


def test_the_utf_8_file_starts_with_a_byte_order_mark_and_the_national_one_does_not() -> None:
    batch, instructions = instructions_of(1, "kid")
    assert csv_bytes(batch, instructions).startswith(b"\xef\xbb\xbf")
    assert csv_bytes(batch, instructions, encoding=GB18030).decode(GB18030)[0] == '"'


def test_no_cell_is_run_by_a_spreadsheet() -> None:
    batch, instructions = instructions_of(len(NAMES), "kid")
    for row in rows_of(csv_bytes(batch, instructions))[1:]:
        assert not any(cell[0] in DANGEROUS for cell in row)


def test_a_number_like_text_keeps_its_digits_in_a_spreadsheet() -> None:
    batch, instructions = instructions_of(7, "kid")
    row = dict(zip(GENERIC.fields, rows_of(csv_bytes(batch, instructions))[7], strict=True))
    assert row["payee"] == "123456789012345\t"
    assert row["account_number"].endswith("\t")
    assert row["cnaps"] == "102301000017\t"
    plain = replace(GENERIC, keeps_digits=False)
    assert rows_of(csv_bytes(batch, instructions, plain))[7][GENERIC.fields.index("cnaps")] == "102301000017"


TEXT = st.text(min_size=1, max_size=60) | st.text(DANGEROUS.replace("\t\r", "") + "'\"1,;x ", min_size=1, max_size=6)


def an_instruction_for(name: str) -> tuple[PayoutBatch, tuple[Instruction, ...]] | None:
    batch, (instruction,) = instructions_of(1, "kid")
    try:
        return batch, (replace(instruction, creditor=Account(name, "6222021", name, "102301000017"), purpose=name),)
    except InstructionError:
        return None


@given(TEXT, st.sampled_from(ENCODINGS))
def test_every_text_comes_back_and_none_starts_a_formula(name: str, encoding: str) -> None:
    if (made := an_instruction_for(name)) is None:
        return
    cell = rows_of(csv_bytes(*made, encoding=encoding), encoding)[1][GENERIC.fields.index("payee")]
    assert cell.lstrip()[0] not in DANGEROUS
    assert (cell[1:] if cell[0] == "'" else cell.removesuffix("\t")) == name


@pytest.mark.parametrize("encoding", ["gbk", "utf-16", "latin-1"])
def test_an_encoding_that_cannot_hold_every_name_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="not written"):
        csv_bytes(*instructions_of(1, "kid"), encoding=encoding)


@pytest.mark.parametrize(
    "columns",
    [
        (),
        (Column("a", "end_to_end_id"), Column("b", "payee"), Column("c", "account_number")),
        (*GENERIC.columns, Column("x", "amount")),
        (*GENERIC.columns, Column("x", "secret")),
        (*GENERIC.columns, Column("=x", "valid_through")),
        (*GENERIC.columns, Column(" ", "valid_through")),
    ],
)
def test_a_mapping_that_cannot_pay_is_refused(columns: tuple[Column, ...]) -> None:
    with pytest.raises(MappingError):
        ColumnMapping("own", columns)


def test_a_tenant_maps_every_field_there_is() -> None:
    mapping = ColumnMapping("all", tuple(Column(f"列 {field}", field) for field in FIELDS))
    batch, instructions = instructions_of(2, "kid")
    _, first, _ = rows_of(csv_bytes(batch, instructions, mapping))
    assert dict(zip(mapping.fields, first, strict=True))["amount_in_words"] == "壹拾肆万元整"


def test_instructions_that_are_not_the_batch_make_no_table() -> None:
    batch, instructions = instructions_of(3, "kid")
    with pytest.raises(TotalsError):
        csv_bytes(batch, instructions[:2])
    with pytest.raises(TotalsError):
        xlsx_bytes(batch, instructions[:2])


def cells_of(data: bytes, sheet: str) -> Iterator[list[object]]:
    book = load_workbook(io.BytesIO(data), read_only=True)
    for row in book[sheet].iter_rows():
        yield [unescape(cell.value) if isinstance(cell.value, str) else cell.value for cell in row]


@pytest.mark.parametrize("mapping", PRESETS.values(), ids=PRESETS.keys())
def test_an_independent_reader_finds_the_same_in_the_workbook(mapping: ColumnMapping) -> None:
    batch, instructions = instructions_of(30, "kid", claims_each=2)
    head, *rows = cells_of(xlsx_bytes(batch, instructions, mapping), LINES_SHEET)
    assert head == [column.heading for column in mapping.columns]
    assert len(rows) == batch.count
    for number, (row, each) in enumerate(zip(rows, instructions, strict=True), start=1):
        for field, value in zip(mapping.fields, row, strict=True):
            expected = FIELDS[field](number, each)
            if field in NUMERIC:
                assert isinstance(value, int | float)
                assert Decimal(str(value)) == Decimal(expected)
            else:
                assert value == expected


def test_every_text_in_the_workbook_is_text_and_nothing_is_a_formula_or_link() -> None:
    batch, instructions = instructions_of(len(NAMES), "kid")
    book = load_workbook(io.BytesIO(xlsx_bytes(batch, instructions)))
    for sheet in book.worksheets:
        for row in sheet.iter_rows(min_row=2):
            for place, cell in enumerate(row):
                numeric = sheet.title == LINES_SHEET and GENERIC.fields[place] in NUMERIC
                assert cell.data_type == ("n" if numeric else "s")
                assert cell.hyperlink is None
                assert numeric or cell.number_format == "@"
    payees = [unescape(str(cell.value)) for cell in book[LINES_SHEET]["C"]][1:]
    assert payees == list(NAMES)


def test_the_second_sheet_carries_the_totals() -> None:
    batch, instructions = instructions_of(3, "kid")
    totals = {
        str(label).split(" ", 1)[1]: value for label, value in cells_of(xlsx_bytes(batch, instructions), TOTALS_SHEET)
    }
    assert totals["count"] == "3"
    assert totals["total"] == str(batch.total)
    assert totals["total in words"] == "肆拾贰万元贰角壹分"
    assert totals["batch root"] == batch.batch_root


@settings(max_examples=40)
@given(TEXT)
def test_every_text_comes_back_from_the_workbook(name: str) -> None:
    if (made := an_instruction_for(name)) is None:
        return
    _, row = cells_of(xlsx_bytes(*made), LINES_SHEET)
    assert row[GENERIC.fields.index("payee")] == name


def test_the_lines_are_written_exactly_as_xlsxwriter_streams_them() -> None:
    """Only amounts differ: their digits are ours, XlsxWriter's go through a float."""
    names = [name for name in NAMES if not name.startswith("<r>")]
    batch, instructions = instructions_of(len(NAMES), "kid")
    ours = ZipFile(io.BytesIO(xlsx_bytes(batch, instructions))).read("xl/worksheets/sheet1.xml").decode()
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"constant_memory": True}) as book:
        text, amount, number = (book.add_format({"num_format": form}) for form in ("@", "#,##0.00", "0"))
        book.add_format({"bold": True})
        sheet = book.add_worksheet()
        for row, each in enumerate(instructions, start=1):
            for column, field in enumerate(GENERIC.fields):
                value = FIELDS[field](row, each)
                if field in NUMERIC:
                    sheet.write_number(row, column, Decimal(value), amount if field == "amount" else number)
                else:
                    sheet.write_string(row, column, value, text)
    theirs = ZipFile(buffer).read("xl/worksheets/sheet1.xml").decode()
    styles = 0
    for our_row, their_row, each in zip(ours.split("<row ")[2:], theirs.split("<row ")[1:], instructions, strict=True):
        if each.creditor.account_name in names:
            our_cells, their_cells = (
                [cell.split("<", 1)[1] for cell in row.split("<c ")[1:]] for row in (our_row, their_row)
            )
            for field, our_cell, their_cell in zip(GENERIC.fields, our_cells, their_cells, strict=True):
                styles += 1
                assert field == "amount" or our_cell.split("</row>")[0] == their_cell.split("</row>")[0]
    assert styles == len(names) * len(GENERIC.fields)


def test_more_lines_than_a_sheet_holds_are_refused_before_anything_is_written() -> None:
    batch, instructions = instructions_of(1, "kid")
    out = io.BytesIO()
    with pytest.raises(ValueError, match="at most"):
        write_xlsx(out, replace(batch, count=MAX_LINES + 1, item_count=MAX_LINES + 1), instructions, GENERIC)
    assert out.getvalue() == b""
