"""``clearing serve``: the keeper of everything that runs in one place.

The keeper owns the embedded databases, prepares them, and keeps a nursery (``clearing.nursery``) whose children are the
web processes, the worker and the scheduler. The nursery imports while the databases start. However the keeper ends, the
rest ends with it: the databases by the launcher's ties, the nursery because its pipe closes.
"""

import contextlib
import errno
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from clearing.listening import listen
from tenants.kernel.clock import print_instant
from tenants.kernel.errors import Text

if TYPE_CHECKING:
    from clearing.places import Places
    from clearing.preparation import Prepared
    from clearing.settings import Settings

NURSERY_STOP_SECONDS: Final = 4.0
NURSERY_STEADY_SECONDS: Final = 20.0
NURSERY_QUICK_DEATHS: Final = 3
"""So many deaths, each sooner than that after its start, and something is wrong that no restart mends."""
WATCH_SECONDS: Final = 0.5
BIND_SECONDS: Final = 8.0
"""How long to wait for the address of a service that was killed just now and whose last processes still end."""
ARENAS: Final = "2"
"""glibc gives each thread a heap of its own, which keeps what one large body needed: with as many as threads, a process
that has read bulk bodies keeps several hundred MiB."""
_POLL_SECONDS: Final = 0.05
_PATH_OPTION: Final = ("-P",) if sys.flags.safe_path else ()
"""As we were started: never import from the current folder by accident."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to serve: with embedded databases in ``data_dir``, or with those that the environment names."""

    data_dir: Path
    environment: Mapping[str, str]
    host: str
    port: int
    web_processes: int
    demo_clock: datetime | None
    sandbox: bool
    """Whether a sandbox is to be served: one that is set up otherwise is not."""
    say: Callable[[str], None]
    """Told to the operator, Chinese first, then English."""


class ServingError(Exception):
    """The service cannot be served; ``text`` says why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


class _Told(Exception):  # noqa: N818 - not an error
    """SIGTERM or SIGINT came while the service was starting."""


class _Ending:
    """Whether the operator wants the end; while something long runs, the wish interrupts it."""

    def __init__(self) -> None:
        self.wanted = threading.Event()
        self._interrupts = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._tell)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self.wanted.set()
        if self._interrupts:
            self._interrupts = False
            raise _Told

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        self._interrupts = True
        try:
            if self.wanted.is_set():
                raise _Told
            yield
        finally:
            self._interrupts = False


class _NurseryProcess:
    """The nursery as the keeper sees it; started again when it dies."""

    def __init__(self, listener: socket.socket, metrics: str) -> None:
        self._listener = listener
        self._environment = {"MALLOC_ARENA_MAX": ARENAS, **os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
        self._orders = b""
        self._quick_deaths = 0
        self._process, self._pipe = self._start()

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        self._since = time.monotonic()
        theirs, ours = os.pipe()
        told = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for the keeper alone
        try:
            process = subprocess.Popen(
                [sys.executable, *_PATH_OPTION, "-m", "clearing.nursery", str(theirs)],
                pass_fds=(theirs, self._listener.fileno()),
                stdin=subprocess.DEVNULL,
                env=self._environment,
            )
        finally:
            signal.signal(signal.SIGINT, told)
            os.close(theirs)
        return process, ours

    def order(self, orders: Mapping[str, object]) -> None:
        """Say what to run; a nursery that is started again gets the same orders."""
        self._orders = json.dumps(orders).encode() + b"\n"
        self._give_orders()

    def _give_orders(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died; ``tend`` sees it
            os.write(self._pipe, self._orders)

    def tend(self) -> bool:
        """Start the nursery again if it died; whether it had.

        Raises:
            ServingError: it never lives long.
        """
        if self._process.poll() is None:
            return False
        os.close(self._pipe)
        lived = time.monotonic() - self._since
        self._quick_deaths = 0 if lived > NURSERY_STEADY_SECONDS else self._quick_deaths + 1
        if self._quick_deaths >= NURSERY_QUICK_DEATHS:
            raise ServingError(
                "服务进程一再在启动时结束，原因见以上输出或日志。",
                "The service's processes end again and again at their start; the output above or the log says why.",
            )
        self._process, self._pipe = self._start()
        self._give_orders()
        return True

    def stop(self) -> None:
        """End it and its children; harmless when it has ended."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(NURSERY_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its children end with it
                self._process.wait()


