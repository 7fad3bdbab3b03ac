"""The Merkle tree against RFC 6962's own definition and published roots."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.signatures.merkle import (
    EMPTY_ROOT,
    MerkleTree,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    proves_inclusion,
    root_over,
)

LEAVES = st.lists(st.binary(max_size=8), max_size=70)

CERTIFICATE_TRANSPARENCY_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The test vectors of the certificate-transparency reference implementation."""
CERTIFICATE_TRANSPARENCY_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_root_is_that_of_the_published_vectors(size: int) -> None:
    assert merkle_root(CERTIFICATE_TRANSPARENCY_LEAVES[:size]).hex() == CERTIFICATE_TRANSPARENCY_ROOTS[size - 1]


@given(LEAVES)
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == by_definition(leaves)


def test_an_empty_batch_has_the_root_of_nothing() -> None:
    assert merkle_root([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_the_root_is_known_after_every_leaf() -> None:
    tree, leaves = MerkleTree(), [bytes([number]) for number in range(33)]
    for size, leaf in enumerate(leaves, start=1):
        tree.add(leaf)
        assert tree.size == size
        assert tree.root() == by_definition(leaves[:size])


@given(LEAVES.filter(len), st.data())
def test_every_leaf_is_proved_where_it_stands_and_nowhere_else(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, proof = merkle_root(leaves), inclusion_proof(leaves, index)
    assert proves_inclusion(leaves[index], index, len(leaves), proof, root)
    assert not proves_inclusion(leaves[index] + b"!", index, len(leaves), proof, root)
    assert not proves_inclusion(leaves[index], index, len(leaves), [*proof, root], root)
    if proof:
        assert not proves_inclusion(leaves[index], index, len(leaves), proof[:-1], root)
        assert not proves_inclusion(leaves[index], index, len(leaves), (root, *proof[1:]), root)
    for elsewhere in {-1, (index + 1) % len(leaves), len(leaves)} - {index}:
        if not 0 <= elsewhere < len(leaves) or leaves[elsewhere] != leaves[index]:
            assert not proves_inclusion(leaves[index], elsewhere, len(leaves), proof, root)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof([b"a", b"b", b"c"], index)


def test_a_node_does_not_pass_for_a_leaf() -> None:
    pair = hashlib.sha256(b"\x00a").digest() + hashlib.sha256(b"\x00b").digest()
    assert merkle_root([pair]) != merkle_root([b"a", b"b"])


def test_swapping_two_leaves_changes_the_root() -> None:
    assert merkle_root([b"a", b"b", b"c"]) != merkle_root([b"b", b"a", b"c"])


def test_memory_does_not_grow_with_the_leaves() -> None:
    tracemalloc.start()
    try:
        merkle_root(number.to_bytes(4) for number in range(20_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


@given(LEAVES)
def test_a_root_over_digests_at_hand_is_the_root(leaves: list[bytes]) -> None:
    assert root_over([leaf_hash(leaf) for leaf in leaves]) == merkle_root(leaves)


@pytest.mark.parametrize("size", [*range(40), 1023, 1024, 1025])
def test_a_tree_made_at_one_go_is_the_tree_of_its_leaves(size: int) -> None:
    leaves = [number.to_bytes(2) for number in range(size)]
    tree = MerkleTree.of(leaves)
    assert (tree.size, tree.root()) == (size, merkle_root(leaves))
    tree.add(b"more")
    assert tree.root() == merkle_root([*leaves, b"more"])
