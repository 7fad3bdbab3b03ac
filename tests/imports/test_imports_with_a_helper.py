"""A process that makes records ready beside the import changes how long it takes, and nothing else."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from clearing.api.support_records import registered_ready
from clearing.claims.support_columns import make_ready
from clearing.service import Service
from clearing.transfers import importing
from clearing.transfers.importing import CREW_FROM, Importer, Summary, Told
from clearing.transfers.sources import open_source
from connectors.reading import read_support_record
from tenants.principal import Principal
from tests.imports.files import Body, ndjson, record
from tests.intake.bodies import JIANGSU, WUJIANG, buyer, claim, invoice_number, seller
from tests.intake.counter import Counter

CHUNK: Final = 100
CHUNKS: Final = 12
ALWAYS, NEVER = 0, 2**60
NAMELESS: Final = {"kind": "contract", "value": "KD-1"}
"""A key whose fault is found only when it is made: a contract without its provider."""

Take = Callable[..., tuple[Summary, str, list[int]]]
"""Imports a file: its counts, what is in the file of those refused, and the lines of records that met somebody."""


@pytest.fixture
def readily(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each chunk that was made ready beforehand, whether it was stored as it was."""
    monkeypatch.setattr(importing, "RECORDS_AHEAD", CHUNK)
    seen: list[bool] = []

    def noted(service: Service, caller: Principal, ready: Any) -> tuple[int, ...]:
        written = registered_ready(service, caller, ready)
        seen.append(written == ready.versions)
        return written

    monkeypatch.setattr(importing, "registered_ready", noted)
    return seen


@pytest.fixture
def take(service: Service, caller: Principal) -> Take:
    def run(path: Path, crew_from: int, told: Told = lambda _: None) -> tuple[Summary, str, list[int]]:
        errors, met = path.with_suffix(".errors"), list[int]()
        errors.unlink(missing_ok=True)
        importer = Importer(service, caller, collided=lambda item, _: met.append(item.number), crew_from=crew_from)
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
    lines[9 * CHUNK + 3] = one(
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


def test_a_file_ends_the_same_whether_a_helper_makes_it_ready_or_not(
    take: Take, counter: Counter, readily: list[bool], tmp_path: Path
) -> None:
    ends = []
    for prefix, crew_from in (("无-", NEVER), ("有-", ALWAYS)):
        body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
        counter.submit(body)
        path = ndjson(tmp_path / f"{prefix}.ndjson", *mixed(prefix, body["invoices"][0]["number"]))
        progress: list[int] = []
        summary, errors, met = take(path, crew_from, lambda now, said=progress: said.append(now.read))
        rows = counter.rows(ROWS, f"{prefix}%")
        ends.append((summary, _codes(errors), met, progress, [tuple(row) for row in rows]))
    without, with_helper = ends
    assert with_helper == without
    assert without[0].refused >= 6
    assert without[0].colliding >= 1
    assert readily.count(True) >= 3
    assert readily.count(False) >= 1


def _codes(errors: str) -> list[tuple[int, dict[str, Any]]]:
    return [(line["line"], line["problem"]) for line in map(json.loads, errors.splitlines())]


@pytest.mark.parametrize(("first", "then"), [(ALWAYS, NEVER), (NEVER, ALWAYS)])
def test_what_was_stored_one_way_is_known_the_other_way(
    take: Take, readily: list[bool], tmp_path: Path, first: int, then: int
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 6)])
    summary, _, _ = take(path, first)
    assert (summary.stored, summary.stored_before) == (CHUNK * 6, 0)
    assert any(readily) == (first == ALWAYS)
    summary, errors, _ = take(path, then)
    assert (summary.stored, summary.stored_before, errors) == (0, CHUNK * 6, "")


