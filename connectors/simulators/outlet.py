"""A platform's outlet: a real HTTP server that gives its records page by page, well or in one of the ways of the field.

It knows no clearing service: who asks needs its token, and is given what lies behind the cursor.
"""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connectors.client.patience import sleep
from connectors.pages import NDJSON
from connectors.simulators.listening import listening

_CUT_SHORT: Final = 20


class Manner(StrEnum):
    """How the outlet answers one request."""

    WELL = "well"
    SLOW = "slow"
    """It answers, too late."""
    BROKEN = "broken"
    """Its answer is no JSON."""
    TRUNCATED = "truncated"
    """Its answer ends in the middle, as if it were whole."""
    CUT = "cut"
    """The connection ends before the answer does."""
    ERROR = "error"
    BUSY = "busy"
    """429, with a wait."""
    FORBIDDEN = "forbidden"
    MOVED = "moved"
    """A redirection to the inside of the network."""
    REPEATED = "repeated"
    """The page before comes once more in front of this one."""
    REVERSED = "reversed"
    """The page's records come in the opposite order."""
    BACK = "back"
    """The cursor behind the page is one that was passed."""
    STUCK = "stuck"
    """The cursor behind the page is the one before it."""
    TOO_MANY = "too_many"
    """More than it was asked for."""
    UNREADABLE = "unreadable"
    """The page is not in the character set that it names."""
    HTML = "html"
    """A page for people, with status 200."""
    OPEN = "open"
    """It asks for no token."""
    GREEDY = "greedy"
    """It does not look at the limit."""
    FORGETFUL = "forgetful"
    """It remembers what it gave, and gives it once."""
    SKIPPING = "skipping"
    """The record at a page's edge is lost."""
    DOUBLING = "doubling"
    """The record at a page's edge comes twice."""
    FORGIVING = "forgiving"
    """A cursor that is none of its own begins anew."""
    ENDLESS = "endless"
    """Behind its end the cursor still moves."""


@dataclass
class Outlet:
    """What it holds, and how it answers: each request takes one manner from ``manners`` while there are any."""

    token: str
    records: list[bytes] = field(default_factory=list)
    page_size: int = 10
    form: str = NDJSON
    charset: str = "utf-8"
    delay: timedelta = timedelta(milliseconds=400)
    manners: deque[Manner] = field(default_factory=deque)
    always: Manner = Manner.WELL
    asked: list[str | None] = field(default_factory=list)
    """The cursors that it was asked with."""
    given: int = 0
    """Where its last answer ended."""

    def put(self, *records: Any) -> None:  # noqa: ANN401 - any JSON, or bytes that are none
        """New records, behind those that are there."""
        for one in records:
            whole = one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode(self.charset)
            self.records.append(whole)

    def answer(self, path: str, authorization: str) -> tuple[int, dict[str, str], bytes, Manner]:
        """Status, headers, body, and the manner of this answer."""
        query = parse_qs(urlsplit(path).query)
        cursor = query.get("cursor", [None])[0]
        self.asked.append(cursor)
        manner = self.manners.popleft() if self.manners else self.always
        if authorization != f"Bearer {self.token}" and manner != Manner.OPEN:
            return 401, {}, b"", Manner.WELL
        refused = _REFUSALS.get(manner)
        if refused is not None:
            return *refused, b"", manner
        known = cursor is None or cursor.isdecimal()
        if not known and manner != Manner.FORGIVING:
            return 400, {}, b"", manner
        begin = int(cursor or 0) if known else 0
        limit = min(int(query.get("limit", [str(self.page_size)])[0]), self.page_size)
        if manner == Manner.GREEDY:
            limit = self.page_size
        return 200, {"Content-Type": self._type(manner)}, self._page(begin, limit, manner), manner

    def _type(self, manner: Manner) -> str:
        if manner == Manner.HTML:
            return "text/html"
        return self.form if self.charset == "utf-8" else f"{self.form}; charset={self.charset}"

    def _page(self, begin: int, limit: int, manner: Manner) -> bytes:
        if manner == Manner.FORGETFUL:
            begin = max(begin, self.given)
        some = self.records[begin : begin + limit]
        end = begin + len(some)
        self.given = end
        cursor: str | None = str(end)
        if manner == Manner.REPEATED:
            some = self.records[max(begin - limit, 0) : end]
        elif manner == Manner.REVERSED:
            some = some[::-1]
        elif manner == Manner.BACK:
            passed = [one for one in self.asked if one not in (None, str(begin))]
            cursor = passed[0] if passed else cursor
        elif manner == Manner.STUCK:
            cursor = str(begin)
        elif manner == Manner.SKIPPING and begin:
            some = some[1:]
        elif manner == Manner.DOUBLING and begin and some:
            some = self.records[begin - 1 : begin - 1 + limit]
            end = begin - 1 + len(some)
            cursor = str(end)
        elif manner == Manner.ENDLESS and not some:
            cursor = str(end + 1)
        elif manner == Manner.TOO_MANY:
            some = [some[0]] * 501
        return self._spoilt(self._whole(some, cursor, end < len(self.records)), manner)

    def _whole(self, some: list[bytes], cursor: str | None, more: bool) -> bytes:  # noqa: FBT001 - the page's member
        end = {"next_cursor": cursor, "more": more}
        if self.form == NDJSON:
            return b"\n".join([*some, json.dumps(end).encode()]) + b"\n"
        return b'{"records": [' + b", ".join(some) + b"], " + json.dumps(end).encode()[1:]

    def _spoilt(self, whole: bytes, manner: Manner) -> bytes:
        match manner:
            case Manner.BROKEN:
                return whole.replace(b":", b"=")
            case Manner.TRUNCATED:
                return whole[: -len(whole) // 3]
            case Manner.UNREADABLE:
                return b"\xff\xfe" + whole[:-2] + b"\xff"
            case Manner.HTML:
                return "<html><body>系统维护中</body></html>".encode()
            case _:
                return whole


_REFUSALS: Final[dict[Manner, tuple[int, dict[str, str]]]] = {
    Manner.ERROR: (500, {}),
    Manner.BUSY: (429, {"Retry-After": "120"}),
    Manner.FORBIDDEN: (403, {}),
    Manner.MOVED: (302, {"Location": "http://127.0.0.1:1/inside"}),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    outlet: Outlet


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        outlet = self.server.outlet
        status, headers, body, manner = outlet.answer(self.path, self.headers.get("Authorization", ""))
        if manner == Manner.SLOW:
            sleep(outlet.delay)
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:-_CUT_SHORT] if manner == Manner.CUT else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def outlet_serving(outlet: Outlet) -> Iterator[str]:
    """The outlet's address; it serves until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.outlet = outlet
        with listening(server) as address:
            yield f"{address}/outlet"
