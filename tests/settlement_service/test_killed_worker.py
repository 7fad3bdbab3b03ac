"""A worker that has stored every file and waits to commit: killed by SIGKILL, or overtaken by a revocation.

The test holds the tenant's audit chain, which the worker locks last.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from settlement.batches.batch import Batch
from settlement.batches.batch_files import list_files, read_part
from settlement.batches.delivery import instruct
from settlement.batches.progress import Progress, progress_of
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, transaction
from tenants.kernel.errors import Conflict
from tests.settlement_service.bench import OFFICE, OVER, Bench

PATIENCE_SECONDS = 30
CHAIN = "select 1 from audit_head where tenant = %s for no key update"


def work() -> None:
    """The worker: instructs the batch named on its input."""
    given = json.loads(sys.stdin.readline())
    Bench(open_engine(given["url"]), given["tenant"]).instruct_by_id(UUID(given["batch_id"]))


@contextmanager
def held_chain(bench: Bench) -> Iterator[Connection]:
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(OVER)) as held:
        held.connection.exec_driver_sql(CHAIN, (bench.tenant,))
        yield held.connection


def wait_until_somebody_waits(connection: Connection) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not connection.exec_driver_sql("select 1 from pg_locks where not granted").first():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_worker_killed_before_its_commit_leaves_nothing_and_the_next_one_finishes(bench: Bench, app: Engine) -> None:
    batch = bench.released("100.00", "200.00")
    command = [sys.executable, "-c", f"from {__name__} import work; work()"]
    url = app.url.render_as_string(hide_password=False)
    given = {"url": url, "tenant": bench.tenant, "batch_id": str(batch.id)}
    with held_chain(bench) as connection, subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        print(json.dumps(given), file=worker.stdin, flush=True)
        wait_until_somebody_waits(connection)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    for table in ("batch_file", "batch_file_part"):
        assert bench.rows(f"select 1 from {table} where tenant = %s", bench.tenant) == []  # noqa: S608
    assert bench.read(batch).state == "released"
    finished = bench.instruct(batch)
    assert (finished.state, finished.manifest_no) == ("instructed", 1)
    [parts] = bench.rows("select count(distinct name) as n from batch_file_part where tenant = %s", bench.tenant)
    assert parts.n == 7


def test_a_key_revoked_while_a_worker_signs_with_it_stops_the_commit(bench: Bench, app: Engine) -> None:
    batch = bench.released("100.00")
    kid = bench.payout_kid()
    with ThreadPoolExecutor(1) as threads:
        with held_chain(bench) as connection:
            instructing = threads.submit(bench.instruct, batch)
            wait_until_somebody_waits(connection)
            with transaction(app, Scope((bench.tenant,)), FixedClock(OVER)) as other:
                other.connection.exec_driver_sql("update signing_key set revoked_at = %s where kid = %s", (OVER, kid))
        with pytest.raises(Conflict) as refused:
            instructing.result(PATIENCE_SECONDS)
    assert refused.value.code == "key.revoked"
    assert bench.read(batch).state == "released"


class UndoneError(Exception):
    """Ends a transaction that is only looked into."""


def files_of(bench: Bench, connection: Connection, batch: Batch) -> dict[str, bytes]:
    """Every stored file, whole."""
    return {
        file.name: b"".join(
            read_part(connection, batch, file.name, part, OFFICE.sealer) for part in range(1, file.parts + 1)
        )
        for file in list_files(connection, bench.tenant, batch.id)
    }


def uninterrupted(bench: Bench, batch: Batch) -> dict[str, bytes]:
    """The files as a worker makes them whom nobody kills, in a transaction that is then undone."""
    found: dict[str, bytes] = {}

    def look(connection: Connection) -> None:
        instruct(connection, bench.tenant, batch.id, OFFICE, OVER)
        found.update(files_of(bench, connection, batch))
        raise UndoneError

    with pytest.raises(UndoneError):
        bench.do(look, OVER)
    return found


def killed_at(bench: Bench, app: Engine, batch: Batch, file: str, temporary: Path) -> None:
    """A worker that is killed as soon as it begins to write the file."""
    command = [sys.executable, "-c", f"from {__name__} import work; work()"]
    url = app.url.render_as_string(hide_password=False)
    given = {"url": url, "tenant": bench.tenant, "batch_id": str(batch.id)}
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment) as worker:
        assert worker.stdin is not None
        print(json.dumps(given), file=worker.stdin, flush=True)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not list(temporary.glob(f"batch-*/{file}")):
            assert worker.poll() is None, "it ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        worker.send_signal(signal.SIGKILL)
        assert worker.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def test_a_worker_killed_at_several_points_ends_with_the_same_bytes(bench: Bench, app: Engine, tmp_path: Path) -> None:
    batch = bench.released(*["1.00"] * 150)
    wanted = uninterrupted(bench, batch)
    assert len(wanted) == 7
    for number, file in enumerate(("payouts.jsonl", "manifest.json")):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed_at(bench, app, batch, file, folder)
        assert bench.read(batch).state == "released"
        assert bench.rows("select 1 from batch_file where tenant = %s", bench.tenant) == []
    finished = bench.instruct(batch)
    assert (finished.state, finished.manifest_no) == ("instructed", 1)
    assert bench.do(lambda c: files_of(bench, c, finished)) == wanted


def test_how_far_a_worker_is_can_be_seen_while_it_works(bench: Bench) -> None:
    batch = bench.released("100.00", "200.00")
    assert bench.do(lambda c: progress_of(c, batch.id)) is None
    with ThreadPoolExecutor(1) as threads:
        with held_chain(bench) as connection:
            instructing = threads.submit(bench.instruct, batch)
            wait_until_somebody_waits(connection)
            progress = bench.do(lambda c: progress_of(c, batch.id))
        assert instructing.result(PATIENCE_SECONDS).state == "instructed"
    assert progress == Progress("store", 2)
    assert bench.do(lambda c: progress_of(c, batch.id)) is None
