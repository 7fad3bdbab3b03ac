"""Lines that are made ready by the column take less time to be imported; nothing else is different."""

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from clearing.api.support_records import registered_ready
from clearing.claims.support_lines import lines_ready
from clearing.service import Service
from clearing.transfers import importing
from clearing.transfers.importing import Importer, Summary, Told
from clearing.transfers.sources import open_source
from tenants.principal import Principal
from tests.imports.files import Body, ndjson, record
from tests.intake.bodies import JIANGSU, WUJIANG, buyer, claim, invoice_number, seller
from tests.intake.counter import Counter

CHUNK: Final = 100
CHUNKS: Final = 14
GENERALLY, BY_COLUMN = "generally", "by column"
NAMELESS: Final = {"kind": "contract", "value": "KD-1"}
"""A key whose fault is found only when it is made: a contract without its provider."""

Take = Callable[..., tuple[Summary, str, list[int]]]
"""Imports a file: its counts, what is in the file of those refused, and the lines of records that met somebody."""


@pytest.fixture
def readily(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each chunk that was made ready beforehand, whether it was stored as it was; all are of one size."""
    monkeypatch.setattr(importing, "LINES_AHEAD", CHUNK)
    monkeypatch.setattr(importing, "MOST_LINES_AHEAD", CHUNK)
    seen: list[bool] = []

    def noted(service: Service, caller: Principal, ready: Any, turn: Any = None) -> tuple[int, ...]:
        written = registered_ready(service, caller, ready, turn)
        seen.append(written == ready.versions)
        return written

    monkeypatch.setattr(importing, "registered_ready", noted)
    return seen


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Which way all lines go from now on: by the column, or the general one of those that are not plainly sound."""

    def switch(way: str) -> None:
        monkeypatch.setattr(importing, "lines_ready", {GENERALLY: lambda *_: None, BY_COLUMN: lines_ready}[way])

    return switch


@pytest.fixture
def take(service: Service, caller: Principal) -> Take:
    def run(path: Path, told: Told = lambda _: None) -> tuple[Summary, str, list[int]]:
        errors, met = path.with_suffix(".errors"), list[int]()
        errors.unlink(missing_ok=True)
        importer = Importer(service, caller, collided=lambda item, _: met.append(item.number))
        with open_source(path, errors, None, support=True, caller=caller) as source:
            summary = importer.run(source, told)
        return summary, errors.read_text(encoding="utf-8") if errors.exists() else "", met

    return run


def mixed(prefix: str, meeting: str) -> list[Body | str]:
    """Chunks of sound records with, from the fourth on, one thing each that must not go wrong."""
    one = partial(record, enterprise_uscc="91320115MA1LYJ6P8N")
    lines: list[Body | str] = [
        one(
            external_id=f"{prefix}{number}",
            supported_on=f"2024-{number % 12 + 1:02d}-03",
        )
        for number in range(CHUNK * CHUNKS)
    ]  # fmt: skip
    later: list[Body] = [line for line in lines[3 * CHUNK :] if isinstance(line, dict)]
    contract = {"kind": "contract", "value": f"KD-{prefix}", "provider_uscc": seller(WUJIANG).uscc, "amount": "5.00"}
    later[5]["keys"] = [*later[5]["keys"], contract, {"kind": "receipt", "value": f"No.{invoice_number()}"}]
    later[6]["keys"] = [{"kind": "red_letter", "value": invoice_number(), "amount": "7.00"}]
    places = iter(range(3 * CHUNK + 20, len(lines), 40))
    for wrong in (
        "{",
        "不是 JSON",
        '{"a": "' + "x" * 300_000 + '"}',
        record(platform="jssic"),
        record(tenant="jiangsu"),
    ):
        lines[next(places)] = wrong
    lines[next(places)] = later[5] | {"supported_on": "2024-02-30"}
    lines[next(places)] = {"line": 1, "problem": {}, "record": later[7] | {"external_id": f"{prefix}wrapped"}}
    lines[7 * CHUNK + 1] = lines[7 * CHUNK]  # the same line again
    lines[8 * CHUNK + 3] = one(external_id=f"{prefix}shared", keys=later[5 * CHUNK + 9]["keys"])
    lines[13 * CHUNK + 3] = one(
        external_id=f"{prefix}meets", keys=[{"kind": "invoice", "value": meeting, "amount": "10000.00"}]
    )
    lines[10 * CHUNK + 3] = one(external_id=f"{prefix}faulty", keys=[NAMELESS])
    return lines


ROWS: Final = (
    "select split_part(s.external_id, '-', 2), s.tenant, s.platform, s.client_id, s.supported_on, s.keys, "
    "s.red_letter, h.scheme, h.month, h.status, h.claimed_fen, h.stated_fen, h.exclusion_group, "
    "encode(h.enterprise_digest, 'hex'), k.kind, k.key_version, k.total_fen, k.taken_fen "
    "from support_record s join registry_holding h on h.holder_id = s.id "
    "join registry_key k using (digest, exclusion_group) where s.external_id like %s "
    'order by s.external_id collate "C", k.kind, h.claimed_fen'
)


def test_a_file_ends_the_same_whichever_way_its_lines_go(
    take: Take, counter: Counter, readily: list[bool], go: Callable[[str], None], tmp_path: Path
) -> None:
    ends = []
    for prefix, way in (("逐行-", GENERALLY), ("成列-", BY_COLUMN)):
        go(way)
        body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
        counter.submit(body)
        path = ndjson(tmp_path / f"{prefix}.ndjson", *mixed(prefix, body["invoices"][0]["number"]))
        progress: list[int] = []
        summary, errors, met = take(path, lambda now, said=progress: said.append(now.read))
        rows = counter.rows(ROWS, f"{prefix}%")
        ends.append((summary, _codes(errors), met, progress, [tuple(row) for row in rows]))
    by_line, by_column = ends
    assert by_column == by_line
    assert by_line[0].refused >= 6
    assert by_line[0].colliding >= 1
    assert readily.count(True) >= 3


def test_a_file_ends_the_same_in_runs_that_grow_and_are_stored_by_parts_where_something_is_known(
    take: Take, counter: Counter, readily: list[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ends = []
    for prefix, most in (("同长-", CHUNK), ("渐长-", 4 * CHUNK)):
        monkeypatch.setattr(importing, "MOST_LINES_AHEAD", most)
        body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
        counter.submit(body)
        lines = mixed(prefix, body["invoices"][0]["number"])
        readily.clear()
        summary, errors, met = take(ndjson(tmp_path / f"{prefix}.ndjson", *lines))
        rows = counter.rows(ROWS, f"{prefix}%")
        ends.append((summary, _codes(errors), met, [tuple(row) for row in rows]))
        assert {True, False} == set(readily)
    assert ends[1] == ends[0]


def test_progress_is_told_run_by_run_though_the_next_ones_are_made_ready_slowly(
    take: Take, readily: list[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def slowly(*given: Any) -> Any:
        time.sleep(0.2)
        return lines_ready(*given)

    monkeypatch.setattr(importing, "lines_ready", slowly)
    path, progress = ndjson(tmp_path / "slow.ndjson", *[record() for _ in range(6 * CHUNK)]), list[int]()
    take(path, lambda now: progress.append(now.read))
    assert readily == [True] * 6
    assert progress == [CHUNK * run for run in range(1, 7)]


def _codes(errors: str) -> list[tuple[int, dict[str, Any]]]:
    return [(line["line"], line["problem"]) for line in map(json.loads, errors.splitlines())]


@pytest.mark.parametrize(("first", "then"), [(GENERALLY, BY_COLUMN), (BY_COLUMN, GENERALLY)])
def test_what_was_stored_one_way_is_known_the_other_way(
    take: Take, readily: list[bool], go: Callable[[str], None], tmp_path: Path, first: str, then: str
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 6)])
    go(first)
    summary, _, _ = take(path)
    assert (summary.stored, summary.stored_before) == (CHUNK * 6, 0)
    assert readily == ([] if first == GENERALLY else [True] * 6)
    go(then)
    summary, errors, _ = take(path)
    assert (summary.stored, summary.stored_before, errors) == (0, CHUNK * 6, "")


def test_an_import_of_what_is_known_tries_once_and_complains_of_nothing(
    take: Take, readily: list[bool], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 4)])
    take(path)
    readily.clear()
    assert take(path)[0].stored_before == CHUNK * 4
    assert readily == [False]
    assert caplog.records == []


def test_records_that_were_made_ready_while_another_stored_them_are_known(
    take: Take, readily: list[bool], tmp_path: Path
) -> None:
    lines = [record() for _ in range(CHUNK * 10)]
    path, some = ndjson(tmp_path / "all.ndjson", *lines), ndjson(tmp_path / "some.ndjson", *lines[8 * CHUNK + 7 :][:10])

    def meanwhile(now: Summary) -> None:
        if now.read == 5 * CHUNK:  # the eighth run is not begun, the seventh under way at most
            assert take(some)[0].stored == 10

    summary, errors, _ = take(path, meanwhile)
    assert (summary.stored, summary.stored_before, errors) == (CHUNK * 10 - 10, 10, "")
    assert readily.count(False) == 1


def test_an_import_that_is_stopped_keeps_what_it_told_of_and_goes_on_from_there(
    take: Take, readily: list[bool], tmp_path: Path
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 8)])

    def stop(now: Summary) -> None:
        if now.read == 5 * CHUNK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(path, stop)
    assert readily == [True] * 6, "what was under way is ended"
    summary, errors, _ = take(path)
    assert (summary.stored, summary.stored_before, errors) == (CHUNK * 2, CHUNK * 6, "")


