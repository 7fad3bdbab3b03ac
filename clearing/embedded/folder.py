"""The data folder: what lies where, who may read it, and who owns it at the moment."""

import fcntl
import json
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearing.embedded.account import Account
from clearing.embedded.errors import EmbeddedError, already_running

SOCKET_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
"""The longest path of a Unix socket."""
SOCKET_NAMES: Final = (".s.PGSQL.5432", "valkey.sock")
PASSWORDS: Final = ("owner-password", "app-password", "auditor-password", "redis-password")
KEYS: Final = ("kek", "registry-key")
KEY_BYTES: Final = 32
FIRST_START_BYTES: Final = 96 * 1024 * 1024
FREE_BYTES: Final = 16 * 1024 * 1024
"""Less than this free, and a recovery would not end well: one segment of the write-ahead log."""
_LOCK_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.02

_held_locks: set[int] = set()


def _forget_locks() -> None:
    """A forked child must not keep its parent's folders locked after the parent is gone."""
    for descriptor in _held_locks:
        os.close(descriptor)
    _held_locks.clear()


os.register_at_fork(after_in_child=_forget_locks)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below one data folder; ``root`` is absolute."""

    root: Path

    @property
    def servers(self) -> Path:
        """What the servers see; their own account's folders lie in it."""
        return self.root / "servers"

    @property
    def postgres(self) -> Path:
        """The database cluster; it exists only after a complete first start."""
        return self.servers / "postgres"

    @property
    def valkey(self) -> Path:
        """The queue's append-only file."""
        return self.servers / "valkey"

    @property
    def sockets(self) -> Path:
        """Where the sockets lie if the path is short enough."""
        return self.servers / "sockets"

    @property
    def settings(self) -> Path:
        """Configuration, written anew at each start, which the servers may read only."""
        return self.servers / "settings"

    @property
    def secrets(self) -> Path:
        """Passwords and keys; the servers' account cannot enter when we are root."""
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        """One log file for each server."""
        return self.root / "logs"

    @property
    def state(self) -> Path:
        """Present while the servers run: where their sockets are."""
        return self.root / "servers.json"

    @property
    def lock(self) -> Path:
        """Locked while a process owns the servers; holds its pid."""
        return self.root / "lock"


def make_folders(folder: DataFolder, account: Account) -> None:
    """Make what is missing and refuse what others could change.

    Raises:
        EmbeddedError: a folder is another account's, is no folder, or is open to others.
    """
    owner = folder.root.stat().st_uid  # differs from us where root runs another account's folder
    for path, uid, mode in (
        (folder.servers, os.geteuid(), 0o711),
        (folder.settings, os.geteuid(), 0o711),
        (folder.valkey, account.uid, 0o700),
        (folder.sockets, account.uid, 0o700),
        (folder.secrets, os.geteuid(), 0o700),
        (folder.logs, os.geteuid(), 0o700),
    ):
        _own_folder(path, uid, mode, account, owner)
    if folder.postgres.exists():
        _own_folder(folder.postgres, account.uid, 0o700, account, account.uid)


def open_root(root: Path) -> DataFolder:
    """The data folder, made if missing and closed to other accounts where it is ours alone.

    Raises:
        EmbeddedError: others may write in it, it is another account's, or the disk is full.
    """
    root = root.resolve()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = DataFolder(root)
    status = root.stat()
    if status.st_uid != os.geteuid() and os.geteuid() != 0:
        raise _not_ours(root)
    ours = folder.lock.exists() or not any(root.iterdir())
    if ours and status.st_mode & 0o077:
        root.chmod(0o700)
    elif status.st_mode & 0o022:
        raise EmbeddedError(
            f"数据目录 {root} 可被其他用户写入。请运行 chmod 700 {root}, 或换一个目录。",
            f"Others may write in the data folder {root}. Run chmod 700 {root}, or choose another folder.",
        )
    free_bytes, needed_bytes = (
        shutil.disk_usage(root).free,
        FREE_BYTES if folder.postgres.exists() else FIRST_START_BYTES,
    )
    if free_bytes < needed_bytes:
        raise EmbeddedError(
            f"磁盘空间不足: {root} 只剩 {free_bytes} 字节, 至少需要 {needed_bytes}。请腾出空间后再启动。",
            f"The disk is nearly full: {root} has {free_bytes} bytes left of the {needed_bytes} needed. "
            "Free some space and start again.",
        )
    return folder


