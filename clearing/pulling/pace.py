"""When an outlet is asked: its schedule, backing off with jitter where it fails, a breaker where it goes on failing.

A breaker that is open asks nothing until its pause has ended; then one request tries, and closes it or opens it longer.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

WHOLE: Final = 1000
"""A share of jitter is a number from 0 to this."""
_DOUBLINGS: Final = 16


class State(StrEnum):
    """How a source stands."""

    LIVE = "live"
    FAILING = "failing"
    OPEN = "open"
    """Its breaker is open: it failed again and again, or says that it will not be asked."""
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Pace:
    """The waits between requests, and how long one may take."""

    first_wait: timedelta = timedelta(seconds=5)
    longest_wait: timedelta = timedelta(minutes=2)
    opens_after: int = 5
    """Failures in a row that open the breaker."""
    first_pause: timedelta = timedelta(minutes=5)
    longest_pause: timedelta = timedelta(hours=1)
    deadline_seconds: int | float = 20
    pages_at_once: int = 20
    """Pages of one source in one round, so that one with much holds up no other for long."""

    def wait_after(self, failures: int, jitter: int) -> timedelta:
        """How long after this many failures in a row: doubling, with ``jitter`` of ``WHOLE`` of its second half."""
        if failures < self.opens_after:
            whole = min(self.first_wait * (1 << min(failures - 1, _DOUBLINGS)), self.longest_wait)
        else:
            whole = min(self.first_pause * (1 << min(failures - self.opens_after, _DOUBLINGS)), self.longest_pause)
        return whole / 2 + whole * jitter / (2 * WHOLE)

    def state_of(self, failures: int) -> State:
        """How a source that is not disabled stands after so many failures in a row."""
        if failures == 0:
            return State.LIVE
        return State.OPEN if failures >= self.opens_after else State.FAILING
