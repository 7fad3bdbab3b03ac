"""The offline verifier against every way to change a folder of payment files."""

import io
import json
import random
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import load_workbook

from settlement.formats.bank_table import ENCODINGS, PRESETS
from settlement.formats.folder import Chain, FileChoices, write_folder
from settlement.formats.manifest import with_signature
from settlement.key_custody import make_key, open_key
from settlement.offline import Difference, verify_batch
from settlement.offline.difference import MAX_DIFFERENCES
from settlement.signing import INSTRUCTION, MANIFEST, SEAL, Purpose, compact_signer, signature_entry
from tenants.kernel.canonical import canonical_bytes
from tests.settlement.making import CREATED_AT, KEK, Made, Make, seal_record

FILES = (
    "pain.001.xml",
    "pain.001.xml.jws",
    "payouts.csv",
    "payouts.xlsx",
    "payouts.jsonl",
    "payment-list.pdf",
    "manifest.json",
)


def found(made: Made, **changes: Any) -> list[Difference]:
    return verify_batch(made.folder, changes.pop("jwks", made.jwks), **changes)


def codes(made: Made, **changes: Any) -> set[str]:
    return {difference.code for difference in found(made, **changes)}


def at_line(made: Made, file: str, code: str) -> list[tuple[int | None, str | None]]:
    return [(each.line, each.instruction_id) for each in found(made) if (each.file, each.code) == (file, code)]


def edit(made: Made, file: str, change: Callable[[bytes], bytes]) -> None:
    path = made.folder / file
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before


def edit_lines(made: Made, file: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    edit(made, file, lambda data: b"".join(change(data.splitlines(keepends=True))))


def ids(made: Made) -> list[str]:
    return [str(each.instruction_id) for each in made.instructions]


# ------------------------------------------------------------------------------------------------ what is whole


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("version", "algorithm"), [("09", "Ed25519"), ("11", "ES256")])
def test_a_whole_folder_has_nothing_wrong(make: Make, preset: str, encoding: str, version: str, algorithm: str) -> None:
    made = make(23, claims_each=3, algorithm=algorithm)
    made.write(FileChoices(version, PRESETS[preset], encoding))
    assert found(made) == []


def test_a_payee_with_more_claims_than_a_cell_shows_is_whole(make: Make) -> None:
    made = make(2, claims_each=120)
    made.write()
    assert "等120笔" in (made.folder / "payouts.csv").read_text(encoding="utf-8-sig")
    assert found(made) == []


def test_the_six_files_that_the_interface_serves_are_enough(written: Made) -> None:
    (written.folder / "pain.001.xml.jws").unlink()
    assert found(written) == []


def test_another_persons_signature_is_welcome(written: Made) -> None:
    releaser = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT - timedelta(days=1), KEK)
    key = open_key(releaser.private_sealed, releaser.public, KEK)
    edit(written, "manifest.json", lambda data: with_signature(data, key))
    both = {"keys": [*written.jwks["keys"], releaser.public.jwk()]}
    assert found(written, jwks=both) == []
    assert codes(written) == {"key.unknown"}


def test_the_chain_of_manifests_is_held_against_what_the_caller_knows(make: Make) -> None:
    made = make(2)
    made.folder.mkdir()
    write_folder(made.folder, made.batch, lambda: made.instructions, made.key, Chain(made.seal, "ab" * 32, 2))
    assert found(made, previous_manifest_sha256="ab" * 32) == []
    (difference,) = found(made, previous_manifest_sha256="cd" * 32)
    assert difference.text.en == f"previous_manifest_sha256 should be {'cd' * 32}, is {'ab' * 32}."


@pytest.mark.parametrize(("previous", "number"), [("ab" * 32, 1), ("0" * 64, 2)])
def test_a_manifest_out_of_its_chain_is_named(make: Make, previous: str, number: int) -> None:
    made = make(2)
    made.folder.mkdir()
    write_folder(made.folder, made.batch, lambda: made.instructions, made.key, Chain(made.seal, previous, number))
    assert codes(made) == {"manifest.chain"}


# --------------------------------------------------------------------------------------------- one byte of any file


def flip(made: Made, file: str, place: int, mask: int) -> list[Difference]:
    path = made.folder / file
    data = path.read_bytes()
    path.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
    try:
        return found(made)
    finally:
        path.write_bytes(data)


