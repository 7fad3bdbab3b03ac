"""Keys that nobody holds, taken by the thousand: what nearly every record of an import does (P3).

A key that anybody ever held is taken the careful way, in :mod:`clearing.claims.registry`. Which ones those are is asked
first; the database makes sure of it, and whoever lost a race begins again.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from clearing.claims.registry import Holder, Key
from tenants.kernel.arrays import bigints, byteas, smallints, texts, uuids
from tenants.kernel.statements import Query, bytea_array

FEW: Final = 20
"""Below so many records a statement for columns gains nothing."""

Taken = tuple[bytes, str, int, bytes, bytes, str, str, int, int | None]
"""Digest, kind and version of the key; id, enterprise, scheme and month of the holder; fen claimed and stated."""


def known_keys(digests: Iterable[bytes]) -> Query[frozenset[bytes]]:
    """Which of the digests the registry has ever had."""
    return Query(
        "select digest from registry_key where digest = any(%s::bytea[])",
        (bytea_array(sorted(digests)),),
        lambda rows: frozenset(bytes(row[0]) for row in rows),
    )


def shared(digests: Iterable[bytes]) -> frozenset[bytes]:
    """Digests that come more than once: the second meets the first."""
    listed = list(digests)
    if len(set(listed)) == len(listed):
        return frozenset()
    return frozenset(digest for digest, times in Counter(listed).items() if times > 1)


def taken_rows(keys: Iterable[Key], holder: Holder) -> list[Taken]:
    """The keys as one holder takes them."""
    held_by = holder.holder_id.bytes
    return [
        (
            digest, key.kind, version, held_by, holder.enterprise[version], holder.scheme, holder.month,
            key.claimed.fen, None if key.stated is None else key.stated.fen,
        )
        for key in keys
        for version, digest in key.digests
    ]  # fmt: skip


def take_free_keys(tenant: str, platform: str, group: str, rows: Sequence[Taken]) -> Query[int]:
    """Take the keys, each once, for holders of one tenant that were stated by one platform.

    The database refuses it as a failed serialisation where one of the keys is known by now: the transaction begins
    again, and finds it.
    """
    digests, kinds, versions, holders, enterprises, schemes, months, claimed, stated = zip(*sorted(rows), strict=True)
    return Query(
        "select take_free_keys(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            tenant, platform, group, byteas(digests), texts(kinds), smallints(versions), uuids(holders),
            byteas(enterprises), texts(schemes), texts(months), bigints(claimed), bigints(stated),
        ),
        lambda rows: int(rows[0][0]),
    )  # fmt: skip
