"""The simulated bank's server: the other end of ``settlement.bank.host``, on a socket of this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote

from settlement.bank.host import SIMULATOR_PATH
from settlement.bank.simulator.books import Books

MAX_BODY_BYTES: Final = 2**30
_MESSAGES: Final = "/messages/"


class BankServer:
    """Serves the books on a free port of 127.0.0.1 until it is left."""

    def __init__(self, books: Books) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.books = books
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    books: Books


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """What this is: a sandbox sends to nothing else."""
        if self.path == f"/{SIMULATOR_PATH}":
            self._answer(200, {SIMULATOR_PATH: True})
        else:
            self._answer(404, {})

    def do_PUT(self) -> None:
        """A payment file under its message id."""
        if not self.path.startswith(_MESSAGES):
            self._answer(404, {})
            return
        message_id = unquote(self.path.removeprefix(_MESSAGES))
        content = self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY_BYTES))
        status, reason = self.server.books.receive(message_id, content)
        if status is None:
            self._hang_up()
            return
        said = {"message_id": message_id, "sha256": self.headers["X-Content-SHA256"], "status": status}
        self._answer(200, {**said, "reason": reason})

    def do_POST(self) -> None:
        """A question for the message by its end-to-end ids."""
        given = json.loads(self.rfile.read(min(int(self.headers["Content-Length"]), MAX_BODY_BYTES)))
        status, known = self.server.books.inquire(given["message_id"], given["end_to_end_ids"])
        self._answer(200, {"message_id": given["message_id"], "status": status, "known": known})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's signature
        """A simulation says nothing."""

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
