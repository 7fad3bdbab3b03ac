"""The blind registry: which live claim or support record holds which fen of which identity, across all tenants.

Heads (``registry_key``) are locked in the order of their digests before anything is decided; what is decided is written
as holdings, whose sums the database keeps and checks. See ``dedup.md`` and invariants I4, I5 and I24.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.errors import CheckViolation
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from clearing.claims.facts import EarlierUse, KeyState
from clearing.claims.fingerprint import Identity
from tenants.kernel.arrays import cells
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import Query, Write, bytea_array, read_all

Digests = Callable[[str, str], tuple[tuple[int, bytes], ...]]
"""The version and digest of a kind's text under every version of the key that is written."""
GUARDED: Final = frozenset({"invoice", "receipt"})
"""Kinds whose fen are counted against a face total."""
USES_TOLD: Final = 20
"""Of a key in very many hands a holder is told so many of each sort: what is kept of it does not grow with them all."""
RED_LETTER: Final = "red-letter"
"""The scheme of a holder that uses nothing: it keeps the fen that a red-letter invoice (红字发票) has cancelled."""


class Key(NamedTuple):
    """One identity of a submission with its digests: one an alias and active key version."""

    kind: str
    place: str
    stated: Money | None
    claimed: Money
    digests: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Holder:
    """Who takes keys: a claim or a support record of a tenant's scheme, stated by a platform."""

    holder_id: UUID
    kind: str
    tenant: str
    scheme: str
    platform: str
    enterprise: Mapping[int, bytes]
    """The enterprise's digest by version of the key; of a holder that was read, each holding has its own."""
    month: str
    exclusion_group: str

    def same_programme(self, other: "Holder") -> bool:
        """Whether both are of one tenant's scheme, stated through one platform."""
        return (self.tenant, self.scheme, self.platform) == (other.tenant, other.scheme, other.platform)


class Holding(NamedTuple):
    """One live holder's hold on one digest."""

    digest: bytes
    enterprise_digest: bytes
    holder: Holder
    status: str
    claimed: Money
    stated: Money | None

    def is_of_enterprise(self, holder: Holder) -> bool:
        """Whether both are one enterprise's."""
        return self.enterprise_digest in holder.enterprise.values()

    def cancels_for(self, holder: Holder) -> bool:
        """Whether it stands for a red-letter invoice of that one's enterprise, not for a use."""
        return self.holder.scheme == RED_LETTER and self.is_of_enterprise(holder)


