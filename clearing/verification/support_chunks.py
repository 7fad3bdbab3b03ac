"""Chunks of support records: the entry of each commits to its rows, so that one changed, missing or added is named.

The entry says how many records there are, the first and the last of their ids (they follow one another), the Merkle
root (RFC 6962) over what their rows say, and the first four bytes of each leaf's digest. The root tells that all is as
it was; the four bytes tell which row is not.
"""

import hashlib
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from clearing.verification.difference import Difference, differs, guarded
from clearing.verification.entries import COLUMNS, JOINED, Entry, entry_of
from clearing.verification.merkle import tree_hash
from clearing.verification.snapshot import Row, Snapshot, together

CHUNK: Final = "support_records.registered"
_MARK_BYTES: Final = 4
_LEAF: Final = b"\x00"
_RECORDS: Final = """
select tenant, chunk_id, id, platform, external_id, content_mac, supported_on, keys, client_id, received_at, red_letter,
       seen
  from support_record where chunk_id is not null order by tenant, chunk_id, id
"""
_ENTRIES: Final = (
    f"select {COLUMNS} from {JOINED} where e.action = '{CHUNK}' "  # noqa: S608 - our own text
    "order by e.tenant, e.subject_id, e.seq"
)


def chunk_differences(snapshot: Snapshot, clients: Mapping[str, Row]) -> Iterator[Difference]:
    """Records that are not as the entry of their chunk says, and chunks that are not as their records."""
    streams = {"record": snapshot.stream(_RECORDS), "entry": snapshot.stream(_ENTRIES)}
    for (tenant, chunk_id), found in together(streams):
        records, entries = found["record"], [entry_of(row) for row in found["entry"]]
        snapshot.tally["chunks of support records"] += len(entries)
        place = f"support_record/{tenant}/{records[0].id if records else chunk_id}"
        if len(entries) == 1:
            yield from guarded(place, _chunk(tenant, records, entries[0], clients))
        for record in records if not entries else ():
            where = f"support_record/{tenant}/{record.id}/chunk_id"
            yield differs("support.foreign", where, "a chunk with an entry", chunk_id)
        if len(entries) > 1:
            yield differs("support.chunk", place, "one entry of the audit chain", len(entries))


def _chunk(tenant: str, records: Sequence[Row], entry: Entry, clients: Mapping[str, Row]) -> Iterator[Difference]:
    said = entry.details
    first, count = UUID(said["first"]), int(said["records"])
    marks = b64decode(said["marks"], validate=True)
    place = f"support_record/{tenant}/{first}"
    if UUID(int=first.int + count - 1) != UUID(said["last"]) or len(marks) != count * _MARK_BYTES:
        yield differs("support.chunk", place, f"{count} records", f"to {said['last']}, {len(marks)} bytes of marks")
        return
    leaves: dict[int, bytes] = {}
    for record in records:
        position = record.id.int - first.int
        where = f"support_record/{tenant}/{record.id}"
        if not 0 <= position < count or position in leaves:
            yield differs("support.foreign", where, f"one of the {count} from {first} on", record.id)
            continue
        leaves[position] = _leaf(record)
        mark = marks[position * _MARK_BYTES : (position + 1) * _MARK_BYTES]
        found = hashlib.sha256(_LEAF + leaves[position]).digest()[:_MARK_BYTES]
        if found != mark:
            yield differs("support.changed", where, mark, found)
        yield from _witness(where, record, entry, clients)
    for position in sorted(set(range(count)) - leaves.keys()):
        yield differs("support.missing", f"support_record/{tenant}/{UUID(int=first.int + position)}", "one row", None)
    if len(leaves) < count:
        return
    root = tree_hash(leaves[position] for position in range(count))
    if root != said["root"]:
        yield differs("support.chunk", f"{place}/root", said["root"], root)
    keys = sum(record.keys for record in records)
    if keys != said["keys"]:
        yield differs("support.chunk", f"{place}/keys", said["keys"], keys)


def _leaf(record: Row) -> bytes:
    """What the row says, as RFC 8785 bytes: texts, a whole number and a word."""
    said: list[Any] = [
        record.external_id, bytes(record.content_mac).hex(), record.supported_on.isoformat(), record.keys,
        record.red_letter, record.seen,
    ]  # fmt: skip
    return orjson.dumps(said)


def _witness(where: str, record: Row, entry: Entry, clients: Mapping[str, Row]) -> Iterator[Difference]:
    """Platform, client and time are the chunk's."""
    for column, name in (("platform", "platform"), ("client_id", "client")):
        if getattr(record, column) != entry.details[name]:
            yield differs("support.witness", f"{where}/{column}", entry.details[name], getattr(record, column))
    if not entry.witnesses(record.received_at):
        yield differs("support.witness", f"{where}/received_at", entry.at, record.received_at)
    client = clients.get(record.client_id)
    if client is None or (client.person or client.client_id) != entry.actor:
        yield differs("support.witness", f"{where}/client_id", f"a client: {entry.actor}", record.client_id)
