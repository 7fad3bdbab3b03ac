"""The keys of a bulk's claims: those that nobody holds are taken as they are locked, the others are locked only.

Nearly every key that comes is one that nobody ever held and that no other claim of the chunk states. Which ones those
are is asked first. They are then taken in the one pass, in the order of the digests, in which all keys are locked:
their heads come with their sums, and nothing is counted again. A claim that by its verdict holds no keys gives them
back. The database refuses it where a key that was thought free is known by now: the transaction begins again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from clearing.claims.case import Drawn
from clearing.claims.facts import KeyState
from clearing.claims.free_keys import FEW, shared
from clearing.claims.probes import Others
from clearing.claims.registry import NOBODY, Holder, Key, fits_alone, state_of_free
from tenants.kernel.arrays import cells
from tenants.kernel.statements import Query

TAKEN_MEANWHILE: Final = "registry_key_pkey"
"""The constraint that is broken where somebody else took one of the keys first."""
_KINDS: Final = (
    "bytea", "text", "text", "smallint", "uuid", "bytea", "text", "text", "bigint", "bigint",
)  # fmt: skip


@dataclass(slots=True)
class FreeKeys:
    """The keys of the claims that were free, and are taken: it answers as the locked registry would."""

    holders: frozenset[UUID] = frozenset()
    kept: set[UUID] = field(default_factory=set)
    told: dict[UUID, tuple[KeyState, ...]] = field(default_factory=dict)

    def states_of(self, keys: Sequence[Key], holder: Holder) -> tuple[KeyState, ...]:
        """What the registry says of each key: nobody else holds it. Asked again, it says the very same."""
        told = self.told.get(holder.holder_id)
        if told is None:
            told = self.told[holder.holder_id] = tuple([state_of_free(key) for key in keys])
        return told

    def others(self, _keys: Sequence[Key], _holder: Holder) -> Others:
        """What the holder is told of other tenants' keys."""
        return NOBODY

    def take(self, _keys: Sequence[Key], holder: Holder) -> None:
        """Let the holder keep its keys."""
        self.kept.add(holder.holder_id)

    def given_back(self) -> list[UUID]:
        """The holders that keep nothing."""
        return sorted(self.holders - self.kept)


def asks_first(drawn: Sequence[Drawn]) -> bool:
    """Whether it is worth asking which keys anybody ever held; what a correction held until now is locked with care."""
    return len(drawn) >= FEW and all(one.case.earlier is None for one in drawn)


def digests_of(drawn: Sequence[Drawn]) -> list[bytes]:
    """The digests of all keys of the cases."""
    return [digest for one in drawn for key in one.keys for _, digest in key.digests]


def free_cases(drawn: Sequence[Drawn], known: frozenset[bytes]) -> frozenset[UUID]:
    """The new claims whose keys are all free, and no other's in the chunk, and suffice for what they claim.

    ``known`` are the digests that the registry has ever had, in whatever exclusion group.
    """
    met = known | shared(digests_of(drawn))
    return frozenset([one.case.claim_id for one in drawn if _are_free(one.keys, met)])


def _are_free(keys: Sequence[Key], met: frozenset[bytes]) -> bool:
    for key in keys:
        if not fits_alone(key):
            return False
        for _, digest in key.digests:
            if digest in met:
                return False
    return True


def take_keys(tenant: str, platform: str, drawn: Sequence[Drawn], free: frozenset[UUID]) -> Query[None]:
    """Lock the keys of all cases, and take those of the free ones."""
    locked, rows = set[tuple[bytes, str, str, int]](), list[tuple[Any, ...]]()
    for one in drawn:
        holder = one.holder
        group = holder.exclusion_group
        if one.case.claim_id not in free:
            locked.update((digest, group, key.kind, version) for key in one.keys for version, digest in key.digests)
            continue
        holder_id, enterprise, scheme, month = holder.holder_id, holder.enterprise, holder.scheme, holder.month
        for kind, _, stated, claimed, digests in one.keys:
            sums = claimed.fen, None if stated is None else stated.fen
            for version, digest in digests:
                rows.append((digest, group, kind, version, holder_id, enterprise[version], scheme, month, *sums))
    rows += [(*head, None, None, None, None, None, None) for head in locked]
    rows.sort(key=itemgetter(0, 1))
    columns = zip(*rows, strict=True) if rows else [()] * len(_KINDS)
    arrays = [cells(kind, column) for kind, column in zip(_KINDS, columns, strict=True)]
    slots = ", ".join(f"%s::{kind}[]" for kind in _KINDS)
    return Query(f"select take_keys('claim', %s, %s, {slots})", (tenant, platform, *arrays), lambda _: None)
