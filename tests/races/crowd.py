"""A crowd: threads of several processes that all call at the same moment, round after round."""

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

from clearing.claims.vault import open_vault
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.intake.counter import Counter

PROCESSES: Final = 4
SIZES: Final = (4, 16, 32, 64)
"""How many threads a crowd may have, in all processes together."""
PATIENCE_SECONDS: Final = 120
"""A round that takes longer hangs: its barrier breaks, and the test fails."""


@dataclass(frozen=True)
class Place:
    """Where the crowd meets: the database and the service's secrets."""

    app_url: str
    secrets: Path


@dataclass(frozen=True)
class Call:
    """A function of a module, called with a counter and these arguments; what it answers must be picklable."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


Round = Sequence[Call]
"""One call for each thread."""


class Crowd:
    """Processes that wait for rounds; each process has a database engine of its own."""

    def __init__(self, place: Place, prepare: Callable[[], None] | None = None) -> None:
        """Start the processes; each calls ``prepare``, a function of a module, before anything else."""
        context = multiprocessing.get_context("spawn")
        self._barriers = {size: context.Barrier(size) for size in SIZES}  # kept: the children find them by name
        self._members = []
        for _ in range(PROCESSES):
            ours, theirs = context.Pipe()
            process = context.Process(target=_attend, args=(place, self._barriers, theirs, prepare))
            process.start()
            theirs.close()
            self._members.append((process, ours))

    def meet(self, *rounds: Round) -> list[list[Any]]:
        """What each thread of each round answered; an exception is answered as such.

        All threads of a round begin at the same moment; thread ``n`` belongs to process ``n`` modulo ``PROCESSES``.
        """
        threads = len(rounds[0])
        assert threads in SIZES
        assert all(len(one) == threads for one in rounds)
        for number, (_, pipe) in enumerate(self._members):
            pipe.send({thread: [one[thread] for one in rounds] for thread in range(number, threads, PROCESSES)})
        answers: dict[int, list[Any]] = {}
        for _, pipe in self._members:
            answers |= pipe.recv()
        return [[answers[thread][number] for thread in range(threads)] for number in range(len(rounds))]

    def end(self) -> None:
        """Let everybody go home."""
        for process, pipe in self._members:
            pipe.close()
            process.join()
            assert process.exitcode == 0


def _attend(place: Place, barriers: dict[int, Barrier], pipe: Connection, prepare: Callable[[], None] | None) -> None:
    if prepare is not None:
        prepare()
    engine = open_engine(place.app_url)
    counter = Counter(engine, open_vault(load_secrets(place.secrets)))
    while True:
        try:
            mine: dict[int, list[Call]] = pipe.recv()
        except EOFError:
            break
        barrier = barriers[len(mine) * PROCESSES]
        answers: dict[int, list[Any]] = {number: [] for number in mine}
        threads = [
            threading.Thread(target=_take_part, args=(counter, calls, barrier, answers[number]))
            for number, calls in mine.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pipe.send(answers)
        engine.dispose()  # sessions that end hand in what they counted
    engine.dispose()


def _take_part(counter: Counter, calls: list[Call], barrier: Barrier, answers: list[Any]) -> None:
    for call in calls:
        barrier.wait(PATIENCE_SECONDS)
        try:
            answers.append(call.function(counter, *call.arguments))
        except Exception as error:  # noqa: BLE001 - what goes wrong is the answer
            answers.append(RuntimeError(f"{type(error).__name__}: {error}; {error.__cause__}"))
