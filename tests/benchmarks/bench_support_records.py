"""P3: support records in bulk, the full path, beside `COPY` and a sorted unique insert of the same rows.

    python -m tests.benchmarks.bench_support_records [--count RECORDS]

A file of NDJSON is imported as the command line does it. The baseline copies the stored records into a table with the
same two unique indexes, and inserts their registry keys sorted. A second baseline copies every row that the import has
stored, of all its tables, each with its primary key alone. What was stored is proven first; the file is then imported
again, which has to change nothing.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import psutil

from clearing.service import Service
from clearing.transfers.importing import Importer, Summary, Told
from clearing.transfers.sources import open_source
from tenants.principal import Principal
from tests.benchmarks.baselines import Cpu, Server, asked, copy_and_keys, machine, no_figure
from tests.benchmarks.every_row import copy_every_row, counts
from tests.benchmarks.prepared_service import prepared_service

RECORDS: Final = 50_000
GOAL: Final = 0.50
GOAL_MEBIBYTES: Final = 256
SEED: Final = 20_241_126
LOOKS_EVERY: Final = 25
"""Transactions between two looks at the memory."""
TENANT: Final = "wujiang"
CALLER: Final = Principal("bench", "bench", "wujiang-local", (TENANT,), frozenset({"support:write"}))


def write_file(path: Path, prefix: str, records: int) -> None:
    """So many records, each over an invoice of its own."""
    rng = Random(f"{SEED} {prefix}")
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            key = {"kind": "invoice", "value": str(rng.randrange(10**19, 10**20)), "amount": f"{number % 9000 + 1}.00"}
            record = {
                "platform": "wujiang-local", "external_id": f"{prefix}{number}", "tenant": "wujiang",
                "enterprise_uscc": "91320115MA1LYJ6P8N", "keys": [key], "supported_on": "2024-06-03",
            }  # fmt: skip
            file.write(json.dumps(record) + "\n")


def imported(service: Service, path: Path, told: Told) -> tuple[float, Summary]:
    """Seconds of one import of the file, and its counts."""
    begun = time.perf_counter()
    with open_source(path, path.with_suffix(".errors"), None, support=True, caller=CALLER) as source:
        summary = Importer(service, CALLER).run(source, told)
    return time.perf_counter() - begun, summary


class Memory:
    """What this process holds, looked at now and then."""

    def __init__(self) -> None:
        self._process, self._looks = psutil.Process(), count()
        self.idle = self.most = self._process.memory_info().rss

    def look(self, _: Summary) -> None:
        """Note the most; a look takes too long to be had after every transaction."""
        if next(self._looks) % LOOKS_EVERY == LOOKS_EVERY - 1:
            self.most = max(self.most, self._process.memory_info().rss)


@dataclass(frozen=True)
class Run:
    """One import: its counts, what it cost, and by how many MiB the process grew."""

    seconds: float
    summary: Summary
    spent: str
    grown: float

    @classmethod
    def of(cls, service: Service, server: Server, path: Path, records: int) -> "Run":
        """Import the file."""
        before = Cpu.now(server)
        memory = Memory()
        seconds, summary = imported(service, path, memory.look)
        spent = Cpu.now(server).since(before, records)
        return cls(seconds, summary, spent, (memory.most - memory.idle) / 2**20)

    def said(self, what: str) -> str:
        """A line of the report."""
        return (
            f"    {what:24} {self.summary.read / self.seconds:8.0f} records/s, {self.spent}, {self.grown:.0f} MiB more"
        )


def baseline(server: Server, records: int) -> float:
    """Seconds of the baseline over what is stored; no figure where that is not all."""
    with server.connect() as connection, connection.transaction():
        connection.execute("select * from bind_scope('wujiang', null)")
        rows = connection.execute(
            "select id, platform, external_id, content_mac::text || supported_on || keys || client_id "
            "from support_record where external_id like 'C%' order by id"
        ).fetchall()
        keys = connection.execute(
            "select h.digest, h.holder_id from registry_holding h join support_record s on s.id = h.holder_id "
            "where s.external_id like 'C%' order by h.holder_id"
        ).fetchall()
    if (len(rows), len(keys)) != (records, records):
        no_figure(f"{len(rows)} records and {len(keys)} keys stored of {records}")
    return copy_and_keys(server, rows, keys)


def sizes(server: Server) -> Iterator[str]:
    """What the registry weighs, by the key."""
    with server.connect() as connection:
        keys = connection.execute("select count(*) from registry_key").fetchone()
        for table in ("registry_key", "registry_holding"):
            size = connection.execute("select pg_total_relation_size(%s::regclass)", (table,)).fetchone()
            if keys is not None and size is not None:
                yield f"{table} {size[0] / keys[0]:.0f} bytes a key"


def measured(service: Service, server: Server, folder: Path, records: int) -> None:
    """Measure, prove, print."""
    path = folder / "records.ndjson"
    write_file(path, "C", records)
    stored_before = counts(server, TENANT)
    first = Run.of(service, server, path, records)
    again = Run.of(service, server, path, records)
    for run, wanted in ((first, (records, 0, 0)), (again, (0, records, 0))):
        counted = run.summary.stored, run.summary.stored_before, run.summary.refused + run.summary.colliding
        if counted != wanted:
            no_figure(f"{counted} stored, known and refused, of {records}")
    before = Cpu.now(server)
    bare = baseline(server, records)
    spent_bare = Cpu.now(server).since(before, records)
    whole, of_tables = copy_every_row(server, TENANT, stored_before)
    rows_each = sum(of_tables.values()) / records
    lines = [
        f"P3  support records, {records} from a file ({machine()})",
        first.said("import"),
        again.said("the same file again"),
        f"    COPY + sorted keys       {records / bare:8.0f} records/s, {spent_bare}, with reading the rows",
        f"    COPY of every row        {records / whole:8.0f} records/s, {rows_each:.1f} rows each",
        (
            f"    rate {bare / first.seconds:.1%} of the first's, {whole / first.seconds:.1%} of the second's "
            f"(goal {GOAL:.0%}); memory: goal {GOAL_MEBIBYTES} MiB more at most"
        ),
        f"    registry: {', '.join(sizes(server))}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run on servers of its own."""
    records = asked(RECORDS)
    with prepared_service() as (service, addresses, folder):
        measured(service, Server.of(addresses.owner_url), folder, records)


if __name__ == "__main__":
    os.umask(0o077)
    main()
