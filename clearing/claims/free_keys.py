"""Keys that nobody holds, taken by the thousand: what nearly every record of an import does (P3).

A key that anybody ever held is taken the careful way, in :mod:`clearing.claims.registry`. Which ones those are is asked
first; the database makes sure of it, and whoever lost a race begins again.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from tenants.kernel.arrays import Column, Uuids, bigints, byteas, smallints, texts
from tenants.kernel.statements import Query

FEW: Final = 20
"""Below so many records a statement for columns gains nothing."""

KeyColumns = tuple[Column, ...]
"""Digests, kinds and versions of keys; enterprises, schemes and months of their holders; fen claimed and stated."""


class Holdings(NamedTuple):
    """Keys that are taken, a column each: of each key the place of its holder among those that are stored with it."""

    digests: Sequence[bytes]
    kinds: Sequence[str]
    versions: Sequence[int]
    places: Sequence[int]
    enterprises: Sequence[bytes]
    schemes: Sequence[str]
    months: Sequence[str]
    claimed_fen: Sequence[int]
    stated_fen: Sequence[int | None]


def known_keys(digests: Iterable[bytes]) -> Query[frozenset[bytes]]:
    """Which of the digests the registry has ever had: of a whole run of an import, by whatever way the planner finds.

    It names so many that reading a young registry from end to end is the quickest way indeed.
    """
    return _known("select digest from registry_key where digest = any(%s)", digests)


def known_keys_of_chunk(digests: Iterable[bytes]) -> Query[frozenset[bytes]]:
    """The same of a chunk of claims: each digest is looked up by its key (``limit 1``).

    By the planner's costs a registry of up to some 200,000 keys would be read from end to end for each chunk.
    """
    return _known(
        "select w.digest from unnest(%s::bytea[]) w (digest) cross join lateral ("
        "select 1 from registry_key where digest = w.digest limit 1) k",
        digests,
    )


def _known(statement: str, digests: Iterable[bytes]) -> Query[frozenset[bytes]]:
    return Query(statement, (byteas(sorted(digests)),), lambda rows: frozenset(bytes(row[0]) for row in rows))


def shared(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Digests that come more than once: the second meets the first."""
    listed = list(digests)
    if len(set(listed)) == len(listed):
        return frozenset()
    return frozenset(digest for digest, times in Counter(listed).items() if times > 1)


def key_columns(holdings: Holdings) -> tuple["array[int]", KeyColumns]:
    """The keys that are taken, at least one, ordered by digest: the places of their holders, and the rest."""
    ordered = sorted(range(len(holdings.digests)), key=holdings.digests.__getitem__)
    in_order = itemgetter(*ordered) if len(ordered) > 1 else tuple
    digests, kinds, versions, places, enterprises, schemes, months, claimed, stated = map(in_order, holdings)
    return array("I", places), (
        byteas(digests), texts(kinds), smallints(versions), byteas(enterprises), texts(schemes), texts(months),
        bigints(claimed), bigints(stated),
    )  # fmt: skip


def take_free_keys(tenant: str, platform: str, group: str, holders: Uuids, keys: KeyColumns) -> Query[int]:
    """Take the keys, each once, for holders of one tenant that were stated by one platform.

    The database refuses it as a failed serialisation where one of the keys is known by now: the transaction begins
    again, and finds it.
    """
    digests, kinds, versions, *rest = keys
    return Query(
        "select take_free_keys(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (tenant, platform, group, digests, kinds, versions, holders, *rest),
        lambda rows: int(rows[0][0]),
    )
