"""A worker that is killed while it writes a batch's files: the next one goes on behind the last whole section.

The worker stops by itself where the test wants it killed: before or after a section is committed, or in the middle of
one. What it then ends with is held, byte by byte, against what a worker makes whom nobody kills.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine

from settlement.batches import delivery
from settlement.batches.batch import Batch
from settlement.batches.delivery import instruct
from settlement.batches.release import release
from settlement.formats.rendering import LINES_AT_ONCE
from settlement.offline import verify_batch
from settlement.signatures.keys import jwks, revoke_key, rotate_key
from settlement.signatures.signing import Purpose
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, transaction
from tenants.kernel.errors import Conflict
from tests.settlement_service.bench import OFFICE, OVER, Bench
from tests.settlement_service.test_killed_worker import UndoneError, files_of, uninterrupted

SECTION = LINES_AT_ONCE
EVERY_STOP = [(section, when) for section in (1, 2, 3) for when in ("inside", "before", "after")]
SOME_STOPS = [(1, "before"), (1, "after"), (2, "inside")]
PATIENCE_SECONDS = 120


class Kept:
    """Commits drafts in transactions of their own, as the worker does; stops for good where it is told to."""

    def __init__(self, bench: Bench, stop: tuple[int, str] | None = None) -> None:
        self.bench, self.stop, self.sections = bench, stop, 0

    def __call__(self, use: Callable[[Connection], None]) -> None:
        with transaction(self.bench.app, Scope((self.bench.tenant,)), FixedClock(OVER)) as work:
            use(work.connection)
            made = work.connection.exec_driver_sql(
                "select coalesce(max(section), 0) from batch_draft where tenant = %s", (self.bench.tenant,)
            ).scalar_one()
            if self.stop == (made, "before"):
                wait_to_be_killed()
        if self.stop == (made, "after"):
            wait_to_be_killed()
        self.sections = made


def wait_to_be_killed() -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()
    sys.stdin.read()


def work() -> None:
    """The worker: instructs the batch named on its input, up to where it is to be killed."""
    given = json.loads(sys.stdin.readline())
    bench = Bench(open_engine(given["url"]), given["tenant"])
    section, when = given["stop"]
    kept = Kept(bench, (section, when))
    told = delivery._told

    def stopping(instructions, tally, tell):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as it is there
        for number, instruction in enumerate(told(instructions, tally, tell), start=tally.number + 1):
            if when == "inside" and number == section * SECTION - SECTION // 2:
                wait_to_be_killed()
            yield instruction

    delivery._told = stopping
    bench.do(lambda c: instruct(c, bench.tenant, UUID(given["batch_id"]), OFFICE, OVER, kept, SECTION), OVER)


def killed_at(bench: Bench, app: Engine, batch: Batch, stop: tuple[int, str]) -> None:
    command = [sys.executable, "-c", f"from {__name__} import work; work()"]
    url = app.url.render_as_string(hide_password=False)
    given = {"url": url, "tenant": bench.tenant, "batch_id": str(batch.id), "stop": stop}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        print(json.dumps(given), file=worker.stdin, flush=True)
        assert worker.stdout.readline() == "here\n"
        worker.send_signal(signal.SIGKILL)
        assert worker.wait(PATIENCE_SECONDS) == -signal.SIGKILL


def sections_of(bench: Bench) -> list[int]:
    rows = bench.rows("select section from batch_draft where tenant = %s order by section", bench.tenant)
    return [row.section for row in rows]


def whole_files(bench: Bench, batch: Batch) -> dict[str, bytes]:
    """The files as a worker makes them whom nobody kills, in sections of the same size."""
    found: dict[str, bytes] = {}

    def look(connection: Connection) -> None:
        instruct(connection, bench.tenant, batch.id, OFFICE, OVER, None, SECTION)
        found.update(files_of(bench, connection, batch))
        raise UndoneError

    with pytest.raises(UndoneError):
        bench.do(look, OVER)
    return found


def goes_on(bench: Bench, batch: Batch) -> tuple[Batch, Kept]:
    kept = Kept(bench)
    finished = bench.do(lambda c: instruct(c, bench.tenant, batch.id, OFFICE, OVER, kept, SECTION), OVER)
    return finished, kept


def test_killed_at_some_points_it_goes_on_and_ends_with_the_same_bytes(bench: Bench, app: Engine) -> None:
    killed_and_gone_on(bench, app, SOME_STOPS)


@pytest.mark.long
def test_killed_at_every_section_and_within_each_it_goes_on_and_ends_with_the_same_bytes(
    bench: Bench, app: Engine
) -> None:
    killed_and_gone_on(bench, app, EVERY_STOP)


def killed_and_gone_on(bench: Bench, app: Engine, stops: list[tuple[int, str]]) -> None:
    last, when = stops[-1]
    batch = bench.released(*["1.00"] * (last * SECTION + 70))
    wanted = whole_files(bench, batch)
    for section, when in stops:
        killed_at(bench, app, batch, (section, when))
        whole = section if when == "after" else section - 1
        assert sections_of(bench) == list(range(1, whole + 1)), (section, when)
        assert bench.read(batch).state == "released"
        assert bench.rows("select 1 from batch_file where tenant = %s", bench.tenant) == []
    finished, kept = goes_on(bench, batch)
    assert (finished.state, finished.manifest_no) == ("instructed", 1)
    assert kept.sections == (last if when != "after" else 0), "what was there is not drafted again"
    assert bench.do(lambda c: files_of(bench, c, finished)) == wanted
    assert sections_of(bench) == []


def test_files_in_sections_are_those_without_but_for_how_the_workbook_is_packed(bench: Bench, tmp_path: Path) -> None:
    batch = bench.released(*["1.00"] * (SECTION + 1))
    in_sections, at_once = whole_files(bench, batch), uninterrupted(bench, batch)
    packed = {"payouts.xlsx", "manifest.json"}
    assert {name for name, content in at_once.items() if in_sections[name] != content} == packed
    for name, content in in_sections.items():
        (tmp_path / name).write_bytes(content)
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    assert verify_batch(tmp_path, keys) == []


def test_a_draft_of_another_key_or_another_day_is_begun_anew(bench: Bench, app: Engine) -> None:
    batch = bench.released(*["1.00"] * (2 * SECTION + 1))
    killed_at(bench, app, batch, (1, "after"))
    bench.do(lambda c: rotate_key(c, bench.tenant, Purpose.PAYOUT, OFFICE, "operator", OVER), OVER)
    killed_at(bench, app, batch, (1, "inside"))
    assert sections_of(bench) == [], "what another key signed is thrown away"
    killed_at(bench, app, batch, (2, "after"))
    finished, kept = goes_on(bench, batch)
    assert (finished.state, kept.sections) == ("instructed", 0)
    keys = bench.do(lambda c: jwks(c, bench.tenant))
    assert len(keys["keys"]) == 3, "two payout keys and the releaser's"  # type: ignore[arg-type]


def test_a_draft_that_was_changed_in_the_database_is_not_gone_on_with(bench: Bench, app: Engine, owner: Engine) -> None:
    batch = bench.released(*["1.00"] * (SECTION + 1))
    killed_at(bench, app, batch, (1, "after"))
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (bench.tenant,))
        connection.exec_driver_sql(
            "update batch_draft_part set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) "
            "where tenant = %s and name = 'payouts.csv'",
            (bench.tenant,),
        )
    finished, kept = goes_on(bench, batch)
    assert (finished.state, kept.sections) == ("instructed", 1), "it was drafted anew"


def test_a_revoked_key_stops_a_batch_that_is_half_drafted(bench: Bench, app: Engine) -> None:
    batch = bench.released(*["1.00"] * (SECTION + 1))
    kid = bench.payout_kid()
    killed_at(bench, app, batch, (1, "after"))
    bench.do(lambda c: revoke_key(c, bench.tenant, kid, "operator", "lost", OVER), OVER)
    with pytest.raises(Conflict) as refused:
        goes_on(bench, batch)
    assert refused.value.code == "key.revoked"
    assert bench.read(batch).state == "released"


def test_the_database_keeps_drafts_of_released_batches_only(bench: Bench) -> None:
    sealed = bench.sealed("1.00")
    draft = "insert into batch_draft (tenant, batch_id, section, made_at, terms, mark) values (%s, %s, 1, %s, %s, '')"
    with pytest.raises(Exception, match="only a released batch"):
        bench.change(draft, bench.tenant, sealed.id, OVER, bytes(32))
    released = bench.do(lambda c: release(c, bench.tenant, sealed.id, OFFICE, "releaser-wang", OVER), OVER)
    bench.change(draft, bench.tenant, released.id, OVER, bytes(32))
    with pytest.raises(Exception, match="still has drafts"):
        bench.change(
            "update batch set state = 'instructed', instructed_at = %s, manifest_no = 1, manifest_sha256 = %s "
            "where tenant = %s and id = %s",
            OVER, "0" * 64, bench.tenant, released.id,
        )  # fmt: skip
