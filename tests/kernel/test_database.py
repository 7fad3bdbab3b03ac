"""The one place where transactions begin and end: refusals, repetitions, and a server that goes away."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg import errors as pg
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from clearing.embedded import EmbeddedServers
from clearing.migrations import migrate
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import (
    ATTEMPTS,
    POOL_SIZE,
    Before,
    Scope,
    Transact,
    Work,
    have_done,
    is_away,
    open_engine,
    run,
    transaction,
)
from tenants.kernel.errors import Unavailable
from tenants.kernel.statements import Query, read_all
from tests.service.running import PATIENCE_SECONDS
from tests.settlement_service.bench import new_tenant

AT = datetime(2024, 9, 1, tzinfo=UTC)
CLOCK = FixedClock(AT)


def latest(app: Engine, tenant: str) -> dict[str, int]:
    with transaction(app, Scope((tenant,)), CLOCK) as work:
        rows = work.connection.exec_driver_sql("select series, latest from number_series where tenant = %s", (tenant,))
        return {row.series: row.latest for row in rows}


def add(connection: Connection, tenant: str, series: str) -> None:
    connection.exec_driver_sql(
        "insert into number_series as n (tenant, series, year, latest) values (%s, %s, 2024, 1) "
        "on conflict (tenant, series, year) do update set latest = n.latest + 1",
        (tenant, series),
    )


def insert(connection: Connection, tenant: str, series: str) -> None:
    connection.exec_driver_sql(
        "insert into number_series (tenant, series, year, latest) values (%s, %s, 2024, 1)", (tenant, series)
    )


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """What each call answered or raised, all begun at once."""
    answers: list[Any] = [None] * len(calls)

    def take(number: int) -> None:
        try:
            answers[number] = calls[number]()
        except Exception as fault:  # noqa: BLE001 - what is raised is the answer
            answers[number] = fault

    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_what_raises_is_not_stored(app: Engine, tenant: str) -> None:
    def use_case(work: Work) -> None:
        add(work.connection, tenant, "a")
        raise KeyError("a")

    with pytest.raises(KeyError):
        run(app, Scope((tenant,)), CLOCK, use_case)
    assert latest(app, tenant) == {}


def test_a_transaction_sees_its_own_tenants_only_and_cannot_widen_itself(
    app: Engine, tenant: str, owner: Engine
) -> None:
    foreign = new_tenant(owner)
    with transaction(app, Scope((foreign,)), CLOCK) as work:
        add(work.connection, foreign, "a")
    assert latest(app, tenant) == {}
    with pytest.raises(DBAPIError), transaction(app, Scope((tenant,)), CLOCK) as work:
        work.connection.exec_driver_sql("select * from bind_scope(%s, null)", (foreign,))
    with transaction(app, Scope(()), CLOCK) as work:
        assert work.connection.exec_driver_sql("select count(*) from number_series").scalar_one() == 0


def add_both(work: Work, tenant: str) -> None:
    for series in "ab":
        add(work.connection, tenant, series)


def test_two_transactions_that_deadlock_both_have_their_effect(app: Engine, tenant: str) -> None:
    """Who gave way waits for the other here: coming back at once, it may overtake it and meet it in the same place."""
    run(app, Scope((tenant,)), CLOCK, lambda work: add_both(work, tenant))
    both_hold_one, one_is_through = threading.Barrier(2), threading.Event()
    attempts: list[str] = []

    def in_order(order: str) -> None:
        def use_case(work: Work) -> None:
            attempts.append(order)
            work.connection.exec_driver_sql("set local lock_timeout = 0")  # only the deadlock ends an attempt
            if attempts.count(order) > 1:
                assert one_is_through.wait(PATIENCE_SECONDS)
            add(work.connection, tenant, order[0])
            if attempts.count(order) == 1:
                both_hold_one.wait(PATIENCE_SECONDS)
            add(work.connection, tenant, order[1])

        run(app, Scope((tenant,)), CLOCK, use_case)
        one_is_through.set()

    assert in_threads(lambda: in_order("ab"), lambda: in_order("ba")) == [None, None]
    assert latest(app, tenant) == {"a": 3, "b": 3}
    assert sorted(attempts) in (["ab", "ab", "ba"], ["ab", "ba", "ba"]), "one gave way, once"


def test_a_conflict_that_does_not_clear_is_given_up_as_unavailable(app: Engine, tenant: str) -> None:
    attempts: list[Work] = []

    def use_case(work: Work) -> None:
        attempts.append(work)
        work.connection.exec_driver_sql("set transaction isolation level serializable")

    def serialisation_failure(work: Work) -> None:
        attempts.append(work)
        add(work.connection, tenant, "a")
        raise DBAPIError("commit", None, pg.SerializationFailure("could not serialize access"))

    with pytest.raises(Unavailable) as fault:
        run(app, Scope((tenant,)), CLOCK, serialisation_failure)
    assert fault.value.retry_after_seconds
    assert len(attempts) == ATTEMPTS
    assert latest(app, tenant) == {}
    with pytest.raises(DBAPIError):  # not a matter of waiting: tried once
        run(app, Scope((tenant,)), CLOCK, use_case)
    assert len(attempts) == ATTEMPTS + 1


@pytest.mark.parametrize(("raced", "tries"), [(frozenset({"number_series_pkey"}), ATTEMPTS), (frozenset(), 1)])
def test_a_broken_constraint_is_tried_again_only_where_a_race_can_break_it(
    app: Engine, tenant: str, raced: frozenset[str], tries: int
) -> None:
    run(app, Scope((tenant,)), CLOCK, lambda work: insert(work.connection, tenant, "a"))
    attempts: list[Work] = []

    def use_case(work: Work) -> None:
        attempts.append(work)
        insert(work.connection, tenant, "a")

    with pytest.raises(IntegrityError):
        run(app, Scope((tenant,)), CLOCK, use_case, raced)
    assert len(attempts) == tries


def test_a_lost_race_is_run_again_and_sees_the_winner(app: Engine, tenant: str) -> None:
    looked = threading.Barrier(2)
    seen: list[int] = []

    def use_case(work: Work) -> str:
        number = len(latest_in(work, tenant))
        seen.append(number)
        if number == 0:
            looked.wait(10)
            insert(work.connection, tenant, "a")
            return "won"
        return "saw the winner"

    def call() -> str:
        return run(app, Scope((tenant,)), CLOCK, use_case, frozenset({"number_series_pkey"}))

    assert sorted(in_threads(call, call)) == ["saw the winner", "won"]
    assert seen == [0, 0, 1]


def latest_in(work: Work, tenant: str) -> list[Any]:
    return list(work.connection.exec_driver_sql("select 1 from number_series where tenant = %s", (tenant,)))


def test_what_a_use_case_wants_done_before_it_is_done_once_committed_and_in_its_own_scope(
    app: Engine, tenant: str
) -> None:
    starts: list[frozenset[str]] = []
    scopes: list[Scope] = []

    def first(transact: Transact) -> None:
        def use_case(work: Work) -> None:
            scopes.append(work.scope)
            add(work.connection, tenant, "before")

        transact(use_case)

    def use_case(work: Work) -> None:
        starts.append(work.done)
        have_done(work, Before("first", Scope((tenant,)), first))
        have_done(work, Before("second", Scope((tenant,)), first))
        raise KeyError

    with pytest.raises(KeyError):
        run(app, Scope((tenant,), "jssic"), CLOCK, use_case)
    assert starts == [frozenset(), frozenset({"first"}), frozenset({"first", "second"})]
    assert scopes == [Scope((tenant,))] * 2
    assert latest(app, tenant) == {"before": 2}


@pytest.mark.parametrize("piped", [False, True])
def test_a_statement_over_its_time_is_unavailable_and_nothing_is_stored(
    app: Engine, tenant: str, *, piped: bool
) -> None:
    def use_case(work: Work) -> None:
        add(work.connection, tenant, "a")
        work.connection.exec_driver_sql("set local statement_timeout = '50ms'")
        if piped:
            read_all(work.connection, Query("select 1", (), list), Query("select pg_sleep(9)::text", (), list))
        work.connection.exec_driver_sql("select pg_sleep(9)::text")

    with pytest.raises(Unavailable) as fault:
        run(app, Scope((tenant,)), CLOCK, use_case)
    assert (fault.value.status, fault.value.code) == (503, "database.unavailable")
    assert latest(app, tenant) == {}


def test_a_lock_that_is_not_given_in_time_is_unavailable(app: Engine, tenant: str) -> None:
    def use_case(work: Work) -> None:
        work.connection.exec_driver_sql("set local lock_timeout = '50ms'")
        add(work.connection, tenant, "a")

    with transaction(app, Scope((tenant,)), CLOCK) as holder:
        add(holder.connection, tenant, "a")
        with pytest.raises(Unavailable):
            run(app, Scope((tenant,)), CLOCK, use_case)
    assert latest(app, tenant) == {"a": 1}


@pytest.mark.parametrize("piped", [False, True])
def test_a_connection_that_is_ended_in_the_middle_is_unavailable_and_the_next_call_is_well(
    app: Engine, tenant: str, *, piped: bool
) -> None:
    def use_case(work: Work) -> None:
        add(work.connection, tenant, "a")
        pid = work.connection.exec_driver_sql("select pg_backend_pid()").scalar_one()
        with app.connect() as other:
            assert other.exec_driver_sql("select pg_terminate_backend(%s, 5000)", (pid,)).scalar_one()
        if piped:
            read_all(work.connection, Query("select 1", (), list), Query("select 2", (), list))
        work.connection.exec_driver_sql("select 1")

    with pytest.raises(Unavailable):
        run(app, Scope((tenant,)), CLOCK, use_case)
    assert latest(app, tenant) == {}


def test_more_callers_than_connections_are_told_to_come_again(servers: Any, tenant: str) -> None:
    engine = create_engine(servers.app_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with transaction(engine, Scope((tenant,)), CLOCK) as work:
        with pytest.raises(Unavailable):
            run(engine, Scope((tenant,)), CLOCK, lambda _: None)
        add(work.connection, tenant, "a")
    assert latest(engine, tenant) == {"a": 1}
    engine.dispose()


def test_a_programming_fault_is_not_called_unavailable(app: Engine, tenant: str) -> None:
    for statement in ("select 1 / 0", "selec 1", "select * from nowhere"):
        with pytest.raises(DBAPIError) as fault:
            run(app, Scope((tenant,)), CLOCK, lambda work, s=statement: work.connection.exec_driver_sql(s))  # type: ignore[misc]
        assert not is_away(fault.value)
    assert not is_away(ValueError("no database's"))


@dataclass
class Mortal:
    """Servers of our own, to be killed, with a tenant."""

    servers: EmbeddedServers
    app: Engine
    tenant: str

    def kill(self) -> None:
        running = self.servers._running
        assert running is not None
        assert running.postgres is not None
        backends = psutil.Process(running.postgres.pid).children(recursive=True)
        running.postgres.kill()
        running.postgres.wait(10)
        for backend in backends:  # they answer on until they notice
            with suppress(psutil.NoSuchProcess):
                backend.kill()
        psutil.wait_procs(backends, 10)

    def everyone_at_once(self, use_case: Callable[[Work], None]) -> list[Any]:
        """Run the use case on every connection of the pool at the same moment."""
        everyone = threading.Barrier(POOL_SIZE)

        def together(work: Work) -> None:
            work.connection.exec_driver_sql("select 1")
            everyone.wait(20)
            use_case(work)

        def call() -> None:
            try:
                run(self.app, Scope((self.tenant,)), CLOCK, together)
            except Unavailable:
                everyone.abort()
                raise

        return in_threads(*[call] * POOL_SIZE)


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    with tempfile.TemporaryDirectory(prefix="clearing-mortal-") as folder:
        servers = EmbeddedServers(Path(folder))
        addresses = servers.start()
        owner, app = open_engine(addresses.owner_url), open_engine(addresses.app_url)
        migrate(owner)
        yield Mortal(servers, app, new_tenant(owner))
        owner.dispose()
        app.dispose()
        servers.stop()


WELL = [None] * POOL_SIZE


def test_a_server_killed_in_the_middle_is_unavailable_until_it_is_back_and_then_all_is_well(mortal: Mortal) -> None:
    def count(work: Work) -> None:
        add(work.connection, mortal.tenant, "kept")

    def killed_in_the_middle(work: Work) -> None:
        add(work.connection, mortal.tenant, "lost")
        mortal.kill()
        work.connection.exec_driver_sql("select 1")

    assert mortal.everyone_at_once(count) == WELL
    for use_case in (killed_in_the_middle, count):
        with pytest.raises(Unavailable):
            run(mortal.app, Scope((mortal.tenant,)), CLOCK, use_case)
    assert mortal.servers.revive() == ("PostgreSQL",)
    assert mortal.everyone_at_once(count) == WELL
    assert latest(mortal.app, mortal.tenant) == {"kept": 2 * POOL_SIZE}


def test_a_server_restarted_between_two_calls_fails_neither(mortal: Mortal) -> None:
    assert mortal.everyone_at_once(lambda _: None) == WELL
    mortal.kill()
    assert mortal.servers.revive() == ("PostgreSQL",)
    assert mortal.everyone_at_once(lambda _: None) == WELL


def test_business_time_is_the_machines_or_runs_on_from_the_demonstrations_anchor(mortal: Mortal) -> None:
    with transaction(mortal.app, Scope(()), CLOCK) as work:
        assert work.at == AT
        work.connection.exec_driver_sql(
            "insert into service_clock (demonstration_at, set_at) values (%s, %s)", (AT - timedelta(days=9), AT)
        )
    with transaction(mortal.app, Scope(()), FixedClock(AT + timedelta(hours=1))) as work:
        assert work.at == AT - timedelta(days=9) + timedelta(hours=1)
    with transaction(mortal.app, Scope(()), FixedClock(AT - timedelta(hours=1))) as work:
        assert work.at == AT - timedelta(days=9)
