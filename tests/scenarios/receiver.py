"""A platform's own address for webhooks: keeps what it is told, and answers as a test wants."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any


@dataclass(frozen=True)
class Told:
    """One message as it came, and what it was answered."""

    headers: dict[str, str]
    raw: bytes
    answered: int

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Receiver:
    """Where it listens, what it was told, and how it answers: a status for each message."""

    address: str
    answer: Callable[[Any], int] = lambda _body: 204
    told: list[Told] = field(default_factory=list)

    def of(self, subject_id: str, *, taken: bool = True) -> list[Any]:
        """The bodies about one subject, in the order in which they came; those that were taken, or all."""
        return [
            one.body for one in self.told if one.body["subject_id"] == subject_id and (one.answered < 300 or not taken)
        ]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.receiver.answer(json.loads(raw))
        self.server.receiver.told.append(Told(dict(self.headers), raw, status))
        self.send_response_only(status)
        if 300 <= status < 400:
            self.send_header("Location", f"{self.server.receiver.address}/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.receiver
        server.shutdown()
        thread.join()
