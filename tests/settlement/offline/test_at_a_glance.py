"""Files read at a glance: by a crew as by one process, and never otherwise than line by line.

What the quick readers read at all, the readers of every spelling read to the same records; and whatever they do not
read changes nothing of what is found.
"""

import random
import re
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from settlement.offline import signed_lines, verify_batch, verifying
from settlement.offline.as_written import (
    Spelling,
    message_run,
    message_spelling,
    sheet_run,
    sheet_spelling,
    table_run,
    table_spelling,
)
from settlement.offline.difference import Findings
from settlement.offline.evidence import decoded, read_keys
from settlement.offline.listing import read_manifest
from settlement.offline.orders_as_written import glance_at
from settlement.offline.pain import pain_lines
from settlement.offline.payouts import _faults_of
from settlement.offline.records import record_of
from settlement.offline.roots import leaf_digest
from settlement.offline.side_by_side import Cut, cut_message, cut_sheet, cut_table
from settlement.offline.tables import csv_lines, xlsx_lines
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money
from tests.settlement.making import Made, Make
from tests.settlement.tampering import FILES, edit, found

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
INSERTED = [b'"', b"<", b"&amp;", b"&#65;", b"\n", b"\r\n", b"<!--x-->", b"]]>", b"\t", b" "]
BESIDE = {"pain.001.xml", "payouts.csv", "payouts.xlsx"}


def manifest_files(made: Made) -> Mapping[str, Any]:
    read = read_manifest(made.folder, read_keys(made.jwks), None, Findings())
    assert read is not None
    return read.files


def glances(made: Made) -> dict[str, tuple[Any, Callable[[bytes], Any], Callable[[], Any]]]:
    """Of each file: how it is cut, read at a glance, and read line by line."""
    files = manifest_files(made)
    table, sheet = files["payouts.csv"]["columns"], files["payouts.xlsx"]["columns"]
    encoding, folder = files["payouts.csv"]["encoding"], made.folder
    return {
        "payouts.csv": (
            cut_table(folder / "payouts.csv"), table_run(table, encoding),
            lambda: islice(csv_lines(folder / "payouts.csv", table, encoding), 1, None),
        ),
        "payouts.xlsx": (
            cut_sheet(folder / "payouts.xlsx"), sheet_run(sheet),
            lambda: islice(xlsx_lines(folder / "payouts.xlsx", sheet), 1, None),
        ),
        "pain.001.xml": (
            cut_message(folder / "pain.001.xml", NAMESPACE), message_run(),
            lambda: pain_lines(folder / "pain.001.xml", "pain.001.001.09"),
        ),
    }  # fmt: skip


def whole_run(cut: Any, count: int) -> bytes | None:
    opened: Cut
    with cut as opened:
        run = opened.take(count)
        return run if run is not None and opened.is_over() else None


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_awkward_names_are_read_at_a_glance_as_they_are_line_by_line(make: Make, name: str) -> None:
    made = make(40, claims_each=3)
    made.write()
    cut, read, slow = glances(made)[name]
    run = whole_run(cut, 40)
    assert run is not None
    assert read(run) == [line.record for line in slow()]


@pytest.mark.parametrize("name", sorted(BESIDE - {"payouts.xlsx"}))
def test_what_is_read_at_a_glance_of_a_changed_file_is_what_stands_there(make: Make, name: str) -> None:
    made = make(12)
    made.write()
    content, dice, read_at_all = (made.folder / name).read_bytes(), random.Random(name), 0
    for _ in range(400):
        at, changed = dice.randrange(len(content)), bytearray(content)
        match dice.randrange(3):
            case 0:
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                del changed[at : at + dice.randrange(1, 40)]
            case _:
                changed[at:at] = dice.choice(INSERTED)
        (made.folder / name).write_bytes(bytes(changed))
        cut, read, slow = glances(made)[name]
        run = whole_run(cut, 12)
        records = None if run is None else read(run)
        if records is not None:
            read_at_all += 1
            assert records == [line.record for line in slow()], bytes(changed[max(0, at - 60) : at + 60])
    assert read_at_all > 20, "the change was too coarse"


