"""A cut, a seal, a release killed at any moment: nothing is half done, nothing is held, and the step again does it.

Killed is the process that does the step, or the server's process for its connection, with which the server starts anew.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Connection

from settlement.batches.batch import Batch, find_batch, lock_batch
from settlement.batches.batch_steps import CutOrder, cut
from settlement.batches.progress import cut_progress, progress_of
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.payouts.payments import prepare_for_whole_batch
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, transaction
from tenants.kernel.errors import Unavailable
from tenants.kernel.money import Money
from tests.faults.faults import places
from tests.service.running import PATIENCE_SECONDS, RunningService, until
from tests.settlement_service.bench import CUT, MAKER, OFFICE, OVER, RELEASER, Bench, new_tenant

CLAIMS: Final = 3000
SEED: Final = 6606
AMOUNTS: Final = [f"{100 + number % 50}.{number % 100:02d}" for number in range(CLAIMS)]
OF_FIRST_PAYEE: Final = 5
"""So many claims, the last ones, are paid with the first by one instruction."""
NONE_YET: Final = UUID(int=0)


class TakenBackError(Exception):
    """Ends a rehearsal, whose transaction is to leave nothing."""


def step_of(name: str, tenant: str, batch_id: UUID) -> Callable[[Connection], Any]:
    """One step of the batch; a cut makes one."""
    return {
        "cut": lambda c: cut(c, CutOrder(tenant, "provincial", "common_use", CUT), MAKER, CUT),
        "seal": lambda c: seal(c, tenant, batch_id, OFFICE, MAKER, OVER),
        "release": lambda c: release(c, tenant, batch_id, OFFICE, RELEASER, OVER),
        "wait": lambda c: wait_in_a_statement(c, tenant, batch_id),
    }[name]


def wait_in_a_statement(connection: Connection, tenant: str, batch_id: UUID) -> None:
    """Hold the batch by a statement that takes longer than anybody's patience."""
    lock_batch(connection, tenant, batch_id)
    prepare_for_whole_batch(connection)
    connection.exec_driver_sql("select pg_sleep(%s)", (10 * PATIENCE_SECONDS,))


def work(url: str, name: str, tenant: str, batch_id: str) -> None:
    """What is killed: says which process of the server's works for it, and does the step."""
    with transaction(open_engine(url), Scope((tenant,)), FixedClock(OVER)) as given:
        sys.stdout.write(f"{given.connection.exec_driver_sql('select pg_backend_pid()').scalar_one()}\n")
        sys.stdout.flush()
        step_of(name, tenant, UUID(batch_id))(given.connection)


