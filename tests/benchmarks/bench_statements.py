"""A bank's statement of a whole batch, read and booked, beside a bare parse of the same file in the same run.

    python -m tests.benchmarks.bench_statements [--claims 20000]

The file is a camt.053 with one entry for each instruction of an instructed batch. The baseline is a bare lxml
``iterparse`` over it that looks at nothing. Memory is that of this process while the file is imported, above what it
held before, at a tenth of the claims and at all of them. No figure is printed unless every line matched.
"""

import argparse
import sys
import tempfile
import time
from base64 import b32encode
from pathlib import Path
from typing import Final
from uuid import UUID

from lxml import etree

from clearing.embedded import Addresses, EmbeddedServers
from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.statements.line import Owner
from settlement.statements.reading import CAMT053, read_lines
from settlement.statements.reconciliation import import_statement
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tests.benchmarks.baselines import machine, no_figure
from tests.benchmarks.bench_batch import DEBTOR, OFFICE, OVER, Desk, approve, growing, prepared, run_batch
from tests.benchmarks.bench_verify import MEBIBYTE

_PAID: Final = (
    "select i.id, i.amount_fen, i.batch_id, o.account_name, o.claim_no from instruction i "
    "join obligation o on o.tenant = i.tenant and o.id = i.payee_claim_id "
    "join batch b on b.tenant = i.tenant and b.id = i.batch_id "
    "where b.instructed_at is not null and b.settled_at is null order by i.line"
)
_MATCHED: Final = (
    "select count(*) from bank_line where statement_id = %s and line_class = 'matched' and outcome = 'paid'"
)


def statement_of(desk: Desk, path: Path) -> tuple[str, int]:
    """Write the statement of the batch that no bank has told of yet; its id, and how many entries."""
    rows = desk.do(lambda c: list(c.exec_driver_sql(_PAID)), OVER)
    payments = [
        Payment(
            "B", b32encode(row.id.bytes).decode().rstrip("="), row.account_name,
            f"62220210{int(row.claim_no.rpartition('-')[2]):011d}", Money(row.amount_fen), "paid",
        )
        for row in rows
    ]  # fmt: skip
    path.write_bytes(camt053(DEBTOR.account_number, entries_of(payments), shanghai_day(OVER)))
    return str(rows[0].batch_id), len(rows)


def bare(path: Path) -> float:
    """Seconds of a parser that looks at nothing."""
    begun, count = time.perf_counter(), 0
    for _, element in etree.iterparse(path, events=("end",), tag="{*}Ntry"):
        count += 1
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    if not count:
        no_figure("the bare parser found nothing")
    return time.perf_counter() - begun


def read(path: Path, count: int) -> float:
    """Seconds of our reader alone."""
    begun = time.perf_counter()
    owner = Owner(DEBTOR.account_number, lambda _: True)
    if sum(1 for _ in read_lines(path, CAMT053, owner)) != count:
        no_figure("the reader lost lines")
    return time.perf_counter() - begun


def measured(addresses: Addresses, claims: int, folder: Path) -> None:
    """A statement of a tenth, then one of all; print."""
    server, desk = prepared(addresses)
    lines = []
    for count in (max(claims // 10, 1), claims):
        run_batch(desk, count, approve(desk, server, count))
        lines += booked(desk, folder / "statement.xml", count)
    sys.stdout.write("\n".join([f"a bank's statement ({machine()})", *lines]) + "\n")
    desk.engine.dispose()


def booked(desk: Desk, path: Path, count: int) -> list[str]:
    """The statement of the batch that was just instructed, parsed, read and imported; what is printed of it."""
    batch_id, entries = statement_of(desk, path)
    alone, ours = bare(path), read(path, entries)
    begun = time.perf_counter()
    with growing() as memory:
        taken = desk.do(lambda c: import_statement(c, "bench", UUID(batch_id), path, "maker", OVER, OFFICE), OVER)
    seconds = time.perf_counter() - begun
    found = desk.do(lambda c: c.exec_driver_sql(_MATCHED, (taken.statement.id,)).scalar_one(), OVER)
    if (found, entries) != (count, count):
        no_figure(f"{found} of {entries} lines matched, wanted {count}")
    grown = max(own for _, own in memory) - memory[0][1]
    return [
        f"{count:,} entries, {path.stat().st_size / MEBIBYTE:.0f} MiB",
        f"    bare parse          {count / alone:9,.0f} lines/s",
        f"    read                {count / ours:9,.0f} lines/s, {ours / alone:.1f} × the bare parse",
        (
            f"    imported and booked {count / seconds:9,.0f} lines/s, {seconds / alone:.1f} × the bare parse, "
            f"memory + {grown / MEBIBYTE:.0f} MiB"
        ),
    ]


def main() -> None:
    """Run on servers of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedServers(Path(name) / "servers") as addresses:
        measured(addresses, given.claims, Path(name))


if __name__ == "__main__":
    main()
