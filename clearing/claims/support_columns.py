"""Support records made ready: all that is stored of many at once, as the columns of one statement each (P3).

Making them ready is pure, and can be done while others are being stored.
"""

from array import array
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import orjson
from sqlalchemy import Connection

from clearing.claims.free_keys import Holdings, KeyColumns, key_columns, take_free_keys
from clearing.claims.intake import DEFAULT_GROUP
from clearing.claims.keyring import Versions, written_versions
from clearing.claims.registry import RED_LETTER, Key
from clearing.claims.support_chunk import Chunk, Committed, committed, leaf
from connectors.submission import SupportRecord
from tenants.kernel.arrays import Column, bigints, byteas, smallints, texts, uuids
from tenants.kernel.canonical import Json
from tenants.kernel.change import change_writes
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id, new_ids
from tenants.kernel.statements import Query, read, read_all, write_all

SCHEME: Final = "local"
"""The scheme of what a local platform paid outside this service."""
DAYS_KEPT: Final = 1_024
EPOCH: Final = date(2000, 1, 1).toordinal()
"""The day that days are counted from on their way into the database."""


class Stated(NamedTuple):
    """A record that is new here, with the keyed digest of its content and its keys."""

    record: SupportRecord
    mac: bytes
    keys: tuple[Key, ...]
    red_letter: bool

    @property
    def scheme(self) -> str:
        """The scheme of what it holds."""
        return RED_LETTER if self.red_letter else SCHEME

    @property
    def month(self) -> str:
        """The month of its support."""
        return _month(self.record.supported_on)

    def leaf(self, seen: Json) -> bytes:
        """What its chunk's entry commits to, see :mod:`clearing.claims.support_chunk`."""
        return leaf(self.record.external_id, self.mac, self.record.supported_on, len(self.keys), self.red_letter, seen)


@lru_cache(DAYS_KEPT)
def _month(day: date) -> str:
    return f"{day.year}-{day.month:02d}"


class Ready(NamedTuple):
    """Records of one tenant and platform that share no key and no external id, all but their ids."""

    versions: tuple[int, ...]
    """The versions of the registry's key that their keys are written under."""
    tenant: str
    platform: str
    keys: tuple[int, ...]
    """How many keys each has, in their order."""
    columns: tuple[Column, ...]
    holders: "array[int]"
    """Of each key, in the order of the digests, the place of the record that holds it."""
    key_columns: KeyColumns
    entry: Committed


def content(one: SupportRecord) -> bytes:
    """The record's canonical bytes (RFC 8785): what "the same content" means.

    Texts, amounts and a day under our own keys, which stand here in their order; there is no number in it.
    """
    return orjson.dumps(
        {
            "enterprise_uscc": one.enterprise_uscc,
            "external_id": one.external_id,
            "keys": [
                {
                    "amount": None if k.amount is None else str(k.amount),
                    "by": k.provider_uscc,
                    "kind": k.kind,
                    "value": k.value,
                }
                for k in one.keys
            ],
            "platform": one.platform,
            "supported_on": one.supported_on,
            "tenant": one.tenant,
        }
    )


def enterprises(versions: Versions, records: Sequence[Stated]) -> dict[str, Mapping[int, bytes]]:
    """What stands for each enterprise in the registry, by version."""
    return {uscc: versions.enterprise(uscc) for uscc in {one.record.enterprise_uscc for one in records}}


def ready(versions: Versions, stated: Sequence[Stated]) -> Ready:
    """The columns of records of one tenant and platform, at least one, none of which shares a key with another."""
    digests_of = enterprises(versions, stated)
    rows = [
        (
            digest, key.kind, version, place, digests_of[one.record.enterprise_uscc][version], one.scheme, one.month,
            key.claimed.fen, None if key.stated is None else key.stated.fen,
        )
        for place, one in enumerate(stated)
        for key in one.keys
        for version, digest in key.digests
    ]  # fmt: skip
    holders, keys = key_columns(Holdings(*zip(*rows, strict=True)))
    first, counts = stated[0].record, tuple([len(one.keys) for one in stated])
    columns = (
        texts([one.record.external_id for one in stated]),
        byteas([one.mac for one in stated]),
        bigints([one.record.supported_on.toordinal() - EPOCH for one in stated]),
        smallints(counts),
        smallints([one.red_letter for one in stated]),
    )
    entry = committed([one.leaf(None) for one in stated])
    return Ready(versions.versions, first.tenant, first.platform, counts, columns, holders, keys, entry)


class Turns(Protocol):
    """When rows may be sent, and when locks may be taken that others need as well."""

    def sending(self, step: int) -> AbstractContextManager[None]:
        """While the rows of this step are sent: the records', then the keys'."""

    def come(self) -> None:
        """Before the audit chain is locked."""


def store(work: Work, client_id: str, actor: str, one: Ready, turn: Turns | None = None) -> Sequence[int]:
    """Store them with their keys and the chunk's audit entry: their ids in their order.

    The database refuses it where one of them or of the keys is known, or where the key's versions are others.
    """
    chunk = Chunk(new_id(), one.tenant, one.platform, client_id, actor)
    ids = new_ids(len(one.keys))
    numbers = [number.to_bytes(16) for number in ids]
    holders = uuids([numbers[place] for place in one.holders])
    rows = _insert(chunk, work, uuids(numbers), one.columns)
    keys = take_free_keys(chunk.tenant, chunk.platform, DEFAULT_GROUP, holders, one.key_columns)
    if turn is None:
        read_all(work.connection, rows, keys)
    else:
        with turn.sending(0):
            read(work.connection, rows)
        with turn.sending(1):
            read(work.connection, keys)
        turn.come()
    change = chunk.change(ids, sum(one.keys), one.entry)
    write_all(work.connection, change_writes(work.connection, [change], work.at))
    return ids


def register_ready(work: Work, client_id: str, actor: str, one: Ready, turn: Turns | None = None) -> tuple[int, ...]:
    """Store them, unless the key's versions changed since they were made ready: the versions that are written now."""
    written = written_now(work.connection)
    if written == one.versions:
        store(work, client_id, actor, one, turn)
    return written


def written_now(connection: Connection) -> tuple[int, ...]:
    """The versions that are written now."""
    found: tuple[int, ...] = read(connection, written_versions())
    return found


def _insert(chunk: Chunk, work: Work, ids: Column, columns: Sequence[Column]) -> Query[None]:
    return Query(
        "with stored as (insert into support_record (tenant, id, platform, external_id, content_mac, supported_on, "
        "keys, client_id, received_at, chunk_id, red_letter) select %s, w.id, %s, w.external_id, w.mac, "
        "date '2000-01-01' + w.day::integer, w.keys, %s, %s, %s, w.red_letter = 1 "
        "from (select unnest(%s) as id, unnest(%s) as external_id, unnest(%s) as mac, unnest(%s) as day, "
        "unnest(%s) as keys, unnest(%s) as red_letter) w) select 1",
        (chunk.tenant, chunk.platform, chunk.client_id, work.at, chunk.id, ids, *columns),
        lambda _: None,
    )
