"""Make .venv from the hash-locked list with a bare Python 3.11+; called by ./run, safe to run twice at once.

The argument is the list to install. A copy of it in .venv is the mark of a complete installation: without the mark
.venv is made anew, so an interrupted installation repairs itself.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
MARK = VENV / "installed.lock"
LISTS = ("requirements.lock", "requirements-dev.lock")
"""The second holds all of the first."""


def main() -> None:
    """Bring .venv up to the list, unless it is already, or another process just did."""
    wanted = sys.argv[1]
    with (ROOT / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("另一个进程正在安装, 请稍候…", "Another process is installing; waiting…")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not satisfied(wanted):
            install(wanted)


def satisfied(wanted: str) -> bool:
    """Whether a complete installation holds all of the list."""
    if not MARK.exists() or not works(PYTHON):
        return False
    return MARK.read_bytes() in [(ROOT / name).read_bytes() for name in LISTS[LISTS.index(wanted) :]]


def install(wanted: str) -> None:
    """Install the list into .venv, made anew if it is incomplete or broken."""
    say(f"首次运行: 正在安装依赖到 {VENV} …", f"First run: installing into {VENV} …")
    if VENV.exists() and not (MARK.exists() and works(PYTHON)):
        shutil.rmtree(VENV)
    MARK.unlink(missing_ok=True)
    if not VENV.exists():
        make_venv()
    content = (ROOT / wanted).read_bytes()
    command = [
        *pip(),
        "install",
        "-qq",
        "--no-input",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "-r",
        str(ROOT / wanted),
    ]
    if run(command) != 0:
        stop(
            "安装失败。请检查网络或软件包源的设置 (pip config), 然后再次运行同一命令。",
            "The installation failed. Check the network or the package source (pip config), then run the same again.",
        )
    link_project()
    MARK.write_bytes(content)


def make_venv() -> None:
    """Make an empty environment, with pip in it where this Python can."""
    options = [] if find_spec("ensurepip") else ["--without-pip"]
    if options and not outside_pip():
        get_venv_package()
        options = []
    if run([sys.executable, "-m", "venv", *options, str(VENV)]) != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        stop("无法建立 .venv。", "Cannot make .venv.")


def pip() -> list[str]:
    """The command that installs into .venv: its own pip, or else the pip of the outside Python."""
    own = [str(PYTHON), "-m", "pip"]
    return own if run([*own, "--version"], quiet=True) == 0 else [*outside_pip(), "--python", str(PYTHON)]


def outside_pip() -> list[str]:
    """The pip of the Python that runs this, if it can install into another environment; else nothing."""
    command = [sys.executable, "-m", "pip"]
    return command if run([*command, "--python", sys.executable, "--version"], quiet=True) == 0 else []


def get_venv_package() -> None:
    """Debian ships Python without ensurepip: root can fetch it, others are told how."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    apt = shutil.which("apt-get")
    if apt is not None and os.geteuid() == 0 and sys.executable.startswith("/usr/bin/"):
        say(f"正在安装系统软件包 {package} …", f"Installing the system package {package} …")
        run([apt, "-qq", "update"])
        if run([apt, "-qq", "install", "-y", "--no-install-recommends", package]) == 0:
            return
    stop(
        f"此 Python 没有 pip 和 ensurepip。请先安装, 例如: sudo apt-get install {package}",
        f"This Python has neither pip nor ensurepip. Install them first, for example: sudo apt-get install {package}",
    )


def link_project() -> None:
    """Make the project importable and `clearing` a command, without building anything; survives moving the folder."""
    site = next((VENV / "lib").glob("python3*/site-packages"))
    (site / "clearing.pth").write_text("../../../..\n")
    command = VENV / "bin" / "clearing"
    command.write_text('#!/bin/sh\nexec "$(dirname -- "$0")/python" -P -m clearing "$@"\n')
    command.chmod(0o755)


def works(python: Path) -> bool:
    """Whether this interpreter starts; it does not after the Python it was made from is gone."""
    return python.exists() and run([str(python), "-c", ""], quiet=True) == 0


def run(command: Sequence[str], *, quiet: bool = False) -> int:
    """The exit code of the command."""
    output = subprocess.DEVNULL if quiet else None
    settings = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    return subprocess.run(
        command, check=False, stdout=output, stderr=output, env={**os.environ, **settings}, cwd=ROOT
    ).returncode


def say(zh: str, en: str) -> None:
    """One line in each language, beside the output."""
    print(f"{zh}\n{en}", file=sys.stderr, flush=True)  # noqa: T201 - no logging yet: nothing is installed


def stop(zh: str, en: str) -> NoReturn:
    """End without an installation."""
    say(zh, en)
    sys.exit(1)


if __name__ == "__main__":
    main()
