"""Banks' workbooks as people leave them: results of formulas, merged titles, long numbers, hidden sheets."""

import io
from pathlib import Path

from openpyxl import Workbook
from xlsxwriter import Workbook as Written  # type: ignore[import-untyped]

from settlement.statements.line import Owner
from settlement.statements.reading import format_of, read_lines
from tenants.kernel.money import Money

OWNER = Owner("3200001234567890", lambda _: True)
REFERENCE = "ABCDEFGHIJKLMNOPQRSTUVWX23"


def lines(tmp_path: Path, content: bytes) -> list[tuple[str | None, Money | None, str | None]]:
    path = tmp_path / "answer"
    path.write_bytes(content)
    return [(one.reference, one.amount, one.account_number) for one in read_lines(path, format_of(path), OWNER)]


def test_of_a_formula_the_result_that_the_bank_saw_is_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with Written(stream) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["附言", "金额"])
        sheet.write(1, 0, REFERENCE)
        sheet.write_formula(1, 1, "=60.5+39.5", None, 100)
    assert lines(tmp_path, stream.getvalue()) == [(REFERENCE, Money(10_000), None)]


def test_a_merged_title_above_and_a_whole_account_number_are_taken(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["企业网银明细"])
    sheet.merge_cells("A1:C1")
    sheet.append(["附言", "金额", "收款账号"])
    sheet.append([REFERENCE, 100.5, 6222000000000001])
    stream = io.BytesIO()
    book.save(stream)
    assert lines(tmp_path, stream.getvalue()) == [(REFERENCE, Money(10_050), "6222000000000001")]
