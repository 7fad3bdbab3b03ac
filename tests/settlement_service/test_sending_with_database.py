"""Payment files on their way to a bank that loses, delays and refuses: whatever happens, the bank has them once."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.service import Service
from clearing.workers import do_job
from settlement.bank.connections import BankConnection
from settlement.bank.folder import FolderBank
from settlement.bank.host import HttpBank
from settlement.bank.port import BankPort, BankSilentError
from settlement.bank.sending import (
    NotDecidedError,
    Submission,
    calls_of,
    find_submission,
    order_sending,
    send_once,
    state_of,
)
from settlement.bank.simulator import BankServer, Books
from settlement.batches.batch import Batch
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, run
from tenants.kernel.errors import Conflict
from tests.settlement_service.bench import OFFICE, OVER, RELEASER, Bench
from tests.settlement_service.desk import Desk

PATIENCE_SECONDS = 30


def ordered(bench: Bench, *amounts: str, method: str = "http") -> Submission:
    batch = bench.instruct(bench.released(*amounts))
    return order(bench, batch, method)


def order(bench: Bench, batch: Batch, method: str = "http") -> Submission:
    return bench.do(lambda c: order_sending(c, bench.tenant, batch.id, method, RELEASER, OVER), OVER)


def send(bench: Bench, submission: Submission, port: BankPort) -> str:
    """One attempt, and the state after it."""

    def do(use_case: Any) -> Any:
        return run(bench.app, Scope((bench.tenant,)), FixedClock(OVER), use_case)

    with contextlib.suppress(BankSilentError, NotDecidedError):
        send_once(do, submission.id, port, OFFICE)
    return state(bench, submission)


def state(bench: Bench, submission: Submission) -> str:
    return state_of(bench.do(lambda c: calls_of(c, submission)))


def told(bench: Bench, submission: Submission) -> list[tuple[str, str | None]]:
    return [(call.kind, call.outcome) for call in bench.do(lambda c: calls_of(c, submission))]


@pytest.fixture
def books() -> Books:
    return Books(seed=1)


@pytest.fixture
def bank(books: Books) -> Iterator[HttpBank]:
    with BankServer(books) as server:
        yield HttpBank(server.address, "secret", read_seconds=5)


def test_an_accepted_file_is_sent_once_however_often_it_is_ordered(bench: Bench, books: Books, bank: HttpBank) -> None:
    submission = ordered(bench, "100.00", "50.00")
    assert state(bench, submission) == "prepared"
    assert send(bench, submission, bank) == "accepted"
    assert order(bench, bench.do(lambda c: find_batch_of(c, submission))) == submission
    assert send(bench, submission, bank) == "accepted"
    assert books.arrivals == [submission.message_id]
    paid = books.execute()
    assert sorted(str(payment.amount) for payment in paid) == ["100.00", "50.00"]


def find_batch_of(connection: Any, submission: Submission) -> Batch:
    from settlement.batches.batch import find_batch

    assert submission.batch_id is not None
    return find_batch(connection, submission.tenant, submission.batch_id)


LOST = {
    "the request is lost": (["lose_request"], ["unknown", "unknown", "accepted"]),
    "the answer is lost": (["lose_answer"], ["unknown", "accepted"]),
    "the message comes late": (["delay"], ["unknown", "unknown", "accepted"]),
    "the bank refuses": (["refuse"], ["rejected"]),
    "the request is lost twice": (["lose_request", "lose_request"], ["unknown"] * 4 + ["accepted"]),
    "lost, then refused": (["lose_request", "refuse"], ["unknown", "unknown", "rejected"]),
}


@pytest.mark.parametrize(("script", "states"), LOST.values(), ids=LOST.keys())
def test_whatever_is_lost_the_bank_is_asked_before_anything_is_sent_again(
    bench: Bench, books: Books, bank: HttpBank, script: list[str], states: list[str]
) -> None:
    books.script = deque(script)
    submission = ordered(bench, "100.00")
    assert [send(bench, submission, bank) for _ in states] == states
    assert send(bench, submission, bank) == states[-1]
    calls = told(bench, submission)
    for before, after in itertools.pairwise(calls):
        assert after[0] == "inquiry" or before == ("inquiry", "absent")
    rejected = bench.rows("select outcome from instruction_outcome where tenant = %s", bench.tenant)
    assert [row.outcome for row in rejected] == ["rejected"] * (states[-1] == "rejected")
    assert len(books.execute()) == (states[-1] == "accepted")
    assert books.execute() == []


def test_an_answer_about_another_message_is_no_answer(bench: Bench) -> None:
    class _Confused(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            said = json.dumps({"message_id": "another", "sha256": "x", "status": "accepted"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: Any) -> None: ...

    submission = ordered(bench, "100.00")
    server = HTTPServer(("127.0.0.1", 0), _Confused)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        assert send(bench, submission, HttpBank(f"http://127.0.0.1:{server.server_address[1]}", None)) == "unknown"
    finally:
        server.shutdown()
        server.server_close()
    assert told(bench, submission) == [("submit", "silent")]


def test_a_batch_that_is_not_instructed_has_nothing_to_send(bench: Bench) -> None:
    batch = bench.released("100.00")
    with pytest.raises(Conflict) as refused:
        order(bench, batch)
    assert refused.value.code == "batch.not_instructed"


def test_the_database_itself_refuses_a_second_submission(bench: Bench, bank: HttpBank, books: Books) -> None:
    books.script = deque(["lose_answer"])
    submission = ordered(bench, "100.00")
    assert send(bench, submission, bank) == "unknown"
    call = (
        "insert into bank_call (tenant, id, submission_id, seq, kind, cleared_by, made_at) "
        "values (%s, gen_random_uuid(), %s, 9, %s, %s, now())"
    )
    [first] = bench.do(lambda c: calls_of(c, submission))
    with pytest.raises(DBAPIError, match="bank_call_submits_once"):
        bench.change(call, bench.tenant, submission.id, "submit", None)
    with pytest.raises(DBAPIError, match="bank_call_cleared"):
        bench.change(call, bench.tenant, submission.id, "submit", first.id)
    with pytest.raises(DBAPIError, match="bank_submission_once"):
        bench.change(
            "insert into bank_submission select tenant, gen_random_uuid(), batch_id, 'x', method, file_name, "
            "file_sha256, ordered_by, ordered_at from bank_submission where tenant = %s",
            bench.tenant,
        )
    for table in ("bank_submission", "bank_call", "bank_answer"):
        for statement in (f"update {table} set tenant = tenant", f"delete from {table}"):  # noqa: S608 - ours
            with pytest.raises(DBAPIError):
                bench.change(statement)


def test_a_folder_takes_a_file_once_also_after_the_bank_took_it_away(bench: Bench, tmp_path: Path) -> None:
    submission = ordered(bench, "100.00", method="folder")
    port, books = FolderBank(tmp_path / "bank"), Books()
    assert send(bench, submission, port) == "sent"
    assert [path.name for path in (tmp_path / "bank" / "out").iterdir()] == [f"{submission.message_id}.xml"]
    assert books.collect(tmp_path / "bank") == 1
    message = message_of(bench, submission)
    assert port.inquire(message).outcome == "delivered"
    assert port.submit(message).outcome == "delivered"
    assert books.collect(tmp_path / "bank") == 0
    assert [str(payment.amount) for payment in books.execute()] == ["100.00"]


def message_of(bench: Bench, submission: Submission) -> Any:
    from settlement.bank.sending import _message

    def do(use_case: Any) -> Any:
        return run(bench.app, Scope((bench.tenant,)), FixedClock(OVER), use_case)

    return bench.do(lambda c: _message(c, submission, do, OFFICE))


def test_a_folder_tells_absent_from_delivered_at_every_step(bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    submission = ordered(bench, "100.00", method="folder")
    port, message = FolderBank(folder), message_of(bench, submission)
    with pytest.raises(BankSilentError):
        port.inquire(message)
    folder.mkdir()
    assert port.inquire(message).outcome == "absent"
    port.submit(message)
    (folder / ".stage").joinpath(f"{message.message_id}.xml").write_bytes(b"staged, not moved")
    assert port.inquire(message).outcome == "absent"
    assert port.submit(message).outcome == "delivered"
    assert port.inquire(message).outcome == "delivered"
    with pytest.raises(BankSilentError):
        port.submit(replace(message, sha256="0" * 64))


def attempt() -> None:
    """The worker: makes one attempt for the submission named on its input."""
    given = json.loads(sys.stdin.readline())
    bench = Bench(open_engine(given["url"]), given["tenant"])
    submission = bench.do(lambda c: find_submission(c, bench.tenant, UUID(given["batch_id"])))
    send(bench, submission, HttpBank(given["address"], None))


def test_a_worker_killed_during_the_call_leaves_it_unknown_and_the_next_one_asks(
    bench: Bench, app: Engine, books: Books, bank: HttpBank
) -> None:
    submission = ordered(bench, "100.00")
    came = threading.Event()

    class _Hanging(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            books.receive(submission.message_id, self.rfile.read(int(self.headers["Content-Length"])))
            came.set()
            time.sleep(1)

        def log_message(self, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), _Hanging)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    given = {
        "url": app.url.render_as_string(hide_password=False),
        "tenant": bench.tenant,
        "batch_id": str(submission.batch_id),
        "address": f"http://127.0.0.1:{server.server_address[1]}",
    }
    command = [sys.executable, "-c", f"from {__name__} import attempt; attempt()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        print(json.dumps(given), file=worker.stdin, flush=True)
        assert came.wait(PATIENCE_SECONDS)
        worker.send_signal(signal.SIGKILL)
        worker.wait(PATIENCE_SECONDS)
    server.shutdown()
    server.server_close()
    assert told(bench, submission) == [("submit", None)]
    assert state(bench, submission) == "sent"
    assert send(bench, submission, bank) == "accepted"
    assert told(bench, submission) == [("submit", "silent"), ("inquiry", "accepted")]
    assert len(books.execute()) == 1


def with_bank(desk: Desk, connection: BankConnection) -> Service:
    real = replace(desk.service.settings, demonstration=connection.method != "folder")
    service = replace(desk.service, banks={desk.tenant: connection}, settings=real)
    desk.http.application.extensions["clearing"] = service
    return service


def work_off(bench: Bench, desk: Desk, service: Service, attempts: int) -> list[bool]:
    done = []
    for _ in range(attempts):
        waiting = bench.rows(
            "select id from outbox where tenant = %s and kind = 'bank.send' and done_at is null", bench.tenant
        )
        done += [do_job(service, row.id) for row in waiting]
        desk.move_to(desk.clock.now() + timedelta(minutes=11))
    return done


def test_over_http_a_batch_is_sent_by_the_releaser_and_the_worker(desk: Desk, bench: Bench, books: Books) -> None:
    batch = bench.instruct(bench.released("100.00"))
    desk.move_to(OVER)
    path = f"{desk.batches}/{batch.id}/sending"
    assert desk.get("maker", path).status_code == 404
    assert desk.post("releaser", path).get_json()["code"] == "bank.not_configured"
    books.script = deque(["lose_answer"])
    with BankServer(books) as server:
        service = with_bank(desk, BankConnection("http", server.address))
        answer = desk.post("releaser", path)
        assert (answer.status_code, answer.get_json()["state"]) == (202, "prepared")
        assert desk.post("releaser", path).get_json() == answer.get_json()
        assert work_off(bench, desk, service, 3) == [False, True]
    shown = desk.get("maker", path).get_json()
    assert shown["state"] == "accepted"
    assert [(call["kind"], call["outcome"]) for call in shown["calls"]] == [
        ("submit", "silent"), ("inquiry", "accepted"),
    ]  # fmt: skip
    assert len(books.arrivals) == 1


def test_an_instructed_batch_goes_out_by_itself_where_the_tenant_wants_it(
    desk: Desk, bench: Bench, tmp_path: Path
) -> None:
    batch = bench.released("100.00")
    desk.move_to(OVER)
    service = with_bank(desk, BankConnection("folder", str(tmp_path / "bank"), automatic=True, pain_version="11"))
    for row in bench.rows("select id from outbox where tenant = %s and kind = 'batch.instruct'", bench.tenant):
        assert do_job(service, row.id)
    assert work_off(bench, desk, service, 2) == [True]
    content = (tmp_path / "bank" / "out" / f"{batch.batch_no}.xml").read_text(encoding="utf-8")
    assert "pain.001.001.11" in content
    assert desk.get("maker", f"{desk.batches}/{batch.id}/sending").get_json()["state"] == "sent"


@pytest.mark.parametrize(
    "way",
    [BankConnection("http", "https://bank.example/"), BankConnection("folder", "/nowhere")],
    ids=["http", "folder"],
)
def test_on_a_database_that_holds_a_demonstration_nothing_is_ordered_to_a_bank(
    desk: Desk, bench: Bench, way: BankConnection
) -> None:
    batch = bench.instruct(bench.released("100.00"))
    desk.move_to(OVER)
    with_bank(desk, way)
    desk.http.application.extensions["clearing"] = replace(
        desk.http.application.extensions["clearing"], settings=desk.service.settings
    )
    answer = desk.post("releaser", f"{desk.batches}/{batch.id}/sending")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "bank.demonstration")
    assert "演示数据" in answer.get_json()["detail"]
    assert bench.rows("select 1 from bank_submission where tenant = %s", bench.tenant) == []


def test_a_worker_hands_a_demonstrations_payment_to_no_server_but_the_simulated_bank(
    desk: Desk, bench: Bench, books: Books, tmp_path: Path
) -> None:
    """What was ordered before the database became a demonstration, or past the service, goes nowhere either."""
    batch = bench.instruct(bench.released("100.00"))
    desk.move_to(OVER)
    folder = tmp_path / "bank"
    with BankServer(books) as server:
        service = with_bank(desk, BankConnection("http", server.address))
        assert desk.post("releaser", f"{desk.batches}/{batch.id}/sending").status_code == 202
        elsewhere = BankConnection("http", f"{server.address}/paths-of-a-real-bank")
        for way in (BankConnection("folder", str(folder)), elsewhere):
            assert work_off(bench, desk, replace(service, banks={desk.tenant: way}), 1) == [False]
        said = bench.rows("select last_error from outbox where tenant = %s and kind = 'bank.send'", bench.tenant)
        assert "simulated bank only" in said[0].last_error
        assert (books.arrivals, folder.exists()) == ([], False)
        assert work_off(bench, desk, service, 4)[-1] is True
    assert books.arrivals == [batch.batch_no]
