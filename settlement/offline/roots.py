"""The Merkle root (RFC 6962 section 2.1) over sealed items, recomputed level by level from what was paid."""

import hashlib
from array import array
from itertools import pairwise
from typing import Final

_DIGEST_BYTES: Final = 32


class Leaves:
    """The items of a batch as they turn up, in any order; forty bytes each."""

    def __init__(self) -> None:
        self._positions = array("Q")
        self._digests = bytearray()

    def extend(self, positions: bytes, digests: bytes) -> None:
        """Note items: their positions (unsigned 64-bit numbers of this machine), and each one's :func:`leaf_digest`."""
        self._positions.frombytes(positions)
        self._digests += digests

    def __len__(self) -> int:
        return len(self._positions)

    def repeated(self) -> int | None:
        """A position that two items have, if there is one."""
        ordered = sorted(self._positions)
        return next((one for one, other in pairwise(ordered) if one == other), None)

    def root(self) -> bytes:
        """The root over the items in the order of their positions."""
        if not self._positions:
            return hashlib.sha256(b"").digest()
        level = self._digests
        if any(later < earlier for earlier, later in pairwise(self._positions)):
            level = bytearray()
            for at in sorted(range(len(self._positions)), key=self._positions.__getitem__):
                level += self._digests[_DIGEST_BYTES * at : _DIGEST_BYTES * (at + 1)]
        while len(level) > _DIGEST_BYTES:
            above = bytearray()
            for start in range(0, len(level), 2 * _DIGEST_BYTES):
                pair = level[start : start + 2 * _DIGEST_BYTES]
                above += hashlib.sha256(b"\x01" + pair).digest() if len(pair) > _DIGEST_BYTES else pair
            level = above
        return bytes(level)


def leaf_digest(leaf: bytes) -> bytes:
    """The digest of an item's canonical bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()