@pytest.mark.parametrize("file", FILES)
def test_one_changed_byte_anywhere_is_found_in_its_file(written: Made, file: str) -> None:
    dice = random.Random(file)
    size = (written.folder / file).stat().st_size
    for _ in range(40):
        place, mask = dice.randrange(size), 1 << dice.randrange(8)
        differences = flip(written, file, place, mask)
        assert file in {difference.file for difference in differences}, (place, mask)
    assert found(written) == []


@pytest.mark.long
@pytest.mark.parametrize("file", FILES)
def test_every_changed_byte_is_found_in_its_file(make: Make, file: str) -> None:
    made = make(2)
    made.write()
    for place in range((made.folder / file).stat().st_size):
        assert file in {difference.file for difference in flip(made, file, place, 1 << place % 8)}, place


@pytest.mark.parametrize("file", ["payouts.csv", "payouts.jsonl", "pain.001.xml"])
def test_one_changed_byte_in_a_line_names_the_line(written: Made, file: str) -> None:
    dice = random.Random(file)
    data = (written.folder / file).read_bytes()
    lines = data.splitlines(keepends=True)
    head = {"payouts.csv": 1, "payouts.jsonl": 0, "pain.001.xml": 3}[file]
    for _ in range(40):
        number = dice.randrange(head, head + written.batch.count)
        within = dice.randrange(len(lines[number]) - 2)
        mask = 1 << dice.randrange(8)
        differences = flip(written, file, sum(map(len, lines[:number])) + within, mask)
        named = {difference.line for difference in differences if difference.file == file}
        assert number + 1 in named, (number, within, mask, [str(each) for each in differences])


# ---------------------------------------------------------------------------------------------------- changed lines


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


def resaved(made: Made, change: Callable[[Any], None]) -> None:
    """The workbook as a spreadsheet program would save it after an edit."""
    path = made.folder / "payouts.xlsx"
    book = load_workbook(path)
    change(book["明细 lines"])
    book.save(path)


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


# -------------------------------------------------------------------------- missing, repeated, moved and added lines

HEADS = {"payouts.csv": 1, "payouts.jsonl": 0, "pain.001.xml": 3}


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


# -------------------------------------------------------------------- when several files are changed in the same way


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


# ------------------------------------------------------------------------------------- a signer who signs wrong things


def resign(made: Made, change: Callable[[dict[str, Any]], None], at: int = 3) -> None:
    """Change one instruction and sign it again with the tenant's own key; then list the file anew."""
    lines = (made.folder / "payouts.jsonl").read_bytes().splitlines(keepends=True)
    stored = json.loads(lines[at])
    part = stored["jws"].split(".")[1]
    payload = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    change(payload)
    stored = {
        "instruction_id": payload["instruction_id"],
        "jws": compact_signer(made.key, INSTRUCTION)(json.dumps(payload).encode()),
    }
    lines[at] = canonical_bytes(stored) + b"\n"
    (made.folder / "payouts.jsonl").write_bytes(b"".join(lines))


def relist(made: Made, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and sign it again with the tenant's own key."""
    path = made.folder / "manifest.json"
    content = json.loads(path.read_bytes())
    change(content)
    del content["signatures"]
    signed = signature_entry(made.key, MANIFEST, canonical_bytes(content))
    path.write_bytes(canonical_bytes({**content, "signatures": [signed]}))


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("amount", "1.00", "amount"),
        ("currency", "USD", "currency"),
        ("amount_in_words", "壹元整", "capital numerals"),
        ("end_to_end_id", "A" * 26, "end_to_end_id"),
        ("tenant", "shanxi-hainan", "belongs to"),
        ("batch", "B-JS-2024-0002", "batch"),
        ("batch_root", "0" * 64, "batch_root"),
        ("claims", ["CL-X"], "claims"),
        ("created_at", "2024-09-27T09:00:01+08:00", "created_at"),
        ("payee", "另一家公司", "batch_root"),
        ("kid", "another", "kid"),
        ("items", [], "malformed"),
        ("items", [{"position": "1", "claim": "CL-JS-2024-000004", "amount": "140000.21"}], "malformed"),
        ("amount", 140000.21, "malformed"),
        ("debtor", None, "malformed"),
        ("items", [{"position": -1, "claim": "CL-1", "amount": "140000.21"}], "malformed"),
        ("items", [{"position": 2**70, "claim": "CL-1", "amount": "140000.21"}], "malformed"),
        ("items", {"a": 1}, "malformed"),
        ("items", [{"position": 4, "claim": {}, "amount": "140000.21"}], "malformed"),
        ("tenant", {"a": 1.5}, "belongs to"),
        ("purpose", "\ud800", "cannot be read"),
    ],
)
def test_an_instruction_that_contradicts_the_batch_is_named_though_it_is_signed(
    written: Made, field: str, value: Any, named: str
) -> None:
    resign(written, lambda payload: payload.__setitem__(field, value))
    assert any(named in each.text.en for each in found(written) if each.file == "payouts.jsonl")


