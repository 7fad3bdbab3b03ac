"""A crew: answers in the order of the pieces, faults raised where they are asked for, nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.connection import Connection

import psutil
import pytest

from tenants.kernel.crew import CrewError, in_order

PATIENCE_SECONDS = 60


def doubling(factor: int) -> Callable[[int], int]:
    return lambda piece: piece * factor


def refusing(limit: int) -> Callable[[int], int]:
    def work(piece: int) -> int:
        if piece >= limit:
            raise ValueError(f"{piece} is too much")
        return piece

    return work


def telling(_: None) -> Callable[[int], tuple[int, int]]:
    return lambda piece: (piece, os.getpid())


def dying(_: None) -> Callable[[int], int]:
    def work(piece: int) -> int:
        if piece == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    return work


def dying_in_its_answer(_: None) -> Callable[[int], int]:
    def send_half(line: Connection, message: memoryview, write: Callable[[int, memoryview], int] = os.write) -> None:
        write(line.fileno(), message[: len(message) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    Connection._send = send_half  # type: ignore[attr-defined]
    return lambda piece: piece


def late(seconds: float) -> Callable[[bytes], int]:
    """Says that it is there, and reads its first piece after so long."""
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    time.sleep(seconds)
    return len


@pytest.mark.parametrize("size", [0, 1, 3])
def test_answers_come_in_the_order_of_the_pieces(size: int) -> None:
    assert list(in_order(doubling, 3, range(50), size)) == [3 * piece for piece in range(50)]


def test_the_members_are_other_processes_and_all_of_them_work() -> None:
    answers = list(in_order(telling, None, range(60), 2))
    workers = {worker for _, worker in answers}
    assert os.getpid() not in workers
    assert 1 <= len(workers) <= 2
    assert not any(psutil.pid_exists(worker) for worker in workers)


@pytest.mark.parametrize("size", [0, 2])
def test_a_fault_is_raised_where_it_is_asked_for(size: int) -> None:
    answers = in_order(refusing, 5, range(50), size)
    assert [next(answers) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="5 is too much"):
        next(answers)


def test_pieces_are_taken_as_they_are_needed() -> None:
    taken = []

    def pieces() -> Iterator[int]:
        for piece in count():
            taken.append(piece)
            yield piece

    answers = in_order(doubling, 2, pieces(), 2)
    assert [next(answers) for _ in range(3)] == [0, 2, 4]
    assert len(taken) < 20
    answers.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("fate", [dying, dying_in_its_answer])
def test_a_member_that_is_killed_is_named_and_the_others_end(fate: Callable[[None], Callable[[int], int]]) -> None:
    before = {child.pid for child in psutil.Process().children()}  # other tests' processes
    with pytest.raises(CrewError):
        list(in_order(fate, None, range(50), 2))
    left = [child for child in psutil.Process().children() if child.pid not in before]
    assert not [child for child in left if "spawn_main" in " ".join(child.cmdline())]


def test_members_end_with_the_process_that_they_help_even_if_that_is_killed() -> None:
    script = (
        "from tenants.kernel.crew import in_order\n"
        "from tests.kernel.test_crew import telling\n"
        "import itertools\n"
        "for _, worker in in_order(telling, None, itertools.count(), 1):\n"
        "    print(worker, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as helped:
        assert helped.stdout is not None
        worker = psutil.Process(int(helped.stdout.readline()))
        helped.send_signal(signal.SIGKILL)
        helped.stdout.close()
    wait_until_gone(worker)


def test_members_end_without_a_word_when_the_process_is_killed_in_the_middle_of_a_piece() -> None:
    script = (
        "from tenants.kernel.crew import in_order\n"
        "from tests.kernel.test_crew import late\n"
        "list(in_order(late, 2.0, [bytes(10**7)], 1))\n"  # more than the line holds at a time
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as helped:
        assert helped.stdout is not None
        assert helped.stderr is not None
        worker = psutil.Process(int(helped.stdout.readline()))
        helped.send_signal(signal.SIGKILL)
        assert worker.is_running()
        assert helped.stderr.read() == ""
    wait_until_gone(worker)


def wait_until_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
