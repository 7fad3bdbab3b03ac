"""Files that no bank would send: each is refused with its reason, and nothing else ever happens."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import (
    camt053,
    camt054,
    csv_table,
    entries_of,
    mt940,
    pain002,
    table_rows,
    xlsx_table,
)
from settlement.statements.line import Owner, StatementLine, StatementRefused
from settlement.statements.reading import format_of, read_lines
from tenants.kernel.money import Money

ACCOUNT, MESSAGE, DAY = "3200001234567890", "BT-TT-2024-0001", date(2024, 10, 11)
OWNER = Owner(ACCOUNT, lambda message_id: message_id == MESSAGE)
PAYMENTS = [
    Payment(MESSAGE, "ABCDEFGHIJKLMNOPQRSTUVWX23", "测试企业1有限公司", "6222000000000001", Money(10000), "paid"),
    Payment(MESSAGE, "BCDEFGHIJKLMNOPQRSTUVWXY23", "测试企业2有限公司", "6222000000000002", Money(5000), "returned"),
]


def read(tmp_path: Path, content: bytes) -> list[StatementLine]:
    path = tmp_path / "answer"
    path.write_bytes(content)
    return list(read_lines(path, format_of(path), OWNER))


def made(kind: str, account: str = ACCOUNT, payments: list[Payment] = PAYMENTS) -> bytes:
    rows = table_rows(account, payments, DAY)
    makers: dict[str, Callable[[], bytes]] = {
        "pain.002": lambda: pain002(MESSAGE, payments),
        "camt.053": lambda: camt053(account, entries_of(payments), DAY),
        "camt.054": lambda: camt054(account, entries_of(payments), DAY),
        "mt940": lambda: mt940(account, entries_of(payments), DAY),
        "csv": lambda: csv_table(rows),
        "xlsx": lambda: xlsx_table(rows),
    }
    return makers[kind]()


MOVING = ("camt.053", "camt.054", "mt940", "csv", "xlsx")
TYPE = b'<!DOCTYPE Document [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def refusal(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(StatementRefused) as refused:
        read(tmp_path, content)
    assert refused.value.text.zh
    assert refused.value.text.en
    return refused.value.code


@pytest.mark.parametrize("kind", MOVING)
def test_every_moving_format_reads_the_same_lines(tmp_path: Path, kind: str) -> None:
    lines = read(tmp_path, made(kind))
    assert [line.line for line in lines] == [1, 2, 3]
    assert {(line.kind, line.reference, line.amount) for line in lines} == {
        ("debit", PAYMENTS[0].end_to_end_id, Money(10000)),
        ("debit", PAYMENTS[1].end_to_end_id, Money(5000)),
        ("credit", PAYMENTS[1].end_to_end_id, Money(5000)),
    }
    assert {line.account_number for line in lines} == {"6222000000000001", "6222000000000002"}
    assert {line.name for line in lines} == {"测试企业1有限公司", "测试企业2有限公司"}
    assert {line.booked_on for line in lines} == {DAY}
    assert all(line.fault is None and line.bank_reference for line in lines)


@pytest.mark.parametrize("kind", ["pain.002", "camt.053", "camt.054", "xlsx"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, kind: str) -> None:
    whole = made(kind)
    for part in range(1, 10):
        code = refusal(tmp_path, whole[: len(whole) * part // 10])
        assert code in {"statement.malformed", "statement.format", "statement.unbalanced"}, part


def test_a_statement_in_tags_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    whole = made("mt940")
    assert refusal(tmp_path, whole[: whole.index(b":62F:")]) == "statement.malformed"


@pytest.mark.parametrize("kind", MOVING)
def test_another_payers_file_is_refused(tmp_path: Path, kind: str) -> None:
    assert refusal(tmp_path, made(kind, "9999000011112222")) == "statement.foreign"


def test_a_report_on_another_tenants_message_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, made("pain.002").replace(MESSAGE.encode(), b"BT-JS-2024-0001")) == "statement.foreign"


@pytest.mark.parametrize("kind", ["camt.053", "mt940"])
def test_a_statement_with_a_changed_amount_contradicts_its_balance(tmp_path: Path, kind: str) -> None:
    before, after = (b">100.00<", b">900.00<") if kind == "camt.053" else (b"D100,00", b"D900,00")
    assert before in made(kind)
    assert refusal(tmp_path, made(kind).replace(before, after)) == "statement.unbalanced"


def test_a_notification_whose_transactions_do_not_add_up_is_refused(tmp_path: Path) -> None:
    content = made("camt.054").replace(b'"CNY">100.00<', b'"CNY">900.00<')
    assert refusal(tmp_path, content) == "statement.unbalanced"


@pytest.mark.parametrize("kind", ["pain.002", "camt.053", "camt.054"])
def test_a_document_type_is_refused_wherever_it_hides(tmp_path: Path, kind: str) -> None:
    declared, rest = made(kind).split(b"\n", 1)
    assert refusal(tmp_path, declared + TYPE + rest) == "statement.document_type"
    hidden = declared + b"<!--" + b" " * 5000 + b"-->" + TYPE + rest
    assert refusal(tmp_path, hidden) == "statement.document_type"
    utf16 = made(kind).decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert refusal(tmp_path, utf16) in {"statement.malformed", "statement.format"}


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * 64 * 2**20)
    assert refusal(tmp_path, out.getvalue()) == "statement.bomb"


def test_a_workbook_with_a_document_type_inside_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made("xlsx"))) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                content = content.replace(b"?>", b"?>" + TYPE, 1)
            new.writestr(entry.filename, content)
    assert refusal(tmp_path, out.getvalue()) == "statement.malformed"


WHY: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a workbook cut off": (lambda: made("xlsx")[:-100], "工作簿", "workbook"),
    "too many columns": (lambda: made("csv") + b"," * 10_000 + b"\n", "列", "columns"),
    "a cell without end": (lambda: made("csv") + b'"' + b"x" * 2**20 + b'"\n', "过长的行", "too long"),
    "another encoding": (lambda: made("camt.053").decode().encode("utf-16"), "不认识的文件格式", "not known"),
    "another message": (lambda: made("camt.053").replace(b"camt.053", b"camt.052"), "不认识的文件格式", "not known"),
}


@pytest.mark.parametrize("name", WHY)
def test_why_a_file_cannot_be_read_is_said_in_both_languages(tmp_path: Path, name: str) -> None:
    content, zh, en = WHY[name]
    with pytest.raises(StatementRefused) as refused:
        read(tmp_path, content())
    said = refused.value.text
    assert zh in said.zh
    assert en in said.en
    assert not any("一" <= character <= "鿿" for character in said.en)


ENTRY, LONG = b"<Ntry>", b"x" * 12 * 2**20
ENORMOUS: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "elements within elements": (
        "camt.053", lambda w: w.replace(ENTRY, ENTRY + b"<a>" * 5000 + b"</a>" * 5000, 1), "malformed",
    ),
    "a text without end": ("camt.053", lambda w: w.replace(ENTRY, ENTRY + b"<T>" + LONG + b"</T>", 1), "malformed"),
    "an attribute without end": ("camt.053", lambda w: w.replace(ENTRY, b"<Ntry a='" + LONG + b"'>", 1), "malformed"),
    "tags of many megabytes": ("mt940", lambda w: w + b" " * 16 * 2**20, "too_large"),
    "a cell without end": ("csv", lambda w: w + b'"' + LONG + b'"\n', "malformed"),
    "a million columns": ("csv", lambda w: w + b"," * 10**6 + b"\n", "malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "grown", "code"), ENORMOUS.values(), ids=ENORMOUS.keys())
def test_an_enormous_file_is_refused(tmp_path: Path, kind: str, grown: Callable[[bytes], bytes], code: str) -> None:
    assert refusal(tmp_path, grown(made(kind))) == f"statement.{code}"


EMPTY_STATEMENT = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>'
NONSENSE = {
    "nothing": (b"", "statement.empty"),
    "spaces": (b" \n\n", "statement.empty"),
    "a table without headings": ("甲,乙\n1,2\n".encode(), "statement.headings"),
    "XML with a name of no form": (b"<:", "statement.format"),
    "another XML": (b"<html><body/></html>", "statement.format"),
    "XML without its root": (b"<?xml version='1.0'?>", "statement.malformed"),
    "a payment order": (b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>', "statement.format"),
    "a statement of nobody": (EMPTY_STATEMENT, "statement.malformed"),
    "a table of one endless line": (b"," * 100_000, "statement.malformed"),
    "bytes of a program": (b"\x7fELF\0\0\0", "statement.format"),
    "no text at all": (b"\x81\xff,\xff\n" * 3, "statement.malformed"),
    "a picture called a workbook": (b"PK\x03\x04" + b"\0" * 100, "statement.malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "code"), NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_is_refused_with_its_reason(tmp_path: Path, content: bytes, code: str) -> None:
    assert refusal(tmp_path, content) == code


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_one_bad_line_of_a_table_never_stops_the_file(tmp_path: Path, kind: str) -> None:
    rows = table_rows(ACCOUNT, PAYMENTS, DAY)
    rows.insert(1, (*rows[1][:5], "1e3", *rows[1][6:]))
    rows.insert(1, (*rows[2][:6], "不明", *rows[2][7:]))
    content = csv_table(rows) if kind == "csv" else xlsx_table(rows)
    assert [line.fault for line in read(tmp_path, content)] == ["status.unknown", "amount.invalid", None, None, None]


def test_a_line_of_a_report_never_speaks_for_the_whole_message(tmp_path: Path) -> None:
    content = pain002(MESSAGE, [replace(PAYMENTS[0], end_to_end_id="*", state="rejected")])
    assert [line.reference for line in read(tmp_path, content)] == [None]


def read_or_refused(tmp_path: Path, content: bytes) -> list[StatementLine]:
    """The lines, none where the file is refused; whatever else happens is a fault of ours."""
    try:
        return read(tmp_path, content)
    except StatementRefused:
        return []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["pain.002", *MOVING]), st.integers(0, 5000), st.binary(min_size=1, max_size=6))
def test_bytes_changed_anywhere_give_lines_or_a_refusal(tmp_path: Path, kind: str, at: int, other: bytes) -> None:
    whole = made(kind)
    place = at % len(whole)
    lines = read_or_refused(tmp_path, whole[:place] + other + whole[place + len(other) :])
    assert all(line.amount is None or line.amount > Money(0) for line in lines)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([b"", b"<", b"PK\x03\x04", b":20:", b"amount,end_to_end_id\n"]))
def test_any_bytes_give_lines_or_a_refusal(tmp_path: Path, content: bytes, head: bytes) -> None:
    assert all(line.line > 0 for line in read_or_refused(tmp_path, head + content))
