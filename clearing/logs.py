"""Logs as JSON lines: one file that several processes append to, or the standard error stream.

No secret, account number or body of a request is ever logged; requests are named by their ids.
"""

import logging
import os
import threading
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from tenants.kernel.clock import SystemClock

ROTATE_BYTES: Final = 64 * 1024 * 1024
ROTATED_KEPT: Final = 4
_LOOK_SECONDS: Final = 1.0
"""How often a process looks whether its log file was renamed."""

_STANDARD_ERROR: Final = 2

_QUIET: Final = {"waitress.queue": logging.ERROR, "alembic": logging.WARNING, "apscheduler": logging.WARNING}
"""Loggers of libraries that say too much for an operator."""


class Sink:
    """Where the lines go. Each is one write, so that lines of several processes never mix."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor = _STANDARD_ERROR if path is None else _open(path)
        self._lock = threading.Lock()
        self._look_at = time.monotonic() + _LOOK_SECONDS

    def line(self, line: bytes) -> None:
        """Append one line; a full disk loses the line and never the request."""
        if self._path is not None and time.monotonic() >= self._look_at:
            self._follow(self._path)
        try:
            os.write(self._descriptor, line + b"\n")
        except OSError:
            return  # there is no place left to say so

    def _follow(self, path: Path) -> None:
        """Open the file again where it was renamed, see :func:`rotate`."""
        with self._lock:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            try:
                moved = not path.exists() or path.stat().st_ino != os.fstat(self._descriptor).st_ino
                fresh = _open(path) if moved else None
            except OSError:
                return  # goes on in the old file, and looks again
            if fresh is not None:
                os.dup2(fresh, self._descriptor, inheritable=False)
                os.close(fresh)

    # structlog calls the method named after the level with the rendered line
    debug = info = warning = warn = error = critical = exception = fatal = log = msg = line


class _Handler(logging.Handler):
    """Lines of libraries that use the standard library's logging."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _stamp],
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
            )
        )

    def emit(self, record: logging.LogRecord) -> None:
        self._sink.line(self.format(record).encode())


def configure_logs(process: str, path: Path | None = None) -> None:
    """Send this process's logs to the file, or to standard error; ``process`` says which part of the service speaks."""
    sink = Sink(path)
    _ours.sink, _ours.says = sink, {"process": process, "pid": os.getpid()}
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info,
            _say_who,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Handler(sink)]
    root.setLevel(logging.INFO)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def write_line(event: dict[str, Any]) -> None:
    """Write one line without the detours of a logger; for what is logged at every request."""
    said = {**event, "level": "info", "timestamp": _CLOCK.now().isoformat(), **_ours.says}
    _ours.sink.line(orjson.dumps(said))


def rotate(path: Path) -> None:
    """Rename the file when it is large; who writes to it follows within a second."""
    if not path.exists() or path.stat().st_size < ROTATE_BYTES:
        return
    for number in range(ROTATED_KEPT, 0, -1):
        older = path.with_suffix(f".{number}{path.suffix}")
        newer = path if number == 1 else path.with_suffix(f".{number - 1}{path.suffix}")
        if newer.exists():
            newer.replace(older)


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)


class _Ours:
    """What this process was set up with: its sink, and what every line says of it."""

    def __init__(self) -> None:
        self.sink = Sink(None)
        self.says: dict[str, Any] = {}


_ours: Final = _Ours()
_CLOCK: Final = SystemClock()


def _say_who(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.update(_ours.says)
    return event


def _json(event: dict[str, Any], **_: object) -> bytes:
    return orjson.dumps(event, default=str)
