"""Reading ``manifest.json``: its form, its signatures, the seal in it, and the files that it lists."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from settlement.offline.difference import Findings, Place
from settlement.offline.evidence import Keys, RefusedError, checked, checked_file, decoded, encoded, instant
from settlement.offline.records import fen_in_words
from settlement.offline.releases import check_releases
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money

MANIFEST: Final = "manifest.json"
PAIN: Final = "pain.001.xml"
PAIN_JWS: Final = "pain.001.xml.jws"
CSV: Final = "payouts.csv"
XLSX: Final = "payouts.xlsx"
JSONL: Final = "payouts.jsonl"
PDF: Final = "payment-list.pdf"
LISTED: Final = (PAIN, CSV, XLSX, JSONL, PDF)

MAX_MANIFEST_BYTES: Final = 2**20
FIRST_PREVIOUS: Final = "0" * 64

_FORMAT: Final = "clearing-manifest/2"
_TEXTS: Final = (
    "format", "tenant", "batch", "batch_id", "batch_root", "created_at", "execution_on", "currency", "total",
    "total_in_words", "previous_manifest_sha256",
)  # fmt: skip
_NUMBERS: Final = ("manifest_no", "count", "item_count")
_ACCOUNT: Final = ("account_name", "account_number", "bank_name", "cnaps")
_REQUIRED_COLUMNS: Final = {"end_to_end_id", "amount", "account_number", "payee"}
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_SCHEMAS: Final = ("pain.001.001.09", "pain.001.001.11")
_CHUNK_BYTES: Final = 2**20
_HASHING_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that can be worked with; ``genuine`` when all its signatures hold."""

    content: Mapping[str, Any]
    genuine: bool

    @property
    def files(self) -> dict[str, Mapping[str, Any]]:
        """What it says of each file, by name."""
        return {file["name"]: file for file in self.content["files"]}

    @property
    def shared(self) -> dict[str, Any]:
        """The members that every instruction repeats."""
        return {
            name: self.content[name] for name in ("tenant", "batch", "batch_id", "batch_root", "created_at", "debtor")
        }


def read_manifest(folder: Path, keys: Keys, previous: str | None, findings: Findings) -> Manifest | None:
    """The folder's manifest with everything noted that is wrong in it; ``None`` when it is of no use.

    ``previous`` is the hash of the manifest before it, where the caller knows it.
    """
    place = Place(MANIFEST)
    try:
        with (folder / MANIFEST).open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES)
        content = json.loads(data)
        _require_form(content)
        canonical = canonical_bytes(content)
    except FileNotFoundError:
        findings.add(place, "file.missing", "缺少清单文件。", "The manifest is missing.")
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        findings.add(
            place, "manifest.malformed", "清单无法读取或格式不正确。", "The manifest is unreadable or malformed."
        )
        return None
    if data != canonical:
        findings.add(
            place, "manifest.spelling", "清单不是规范写法（RFC 8785）。", "It is not spelt as RFC 8785 has it."
        )
    genuine = _check_signatures(content, keys, findings)
    _check_totals(content, previous, findings)
    _check_seal(content, keys, findings)
    check_releases(content, keys, findings)
    return Manifest(content, genuine and data == canonical)


def check_files(folder: Path, manifest: Manifest, keys: Keys, findings: Findings) -> set[str]:
    """Note what is wrong with each file as a whole; the names of those that are exactly as they were listed."""
    with ThreadPoolExecutor(_HASHING_THREADS) as threads:
        measured = {name: threads.submit(_measured, folder / name) for name in LISTED}
        if (folder / PAIN).exists():
            _check_detached(folder, manifest, keys, findings)
    intact = set()
    for name in LISTED:
        said = manifest.files[name]
        found = measured[name].result()
        if found is None:
            findings.add(Place(name), "file.missing", "文件缺失。", "The file is missing.")
            continue
        wrong = [part for part in ("size", "sha256", "sm3") if said[part] != found[part]]
        if wrong:
            names = ", ".join(wrong)
            findings.add(
                Place(name),
                "file.changed",
                f"文件与清单不符：{names}。",
                f"It is not the file that the manifest lists: {names} differ.",
            )
        else:
            intact.add(name)
    return intact


def _require_form(content: Any) -> None:  # noqa: ANN401 - whatever JSON held
    """Raise ``ValueError``, ``KeyError`` or ``TypeError`` unless every member that is used is there and of its type."""
    files = {file["name"]: file for file in content["files"]}
    texts = [content[name] for name in _TEXTS] + [content["debtor"][name] for name in _ACCOUNT]
    texts += [file[part] for file in files.values() for part in ("sha256", "sm3")]
    numbers = [content[name] for name in _NUMBERS] + [file["size"] for file in files.values()]
    columns = [column for name in (CSV, XLSX) for column in files[name]["columns"]]
    texts += [column[part] for column in columns for part in ("field", "heading")]
    records = [content["seal"], *content["releases"]]
    signatures = [*content["signatures"], *(entry for record in records for entry in record["signatures"])]
    texts += [
        *(record["payload"] for record in records),
        *(entry[part] for entry in signatures for part in ("protected", "signature")),
    ]
    if not all(isinstance(text, str) for text in [*texts, files[PAIN]["jws"]]) or any(
        type(number) is not int for number in numbers
    ):
        raise TypeError("a member is of another type")
    if sorted(files) != sorted(LISTED) or len(content["files"]) != len(LISTED):
        raise ValueError("other files are listed")
    if any(not {column["field"] for column in files[name]["columns"]} >= _REQUIRED_COLUMNS for name in (CSV, XLSX)):
        raise ValueError("a required column is not listed")
    if files[CSV]["encoding"] not in _ENCODINGS or files[PAIN]["schema"] not in _SCHEMAS:
        raise ValueError("an unknown encoding or schema")
    instant(content["created_at"])
    Money.parse(content["total"])


