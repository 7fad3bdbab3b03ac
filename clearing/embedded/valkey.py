"""The embedded Valkey (the queue): nothing in it is the truth, so it may always start empty."""

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from clearing.embedded.account import Account
from clearing.embedded.binaries import Binaries
from clearing.embedded.errors import failed
from clearing.embedded.folder import DataFolder, write_new
from clearing.embedded.postgres import written_since
from clearing.embedded.process import Launcher, end_orphans

READY_SECONDS: Final = 20
STOP_STEPS: Final = ((signal.SIGTERM, 3.0),)
ORPHAN_SECONDS: Final = 3
_POLL_SECONDS: Final = 0.01
_ANSWER_SECONDS: Final = 5.0

SETTINGS: Final[Mapping[str, str]] = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
    "enable-debug-command": "no",
    "enable-module-command": "no",
    "loglevel": "warning",
}


def clear_orphans(folder: DataFolder) -> None:
    """End what a killed owner left running."""
    pid_file = folder.valkey / "valkey.pid"
    if not pid_file.exists():
        return
    written = pid_file.read_text().strip()
    end_orphans(folder.valkey, int(written) if written.isdigit() else None, signal.SIGTERM, ORPHAN_SECONDS)
    pid_file.unlink(missing_ok=True)


def write_settings(folder: DataFolder, seen: str, sockets: str, account: Account, password: str) -> None:
    """Write the configuration; ``seen`` and ``sockets`` as in ``postgres.write_settings``."""
    lines = [f"{name} {value}" for name, value in SETTINGS.items()]
    lines.append(f'dir "{seen}/valkey"')
    lines.append(f'pidfile "{seen}/valkey/valkey.pid"')
    lines.append(f'unixsocket "{sockets}/valkey.sock"')
    lines.append(f'requirepass "{password}"')
    write_new(folder.settings / "valkey.conf", "\n".join(lines).encode() + b"\n", account)


def start(binaries: Binaries, launcher: Launcher, seen: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The server's process, not yet ready."""
    return launcher.start([str(binaries.valkey), f"{seen}/settings/valkey.conf"], log, signal.SIGTERM)


def wait_until_ready(
    folder: DataFolder, process: subprocess.Popen[bytes], log_start: int, path: Path, password: str
) -> None:
    """Return when the server answers on its socket.

    Raises:
        EmbeddedError: it ended, or did not answer in ``READY_SECONDS``.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(path, password):
        if process.poll() is not None or time.monotonic() > deadline:
            raise failed("Valkey", written_since(folder, "valkey", log_start))
        time.sleep(_POLL_SECONDS)


def _answers(path: Path, password: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with connection.makefile("rb") as answers:
                return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False  # no socket yet, or not yet listening
