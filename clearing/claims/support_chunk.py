"""A chunk: the support records that one transaction stores, and the one audit entry that commits to all of them (I14).

The entry holds how many they are, the first and the last of their ids, which follow one another, and the Merkle root
(RFC 6962) over their leaves in that order. A leaf is the canonical bytes of what the row says. Of each leaf's digest
the entry repeats the first four bytes, its *mark*: the root alone would tell that something is changed, the marks tell
what. A record that comes alone is a chunk of one.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from settlement.signatures.merkle import leaf_hash, root_over
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change

REGISTERED: Final = "support_records.registered"
"""The action of a chunk's entry."""
MARK_BYTES: Final = 4


class Committed(NamedTuple):
    """What an entry says of its records' leaves: the root over them, and their marks in base64."""

    root: bytes
    marks: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk's records have in common; ``client_id`` stated them, ``actor`` is who that client is."""

    id: UUID
    tenant: str
    platform: str
    client_id: str
    actor: str

    def change(self, ids: Sequence[int], keys: int, entry: Committed) -> Change:
        """The chunk's entry: ``ids`` are the records' in their order, ``keys`` how many they hold together."""
        details: dict[str, Json] = {
            "platform": self.platform,
            "client": self.client_id,
            "records": len(ids),
            "keys": keys,
            "first": str(UUID(int=ids[0])),
            "last": str(UUID(int=ids[-1])),
            "root": entry.root.hex(),
            "marks": entry.marks,
        }
        return Change(
            tenant=self.tenant,
            actor=self.actor,
            action=REGISTERED,
            subject_id=self.id,
            to_state="live",
            details=details,
        )


def committed(leaves: Iterable[bytes]) -> Committed:
    """What the entry says of the leaves, which are in the order of the ids."""
    return committed_by(list(map(leaf_hash, leaves)))


def committed_by(digests: Sequence[bytes]) -> Committed:
    """The same, by the leaves' digests."""
    marks = b64encode(b"".join([digest[:MARK_BYTES] for digest in digests]))
    return Committed(root_over(digests), marks.decode())


def leaf(external_id: str, mac: bytes, supported_on: date, keys: int, red_letter: bool, seen: Json) -> bytes:  # noqa: FBT001 - the columns of a row
    """What a record's row says, as canonical bytes (RFC 8785); its id follows from its place."""
    return orjson.dumps((external_id, mac.hex(), supported_on, keys, red_letter, seen))
