"""Ten thousand lines in bulk, cut at every line: whichever way the connection ends, the final state is the same.

Three uploads of the same lines, each into a service with nothing in it, are compared with one that is never cut: in
small requests, of which every line is cut twice, on its way there and on its way back; in requests of the client's own
size; and as one stream, as a platform sends it that has a client of its own. Compared are every answer, every claim,
and how many rows the whole database then holds, table by table; the auditor agrees with each.
"""

import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from socket import SHUT_WR
from typing import Any

import pytest

from clearing.demonstration.claims import generate
from clearing.embedded import addresses_of
from connectors.client import Caller, ClientSecret, LineAnswer, Patience, Platform, bulk
from tenants.kernel.database import open_engine
from tests.scenarios.faulty_way import Cut, CutUpload, Fault, Through, way_to
from tests.scenarios.test_cut_bulk import Outcome, outcome
from tests.service.running import Api, RunningService, running

LINES = 10_000
FEW = 20
"""Lines of one request where every line is cut: what is sent again after a cut is bounded by it."""
REPORTED = 1_000
"""Lines between two reports of the progress."""
BRISK = Patience(attempts=5, first_wait=timedelta(milliseconds=1), longest_wait=timedelta(milliseconds=5))
INNER = (1, 2, 3, 249, 250, 251, 498, 499)
"""Places in a request of the client's own size; the strides between go over the others."""
STREAM = 2_500
"""Lines of one stream: the service takes 8 MiB at once."""
ELSEWHERE = frozenset({"access_token", "signed_nonce"})

Say = Callable[[str], None]
Faults = Callable[[int], Fault]
"""The fault of the bulk request with this number."""
Upload = Callable[[RunningService, list[bytes]], Iterator[LineAnswer]]


@dataclass(frozen=True, slots=True)
class State:
    """What an upload led to."""

    answers: list[Outcome]
    claims: dict[str, tuple[str, int, str]]
    rows: dict[str, int]


@pytest.fixture(scope="module")
def given() -> list[bytes]:
    """The lines: generated claims of one platform, with duplicates, caps and refusals among them."""
    bodies = [one.body for one in generate(31, LINES * 2) if one.platform == "jssic"][:LINES]
    assert len(bodies) == LINES
    return [bulk.json_line(body) for body in bodies]


@pytest.fixture(scope="module")
def say(request: pytest.FixtureRequest) -> Say:
    """Say how far it is, past what pytest keeps."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def told(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(text, flush=True)  # noqa: T201 - the progress of a campaign

    return told


@pytest.fixture(scope="module")
def never(given: list[bytes], say: Say) -> State:
    """What the lines lead to where no connection is cut."""
    return state_after(
        "never cut", say, given, lambda service, lines: by_the_client(service, lines, lambda _: Through())
    )


def state_after(name: str, say: Say, lines: list[bytes], upload: Upload) -> State:
    """The state of a new service after the upload; the auditor finds nothing wrong with it."""
    with fresh_service() as service:
        answers = [outcome(answer) for answer in reported(name, say, upload(service, lines))]
        with caller_of(service, service.address) as caller:
            claims = {one.external_id: (one.state, one.revision, str(one.award)) for one in Platform(caller).claims()}
        rows = counted_rows(service)
        assert service.run("verify", "--json").returncode == 0
        assert not [line for line in service.log() if line["level"] in {"error", "critical"}]
    return State(answers, claims, rows)


@contextmanager
def fresh_service() -> Iterator[RunningService]:
    """A service of its own, with nothing in it."""
    folder = Path(tempfile.mkdtemp(prefix="cut-"))
    with running(folder / "data", "--demo-clock", "2024-09-27T09:00:00+08:00") as started:
        yield started
    shutil.rmtree(folder)


@contextmanager
def caller_of(service: RunningService, address: str) -> Iterator[Caller]:
    """A client of the platform that goes by the address."""
    api = service.platform("jssic", "jiangsu")
    assert api.client_id is not None
    with Caller(address, ClientSecret(api.client_id, api.client_secret), BRISK) as caller:
        yield caller


def counted_rows(service: RunningService) -> dict[str, int]:
    """How many rows each table has."""
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.owner_url)
    with engine.connect() as connection:
        tables = connection.exec_driver_sql("select tablename from pg_tables where schemaname = 'public'").scalars()
        found = {
            table: connection.exec_driver_sql(f'select count(*) from "{table}"').scalar_one()  # noqa: S608 - its own
            for table in sorted(set(tables.all()) - ELSEWHERE)
        }
    engine.dispose()
    return found


def reported(name: str, say: Say, answers: Iterator[LineAnswer]) -> Iterator[LineAnswer]:
    """The answers; it is said how far they are."""
    begun = time.monotonic()
    for number, answer in enumerate(answers, start=1):
        if number % REPORTED == 0:
            say(f"{name}: {number} lines, {time.monotonic() - begun:.0f} s")
        yield answer


def by_the_client(service: RunningService, lines: Sequence[bytes], faults: Faults) -> Iterator[LineAnswer]:
    """Our client library sends the lines over a way that does this to its requests."""
    sent = 0

    def plan(_number: int, path: str) -> Fault:
        nonlocal sent
        way.seen.clear()
        if not path.endswith("/bulk"):
            return Through()
        sent += 1
        return faults(sent - 1)

    with ExitStack() as stack:
        way = stack.enter_context(way_to(service.address))
        way.plan = plan
        caller = stack.enter_context(caller_of(service, way.address))
        yield from bulk.send_lines(caller, "/v1/claims/bulk", lines)


def both_ways_at_each_line(number: int) -> Fault:
    """Each line's request breaks off behind it on its way there, and the next behind its answer."""
    line, back = divmod(number, 2)
    if back:
        return Cut(1, line % 50, cleanly=line % 3 == 0)
    return CutUpload(1, line % 50, cleanly=line % 2 == 0)


