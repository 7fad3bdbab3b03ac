"""The relay: wakes the workers for every outbox row that is due, again and again until it is done.

The outbox is the truth; a message carries an id only, may be lost and may come twice (I22). Due is meant in business
time, in which the rows are written: a demonstration clock that jumps makes more due, never less.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.database import Work

POLL_SECONDS: Final = 0.25
RESEND_SECONDS: Final = 5
"""A message that had no effect for so long is sent again: its queue may have been emptied, its worker killed."""
JOBS_AT_ONCE: Final = 200
STUCK_ATTEMPTS: Final = 8
"""A job that was tried so often is counted as stuck; it is still tried."""
LONGEST_WAIT: Final = timedelta(minutes=10)

NOTICE_PREFIXES: Final = ("claim.", "reservation.", "batch.", "payout.", "receipt.")
"""Kinds that are told to a platform, unless a worker has a job of that name."""


def is_notice(kind: str, jobs: frozenset[str]) -> bool:
    """Whether rows of this kind are delivered to a platform's feed."""
    return kind not in jobs and kind.startswith(NOTICE_PREFIXES)


def wait_after(attempts: int) -> timedelta:
    """How long after the attempt with this number the next one is due: 2, 4, 8 … seconds, at most ``LONGEST_WAIT``."""
    return min(timedelta(seconds=2 ** min(attempts, 16)), LONGEST_WAIT)


class Relay:
    """Finds what is due and wakes workers, without waking them for the same row more often than it helps."""

    def __init__(
        self, jobs: frozenset[str], wake: Callable[[UUID], None], wake_for_notices: Callable[[], None]
    ) -> None:
        self._jobs = jobs
        self._wake = wake
        self._wake_for_notices = wake_for_notices
        self._woken: dict[UUID, float] = {}
        self._notices_woken = (0.0, frozenset[tuple[object, ...]]())

    def poll(self, work: Work) -> int:
        """Wake workers for what is due now; how many messages were sent.

        Raises:
            Whatever the queue raises when it is away; the next poll sends again.
        """
        kinds = open_kinds(work.connection)
        return self._poll_jobs(work, kinds) + self._poll_notices(work, kinds)

    def _poll_jobs(self, work: Work, kinds: list[str]) -> int:
        wanted = [kind for kind in kinds if not is_notice(kind, self._jobs)]
        rows = (
            work.connection.exec_driver_sql(_DUE_JOBS, (wanted, work.at, JOBS_AT_ONCE)).scalars().all()
            if wanted
            else []
        )
        moment = time.monotonic()
        self._woken = {row: woken for row, woken in self._woken.items() if moment - woken < RESEND_SECONDS}
        new = [row for row in rows if row not in self._woken]
        for row in new:
            self._wake(row)
            self._woken[row] = moment
        return len(new)

    def _poll_notices(self, work: Work, kinds: list[str]) -> int:
        wanted = [kind for kind in kinds if is_notice(kind, self._jobs)]
        rows = work.connection.exec_driver_sql(_OLDEST_DUE, (wanted, work.at)).all() if wanted else []
        heads = frozenset(tuple(row) for row in rows)
        woken, known = self._notices_woken
        if not heads or (heads <= known and time.monotonic() - woken < RESEND_SECONDS):
            return 0
        self._wake_for_notices()
        self._notices_woken = (time.monotonic(), heads)
        return 1


def open_kinds(connection: Connection) -> list[str]:
    """The kinds of all rows not yet done, by one step in the index for each."""
    return list(connection.exec_driver_sql(_OPEN_KINDS).scalars())


_OPEN_KINDS: Final = (
    "with recursive k as ((select kind from outbox where done_at is null order by kind limit 1) union all "
    "select (select o.kind from outbox o where o.done_at is null and o.kind > k.kind order by o.kind limit 1) "
    "from k where k.kind is not null) select kind from k where kind is not null"
)
_DUE_JOBS: Final = (
    "select id from outbox where done_at is null and kind = any(%s) and next_attempt_at <= %s "
    "order by next_attempt_at, id limit %s"
)
_OLDEST_DUE: Final = (
    "select k.kind, o.next_attempt_at from unnest(%s::text[]) k (kind) cross join lateral ("
    "select next_attempt_at from outbox where done_at is null and kind = k.kind and next_attempt_at <= %s "
    "order by next_attempt_at limit 1) o"
)
