"""Keys that nobody holds, taken by the thousand: what nearly every record of an import does (P3).

A key that anybody ever held is taken the careful way, in :mod:`clearing.claims.registry`. Which ones those are is asked
first; the database makes sure of it, and whoever lost a race begins again.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final

from clearing.claims.registry import Key
from tenants.kernel.arrays import Column, Uuids, bigints, byteas, smallints, texts
from tenants.kernel.statements import Query

FEW: Final = 20
"""Below so many records a statement for columns gains nothing."""

KeyColumns = tuple[Column, ...]
"""Digests, kinds and versions of keys; enterprises, schemes and months of their holders; fen claimed and stated."""
Holding = tuple[int, Iterable[Key], Mapping[int, bytes], str, str]
"""A holder's place, its keys, its enterprise's digest by version, its scheme and its month."""


def known_keys(digests: Iterable[bytes]) -> Query[frozenset[bytes]]:
    """Which of the digests the registry has ever had."""
    return Query(
        "select digest from registry_key where digest = any(%s)",
        (byteas(sorted(digests)),),
        lambda rows: frozenset(bytes(row[0]) for row in rows),
    )


def shared(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Digests that come more than once: the second meets the first."""
    listed = list(digests)
    if len(set(listed)) == len(listed):
        return frozenset()
    return frozenset(digest for digest, times in Counter(listed).items() if times > 1)


def key_columns(holdings: Iterable[Holding]) -> tuple["array[int]", KeyColumns]:
    """The keys that are taken, at least one, ordered by digest: the places of their holders, and the rest."""
    rows = [
        (
            digest, key.kind, version, place, enterprise[version], scheme, month,
            key.claimed.fen, None if key.stated is None else key.stated.fen,
        )
        for place, keys, enterprise, scheme, month in holdings
        for key in keys
        for version, digest in key.digests
    ]  # fmt: skip
    rows.sort(key=itemgetter(0))
    digests, kinds, versions, places, enterprises, schemes, months, claimed, stated = zip(*rows, strict=True)
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
