"""The embedded PostgreSQL: made once, started, checked and stopped."""

import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import psycopg

from clearing.embedded.account import Account
from clearing.embedded.addresses import Addresses
from clearing.embedded.binaries import Binaries
from clearing.embedded.errors import EmbeddedError, failed
from clearing.embedded.folder import DataFolder, write_new
from clearing.embedded.process import Launcher, end, end_orphans

MAJOR_VERSION: Final = 18
FIRST_START_SECONDS: Final = 120
READY_SECONDS: Final = 60
"""Recovery after a crash included."""
STOP_STEPS: Final = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0))
"""Fast shutdown, then immediate shutdown: the next start recovers from the log."""
ORPHAN_SECONDS: Final = 5
FAILED_SYNC_IS_TOLD_FROM: Final = (5, 8)
"""The version of Linux."""
_POLL_SECONDS: Final = 0.01
_STATUS_LINE: Final = 7
"""Of postmaster.pid, counted from zero."""

SETTINGS: Final[Mapping[str, str]] = {
    # safety: checked again after each start
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "password_encryption": "scram-sha-256",
    "allow_alter_system": "off",
    # reached by the private socket only
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # sized for two cores beside a service and a worker
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_parallel_workers_per_gather": "1",
    "max_worker_processes": "4",
    "io_method": "sync",
    "random_page_cost": "1.1",
    "jit": "off",
    "huge_pages": "off",
    "wal_buffers": "16MB",
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    # tables that grow by thousands a second are known to the planner in seconds
    "autovacuum_naptime": "10s",
    "temp_file_limit": "8GB",
    "timezone": "'UTC'",
    # the log: no statement and no row's values, they may hold personal data
    "log_timezone": "'UTC'",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "cluster_name": "'clearing'",
}

ACCESS: Final = """\
# type  database  user                                           method
local   clearing  clearing_owner,clearing_app,clearing_auditor   scram-sha-256
local   all       all                                            reject
"""
"""The superuser has no way in: it acts only in single-user mode, while no server runs."""

_CHECK: Final = """
    SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'),
           current_setting('full_page_writes'), current_setting('synchronous_commit'),
           current_setting('data_checksums'),
           rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb
      FROM pg_roles WHERE rolname = current_user
"""


def version_of(folder: DataFolder) -> int | None:
    """The major version that wrote the database; ``None`` before the first start."""
    mark = folder.postgres / "PG_VERSION"
    return int(mark.read_text()) if mark.exists() else None


def refuse_other_version(folder: DataFolder) -> None:
    """Stop before another version's server touches the data.

    Raises:
        EmbeddedError: the database was written by another major version.
    """
    found = version_of(folder)
    if found not in {None, MAJOR_VERSION}:
        raise EmbeddedError(
            f"{folder.postgres} 由 PostgreSQL {found} 写成, 本程序使用 {MAJOR_VERSION}。"
            "请使用写它的那个版本, 或先导出再导入。",
            f"{folder.postgres} was written by PostgreSQL {found}; this program has {MAJOR_VERSION}. "
            "Use the version that wrote it, or dump and restore first.",
        )


def clear_orphans(folder: DataFolder, sockets: Path) -> None:
    """End what a killed owner left running, and remove its pid file and sockets."""
    pid_file = folder.postgres / "postmaster.pid"
    if pid_file.exists():
        lines = pid_file.read_text().splitlines()
        main_pid = int(lines[0]) if lines and lines[0].isdigit() else None
        end_orphans(folder.postgres, main_pid, signal.SIGINT, ORPHAN_SECONDS)
        pid_file.unlink(missing_ok=True)
    for stale in sockets.glob(".s.PGSQL.*"):
        stale.unlink()


def write_settings(folder: DataFolder, seen: str, sockets: str, account: Account) -> None:
    """Write the configuration; ``seen`` is the servers' folder and ``sockets`` theirs, as the servers see them."""
    lines = [f"{name} = {value}" for name, value in SETTINGS.items()]
    lines.append(f"recovery_init_sync_method = {way_to_disk(sys.platform, platform.release())}")
    lines.append(f"hba_file = '{seen}/settings/pg_hba.conf'")
    lines.append(f"unix_socket_directories = '{sockets}'")
    write_new(folder.settings / "postgresql.conf", "\n".join(lines).encode() + b"\n", account)
    write_new(folder.settings / "pg_hba.conf", ACCESS.encode(), account)


def way_to_disk(system: str, release: str) -> str:
    """How everything is written to the disk before a recovery: at one go where the system tells whether that failed.

    Linux does since 5.8. File by file, as elsewhere, the two thousand files of a new database take seconds where others
    write to the same disk; a server of which one process was killed is away so long.
    """
    version = re.match(r"(\d+)\.(\d+)", release)
    tells = version is not None and (int(version[1]), int(version[2])) >= FAILED_SYNC_IS_TOLD_FROM
    return "syncfs" if system == "linux" and tells else "fsync"