@pytest.mark.parametrize("name", FILES)
def test_a_crew_finds_what_one_process_finds(written: Made, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(written, name, lambda data: data[: len(data) // 2] + data[len(data) // 2 + 1 :])
    alone = found(written)
    monkeypatch.setattr(signed_lines, "CREW_FROM", 1)
    assert found(written) == alone
    assert alone


def test_every_file_that_is_as_it_was_written_is_read_side_by_side(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(600)
    made.write()
    monkeypatch.setattr(signed_lines, "CREW_FROM", 1)
    seen: list[set[str]] = []
    check = signed_lines.check_payouts

    def spied(*given: Any) -> set[str]:
        seen.append(check(*given))
        return seen[-1]

    monkeypatch.setattr(verifying, "check_payouts", spied)
    assert verify_batch(made.folder, made.jwks) == []
    assert seen == [BESIDE]


def test_a_line_that_only_one_file_lacks_is_found_though_all_else_is_read_at_a_glance(make: Make) -> None:
    made = make(300)
    made.write()
    path = made.folder / "pain.001.xml"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:200] + lines[201:]))
    told = verify_batch(made.folder, made.jwks)
    assert {one.code for one in told if one.file == "pain.001.xml"} >= {"file.changed", "line.missing"}


def test_rows_in_another_namespace_are_no_rows(make: Make, tmp_path: Path) -> None:
    made = make(5)
    made.write()
    path = made.folder / "pain.001.xml"
    content = path.read_bytes()
    path.write_bytes(re.sub(rb"<PmtInf>", b'<PmtInf xmlns="urn:other">', content, count=1))
    cut, _, _ = glances(made)["pain.001.xml"]
    assert whole_run(cut, 5) is None


@pytest.mark.parametrize("line", [b'"x",\t",5"\r\n', b'\t",x","5"\r\n'])
def test_a_tab_before_a_cell_guards_nothing_and_is_read_line_by_line(line: bytes) -> None:
    columns = [{"field": "payee", "heading": "payee"}, {"field": "amount", "heading": "amount"}]
    assert table_run(columns, "utf-8-sig")(line) is None
    read_without = [{"payee": "x", "amount": ",5"}, {"payee": ",x", "amount": "5"}]
    assert not any(table_spelling(columns, "utf-8-sig")([record], line) for record in read_without)


def spelling_of(made: Made, name: str) -> Spelling:
    file = manifest_files(made)[name]
    match name:
        case "payouts.csv":
            return table_spelling(file["columns"], file["encoding"])
        case "payouts.xlsx":
            return sheet_spelling(file["columns"])
        case _:
            return message_spelling()


@pytest.mark.parametrize("name", sorted(BESIDE))
def test_a_run_of_which_a_byte_was_changed_is_not_spelt_as_its_orders_are(make: Make, name: str) -> None:
    made, dice = make(40), random.Random(name)
    made.write()
    spelt = spelling_of(made, name)
    glance, plain = glance_at(shared_members(made)), 0
    with glances(made)[name][0] as cut:
        for number, (instruction_id, content) in enumerate(contents(made), start=1):
            run, order = cut.take(1), glance(content, instruction_id, number)
            if order is None or not spelt([order.record], run):
                continue
            plain += 1
            for _ in range(200):
                place = dice.randrange(len(run))
                changed = run[:place] + bytes([run[place] ^ 1 << dice.randrange(8)]) + run[place + 1 :]
                number_or_style = re.sub(rb'r="[A-Z]*[0-9]+"|s="[0-9]+"', b"", changed)
                same_but_for_these = number_or_style == re.sub(rb'r="[A-Z]*[0-9]+"|s="[0-9]+"', b"", run)
                assert same_but_for_these or not spelt([order.record], changed)
            assert not spelt([order.record], run + run)
            assert not spelt([dict(order.record) | {"payee": "另一收款人"}], run)
    assert plain > 10


def contents(made: Made) -> list[tuple[str, bytes]]:
    """The signed instructions, each with the id beside it."""
    lines = [orjson.loads(line) for line in (made.folder / "payouts.jsonl").read_bytes().splitlines()]
    return [(line["instruction_id"], decoded(line["jws"].split(".")[1])) for line in lines]


def shared_members(made: Made) -> dict[str, Any]:
    read = read_manifest(made.folder, read_keys(made.jwks), None, Findings())
    assert read is not None
    return read.shared


@pytest.mark.parametrize("claims_each", [1, 3])
def test_an_order_read_at_a_glance_says_what_its_members_say(make: Make, claims_each: int) -> None:
    made = make(40, claims_each=claims_each)
    made.write()
    glance, quick = glance_at(shared_members(made)), 0
    for number, (instruction_id, content) in enumerate(contents(made), start=1):
        payload, order = orjson.loads(content), glance(content, instruction_id, number)
        if '"' in payload["payee"] or "\\" in payload["payee"]:
            assert order is None
            continue
        assert order is not None
        quick += 1
        assert order.record == record_of(payload, number)
        assert (order.kid, order.fen) == (payload["kid"], Money.parse(payload["amount"]).fen)
        assert order.positions == [item["position"] for item in payload["items"]]
        leaves = [
            {name: payload[name] for name in ("account_number", "bank_name", "batch", "cnaps", "payee", "tenant")}
            | item
            for item in payload["items"]
        ]
        assert order.digests == [leaf_digest(canonical_bytes(leaf)) for leaf in leaves]
    assert quick > 20


def test_a_changed_content_is_read_at_a_glance_only_where_every_member_still_holds(make: Make) -> None:
    made = make(3, claims_each=2)
    made.write()
    shared, dice = shared_members(made), random.Random(7)
    glance, read = glance_at(shared), 0
    for instruction_id, content in contents(made):
        for _ in range(1500):
            place, put = dice.randrange(len(content)), dice.choice([b"", b"0", b'"', b"\\", b" ", b"A", b",", b"\xff"])
            changed = content[:place] + put + content[place + dice.randrange(2) :]
            order = glance(changed, instruction_id, 1)
            if order is None or changed == content:
                continue
            read += 1
            payload = orjson.loads(changed)
            assert canonical_bytes(payload) == changed
            assert not list(_faults_of(payload, instruction_id, shared))
            assert order.record == record_of(payload, 1)
    assert read
