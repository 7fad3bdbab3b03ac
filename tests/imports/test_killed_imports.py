"""An import that is killed again and again and begun anew ends as if nobody had disturbed it: nothing twice, no gap."""

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from clearing.embedded import Addresses
from clearing.service import Service
from clearing.verification.registry import registry_differences
from clearing.verification.snapshot import open_snapshot
from clearing.verification.support_chunks import chunk_differences
from tenants.kernel.database import Scope, run
from tests.intake.counter import Counter

SEED: Final = 20_241_127
FLAT_KIBIBYTES: Final = 64 * 1024
"""How much more memory the whole file may take than its first tenth."""
MARKS: Final = {"support.changed", "support.missing", "support.foreign", "support.chunk"}


def write_file(path: Path, prefix: str, records: int, service: Service) -> str:
    """Distinct records in the order of their ids, and the digest of what has to stand in the database in the end."""
    rng, expected = Random(SEED + records), hashlib.md5(usedforsecurity=False)
    versions = service.vault.keyring.under((1,))
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            invoice, fen = str(rng.randrange(10**19, 10**20)), 100 * (number % 9000) + 150
            external_id, day = f"{prefix}{number:07d}", f"2024-{number % 12 + 1:02d}-0{number % 9 + 1}"
            record = {
                "platform": "wujiang-local", "external_id": external_id, "tenant": "wujiang",
                "enterprise_uscc": "91320115MA1LYJ6P8N", "supported_on": day,
                "keys": [{"kind": "invoice", "value": invoice, "amount": f"{fen // 100}.{fen % 100:02d}"}],
            }  # fmt: skip
            file.write(json.dumps(record) + "\n")
            digest = versions.digests("invoice", invoice)[0][1].hex()
            expected.update(f"{external_id}|{day}|{fen}|{digest}\n".encode())
    return expected.hexdigest()


STANDS: Final = (
    "select count(*), count(distinct s.id), count(distinct s.chunk_id), sum(k.taken_fen)::bigint, md5(string_agg("
    "s.external_id || '|' || s.supported_on || '|' || h.claimed_fen || '|' || encode(h.digest, 'hex') || E'\\n', '' "
    'order by s.external_id collate "C")) from support_record s join registry_holding h on h.holder_id = s.id '
    "join registry_key k on k.digest = h.digest and k.exclusion_group = h.exclusion_group "
    "where k.total_fen = k.taken_fen and s.external_id like %s"
)


class Importing:
    """One process that imports the file."""

    def __init__(self, servers: Addresses, service: Service, path: Path) -> None:
        folder = str(service.settings.secrets_folder)
        command = [sys.executable, "-m", "tests.imports.importing_process", servers.app_url, servers.redis_url, folder]
        self._process = subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, text=True)

    def progress(self) -> Generator[dict[str, int], None, None]:
        """What it prints, until it ends."""
        assert self._process.stdout is not None
        with self._process.stdout as said:
            yield from map(json.loads, said)

    def killed_behind(self, records: int) -> dict[str, int]:
        """Kill it once it has stored so many in its life, while it is at the next ones: what it last said."""
        with closing(self.progress()) as said:
            last = next(one for one in said if one["stored"] >= records)
            self._process.kill()
        assert self._process.wait() == -signal.SIGKILL
        return last

    def ended(self) -> list[dict[str, int]]:
        """Everything that it said, until its end."""
        said = list(self.progress())
        assert self._process.wait() == 0
        return said


@pytest.mark.parametrize(
    ("records", "kills", "behind"),
    [(80_000, 2, 4_000), pytest.param(1_000_000, 6, 140_000, marks=pytest.mark.long)],
)
def test_a_killed_import_that_is_begun_anew_ends_like_an_undisturbed_one(
    servers: Addresses, service: Service, counter: Counter, tmp_path: Path, records: int, kills: int, behind: int
) -> None:
    prefix, path = f"K{records}-", tmp_path / "records.ndjson"
    expected = write_file(path, prefix, records, service)
    stored = 0
    for _ in range(kills):
        last = Importing(servers, service, path).killed_behind(behind)
        assert last["refused"] == 0
        there = _rows(service, "select count(*) from support_record where external_id like %s", f"{prefix}%")[0][0]
        assert stored + last["stored"] <= there < records  # what it told of is stored, and perhaps a chunk more
        stored = there
    said = Importing(servers, service, path).ended()
    assert (said[-1]["read"], said[-1]["stored"], said[-1]["refused"]) == (records, records - stored, 0)
    [(count, distinct, chunks, fen, digest)] = _rows(service, STANDS, f"{prefix}%")
    assert (count, distinct, digest) == (records, records, expected)
    assert fen == sum(100 * (number % 9000) + 150 for number in range(records))
    _assert_committed(servers, service, prefix, chunks)
    tenth = next(one["peak"] for one in said if one["read"] >= records // 10)
    assert said[-1]["peak"] - tenth < FLAT_KIBIBYTES
    sys.stderr.write(f"{records} records, {kills} kills: peak {said[-1]['peak'] // 1024} MiB\n")


def _rows(service: Service, statement: str, *values: object) -> list[Any]:
    return run(
        service.engine,
        Scope(("wujiang",)),
        service.machine,
        lambda work: [tuple(row) for row in work.connection.exec_driver_sql(statement, values)],
    )


def _assert_committed(servers: Addresses, service: Service, prefix: str, chunks: int) -> None:
    """Each record is in one chunk, each chunk has its entry, and the registry is the sum of what is held."""
    entries = _rows(
        service,
        "select count(*), count(distinct e.subject_id) from audit_entry e where e.subject_id in "
        "(select chunk_id from support_record where external_id like %s)",
        f"{prefix}%",
    )
    assert entries == [(chunks, chunks)]
    with open_snapshot(servers.auditor_url) as snapshot:
        assert [one for one in chunk_differences(snapshot, {}) if one.subject in MARKS] == []
        assert list(registry_differences(snapshot)) == []
