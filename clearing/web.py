"""One web process: waitress over a socket that all web processes share."""

import json
import re
import signal
import socket
from copy import copy
from types import FrameType
from typing import Any, Final, NoReturn
from weakref import WeakSet

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from clearing.sharing import Shares
from tenants.instance import HEADER

THREADS: Final = 8
CONNECTIONS: Final = 1000
IDLE_SECONDS: Final = 120
LARGEST_BODY_BYTES: Final = 16 * 1024 * 1024
"""What is taken off the wire at all; the application refuses less, see ``clearing.app``."""
FILES_AT_ONCE: Final = 2
"""How many banks' files one process takes off the wire at once: each lies on the disk until it is answered."""
_FILES: Final = re.compile(r"/(?:v1|console)/[^?]*/statements")
"""Where a bank's file is handed in."""
_FORM_BYTES: Final = 2**20
"""What a form has around a file."""
LARGEST_HEADER_BYTES: Final = 32 * 1024
_DETAILS: Final = {
    413: ("body.too_large", "内容过大。", "The body is too large."),
    431: ("header.too_large", "请求头过大。", "The request's header is too large."),
}


class _ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """What waitress itself refuses, as a problem like every other."""

    def execute(self) -> None:
        error = self.request.error
        code, zh, en = _DETAILS.get(error.code, ("request.malformed", "无法读取请求。", "The request cannot be read."))
        english = "en" in self.request.headers.get("ACCEPT_LANGUAGE", "").lower()
        body = json.dumps(
            {
                "type": f"/problems/{code}",
                "title": en if english else zh,
                "status": error.code,
                "code": code,
                "detail": en if english else zh,
            },
            ensure_ascii=False,
        ).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(
            [
                ("Content-Type", "application/problem+json"),
                ("X-Content-Type-Options", "nosniff"),
                (HEADER, self.channel.server.mark),
            ]
        )
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """Takes as much as ordinary requests have; where a bank's file is handed in, as much as such a file may have."""

    adj: Any

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        known = {"AUTHORIZATION", "COOKIE"}.intersection(self.headers)
        if self.command == "POST" and known and _FILES.fullmatch(self.path) and len(self.adj.files) < FILES_AT_ONCE:
            self.adj.files.add(self)  # until the request is forgotten
            self.adj = self.adj.for_files


class _Adjustments(Adjustments):  # type: ignore[misc]  # the same
    """What holds for ordinary requests; ``for_files`` for those that hand in a bank's file, which ``files`` are."""

    def __init__(self, largest_file: int, **given: Any) -> None:  # noqa: ANN401 - waitress's own values
        super().__init__(max_request_body_size=LARGEST_BODY_BYTES, **given)
        self.files: WeakSet[_Parser] = WeakSet()
        self.for_files = copy(self)
        self.for_files.max_request_body_size = largest_file + _FORM_BYTES


class _Channel(HTTPChannel):  # type: ignore[misc]  # the same
    error_task_class = _ProblemTask
    parser_class = _Parser

    def add_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401 - waitress's own names and types
        super().add_channel(map)
        self.server.note_connections()

    def del_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401 - the same
        super().del_channel(map)
        self.server.note_connections()


class _Server(TcpWSGIServer):  # type: ignore[misc]  # the same
    channel_class = _Channel
    shares: Shares
    process: int
    mark: str

    def note_connections(self) -> None:
        self.shares.note(self.process, len(self.active_channels))

    def handle_accept(self) -> None:
        self.shares.let_go_first(self.process)
        super().handle_accept()


def serve_web(app: Flask, listener: socket.socket, shares: Shares, process: int) -> None:
    """Answer requests until SIGTERM; what is being answered then is still answered.

    ``process`` is this one's place among those that share the socket, counted from zero.
    """
    settings = app.extensions["clearing"].settings
    adjustments = _Adjustments(
        settings.statement_bytes,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        max_request_header_size=LARGEST_HEADER_BYTES,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,  # who is believed, the application knows: ``clearing.proxies``
        ident=None,
    )
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(adjustments.threads)
    server = _Server(
        app,
        {},
        _sock=listener,
        dispatcher=dispatcher,
        adj=adjustments,
        bind_socket=False,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
    )
    server.shares, server.process = shares, process
    server.mark = settings.mark
    server.note_connections()
    signal.signal(signal.SIGTERM, _end)
    server.run()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
