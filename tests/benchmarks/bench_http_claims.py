"""P1: single claims over HTTP, the full path, beside pgbench's five-statement claim transaction on the same server.

    python -m tests.benchmarks.bench_http_claims

Eight connections, each claim its own request, two web processes, worker and scheduler running. The baseline runs before
and after, so that a busy machine slows both alike. What was stored is proven first; where it is off there is no figure.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from clearing.demonstration.claims import generate
from clearing.embedded import addresses_of
from tenants.kernel.money import Money, total
from tests.benchmarks.baselines import CLIENTS, Pace, Server, asked, five_statements, machine, no_figure, pace
from tests.benchmarks.http_load import Load, drive, request_bytes
from tests.service.running import DEMO_CLOCK, RunningService, running

CLAIMS: Final = 4_000
WARM_UP: Final = 400
AT_HALF: Final = 1_500
BASELINE_SECONDS: Final = 6
GOAL_RATE: Final = 0.33
GOAL_P99: Final = 10
SEED: Final = 20_240_829
CORES: Final = os.cpu_count() or 1


def requests_of(service: RunningService, count: int) -> list[bytes]:
    """Distinct claims of all platforms, a tenth of them planted duplicates, as whole requests."""
    tokens = {code: service.platform(code).sign_in() for code in ("jssic", "delta", "shanxi-inno")}
    return [
        request_bytes("/v1/claims", tokens[one.platform], json.dumps(one.body, ensure_ascii=False).encode())
        for one in generate(SEED, count)
    ]


def prove(server: Server, loads: list[Load]) -> None:
    """End the run where an answer is no stored claim, or the database holds other claims or another sum."""
    answered = [_claim(answer) for load in loads for answer in load.answers]
    awarded = total(Money.parse(claim["assessment"]["award"]) for claim in answered)
    with server.connect() as connection:
        connection.execute("begin")
        connection.execute("select * from bind_scope('jiangsu,wujiang,qingpu,jiashan,maanshan,shanxi-hainan', null)")
        counted = connection.execute(
            "select count(*), sum(award_fen)::bigint, (select count(*) from assessment), "
            "(select count(distinct h.holder_id) from registry_holding h) from claim"
        ).fetchone()
        connection.execute("rollback")
    live = sum(claim["state"] != "rejected" for claim in answered)
    if counted != (len(answered), awarded.fen, len(answered), live):
        no_figure(f"{len(answered)} claims and {awarded} answered, {live} live; the database says {counted}")


def _claim(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 201 "):
        no_figure(answer[:600].decode())
    claim: dict[str, Any] = json.loads(body)
    return claim


def measured(service: RunningService, server: Server, count: int) -> None:
    """Measure, prove, print."""
    requests = requests_of(service, WARM_UP + count + AT_HALF)
    warm = drive(service.port, requests[:WARM_UP], CLIENTS)
    first = five_statements(server, BASELINE_SECONDS)
    processors = _processor_seconds(service)
    full = drive(service.port, requests[WARM_UP : WARM_UP + count], CLIENTS)
    spent = {name: after - processors[name] for name, after in _processor_seconds(service).items()}
    second = five_statements(server, BASELINE_SECONDS)
    most = pace(full.seconds, full.latencies_ms)
    half = drive(service.port, requests[WARM_UP + count :], CLIENTS, most.per_second / 2)
    bare = (first.per_second + second.per_second) / 2
    bare_half = five_statements(server, BASELINE_SECONDS, bare / 2)
    prove(server, [warm, full, half])
    _print(most, pace(half.seconds, half.latencies_ms), bare, bare_half, full, spent)


def _processor_seconds(service: RunningService) -> dict[str, float]:
    """Processor seconds so far of the service's own processes and of PostgreSQL's."""
    spent = {"service": 0.0, "postgres": 0.0}
    for process in service.children():
        times = process.cpu_times()
        spent["postgres" if "postgres" in process.name() else "service"] += times.user + times.system
    return spent


def _print(most: Pace, half: Pace, bare: float, bare_half: Pace, full: Load, spent: dict[str, float]) -> None:
    ratio, tail = most.per_second / bare, half.p99 / bare_half.p99
    lines = [
        f"P1  single claims over HTTP, {CLIENTS} connections, {most.done} claims ({machine()})",
        f"    {'':28}{'claims/s':>10}{'p50 ms':>10}{'p99 ms':>10}",
        f"    {'service, at most':28}{most.per_second:10.0f}{most.p50:10.1f}{most.p99:10.1f}",
        f"    {'service, half of that':28}{half.per_second:10.0f}{half.p50:10.1f}{half.p99:10.1f}",
        f"    {'pgbench, at most':28}{bare:10.0f}",
        f"    {'pgbench, half of that':28}{bare_half.per_second:10.0f}{bare_half.p50:10.1f}{bare_half.p99:10.1f}",
        f"    rate {ratio:.1%} of pgbench's (goal {GOAL_RATE:.0%}); p99 at half rate {tail:.1f} x (goal {GOAL_P99} x)",
    ]
    each = {"client": full.client_seconds, **spent}
    shares = ", ".join(
        f"{name} {seconds / most.done * 1000:.2f} ms ({seconds / full.seconds / CORES:.0%})"
        for name, seconds in each.items()
    )
    sys.stdout.write("\n".join(lines) + f"\n    processor time a claim (of {CORES} cores): {shares}\n")


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