def initialise(
    folder: DataFolder, binaries: Binaries, launcher: Launcher, seen: str, passwords: Mapping[str, str]
) -> None:
    """Make the cluster, its roles and the database, in a neighbour folder that is renamed when all is done.

    Raises:
        EmbeddedError: a program failed.
    """
    made = f"{seen}/{folder.postgres.name}.new"
    initdb = [
        *(str(binaries.postgres("initdb")), "-D", made, "-U", "postgres", "--auth=reject", "--data-checksums"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    ]
    _run(folder, launcher, initdb, "")
    here = Path(__file__)
    _single_user(folder, binaries, launcher, made, "postgres", here.with_name("roles.sql").read_text())
    _single_user(folder, binaries, launcher, made, "clearing", here.with_name("rights.sql").read_text())
    _single_user(folder, binaries, launcher, made, "postgres", _password_commands(passwords))


def renew_passwords(
    folder: DataFolder, binaries: Binaries, launcher: Launcher, seen: str, passwords: Mapping[str, str]
) -> None:
    """Give the roles these passwords, while no server runs.

    Raises:
        EmbeddedError: the program failed.
    """
    made = f"{seen}/{folder.postgres.name}"
    _single_user(folder, binaries, launcher, made, "postgres", _password_commands(passwords))


def _password_commands(passwords: Mapping[str, str]) -> str:
    roles = ("owner", "app", "auditor")
    return "".join(f"ALTER ROLE clearing_{role} PASSWORD '{passwords[f'{role}-password']}';\n\n" for role in roles)


def _single_user(
    folder: DataFolder, binaries: Binaries, launcher: Launcher, data: str, database: str, sql: str
) -> None:
    options = ("-c", "exit_on_error=on", "-c", "log_checkpoints=off", "-c", "password_encryption=scram-sha-256")
    argv = [str(binaries.postgres()), "--single", "-j", "-D", data, *options, database]
    _run(folder, launcher, argv, sql)


def _run(folder: DataFolder, launcher: Launcher, argv: list[str], given: str) -> None:
    with open_log(folder, "first-start") as log:
        start = log.tell()
        process = launcher.start(argv, log, signal.SIGKILL, given)
        try:
            code = process.wait(FIRST_START_SECONDS)
        except subprocess.TimeoutExpired:
            end(process, ())
            code = -1
        if code != 0:
            raise failed(Path(argv[0]).name, written_since(folder, "first-start", start))


def open_log(folder: DataFolder, server: str) -> IO[bytes]:
    """The server's log file, to be appended to."""
    return (folder.logs / f"{server}.log").open("ab")


def written_since(folder: DataFolder, server: str, start: int) -> str:
    """What the server wrote to its log after the byte ``start``."""
    with (folder.logs / f"{server}.log").open("rb") as log:
        log.seek(start)
        return log.read().decode(errors="replace")


def start(binaries: Binaries, launcher: Launcher, seen: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The server's main process, not yet ready."""
    settings = f"--config-file={seen}/settings/postgresql.conf"
    return launcher.start([str(binaries.postgres()), "-D", f"{seen}/postgres", settings], log, signal.SIGINT)


def wait_until_ready(folder: DataFolder, process: subprocess.Popen[bytes], log_start: int) -> None:
    """Return when the server takes connections.

    Raises:
        EmbeddedError: it ended, or was not ready in ``READY_SECONDS``.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(folder.postgres / "postmaster.pid", process.pid):
        if process.poll() is not None or time.monotonic() > deadline:
            raise failed("PostgreSQL", written_since(folder, "postgres", log_start))
        time.sleep(_POLL_SECONDS)


def _is_ready(pid_file: Path, pid: int) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"


def check(addresses: Addresses) -> None:
    """Compare what the running server does with what must hold.

    Raises:
        EmbeddedError: durability is switched off, the version is too old, or the app's role has too many rights.
    """
    try:
        with psycopg.connect(addresses.app_url.replace("+psycopg", "", 1)) as connection:
            row = connection.execute(_CHECK).fetchone()
    except psycopg.Error as fault:
        raise failed("PostgreSQL", str(fault)) from fault
    if row is None or row[0] < MAJOR_VERSION or row[1:] != ("on", "on", "on", "on", False):
        raise EmbeddedError(
            f"PostgreSQL 的设置不安全, 拒绝启动: {row}。请检查 postgresql.auto.conf 与角色的权限。",
            "PostgreSQL runs with unsafe settings; refusing to start. (version, fsync, full_page_writes, "
            f"synchronous_commit, data_checksums, too many rights) = {row}. "
            "Check postgresql.auto.conf and the rights of the roles.",
        )
