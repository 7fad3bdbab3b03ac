"""What can go wrong with the embedded servers, said in Chinese and English with the next step."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tenants.kernel.errors import Text


class EmbeddedError(Exception):
    """The embedded servers cannot be used; ``text`` says why and what to do next."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh}\n{en}")
        self.text = Text(zh, en)


class AlreadyRunningError(EmbeddedError):
    """Another process (or object) owns the servers of this data folder."""


def already_running(folder: Path, owner: str) -> AlreadyRunningError:
    """The refusal of a second owner for one folder; ``owner`` is the pid that the lock file names."""
    return AlreadyRunningError(
        f"数据目录 {folder} 的内置服务器已由进程 {owner} 启动。请先停止该进程, 或换一个 --data-dir。",
        f"The embedded servers of {folder} are already run by process {owner}. "
        "Stop it first, or choose another --data-dir.",
    )


LOG_LINES_SHOWN: Final = 8

_EXPLANATIONS: Final = (
    (
        r"No space left on device|Disk quota exceeded",
        "磁盘已满。请腾出空间后用同一命令重新启动, 已确认的数据不会丢失。",
        "The disk is full. Free some space and start again with the same command; no acknowledged data is lost.",
    ),
    (
        r"not compatible with this version|incompatible with server|Can't handle RDB format",
        "数据目录由另一版本的服务器写成。请使用写它的那个版本, 或先导出再导入。",
        "The data folder was written by another server version. Use that version, or dump and restore first.",
    ),
    (
        r"Read-only file system",
        "数据目录所在的文件系统是只读的。请换一个可写的 --data-dir。",
        "The data folder lies on a read-only file system. Choose a writable --data-dir.",
    ),
    (
        r"Permission denied|Operation not permitted|has wrong ownership|has invalid permissions",
        "服务器账户无权读写数据目录。请用最初创建该目录的账户启动, 或更正目录的所有者。",
        "The servers' account may not use the data folder. Start as the account that made it, or correct its owner.",
    ),
    (
        r"could not create shared memory|could not resize shared memory|Cannot allocate memory",
        "共享内存或内存不足。请释放内存, 在容器中请加大 /dev/shm (例如 --shm-size=256m)。",
        "Too little (shared) memory. Free some; in a container enlarge /dev/shm (for example --shm-size=256m).",
    ),
    (
        r"could not bind|Failed opening Unix socket|Address already in use|too long",
        "无法建立套接字。请确认没有别的服务器使用该目录, 或换一个路径较短的 --data-dir。",
        "The socket cannot be made. Check that no other server uses the folder, or choose a shorter --data-dir.",
    ),
    (
        r"error while loading shared libraries|cannot execute|Exec format error|No such file or directory: .*bin",
        "服务器程序无法执行。请删除 .venv 后重新安装, 并确认处理器与系统受支持。",
        "The server's program cannot be executed. Delete .venv and install again; check that the system is supported.",
    ),
)


def failed(server: str, output: str) -> EmbeddedError:
    """Why ``server`` did not start, read from what it wrote."""
    tail = "\n".join(f"    {line}" for line in output.strip().splitlines()[-LOG_LINES_SHOWN:])
    for pattern, zh, en in _EXPLANATIONS:
        if re.search(pattern, output):
            return EmbeddedError(f"{server} 无法启动: {zh}", f"{server} did not start: {en}\n{tail}")
    return EmbeddedError(
        f"{server} 无法启动。请查看以下日志。",
        f"{server} did not start. See its log:\n{tail}",
    )


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn an operating-system error about ``folder`` into one that says the next step.

    Raises:
        EmbeddedError: in place of ``OSError``.
    """
    try:
        yield
    except OSError as fault:
        reason = f"{fault.strerror or fault} ({fault.filename or folder})"
        if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
            reason = f"No space left on device ({fault.filename or folder})"
        raise failed(str(folder), reason) from fault
