"""The keyed digest is HMAC-SHA-256, whatever the key's length."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.keyed_digest import keyed_digest, keyed_digests


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_a_keyed_digest_is_the_one_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert keyed_digest(key, message) == hmac.digest(key, message, "sha256")


@given(st.binary(max_size=80), st.lists(st.binary(max_size=300), max_size=5))
def test_many_keyed_digests_are_those_of_each(key: bytes, messages: list[bytes]) -> None:
    assert keyed_digests(key, messages) == [keyed_digest(key, message) for message in messages]


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 131])
def test_keys_around_the_block_size_and_several_in_turn(length: int) -> None:
    first, second = b"\xaa" * length, b"\xbb" * length
    for key in (first, second, first):
        assert keyed_digest(key, b"message") == hmac.digest(key, b"message", "sha256")


def test_the_published_example_of_rfc_4231() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert keyed_digest(b"Jefe", b"what do ya want for nothing?").hex() == expected