@pytest.mark.parametrize("fault", ["a line again", "a key again", "both in each run", "a bad line"])
def test_runs_that_are_stored_two_at_a_time_end_as_if_each_had_waited_for_the_one_before(
    take: Take, counter: Counter, readily: list[bool], go: Callable[[str], None], tmp_path: Path, fault: str
) -> None:
    ends, one = [], partial(record, enterprise_uscc="91320115MA1LYJ6P8N")
    for prefix, way in ((f"先后{len(fault)}-", GENERALLY), (f"两个{len(fault)}-", BY_COLUMN)):
        go(way)
        lines: list[Body | str] = [one(external_id=f"{prefix}{number}") for number in range(CHUNK * 6)]
        for run in range(1, 6):
            last, first = lines[run * CHUNK - 1], run * CHUNK
            assert isinstance(last, dict)
            if fault in {"a line again", "both in each run"} and (run == 2 or fault == "both in each run"):
                lines[first] = last
            if fault in {"a key again", "both in each run"} and (run == 2 or fault == "both in each run"):
                lines[first + 1] = one(external_id=f"{prefix}{run}meets", keys=last["keys"])
            if fault == "a bad line" and run % 2:
                lines[first] = "{"
        summary, errors, met = take(ndjson(tmp_path / f"{prefix}.ndjson", *lines))
        rows = counter.rows(ROWS, f"{prefix}%")
        ends.append((summary, _codes(errors), met, [tuple(row) for row in rows]))
    assert ends[0] == ends[1]
    summary = ends[1][0]
    assert summary.read == CHUNK * 6
    assert (summary.stored_before, summary.colliding, summary.refused) == {
        "a line again": (1, 0, 0), "a key again": (0, 1, 0), "both in each run": (5, 5, 0), "a bad line": (0, 0, 3),
    }[fault]  # fmt: skip
    assert True in readily
    assert (False in readily) == (fault in {"a line again", "a key again"}), "the database refuses what is known"
