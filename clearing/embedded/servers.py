"""Own, attach to, and stop the embedded servers of one data folder."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from clearing.embedded import postgres, valkey
from clearing.embedded.account import Account, server_account
from clearing.embedded.addresses import Addresses, addresses
from clearing.embedded.binaries import Binaries, binaries_for
from clearing.embedded.errors import AlreadyRunningError, EmbeddedError, explained
from clearing.embedded.folder import (
    DataFolder,
    clear_state,
    is_owned,
    make_folders,
    make_secrets,
    open_root,
    read_passwords,
    read_state,
    release_lock,
    socket_folder,
    take_lock,
    write_state,
)
from clearing.embedded.process import Launcher, end, end_orphans

ATTACH_SECONDS: Final = 90
"""How long to wait for another process that is just starting the servers."""
_POLL_SECONDS: Final = 0.02
_log = logging.getLogger("clearing.embedded")


class _Running:
    """What one start made; every part is undone by ``stop``."""

    def __init__(self, folder: DataFolder, account: Account, binaries: Binaries, sockets: Path) -> None:
        self.folder = folder
        self.account = account
        self.binaries = binaries
        self.sockets = sockets
        self.passwords = read_passwords(folder)
        self.kept = _handle(folder) if account.dropped and sys.platform == "linux" else None
        self.launcher = Launcher(account, self.kept, ThreadPoolExecutor(1, "clearing-embedded"))
        # Root's servers enter by an inherited descriptor, so that no folder above need be open to their account.
        self.seen = str(folder.servers) if self.kept is None else f"/proc/self/fd/{self.kept}"
        private = sockets == folder.sockets
        self.sockets_seen = f"{self.seen}/{sockets.name}" if private else str(sockets)
        self.postgres: subprocess.Popen[bytes] | None = None
        self.valkey: subprocess.Popen[bytes] | None = None

    def first_start(self) -> None:
        """Make the database where there is none; a half-made one is thrown away."""
        made = self.folder.postgres.with_name("postgres.new")
        if made.exists():
            end_orphans(made, None, signal.SIGKILL, 0)
            shutil.rmtree(made)
        made.mkdir(mode=0o700)
        if self.account.dropped:
            os.chown(made, self.account.uid, self.account.gid)
        postgres.initialise(self.folder, self.binaries, self.launcher, self.seen, self.passwords)
        made.rename(self.folder.postgres)
        _sync(self.folder.servers)

    def start_postgres(self) -> None:
        """Start PostgreSQL and check it."""
        postgres.clear_orphans(self.folder, self.sockets)
        postgres.write_settings(self.folder, self.seen, self.sockets_seen, self.account)
        with postgres.open_log(self.folder, "postgres") as log:
            begin = log.tell()
            self.postgres = postgres.start(self.binaries, self.launcher, self.seen, log)
        postgres.wait_until_ready(self.folder, self.postgres, begin)
        postgres.check(addresses(self.sockets, self.passwords))

    def start_valkey(self) -> None:
        """Start Valkey; where its file is damaged, empty: the outbox sends again what was in it."""
        try:
            self._start_valkey()
        except EmbeddedError as fault:
            self._end_valkey()
            if not any(self.folder.valkey.iterdir()):
                raise
            _log.warning(
                "队列文件无法读取, 以空队列重新启动。The queue's file cannot be read; starting empty. %s", fault
            )
            for path in self.folder.valkey.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            self._start_valkey()

    def _start_valkey(self) -> None:
        password = self.passwords["redis-password"]
        valkey.clear_orphans(self.folder)
        valkey.write_settings(self.folder, self.seen, self.sockets_seen, self.account, password)
        with postgres.open_log(self.folder, "valkey") as log:
            begin = log.tell()
            self.valkey = valkey.start(self.binaries, self.launcher, self.seen, log)
        valkey.wait_until_ready(self.folder, self.valkey, begin, self.sockets / "valkey.sock", password)

    def _end_valkey(self) -> None:
        if self.valkey is not None:
            end(self.valkey, valkey.STOP_STEPS)
            self.valkey = None

    def stop(self) -> None:
        """Stop both servers and give back what was taken."""
        clear_state(self.folder)
        self._end_valkey()
        if self.postgres is not None:
            end(self.postgres, postgres.STOP_STEPS)
            self.postgres = None
        if self.sockets != self.folder.sockets:
            shutil.rmtree(self.sockets, ignore_errors=True)
        self.launcher.thread.shutdown()
        if self.kept is not None:
            os.close(self.kept)
            self.kept = None


class EmbeddedServers:
    """Owner of the servers of ``data_dir``: one living owner for each folder.

    On Linux the servers end with the process that owns them, however it ends; elsewhere the next start ends them. A
    forked child does not own them.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock: int | None = None
        self._running: _Running | None = None
        self._owner_pid = os.getpid()
        self._busy = threading.RLock()
        self.notices: list[str] = []
        """What the operator should know of this start, in Chinese and English."""

    def start(self) -> Addresses:
        """Start both servers, for the first time or again; the folder is made if missing.

        Raises:
            AlreadyRunningError: another owner lives.
            EmbeddedError: they cannot be started; the text says the next step.
        """
        with self._busy, explained(self._data_dir):
            folder = open_root(self._data_dir)
            self._lock = take_lock(folder)
            self._owner_pid = os.getpid()
            try:
                return self._start(folder)
            except BaseException:
                self.stop()
                raise

    def _start(self, folder: DataFolder) -> Addresses:
        clear_state(folder)
        account = server_account((folder.postgres, folder.root))
        self._say_account(account)
        make_folders(folder, account)
        postgres.refuse_other_version(folder)
        binaries = binaries_for(account, folder.root)
        made = make_secrets(folder)
        sockets = socket_folder(folder, account)
        running = self._running = _Running(folder, account, binaries, sockets)
        if sockets != folder.sockets:
            self._say(
                f"数据目录的路径太长, 套接字放在 {sockets}。",
                f"The data folder's path is too long; sockets lie in {sockets}.",
            )
        if not folder.postgres.exists():
            running.first_start()
        elif made:
            postgres.clear_orphans(folder, sockets)
            postgres.renew_passwords(folder, binaries, running.launcher, running.seen, running.passwords)
        running.start_postgres()
        running.start_valkey()
        write_state(folder, sockets)
        return addresses(sockets, running.passwords)

    def revive(self) -> tuple[str, ...]:
        """Start again what has died meanwhile; the names of those started. Cheap when all is well.

        Raises:
            EmbeddedError: a server cannot be started.
        """
        with self._busy, explained(self._data_dir):
            running, revived = self._running, []
            if running is None:
                return ()
            if running.postgres is None or running.postgres.poll() is not None:
                running.start_postgres()
                revived.append("PostgreSQL")
            if running.valkey is None or running.valkey.poll() is not None:
                running.start_valkey()
                revived.append("Valkey")
            return tuple(revived)

    def stop(self) -> None:
        """Stop both servers; harmless when they are stopped, or in a forked child."""
        with self._busy:
            if os.getpid() != self._owner_pid:
                return
            if self._running is not None:
                self._running.stop()
                self._running = None
            if self._lock is not None:
                release_lock(self._lock)
                self._lock = None

    def _say_account(self, account: Account) -> None:
        if account.dropped:
            self._say(
                f"以 root 启动: PostgreSQL 与 Valkey 以普通账户 {account.name} 运行。",
                f"Started as root: PostgreSQL and Valkey run as the ordinary account {account.name}.",
            )

    def _say(self, zh: str, en: str) -> None:
        self.notices.append(f"{zh}\n{en}")
        _log.info("%s %s", zh, en)

    def __enter__(self) -> Addresses:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def addresses_of(data_dir: Path) -> Addresses | None:
    """Where the servers are that a living process runs for this folder; ``None`` if none does, or not yet.

    Raises:
        EmbeddedError: the folder is another account's.
    """
    folder = DataFolder(data_dir.resolve())
    with explained(folder.root):
        if not is_owned(folder):
            return None
        sockets = read_state(folder)
        return None if sockets is None else addresses(sockets, read_passwords(folder))


@contextmanager
def embedded(data_dir: Path) -> Iterator[Addresses]:
    """The servers of this folder: those that run, else started here and stopped at the end.

    Raises:
        EmbeddedError: they cannot be started.
    """
    servers = EmbeddedServers(data_dir)
    deadline = time.monotonic() + ATTACH_SECONDS
    while True:
        found = addresses_of(data_dir)
        if found is not None:
            break
        try:
            found = servers.start()
        except AlreadyRunningError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        break
    try:
        yield found
    finally:
        servers.stop()


def _handle(folder: DataFolder) -> int:
    return os.open(folder.servers, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