def three_times_a_request(number: int) -> Fault:
    """Each request breaks off on its way there, its answer twice; then it goes through."""
    request, attempt = divmod(number, 4)
    place = INNER[request // 2] if request % 2 and request // 2 < len(INNER) else 1 + request * 26 % 499
    faults = (CutUpload(place, request, cleanly=request % 2 == 0), Cut(place, request), Cut(0, 5), Through())
    return faults[attempt]


@pytest.mark.long
def test_every_line_of_ten_thousand_cut_both_ways_ends_in_the_same_state(
    given: list[bytes], never: State, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "BULK_LINES", FEW)
    cuts: list[int] = []

    def fault(number: int) -> Fault:
        cuts.append(number)
        return both_ways_at_each_line(number)

    always = state_after("cut at each line", say, given, lambda service, lines: by_the_client(service, lines, fault))
    assert always == never
    assert cuts == list(range(2 * LINES))


@pytest.mark.long
def test_whole_requests_cut_anywhere_end_in_the_same_state(given: list[bytes], never: State, say: Say) -> None:
    cut = state_after(
        "whole requests cut", say, given, lambda service, lines: by_the_client(service, lines, three_times_a_request)
    )
    assert cut == never


@pytest.mark.long
def test_one_stream_of_ten_thousand_lines_cut_anywhere_ends_in_the_same_state(
    given: list[bytes], never: State, say: Say
) -> None:
    cuts: list[int] = []

    def stream(service: RunningService, lines: list[bytes]) -> Iterator[LineAnswer]:
        api = service.platform("jssic", "jiangsu")
        api.sign_in()
        answered = 0
        while answered < LINES:
            place = len(cuts) * 37 % 1_100 + len(cuts) % 2
            cuts.append(answered + place)
            more = streamed(api, lines[answered : answered + STREAM], place)
            if not more:  # what came was forgotten: the same lines once more, and not a line further
                more = streamed(api, lines[answered : answered + max(place, 1)], STREAM)
                assert more
            yield from (LineAnswer.of(answered + line["line"], line) for line in more)
            answered += len(more)

    assert state_after("one stream cut", say, given, stream) == never
    assert len(cuts) > 15


def streamed(api: Api, lines: list[bytes], place: int) -> list[dict[str, Any]]:
    """The lines in one request that breaks off behind that many of them: the answers that came before its end.

    Whoever sends a stream reads the answers meanwhile.
    """
    connection = http.client.HTTPConnection(api.address.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/v1/claims/bulk")
    connection.putheader("Authorization", f"Bearer {api.token}")
    connection.putheader("Content-Type", bulk.NDJSON_TYPE)
    connection.putheader("Content-Length", str(sum(len(line) + 1 for line in lines)))
    connection.endheaders()
    socket = connection.sock

    def send() -> None:
        with suppress(OSError):  # refused meanwhile, which the answer says
            for line in lines[:place]:
                socket.sendall(line + b"\n")
            if place < len(lines):
                socket.shutdown(SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    answers: list[bytes] = []
    try:
        reply = connection.getresponse()
        assert reply.status == HTTPStatus.OK, reply.read()
        answers.extend(reply)
    except (http.client.HTTPException, ConnectionError):
        answers = [line for line in answers if line.endswith(b"\n")]
    sender.join()
    connection.close()
    return [json.loads(line) for line in answers]
