"""The offline verifier names the line that was changed, dropped, repeated, moved or put in."""

from pathlib import Path
from typing import Any

import pytest

from settlement.offline.difference import MAX_DIFFERENCES
from tests.settlement.making import Made, Make
from tests.settlement.tampering import FILES, HEADS, at_line, codes, edit, edit_lines, found, ids, resaved


@pytest.mark.parametrize(
    ("file", "old", "new", "line", "field"),
    [
        ("payouts.csv", b'"140000.14"', b'"940000.14"', 4, "amount"),
        ("payouts.csv", b"6222021000000000002\t", b"6222021000000000009\t", 4, "account_number"),
        ("pain.001.xml", b'Ccy="CNY">140000.14<', b'Ccy="CNY">940000.14<', 6, "amount"),
        ("pain.001.xml", b'Ccy="CNY">140000.14<', b'Ccy="USD">140000.14<', 6, "currency"),
        ("pain.001.xml", b"<Id>6222021000000000002<", b"<Id>6222021000000000009<", 6, "account_number"),
    ],
)
def test_a_changed_value_is_named_with_what_it_was(
    written: Made, file: str, old: bytes, new: bytes, line: int, field: str
) -> None:
    edit(written, file, lambda data: data.replace(old, new, 1))
    (difference,) = [each for each in found(written) if each.code == "line.changed"]
    assert (difference.file, difference.line, difference.instruction_id) == (file, line, ids(written)[2])
    assert difference.text.zh.startswith(f"{field} 应为")
    assert difference.text.en.startswith(f"{field} should be")
    if field == "amount":
        assert any(each.file == file and each.text.en.startswith("total should be") for each in found(written))
    assert f"{file} 第 {line} 行" in str(difference)


def test_a_workbook_that_was_only_saved_again_is_not_the_listed_file_but_agrees(written: Made) -> None:
    resaved(written, lambda _: None)
    assert [(each.file, each.code) for each in found(written)] == [("payouts.xlsx", "file.changed")]


def test_a_changed_cell_of_the_workbook_is_named(written: Made) -> None:
    def change(sheet: Any) -> None:
        sheet["G4"] = 940000.14
        sheet["D5"] = "6222021000000000099"

    resaved(written, change)
    assert at_line(written, "payouts.xlsx", "line.changed") == [(4, ids(written)[2]), (5, ids(written)[3])]


def test_a_formula_in_the_workbook_is_named(written: Made) -> None:
    resaved(written, lambda sheet: sheet.__setitem__("G4", "=140000.14"))
    assert at_line(written, "payouts.xlsx", "line.changed") == [(4, ids(written)[2])]


def test_a_changed_heading_is_named(written: Made) -> None:
    edit(written, "payouts.csv", lambda data: data.replace("收款账号".encode(), "付款账号".encode(), 1))
    (difference,) = [each for each in found(written) if each.line == 1]
    assert "收款账号" in difference.text.zh


def test_a_changed_total_in_the_head_of_the_message_is_named(written: Made) -> None:
    total = str(written.batch.total).encode()
    edit(written, "pain.001.xml", lambda data: data.replace(total, b"1.00", 1))
    assert any(each.text.en.startswith("GrpHdr/CtrlSum should be") for each in found(written))


def test_a_changed_debtor_in_the_message_is_named(written: Made) -> None:
    edit(written, "pain.001.xml", lambda data: data.replace(b"32001594038059123456", b"32001594038059123457", 1))
    assert any(each.text.en.startswith("PmtInf/DbtrAcct/Id/Othr/Id should be") for each in found(written))


def test_an_element_put_into_a_transaction_is_named(written: Made) -> None:
    extra = b"<RmtInf><Ustrd>x</Ustrd></RmtInf></CdtTrfTxInf>"
    edit(written, "pain.001.xml", lambda data: data.replace(b"</CdtTrfTxInf>", extra, 1))
    assert at_line(written, "pain.001.xml", "line.changed") == [(4, ids(written)[0])]


@pytest.fixture(params=HEADS)
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("gone", [[0], [5], [11], [3, 4], [0, 7, 11]])
def test_a_missing_line_is_named(written: Made, file: str, gone: list[int]) -> None:
    numbers = {HEADS[file] + place for place in gone}
    edit_lines(written, file, lambda lines: [line for at, line in enumerate(lines) if at not in numbers])
    assert [each for _, each in at_line(written, file, "line.missing")] == [ids(written)[place] for place in gone]
    other = {each.file for each in found(written) if each.code.startswith("line.")}
    assert other == {file}


@pytest.mark.parametrize(("first", "again"), [(0, 1), (4, 12), (11, 0)])
def test_a_repeated_line_is_named(written: Made, file: str, first: int, again: int) -> None:
    head = HEADS[file]

    def repeat(lines: list[bytes]) -> list[bytes]:
        return [*lines[: head + again], lines[head + first], *lines[head + again :]]

    edit_lines(written, file, repeat)
    named = at_line(written, file, "line.repeated")
    assert {each for _, each in named} == {ids(written)[first]}
    assert {line for line, _ in named} <= {head + again + 1, head + first + 2}


