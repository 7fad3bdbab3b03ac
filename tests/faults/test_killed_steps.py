"""A cut, a seal, a release killed at any moment: nothing is half done, nothing is held, and the step again does it.

Killed is the process that does the step, or the server's process for its connection, with which the server starts anew.
The processes are copies of one that has imported this module when the first was begun: what they do is what the test
does, though somebody change the source meanwhile. What one says of its end decides whether another is begun: only where
it found no server.
"""

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Line
from multiprocessing.context import ForkServerProcess
from typing import Any, Final
from uuid import UUID

import psutil
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
MANY_CLAIMS: Final = 24_000
"""So many that a crew helps to seal them."""
ROUNDS: Final = 24
SEED: Final = 6606
FOUND_NO_SERVER: Final = 75
"""How a process ends whose server was not there, or went; one that fails for any other reason ends by 1."""
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


def work(line: Line, url: str, name: str, tenant: str, batch_id: UUID) -> None:
    """What is killed: says which process of the server's works for it, and does the step."""
    try:
        with transaction(open_engine(url), Scope((tenant,)), FixedClock(OVER)) as given:
            line.send(given.connection.exec_driver_sql("select pg_backend_pid()").scalar_one())
            step_of(name, tenant, batch_id)(given.connection)
    except Unavailable as away:
        sys.stderr.write(f"{away.__cause__ or away}\n")
        sys.exit(FOUND_NO_SERVER)


@contextmanager
def at_work(bench: Bench, name: str, batch_id: UUID) -> Iterator[tuple[ForkServerProcess, int]]:
    """A process that has just begun with the step, and the server's process that works for it."""
    copies = multiprocessing.get_context("forkserver")
    copies.set_forkserver_preload([__name__])
    url = bench.app.url.render_as_string(hide_password=False)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        ours, theirs = copies.Pipe()
        process = copies.Process(target=work, args=(theirs, url, name, bench.tenant, batch_id))
        process.start()
        theirs.close()
        with ours, ended(process):
            if ours.poll(PATIENCE_SECONDS) and (backend := told(ours)) is not None:
                yield process, backend
                return
        assert process.exitcode == FOUND_NO_SERVER, "see its words on the standard error"
        assert time.monotonic() < deadline, "the server never came back"


def told(line: Line) -> int | None:
    """What the process has said; ``None`` where it ended before."""
    try:
        return int(line.recv())
    except EOFError:
        return None


@contextmanager
def ended(process: ForkServerProcess) -> Iterator[None]:
    """Leave nothing running, however the block ends."""
    try:
        yield
    finally:
        process.join(PATIENCE_SECONDS)
        process.kill()
        process.join()


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


def helpers_of(process: ForkServerProcess) -> list[psutil.Process]:
    """The crew that helps with the step just now."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:  # the step was done
        return []


def is_living(process: psutil.Process) -> bool:
    """Whether it runs; an orphan that nobody buries does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_in(bench: Bench, name: str, batch_id: UUID, seconds: float, *, server_side: bool) -> None:
    """Kill the step so long after its beginning, and wait until nobody is at it, by his word or by helping."""
    with at_work(bench, name, batch_id) as (process, backend):
        time.sleep(seconds)
        helpers = helpers_of(process)
        if server_side:
            with suppress(ProcessLookupError):  # it was done before
                os.kill(backend, signal.SIGKILL)
        else:
            process.kill()
    until(lambda: not any(map(is_living, helpers)))
    assert process.exitcode in {0, FOUND_NO_SERVER if server_side else -signal.SIGKILL}
    look: Callable[[Connection], object] = (
        (lambda c: cut_progress(c, bench.tenant)) if name == "cut" else (lambda c: progress_of(c, batch_id))
    )
    until(lambda: once_there(lambda: bench.do(look)) is None)


def said(batch: Batch) -> tuple[object, ...]:
    """What must be the same however often the step was killed."""
    return batch.state, batch.item_count, batch.total, batch.merkle_root


def amounts(claims: int) -> list[str]:
    """What so many claims get."""
    return [f"{100 + number % 50}.{number % 100:02d}" for number in range(claims)]


@pytest.fixture
def world(hurt: RunningService, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A tenant with open claims, as many as the test names, in a database of its own."""
    open_claims = amounts(getattr(request, "param", CLAIMS))
    owner, app = open_engine(places(hurt).owner_url), open_engine(places(hurt).app_url)
    bench = Bench(app, new_tenant(owner))
    bench.approve(*open_claims[:-OF_FIRST_PAYEE])
    bench.approve(*open_claims[-OF_FIRST_PAYEE:], payee=1)
    bench.set_account()
    yield bench
    for engine in (owner, app):
        engine.dispose()


def done_once(bench: Bench, name: str, batch_id: UUID) -> Batch:
    """The batch after the same step again; a cut that was committed before its process was killed is not made again."""
    if name == "cut" and (made := bench.rows("select id from batch where tenant = %s order by batch_no", bench.tenant)):
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
    claims = len(bench.claims)
    batch = disturbed(bench, "cut", NONE_YET, fates())
    assert batch.item_count == claims
    published = bench.publish(batch)
    sealed = disturbed(bench, "seal", published.id, fates())
    released = disturbed(bench, "release", sealed.id, fates())
    total = released.total
    assert (released.state, total) == ("released", Money(sum(Money.parse(amount).fen for amount in amounts(claims))))
    [made] = bench.rows(
        "select count(*) as made, sum(amount_fen)::bigint as fen, sum(claim_count)::integer as claims, "
        "(select count(*) from instruction_claim c where c.tenant = %s) as named from instruction where tenant = %s",
        bench.tenant,
        bench.tenant,
    )
    assert tuple(made) == (claims - OF_FIRST_PAYEE, total.fen, claims, claims)
    [moved] = bench.rows(
        "select count(*) as made, sum(amount_fen)::bigint as fen from ledger_transfer "
        "where tenant = %s and credit like 'in_transit/%%'",
        bench.tenant,
    )
    assert tuple(moved) == (claims, total.fen)


def test_a_step_killed_on_either_side_is_done_by_the_same_step_again(world: Bench) -> None:
    rng = random.Random(SEED)
    through_all_steps(world, lambda: [(rng.uniform(0.1, 1.0), False), (rng.uniform(0.1, 1.0), True)])


@pytest.mark.long
@pytest.mark.parametrize("world", [MANY_CLAIMS], indirect=True)
def test_steps_killed_again_and_again_are_done_once(world: Bench) -> None:
    rng = random.Random(SEED + 1)
    through_all_steps(world, lambda: [(rng.uniform(0, 1.3), rng.random() < 0.5) for _ in range(ROUNDS)])


def test_a_batch_is_free_at_once_though_the_killed_ones_statement_would_go_on(world: Bench) -> None:
    batch = world.cut()
    with at_work(world, "wait", batch.id) as (process, backend):
        asked = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
        until(lambda: world.rows(asked, backend))
        process.kill()
    begun = time.monotonic()
    assert world.cancel(batch).state == "cancelled"  # waits for the batch, were it held
    assert time.monotonic() - begun < PATIENCE_SECONDS / 2
