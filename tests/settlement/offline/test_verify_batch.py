"""The offline verifier: what is whole, and what any changed byte and any hostile file does to it."""

import io
import random
import re
from datetime import timedelta
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from settlement.formats.bank_table import ENCODINGS, PRESETS
from settlement.formats.folder import write_folder
from settlement.formats.manifest import Chain, with_signature
from settlement.formats.rendering import FileChoices
from settlement.signatures.key_custody import make_key, open_key
from settlement.signatures.signing import Purpose
from tests.settlement.making import CREATED_AT, KEK, Made, Make
from tests.settlement.tampering import (
    FILES,
    codes,
    edit,
    edit_lines,
    flip,
    found,
)


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
    chain = Chain(made.seal, made.releases, "ab" * 32, 2)
    write_folder(made.folder, made.batch, lambda: made.instructions, made.key, chain)
    assert found(made, previous_manifest_sha256="ab" * 32) == []
    (difference,) = found(made, previous_manifest_sha256="cd" * 32)
    assert difference.text.en == f"previous_manifest_sha256 should be {'cd' * 32}, is {'ab' * 32}."


@pytest.mark.parametrize(("previous", "number"), [("ab" * 32, 1), ("0" * 64, 2)])
def test_a_manifest_out_of_its_chain_is_named(make: Make, previous: str, number: int) -> None:
    made = make(2)
    made.folder.mkdir()
    chain = Chain(made.seal, made.releases, previous, number)
    write_folder(made.folder, made.batch, lambda: made.instructions, made.key, chain)
    assert codes(made) == {"manifest.chain"}


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