def test_an_instruction_paid_twice_by_the_signer_is_named(written: Made) -> None:
    lines = (written.folder / "payouts.jsonl").read_bytes().splitlines(keepends=True)
    (written.folder / "payouts.jsonl").write_bytes(b"".join([*lines, lines[2]]))
    assert "items.repeated" in codes(written)
    assert (13, ids(written)[2]) in at_line(written, "payouts.jsonl", "line.repeated")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": 13}, "differs"),
        ({"total": "1.00"}, "differs"),
        ({"total_in_words": "壹元整"}, "differs"),
        ({"batch_root": "0" * 64}, "differs"),
        ({"item_count": 11}, "differs"),
        ({"currency": "USD"}, "differs"),
        ({"execution_on": "2024-10-01"}, "differs"),
        ({"format": "clearing-manifest/2"}, "differs"),
        ({"created_at": "2024-09-01T09:00:00+08:00"}, "seal.later"),
        ({"files": []}, "manifest.malformed"),
        ({"count": "12"}, "manifest.malformed"),
        ({"count": 12.0}, "manifest.malformed"),
        ({"debtor": {}}, "manifest.malformed"),
        ({"seal": {}}, "manifest.malformed"),
        ({"seal": {"payload": "e30", "signatures": []}}, "signature.missing"),
        ({"seal": {"payload": "e30", "signatures": [{"protected": "e30", "signature": "AA"}]}}, "seal.malformed"),
        ({"created_at": "yesterday"}, "manifest.malformed"),
        ({"total": "一元"}, "manifest.malformed"),
    ],
)
def test_a_manifest_that_says_something_else_is_named_though_it_is_signed(
    written: Made, change: dict[str, Any], code: str
) -> None:
    if isinstance(change.get("count"), float):
        edit(written, "manifest.json", lambda data: data.replace(b'"count":12', b'"count":12.0', 1))
    else:
        relist(written, lambda content: content.update(change))
    assert code in codes(written)


def test_a_manifest_that_lists_files_elsewhere_is_refused(written: Made) -> None:
    def elsewhere(content: dict[str, Any]) -> None:
        content["files"][0]["name"] = "../../etc/passwd"

    relist(written, elsewhere)
    assert codes(written) == {"manifest.malformed"}


def test_an_unsigned_manifest_is_named(written: Made) -> None:
    edit(written, "manifest.json", lambda data: canonical_bytes({**json.loads(data), "signatures": []}))
    assert "signature.missing" in codes(written)


def test_a_manifest_in_another_spelling_is_named(written: Made) -> None:
    edit(written, "manifest.json", lambda data: json.dumps(json.loads(data)).encode())
    assert codes(written) == {"manifest.spelling"}


def test_a_seal_of_another_batch_is_named(written: Made) -> None:
    record = {**seal_record(written.batch, written.key.kid), "merkle_root": "0" * 64}
    token = compact_signer(written.key, SEAL)(canonical_bytes(record))
    replace(written, seal=token).write()
    assert [each.text.en.split(" should")[0] for each in found(written)] == ["seal merkle_root"]


def test_a_seal_made_by_another_type_of_signature_is_named(written: Made) -> None:
    record = canonical_bytes(seal_record(written.batch, written.key.kid))
    replace(written, seal=compact_signer(written.key, INSTRUCTION)(record)).write()
    assert codes(written) == {"signature.header"}


# --------------------------------------------------------------------------------------------------------- the keys


def test_a_key_revoked_before_the_signature_is_refused_everywhere(written: Made) -> None:
    public = written.new_key.public
    revoked = {"keys": [replace(public, revoked_at=CREATED_AT).jwk()]}
    differences = found(written, jwks=revoked)
    assert {each.file for each in differences if each.code == "key.revoked"} == {
        "manifest.json",
        "payouts.jsonl",
        "pain.001.xml",
    }
    assert sum(each.code == "key.revoked" for each in differences) == written.batch.count + 2


def test_a_key_revoked_after_the_signature_still_counts(written: Made) -> None:
    later = {"keys": [replace(written.new_key.public, revoked_at=CREATED_AT + timedelta(seconds=1)).jwk()]}
    assert found(written, jwks=later) == []


