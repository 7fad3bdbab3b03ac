"""The reader of lines against a naive one, over every way in which a body can arrive in blocks."""

from collections.abc import Iterator
from io import BytesIO, RawIOBase
from typing import cast

from hypothesis import example, given
from hypothesis import strategies as st

from clearing.api import ndjson
from clearing.api.ndjson import Line, read_lines

MAX = 8


class Blocks(RawIOBase):
    """A body that arrives in these blocks, however much is asked for."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = iter([block for block in blocks if block])

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - a block is what came
        return next(self._blocks, b"")


def naive(body: bytes, max_bytes: int) -> list[Line]:
    """Split the whole body; the oracle."""
    lines = enumerate(body.split(b"\n"), start=1)
    return [
        Line(number, content if len(content) <= max_bytes else None)
        for number, content in lines
        if len(content) > max_bytes or content.strip()
    ]


def read(blocks: list[bytes], max_bytes: int = MAX) -> list[Line]:
    return list(read_lines(cast("BytesIO", Blocks(blocks)), max_bytes))


PIECE = st.lists(st.sampled_from([b"\n", b"a", b" ", b"\r", b"\xe7\xa7\x91", b"bbbbb", b"\n\n", b"\0"]), max_size=12)


@given(st.lists(PIECE.map(b"".join), max_size=8))
@example([b"a" * MAX, b"\n"])
@example([b"a" * MAX, b"a\nb"])
@example([b"a" * (3 * MAX), b"a" * MAX, b"\n", b"b"])
@example([b"aaaa", b"\n", b"", b"\n"])
def test_however_a_body_is_cut_its_lines_are_the_same(blocks: list[bytes]) -> None:
    assert read(blocks) == naive(b"".join(blocks), MAX)


@given(st.binary(max_size=200), st.integers(1, 20), st.integers(0, 30))
def test_any_bytes_are_read_alike_in_blocks_of_any_size(body: bytes, size: int, max_bytes: int) -> None:
    blocks = [body[start : start + size] for start in range(0, len(body), size)]
    assert read(blocks, max_bytes) == naive(body, max_bytes)


def test_a_line_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    assert read([b"a" * MAX + b"\n" + b"b" * (MAX + 1) + b"\nc"]) == [Line(1, b"a" * MAX), Line(2, None), Line(3, b"c")]


def test_an_endless_line_is_read_past_and_never_kept() -> None:
    kept: list[int] = []

    class Endless(RawIOBase):
        left = 400

        def read(self, size: int = -1) -> bytes:
            kept.append(size)
            self.left -= 1
            return b"x" * size if self.left else b""

    [line] = read_lines(cast("BytesIO", Endless()), 1024)
    assert line == Line(1, None)
    assert set(kept) == {ndjson.READ_BYTES}


def test_lines_are_answered_before_the_rest_of_the_body_has_come() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"first\nsec"
        raise AssertionError("the second block was asked for too early")

    class Slow(RawIOBase):
        parts = blocks()

        def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - a block is what came
            return next(self.parts)

    assert next(read_lines(cast("BytesIO", Slow()), MAX)) == Line(1, b"first")


def test_nothing_has_no_lines() -> None:
    assert read([]) == read([b"\n\n \r\n"]) == []
