"""P11: the whole verification beside one sequential read of the same tables, and its memory at two sizes.

    python -m tests.benchmarks.bench_verify [--count 8000] [--approved 0.5]

The history is made by the service's own use cases: claims of four platforms taken in, a part of them approved, paid out
in batches. What is verified must be sound and whole; where it is not there is no figure. The read is ``COPY`` of every
table to a client that throws the bytes away.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
from sqlalchemy.engine import make_url

from clearing.claims.case import Desk
from clearing.claims.intake import submit
from clearing.claims.review import Decision, Reviewer, review
from clearing.demonstration.claims import GeneratedClaim, generate
from clearing.demonstration_clock import move_forward
from clearing.embedded import Addresses, EmbeddedServers
from clearing.preparation import migrate_schema, prepare
from clearing.service import Service, open_service
from clearing.settings import Settings
from clearing.verification import run
from clearing.workers import deliver_notices, do_job
from connectors.reading import read_submission
from settlement.batches.batch_steps import CutOrder, cut, publish
from settlement.batches.publicity import publicity_terms
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.office import Office
from tenants.credentials import create_client
from tenants.kernel.database import Scope, Work
from tenants.kernel.database import run as in_transaction
from tenants.principal import PLATFORM_SCOPES
from tests.benchmarks.baselines import machine, no_figure, options

GOAL: Final = 10
CHUNK: Final = 500
SEED: Final = 20_241_111
STEP: Final = 2_000
"""Claims made with one seed; the generator's repetitions are within one."""
LOOK_SECONDS: Final = 0.02
MEBIBYTE: Final = 2**20


@dataclass
class Maker:
    """The service in this process, and its clients by platform."""

    service: Service
    tenants: tuple[str, ...]
    clients: dict[str, str]

    def do(self, tenant: str, use_case: Any) -> Any:
        """One use case of one tenant."""
        return in_transaction(self.service.engine, Scope((tenant,)), self.service.machine, use_case)

    def take_in(self, seed: int, count: int) -> None:
        """So many more claims, in chunks of one tenant and platform."""
        claims = sorted(generate(seed, count), key=lambda one: (one.platform, str(one.body["tenant"])))
        for (platform, tenant), group in groupby(claims, key=lambda one: (one.platform, str(one.body["tenant"]))):
            for chunk in _chunks(group):
                for given in chunk:
                    given.body["external_id"] = f"{given.body['external_id']}-{seed}"
                desk = Desk(tenant, platform, self.clients[platform], self.clients[platform], True, True)  # noqa: FBT003
                submissions = [read_submission(given.body) for given in chunk]
                self.do(tenant, lambda work, d=desk, s=submissions: submit(work, self.service.vault, d, s))

    def approve(self, share: float) -> int:
        """Carry that part of the claims in review through all of their stages."""
        done = 0
        for tenant in self.tenants:
            waiting = self.do(tenant, lambda work: list(work.connection.exec_driver_sql(
                "select id, next_stage from claim where state = 'in_review' order by id")))  # fmt: skip
            for claim_id, first in waiting[: int(len(waiting) * share)]:
                stage = first
                while stage is not None:
                    stage = self.do(tenant, lambda work, i=claim_id, s=stage: self._decide(work, i, s))
                done += 1
        return done

    def _decide(self, work: Work, claim_id: Any, stage: str) -> str | None:
        reviewer = Reviewer(f"reviewer of {stage}", f"reviewer of {stage}", demonstration=True)
        return review(
            work, self.service.vault, reviewer, claim_id, Decision(stage, "approve", None, None)
        ).row.next_stage

    def pay(self, at: datetime, over: datetime) -> None:
        """One batch for each tenant that owes anything, up to its files."""
        office = Office(self.service.secrets, demonstration=True)
        batches = []
        for tenant in self.tenants:
            scheme = "provincial" if tenant in {"jiangsu", "shanxi-hainan"} else "delta"
            order = CutOrder(tenant, scheme, "common_use", at)
            batch = self.do(tenant, lambda work, o=order: cut(work.connection, o, "maker", work.at))
            if batch.item_count:
                self.do(tenant, lambda work, b=batch: publish(
                    work.connection, b.tenant, b.id,
                    publicity_terms(work.connection, b, work.at, demonstration=True), "maker", work.at))  # fmt: skip
                batches.append(batch)
        in_transaction(
            self.service.engine, Scope(self.tenants), self.service.machine,
            lambda work: move_forward(work.connection, over, self.service.machine),
        )  # fmt: skip
        for batch in batches:
            self.do(batch.tenant, lambda work, b=batch: seal(
                work.connection, b.tenant, b.id, office, "maker", work.at))  # fmt: skip
            self.do(batch.tenant, lambda work, b=batch: release(
                work.connection, b.tenant, b.id, office, "releaser", work.at))  # fmt: skip
        with self.service.engine.connect() as connection:
            jobs = connection.exec_driver_sql("select id from outbox where done_at is null and kind = 'batch.instruct'")
            waiting = list(jobs.scalars())
        for outbox_id in waiting:
            if not do_job(self.service, outbox_id):
                no_figure("a batch was not instructed")


