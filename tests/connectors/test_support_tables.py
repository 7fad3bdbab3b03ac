"""Support records from a table: each cell that cannot be believed is named by its address, every one in a row."""

from connectors.worksheet.support import COLUMNS, Stated, stated_records
from tenants.tables.cells import Cell, Row, text_cell

NAMES = ("external_id", "enterprise_uscc", "supported_on", "value", "amount")
HEADING = tuple(text_cell(COLUMNS[name][0]) for name in NAMES)
SOUND = tuple(map(text_cell, ("A1", "91320509MA1WQ2X82Q", "2024-06-03", "24322000000123456789", "10.00")))


def stated(*rows: tuple[Cell, ...]) -> list[Stated]:
    return list(
        stated_records(iter([Row(n, cells) for n, cells in enumerate((HEADING, *rows), 1)]), "local", "wujiang")
    )


def test_every_faulty_cell_of_a_row_is_named_and_the_good_rows_go_in() -> None:
    spoilt = (*SOUND[:3], Cell("24322000000123456000", is_number=True), Cell("", "cell.merged|E3:E4"))
    first, second = stated(SOUND, spoilt)
    assert first.fault is None
    assert second.fault is not None
    found = {error.pointer: error for error in second.fault.errors}
    assert {pointer: error.code for pointer, error in found.items()} == {
        "/D3": "cell.digits_lost",
        "/E3": "cell.merged",
    }
    assert "D3" in found["/D3"].message.zh
    assert "E3:E4" in found["/E3"].message.en


def test_cells_beyond_the_heading_and_rows_that_break_are_the_rows_fault() -> None:
    [longer] = stated((*SOUND, text_cell("more")))
    assert longer.fault is not None
    assert [(error.pointer, error.code) for error in longer.fault.errors] == [("", "row.too_many_cells")]
