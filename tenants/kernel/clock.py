"""Time from one place: instants in UTC, business days in Asia/Shanghai."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, Protocol

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had no summer time since 1991; no business date here lies before that."""

INSTANTS_KEPT: Final = 4_096
"""A claim's way in asks a dozen times for the day of one instant, and prints another for every row."""


class Clock(Protocol):
    """Where a use case learns the time; passed in, never asked for elsewhere."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock, which never goes back while the process lives."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The machine's time, or the latest time already given where that was set back."""
        with self._lock:
            self._latest = max(self._latest, datetime.now(UTC))
            return self._latest


class FixedClock:
    """A clock that stands still until it is moved forward; for replays and tests."""

    def __init__(self, at: datetime) -> None:
        self._at = _aware(at).astimezone(UTC)

    def now(self) -> datetime:
        """The instant last set."""
        return self._at

    def move_to(self, at: datetime) -> None:
        """Set the clock forward.

        Raises:
            ValueError: ``at`` lies before the present instant.
        """
        if at < self._at:
            raise ValueError("the clock never goes back")
        self._at = at.astimezone(UTC)


class OffsetClock:
    """Demonstration time: runs at the machine's pace from an instant that is read anew each time.

    ``anchor`` answers ``(demonstration instant, machine instant at which it was set)``.
    """

    def __init__(self, anchor: Callable[[], tuple[datetime, datetime]], machine: Clock) -> None:
        self._anchor = anchor
        self._machine = machine

    def now(self) -> datetime:
        """The demonstration instant plus the machine time that has passed since it was set."""
        demonstration_at, set_at = self._anchor()
        return demonstration_at + max(self._machine.now() - set_at, timedelta(0))


@lru_cache(maxsize=INSTANTS_KEPT)
def shanghai_day(at: datetime) -> date:
    """The business day in Asia/Shanghai on which the instant falls.

    Raises:
        ValueError: the instant has no zone.
    """
    return _aware(at).astimezone(SHANGHAI).date()


@lru_cache(maxsize=INSTANTS_KEPT)
def print_instant(at: datetime) -> str:
    """RFC 3339 with ``+08:00``, to the second or, where there are any, to the microsecond.

    Raises:
        ValueError: the instant has no zone.
    """
    return _aware(at).astimezone(SHANGHAI).isoformat()


def _aware(at: datetime) -> datetime:
    """The instant, unless it has no zone: Python would read it in the zone of whatever machine this is."""
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at