@dataclass(slots=True)
class Locked:
    """The locked part of the registry, as it stands and as this transaction changes it."""

    holdings: dict[tuple[bytes, str], list[Holding]] = field(default_factory=lambda: defaultdict(list))
    added: list[Holding] = field(default_factory=list)

    def state_of(self, key: Key, holder: Holder) -> KeyState:
        """What the registry says of one key to this holder."""
        others = self._others(key, holder)
        cancelling = [one for one in others if one.cancels_for(holder)]
        uses = [one for one in others if not one.cancels_for(holder)]
        stated = [h.stated for h in uses if h.stated is not None] + ([] if key.stated is None else [key.stated])
        return KeyState(
            kind=key.kind,
            place=key.place,
            counted=min(stated, default=ZERO),
            taken=self._taken(key, holder, others),
            claimed=key.claimed,
            amount_conflict=key.kind == "invoice" and len(set(stated)) > 1,
            uses=tuple(
                EarlierUse(
                    same_enterprise=h.is_of_enterprise(holder),
                    same_programme=h.holder.same_programme(holder),
                    platform=h.holder.platform,
                    month=h.holder.month,
                    reference=str(h.holder.holder_id),
                )
                for h in _told(uses, holder)
            ),
            cancelled=self._taken(key, holder, cancelling),
        )

    def states_of(self, keys: Sequence[Key], holder: Holder) -> tuple[KeyState, ...]:
        """What the registry says of each key to this holder."""
        if self.is_free(keys, holder):
            return tuple([state_of_free(key) for key in keys])
        return tuple([self.state_of(key, holder) for key in keys])

    def is_free(self, keys: Iterable[Key], holder: Holder) -> bool:
        """Whether nobody at all holds any of the keys, as is so of nearly every key that comes."""
        held, group = self.holdings, holder.exclusion_group
        for key in keys:
            for _, digest in key.digests:
                if held.get((digest, group)):
                    return False
        return True

    def holders(self) -> dict[UUID, Holder]:
        """Everybody who holds any of the locked keys."""
        return {h.holder.holder_id: h.holder for holdings in self.holdings.values() for h in holdings}

    def holders_of(self, key: Key, holder: Holder) -> list[Holder]:
        """Who else holds the key, each once, under however many versions and aliases."""
        return list({one.holder.holder_id: one.holder for one in self._others(key, holder)}.values())

    def of_enterprise(self, key: Key, holder: Holder) -> frozenset[UUID]:
        """Which of those who also hold the key are the holder's own enterprise's."""
        return frozenset(h.holder.holder_id for h in self._others(key, holder) if h.is_of_enterprise(holder))

    def give_way(self, key: Key, holder: Holder, to: frozenset[UUID]) -> list[Holding]:
        """Let what these holders have taken of the key be contended for: money paid elsewhere goes before."""
        given = []
        for _, digest in key.digests:
            held = self.holdings[digest, holder.exclusion_group]
            for position, holding in enumerate(held):
                if holding.holder.holder_id in to and holding.status == "taken":
                    held[position] = holding._replace(status="contending")
                    given.append(held[position])
        return given

    def drop(self, holder_id: UUID) -> None:
        """Forget a holder whose keys were released."""
        for held in self.holdings.values():
            held[:] = [one for one in held if one.holder.holder_id != holder_id]

    def fits(self, key: Key, holder: Holder) -> bool:
        """Whether the fen that the holder wants are free."""
        return self._fits(key, holder)

    def others(self, keys: Iterable[Key], holder: Holder) -> frozenset[tuple[str, str, UUID]]:
        """What the holder is told of other tenants' keys: their tenant, the key's kind, their claim or record."""
        if self.is_free(keys, holder):
            return NOBODY
        return frozenset(
            (other.holder.tenant, key.kind, other.holder.holder_id)
            for key in keys
            for other in _told(self._others(key, holder), holder)
            if other.holder.tenant != holder.tenant
        )

    def take(self, keys: Sequence[Key], holder: Holder) -> None:
        """Let the holder hold the keys: *taken* where the fen are free, else *contending* until a person decides."""
        group = holder.exclusion_group
        free = self.is_free(keys, holder)
        for key in keys:
            status = "taken" if (fits_alone(key) if free else self._fits(key, holder)) else "contending"
            for version, digest in key.digests:
                holding = Holding(digest, holder.enterprise[version], holder, status, key.claimed, key.stated)
                self.holdings[digest, group].append(holding)
                self.added.append(holding)

    def _fits(self, key: Key, holder: Holder) -> bool:
        if key.kind not in GUARDED:
            return True
        others = [h for h in self._others(key, holder) if h.status == "taken"]
        stated = [one.stated for one in others if one.stated is not None]
        counted = min(stated if key.stated is None else [*stated, key.stated], default=None)
        if counted is None:
            return True
        return self._taken(key, holder, others) + key.claimed <= counted

    def _taken(self, key: Key, holder: Holder, others: Sequence[Holding]) -> Money:
        """The fen that others hold: the most of any alias; under a contract, what its own programme invoiced."""
        by_digest: dict[bytes, int] = defaultdict(int)
        for holding in others:
            if key.kind != "contract" or holding.holder.same_programme(holder):
                by_digest[holding.digest] += holding.claimed.fen
        return Money(max(by_digest.values(), default=0))

    def _others(self, key: Key, holder: Holder) -> list[Holding]:
        return [
            holding
            for _, digest in key.digests
            for holding in self.holdings.get((digest, holder.exclusion_group), ())
            if holding.holder.holder_id != holder.holder_id
        ]


def state_of_free(key: Key) -> KeyState:
    """What the registry says of a key that nobody holds."""
    counted = ZERO if key.stated is None else key.stated
    return KeyState(key.kind, key.place, counted, ZERO, key.claimed, amount_conflict=False)


