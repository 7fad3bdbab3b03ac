"""Bulk: any number of lines in requests of bounded size, each line answered once and in order.

Where a connection breaks, or the service is away, sending goes on at the first line without an answer. That is safe
because a line that was taken before is answered with what it became.
"""

import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import urllib3

from connectors.client.answers import LineAnswer
from connectors.client.calling import FIRST_ERROR, Caller
from connectors.client.errors import CallError, UnansweredError
from connectors.client.patience import RETRIED_STATUSES

NDJSON_TYPE: Final = "application/x-ndjson"
BULK_LINES: Final = 500
"""Lines of one request: the service takes as many in one transaction."""
BULK_BYTES: Final = 4 * 1024 * 1024
"""Bytes of one request; the service takes twice as many."""
TOO_LARGE: Final = 413


def send_lines(caller: Caller, path: str, lines: Iterable[bytes]) -> Iterator[LineAnswer]:
    """The answers to the lines, which are JSON objects in UTF-8, as they come.

    Raises:
        CallError: the service refused a whole request.
        UnansweredError: as many attempts in a row as the caller's patience allows brought not one more answer.
    """
    first = 1
    for chunk in _chunks(lines):
        yield from _Sending(caller, path, first, chunk).answers()
        first += len(chunk)


def json_line(body: object) -> bytes:
    """One line."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _chunks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if chunk and (len(chunk) >= BULK_LINES or size + len(line) >= BULK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line) + 1
    if chunk:
        yield chunk


class _BrokenError(Exception):
    """The request ended before all its lines were answered; ``retry_after`` is what the service asked for."""

    def __init__(self, why: str, retry_after: str | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class _Sending:
    """One chunk, sent until each of its lines has an answer."""

    def __init__(self, caller: Caller, path: str, first: int, lines: list[bytes]) -> None:
        self._caller, self._path, self._first, self._lines = caller, path, first, lines
        self._answered = 0

    def answers(self) -> Iterator[LineAnswer]:
        failures = 0
        while self._answered < len(self._lines):
            before = self._answered
            try:
                for answer in self._attempt():
                    self._answered += 1
                    yield answer
            except (_BrokenError, urllib3.exceptions.HTTPError) as error:
                failures = failures + 1 if self._answered == before else 1
                if failures >= self._caller.patience.attempts:
                    line = self._first + self._answered
                    raise UnansweredError(f"POST {self._path}: line {line}: no answer: {error}") from error
                self._caller.patience.pause(failures, getattr(error, "retry_after", None))

    def _attempt(self) -> Iterator[LineAnswer]:
        """One request with the lines that have no answer yet."""
        waiting = self._lines[self._answered :]
        first = self._first + self._answered
        headers, content = {"Content-Type": NDJSON_TYPE}, b"\n".join(waiting) + b"\n"
        if self._caller.packs:
            headers |= {"Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
            content = gzip.compress(content)
        reply = self._caller.once("POST", self._path, content, headers, preload=False)
        try:
            if reply.status >= FIRST_ERROR:
                yield self._refused(reply, first, len(waiting))
                return
            for place in range(len(waiting)):
                body = _next_answer(reply, place + 1)
                if body["status"] in RETRIED_STATUSES:
                    raise _BrokenError(f"status {body['status']}")
                yield LineAnswer.of(first + place, body)
        finally:
            reply.close()  # what was not read is not waited for
            reply.release_conn()

    def _refused(self, reply: urllib3.BaseHTTPResponse, first: int, count: int) -> LineAnswer:
        """The answer where the whole request was refused: one line that is too large, by itself.

        Raises:
            CallError: it is another fault.
        """
        text = reply.read(decode_content=True).decode(errors="replace")
        if reply.status in RETRIED_STATUSES:
            raise _BrokenError(f"status {reply.status}", reply.headers.get("Retry-After"))
        error = CallError(f"POST {self._path}", reply.status, text)
        if reply.status != TOO_LARGE or count > 1 or error.problem is None:
            raise error
        return LineAnswer.of(first, {"status": TOO_LARGE, "problem": json.loads(text)})


def _next_answer(reply: urllib3.BaseHTTPResponse, number: int) -> dict[str, Any]:
    """The next line of the reply.

    Raises:
        _BrokenError: it ends here, or within the line.
        urllib3.exceptions.HTTPError: the connection broke.
    """
    text = reply.readline()
    try:
        body: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise _BrokenError("the answer ends early") from error
    if body.get("line") != number:
        raise _BrokenError(f"line {number} is answered as line {body.get('line')}")
    return body
