"""A crew: processes beside this one that do pure work on pieces, whose answers come in the order of the pieces.

What is computed in Python keeps one processor busy however many threads there are; a crew uses them all. Its members
are started anew, never forked (this process has threads and connections), know nothing but what they are handed, and
end as soon as this process ends, however it ends: their one line to it is then closed.
"""

import gc
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, TypeVar

Setting = TypeVar("Setting")
Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

MAX_MEMBERS: Final = 4
_AHEAD: Final = 2
"""How many pieces wait for each member: it never waits, and memory does not grow with their number."""
_PATIENCE_SECONDS: Final = 5
_CUT: Final = (EOFError, OSError)
"""How a line ends whose other end is gone: an ``OSError`` that is no ``ConnectionError`` in the middle of a message."""
_OBJECTS_BETWEEN_COLLECTIONS: Final = 100_000
"""Pieces hold no circles: what they leave behind is freed at once; looking for circles takes a tenth of the time."""
_KEPT_BYTES: Final = 2**23
"""More than a piece and its answer take."""


class CrewError(RuntimeError):
    """A member ended by itself, for want of memory or by a signal; the work can be begun again."""


def processors() -> int:
    """How many processors this process may use; not every system says that, but each how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1) if allowed is None else len(allowed(0))


def members() -> int:
    """How many members use all processors of this machine, within reason."""
    return min(processors(), MAX_MEMBERS)


def in_order(
    open_work: Callable[[Setting], Callable[[Piece], Answer]],
    setting: Setting,
    pieces: Iterable[Piece],
    size: int,
) -> Iterator[Answer]:
    """The answers to the pieces, in their order, by a crew of ``size``; by this process itself where that is 0.

    ``open_work`` is a function of a module, and is called once by each member; settings, pieces and answers are sent
    as pickles. What the work raises is raised here.

    Raises:
        CrewError: see there.
    """
    if not size:
        yield from map(open_work(setting), pieces)
        return
    _keep_what_is_freed()
    with ExitStack() as stack:
        free: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(size):
            free.put(stack.enter_context(_member(open_work, setting)))
        threads = stack.enter_context(ThreadPoolExecutor(size))
        waiting: deque[Future[Any]] = deque()
        left = iter(pieces)
        while some := list(islice(left, 1)):
            waiting.append(threads.submit(_ask, free, some[0]))
            if len(waiting) > _AHEAD * size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _keep_what_is_freed() -> None:
    """Have the C library (glibc) keep as much of what is freed as twice this block, which it learns from freeing it.

    Else the memory of each piece goes back to the system, and the next piece waits for every page of it.
    """
    bytearray(_KEPT_BYTES)


@contextmanager
def _member(open_work: Callable[[Any], Any], setting: object) -> Iterator[Connection]:
    """A member, and the line to it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, open_work, setting), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(_PATIENCE_SECONDS)
        process.kill()
        process.join()


def _ask(free: "SimpleQueue[Connection]", piece: object) -> Any:  # noqa: ANN401 - whatever the work answers
    line = free.get()
    try:
        line.send(piece)
        done, answer = line.recv()
    except _CUT as error:
        raise CrewError("a process that helped has ended") from error
    finally:
        free.put(line)
    if not done:
        raise answer
    return answer


def _serve(line: Connection, open_work: Callable[[Any], Callable[[Any], Any]], setting: object) -> None:
    """Answer pieces until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; whoever asks decides
    work = open_work(setting)
    _keep_what_is_freed()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    while True:
        try:
            piece = line.recv()
        except _CUT:
            return
        try:
            answer = (True, work(piece))
        except Exception as error:  # noqa: BLE001 - raised again where the piece came from
            answer = (False, error)
        try:
            line.send(answer)
        except ConnectionError:
            return
