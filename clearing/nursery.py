"""The nursery: one process that has imported everything, forks web, worker and scheduler, and replaces what dies.

It has one thread, so that its forks are sound. It takes its orders as one JSON line from a pipe whose other end only
the keeper holds (``clearing.serving``); when that end closes, the keeper is gone, and the nursery ends all.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import structlog
from prometheus_client.multiprocess import mark_process_dead

from clearing.app import create_app
from clearing.garbage import collect_seldom
from clearing.logs import configure_logs
from clearing.proxies import proxies_from
from clearing.schedule import run_scheduler
from clearing.service import open_service
from clearing.settings import Settings
from clearing.sharing import Shares
from clearing.web import serve_web
from clearing.workers import run_worker

STOP_SECONDS: Final = 3.0
"""How long children may take to finish what they do."""
PAUSE_SECONDS: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Before a child is started again that died soon after its start, once more and once more."""
STEADY_SECONDS: Final = 10.0
"""A child that lived so long is started again at once."""
_TICK_SECONDS: Final = 0.5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Orders:
    """What the keeper says once the databases run."""

    database_url: str
    redis_url: str
    secrets_folder: str
    checkpoints_folder: str
    banks_file: str
    looks_per_hour: int
    webhook_wait_ms: int
    statement_mib: int
    trusted_proxies: str
    demonstration: bool
    sandbox: bool
    embedded: bool
    listener: int
    web_processes: int
    log: str | None


@dataclass(slots=True)
class Post:
    """One place for a child: what it does, and who does it now."""

    name: str
    work: Callable[[], None]
    pid: int | None = None
    since: float = 0.0
    deaths: int = 0
    due: float = field(default=0.0)


class Nursery:
    """Children at their posts."""

    def __init__(self, posts: list[Post], orders_pipe: int) -> None:
        self._posts = posts
        self._orders_pipe = orders_pipe
        self._stopping = False
        self._alive, self._lifeline = os.pipe()
        self._signals, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)

    def run(self) -> None:
        """Keep every post filled until SIGTERM comes or the keeper is gone.

        Raises:
            RuntimeError: something has started a thread, which no fork would carry over.
        """
        if threading.active_count() != 1:
            raise RuntimeError(f"the nursery forks with one thread only: {threading.enumerate()}")
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the keeper says what follows
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not self._stopping:
            self._fill()
            self._wait()
            self._bury()
        self._end()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _wait(self) -> None:
        ready, _, _ = select.select([self._orders_pipe, self._signals], [], [], _TICK_SECONDS)
        if self._signals in ready:
            os.read(self._signals, 1024)
        if self._orders_pipe in ready and not os.read(self._orders_pipe, 1024):
            self._stopping = True

    def _fill(self) -> None:
        for post in self._posts:
            if post.pid is None and time.monotonic() >= post.due and not self._stopping:
                self._start(post)

    def _start(self, post: Post) -> None:
        pid = os.fork()
        if pid == 0:
            self._be(post)
        post.pid, post.since = pid, time.monotonic()

    def _be(self, post: Post) -> NoReturn:
        """In the child: do the work, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for descriptor in (self._lifeline, self._signals, self._wakeup, self._orders_pipe):
                os.close(descriptor)
            threading.Thread(target=_end_with, args=(self._alive,), name="lifeline", daemon=True).start()
            post.work()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException as error:  # noqa: BLE001 - the child's last words
            _say("process_failed", post.name, error)
        finally:
            os._exit(code)

    def _bury(self) -> None:
        for post in self._posts:
            if post.pid is None:
                continue
            with contextlib.suppress(ChildProcessError):
                pid, status = os.waitpid(post.pid, os.WNOHANG)
                if not pid:
                    continue
                if not self._stopping:
                    _say("process_died", post.name, os.waitstatus_to_exitcode(status))
                _forget_metrics(pid)
            lived = time.monotonic() - post.since
            post.deaths = 0 if lived >= STEADY_SECONDS else post.deaths + 1
            post.due = time.monotonic() + PAUSE_SECONDS[min(post.deaths, len(PAUSE_SECONDS) - 1)]
            post.pid = None

    def _end(self) -> None:
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            for post in self._posts:
                if post.pid is not None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(post.pid, number)
            deadline = time.monotonic() + seconds
            while any(post.pid for post in self._posts) and time.monotonic() < deadline:
                self._bury()
                time.sleep(0.01)


def main() -> None:
    """Run as ``python -m clearing.nursery ORDERS_PIPE``."""
    orders_pipe = int(sys.argv[1])
    line = _first_line(orders_pipe)
    if line:
        Nursery(_posts(Orders(**json.loads(line))), orders_pipe).run()


def _first_line(pipe: int) -> bytes:
    """The orders; empty when the keeper is gone before it gave any."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(pipe, 65_536)
        if not part:
            return b""
        line += part
    return line


def _posts(orders: Orders) -> list[Post]:
    log = None if orders.log is None else Path(orders.log)
    configure_logs("nursery", log)
    settings = Settings(
        orders.database_url,
        orders.redis_url,
        Path(orders.secrets_folder),
        orders.demonstration,
        Path(orders.checkpoints_folder),
        Path(orders.banks_file),
        orders.looks_per_hour,
        orders.webhook_wait_ms,
        orders.statement_mib,
        trusted_proxies=proxies_from(orders.trusted_proxies),
        sandbox=orders.sandbox,
        embedded=orders.embedded,
    )
    service = open_service(settings)
    app = create_app(service)
    listener = socket.socket(fileno=orders.listener)
    collect_seldom()

    def named(name: str, work: Callable[[], None]) -> Post:
        def begin() -> None:
            configure_logs(name, log)
            _log.info("process_started")
            work()

        return Post(name, begin)

    shares = Shares(orders.web_processes)
    web = [
        named(f"web-{number + 1}", partial(serve_web, app, listener, shares, number))
        for number in range(orders.web_processes)
    ]
    return [
        *web,
        named("worker", lambda: run_worker(service)),
        named("scheduler", lambda: run_scheduler(service)),
    ]


def _end_with(alive: int) -> None:
    """End this process when the nursery is gone, in the middle of whatever it does."""
    os.read(alive, 1)
    os._exit(1)


def _say(event: str, name: str, detail: object) -> None:
    if isinstance(detail, BaseException):
        _log.error(event, part=name, exc_info=detail)
    else:
        _log.warning(event, part=name, exit_code=detail)


def _forget_metrics(pid: int) -> None:
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
