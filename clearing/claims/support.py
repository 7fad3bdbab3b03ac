"""Support records (支持记录): spending that a platform says was subsidised elsewhere takes its keys in the registry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.exc import IntegrityError

from clearing.claims import registry
from clearing.claims.collisions import Collisions, lock_claims_met
from clearing.claims.fingerprint import canonical_contract, canonical_invoice, canonical_serial
from clearing.claims.free_keys import FEW, known_keys, shared, take_free_keys, taken_rows
from clearing.claims.intake import DEFAULT_GROUP
from clearing.claims.keyring import RACED as KEYS_CHANGED
from clearing.claims.keyring import Versions, written_versions
from clearing.claims.probes import SEEN, Looks
from clearing.claims.registry import RED_LETTER, Holder, Key, Locked, lock_keys
from clearing.claims.support_chunk import Chunk, leaf
from clearing.claims.vault import Vault
from connectors.submission import SupportKey, SupportRecord
from tenants.kernel.arrays import bigints, byteas, smallints, texts, uuids
from tenants.kernel.canonical import Json, printed_part
from tenants.kernel.change import change_writes
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem, Text
from tenants.kernel.ids import new_id, new_ids
from tenants.kernel.money import ZERO
from tenants.kernel.statements import Query, Write, read, read_all, write_all

RACED: Final = frozenset({"support_record_external_id", "registry_key_fen_once", KEYS_CHANGED})
SCHEME: Final = "local"
"""The scheme of what a local platform paid outside this service."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A support record as stored: 201 new, 200 as it was; ``collisions`` are the keys that others hold already."""

    status: int
    record_id: UUID
    keys: int
    collisions: tuple[dict[str, Json], ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """A record that is new here, with the keyed digest of its content and its keys."""

    record: SupportRecord
    mac: bytes
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A record that stood among the same records before, at this place of those that are new."""

    place: int


def register_support(
    work: Work, vault: Vault, client_id: str, actor: str, records: Sequence[SupportRecord]
) -> list[Registered | Problem]:
    """Register the records of one tenant and platform in their order; one that stands among them again is known.

    A record that meets claims here freezes those that are unpaid and opens a case between both sides for each.

    Raises:
        StartAgainError: another tenant's claims are met, see :func:`tenants.kernel.database.reach`.
    """
    answers = _register(work, vault, client_id, actor, records, apart=False)
    return [one for one in answers if one is not None]


def register_free(
    work: Work, vault: Vault, client_id: str, actor: str, records: Sequence[SupportRecord]
) -> list[Registered | Problem | None]:
    """Register those of the records that meet nobody; ``None`` stands for one that is left to a transaction of its own.

    What meets somebody has locks to take in an order of their own; the others need not wait for that.
    """
    return _register(work, vault, client_id, actor, records, apart=True)


def _register(
    work: Work, vault: Vault, client_id: str, actor: str, records: Sequence[SupportRecord], *, apart: bool
) -> list[Registered | Problem | None]:
    macs = [vault.content_mac(content(one)) for one in records]
    active, before = read_all(work.connection, written_versions(), _stored(records))
    versions, fresh, places = vault.under(active), list[Stated](), dict[str, int]()
    answers: list[Registered | Problem | int | _Repeated] = []
    for one, mac in zip(records, macs, strict=True):
        known, place = before.get(one.external_id), places.get(one.external_id)
        if known is not None:
            answers.append(Registered(200, known[0], known[2], ()) if known[1] == mac else _differs())
        elif place is not None:
            answers.append(_Repeated(place) if fresh[place].mac == mac else _differs())
        else:
            keys, faults = _keys(versions, one)
            if faults:
                answers.append(_faulty(faults))
                continue
            places[one.external_id] = len(fresh)
            answers.append(len(fresh))
            fresh.append(Stated(one, mac, keys))
    taken = _take(work, versions, client_id, actor, fresh, apart=apart)
    return [_answer(taken, one) for one in answers]


def _answer(
    taken: Sequence[Registered | None], one: Registered | Problem | int | _Repeated
) -> Registered | Problem | None:
    if isinstance(one, int):
        return taken[one]
    if isinstance(one, _Repeated):
        first = taken[one.place]
        return None if first is None else Registered(200, first.record_id, first.keys, ())
    return one


def _faulty(faults: tuple[FieldError, ...]) -> Problem:
    return Invalid("support_record.invalid", "支持记录有误。", "The record has faults.", errors=faults)


def _differs() -> Problem:
    return Conflict(
        "support_record.content_differs",
        "此 external_id 已用于内容不同的支持记录。",
        "This external_id came before with other content.",
    )


def taken_id(error: IntegrityError) -> Problem:
    """The answer where the platform used the external id before, for a tenant that this client does not speak for.

    Raises:
        IntegrityError: the error is another one.
    """
    if broken_constraint(error) != "support_record_external_id":
        raise error
    return _differs()


def content(one: SupportRecord) -> bytes:
    """The record's canonical bytes (RFC 8785): what "the same content" means.

    Texts, amounts and a day under our own keys: there is no number for which sorted JSON would be another form.
    """
    return orjson.dumps(
        {
            "platform": one.platform,
            "external_id": one.external_id,
            "tenant": one.tenant,
            "enterprise_uscc": one.enterprise_uscc,
            "supported_on": one.supported_on,
            "keys": [{"kind": k.kind, "value": k.value, "amount": k.amount, "by": k.provider_uscc} for k in one.keys],
        },
        printed_part,
        orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME,
    )


def _stored(records: Sequence[SupportRecord]) -> Query[dict[str, tuple[UUID, bytes, int]]]:
    """What is stored under the records' external ids: id, keyed digest and number of keys."""
    return Query(
        "select external_id, id, content_mac, keys from support_record where platform = any(%s) "
        "and external_id = any(%s)",
        (sorted({one.platform for one in records}), texts([one.external_id for one in records])),
        lambda rows: {external_id: (record_id, bytes(mac), keys) for external_id, record_id, mac, keys in rows},
    )


def _keys(versions: Versions, one: SupportRecord) -> tuple[tuple[Key, ...], tuple[FieldError, ...]]:
    """The record's keys, each identity once: of two mentions the amounts are added."""
    keys: dict[tuple[str, str], Key] = {}
    faults = list(_red_letter_faults(one))
    for position, key in enumerate(one.keys):
        text = _IDENTITY[key.kind](one, key)
        kind = "invoice" if key.kind == "red_letter" else key.kind
        if text:
            earlier = keys.get((kind, text))
            place = f"/keys/{position}" if earlier is None else earlier.place
            amount = (key.amount or ZERO) + (ZERO if earlier is None else earlier.claimed)
            stated = None if key.kind == "red_letter" else amount or None
            keys[kind, text] = Key(kind, place, stated, amount, versions.digests(kind, text))
        else:
            said = Text("无法识别的编号。", "This is no identity that can be read.")
            faults.append(FieldError(f"/keys/{position}/value", "key.unreadable", said))
    if not one.keys:
        faults.append(FieldError("/keys", "keys.missing", Text("至少一项。", "At least one key is needed.")))
    return tuple(keys.values()), tuple(faults)


def is_red_letter(one: SupportRecord) -> bool:
    """Whether the record tells of cancelled invoices, and of no support."""
    return any(key.kind == "red_letter" for key in one.keys)


def _red_letter_faults(one: SupportRecord) -> Iterator[FieldError]:
    """What a record of cancelled invoices holds besides, and where it does not say how much is cancelled."""
    if not is_red_letter(one):
        return
    for position, key in enumerate(one.keys):
        if key.kind != "red_letter":
            said = Text("红字发票须单独报送。", "Cancelled invoices are stated in a record of their own.")
            yield FieldError(f"/keys/{position}/kind", "key.mixed", said)
        elif not key.amount:
            said = Text("请填写红冲金额。", "The amount that is cancelled is needed.")
            yield FieldError(f"/keys/{position}/amount", "amount.missing", said)


def _contract(one: SupportRecord, key: SupportKey) -> str:
    return "" if key.provider_uscc is None else canonical_contract(one.enterprise_uscc, key.provider_uscc, key.value)


_IDENTITY: Final[Mapping[str, Callable[[SupportRecord, SupportKey], str]]] = {
    "invoice": lambda _, key: canonical_invoice(key.value),
    "red_letter": lambda _, key: canonical_invoice(key.value),
    "contract": _contract,
    "receipt": lambda _, key: canonical_serial(key.value),
    "document": lambda _, key: key.value.lower(),
}


_COLUMNS: Final = (
    "tenant", "id", "platform", "external_id", "content_mac", "supported_on", "keys", "client_id", "received_at",
    "chunk_id", "red_letter", "seen",
)  # fmt: skip


def _take(
    work: Work, versions: Versions, client_id: str, actor: str, fresh: Sequence[Stated], *, apart: bool
) -> Sequence[Registered | None]:
    """Take the records' keys and store them; ``None`` for those that meet somebody, where they are left ``apart``."""
    meeting = _meeting(work, fresh)
    if not meeting:
        return _take_free(work, versions, client_id, actor, fresh)
    if not apart:
        return _take_carefully(work, versions, client_id, actor, fresh)
    free = [place for place in range(len(fresh)) if place not in meeting]
    taken = _take_free(work, versions, client_id, actor, [fresh[place] for place in free])
    answers: list[Registered | None] = [None] * len(fresh)
    for place, one in zip(free, taken, strict=True):
        answers[place] = one
    return answers


def _meeting(work: Work, fresh: Sequence[Stated]) -> frozenset[int]:
    """The places of the records with a key that the registry knows, or that another of them has; of few all."""
    if len(fresh) < FEW:
        return frozenset(range(len(fresh)))
    digests = [digest for one in fresh for key in one.keys for _, digest in key.digests]
    met = read(work.connection, known_keys(digests)) | shared(digests)
    if not met:
        return frozenset()
    return frozenset(
        place for place, one in enumerate(fresh) if any(digest in met for key in one.keys for _, digest in key.digests)
    )


def _take_free(
    work: Work, versions: Versions, client_id: str, actor: str, fresh: Sequence[Stated]
) -> list[Registered | None]:
    if not fresh:
        return []
    first = fresh[0].record
    chunk = Chunk(new_id(), first.tenant, first.platform, client_id, actor)
    ids = new_ids(len(fresh))
    holders = _holders(versions, fresh, ids)
    keys = [row for one, holder in zip(fresh, holders, strict=True) for row in taken_rows(one.keys, holder)]
    read_all(
        work.connection,
        _insert(chunk, work, ids, fresh),
        take_free_keys(chunk.tenant, chunk.platform, DEFAULT_GROUP, keys),
    )
    change = chunk.change(ids, sum(len(one.keys) for one in fresh), [_leaf(one, None) for one in fresh])
    write_all(work.connection, change_writes(work.connection, [change], work.at))
    return [Registered(201, holder.holder_id, len(one.keys), ()) for one, holder in zip(fresh, holders, strict=True)]


def _insert(chunk: Chunk, work: Work, ids: Sequence[int], fresh: Sequence[Stated]) -> Query[None]:
    """Store the records of a chunk that met nobody."""
    days = [one.record.supported_on.toordinal() - _EPOCH for one in fresh]
    return Query(
        "with stored as (insert into support_record (tenant, id, platform, external_id, content_mac, supported_on, "
        "keys, client_id, received_at, chunk_id, red_letter) select %s, w.id, %s, w.external_id, w.mac, "
        "date '2000-01-01' + w.day::integer, w.keys, %s, %s, %s, w.red_letter = 1 "
        "from unnest(%s, %s, %s, %s, %s, %s) w(id, external_id, mac, day, keys, red_letter)) select 1",
        (
            chunk.tenant, chunk.platform, chunk.client_id, work.at, chunk.id,
            uuids([number.to_bytes(16) for number in ids]),
            texts([one.record.external_id for one in fresh]),
            byteas([one.mac for one in fresh]),
            bigints(days),
            smallints([len(one.keys) for one in fresh]),
            smallints([int(is_red_letter(one.record)) for one in fresh]),
        ),
        lambda _: None,
    )  # fmt: skip


_EPOCH: Final = date(2000, 1, 1).toordinal()


def _take_carefully(
    work: Work, versions: Versions, client_id: str, actor: str, fresh: Sequence[Stated]
) -> list[Registered | None]:
    """Lock the claims that are met and then the keys, and let each record meet who holds them."""
    if not fresh:
        return []
    wanted = [key for one in fresh for key in one.keys]
    first = fresh[0].record
    met = Collisions(work, actor, lock_claims_met(work, wanted, {one.record.tenant for one in fresh}))
    locked = lock_keys(work.connection, {DEFAULT_GROUP: wanted}, list(met.claims))
    chunk, ids = Chunk(new_id(), first.tenant, first.platform, client_id, actor), new_ids(len(fresh))
    taken: list[Registered | None] = []
    looked = []
    for one, holder in zip(fresh, _holders(versions, fresh, ids), strict=True):
        collisions: tuple[dict[str, Json], ...] = ()
        if not locked.is_free(one.keys, holder):
            looked.append((holder, locked.others(one.keys, holder)))
            held = [key for key in one.keys if locked.holders_of(key, holder)]
            collisions = tuple(_collision(locked, key, holder) for key in held if locked.state_of(key, holder).uses)
            met.meet(locked, holder, held)
        locked.take(one.keys, holder)
        taken.append(Registered(201, holder.holder_id, len(one.keys), collisions))
    looks = Looks(looked)
    rows, leaves = [], []
    for one, number in zip(fresh, ids, strict=True):
        record_id = UUID(int=number)
        seen = looks.seen(record_id).get(SEEN)
        rows.append(_row(chunk, work, record_id, one, seen))
        leaves.append(_leaf(one, seen))
    changes = [chunk.change(ids, len(wanted), leaves), *met.changes]
    write_all(
        work.connection,
        (
            Write("support_record", _COLUMNS, rows),
            registry.holding_write(locked.added),
            met.write,
            *looks.writes(client_id, work.at),
            *change_writes(work.connection, changes, work.at),
        ),
    )
    return taken


def _row(chunk: Chunk, work: Work, record_id: UUID, one: Stated, seen: Json) -> tuple[object, ...]:
    record = one.record
    return (
        chunk.tenant, record_id, chunk.platform, record.external_id, one.mac, record.supported_on, len(one.keys),
        chunk.client_id, work.at, chunk.id, is_red_letter(record), seen,
    )  # fmt: skip


def _leaf(one: Stated, seen: Json) -> bytes:
    record = one.record
    return leaf(record.external_id, one.mac, record.supported_on, len(one.keys), is_red_letter(record), seen)


def _holders(versions: Versions, fresh: Sequence[Stated], ids: Sequence[int]) -> list[Holder]:
    enterprises = {uscc: versions.enterprise(uscc) for uscc in {one.record.enterprise_uscc for one in fresh}}
    return [
        _holder(enterprises[one.record.enterprise_uscc], one.record, UUID(int=number))
        for one, number in zip(fresh, ids, strict=True)
    ]


def _holder(enterprise: Mapping[int, bytes], one: SupportRecord, record_id: UUID) -> Holder:
    return Holder(
        holder_id=record_id,
        kind="support",
        tenant=one.tenant,
        scheme=RED_LETTER if is_red_letter(one) else SCHEME,
        platform=one.platform,
        enterprise=enterprise,
        month=f"{one.supported_on:%Y-%m}",
        exclusion_group=DEFAULT_GROUP,
    )


def _collision(locked: Locked, key: Key, holder: Holder) -> dict[str, Json]:
    uses = locked.state_of(key, holder).uses
    other_side: list[Json] = [{"platform": u.platform, "month": u.month, "reference": u.reference} for u in uses]
    return {"kind": key.kind, "place": key.place, "other_side": other_side}
