"""One web process: waitress over a socket that all web processes share."""

import json
import signal
import socket
from types import FrameType
from typing import Final, NoReturn

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher

THREADS: Final = 8
CONNECTIONS: Final = 1000
IDLE_SECONDS: Final = 120
LARGEST_BODY_BYTES: Final = 16 * 1024 * 1024
"""What is taken off the wire at all; the application refuses less, see ``clearing.app``."""
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
            [("Content-Type", "application/problem+json"), ("X-Content-Type-Options", "nosniff")]
        )
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # the same
    error_task_class = _ProblemTask


class _Server(TcpWSGIServer):  # type: ignore[misc]  # the same
    channel_class = _Channel


def serve_web(app: Flask, listener: socket.socket) -> None:
    """Answer requests until SIGTERM; what is being answered then is still answered."""
    adjustments = Adjustments(
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        max_request_body_size=LARGEST_BODY_BYTES,
        max_request_header_size=LARGEST_HEADER_BYTES,
        asyncore_use_poll=True,
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
    signal.signal(signal.SIGTERM, _end)
    server.run()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
