"""Worksheets as people really fill them in: good rows become claims, every fault is named at its cell."""

import io
import warnings
from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from connectors.form_document import form_document
from connectors.reading import read_submission
from connectors.worksheet.claims import CLAIMS
from connectors.worksheet.heading import RESULT_COLUMNS
from connectors.worksheet.returned import ReturnedRows
from connectors.worksheet.template import template_csv, template_xlsx
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.errors import TableError
from tenants.tables.xlsx_table import hidden_sheets, more_sheets, xlsx_rows
from tests.connectors.forms import bodies
from tests.connectors.sheets import TITLES, Grid, column, grid_of, read_file, write_csv, write_xlsx


def claims() -> list[dict[str, Any]]:
    """Claims of three platforms; what the worksheet does not ask for left out."""
    found = []
    for platform in ("jssic", "delta", "shanxi-inno"):
        for body in bodies(platform)[:15]:
            one = deepcopy(body)
            for invoice in one["invoices"]:
                invoice["number"] = invoice["number"].strip()  # a cell's outer white space says nothing
                invoice["code"] = invoice["code"] and invoice["code"].strip()
                invoice.pop("seller_uscc", None)
                invoice.pop("buyer_uscc", None)
            one["contract"]["number"] = one["contract"]["number"].strip()
            one["provider"]["qualifications"] = []
            found.append(one)
    return found


def in_order(claim: Any) -> Any:
    """The claim's parts, its documents in one order."""
    return tuple(
        sorted(claim.documents, key=lambda one: (one.kind, one.sha256)) if name == "documents" else getattr(claim, name)
        for name in claim.__dataclass_fields__
    )


def csv_utf8(path: Path, grid: Grid) -> Path:
    return write_csv(path.with_suffix(".csv"), grid)


def csv_gb18030(path: Path, grid: Grid) -> Path:
    return write_csv(path.with_suffix(".csv"), grid, "gb18030")


def xlsx(path: Path, grid: Grid) -> Path:
    return write_xlsx(path.with_suffix(".xlsx"), grid)


@pytest.mark.parametrize("write", [csv_utf8, csv_gb18030, xlsx])
def test_every_claim_comes_out_of_a_file_as_it_went_in(tmp_path: Path, write: Callable[[Path, Grid], Path]) -> None:
    given = claims()
    _, entries = read_file(write(tmp_path / "claims", grid_of(*given)))
    assert len(entries) == len(given)
    assert [fault for entry in entries for fault in entry.faults] == []
    assert [in_order(entry.claim) for entry in entries] == [in_order(read_submission(body)) for body in given]


def spoilt(tmp_path: Path, spoil: Callable[[Worksheet], None]) -> dict[str, str]:
    """The faults, by cell, of three claims of which the second was spoilt; the others go in."""
    one, two, three = claims()[0], claims()[1], claims()[2]
    path = write_xlsx(tmp_path / "claims.xlsx", grid_of(one, two, three))
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    spoil(sheet)
    book.save(path)
    _, entries = read_file(path)
    assert [entry.claim is not None for entry in entries] == [True, False, True]
    assert all(fault.message.zh and fault.message.en for fault in entries[1].faults)
    return {fault.at: fault.code for fault in entries[1].faults}


SECOND = len(grid_of(claims()[0])) + 1
"""The first row of the second claim."""


def cell(title: str, row: int = SECOND) -> str:
    return f"{get_column_letter(column(title) + 1)}{row}"


def put(title: str, value: Any) -> Callable[[Worksheet], None]:
    def spoil(sheet: Worksheet) -> None:
        sheet[cell(title)].value = value

    return spoil


@pytest.mark.parametrize(
    ("title", "value", "code"),
    [
        ("发票号码", 2.4322e19, "cell.digits_lost"),
        ("发票号码", 24322000000123456789, "cell.digits_lost"),
        ("发票号码", "2.4322E+19", "cell.digits_lost"),
        ("收款账号", 6222021234567890123, "cell.digits_lost"),
        ("开票日期", 45509, "cell.day_as_number"),
        ("开票日期", "45509", "cell.day_as_number"),
        ("开票日期", datetime(2024, 8, 5, 13, 30), "day.malformed"),  # noqa: DTZ001 - as a spreadsheet has it
        ("发票金额", "=1+1", "cell.formula"),
        ("发票金额", 100.123, "money.malformed"),
        ("发票金额", -5, "money.malformed"),
        ("发票金额", "一万元", "money.malformed"),
        ("合同名称", "#REF!", "cell.error"),
        ("企业统一社会信用代码", "91320312M49W4QLE13", "uscc.check_character"),
        ("服务类别", "美容", "label.unknown"),
        ("转包", "不详", "label.unknown"),
        ("合同文件", "合同.pdf", "object.expected"),
        ("合同文件", "合同.pdf|12|zz", "sha256.malformed"),
        ("企业注册地", "某省某市", "division.malformed"),
        ("合同编号", None, "field.required"),
    ],
)
def test_a_spoilt_cell_is_named_and_its_neighbours_go_in(tmp_path: Path, title: str, value: Any, code: str) -> None:
    assert spoilt(tmp_path, put(title, value)) == {cell(title): code}


