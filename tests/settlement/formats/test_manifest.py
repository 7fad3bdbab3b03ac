"""The manifest: what it lists, what it hashes to, who signed it; and the folder that it closes."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from settlement.formats.bank_table import GB18030, PRESETS
from settlement.formats.folder import MEDIA_TYPES, write_folder
from settlement.formats.manifest import Chain, manifest_hash, with_signature
from settlement.formats.payout_batch import TotalsError
from settlement.formats.rendering import FileChoices
from settlement.payouts.instruction import InstructionError
from settlement.signatures.key_custody import make_key, open_key
from settlement.signatures.signing import MANIFEST, Purpose, verify_entry
from tenants.kernel.canonical import canonical_bytes
from tests.settlement.making import CREATED_AT, KEK, Made, Make


def content_of(made: Made) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((made.folder / "manifest.json").read_bytes())
    return content


def test_it_lists_every_file_as_it_lies_there(written: Made) -> None:
    content = content_of(written)
    assert [file["name"] for file in content["files"]] == [
        "pain.001.xml",
        "payouts.csv",
        "payouts.xlsx",
        "payouts.jsonl",
        "payment-list.pdf",
    ]
    for file in content["files"]:
        data = (written.folder / file["name"]).read_bytes()
        assert file["size"] == len(data)
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert file["media_type"] == MEDIA_TYPES[file["name"]]
    assert content["count"] == written.batch.count
    assert content["total"] == str(written.batch.total)
    assert content["batch_root"] == written.batch.batch_root


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_its_sm3_digests_are_those_of_openssl(written: Made) -> None:
    for file in content_of(written)["files"]:
        path = written.folder / file["name"]
        said = subprocess.run(
            [shutil.which("openssl") or "openssl", "dgst", "-sm3", "-r", path],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.split()[0] == file["sm3"]


def test_it_is_spelt_as_rfc_8785_has_it(written: Made) -> None:
    data = (written.folder / "manifest.json").read_bytes()
    assert data == canonical_bytes(json.loads(data))


def test_another_signature_leaves_the_hash_as_it_was(written: Made) -> None:
    data = (written.folder / "manifest.json").read_bytes()
    releaser = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK)
    twice = with_signature(data, open_key(releaser.private_sealed, releaser.public, KEK))
    assert manifest_hash(twice) == manifest_hash(data)
    content = json.loads(twice)
    payload = canonical_bytes({name: value for name, value in content.items() if name != "signatures"})
    keys = {key.kid: key for key in (written.new_key.public, releaser.public)}
    signers = [verify_entry(entry, payload, MANIFEST, keys).kid for entry in content["signatures"]]
    assert signers == [written.new_key.public.kid, releaser.public.kid]
    assert hashlib.sha256(payload).hexdigest() == manifest_hash(data)


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
@pytest.mark.parametrize(
    "choices",
    [FileChoices(), FileChoices("11", PRESETS["treasury"], GB18030), FileChoices(mapping=PRESETS["e-banking"])],
    ids=["generic", "treasury", "e-banking"],
)
def test_the_same_batch_is_written_to_the_same_bytes(
    make: Make, algorithm: str, choices: FileChoices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(25, claims_each=2, algorithm=algorithm)
    first = made.write(choices)
    monkeypatch.setenv("TZ", "America/New_York")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert made.write(choices, tmp_path / "again") == first
    assert set(first) == set(MEDIA_TYPES)


def test_a_folder_that_could_not_be_finished_has_no_manifest(written: Made) -> None:
    chain = Chain(written.seal, written.releases, "0" * 64, 1)
    with pytest.raises(TotalsError):
        write_folder(written.folder, written.batch, lambda: written.instructions[:-1], written.key, chain)
    assert not (written.folder / "manifest.json").exists()


def test_instructions_that_name_another_key_are_not_signed(make: Make) -> None:
    made = make(2)
    made.folder.mkdir()
    other = make_key("jiangsu", Purpose.PAYOUT, CREATED_AT, KEK)
    foreign = make_key("shanxi-hainan", Purpose.PAYOUT, CREATED_AT, KEK)
    for key in (other, foreign):
        with pytest.raises(InstructionError, match="key_id"):
            write_folder(
                made.folder,
                made.batch,
                lambda: made.instructions,
                open_key(key.private_sealed, key.public, KEK),
                Chain(made.seal, made.releases, "0" * 64, 1),
            )


def test_the_manifest_stands_in_its_chain(make: Make) -> None:
    made = make(2)
    made.folder.mkdir()
    chain = Chain(made.seal, made.releases, "ab" * 32, 7)
    write_folder(made.folder, made.batch, lambda: made.instructions, made.key, chain)
    content = content_of(made)
    assert (content["previous_manifest_sha256"], content["manifest_no"]) == ("ab" * 32, 7)
    written_again = replace(made, seal=made.seal)
    written_again.write()
    assert content_of(made)["manifest_no"] == 1
