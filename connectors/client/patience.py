"""How long a client tries: bounded attempts, waits that double and never come in step."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})
"""Answers after which the same request may be sent again: nothing of it took effect."""
_DOUBLINGS: Final = 30
_PERMILLE: Final = 1_000


def sleep(wait: timedelta) -> None:
    """Wait so long."""
    time.sleep(wait.total_seconds())


@dataclass(frozen=True, slots=True)
class Patience:
    """At most ``attempts`` of one call; between two of them a wait that doubles up to ``longest_wait``.

    A ``Retry-After`` of the service is kept to where it is longer, up to ``longest_retry_after``.
    """

    attempts: int = 7
    first_wait: timedelta = timedelta(milliseconds=200)
    longest_wait: timedelta = timedelta(seconds=20)
    longest_retry_after: timedelta = timedelta(minutes=2)
    sleep: Callable[[timedelta], None] = sleep

    def wait_after(self, attempt: int, retry_after: str | None = None) -> timedelta:
        """How long to wait after the attempt with this number, from one: between a half and the whole of the step.

        Chance keeps many clients of one service from coming back at the same moment.
        """
        step = min(self.first_wait * (1 << min(attempt - 1, _DOUBLINGS)), self.longest_wait)
        chosen = step / 2 + step / 2 * secrets.randbelow(_PERMILLE + 1) / _PERMILLE
        return max(chosen, min(_asked_for(retry_after), self.longest_retry_after))

    def pause(self, attempt: int, retry_after: str | None = None) -> None:
        """Wait after the attempt with this number."""
        self.sleep(self.wait_after(attempt, retry_after))


def _asked_for(retry_after: str | None) -> timedelta:
    """The wait that ``Retry-After`` asks for in seconds; its other form, a date, asks for nothing here."""
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return timedelta(0)
    return timedelta(seconds=min(int(retry_after), 86_400))
