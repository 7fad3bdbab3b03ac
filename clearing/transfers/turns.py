"""Turns: two runs of a file are stored at a time, and yet one after the other.

The rows of a run for one table are sent as soon as those of the run before it are in, while that one goes on to its
next rows or is being committed; its audit entry is written and it is committed only when that one was. So the database
is never without rows to take in, and what a file says first comes first. Where the run before was not stored as it was
made ready, nothing of this one is either, until that one has ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Final

STEPS: Final = 2
"""In which a run's rows are sent: records, then keys."""


class OutOfTurnError(Exception):
    """The run before was not stored as it was made ready: this one waits for its end."""


@dataclass(eq=False, slots=True)
class Turn:
    """The place of one run among the runs of a file, behind the one ``before``."""

    before: "Turn | None" = None
    sent: tuple[Event, ...] = field(default_factory=lambda: tuple(Event() for _ in range(STEPS)))
    """Of each step, that its rows are in, or it has none."""
    decided: Event = field(default_factory=Event)
    """Whether it ``is_stored`` as it was made ready is known: its transaction has ended."""
    ended: Event = field(default_factory=Event)
    is_stored: bool = False
    broke: bool = False

    @contextmanager
    def sending(self, step: int) -> Iterator[None]:
        """While the block sends the rows of this step, those that the run before has for it are in.

        Raises:
            OutOfTurnError: that one is not stored, which is known already.
        """
        if self.before is not None:
            self.before.sent[step].wait()
            self._require_stored(self.before.decided.is_set())
        yield
        self.sent[step].set()

    def come(self) -> None:
        """Wait until the run before is stored: only then may locks be taken that it needs as well.

        Raises:
            OutOfTurnError: it is not stored.
        """
        if self.before is not None:
            self._require_stored(self.before.decided.wait())

    def _require_stored(self, known: bool) -> None:  # noqa: FBT001 - of an event
        if known and self.before is not None and not self.before.is_stored:
            raise OutOfTurnError

    def decide(self, *, is_stored: bool) -> None:
        """Say whether the run is stored as it was made ready."""
        self.is_stored = is_stored
        for each in self.sent:
            each.set()
        self.decided.set()

    def is_last(self) -> bool:
        """Wait until all runs before this one have ended; whether they ended well, so that this one may go on."""
        if self.before is not None:
            self.before.ended.wait()
            self.broke = self.before.broke
            self.before = None  # no chain of all runs is kept
        return not self.broke

    def end(self, *, well: bool) -> None:
        """Let the next run go on; not ``well``: nothing behind this one is taken in any more."""
        self.broke = self.broke or not well
        self.decide(is_stored=self.is_stored)
        self.ended.set()
