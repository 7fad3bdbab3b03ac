"""The root over items that turn up in any order."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.offline.roots import Leaves, leaf_digest, repeated
from settlement.signatures.merkle import merkle_root


def leaves_of(positions: list[int]) -> Leaves:
    leaves = Leaves()
    for position in positions:
        leaves.extend(array("Q", [position]).tobytes(), leaf_digest(str(position).encode()))
    return leaves


@given(st.integers(0, 70).flatmap(lambda count: st.permutations(range(1, count + 1))))
def test_items_in_any_order_have_the_root_of_their_positions(positions: list[int]) -> None:
    leaves = leaves_of(positions)
    assert leaves.repeated() is None
    assert leaves.root() == merkle_root(str(position).encode() for position in sorted(positions))


@pytest.mark.parametrize("count", [2047, 2048, 2049, 4095, 4097, 6145])
def test_more_items_than_are_hashed_at_one_go_have_the_same_root(count: int) -> None:
    leaves = leaves_of(list(range(1, count + 1)))
    assert leaves.root() == merkle_root(str(position).encode() for position in range(1, count + 1))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40))
def test_items_at_any_positions_have_the_root_of_their_order(positions: list[int]) -> None:
    assert leaves_of(positions).root() == merkle_root(str(position).encode() for position in sorted(positions))


@given(st.lists(st.integers(0, 60), max_size=40))
def test_a_number_that_stands_twice_is_found(numbers: list[int]) -> None:
    found = repeated(array("Q", numbers))
    assert (found is None) == (len(set(numbers)) == len(numbers))
    assert found is None or numbers.count(found) > 1


@pytest.mark.parametrize("numbers", [[], [7], [1, 2, 3], [2**64 - 1, 0]])
def test_numbers_that_stand_once_are_not(numbers: list[int]) -> None:
    assert repeated(array("Q", numbers)) is None
