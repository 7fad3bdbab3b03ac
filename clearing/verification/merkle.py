"""The Merkle tree hash of RFC 6962, section 2.1, by its definition, level by level."""

import hashlib
from collections.abc import Iterable
from typing import Final

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def tree_hash(leaves: Iterable[bytes]) -> str:
    """The root over the leaves in their order, as hexadecimal digits.

    Digests wait at their level until a neighbour comes; at the end the ones that wait are joined from the lowest up.
    """
    levels: list[bytes | None] = []
    for leaf in leaves:
        digest = hashlib.sha256(_LEAF + leaf).digest()
        for level, left in enumerate(levels):
            if left is None:
                levels[level] = digest
                break
            digest = _join(left, digest)
            levels[level] = None
        else:
            levels.append(digest)
    root: bytes | None = None
    for waiting in levels:
        if waiting is not None:
            root = waiting if root is None else _join(waiting, root)
    return (hashlib.sha256(b"").digest() if root is None else root).hex()


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
