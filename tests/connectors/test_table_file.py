"""Uploaded tables: every encoding, every faulty cell by its address, and nothing that unpacks to too much."""

import io
import zipfile
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from connectors import table_file
from connectors.table_file import Column, read_table
from tenants.kernel.errors import Invalid, Malformed

COLUMNS = (
    Column("uscc", ("统一社会信用代码",), required=True),
    Column("name", ("单位名称",)),
    Column("day", ("日期",)),
)
TEXT = "统一社会信用代码,单位名称,日期\r\n9132,江苏某公司,2024-08-01\r\n,,\r\n9133,“二”公司,\r\n"


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def texts(content: bytes) -> list[tuple[int, str | None, str | None, str | None]]:
    return [
        (line.number, line.text("uscc"), line.text("name"), line.text("day")) for line in read_table(content, COLUMNS)
    ]


def places(content: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read_table(content, COLUMNS)
    return [(fault.pointer, fault.code) for fault in refused.value.errors]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_utf_8_and_in_gb18030(encoding: str) -> None:
    assert texts(TEXT.encode(encoding)) == [
        (2, "9132", "江苏某公司", "2024-08-01"),
        (4, "9133", "“二”公司", None),
    ]


def test_a_rare_character_of_a_name_survives_gb18030() -> None:
    assert texts("统一社会信用代码,单位名称\n1,㐂𠮷公司\n".encode("gb18030"))[0][2] == "㐂𠮷公司"


def test_a_workbook_is_read_with_its_days_and_short_numbers() -> None:
    content = workbook(
        ["*统一社会信用代码", "单位名称", "日期"],
        ["9132", 320115, datetime(2024, 8, 1)],  # noqa: DTZ001 - as openpyxl gives them
        [9133, None, date(2024, 8, 2)],
    )
    assert texts(content) == [(2, "9132", "320115", "2024-08-01"), (3, "9133", None, "2024-08-02")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (202432011500000001, "cell.number"),
        (1.5, "cell.number"),
        (datetime(2024, 8, 1, 12), "cell.kind"),  # noqa: DTZ001 - as openpyxl gives them
        ("=1+1", "cell.kind"),
        ("#N/A", "cell.kind"),
        ("x" * 4001, "cell.text"),
        ("a\u202eb", "cell.text"),
    ],
)
def test_a_cell_that_cannot_be_taken_is_named_by_its_address(value: object, code: str) -> None:
    content = workbook(["统一社会信用代码", "日期", "单位名称"], ["1", None, "好"], ["2", None, value])
    assert places(content) == [("/C3", code)]


def test_a_merged_cell_is_named_in_every_row_that_it_covers() -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    for row in (["统一社会信用代码", "单位名称"], ["1", "甲"], ["2", None], ["3", "丙"]):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    stream = io.BytesIO()
    book.save(stream)
    assert places(stream.getvalue()) == [("/B2", "cell.merged"), ("/B3", "cell.merged")]


def test_a_sheet_that_is_not_shown_is_not_read() -> None:
    book = Workbook()
    book.worksheets[0].append(["统一社会信用代码"])
    book.worksheets[0].append(["hidden"])
    book.worksheets[0].sheet_state = "hidden"
    shown = book.create_sheet("二")
    for row in (["统一社会信用代码"], ["shown"]):
        shown.append(row)
    book.active = shown
    stream = io.BytesIO()
    book.save(stream)
    assert texts(stream.getvalue()) == [(2, "shown", None, None)]


def test_columns_may_stand_in_any_order_and_each_heading_is_known() -> None:
    assert texts("日期,统一社会信用代码\n2024-08-01,1\n".encode())[0] == (2, "1", None, "2024-08-01")
    assert places("单位名称,备注,单位名称\n一,二,三\n".encode()) == [
        ("/B1", "column.unknown"),
        ("/C1", "column.repeated"),
        ("/1", "column.missing"),
    ]


@pytest.mark.parametrize("content", [b"", "统一社会信用代码\n".encode(), "统一社会信用代码\n\n ,\n".encode()])
def test_a_table_without_rows_is_refused(content: bytes) -> None:
    assert places(content)[0][1] in {"table.empty", "column.missing"}


def test_a_table_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "MAX_ROWS", 2)
    assert places("统一社会信用代码\n1\n2\n3\n".encode()) == [("/4", "table.too_long")]


def bomb(name: str = "xl/worksheets/sheet1.xml", data: bytes = b"0" * 2**24) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bomb(), id="ratio"),
        pytest.param(bomb(data=b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>'), id="entity"),
        pytest.param(bomb(data='<?xml version="1.0"?><!DOCTYPE a>'.encode("utf-16")), id="entity in UTF-16"),
        pytest.param(bomb(data=b"<a/>"), id="no workbook"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 100, id="cut off"),
        pytest.param(workbook(["统一社会信用代码"], ["1"])[:-40], id="without directory"),
        pytest.param(b"\x00\x01\x02", id="binary"),
        pytest.param(b"\xff\xff\xff", id="no encoding"),
        pytest.param(b'a,"b\n', id="open quotation"),
    ],
)
def test_a_hostile_or_broken_file_is_refused_before_it_costs_anything(content: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read_table(content, COLUMNS)
    assert refused.value.code == "table.malformed"
