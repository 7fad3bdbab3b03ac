"""Merkle tree hash of RFC 6962 section 2.1 (RFC 9162 keeps it), streamed: log2(n) digests in memory."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root over no leaves at all, as RFC 6962 defines it."""

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    """The digest of one leaf; its prefix keeps a leaf from passing for a node."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The digest of two neighbouring subtrees."""
    return hashlib.sha256(_NODE + left + right).digest()


class MerkleTree:
    """A tree that takes leaves one after another and knows its root at any moment."""

    __slots__ = ("_full", "size")
    size: int

    def __init__(self) -> None:
        self._full: list[bytes] = []
        """Roots of the full subtrees, largest first: one for each bit set in ``size``."""
        self.size = 0

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> "MerkleTree":
        """The tree of leaves that are all there: level by level, in half the time of one after another."""
        sha256 = hashlib.sha256
        level = [sha256(_LEAF + leaf).digest() for leaf in leaves]
        tree = cls()
        tree.size = len(level)
        while level:
            if len(level) & 1:
                tree._full.append(level.pop())
            level = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
        tree._full.reverse()
        return tree

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        digest = leaf_hash(leaf)
        for _ in range(_merges_at(self.size)):
            digest = node_hash(self._full.pop(), digest)
        self._full.append(digest)
        self.size += 1

    def append(self, other: "MerkleTree") -> None:
        """Append all leaves of a tree that was made apart.

        Raises:
            ValueError: its full subtrees are none here, because of how many leaves stand before them.
        """
        left = other.size
        for subtree in other._full:  # noqa: SLF001 - of its own kind
            leaves = 1 << left.bit_length() - 1
            if self.size % leaves:
                raise ValueError("the tree does not fit behind so many leaves")
            digest = subtree
            for _ in range(_merges_at(self.size // leaves)):
                digest = node_hash(self._full.pop(), digest)
            self._full.append(digest)
            self.size += leaves
            left -= leaves

    def root(self) -> bytes:
        """The root over the leaves so far; ``EMPTY_ROOT`` for none."""
        if not self._full:
            return EMPTY_ROOT
        digest = self._full[-1]
        for left in reversed(self._full[:-1]):
            digest = node_hash(left, digest)
        return digest


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over the leaves in their order, 32 bytes."""
    tree = MerkleTree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def root_over(digests: Sequence[bytes]) -> bytes:
    """The root over leaves whose digests are known, level by level: for as many as fit in memory.

    A digest without a neighbour goes up as it is; that is the tree of RFC 6962, whose left side is always full.
    """
    level = list(digests)
    sha256 = hashlib.sha256
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        alone = level[-1:] if len(level) & 1 else []
        level = [sha256(_NODE + left + right).digest() for left, right in pairs]
        level += alone
    return level[0] if level else EMPTY_ROOT


def inclusion_proof(leaves: Iterable[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings on the way from leaf ``index`` (from 0) up to the root, lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    proof: list[bytes] = []
    full: list[tuple[bytes, bool]] = []
    size = 0
    for size, leaf in enumerate(leaves, start=1):
        node = (leaf_hash(leaf), size - 1 == index)
        for _ in range(_merges_at(size - 1)):
            node = _join(full.pop(), node, proof)
        full.append(node)
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    node = full.pop()
    while full:
        node = _join(full.pop(), node, proof)
    return tuple(proof)


def proves_inclusion(leaf: bytes, index: int, size: int, proof: Iterable[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows that ``leaf`` stands at ``index`` (from 0) of the ``size`` leaves under ``root``.

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    digest, place, last = leaf_hash(leaf), index, size - 1
    siblings: Iterator[bytes] = iter(proof)
    for sibling in siblings:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(sibling, digest)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def _merges_at(size: int) -> int:
    """How many full subtrees the leaf after ``size`` others completes: the ones at the low end of ``size``."""
    return (size ^ (size + 1)).bit_length() - 1


def _join(left: tuple[bytes, bool], right: tuple[bytes, bool], proof: list[bytes]) -> tuple[bytes, bool]:
    """The parent of two subtrees; the sibling of the one that holds the wanted leaf goes into ``proof``."""
    if left[1]:
        proof.append(right[0])
    elif right[1]:
        proof.append(left[0])
    return node_hash(left[0], right[0]), left[1] or right[1]
