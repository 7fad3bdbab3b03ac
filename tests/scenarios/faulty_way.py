"""A way to the service that loses, cuts and delays: a proxy over real sockets, with one fault planned a request."""

import http.client
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

HOP_BY_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})
RESET: Final = struct.pack("ii", 1, 0)
"""``SO_LINGER`` of a connection whose closing throws away what is under way and resets it."""


@dataclass(frozen=True, slots=True)
class Through:
    """The request goes through, and so does the answer."""


@dataclass(frozen=True, slots=True)
class LostRequest:
    """The connection ends before the request came anywhere."""


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The request takes effect, and the connection ends without a byte of the answer."""


@dataclass(frozen=True, slots=True)
class Cut:
    """After so many lines of the answer, and some bytes of the next, the connection ends; ``cleanly`` or broken."""

    lines: int
    more_bytes: int = 0
    cleanly: bool = False


@dataclass(frozen=True, slots=True)
class CutUpload:
    """After so many lines of the body, and some bytes of the next, the connection ends on both sides.

    ``cleanly``: the service reads the end of a body that is too short; otherwise the connection is reset under it.
    """

    lines: int
    more_bytes: int = 0
    cleanly: bool = False

    def part(self, body: bytes) -> bytes:
        """What of the body comes through."""
        lines = body.splitlines(keepends=True)
        return b"".join([*lines[: self.lines], *(line[: self.more_bytes] for line in lines[self.lines :][:1])])


@dataclass(frozen=True, slots=True)
class Busy:
    """Something between answers with this status and does not pass the request on."""

    status: int = 503
    retry_after: str | None = None


Fault = Through | LostRequest | LostAnswer | Cut | CutUpload | Busy
Plan = Callable[[int, str], Fault]
"""The fault for the request with this number, from zero, to this path."""


@dataclass
class Way:
    """The proxy: where it listens, what it does next, and what it saw."""

    address: str
    plan: Plan = lambda _number, _path: Through()
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    """Method, path, headers and body of every request."""

    def follow(self, *faults: Fault, path: str = "/v1/") -> None:
        """These faults for the next requests to paths that begin so, one after the other; the others go through."""
        left = list(faults)
        self.plan = lambda _number, asked: left.pop(0) if left and asked.startswith(path) else Through()
        self.seen.clear()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target)
        self.lock = threading.Lock()
        self.way = Way(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no fault of the proxy."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            fault = self.server.way.plan(len(self.server.way.seen), self.path)
            self.server.way.seen.append((self.command, self.path, dict(self.headers), body))
        self.close_connection = True
        if isinstance(fault, Busy):
            self._say(fault.status, [("Retry-After", fault.retry_after)] if fault.retry_after else [])
            self.wfile.write(b"0\r\n\r\n")
        elif isinstance(fault, CutUpload):
            self._break_off(body, fault)
        elif not isinstance(fault, LostRequest):
            self._forward(body, fault)

    do_POST = do_PUT = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        pass

    def _upstream(self) -> tuple[http.client.HTTPConnection, dict[str, str]]:
        """A connection to the service, and the headers that go on."""
        target = self.server.target
        kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        return http.client.HTTPConnection(str(target.hostname), target.port, timeout=60), kept

    def _break_off(self, body: bytes, fault: CutUpload) -> None:
        upstream, kept = self._upstream()
        upstream.putrequest(self.command, self.path)
        for name, value in (kept | {"Content-Length": str(len(body))}).items():
            upstream.putheader(name, value)
        upstream.endheaders(fault.part(body))
        if not fault.cleanly:
            upstream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        upstream.close()

    def _forward(self, body: bytes, fault: Through | LostAnswer | Cut) -> None:
        upstream, kept = self._upstream()
        upstream.request(self.command, self.path, body or None, kept)
        answer = upstream.getresponse()
        if isinstance(fault, LostAnswer):
            answer.read()
        else:
            self._pass_on(answer, fault)
        upstream.close()

    def _say(self, status: int, headers: list[tuple[str, str]], *, chunked: bool = True) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Connection", "close")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _pass_on(self, answer: http.client.HTTPResponse, fault: Through | Cut) -> None:
        chunked = not (isinstance(fault, Cut) and fault.cleanly)
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        self._say(answer.status, headers, chunked=chunked)
        for number, line in enumerate(answer):
            if isinstance(fault, Cut) and number == fault.lines:
                self._chunk(line[: fault.more_bytes], chunked=chunked)
                return
            self._chunk(line, chunked=chunked)
        if not isinstance(fault, Cut):
            self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes, *, chunked: bool) -> None:
        if data and chunked:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif data:
            self.wfile.write(data)


@contextmanager
def way_to(address: str) -> Iterator[Way]:
    """A proxy before the service at ``address``."""
    with _Server(address) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.way
        server.shutdown()
        thread.join()
