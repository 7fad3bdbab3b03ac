"""Faults at random while platforms submit: nothing acknowledged is lost, nothing is told twice, the auditor agrees."""

import random
import signal
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.faults.faults import POSTGRES, VALKEY, places, require_told_once, require_whole, server, submit
from tests.intake.bodies import claim
from tests.service.running import RunningService, until

ROUNDS = 40
SENDERS = 3
SEED = 4206


def empty_queue(service: RunningService) -> None:
    """`FLUSHALL`, unless the queue was killed just now."""
    try:
        Redis.from_url(places(service).redis_url).flushall()
    except RedisError:
        return


def kill_server(words: tuple[str, ...]) -> Callable[[RunningService], None]:
    """Kills an embedded server."""
    return lambda service: server(service, *words).kill()


def kill_part(name: str) -> Callable[[RunningService], None]:
    """Kills a process of the service."""
    return lambda service: service.part(name).send_signal(signal.SIGKILL)


FAULTS: list[Callable[[RunningService], None]] = [
    empty_queue,
    kill_server(POSTGRES),
    kill_server(VALKEY),
    kill_part("worker"),
    kill_part("scheduler"),
    kill_part("web-1"),
    kill_part("web-2"),
]


@pytest.mark.long
def test_random_faults_for_minutes_lose_and_repeat_nothing(hurt: RunningService) -> None:
    rng = random.Random(SEED)
    platform = hurt.platform("jssic")
    acknowledged: list[str] = []
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            acknowledged.append(submit(platform, claim()))

    senders = [threading.Thread(target=send) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(ROUNDS):
            until(hurt.is_ready)
            try:
                rng.choice(FAULTS)(hurt)
            except (psutil.Error, StopIteration):  # it was just being replaced
                continue
            time.sleep(rng.random() * 2)
    finally:
        over.set()
        for sender in senders:
            sender.join()
    until(hurt.is_ready)
    assert len(set(acknowledged)) == len(acknowledged) > ROUNDS
    require_told_once(platform, acknowledged)
    require_whole(hurt)
    assert hurt.process is not None
    assert hurt.process.poll() is None
