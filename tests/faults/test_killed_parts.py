"""A part killed by SIGKILL: what it did is done once, and another takes its place."""

import signal

import pytest

from tests.faults.faults import database, require_told_once, require_whole, sealed_batch, submit
from tests.intake.bodies import claim
from tests.service.running import RunningService, until


def waits_for(service: RunningService, table: str) -> bool:
    """Whether a transaction waits for the table."""
    with database(service, "auditor") as connection:
        asked = "select 1 from pg_locks where relation = %s::regclass and not granted"
        return connection.execute(asked, (table,)).fetchone() is not None


def test_a_worker_killed_in_the_middle_of_a_batch_loses_and_repeats_nothing(hurt: RunningService) -> None:
    path, releaser = sealed_batch(hurt, "10000.00", "20000.00")
    worker = hurt.part("worker")
    with database(hurt, "owner") as holder, holder.transaction():
        # the worker stores the files it made: it waits there, in the middle of its job
        holder.execute("lock table batch_file in share mode")
        assert releaser.post(f"{path}/release").status == 200
        until(lambda: waits_for(hurt, "batch_file"))
        worker.send_signal(signal.SIGKILL)
        until(lambda: not worker.is_running())
    until(lambda: releaser.get(path).json["state"] == "instructed")
    until(lambda: hurt.part("worker").pid != worker.pid)
    with database(hurt, "auditor") as connection:
        counted = connection.execute("select count(*), count(distinct id), sum(amount_fen) from instruction").fetchone()
        jobs = connection.execute(
            "select attempts, done_at is not null from outbox where kind = 'batch.instruct'"
        ).fetchall()
    assert counted == (2, 2, 7_500_00)
    assert jobs == [(2, True)]
    require_whole(hurt)


@pytest.mark.parametrize("name", ["web-1", "worker", "scheduler"])
def test_a_killed_part_is_replaced_and_the_service_goes_on(hurt: RunningService, name: str) -> None:
    platform = hurt.platform("jssic")
    killed = hurt.part(name)
    killed.send_signal(signal.SIGKILL)
    require_told_once(platform, [submit(platform, claim())])
    assert until(lambda: hurt.part(name).pid != killed.pid)  # the dying one may be seen a moment longer


def test_a_killed_nursery_takes_its_children_along_and_all_are_replaced(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    nursery = next(one for one in hurt.children("clearing.nursery") if one.ppid() == hurt.pid)
    children = nursery.children()
    assert len(children) == 4
    nursery.send_signal(signal.SIGKILL)
    until(lambda: not any(child.is_running() for child in children))
    until(hurt.is_ready)
    assert platform.post("/v1/claims", claim()).status == 201


def test_kills_one_after_the_other_leave_every_acknowledged_claim_and_each_event_once(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    acknowledged: list[str] = []
    for name in ("worker", "scheduler", "worker", "web-1", "web-2", "worker"):
        hurt.part(name).send_signal(signal.SIGKILL)
        acknowledged += [submit(platform, claim()) for _ in range(5)]
    assert len(set(acknowledged)) == len(acknowledged)
    require_told_once(platform, acknowledged)
    require_whole(hurt)
