"""P2: claims in bulk over HTTP, the full path, beside `COPY` and a sorted unique insert of the same rows.

    python -m tests.benchmarks.bench_bulk_claims

Two connections, each body a chunk of NDJSON under 8 MiB. The baseline copies one row a claim, with all that the service
has stored of it (submission, facts and result of its assessment), into a table with the same two unique indexes and no
row-level security, and inserts the registry keys sorted. What was stored is proven first; where it is off there is no
figure. A second baseline copies every row that the service has stored, of all its tables, each with its primary key
alone. A third is the first without the assessments, four fifths of the bytes: no longer the same rows, but the
hardest to stand beside.
"""

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psutil

from clearing.demonstration.claims import GeneratedClaim, generate
from clearing.embedded import addresses_of
from tenants.kernel.money import Money, total
from tests.benchmarks.baselines import Cpu, Rows, Server, asked, copy_and_keys, machine, no_figure
from tests.benchmarks.every_row import copy_every_row, counts
from tests.service.running import DEMO_CLOCK, RunningService, running

CLAIMS: Final = 12_000
CHUNK: Final = 1_500
WARM_UP: Final = 500
CONNECTIONS: Final = 2
GOAL: Final = 0.20
GOAL_MEBIBYTES: Final = 256
SEED: Final = 20_240_830
TENANTS: Final = "jiangsu,wujiang,qingpu,jiashan,maanshan,shanxi-hainan"

Chunk = tuple[str, bytes, int]
"""Platform, NDJSON, claims in it."""


def chunks_of(claims: Sequence[GeneratedClaim], size: int) -> list[Chunk]:
    """The claims as their platforms would send them: each its own, in their order, in chunks."""
    by_platform: dict[str, list[bytes]] = {}
    for one in claims:
        by_platform.setdefault(one.platform, []).append(json.dumps(one.body, ensure_ascii=False).encode())
    return [
        (platform, b"\n".join(lines[start : start + size]) + b"\n", len(lines[start : start + size]))
        for platform, lines in by_platform.items()
        for start in range(0, len(lines), size)
    ]


def send(port: int, token: str, chunk: Chunk) -> bytes:
    """Send one chunk over a connection of its own, and answer what came back."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    connection.request("POST", "/v1/claims/bulk", chunk[1], headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        no_figure(body[:600].decode())
    return body


def send_all(port: int, tokens: dict[str, str], chunks: Sequence[Chunk]) -> tuple[float, list[dict[str, Any]]]:
    """Seconds until the last answer, and every line's answer."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        bodies = list(threads.map(lambda chunk: send(port, tokens[chunk[0]], chunk), chunks))
    seconds = time.perf_counter() - begun
    return seconds, [json.loads(line) for body in bodies for line in body.splitlines()]


def stored_rows(server: Server, answers: list[dict[str, Any]]) -> tuple[Rows, Rows, Rows]:
    """The claims that the service has stored, whole and without their assessments, and the keys.

    There is no figure where they are not what it answered.
    """
    awarded = total(Money.parse(one["claim"]["assessment"]["award"]) for one in answers)
    with server.connect() as connection, connection.transaction():
        connection.execute("select * from bind_scope(%s, null)", (TENANTS,))
        claims = connection.execute(
            "select c.id, c.platform, c.external_id, r.submission || c.claim_no || c.state || c.award_fen, "
            "a.facts || a.result from claim c join claim_revision r on r.tenant = c.tenant and r.claim_id = c.id "
            "join assessment a on a.tenant = c.tenant and a.claim_id = c.id order by c.id"
        ).fetchall()
        keys = connection.execute("select digest, holder_id from registry_holding order by holder_id").fetchall()
        counted = connection.execute("select count(*), sum(award_fen)::bigint from claim").fetchone()
    if counted != (len(answers), awarded.fen) or len(claims) != len(answers):
        no_figure(f"{len(answers)} claims and {awarded} answered; the database says {counted}")
    return [(*row[:3], row[3] + row[4]) for row in claims], [row[:4] for row in claims], keys


def web_seconds(service: RunningService) -> float:
    """Seconds of processor that the web processes have used."""
    times = [process.cpu_times() for process in service.children("clearing.nursery")]
    return sum(each.user + each.system for each in times)


def peak_mebibytes(service: RunningService) -> float:
    """Memory of the largest web process."""
    return max(process.memory_info().rss for process in service.children("clearing.nursery")) / 2**20


def measured(service: RunningService, server: Server, count: int) -> None:
    """Measure, prove, print."""
    tokens = {code: service.platform(code).sign_in() for code in ("jssic", "delta", "shanxi-inno")}
    claims, stored_before = generate(SEED, WARM_UP + count), counts(server, TENANTS)
    _, warm = send_all(service.port, tokens, chunks_of(claims[:WARM_UP], CHUNK))
    idle = peak_mebibytes(service)
    chunks = chunks_of(claims[WARM_UP:], CHUNK)
    before, web, postgres = psutil.Process().cpu_times(), web_seconds(service), Cpu.now(server).server
    seconds, answers = send_all(service.port, tokens, chunks)
    after = psutil.Process().cpu_times()
    used = [
        (now - then) / len(answers) for now, then in ((web_seconds(service), web), (Cpu.now(server).server, postgres))
    ]
    grown = peak_mebibytes(service) - idle
    if {one["status"] for one in answers} != {201}:
        no_figure(f"not every line was stored: {[one for one in answers if one['status'] != 201][:1]}")
    rows, without, keys = stored_rows(server, warm + answers)
    bare = copy_and_keys(server, rows, keys) * len(answers) / len(rows)
    light = copy_and_keys(server, without, keys) * len(answers) / len(rows)
    whole, of_tables = copy_every_row(server, TENANTS, stored_before)
    whole, rows_each = whole * len(answers) / len(rows), sum(of_tables.values()) / len(rows)
    cores = os.cpu_count() or 1
    client = (after.user + after.system - before.user - before.system) / seconds / cores
    lines = [
        f"P2  bulk claims, {len(answers)} in {len(chunks)} chunks on {CONNECTIONS} connections ({machine()})",
        f"    service             {len(answers) / seconds:10.0f} claims/s",
        f"    COPY + sorted keys  {len(answers) / bare:10.0f} claims/s ({len(keys) / len(rows):.1f} keys a claim)",
        f"    COPY of every row   {len(answers) / whole:10.0f} claims/s ({rows_each:.1f} rows each)",
        f"    no assessments      {len(answers) / light:10.0f} claims/s",
        (
            f"    rate {bare / seconds:.1%} of the first's, {whole / seconds:.1%} of the second's (goal {GOAL:.0%}), "
            f"{light / seconds:.1%} of the third's; client {client:.0%} of {cores} cores"
        ),
        (
            f"    processor time a claim: web {used[0] * 1e6:.0f} µs, postgres {used[1] * 1e6:.0f} µs; "
            f"{sum(used) * len(answers) / seconds:.2f} of {cores} cores at work"
        ),
        f"    largest process grew by {grown:.0f} MiB (goal P9: {GOAL_MEBIBYTES} at most)",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def main() -> None:
    """Run on a service of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running(Path(folder, "data"), "--demo-clock", DEMO_CLOCK) as service,
    ):
        addresses = addresses_of(service.data_dir)
        if addresses is None:
            no_figure("the service does not run")
        measured(service, Server.of(addresses.owner_url), asked(CLAIMS))


if __name__ == "__main__":
    main()
