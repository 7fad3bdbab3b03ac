"""Processes of the embedded servers: started under their account, ended with their parent, found when orphaned."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from clearing.embedded.account import Account

_LAUNCH: Final = str(Path(__file__).with_name("launch.py"))
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}
KILL_SECONDS: Final = 5
"""How long a process may take to vanish after SIGKILL."""
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts programs as ``account``; ``kept`` is a descriptor that they inherit, or ``None``.

    All starts run in one thread, which lives as long as the launcher: the Linux kernel reports the end of the *thread*
    that started a process, and the thread that calls us may be short-lived.
    """

    account: Account
    kept: int | None
    thread: ThreadPoolExecutor

    def start(
        self, argv: list[str], log: IO[bytes], death_signal: signal.Signals, given: str = ""
    ) -> subprocess.Popen[bytes]:
        """The running program, its output in ``log``, ``given`` on its standard input."""
        return self.thread.submit(self._start, argv, log, death_signal, given).result()

    def _start(
        self, argv: list[str], log: IO[bytes], death_signal: signal.Signals, given: str
    ) -> subprocess.Popen[bytes]:
        account = self.account
        task = {
            "argv": argv,
            "env": _ENVIRONMENT,
            "uid": account.uid if account.dropped else None,
            "gid": account.gid,
            "parent": os.getpid(),
            "signal": int(death_signal),
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCH, json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            pass_fds=() if self.kept is None else (self.kept,),
            start_new_session=True,  # Ctrl-C on the terminal is for us; we stop the servers last
        )
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        with process.stdin as pipe:
            pipe.write(given.encode())
        return process


def end(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn until the process is gone, waiting that many seconds after each; at last SIGKILL."""
    for number, seconds in (*steps, (signal.SIGKILL, KILL_SECONDS)):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def processes_in(folder: Path) -> list[psutil.Process]:
    """All processes that work in ``folder``: a server does in its data folder, and nobody else has reason to."""
    home = os.path.realpath(folder)
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == home:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another account's
    return found


def end_orphans(folder: Path, main_pid: int | None, polite: signal.Signals, seconds: float) -> bool:
    """End what a killed owner left running in ``folder``; the server's main process is asked politely first.

    Returns whether anything was found. A process that outlives SIGKILL makes the next start fail by itself.
    """
    processes = processes_in(folder)
    for process in processes:
        if process.pid == main_pid:
            _signal(process, polite)
            _wait(processes, seconds)
    remaining = [process for process in processes if not _is_gone(process)]
    for process in remaining:
        _signal(process, signal.SIGKILL)
    _wait(remaining, KILL_SECONDS)
    return bool(processes)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not all(map(_is_gone, processes)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _is_gone(process: psutil.Process) -> bool:
    """Whether it runs no more; in a container whose first process reaps nobody, it stays as a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
