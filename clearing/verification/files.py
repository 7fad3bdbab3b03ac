"""The files of an instructed batch as they are kept: each is what was hashed, and all carry the same sums (I12)."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import count
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SM3, Hash

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.file_sums import BankTable, PaymentMessage, Reader
from clearing.verification.manifests import manifest_differences, read_manifest
from clearing.verification.payout_lines import PayoutLines
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.money import Money

MANIFEST: Final = "manifest.json"
MESSAGE: Final = "pain.001.xml"
MESSAGE_SIGNATURE: Final = "pain.001.xml.jws"
TABLE: Final = "payouts.csv"
LINES: Final = "payouts.jsonl"
PART_BYTES: Final = 2**20
"""Every part but the last has this size."""
PARTS_AT_ONCE: Final = 4

_FILES: Final = """
select tenant, batch_id, name, media_type, size_bytes, sha256, sm3
  from batch_file where tenant = %s and batch_id = %s order by name
"""
_PARTS: Final = """
select part, sealed from batch_file_part where tenant = %s and batch_id = %s and name = %s order by part
"""
_RELEASES: Final = "select jws from release_signature where tenant = %s and batch_id = %s order by number"
_STRAY: Final = """
select 'batch_file' as what, f.tenant, f.batch_id, f.name from batch_file f
 where not exists (
       select 1 from batch b where b.tenant = f.tenant and b.id = f.batch_id and b.instructed_at is not null)
union all
select 'batch_file_part', p.tenant, p.batch_id, p.name from batch_file_part p
 where not exists (
       select 1 from batch_file f where f.tenant = p.tenant and f.batch_id = p.batch_id and f.name = p.name)
union all
select 'batch_draft', d.tenant, d.batch_id, d.section::text from batch_draft d
 where not exists (
       select 1 from batch b where b.tenant = d.tenant and b.id = d.batch_id and b.state = 'released')
"""


def file_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with the stored files of all batches."""
    for row in snapshot.stream(_STRAY):
        yield differs("file.stray", f"{row.what}/{row.tenant}/{row.batch_id}/{row.name}", "no such row", row.name)
    for batch in context.batches.values():
        if batch.instructed_at is not None:
            yield from _of_batch(snapshot, batch, context)


def _of_batch(snapshot: Snapshot, batch: Row, context: Context) -> Iterator[Difference]:
    files = {row.name: row for row in snapshot.rows(_FILES, batch.tenant, batch.id)}
    place = f"batch_file/{batch.tenant}/{batch.batch_no}"
    if MANIFEST not in files:
        yield differs("file.missing", f"{place}/{MANIFEST}", "one row", None)
        return
    if context.secrets is None:
        return
    content: list[bytes] = []
    yield from _stored(snapshot, place, files[MANIFEST], context.secrets, content.append)
    manifest = read_manifest(b"".join(content))
    if manifest is None:
        yield differs("file.manifest", f"{place}/{MANIFEST}", "a manifest", "another text")
        return
    releases = [row.jws for row in snapshot.rows(_RELEASES, batch.tenant, batch.id)]
    yield from manifest_differences(place, batch, manifest, files, releases, context)
    for name, row in files.items():
        if name == MESSAGE_SIGNATURE:
            yield from _signature(snapshot, place, row, context.secrets, _listed(manifest, MESSAGE)["jws"])
        elif name != MANIFEST:
            reader = _reader(snapshot, name, batch, manifest, context)
            yield from _file(snapshot, place, row, context.secrets, reader, manifest)


def _reader(snapshot: Snapshot, name: str, batch: Row, manifest: Mapping[str, Any], context: Context) -> Reader | None:
    """What reads this file; of the others the hash in the signed manifest is enough."""
    match name:
        case "payouts.jsonl":
            return PayoutLines(snapshot, batch, manifest, context)
        case "pain.001.xml":
            return PaymentMessage(_listed(manifest, MESSAGE)["jws"], batch, context)
        case "payouts.csv":
            return BankTable(_listed(manifest, TABLE))
    return None


def _listed(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(dict(each) for each in manifest["files"] if each["name"] == name)


def _file(
    snapshot: Snapshot,
    place: str,
    row: Row,
    secrets: OpenedSecrets,
    reader: Reader | None,
    manifest: Mapping[str, Any],
) -> Iterator[Difference]:
    where = f"{place}/{row.name}"
    if reader is None:
        yield from _stored(snapshot, place, row, secrets, len)
        return
    found: list[Difference] = []
    with closing(reader):
        yield from _stored(snapshot, place, row, secrets, lambda part: found.extend(reader.feed(part)))
        found.extend(reader.finish(where))
    yield from found
    if (reader.count, reader.fen) != (manifest["count"], Money.parse(manifest["total"]).fen):
        expected = (manifest["count"], manifest["total"])
        yield differs("file.sums", where, expected, (reader.count, str(Money(reader.fen))))


def _signature(snapshot: Snapshot, place: str, row: Row, secrets: OpenedSecrets, token: str) -> Iterator[Difference]:
    """The signature lies beside the file that it signs, word for word as in the manifest."""
    content: list[bytes] = []
    yield from _stored(snapshot, place, row, secrets, content.append)
    if b"".join(content) != token.encode():
        yield differs("file.signature", f"{place}/{row.name}", token, "another")


def _stored(
    snapshot: Snapshot, place: str, row: Row, secrets: OpenedSecrets, use: Callable[[bytes], object]
) -> Iterator[Difference]:
    """Open the parts one after the other and hand each on; its hashes and size must be those stored."""
    snapshot.tally["files"] += 1
    size, sha256, sm3, numbers = 0, hashlib.sha256(), Hash(SM3()), count(1)
    where = f"batch_file_part/{row.tenant}/{row.batch_id}/{row.name}"
    parts = snapshot.stream(_PARTS, row.tenant, row.batch_id, row.name, rows_at_once=PARTS_AT_ONCE)
    for part, number in zip(parts, numbers, strict=False):
        if part.part != number:
            yield differs("file.part", f"{where}/{part.part}", number, part.part)
        at = f"{row.batch_id}/{row.name}/{part.part}"
        opened = secrets.field_value(bytes(part.sealed), "batch_file_part", "sealed", row.tenant, at)
        if opened is None:
            yield differs("file.part", f"{where}/{part.part}", "a part that opens", "changed, or moved")
            continue
        content = base64.b64decode(opened)
        size += len(content)
        sha256.update(content)
        sm3.update(content)
        use(content)
    needed = -(-row.size_bytes // PART_BYTES)
    for number in range(next(numbers), needed + 1):
        yield differs("file.part", f"{where}/{number}", f"{needed} parts", None)
    stored = {"size_bytes": size, "sha256": sha256.hexdigest(), "sm3": sm3.finalize().hex()}
    yield from compared("file.hash", f"{place}/{row.name}", stored, row)