@pytest.mark.parametrize(
    ("title", "value"),
    [
        ("发票金额", 10000),
        ("开票日期", date(2024, 8, 5)),
        ("开票日期", datetime(2024, 8, 5)),  # noqa: DTZ001 - as a spreadsheet has it
        ("开票日期", "2024年8月5日"),
        ("合同编号", "  KD-2024-017 　"),
        ("转包", False),
        ("企业注册地", 320312),
    ],
)
def test_what_spreadsheets_make_of_sound_values_goes_in(tmp_path: Path, title: str, value: Any) -> None:
    path = write_xlsx(tmp_path / "claims.xlsx", grid_of(claims()[0]))
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet[cell(title, 2)].value = value
    book.save(path)
    _, entries = read_file(path)
    assert [(entry.faults, entry.claim is not None) for entry in entries] == [((), True)]


def test_merged_cells_are_named_with_their_range_in_every_row_they_cover(tmp_path: Path) -> None:
    three = claims()[:3]
    path = write_xlsx(tmp_path / "claims.xlsx", grid_of(*three))
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    last = sheet.max_row
    merged = f"{cell('企业名称', SECOND)}:{cell('企业名称', last)}"
    sheet.merge_cells(merged)
    book.save(path)
    _, entries = read_file(path)
    assert [entry.claim is not None for entry in entries] == [True, False, False]
    named = {fault.at: fault for entry in entries for fault in entry.faults}
    assert set(named) >= {cell("企业名称", SECOND), cell("企业名称", last)}
    assert {fault.code for fault in named.values()} == {"cell.merged"}
    assert merged in named[cell("企业名称", last)].message.zh


def test_hidden_and_further_sheets_are_told_of_and_not_read(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "claims.xlsx", grid_of(claims()[0]))
    book = openpyxl.load_workbook(path)
    hidden = book.create_sheet("旧数据", 0)
    hidden.sheet_state = "hidden"
    hidden.append(["这里什么也不读"])
    book.create_sheet("说明")
    book.save(path)
    assert (hidden_sheets(path), more_sheets(path)) == (("旧数据",), ("说明",))
    _, entries = read_file(path)
    assert [entry.claim is not None for entry in entries] == [True]