@pytest.mark.parametrize(("one", "other"), [(0, 1), (5, 6), (0, 11), (2, 9)])
def test_swapped_lines_are_named(written: Made, file: str, one: int, other: int) -> None:
    head = HEADS[file]

    def swap(lines: list[bytes]) -> list[bytes]:
        lines[head + one], lines[head + other] = lines[head + other], lines[head + one]
        return lines

    edit_lines(written, file, swap)
    named = {each for _, each in at_line(written, file, "line.moved")}
    assert named & {ids(written)[one], ids(written)[other]}
    assert not at_line(written, file, "line.missing")
    assert not at_line(written, file, "line.repeated")


def test_a_line_moved_far_is_the_only_one_named(written: Made) -> None:
    def move(lines: list[bytes]) -> list[bytes]:
        return [lines[0], *lines[2:], lines[1]]

    edit_lines(written, "payouts.csv", move)
    assert at_line(written, "payouts.csv", "line.moved") == [(13, ids(written)[0])]


def test_a_line_for_somebody_else_is_named(written: Made, file: str) -> None:
    stranger = "AGJAAAAAAAAADB777777777774"
    reference = written.instructions[3].end_to_end_id.encode()
    if file == "payouts.jsonl":
        edit_lines(
            written,
            file,
            lambda lines: [*lines, lines[3].replace(b'"instruction_id":"0192', b'"instruction_id":"0193')],
        )
        assert any(each.line == 13 for each in found(written) if each.file == file)
        return

    def add(lines: list[bytes]) -> list[bytes]:
        at = HEADS[file] + 3
        return [*lines[: at + 1], lines[at].replace(reference, stranger.encode()), *lines[at + 1 :]]

    edit_lines(written, file, add)
    assert [line for line, _ in at_line(written, file, "line.unknown")] == [HEADS[file] + 5]


def test_a_changed_reference_is_named_as_a_change_of_that_line(written: Made) -> None:
    reference = written.instructions[3].end_to_end_id.encode()
    edit(written, "payouts.csv", lambda data: data.replace(reference, b"A" * 26))
    named = at_line(written, "payouts.csv", "line.changed")
    assert named == [(5, ids(written)[3])]
    assert not at_line(written, "payouts.csv", "line.missing")


def test_every_row_of_the_workbook_can_be_missing_repeated_or_moved(written: Made) -> None:
    resaved(written, lambda sheet: sheet.delete_rows(6))
    assert [each for _, each in at_line(written, "payouts.xlsx", "line.missing")] == [ids(written)[4]]
    written.write()

    def repeat(sheet: Any) -> None:
        for column, cell in enumerate(list(sheet[3]), start=1):
            sheet.cell(sheet.max_row + (column == 1), column, cell.value)

    resaved(written, repeat)
    assert at_line(written, "payouts.xlsx", "line.repeated") == [(14, ids(written)[1])]


def test_a_line_cut_in_the_middle_is_named(written: Made, file: str) -> None:
    edit_lines(written, file, lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]])
    differences = found(written)
    assert any(each.file == file and each.code != "file.changed" for each in differences)


@pytest.mark.parametrize("file", FILES)
def test_an_empty_file_is_named(written: Made, file: str) -> None:
    (written.folder / file).write_bytes(b"")
    assert file in {each.file for each in found(written)}


@pytest.mark.parametrize("file", [name for name in FILES if name != "pain.001.xml.jws"])
def test_a_missing_file_is_named(written: Made, file: str) -> None:
    (written.folder / file).unlink()
    assert (file, "file.missing") in {(each.file, each.code) for each in found(written)}


def test_a_folder_that_is_not_there_has_no_manifest(tmp_path: Path, make: Make) -> None:
    made = make(1)
    assert codes(made) == {"file.missing"}


def test_a_payment_dropped_from_every_file_is_seen_by_totals_and_root(written: Made) -> None:
    for name, head in HEADS.items():

        def without(lines: list[bytes], at: int = head + 5) -> list[bytes]:
            return [*lines[:at], *lines[at + 1 :]]

        edit_lines(written, name, without)
    resaved(written, lambda sheet: sheet.delete_rows(7))
    texts = [each.text.en for each in found(written) if each.file == "payouts.jsonl"]
    assert any(text.startswith("count should be 12, is 11") for text in texts)
    assert any(text.startswith("batch_root should be") for text in texts)


def test_the_intact_file_is_the_one_that_the_others_are_held_against(written: Made) -> None:
    edit_lines(written, "payouts.jsonl", lambda lines: lines[:-1])
    (difference,) = [each for each in found(written) if each.code == "line.missing"]
    assert difference.file == "payouts.jsonl"
    assert "payouts.csv" in difference.text.zh
    edit(written, "payouts.csv", lambda data: data.replace(b"CNY", b"USD", 1))
    assert "payouts.xlsx" in " ".join(each.text.zh for each in found(written) if each.code == "line.missing")


def test_a_file_that_is_wrong_everywhere_is_not_listed_to_the_end(make: Make) -> None:
    made = make(1200)
    made.write()
    edit(made, "payouts.csv", lambda data: data.replace(b"CNY", b"USD"))
    differences = found(made)
    assert len(differences) == MAX_DIFFERENCES + 1
    assert differences[-1].code == "more"