@contextmanager
def at_work(bench: Bench, name: str, batch_id: UUID) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that has just begun with the step, and the server's process that works for it."""
    url = bench.app.url.render_as_string(hide_password=False)
    argv = [sys.executable, "-c", f"import sys; from {__name__} import work; work(*sys.argv[1:])"]
    given = [*argv, url, name, bench.tenant, str(batch_id)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    with ExitStack() as processes:
        while time.monotonic() < deadline:
            process = processes.enter_context(
                subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            )
            assert process.stdout is not None
            if told := process.stdout.readline():
                yield process, int(told)
                return  # else the server is not there again yet
        raise AssertionError("the server never came back")


def once_there(use: Callable[[], Any]) -> Any:
    """What is asked for, as soon as the server is there again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return use()
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def rehearse(bench: Bench, use_case: Callable[[Connection], object]) -> tuple[Any, float]:
    """What the step gives undisturbed, and its seconds; nothing of it is kept."""
    kept: list[object] = []

    def do(connection: Connection) -> None:
        kept.append(use_case(connection))
        raise TakenBackError

    begun = time.monotonic()
    with pytest.raises(TakenBackError):
        bench.do(do, OVER)
    return kept[0], time.monotonic() - begun


def kill_in(bench: Bench, name: str, batch_id: UUID, seconds: float, *, server_side: bool) -> None:
    """Kill the step so long after its beginning, and wait until nobody is said to be at it."""
    with at_work(bench, name, batch_id) as (process, backend):
        time.sleep(seconds)
        with suppress(ProcessLookupError):  # it was done before
            os.kill(backend if server_side else process.pid, signal.SIGKILL)
        process.wait(PATIENCE_SECONDS)
    look: Callable[[Connection], object] = (
        (lambda c: cut_progress(c, bench.tenant)) if name == "cut" else (lambda c: progress_of(c, batch_id))
    )
    until(lambda: once_there(lambda: bench.do(look)) is None)


def said(batch: Batch) -> tuple[object, ...]:
    """What must be the same however often the step was killed."""
    return batch.state, batch.item_count, batch.total, batch.merkle_root


@pytest.fixture
def world(hurt: RunningService) -> Iterator[Bench]:
    """A tenant with open claims, in a database of its own."""
    owner, app = open_engine(places(hurt).owner_url), open_engine(places(hurt).app_url)
    bench = Bench(app, new_tenant(owner))
    bench.approve(*AMOUNTS[:-OF_FIRST_PAYEE])
    bench.approve(*AMOUNTS[-OF_FIRST_PAYEE:], payee=1)
    bench.set_account()
    yield bench
    for engine in (owner, app):
        engine.dispose()


def done_once(bench: Bench, name: str, batch_id: UUID) -> Batch:
    """The batch after the same step again; a cut that was committed before its process was killed is not made again."""
    if name == "cut" and (made := bench.rows("select id from batch where tenant = %s", bench.tenant)):
        return bench.do(lambda c: find_batch(c, bench.tenant, made[0].id))
    done: Batch = bench.do(step_of(name, bench.tenant, batch_id), OVER)
    return done


def disturbed(bench: Bench, name: str, batch_id: UUID, fates: list[tuple[float, bool]]) -> Batch:
    """The step, killed so often: after which part of its time, and whether on the server's side."""
    wanted, seconds = rehearse(bench, step_of(name, bench.tenant, batch_id))
    for part, server_side in fates:
        kill_in(bench, name, batch_id, part * seconds, server_side=server_side)
    done: Batch = once_there(lambda: done_once(bench, name, batch_id))
    assert said(done) == said(wanted)
    return done


def through_all_steps(bench: Bench, fates: Callable[[], list[tuple[float, bool]]]) -> None:
    """A batch from its cut to its release, each step killed on the way: every claim is in it and is paid, once."""
    batch = disturbed(bench, "cut", NONE_YET, fates())
    assert batch.item_count == CLAIMS
    published = bench.publish(batch)
    sealed = disturbed(bench, "seal", published.id, fates())
    released = disturbed(bench, "release", sealed.id, fates())
    total = released.total
    assert (released.state, total) == ("released", Money(sum(Money.parse(amount).fen for amount in AMOUNTS)))
    [made] = bench.rows(
        "select count(*) as made, sum(amount_fen)::bigint as fen, sum(claim_count)::integer as claims, "
        "(select count(*) from instruction_claim c where c.tenant = %s) as named from instruction where tenant = %s",
        bench.tenant,
        bench.tenant,
    )
    assert tuple(made) == (CLAIMS - OF_FIRST_PAYEE, total.fen, CLAIMS, CLAIMS)
    [moved] = bench.rows(
        "select count(*) as made, sum(amount_fen)::bigint as fen from ledger_transfer "
        "where tenant = %s and credit like 'in_transit/%%'",
        bench.tenant,
    )
    assert tuple(moved) == (CLAIMS, total.fen)


def test_a_step_killed_on_either_side_is_done_by_the_same_step_again(world: Bench) -> None:
    rng = random.Random(SEED)
    through_all_steps(world, lambda: [(rng.uniform(0.1, 1.0), False), (rng.uniform(0.1, 1.0), True)])


def test_a_batch_is_free_at_once_though_the_killed_ones_statement_would_go_on(world: Bench) -> None:
    batch = world.cut()
    with at_work(world, "wait", batch.id) as (process, backend):
        asked = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
        until(lambda: world.rows(asked, backend))
        process.kill()
        process.wait(PATIENCE_SECONDS)
    begun = time.monotonic()
    assert world.cancel(batch).state == "cancelled"  # waits for the batch, were it held
    assert time.monotonic() - begun < PATIENCE_SECONDS / 2
