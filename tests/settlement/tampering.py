"""Changing a folder of payment files, and asking the verifier about it."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

from openpyxl import load_workbook

from settlement.offline import Difference, verify_batch
from settlement.signatures.signing import INSTRUCTION, MANIFEST, compact_signer, signature_entry
from tenants.kernel.canonical import canonical_bytes
from tests.settlement.making import Made

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


HEADS = {"payouts.csv": 1, "payouts.jsonl": 0, "pain.001.xml": 3}


def flip(made: Made, file: str, place: int, mask: int) -> list[Difference]:
    path = made.folder / file
    data = path.read_bytes()
    path.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
    try:
        return found(made)
    finally:
        path.write_bytes(data)


def resaved(made: Made, change: Callable[[Any], None]) -> None:
    """The workbook as a spreadsheet program would save it after an edit."""
    path = made.folder / "payouts.xlsx"
    book = load_workbook(path)
    change(book["明细 lines"])
    book.save(path)


def resign(made: Made, change: Callable[[dict[str, Any]], None], at: int = 3) -> None:
    """Change one instruction and sign it again with the tenant's own key, in whatever spelling."""
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