def test_records_that_were_made_ready_while_another_stored_them_are_known(
    take: Take, readily: list[bool], tmp_path: Path
) -> None:
    lines = [record() for _ in range(CHUNK * 10)]
    path, some = ndjson(tmp_path / "all.ndjson", *lines), ndjson(tmp_path / "some.ndjson", *lines[8 * CHUNK + 7 :][:30])

    def meanwhile(now: Summary) -> None:
        if now.read == 6 * CHUNK:
            assert take(some, NEVER)[0].stored == 30

    summary, errors, _ = take(path, ALWAYS, meanwhile)
    assert (summary.stored, summary.stored_before, errors) == (CHUNK * 10 - 30, 30, "")
    assert readily.count(False) == 1


Helpers = Callable[[], list[psutil.Process]]


@pytest.fixture
def helpers() -> Helpers:
    """The processes beside this one that were not there before the test: other tests have some of their own."""
    before = {child.pid for child in psutil.Process().children()}

    def now() -> list[psutil.Process]:
        found = [child for child in psutil.Process().children() if child.pid not in before]
        return [child for child in found if "spawn_main" in " ".join(child.cmdline())]

    return now


def test_an_import_whose_helper_is_killed_goes_on_alone(
    take: Take, counter: Counter, readily: list[bool], helpers: Helpers, tmp_path: Path
) -> None:
    lines = [record() for _ in range(CHUNK * 12)]
    path = ndjson(tmp_path / "records.ndjson", *lines)

    def killing(now: Summary) -> None:
        if now.read == 6 * CHUNK:
            [helper] = helpers()
            helper.kill()

    summary, errors, _ = take(path, ALWAYS, killing)
    assert (summary.read, summary.stored, errors) == (CHUNK * 12, CHUNK * 12, "")
    assert 0 < readily.count(True) < 9
    ids = [one["external_id"] for one in lines]
    assert counter.rows("select count(*) from support_record where external_id = any(%s)", ids)[0][0] == CHUNK * 12
    assert helpers() == []


def test_an_import_that_ends_early_leaves_no_helper(
    take: Take, readily: list[bool], helpers: Helpers, tmp_path: Path
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 8)])

    def stop(now: Summary) -> None:
        if now.read == 5 * CHUNK:
            assert len(helpers()) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(path, ALWAYS, stop)
    assert readily
    assert helpers() == []
    assert take(path, NEVER)[0].stored_before == CHUNK * 5


def test_a_small_file_has_no_helper(take: Take, readily: list[bool], helpers: Helpers, tmp_path: Path) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 5)])
    seen: list[int] = []
    take(path, CREW_FROM, lambda _: seen.append(len(helpers())))
    assert seen
    assert (set(seen), readily) == ({0}, [])


def test_neither_keys_nor_numbers_are_seen_in_what_starts_the_helper(
    service: Service, take: Take, readily: list[bool], helpers: Helpers, tmp_path: Path
) -> None:
    path = ndjson(tmp_path / "records.ndjson", *[record() for _ in range(CHUNK * 6)])
    key, said = service.vault.keyring.secret(1), list[str]()

    def look(now: Summary) -> None:
        if now.read == 5 * CHUNK:
            [helper] = helpers()
            said.append(" ".join(helper.cmdline()) + repr(helper.environ()))

    take(path, ALWAYS, look)
    assert readily
    [told] = said
    assert key.hex() not in told
    assert repr(key)[2:-1] not in told


def test_records_that_are_few_or_meet_one_another_or_are_faulty_are_not_made_ready(service: Service) -> None:
    keyring = service.vault.keyring
    good = [record() for _ in range(30)]

    def ready(*bodies: Body) -> bool:
        return make_ready(keyring, (1,), [read_support_record(body) for body in bodies]) is not None

    assert ready(*good)
    assert not ready(*good[:5])
    assert not ready(*good, good[0])
    assert not ready(*good, record(keys=good[0]["keys"]))
    assert not ready(*good, record(keys=[NAMELESS]))
    assert not ready(*good, record(tenant="jiangsu"))
    assert not ready(*good, record(platform="jssic"))