def _chunks(claims: Iterator[GeneratedClaim]) -> Iterator[list[GeneratedClaim]]:
    while chunk := list(islice(claims, CHUNK)):
        yield chunk


def sequential_read(auditor_url: str) -> tuple[float, int]:
    """Seconds and bytes of one ``COPY`` of each table."""
    url = make_url(auditor_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    size, begun = 0, time.perf_counter()
    with psycopg.connect(**given) as connection:
        tables = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
        ).fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f"copy {table} to stdout".encode()) as copy:
                size += sum(len(part) for part in copy)
    return time.perf_counter() - begun, size


def verified(auditor_url: str, folder: Path) -> dict[str, Any]:
    """Seconds, counts and peak memory of a verification in a process of its own; no figure where anything is found."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_verify", "--only", auditor_url, str(folder)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    said: dict[str, Any] = json.loads(answer.stdout)
    if said["code"]:
        no_figure(said["report"][:3000])
    return said


@contextmanager
def growing() -> Iterator[list[int]]:
    """The memory of this process in bytes, looked at every few milliseconds while the block runs."""
    process, ended = psutil.Process(), threading.Event()
    seen = [process.memory_info().rss]

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            seen.append(process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def verify_only(auditor_url: str, folder: Path) -> None:
    """The verification itself, in the process that is measured."""
    out = StringIO()
    with growing() as memory:
        begun = time.perf_counter()
        code = run(auditor_url, folder / "secrets", folder / "checkpoints", as_json=True, out=out)
        seconds = time.perf_counter() - begun
    last = json.loads(out.getvalue().splitlines()[-1])
    said = {
        "code": code,
        "seconds": seconds,
        "grown": max(memory) - memory[0],
        "checked": last["checked"],
        "report": out.getvalue(),
    }
    sys.stdout.write(json.dumps(said if code else said | {"report": ""}))


def measured(addresses: Addresses, folder: Path, claims: int, share: float) -> None:
    """Make a quarter of the history, verify it; make the rest, verify it, read it once; print."""
    migrate_schema(addresses.owner_url)
    settings = Settings(addresses.app_url, addresses.redis_url, folder / "secrets", checkpoints=folder / "checkpoints")
    prepared = prepare(settings, datetime.fromisoformat("2024-09-27T09:00:00+08:00"))
    service = open_service(prepared.settings)
    with service.engine.begin() as connection:
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
        at = service.machine.now()
        clients = {
            platform: create_client(connection, platform, tenants, PLATFORM_SCOPES, None, at).client_id
            for platform in ("jssic", "delta", "shanxi-inno")
        }
    maker = Maker(service, tenants, clients)
    made, step = 0, min(STEP, -(-claims // 4))
    small: dict[str, Any] = {}
    while made < claims:
        maker.take_in(SEED + made, min(step, claims - made))
        made += min(step, claims - made)
        if not small and made * 4 >= claims:
            deliver_notices(service)
            small = verified(addresses.auditor_url, folder)
    approved = maker.approve(share)
    maker.pay(datetime.fromisoformat("2024-09-27T10:00:00+08:00"), datetime.fromisoformat("2024-10-11T09:00:00+08:00"))
    deliver_notices(service)
    whole = verified(addresses.auditor_url, folder)
    seconds, size = sequential_read(addresses.auditor_url)
    ratio, count = whole["seconds"] / seconds, whole["checked"]["claims"]
    lines = [
        f"P11 whole verification of {count:,} claims, {approved:,} of them paid ({machine()})",
        f"    sequential read   {seconds:8.2f} s, {size / MEBIBYTE:,.0f} MiB",
        f"    verification      {whole['seconds']:8.2f} s, {count / whole['seconds']:,.0f} claims/s",
        f"    {ratio:.1f} × the read (goal {GOAL} ×)",
        f"    memory at {small['checked']['claims']:,} claims + {small['grown'] / MEBIBYTE:.0f} MiB",
        f"    memory at {count:,} claims + {whole['grown'] / MEBIBYTE:.0f} MiB",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    service.engine.dispose()


def main() -> None:
    """Run on servers of its own."""
    parser = options(8_000)
    parser.add_argument("--approved", type=float, default=0.5)
    parser.add_argument("--only", nargs=2, metavar=("URL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        verify_only(given.only[0], Path(given.only[1]))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedServers(Path(name)) as addresses:
        measured(addresses, Path(name).resolve(), given.count, given.approved)


if __name__ == "__main__":
    main()