def test_a_key_that_was_not_yet_active_is_refused(written: Made) -> None:
    later = {"keys": [replace(written.new_key.public, active_from=CREATED_AT + timedelta(seconds=1)).jwk()]}
    assert "key.not_yet_active" in codes(written, jwks=later)


@pytest.mark.parametrize("change", [{"tenant": "shanxi-hainan"}, {"purpose": Purpose.CHECKPOINT}])
def test_a_key_of_another_tenant_or_purpose_is_refused(written: Made, change: dict[str, Any]) -> None:
    other = {"keys": [replace(written.new_key.public, **change).jwk()]}
    assert codes(written, jwks=other) & {"key.tenant", "key.unknown"}


def test_another_tenants_keys_in_the_same_set_change_nothing(written: Made) -> None:
    other = make_key("shanxi-hainan", Purpose.PAYOUT, CREATED_AT, KEK).public.jwk()
    rsa = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "x", "alg": "RS256"}
    assert found(written, jwks={"keys": [other, rsa, {}, *written.jwks["keys"], {"alg": ["Ed25519"]}, "x"]}) == []


def test_a_key_under_a_false_id_is_no_key(written: Made) -> None:
    other = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT - timedelta(days=9), KEK).public.jwk()
    assert "key.unknown" in codes(written, jwks={"keys": [{**other, "kid": written.key.kid}]})


@pytest.mark.parametrize("jwks", [{}, {"keys": None}, {"keys": {}}])
def test_what_is_no_key_set_is_named(written: Made, jwks: dict[str, Any]) -> None:
    assert codes(written, jwks=jwks) == {"jwks.malformed"}


def test_rotation_keeps_an_old_seal_verifiable(make: Make) -> None:
    old, new = make(3), make(3)
    record = canonical_bytes(seal_record(new.batch, old.key.kid))
    replace(new, seal=compact_signer(old.key, SEAL)(record)).write()
    both = {"keys": [*old.jwks["keys"], *new.jwks["keys"]]}
    assert found(new, jwks=both) == []


# ----------------------------------------------------------------------------------------------------- hostile files

BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%b">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9)
)


def packed(sheet: bytes) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as book:
        book.writestr("xl/worksheets/sheet1.xml", sheet)
        book.writestr("xl/worksheets/sheet2.xml", sheet)
    return out.getvalue()


OUTSIDE = (
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn><PmtInf><CdtTrfTxInf>&a;'
    "</CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"
)
HOSTILE: dict[str, tuple[str, bytes]] = {
    "entities in the message": ("pain.001.xml", BOMB + b"]><Document>&j;</Document>"),
    "a file from outside": (
        "pain.001.xml",
        OUTSIDE.encode(),
    ),
    "a deep message": ("pain.001.xml", b"<a>" * 100_000),
    "a bomb of a workbook": ("payouts.xlsx", packed(b"<row>" + b" " * 50_000_000)),
    "entities in the workbook": ("payouts.xlsx", packed(BOMB + b"]><sheetData>&j;</sheetData>")),
    "no workbook at all": ("payouts.xlsx", b"PK\x03\x04" + bytes(100)),
    "nested JSON": ("payouts.jsonl", b"[" * 1_000_000),
    "one endless line": ("payouts.csv", b'"' * 3_000_000),
    "nested manifest": ("manifest.json", b"[" * 100_000),
    "numbers for texts": ("payouts.jsonl", b'{"instruction_id":1,"jws":2}\n' * 3),
    "no characters": ("payouts.csv", bytes(range(256)) * 100),
}


@pytest.mark.parametrize(("file", "data"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_named_and_harms_nothing(written: Made, file: str, data: bytes) -> None:
    (written.folder / file).write_bytes(data)
    differences = found(written)
    assert file in {each.file for each in differences}
    assert "root:" not in " ".join(str(each) for each in differences)


def test_every_difference_is_told_in_both_languages(written: Made) -> None:
    for name in ("payouts.csv", "pain.001.xml"):
        edit_lines(written, name, lambda lines: lines[:-3] + lines[-1:])
    for difference in found(written):
        assert re.search("[\u4e00-\u9fff]", difference.text.zh)
        assert not re.search("[\u4e00-\u9fff]", difference.text.en.replace("“", "").split(" is ")[0])
        assert difference.text.zh in str(difference)
        assert difference.text.en in str(difference)
