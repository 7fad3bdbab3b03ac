"""Packed bodies: unpacked in bounded memory, never more than is allowed, and what was harmed is noticed."""

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.api.packed import MAX_RATIO, SMALL_BYTES, packed, unpacked
from tenants.kernel.errors import Malformed, TooLarge


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_whatever_was_packed_in_however_many_members_comes_out(parts: list[bytes]) -> None:
    assert unpacked(b"".join(map(gzip.compress, parts)) or gzip.compress(b"")).read() == b"".join(parts)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_body_cut_off_anywhere_or_with_a_changed_byte_is_never_read_as_something_else(
    body: bytes, data: st.DataObject
) -> None:
    content = gzip.compress(body)
    with pytest.raises(Malformed):
        unpacked(content[: data.draw(st.integers(1, len(content) - 1))])
    place = data.draw(st.integers(10, len(content) - 1))  # behind the header, of which nothing is believed
    changed = bytearray(content)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(Malformed):
        assert unpacked(bytes(changed)).read() == body


def test_a_bomb_is_refused_early_in_little_memory() -> None:
    bomb = gzip.compress(b"\0" * 2**27)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        unpacked(bomb)
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_small_body_may_have_any_ratio_and_a_large_one_may_not() -> None:
    small = gzip.compress(b" " * SMALL_BYTES)
    assert MAX_RATIO * len(small) < SMALL_BYTES
    assert len(unpacked(small).read()) == SMALL_BYTES
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b" " * (SMALL_BYTES + 1)))


def test_packed_answers_can_be_read_before_the_last_is_made() -> None:
    made: list[int] = []

    def lines() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"%d" % number * 1000 + b"\n"

    blocks = packed(lines())
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    first = b""
    while not first:
        first = unpacker.decompress(next(blocks))
    assert first.startswith(b"0")
    assert len(made) < 50
    rest = b"".join(map(unpacker.decompress, blocks))
    assert (first + rest).count(b"\n") == 100
    assert unpacker.eof
