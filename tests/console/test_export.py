"""Lists as files: what a workbook's cell cannot hold says so, and is whole in the CSV of the same list."""

import io

import openpyxl
import pytest

from clearing.console.export import Column, as_csv, as_xlsx
from clearing.console.language import COOKIE
from tests.console.world import World

LONGEST = 32_767
COLUMN: Column[str] = Column("details", lambda row: row)


@pytest.mark.parametrize(("language", "says"), [("zh", "全文见 CSV 文件"), ("en", "the CSV file has them all")])
def test_a_text_that_no_cell_can_hold_is_cut_and_says_so(world: World, language: str, says: str) -> None:
    texts = ["a" * LONGEST, "b" * (LONGEST + 1), "科" * 85_000]
    with world.app.test_request_context(headers={"Cookie": f"{COOKIE}={language}"}):
        answer = as_xlsx("list", (COLUMN,), texts, lambda: ())
        sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.iter_encoded())))["1"]
        answer.close()
        _, fits, cut, long = (row[0] for row in sheet.iter_rows(values_only=True))
    assert fits == texts[0]
    for told, text in ((cut, texts[1]), (long, texts[2])):
        assert isinstance(told, str)
        assert len(told) == LONGEST
        assert says in told[-80:]
        assert str(len(text)) in told[-80:]
        assert told[:32_000] == text[:32_000]


def test_the_csv_of_the_same_list_holds_all_of_it(world: World) -> None:
    text = "科" * 85_000
    with world.app.test_request_context():
        lines = as_csv("list", (COLUMN,), [text], lambda: ()).get_data(as_text=True).splitlines()
    assert lines == ["\ufeffdetails", text]