def test_a_title_above_blank_rows_and_other_names_of_columns_are_taken(tmp_path: Path) -> None:
    grid = grid_of(claims()[0])
    other = {"发票号码": " 发票 编号*", "合同金额": "合同金额（元）", "收款账号": "银行账号（必填）"}
    heading = [other.get(title, title) for title in TITLES]
    path = write_xlsx(tmp_path / "claims.xlsx", [["2024年度申请"], [], heading, [], *grid[1:], []])
    found, entries = read_file(path)
    assert found.row == 3
    assert [(entry.faults, entry.claim is not None) for entry in entries] == [((), True)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda titles: ["发票号马" if title == "发票号码" else title for title in titles], "是否为“发票号码”"),
        (lambda titles: [*titles, "合同号"], "重复"),
        (lambda titles: [title for title in titles if title not in ("合同编号", "联行号")], "合同编号、联行号"),
        (lambda _: ["甲", "乙", "丙"], "没有表头"),
    ],
)
def test_a_heading_at_fault_is_refused_as_a_whole(
    tmp_path: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    path = write_csv(tmp_path / "claims.csv", [change(TITLES), *grid_of(claims()[0])[1:]])
    with pytest.raises(TableError, match=said):
        read_file(path)


def test_rows_of_one_claim_that_contradict_each_other_are_at_fault(tmp_path: Path) -> None:
    grid = grid_of(claims()[0])
    second = list(grid[1])
    second[column("企业名称")] = "另一家公司"
    _, entries = read_file(write_csv(tmp_path / "claims.csv", [grid[0], grid[1], second]))
    assert [fault.code for entry in entries for fault in entry.faults] == ["row.contradicts"]


def test_a_csv_row_that_is_longer_or_broken_is_at_fault_alone(tmp_path: Path) -> None:
    grid = grid_of(*claims()[:3])
    starts = [number for number, row in enumerate(grid) if row[column("企业名称")] and number]
    grid[starts[1]] = [*grid[starts[1]], "多出的", "单元格"]
    _, entries = read_file(write_csv(tmp_path / "claims.csv", grid))
    assert [entry.claim is not None for entry in entries] == [True, False, True]
    assert {fault.code for fault in entries[1].faults} == {"row.too_many_cells"}
    broken = (tmp_path / "broken.csv").write_text(
        "\n".join([",".join(TITLES), 'a,"b"c,d', ",".join(map(str, range(3)))]), encoding="utf-8"
    )
    assert broken
    rows = list(csv_rows(tmp_path / "broken.csv", "utf-8"))
    assert [row.fault is None for row in rows] == [True, False, True]


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_returned_rows_are_corrected_and_handed_in_again(tmp_path: Path, ending: str) -> None:
    grid = grid_of(*claims()[:4])
    starts = [number for number, row in enumerate(grid) if row[column("企业名称")] and number]
    sound = {at: (grid[at][column("发票金额")], grid[at][column("转包")]) for at in starts[1:3]}
    for at in sound:
        grid[at][column("发票金额")], grid[at][column("转包")] = "一万", "不详"
    write: Any = write_xlsx if ending == ".xlsx" else write_csv
    heading, entries = read_file(write(tmp_path / f"claims{ending}", grid))
    returned = tmp_path / f"returned{ending}"
    with ReturnedRows(returned, heading, "utf-8") as back:
        for entry in entries:
            if entry.claim is None:
                back.add(entry.rows, entry.faults)
    found = _grid(returned)
    assert found[0] == [*TITLES, *RESULT_COLUMNS]
    assert back.count == len(found) - 1 == sum(len(entry.rows) for entry in entries if entry.claim is None)
    errors = [row[-2] for row in found[1:] if row[-2]]
    assert all("发票金额" in error and "转包" in error for error in errors)
    for row, at in zip([row for row in found[1:] if row[column("企业名称")]], sound, strict=True):
        row[column("发票金额")], row[column("转包")] = sound[at]
    _, again = read_file(write(tmp_path / f"again{ending}", found))
    assert [(entry.faults, entry.claim is not None) for entry in again] == [((), True)] * 2


def _grid(path: Path) -> Grid:
    if path.suffix == ".csv":
        return [[one.text for one in row.cells] for row in csv_rows(path, encoding_of(path))]
    return [[one.text for one in row.cells] for row in xlsx_rows(path)]


def test_a_cell_that_would_be_a_formula_is_harmless_in_what_comes_back(tmp_path: Path) -> None:
    grid = grid_of(claims()[0])
    grid[1][column("合同名称")] = "=cmd|' /C calc'!A0"
    heading, entries = read_file(write_csv(tmp_path / "claims.csv", grid))
    with ReturnedRows(tmp_path / "back.csv", heading, "utf-8") as back:
        back.add(entries[0].rows, entries[0].faults)
    assert "'=cmd" in (tmp_path / "back.csv").read_text(encoding="utf-8-sig")


def test_the_template_is_a_worksheet_whose_every_column_is_known_and_explained(tmp_path: Path) -> None:
    document = form_document("worksheet.claim")
    (tmp_path / "t.csv").write_bytes(template_csv(document))
    (tmp_path / "t.xlsx").write_bytes(template_xlsx(document))
    for name in ("t.csv", "t.xlsx"):
        heading, entries = read_file(tmp_path / name)
        assert len(heading.fields) == len(document.fields)
        assert entries == []
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    explained = book["填写说明"]
    assert explained.max_row == len(document.fields) + 1
    assert explained.cell(2, 1).value == "申请编号"


def test_the_examples_of_the_template_make_a_claim_together(tmp_path: Path) -> None:
    document = CLAIMS.document
    _, entries = read_file(write_csv(tmp_path / "x.csv", [TITLES, [field.example for field in document.fields]]))
    assert [(entry.faults, entry.claim is not None) for entry in entries] == [((), True)]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\xff", b"\x81"])
def test_a_file_that_is_no_text_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(TableError, match="GB18030"):
        encoding_of(tmp_path / "x.csv")


def test_a_file_that_is_no_workbook_or_a_bomb_is_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"\xd0\xcf\x11\xe0 an old workbook")
    with pytest.raises(TableError, match="XLSX"):
        list(xlsx_rows(tmp_path / "x.xlsx"))
    bomb = io.BytesIO()
    with ZipFile(bomb, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 40_000_000)
    (tmp_path / "bomb.xlsx").write_bytes(bomb.getvalue())
    with pytest.raises(TableError, match="过大"):
        list(xlsx_rows(tmp_path / "bomb.xlsx"))


def test_openpyxl_warns_of_nothing_while_we_read(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "claims.xlsx", grid_of(claims()[0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(xlsx_rows(path))) > 1
