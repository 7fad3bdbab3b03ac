"""The registry's key is rotated while a file is imported whose records are made ready by the column (I24)."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_bytes
from typing import Any, Final

import pytest
from redis import Redis

from clearing.api.support_records import registered_ready
from clearing.service import Service
from clearing.settings import Settings
from clearing.transfers import importing
from clearing.transfers.importing import Importer, Summary
from clearing.transfers.sources import open_source
from tenants.kernel.clock import SystemClock
from tenants.kernel.secrets import KEY_BYTES, load_secrets, registry_key_path
from tenants.principal import Principal
from tests.blindness.conftest import House
from tests.blindness.test_key_rotation import found, holdings, states
from tests.imports.files import LOCAL, ndjson, record

CHUNK: Final = 100
CHUNKS: Final = 20
BEGUN, RETIRED = 6 * CHUNK, 13 * CHUNK
"""How much is read when the new version begins to be written, and when the older one has ended."""


@pytest.fixture
def service(house: House) -> Iterator[Service]:
    """One that has only the first key so far."""
    settings = Settings(house.addresses.app_url, house.addresses.redis_url, house.secrets, demonstration=True)
    secrets, queue = load_secrets(house.secrets), Redis.from_url(house.addresses.redis_url)
    yield Service(settings, house.counter.app, queue, secrets, house.counter.vault, SystemClock())
    queue.close()


def test_every_record_is_kept_under_the_versions_that_are_written_when_it_is_stored(
    house: House, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def noted(service: Service, caller: Principal, ready: Any, turn: Any = None) -> tuple[int, ...]:
        answers.append((ready.versions, registered_ready(service, caller, ready, turn)))
        return answers[-1][1]

    def rotating(now: Summary) -> None:
        rotation = house.rotation
        if now.read == BEGUN:
            registry_key_path(house.secrets, 2).write_bytes(token_bytes(KEY_BYTES))
            rotation.begin()
        elif now.read == RETIRED:
            list(rotation.fill(2))
            list(rotation.retire(1))

    monkeypatch.setattr(importing, "LINES_AHEAD", CHUNK)
    monkeypatch.setattr(importing, "MOST_LINES_AHEAD", CHUNK)
    monkeypatch.setattr(importing, "registered_ready", noted)
    lines = [record() for _ in range(CHUNK * CHUNKS)]
    path = ndjson(tmp_path / "records.ndjson", *lines)
    with open_source(path, tmp_path / "errors", None, support=True, caller=LOCAL) as source:
        summary = Importer(service, LOCAL).run(source, rotating)
    assert (summary.read, summary.stored, summary.refused) == (CHUNK * CHUNKS, CHUNK * CHUNKS, 0)
    stored = {ready for ready, written in answers if ready == written}
    stale = {(ready, written) for ready, written in answers if ready != written}
    assert stored == {(1,), (1, 2), (2,)}, answers
    assert stale == {((1,), (1, 2)), ((1, 2), (2,))}, answers
    assert states(house) == {1: "retired", 2: "current"}
    assert holdings(house) == {2: CHUNK * CHUNKS}
    with open_source(path, tmp_path / "errors", None, support=True, caller=LOCAL) as source:
        again = Importer(service, LOCAL).run(source, lambda _: None)
    assert (again.stored, again.stored_before) == (0, CHUNK * CHUNKS)
    assert found(house) == []
