"""The queue: dramatiq over Redis, with two messages. Both are wake-ups; losing or repeating one changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker

QUEUE: Final = "clearing"
HEARTBEAT_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Queue:
    """The broker and how to wake a worker: for one job, or for whatever notices wait."""

    broker: RedisBroker
    wake: Callable[[UUID], None]
    wake_for_notices: Callable[[], None]


def open_queue(redis_url: str, do_job: Callable[[UUID], None], deliver_notices: Callable[[], None]) -> Queue:
    """The queue over this Redis, whose worker calls these functions.

    No middleware: a job's retries, deadline and record are the outbox's; dramatiq's Prometheus middleware would open a
    port on every interface.
    """
    broker: RedisBroker = RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq types its decorators only
        url=redis_url, middleware=[], namespace=QUEUE, heartbeat_timeout=HEARTBEAT_MS
    )

    @dramatiq.actor(actor_name="job", queue_name=QUEUE, broker=broker)
    def job(outbox_id: str) -> None:
        do_job(UUID(outbox_id))

    @dramatiq.actor(actor_name="notices", queue_name=QUEUE, broker=broker)
    def notices() -> None:
        deliver_notices()

    def wake(outbox_id: UUID) -> None:
        job.send(str(outbox_id))

    def wake_for_notices() -> None:
        notices.send()

    return Queue(broker, wake, wake_for_notices)
