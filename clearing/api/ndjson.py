"""Newline-delimited JSON in and out, a line at a time: a body of any size in the same memory."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, count
from typing import IO, Final, NamedTuple

import orjson
from flask import Response, stream_with_context

from clearing.api.noun import NDJSON_TYPE, require_mimetype
from clearing.api.packed import GZIP, body_stream, packed, wants_gzip
from clearing.api.problems import problem_body
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Problem

READ_BYTES: Final = 64 * 1024


class Line(NamedTuple):
    """One line of the body, counted from one; ``content`` is ``None`` where it was longer than allowed."""

    number: int
    content: bytes | None


_numbered: Final = partial(tuple.__new__, Line)
"""A line of its number and content, made without a call of Python's own (P3)."""


def read_lines(stream: IO[bytes], max_bytes: int) -> Iterator[Line]:
    """The stream's lines that are not blank; what is too long is read past, never kept."""
    number, begun, too_long = 1, bytearray(), False
    while block := stream.read(READ_BYTES):
        pieces = block.split(b"\n")
        if len(pieces) > 1:
            too_long = too_long or len(begun) + len(pieces[0]) > max_bytes
            yield from _line(number, None if too_long else bytes(begun) + pieces[0])
            yield from _whole_lines(number + 1, pieces[1:-1], max_bytes)
            number, begun, too_long = number + len(pieces) - 1, bytearray(), False
        too_long = too_long or len(begun) + len(pieces[-1]) > max_bytes
        begun = bytearray() if too_long else begun + pieces[-1]
    yield from _line(number, None if too_long else bytes(begun))


def _whole_lines(first: int, pieces: Sequence[bytes], max_bytes: int) -> Iterator[Line]:
    """The lines that stand whole in a block, from the number ``first`` on."""
    if all(pieces) and not any(map(bytes.isspace, pieces)) and max(map(len, pieces), default=0) <= max_bytes:
        return map(_numbered, zip(count(first), pieces, strict=False))
    return chain.from_iterable(
        _line(number, None if len(piece) > max_bytes else piece) for number, piece in enumerate(pieces, first)
    )


def _line(number: int, content: bytes | None) -> Iterator[Line]:
    if content is None or content.strip():
        yield Line(number, content)


def body_lines(max_bytes: int) -> Iterator[Line]:
    """The lines of this request's body, which may be gzip.

    Raises:
        UnsupportedMediaType: the content type is not NDJSON, or the content is coded otherwise than by gzip.
        TooLarge: it unpacks to too much.
        Malformed: it is no gzip, breaks off, or was changed on its way.
    """
    require_mimetype(NDJSON_TYPE)
    return read_lines(body_stream(), max_bytes)


def answer_lines(runs: Iterable[Iterable[dict[str, Json]]]) -> Response:
    """The lines of each run as soon as it is made, so that the first leave before the last was read; gzip if asked."""
    answers: Iterator[bytes] = filter(None, (b"".join(map(line_bytes, run)) for run in runs))
    coding = {"Vary": "Accept-Encoding"}
    if wants_gzip():
        answers, coding["Content-Encoding"] = packed(answers), GZIP
    return Response(stream_with_context(answers), status=200, mimetype=NDJSON_TYPE, headers=coding)


def line_bytes(line: dict[str, Json]) -> bytes:
    """The canonical bytes (RFC 8785) of an answer, and the end of its line.

    Its keys are our own, and no float or great integer gets in.
    """
    return orjson.dumps(line, option=_OPTIONS)


_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_APPEND_NEWLINE


def refused_line(number: int, problem: Problem, *, english: bool) -> dict[str, Json]:
    """The answer to a line that was not taken."""
    return {"line": number, "status": problem.status, "problem": problem_body(problem, english=english)}