def _own_folder(path: Path, uid: int, mode: int, account: Account, owner: int) -> None:
    if not path.exists() and not path.is_symlink():
        path.mkdir(mode=mode)
        path.chmod(mode)
        if uid == account.uid and account.dropped:
            os.chown(path, account.uid, account.gid)
    status = path.lstat()
    allowed = {uid, owner} if uid == os.geteuid() else {uid}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in allowed:
        raise _not_ours(path)
    if stat.S_IMODE(status.st_mode) != mode:
        path.chmod(mode)


def _not_ours(path: Path) -> EmbeddedError:
    return EmbeddedError(
        f"{path} 属于另一个账户。请以最初启动的账户运行, 或更正其所有者 (chown)。",
        f"{path} belongs to another account. Run as the account that started first, or correct its owner (chown).",
    )


def take_lock(folder: DataFolder) -> int:
    """Become the owner of the folder; the descriptor holds until ``release_lock``.

    Raises:
        AlreadyRunningError: another process owns it.
    """
    descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS  # somebody may be just looking, see ``is_owned``
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise already_running(folder.root, owner) from None
        break
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    _held_locks.add(descriptor)
    return descriptor


def release_lock(descriptor: int) -> None:
    """Let another process own the folder."""
    if descriptor in _held_locks:
        _held_locks.discard(descriptor)
        os.close(descriptor)


def is_owned(folder: DataFolder) -> bool:
    """Whether a living process owns the folder."""
    try:
        descriptor = os.open(folder.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def socket_folder(folder: DataFolder, account: Account) -> Path:
    """``folder.sockets``, or a new private folder with a short path where that would be too long for a socket."""
    if fits(folder.sockets):
        return folder.sockets
    short = Path(tempfile.mkdtemp(prefix="clearing-", dir="/tmp"))  # short on macOS too; private, a random name
    if account.dropped:
        os.chown(short, account.uid, account.gid)
    return short


def fits(sockets: Path) -> bool:
    """Whether every socket in this folder has a path that the system can take."""
    return all(len(os.fsencode(sockets / name)) <= SOCKET_PATH_BYTES for name in SOCKET_NAMES)


def write_state(folder: DataFolder, sockets: Path) -> None:
    """Tell other processes that the servers are ready, and where."""
    write_new(folder.state, json.dumps({"sockets": str(sockets)}).encode())


def read_state(folder: DataFolder) -> Path | None:
    """Where the sockets are, or were when the owner was killed; ``None`` if no server is announced."""
    try:
        stored = json.loads(folder.state.read_bytes())
    except FileNotFoundError:
        return None
    return Path(stored["sockets"])


def clear_state(folder: DataFolder) -> None:
    """Withdraw the announcement and remove the short socket folder, if one was made."""
    sockets = read_state(folder)
    folder.state.unlink(missing_ok=True)
    if sockets is not None and sockets != folder.sockets and sockets.name.startswith("clearing-"):
        shutil.rmtree(sockets, ignore_errors=True)


def make_secrets(folder: DataFolder) -> frozenset[str]:
    """Make the missing passwords and keys; the names of those made.

    Raises:
        EmbeddedError: the database exists but a key is missing; a new one would make its contents unreadable.
    """
    missing = {name for name in (*PASSWORDS, *KEYS) if not (folder.secrets / name).exists()}
    lost = sorted(missing.intersection(KEYS))
    if folder.postgres.exists() and lost:
        raise EmbeddedError(
            f"数据库存在, 但 {folder.secrets} 中缺少密钥 {', '.join(lost)}。请从备份恢复, 不能新建。",
            f"The database exists, but {folder.secrets} lacks the keys {', '.join(lost)}. "
            "Restore them from a backup; new ones would not do.",
        )
    for name in missing:
        content = secrets.token_bytes(KEY_BYTES) if name in KEYS else secrets.token_urlsafe(KEY_BYTES).encode()
        write_new(folder.secrets / name, content)
    return frozenset(missing)


def read_passwords(folder: DataFolder) -> Mapping[str, str]:
    """The passwords by their names in ``PASSWORDS``."""
    return {name: (folder.secrets / name).read_text() for name in PASSWORDS}


def write_new(path: Path, content: bytes, account: Account | None = None) -> None:
    """Put a file of mode 0600 in place whole, or not at all; it becomes ``account``'s if that is not ours."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        if account is not None and account.dropped:
            os.fchown(descriptor, account.uid, account.gid)
        file.flush()
        os.fsync(descriptor)
    part.replace(path)
