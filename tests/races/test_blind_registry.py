"""The registry with the application's own look switched off: the database alone keeps every fen single."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from os import urandom
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from tests.intake.counter import Counter
from tests.races import calls
from tests.races.books import faults
from tests.races.crowd import Call, Crowd

THREADS = 32


@pytest.fixture
def digest(counter: Counter) -> Iterator[bytes]:
    """The head of an identity that nobody holds."""
    name = urandom(16)
    with counter.app.begin() as connection:
        connection.exec_driver_sql(
            "insert into registry_key (digest, exclusion_group, kind, key_version) "
            "values (%s, 'national', 'invoice', 1)",
            (name,),
        )
    yield name
    with counter.app.begin() as connection:  # made-up holders, which no claim explains
        connection.exec_driver_sql("delete from registry_holding where digest = %s", (name,))


def sums(counter: Counter, digest: bytes) -> tuple[int, int | None]:
    [row] = counter.rows("select taken_fen, total_fen from registry_key where digest = %s", digest)
    return row[0], row[1]


def test_holdings_inserted_blindly_never_pass_the_total(
    crowd: Crowd, counter: Counter, auditor: Engine, digest: bytes
) -> None:
    [seen] = crowd.meet([Call(calls.take_blindly, (digest, 12, 700, 10_000))] * THREADS)
    assert all(other == [] for _, other in seen), seen
    kept = sum(count for count, _ in seen)
    taken, total = sums(counter, digest)
    assert (taken, total) == (kept * 700, 10_000)
    assert 0 < taken <= 10_000
    assert faults(auditor) == []


def test_the_smallest_total_counts_whoever_comes_and_goes(
    crowd: Crowd, counter: Counter, auditor: Engine, digest: bytes
) -> None:
    stated = (10_000, 9_000, 5_000, 100_000)
    wanted = [Call(calls.take_blindly, (digest, 12, 300 + n, stated[n % 4])) for n in range(THREADS)]
    [seen] = crowd.meet(wanted)
    assert all(other == [] for _, other in seen), seen
    assert faults(auditor) == []


def test_a_total_stated_while_another_holding_goes_is_not_forgotten(counter: Counter, digest: bytes) -> None:
    """The one that goes waits for the one that comes, and must then see what that one stated."""
    going, coming = uuid4(), uuid4()
    with counter.app.begin() as connection:
        connection.exec_driver_sql(calls.TAKE, (digest, going, 100, 10_000))
    with counter.app.begin() as first, ThreadPoolExecutor(1) as second:
        first.exec_driver_sql(calls.TAKE, (digest, coming, 500, 1_000))
        gone = second.submit(delete, counter, going)
        wait_for_a_waiting_session(counter)
        first.commit()
        gone.result()
    assert sums(counter, digest) == (500, 1_000)


def delete(counter: Counter, holder_id: UUID) -> None:
    with counter.app.begin() as connection:
        connection.exec_driver_sql("delete from registry_holding where holder_id = %s", (holder_id,))


def wait_for_a_waiting_session(counter: Counter) -> None:
    deadline = time.monotonic() + 20
    while counter.rows("select count(*) from pg_locks where not granted") == [(0,)]:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)