def fits_alone(key: Key) -> bool:
    """Whether the key, which nobody else holds, has the fen that are claimed of it."""
    return key.kind not in GUARDED or key.stated is None or key.claimed <= key.stated


NOBODY: Final[frozenset[tuple[str, str, UUID]]] = frozenset()
"""What a holder is told whose keys nobody else holds."""


def _told(others: Iterable[Holding], holder: Holder) -> list[Holding]:
    """Those of whom the holder is told, each once, the oldest first: of one sort at most :data:`USES_TOLD`."""
    told: dict[tuple[bool, bool], dict[UUID, Holding]] = defaultdict(dict)
    for one in sorted(others, key=lambda one: one.holder.holder_id):
        sort = told[one.is_of_enterprise(holder), one.holder.same_programme(holder)]
        if len(sort) < USES_TOLD:
            sort[one.holder.holder_id] = one
    chosen = {holder_id: one for sort in told.values() for holder_id, one in sort.items()}
    return [chosen[holder_id] for holder_id in sorted(chosen)]


def keys_of(identities: Iterable[Identity], digests: Digests) -> tuple[Key, ...]:
    """The identities as keys, one a place: the aliases of one invoice are one key with several digests."""
    by_place: dict[tuple[str, str], Key] = {}
    for identity in identities:
        kind, at = identity.kind, (identity.kind, identity.place)
        found, first = digests(kind, identity.text), by_place.get(at)
        by_place[at] = (
            Key(*at, identity.total, identity.claimed, found)
            if first is None
            else first._replace(digests=first.digests + found)
        )
    return tuple(by_place.values())


def key_queries(
    wanted: Mapping[str, Sequence[Key]], corrected: Sequence[UUID] = ()
) -> tuple[Query[None], Query[Locked]]:
    """Lock the keys of each exclusion group, making the heads that are not there yet, and read who holds them.

    One statement locks in the order of the digests, a second reads: its snapshot is newer than any lock waited for.
    What ``corrected`` holders hold until now is locked with them, since it will be released.
    """
    heads = sorted(
        {
            (digest, group, key.kind, version)
            for group, keys in wanted.items()
            for key in keys
            for version, digest in key.digests
        }
    )
    digests, groups, kinds, versions = zip(*heads, strict=True) if heads else ((), (), (), ())
    also = (_HELD, (list(corrected),)) if corrected else ("", ())
    lock: Query[None] = Query(
        "with locked as (insert into registry_key (digest, exclusion_group, kind, key_version) select * from ("  # noqa: S608
        "select unnest(%s::bytea[]) as digest, unnest(%s::text[]) as grp, unnest(%s::text[]), unnest(%s::smallint[])"
        f"{also[0]}) as heads order by digest, grp on conflict (digest, exclusion_group) "
        "do update set key_version = registry_key.key_version returning 1) select count(*) from locked",
        (
            cells("bytea", digests), cells("text", groups), cells("text", kinds), cells("smallint", versions),
            *also[1],
        ),
        lambda _: None,
    )  # fmt: skip
    return lock, holdings_of(digests)


def holdings_of(digests: Sequence[bytes]) -> Query[Locked]:
    """Who holds these digests, whose heads are locked; each is looked up by its key (``offset 0``)."""
    return Query(_HOLDINGS, (cells("bytea", sorted(set(digests))),), _locked)


_HELD: Final = (
    " union select k.digest, k.exclusion_group, k.kind, k.key_version from registry_holding h "
    "join registry_key k using (digest, exclusion_group) where h.holder_id = any(%s)"
)


def lock_keys(connection: Connection, wanted: Mapping[str, Sequence[Key]], met: Sequence[UUID] = ()) -> Locked:
    """Lock the keys, and those that the holders ``met`` have, and read who holds them: see :func:`key_queries`."""
    locked: Locked = read_all(connection, *key_queries(wanted, met))[1]
    return locked


def _locked(rows: Sequence[Any]) -> Locked:
    locked = Locked()
    for row in rows:
        holding = _holding(row)
        locked.holdings[holding.digest, holding.holder.exclusion_group].append(holding)
    return locked


