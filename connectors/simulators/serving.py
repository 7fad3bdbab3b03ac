"""A simulator over a real socket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from connectors.simulators.listening import listening
from connectors.simulators.simulator import Simulator

MAX_BODY_BYTES: Final = 1024 * 1024


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    simulator: Simulator


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), MAX_BODY_BYTES)
        body = self.rfile.read(length)
        status, answer = self.server.simulator.handle(self.command, self.path, dict(self.headers), body)
        data = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(simulator: Simulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The simulator's address; it serves until the block ends."""
    with _Server((host, port), _Handler) as server:
        server.simulator = simulator
        with listening(server) as address:
            yield address
