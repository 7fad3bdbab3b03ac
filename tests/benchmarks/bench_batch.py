"""P6, P9: a batch cut, sealed, released and instructed on the real database, beside the bare append-only SQL.

    python -m tests.benchmarks.bench_batch [--count 20000]

On servers of its own. The approved claims come into being by ``COPY`` and one statement, each with a payee and a sealed
account number of its own. The baseline of P6 is the bare append-only SQL over the same rows: items with their unique
claim, and one ledger row for each. What is instructed is the whole: signed line by line, every file written, verified
offline and stored, with its drafts on the way. Memory is that of this process and its crew, above what they held before
the batch, at a tenth of the claims and at all of them: all that is resident, and of it what is its own, without the
pages of the files that it maps to sign them.
No figure is printed unless counts and totals are right at every step.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
from sqlalchemy import Connection, Engine

from clearing.embedded import Addresses, EmbeddedServers
from clearing.preparation import migrate_schema
from settlement import ledger
from settlement.batches import batch_steps
from settlement.batches.batch import Batch
from settlement.batches.batch_steps import CutOrder
from settlement.batches.delivery import instruct
from settlement.batches.obligation import account_place
from settlement.batches.publicity import PublicityTerms
from settlement.batches.release import release
from settlement.batches.seal import seal
from settlement.office import Office
from settlement.payouts.instruction import Account
from settlement.payouts.payout_account import set_payout_account
from tenants.kernel.canonical import sha256
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, open_engine, transaction
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.secrets import Secrets
from tenants.kernel.workdays import official_calendar
from tests.benchmarks.baselines import Server, asked, bare_schema, machine, no_figure
from tests.benchmarks.bench_verify import LOOK_SECONDS, MEBIBYTE

T = TypeVar("T")

GOAL: Final = 3
SCHEME: Final = "provincial"
YEAR: Final = 2024
APPROVED: Final = datetime(2024, 9, 20, 1, tzinfo=UTC)
PUBLISHED: Final = datetime(2024, 9, 27, 1, tzinfo=UTC)
OVER: Final = datetime(2024, 10, 11, 1, tzinfo=UTC)
OFFICE: Final = Office(Secrets(bytes(range(32)), ((1, bytes(32)),)), demonstration=True)
DEBTOR: Final = Account("测试财政专户", "3200001234567890", "国家金库测试支库", "102301000017")
BANK: Final = "中国工商银行股份有限公司南京鼓楼支行"

TENANT: Final = """
insert into tenant (tenant, code, name_zh, name_en, divisions, created_at)
values ('bench', 'BENCH', '测试省', 'Test Province', '{}', now());
insert into audit_head (tenant, seq, hash, at) values ('bench', 0, decode(repeat('00', 32), 'hex'), '2024-01-01Z')
"""
_OBLIGATIONS: Final = """
insert into obligation (tenant, id, claim_no, platform, scheme, mode, quota_year, enterprise_name, provider_name,
                        provider_uscc, payee_name, account_name, account_sealed, payee_digest, bank_name, cnaps,
                        amount_fen, approved_at)
select 'bench', id, 'CL-BENCH-2024-' || lpad(number::text, 7, '0'), 'jssic', %s, 'common_use', 2024, name, '测试大学',
       '12100000400000000A', name, name, sealed, digest, %s, '102301000017', fen, %s
  from made cross join lateral (select '南京紫金仪器检测技术有限公司第' || number || '分公司' as name)
"""
_BARE: Final = """
create schema bare;
create table bare.item (tenant text not null, batch_id uuid not null, line integer not null, claim_id uuid not null,
                        amount_fen bigint not null check (amount_fen > 0), primary key (tenant, batch_id, line),
                        unique (tenant, claim_id));
create table bare.transfer (id uuid primary key default uuidv7(), tenant text not null, debit text not null,
                            credit text not null, amount_fen bigint not null check (amount_fen > 0), claim_id uuid);
