"""P3: support records in bulk, the full path, beside `COPY` and a sorted unique insert of the same rows.

    python -m tests.benchmarks.bench_support_records [RECORDS]

A file of NDJSON is imported as the command line does it. The baseline copies the stored records into a table with the
same two unique indexes, and inserts their registry keys sorted. What was stored is proven first; the same file is then
imported again, which has to change nothing.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from clearing.service import Service
from clearing.transfers.importing import Importer, Summary
from clearing.transfers.sources import open_source
from tenants.principal import Principal
from tests.benchmarks.baselines import Cpu, Server, copy_and_keys, machine, no_figure
from tests.benchmarks.prepared_service import prepared_service

RECORDS: Final = 50_000
GOAL: Final = 0.50
GOAL_MEBIBYTES: Final = 256
SEED: Final = 20_241_126
CALLER: Final = Principal("bench", "bench", "wujiang-local", ("wujiang",), frozenset({"support:write"}))


def write_file(path: Path, records: int) -> None:
    """So many records, each over an invoice of its own."""
    rng = Random(SEED)
    with path.open("w", encoding="utf-8") as file:
        for number in range(records):
            key = {"kind": "invoice", "value": str(rng.randrange(10**19, 10**20)), "amount": f"{number % 9000 + 1}.00"}
            record = {
                "platform": "wujiang-local", "external_id": f"B{number}", "tenant": "wujiang",
                "enterprise_uscc": "91320115MA1LYJ6P8N", "keys": [key], "supported_on": "2024-06-03",
            }  # fmt: skip
            file.write(json.dumps(record) + "\n")


def imported(service: Service, path: Path) -> tuple[float, Summary]:
    """Seconds of one import of the file, and its counts."""
    begun = time.perf_counter()
    with open_source(path, path.with_suffix(".errors"), None, support=True, caller=CALLER) as source:
        summary = Importer(service, CALLER).run(source, lambda _: None)
    return time.perf_counter() - begun, summary


def baseline(server: Server, records: int) -> float:
    """Seconds of the baseline over what is stored; no figure where that is not all."""
    with server.connect() as connection, connection.transaction():
        connection.execute("select * from bind_scope('wujiang', null)")
        rows = connection.execute(
            "select id, platform, external_id, content_mac::text || supported_on || keys || client_id "
            "from support_record order by id"
        ).fetchall()
        keys = connection.execute("select digest, holder_id from registry_holding order by holder_id").fetchall()
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


def measured(service: Service, server: Server, path: Path, records: int) -> None:
    """Measure, prove, print."""
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_file(path, records)
    before = Cpu.now(server)
    seconds, tally = imported(service, path)
    spent = Cpu.now(server).since(before, records)
    if (tally.stored, tally.refused, tally.colliding) != (records, 0, 0):
        no_figure(f"{tally.stored} of {records} stored, {tally.refused} refused, {tally.colliding} collide")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle) / 1024
    before = Cpu.now(server)
    again, known = imported(service, path)
    spent_again = Cpu.now(server).since(before, records)
    if (known.stored, known.stored_before) != (0, records):
        no_figure(f"the second time {known.stored} were new")
    before = Cpu.now(server)
    bare = baseline(server, records)
    spent_bare = Cpu.now(server).since(before, records)
    lines = [
        f"P3  support records, {records} from a file ({machine()})",
        f"    import              {records / seconds:10.0f} records/s, {spent} a record",
        f"    the same file again {records / again:10.0f} records/s, {spent_again}, nothing new",
        f"    COPY + sorted keys  {records / bare:10.0f} records/s, {spent_bare}, with reading the rows",
        f"    rate {bare / seconds:.1%} of the baseline's (goal {GOAL:.0%})",
        f"    memory grew by {grown:.0f} MiB (goal P9: {GOAL_MEBIBYTES} at most)",
        f"    registry: {', '.join(sizes(server))}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run on servers of its own."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with prepared_service() as (service, addresses, folder):
        measured(service, Server.of(addresses.owner_url), folder / "records.ndjson", records)


if __name__ == "__main__":
    os.umask(0o077)
    main()
