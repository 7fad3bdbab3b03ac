"""Which operating-system account runs the embedded servers: never root."""

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearing.embedded.errors import EmbeddedError

ROOT: Final = 0
ORDINARY_ACCOUNTS: Final = ("clearing", "nobody")
"""Tried in this order when root starts the servers on a folder that is root's own."""


@dataclass(frozen=True, slots=True)
class Account:
    """The servers' account; ``dropped`` where it differs from ours, because we are root."""

    name: str
    uid: int
    gid: int
    dropped: bool


def server_account(folders: Iterable[Path]) -> Account:
    """Our own account, or for root an ordinary one: the owner of the first of ``folders`` that is not root's.

    Raises:
        EmbeddedError: we are root and the system has no ordinary account to drop to.
    """
    uid = os.geteuid()
    if uid != ROOT:
        return Account(_name(uid) or str(uid), uid, os.getegid(), dropped=False)
    owners = (_name(folder.lstat().st_uid) for folder in folders if folder.exists())
    for name in (*owners, *ORDINARY_ACCOUNTS):
        entry = _entry(name)
        if entry is not None and entry.pw_uid != ROOT:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, dropped=True)
    raise EmbeddedError(
        "PostgreSQL 不能以 root 运行, 而系统中没有普通账户 clearing 或 nobody。请用 useradd clearing 建一个。",
        "PostgreSQL must not run as root, and there is neither an account clearing nor nobody. "
        "Make one with `useradd clearing`.",
    )


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _entry(name: str | None) -> pwd.struct_passwd | None:
    if name is None:
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