def _check_signatures(content: Mapping[str, Any], keys: Keys, findings: Findings) -> bool:
    payload = canonical_bytes({name: value for name, value in content.items() if name != "signatures"})
    entries = content["signatures"]
    if not entries:
        findings.add(Place(MANIFEST), "signature.missing", "清单没有签名。", "The manifest is not signed.")
    refused = False
    for entry in entries:
        try:
            token = f"{entry['protected']}.{encoded(payload)}.{entry['signature']}"
            _, key = checked(token, "clearing-manifest+jws", keys)
            key.require(content["tenant"], instant(content["created_at"]))
        except RefusedError as refusal:
            refused = True
            findings.add(Place(MANIFEST), refusal.code, f"清单签名：{refusal.zh}", f"Manifest: {refusal.en}")
    return bool(entries) and not refused


def _check_totals(content: Mapping[str, Any], previous: str | None, findings: Findings) -> None:
    place = Place(MANIFEST)
    findings.expect(place, "format", _FORMAT, content["format"])
    findings.expect(place, "currency", "CNY", content["currency"])
    findings.expect(place, "total_in_words", Money.parse(content["total"]).fen, fen_in_words(content["total_in_words"]))
    first, named = content["manifest_no"] == 1, content["previous_manifest_sha256"]
    if first != (named == FIRST_PREVIOUS):
        findings.add(
            place,
            "manifest.chain",
            "序号与上一清单的哈希不符。",
            "Its number does not fit the previous manifest's hash.",
        )
    if previous is not None:
        findings.expect(place, "previous_manifest_sha256", previous, named)


def _check_seal(content: Mapping[str, Any], keys: Keys, findings: Findings) -> None:
    place, seal = Place(MANIFEST), content["seal"]
    if not seal["signatures"]:
        findings.add(place, "signature.missing", "封存记录没有签名。", "The seal is not signed.")
    try:
        signed = json.loads(decoded(seal["payload"]))
        sealed_at = instant(signed["sealed_at"])
        for entry in seal["signatures"]:
            token = f"{entry['protected']}.{seal['payload']}.{entry['signature']}"
            _, key = checked(token, "clearing-seal+jws", keys)
            key.require(content["tenant"], sealed_at)
        for name in ("tenant", "batch", "batch_id", "total"):
            findings.expect(place, f"seal {name}", content[name], signed[name])
        findings.expect(place, "seal merkle_root", content["batch_root"], signed["merkle_root"])
        findings.expect(place, "seal count", content["item_count"], signed["count"])
        if sealed_at > instant(content["created_at"]):
            findings.add(place, "seal.later", "封存晚于指令生成。", "It was sealed after the instructions were made.")
    except RefusedError as refusal:
        findings.add(place, refusal.code, f"封存记录：{refusal.zh}", f"Seal: {refusal.en}")
    except (ValueError, KeyError, TypeError):
        findings.add(place, "seal.malformed", "封存记录格式不正确。", "The seal is malformed.")


def _check_detached(folder: Path, manifest: Manifest, keys: Keys, findings: Findings) -> None:
    """The detached JWS over pain.001, in the manifest and, where it came along, in its own file."""
    token = manifest.files[PAIN]["jws"]
    try:
        key = checked_file(token, "clearing-file+jws", folder / PAIN, keys)
        key.require(manifest.content["tenant"], instant(manifest.content["created_at"]))
    except RefusedError as refusal:
        findings.add(Place(PAIN), refusal.code, f"文件签名：{refusal.zh}", f"Detached JWS: {refusal.en}")
    beside = folder / PAIN_JWS
    if beside.exists() and beside.read_bytes() != token.encode():
        findings.add(
            Place(PAIN_JWS), "file.changed", "与清单中的文件签名不同。", "It is not the detached JWS of the manifest."
        )


def _measured(path: Path) -> dict[str, object] | None:
    """Size and digests of the file; ``None`` where there is none."""
    size, first, second = 0, sha256(), Hash(SM3())
    try:
        with path.open("rb") as file:
            while piece := file.read(_CHUNK_BYTES):
                size += len(piece)
                first.update(piece)
                second.update(piece)
    except FileNotFoundError:
        return None
    return {"size": size, "sha256": first.hexdigest(), "sm3": second.finalize().hex()}
