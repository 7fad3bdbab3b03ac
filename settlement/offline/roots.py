"""The Merkle root (RFC 6962 section 2.1) over sealed items, recomputed level by level from what was paid."""

import hashlib
from array import array
from itertools import pairwise
from typing import Final

_DIGEST_BYTES: Final = 32
_PAIR_BYTES: Final = 2 * _DIGEST_BYTES
_PART_BYTES: Final = 1024 * _PAIR_BYTES
"""Of a level, whose nodes are made at one go and put where the first of them stood."""


class Leaves:
    """The items of a batch as they turn up, in any order; forty bytes each, and no more to find their root."""

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
        return repeated(self._positions)

    def root(self) -> bytes:
        """The root over the items in the order of their positions; afterwards only they are known."""
        if not self._positions:
            return hashlib.sha256(b"").digest()
        if any(later < earlier for earlier, later in pairwise(self._positions)):
            self._put_in_order()
        level, self._digests = self._digests, bytearray()
        while len(level) > _DIGEST_BYTES:
            end = 0
            for start in range(0, len(level), _PART_BYTES):
                above = _above(bytes(level[start : start + _PART_BYTES]))
                level[end : end + len(above)] = above
                end += len(above)
            del level[end:]
        return bytes(level)

    def _put_in_order(self) -> None:
        found, count = self._digests, len(self._positions)
        if repeated(self._positions) is None and max(self._positions) == count and min(self._positions):
            ordered = bytearray(len(found))
            for at, position in enumerate(self._positions):
                to, begin = _DIGEST_BYTES * (position - 1), _DIGEST_BYTES * at
                ordered[to : to + _DIGEST_BYTES] = found[begin : begin + _DIGEST_BYTES]
        else:
            ordered = bytearray()
            for at in sorted(range(count), key=self._positions.__getitem__):
                ordered += found[_DIGEST_BYTES * at : _DIGEST_BYTES * (at + 1)]
        self._digests = ordered


_PARTS: Final = 16


def repeated(numbers: "array[int]") -> int | None:
    """A number that stands twice among these, if there is one; a part of them is sorted at a time."""
    if all(earlier < later for earlier, later in pairwise(numbers)):
        return None
    for part in range(_PARTS):
        ordered = sorted([number for number in numbers if number % _PARTS == part])
        for one, other in pairwise(ordered):
            if one == other:
                return one
    return None


def _above(level: bytes) -> bytes:
    """The nodes above a part of a level that begins with a pair; one without a partner stands for itself."""
    paired = len(level) - len(level) % _PAIR_BYTES
    nodes = [
        hashlib.sha256(b"\x01" + level[start : start + _PAIR_BYTES]).digest() for start in range(0, paired, _PAIR_BYTES)
    ]
    return b"".join(nodes) + level[paired:]


def leaf_digest(leaf: bytes) -> bytes:
    """The digest of an item's canonical bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()