"""


@dataclass
class Desk:
    """One tenant's batches; every call is one transaction of the application's role."""

    engine: Engine
    made: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def do(self, use_case: Callable[[Connection], T], at: datetime) -> T:
        """One use case."""
        with transaction(self.engine, Scope(("bench",)), FixedClock(at)) as work:
            return use_case(work.connection)

    def keep(self, use: Callable[[Connection], None]) -> None:
        """What a worker keeps on the way, in a transaction of its own."""
        self.do(use, OVER)

    def timed(self, step: str, use_case: Callable[[Connection], T], at: datetime) -> T:
        """One use case, and how long it took."""
        begun = time.perf_counter()
        done = self.do(use_case, at)
        self.seconds[step] = time.perf_counter() - begun
        sys.stderr.write(f"{step}: {self.seconds[step]:.1f} s\n")
        return done


@contextmanager
def growing() -> Iterator[list[tuple[int, int]]]:
    """The memory of this process in bytes while the block runs: all that is resident, and what is its own."""
    process, ended, seen = psutil.Process(), threading.Event(), []

    def look() -> None:
        sizes = [process.memory_info(), *crew_memory(process)]
        seen.append((sum(now.rss for now in sizes), sum(now.rss - now.shared for now in sizes)))

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            look()

    look()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def crew_memory(process: psutil.Process) -> list[Any]:
    """What the processes that help this one hold; the servers are its children too."""
    found = []
    for child in process.children():
        with suppress(psutil.Error):  # it may have ended
            if "multiprocessing" in " ".join(child.cmdline()):
                found.append(child.memory_info())
    return found


def rows(desk: Desk, count: int) -> Iterator[tuple[Any, ...]]:
    """So many claims more, each with a payee and an account of its own."""
    for number in range(desk.made + 1, desk.made + count + 1):
        claim_id = new_id()
        sealed = OFFICE.sealer.seal(f"62220210{number:011d}", account_place("bench", claim_id))
        yield claim_id, number, sealed, sha256(str(number).encode()), fen_of(number)


def fen_of(number: int) -> int:
    """What the claim of this number gets."""
    return 14_000_000 + number % 1000


def approve(desk: Desk, server: Server, count: int) -> Money:
    """So many approved claims, by one statement; their sum, which is in the ledger as one transfer."""
    begun = time.perf_counter()
    with server.connect() as connection, connection.transaction():
        connection.execute("select * from bind_scope('bench', null)")
        connection.execute("create temp table made (id uuid, number integer, sealed bytea, digest bytea, fen bigint)")
        with connection.cursor().copy("copy made from stdin with (format binary)") as copy:
            copy.set_types(["uuid", "int4", "bytea", "bytea", "int8"])
            for row in rows(desk, count):
                copy.write_row(row)
        connection.execute(_OBLIGATIONS, (SCHEME, BANK, APPROVED))
    total = Money(sum(fen_of(number) for number in range(desk.made + 1, desk.made + count + 1)))
    accounts = (ledger.budget_account(SCHEME, YEAR), ledger.obligations_account(SCHEME, YEAR))

    def award(connection: Connection) -> None:
        ledger.open_accounts(connection, "bench", {accounts[0]: True, accounts[1]: False})
        ledger.append(connection, "bench", [ledger.posted(*accounts, total, "award", new_id())], APPROVED)

    desk.do(award, APPROVED)
    sys.stderr.write(f"{count:,} approved claims made: {time.perf_counter() - begun:.1f} s\n")
    desk.made += count
    return total


def bare(server: Server, count: int, total: Money) -> float:
    """Seconds of the bare SQL over the obligations that are open."""
    with bare_schema(server, _BARE) as connection:
        connection.execute("select * from bind_scope('bench', null)")
        begun = time.perf_counter()
        with connection.transaction():
            connection.execute("select * from bind_scope('bench', null)")
            connection.execute(
                "insert into bare.item select tenant, uuidv7(), row_number() over (order by id), id, amount_fen "
                "from obligation where batch_id is null"
            )
            connection.execute(
                "insert into bare.transfer (tenant, debit, credit, amount_fen, claim_id) "
                "select tenant, 'obligations', 'in_transit', amount_fen, claim_id from bare.item"
            )
        seconds = time.perf_counter() - begun
        counted = connection.execute(
            "select (select count(*) from bare.item), (select sum(amount_fen)::bigint from bare.transfer)"
        ).fetchone()
        if counted != (count, total.fen):
            no_figure(f"the bare tables hold {counted}, wanted {count} and {total.fen}")
    return seconds


def run_batch(desk: Desk, count: int, total: Money) -> None:
    """From the cut to the stored files, each step timed and counted."""
    order = CutOrder("bench", SCHEME, "common_use", PUBLISHED)
    batch = desk.timed("cut", lambda c: batch_steps.cut(c, order, "maker", PUBLISHED), PUBLISHED)
    require(batch, count, total)
    terms = PublicityTerms(5, official_calendar())
    desk.timed("publish", lambda c: batch_steps.publish(c, "bench", batch.id, terms, "maker", PUBLISHED), PUBLISHED)
    require(desk.timed("seal", lambda c: seal(c, "bench", batch.id, OFFICE, "maker", OVER), OVER), count, total)
    desk.timed("release", lambda c: release(c, "bench", batch.id, OFFICE, "releaser", OVER), OVER)
    done = desk.timed("instruct", lambda c: instruct(c, "bench", batch.id, OFFICE, OVER, desk.keep), OVER)
    require(done, count, total)
    sums = "select count(*), sum(amount_fen)::bigint from instruction where batch_id = %s"
    counted = desk.do(lambda c: c.exec_driver_sql(sums, (batch.id,)).one(), OVER)
    if tuple(counted) != (count, total.fen) or done.state != "instructed":
        no_figure(f"instructed {counted}, wanted {count} and {total.fen}")


def require(batch: Batch, count: int, total: Money) -> None:
    """No figure where the batch is not of these claims."""
    if (batch.item_count, batch.total) != (count, total):
        no_figure(f"the batch has {batch.item_count} items and {batch.total}, wanted {count} and {total}")


def prepared(addresses: Addresses) -> tuple[Server, Desk]:
    """A new database with the tenant and its account, and the desk that acts for it."""
    migrate_schema(addresses.owner_url)
    server = Server.of(addresses.owner_url)
    with server.connect() as connection, connection.transaction():
        connection.execute("select * from bind_scope('bench', null)")
        for statement in TENANT.split(";"):
            connection.execute(statement.encode())
    desk = Desk(open_engine(addresses.app_url))
    desk.do(lambda c: set_payout_account(c, "bench", DEBTOR, OFFICE, "admin", APPROVED), APPROVED)
    return server, desk


def measured(addresses: Addresses, claims: int) -> None:
    """A batch of a tenth, then one of all; print."""
    server, desk = prepared(addresses)
    grown, baseline = [], 0.0
    for count in (max(claims // 10, 1), claims):
        total = approve(desk, server, count)
        baseline = bare(server, count, total)
        with growing() as memory:
            run_batch(desk, count, total)
        grown.append((count, *(max(seen) - seen[0] for seen in zip(*memory, strict=True))))
    steps = desk.seconds
    ratio = (steps["cut"] + steps["seal"]) / baseline
    lines = [
        f"a batch of {claims:,} claims ({machine()}); seconds, and microseconds for each claim",
        f"    bare append-only SQL    {baseline:9.2f} {baseline / claims * 1e6:9.1f}",
        *(f"    {name:<23} {steps[name]:9.2f} {steps[name] / claims * 1e6:9.1f}"
          for name in ("cut", "seal", "release", "instruct")),
        f"P6  cut and seal {ratio:.1f} × the bare SQL (goal {GOAL} ×)",
        *(f"P9  memory at {count:,} claims + {size / MEBIBYTE:.0f} MiB, of it its own {own / MEBIBYTE:.0f} MiB "
          "(goal 256 MiB, flat)" for count, size, own in grown),
    ]  # fmt: skip
    sys.stdout.write("\n".join(lines) + "\n")
    desk.engine.dispose()


def main() -> None:
    """Run on servers of its own."""
    count = asked(20_000)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedServers(Path(name)) as addresses:
        measured(addresses, count)


if __name__ == "__main__":
    main()
