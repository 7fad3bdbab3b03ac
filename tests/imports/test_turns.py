"""Two runs at a time: the second sends its rows while the first is being committed, and never comes before it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic, sleep

import pytest

from clearing.transfers.turns import OutOfTurnError, Turn

SOON = 0.05
"""Seconds in which whoever need not wait is through."""
AT_LAST = 20


def begun(threads: ThreadPoolExecutor, use: Callable[[], object]) -> "Future[object]":
    future = threads.submit(use)
    sleep(SOON)
    return future


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)


def sent(turn: Turn, step: int = 0) -> str:
    with turn.sending(step):
        return "sent"


def test_rows_are_sent_when_those_before_are_in_and_committed_when_those_before_are(
    threads: ThreadPoolExecutor,
) -> None:
    first = Turn()
    second = Turn(first)
    sending = begun(threads, lambda: sent(second))
    assert not sending.done()
    assert sent(first) == "sent"
    assert sending.result(AT_LAST) == "sent"
    coming = begun(threads, second.come)
    assert not coming.done(), "the first is not committed yet"
    first.decide(is_stored=True)
    coming.result(AT_LAST)


def test_what_stands_behind_a_run_that_is_not_stored_is_not_stored_either(threads: ThreadPoolExecutor) -> None:
    first = Turn()
    second = Turn(first)
    sent(first), sent(second)
    coming = begun(threads, second.come)
    first.decide(is_stored=False)
    with pytest.raises(OutOfTurnError):
        coming.result(AT_LAST)
    with pytest.raises(OutOfTurnError):
        sent(Turn(first))
    second.decide(is_stored=False)
    last = begun(threads, second.is_last)
    assert not last.done(), "the first is still at work"
    first.end(well=True)
    assert last.result(AT_LAST) is True


def test_nothing_is_taken_in_behind_a_run_that_broke(threads: ThreadPoolExecutor) -> None:
    first = Turn()
    second, begun_at = Turn(first), monotonic()
    first.end(well=False)
    assert not second.is_last()
    second.end(well=True)
    assert not Turn(second).is_last()
    assert second.before is None, "no chain is kept"
    assert monotonic() - begun_at < AT_LAST
