"""Support records (支持记录): spending that a platform says was subsidised elsewhere takes its keys in the registry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from clearing.claims import registry
from clearing.claims.collisions import Collisions, lock_claims_met
from clearing.claims.free_keys import FEW, known_keys, shared
from clearing.claims.intake import DEFAULT_GROUP
from clearing.claims.keyring import RACED as KEYS_CHANGED
from clearing.claims.keyring import Versions, written_versions
from clearing.claims.probes import SEEN, Looks
from clearing.claims.registry import Holder, Key, Locked, lock_keys
from clearing.claims.support_chunk import Chunk, committed
from clearing.claims.support_columns import Stated, content, enterprises, ready, store
from clearing.claims.support_keys import is_red_letter, keys_stated
from clearing.claims.vault import Vault
from connectors.submission import SupportRecord
from tenants.kernel.arrays import texts
from tenants.kernel.canonical import Json
from tenants.kernel.change import change_writes
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Invalid, Problem
from tenants.kernel.ids import new_id, new_ids
from tenants.kernel.statements import Query, Write, read, read_all, write_all

RACED: Final = frozenset({"support_record_external_id", "registry_key_fen_once", "registry_key_pkey", KEYS_CHANGED})


class Registered(NamedTuple):
    """A support record as stored: 201 new, 200 as it was; ``collisions`` are the keys that others hold already."""

    status: int
    record_id: UUID
    keys: int
    collisions: tuple[dict[str, Json], ...]


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


def register_new(
    work: Work, vault: Vault, client_id: str, actor: str, records: Sequence[SupportRecord]
) -> list[Registered | Problem | None]:
    """The same without a look at what is here: where all are new, as in nearly every chunk of a file, none is needed.

    The database refuses it where one is not (``RACED``, or as a failed serialisation), and :func:`register_free` looks.
    """
    return _register(work, vault, client_id, actor, records, apart=True, looking=False)


def _register(
    work: Work,
    vault: Vault,
    client_id: str,
    actor: str,
    records: Sequence[SupportRecord],
    *,
    apart: bool,
    looking: bool = True,
) -> list[Registered | Problem | None]:
    macs = [vault.content_mac(content(one)) for one in records]
    active, *found = read_all(work.connection, written_versions(), *([_stored(records)] if looking else []))
    before: dict[str, tuple[UUID, bytes, int]] = found[0] if found else {}
    versions, fresh, places = vault.under(active), list[Stated](), dict[str, int]()
    answers: list[Registered | Problem | int | _Repeated] = []
    for one, mac in zip(records, macs, strict=True):
        known, place = before.get(one.external_id), places.get(one.external_id)
        if known is not None:
            answers.append(Registered(200, known[0], known[2], ()) if known[1] == mac else _differs())
        elif place is not None:
            answers.append(_Repeated(place) if fresh[place].mac == mac else _differs())
        else:
            red_letter = is_red_letter(one)
            keys, faults = keys_stated(versions, one, red_letter=red_letter)
            if faults:
                answers.append(_faulty(faults))
                continue
            places[one.external_id] = len(fresh)
            answers.append(len(fresh))
            fresh.append(Stated(one, mac, keys, red_letter))
    taken = _take(work, versions, client_id, actor, fresh, apart=apart, looking=looking)
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


def _stored(records: Sequence[SupportRecord]) -> Query[dict[str, tuple[UUID, bytes, int]]]:
    """What is stored under the records' external ids: id, keyed digest and number of keys."""
    return Query(
        "select external_id, id, content_mac, keys from support_record where platform = any(%s) "
        "and external_id = any(%s)",
        (sorted({one.platform for one in records}), texts([one.external_id for one in records])),
        lambda rows: {external_id: (record_id, bytes(mac), keys) for external_id, record_id, mac, keys in rows},
    )


_COLUMNS: Final = (
    "tenant", "id", "platform", "external_id", "content_mac", "supported_on", "keys", "client_id", "received_at",
    "chunk_id", "red_letter", "seen",
)  # fmt: skip


def _take(
    work: Work,
    versions: Versions,
    client_id: str,
    actor: str,
    fresh: Sequence[Stated],
    *,
    apart: bool,
    looking: bool,
) -> Sequence[Registered | None]:
    """Take the records' keys and store them; ``None`` for those that meet somebody, where they are left ``apart``."""
    meeting = _meeting(work if looking else None, fresh)
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


def _meeting(work: Work | None, fresh: Sequence[Stated]) -> frozenset[int]:
    """The places of the records with a key that the registry knows, or that another of them has; of few all.

    Without ``work`` nobody asks the registry.
    """
    if len(fresh) < FEW:
        return frozenset(range(len(fresh)))
    digests = [digest for one in fresh for key in one.keys for _, digest in key.digests]
    known = frozenset[bytes]() if work is None else read(work.connection, known_keys(digests))
    met = known | shared(digests)
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
    ids = store(work, client_id, actor, ready(versions, fresh))
    return [Registered(201, UUID(int=number), len(one.keys), ()) for one, number in zip(fresh, ids, strict=True)]


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
        leaves.append(one.leaf(seen))
    changes = [chunk.change(ids, len(wanted), committed(leaves)), *met.changes]
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
        chunk.client_id, work.at, chunk.id, one.red_letter, seen,
    )  # fmt: skip


def _holders(versions: Versions, fresh: Sequence[Stated], ids: Sequence[int]) -> list[Holder]:
    digests_of = enterprises(versions, fresh)
    return [
        Holder(
            holder_id=UUID(int=number),
            kind="support",
            tenant=one.record.tenant,
            scheme=one.scheme,
            platform=one.record.platform,
            enterprise=digests_of[one.record.enterprise_uscc],
            month=one.month,
            exclusion_group=DEFAULT_GROUP,
        )
        for one, number in zip(fresh, ids, strict=True)
    ]


def _collision(locked: Locked, key: Key, holder: Holder) -> dict[str, Json]:
    uses = locked.state_of(key, holder).uses
    other_side: list[Json] = [{"platform": u.platform, "month": u.month, "reference": u.reference} for u in uses]
    return {"kind": key.kind, "place": key.place, "other_side": other_side}