def holding_write(holdings: Sequence[Holding]) -> Write:
    """The holdings as rows to be written; the database refuses any fen taken twice."""
    return Write(
        "registry_holding",
        (
            "digest", "exclusion_group", "holder_id", "holder_kind", "tenant", "scheme", "platform",
            "enterprise_digest", "month", "status", "claimed_fen", "stated_fen",
        ),
        [
            (
                h.digest, h.holder.exclusion_group, h.holder.holder_id, h.holder.kind, h.holder.tenant, h.holder.scheme,
                h.holder.platform, h.enterprise_digest, h.holder.month, h.status, h.claimed.fen,
                None if h.stated is None else h.stated.fen,
            )
            for h in holdings
        ],
        kinds=(
            "bytea", "text", "uuid", "text", "text", "text", "text", "bytea", "text", "text", "bigint", "bigint",
        ),
    )  # fmt: skip


def release(connection: Connection, holder_ids: Sequence[UUID]) -> None:
    """Free every key of the holders."""
    if not holder_ids:
        return
    lock_keys_of(connection, holder_ids)
    connection.exec_driver_sql("delete from registry_holding where holder_id = any(%s)", (list(holder_ids),))


def take_contended(connection: Connection, holder_id: UUID) -> bool:
    """Turn what the holder contends for into what it holds; ``False`` (and nothing done) where fen are still taken."""
    lock_keys_of(connection, [holder_id])
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(
                "update registry_holding set status = 'taken' where holder_id = %s and status = 'contending'",
                (holder_id,),
            )
    except IntegrityError as error:
        if isinstance(error.orig, CheckViolation):
            return False
        raise
    return True


def contend(connection: Connection, holdings: Sequence[Holding]) -> None:
    """Store that these holdings, whose keys are locked, are contended for."""
    connection.exec_driver_sql(
        "update registry_holding h set status = 'contending' from unnest(%s::bytea[], %s::text[], %s::uuid[]) "
        "as given(digest, exclusion_group, holder_id) where h.digest = given.digest "
        "and h.exclusion_group = given.exclusion_group and h.holder_id = given.holder_id",
        (
            [one.digest for one in holdings],
            [one.holder.exclusion_group for one in holdings],
            [one.holder.holder_id for one in holdings],
        ),
    )


def claims_on(connection: Connection, digests: Sequence[bytes]) -> list[tuple[UUID, str]]:
    """The claims that hold any of the digests now, with their tenants; nothing is locked."""
    rows = connection.exec_driver_sql(
        "select distinct holder_id, tenant from registry_holding where digest = any(%s::bytea[]) "
        "and holder_kind = 'claim'",
        (bytea_array(digests),),
    )
    return [(holder_id, tenant) for holder_id, tenant in rows]


def lock_keys_of(connection: Connection, holder_ids: Sequence[UUID]) -> None:
    """Lock every key that the holders hold, in the order of the digests."""
    connection.exec_driver_sql(
        "select 1 from registry_key k where (k.digest, k.exclusion_group) in ("
        "select h.digest, h.exclusion_group from registry_holding h where h.holder_id = any(%s)) "
        "order by k.digest, k.exclusion_group for no key update",
        (list(holder_ids),),
    )


_HOLDINGS: Final = (
    "select h.* from unnest(%s::bytea[]) w (digest) cross join lateral ("
    "select digest, exclusion_group, holder_id, holder_kind, tenant, scheme, platform, enterprise_digest, month, "
    "status, claimed_fen, stated_fen from registry_holding where digest = w.digest offset 0) h"
)


def _holding(
    row: tuple[bytes, str, UUID, str, str, str, str, bytes, str, str, int, int | None],
) -> Holding:
    digest, group, holder_id, kind, tenant, scheme, platform, enterprise, month, status, claimed_fen, stated_fen = row
    holder = Holder(holder_id, kind, tenant, scheme, platform, {}, month, group)
    stated = None if stated_fen is None else Money(stated_fen)
    return Holding(bytes(digest), bytes(enterprise), holder, status, Money(claimed_fen), stated)