def serve(plan: Plan) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        EmbeddedError, SeedError, CheckpointError, SettingsError: it cannot start; the text says what to do.
        ServingError: the address is taken.
        Unavailable: the named database is away.
    """
    ending = _Ending()
    listener = _bind(plan.host, plan.port, ending)
    metrics = tempfile.mkdtemp(prefix="clearing-metrics-")
    nursery = _NurseryProcess(listener, metrics)
    try:
        with contextlib.suppress(_Told):
            _keep(plan, ending, nursery, listener)
    finally:
        nursery.stop()
        shutil.rmtree(metrics, ignore_errors=True)


def _keep(plan: Plan, ending: _Ending, nursery: _NurseryProcess, listener: socket.socket) -> None:
    # Imported only now, while the nursery imports too; the preparation's modules while the databases start.
    from clearing.places import own_places  # noqa: PLC0415 - see above

    threading.Thread(target=importlib.import_module, args=("clearing.preparation",), daemon=True).start()
    with own_places(plan.data_dir, plan.environment, ending.interruptible) as places:
        with ending.interruptible():
            prepared = _prepared(plan, places)
        nursery.order(_orders(prepared.settings, listener, plan.web_processes, places.log))
        for notice in places.notices:
            plan.say(notice)
        plan.say(_greeting(plan, prepared))
        try:
            _watch(plan, ending, nursery, places)
        finally:
            nursery.stop()  # before its databases


def _prepared(plan: Plan, places: "Places") -> "Prepared":
    from clearing.preparation import migrate_schema, prepare  # noqa: PLC0415 - see above
    from tenants.instance import require_secrets  # noqa: PLC0415 - see above

    if plan.sandbox:
        return _founded(plan, places)
    if places.settings.sandbox:
        raise ServingError(
            "这是一个沙箱。要作为沙箱启动，请加 --sandbox；正式环境请另选 --data-dir。",
            "This is a sandbox. To serve it as one, add --sandbox; for a real instance choose another --data-dir.",
        )
    require_secrets(places.settings.secrets_folder, places.settings.mark)
    if places.owner_url is not None:
        migrate_schema(places.owner_url, places.settings.mark)
    return prepare(places.settings, plan.demo_clock)


def _founded(plan: Plan, places: "Places") -> "Prepared":
    """A sandbox, founded where nothing is yet."""
    from clearing.sandbox.founding import found  # noqa: PLC0415 - see above

    return found(places, plan.demo_clock).prepared


def _orders(settings: "Settings", listener: socket.socket, web_processes: int, log: Path | None) -> dict[str, object]:
    return {
        "database_url": settings.database_url,
        "redis_url": settings.redis_url,
        "secrets_folder": str(settings.secrets_folder),
        "checkpoints_folder": str(settings.checkpoints_folder),
        "banks_file": str(settings.banks_file),
        "looks_per_hour": settings.looks_per_hour,
        "webhook_wait_ms": settings.webhook_wait_ms,
        "statement_mib": settings.statement_mib,
        "trusted_proxies": ",".join(map(str, settings.trusted_proxies)),
        "demonstration": settings.demonstration,
        "sandbox": settings.sandbox,
        "embedded": settings.embedded,
        "listener": listener.fileno(),
        "web_processes": web_processes,
        "log": None if log is None else str(log),
    }


def _watch(plan: Plan, ending: _Ending, nursery: _NurseryProcess, places: "Places") -> None:
    """Replace what dies, until the end is wanted."""
    from clearing.embedded import EmbeddedError  # noqa: PLC0415 - see above
    from clearing.logs import rotate  # noqa: PLC0415 - see above

    failing = False
    while not ending.wanted.wait(WATCH_SECONDS):
        if nursery.tend():
            plan.say(
                "服务进程意外结束，已重新启动。\nThe service's processes ended unexpectedly and were started again."
            )
        if places.log is not None:
            with contextlib.suppress(OSError):  # tried again in a moment; a large log is no reason to end
                rotate(places.log)
        try:
            with ending.interruptible():
                revived = places.revive()
            failing = False
        except EmbeddedError as error:
            if not failing:
                plan.say(str(error))
            failing = True
            continue
        for name in revived:
            plan.say(f"{name} 意外停止，已重新启动。\n{name} had stopped and was started again.")


def _greeting(plan: Plan, prepared: "Prepared") -> str:
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    address = f"http://{host}:{plan.port}"
    said = f"服务地址 {address}（接口文档 /docs，Ctrl-C 结束）\nServing at {address} (/docs; Ctrl-C ends)"
    if prepared.demonstration_at is None:
        return said
    now = print_instant(prepared.demonstration_at)
    if plan.sandbox:
        keys = prepared.settings.secrets_folder / "test-keys.json"
        return (
            f"{said}\n沙箱，业务时间 {now}，测试密钥 {keys}\n"
            f"A sandbox: nothing here is real. The business time is {now}; the test keys are in {keys}"
        )
    return f"{said}\n演示模式，业务时间 {now}\nDemonstration mode; the business time is {now}"


def _bind(host: str, port: int, ending: _Ending) -> socket.socket:
    """The socket; a service killed just now may hold its address for some seconds more."""
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return listen(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline or ending.wanted.is_set():
                raise ServingError(
                    f"无法使用地址 {host}:{port}：{error.strerror}。请换一个 --bind。",
                    f"The address {host}:{port} cannot be used: {error.strerror}. Choose another with --bind.",
                ) from error
            time.sleep(_POLL_SECONDS)
