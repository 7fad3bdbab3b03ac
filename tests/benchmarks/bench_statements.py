"""A bank's statement of a whole batch, read and booked, beside a bare parse of the same file in the same run.

    python -m tests.benchmarks.bench_statements [--count 20000] [--xlsx]

The file is a camt.053 with one entry for each instruction of an instructed batch, or a workbook with a row for each.
The baseline is a bare lxml ``iterparse`` over the camt.053 that looks at nothing. Memory is that of this process while
the file is imported, above what it held before, at a tenth of the claims and at all of them. No figure is printed
unless every line matched, the sums are those of the batch and the ledger, and the batch is settled.
"""

import sys
import tempfile
import time
from base64 import b32encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from lxml import etree
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from clearing.embedded import Addresses, EmbeddedServers
from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import camt053, entries_of
from settlement.statements.line import Owner
from settlement.statements.reading import format_of, read_lines
from settlement.statements.reconciliation import import_statement
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tests.benchmarks.baselines import machine, no_figure, options
from tests.benchmarks.bench_batch import DEBTOR, OFFICE, OVER, Desk, approve, growing, prepared, run_batch
from tests.benchmarks.bench_verify import MEBIBYTE

_PAID: Final = (
    "select i.id, i.amount_fen, i.batch_id, o.account_name, o.claim_no from instruction i "
    "join obligation o on o.tenant = i.tenant and o.id = i.payee_claim_id "
    "join batch b on b.tenant = i.tenant and b.id = i.batch_id "
    "where b.instructed_at is not null and b.settled_at is null order by i.line"
)
_MATCHED: Final = (
    "select (select count(*) from bank_line where statement_id = %(statement)s and line_class = 'matched' "
    "and outcome = 'paid'), (select sum(amount_fen) from instruction_outcome where statement_id = %(statement)s)"
    "::bigint, (select sum(t.amount_fen) from ledger_transfer t join obligation o on o.id = t.subject_id "
    "where o.batch_id = b.id and t.credit like 'paid/%%')::bigint, b.state, b.item_count, b.total_fen "
    "from batch b where b.id = %(batch)s"
)
HEADINGS: Final = ("附言", "转账金额", "收款账号", "收款户名", "状态", "交易日期", "流水号")


def statement_of(desk: Desk, folder: Path, *, workbook: bool) -> tuple[str, Path, Path]:
    """Write the statement of the batch that no bank has told of yet: its id, the camt.053, and the file to import."""
    rows = desk.do(lambda c: list(c.exec_driver_sql(_PAID)), OVER)
    payments = [
        Payment(
            "B", b32encode(row.id.bytes).decode().rstrip("="), row.account_name,
            f"62220210{int(row.claim_no.rpartition('-')[2]):011d}", Money(row.amount_fen), "paid",
        )
        for row in rows
    ]  # fmt: skip
    camt = folder / "statement.xml"
    camt.write_bytes(camt053(DEBTOR.account_number, entries_of(payments), shanghai_day(OVER)))
    if not workbook:
        return str(rows[0].batch_id), camt, camt
    book = folder / "statement.xlsx"
    write_workbook(book, payments)
    return str(rows[0].batch_id), camt, book


def write_workbook(path: Path, payments: Sequence[Payment]) -> None:
    """The bank's table of the payments, a row for each."""
    with Workbook(str(path), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADINGS)
        for row, each in enumerate(payments, start=1):
            texts = (
                each.end_to_end_id, str(each.amount), each.account_number, each.name, "成功",
                shanghai_day(OVER).isoformat(), f"F{row:09d}",
            )  # fmt: skip
            for column, text in enumerate(texts):
                sheet.write_string(row, column, text)


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
    if sum(1 for _ in read_lines(path, format_of(path), owner)) != count:
        no_figure("the reader lost lines")
    return time.perf_counter() - begun


def measured(addresses: Addresses, claims: int, folder: Path, *, workbook: bool) -> None:
    """A statement of a tenth, then one of all; print."""
    server, desk = prepared(addresses)
    lines = []
    for count in (max(claims // 10, 1), claims):
        run_batch(desk, count, approve(desk, server, count))
        lines += booked(desk, folder, count, workbook=workbook)
    sys.stdout.write("\n".join([f"a bank's statement ({machine()})", *lines]) + "\n")
    desk.engine.dispose()


def booked(desk: Desk, folder: Path, count: int, *, workbook: bool) -> list[str]:
    """The statement of the batch that was just instructed, parsed, read and imported; what is printed of it."""
    batch_id, camt, path = statement_of(desk, folder, workbook=workbook)
    alone, ours = bare(camt), read(path, count)
    begun, processor = time.perf_counter(), time.process_time()
    with growing() as memory:
        taken = desk.do(lambda c: import_statement(c, "bench", UUID(batch_id), path, "maker", OVER, OFFICE), OVER)
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    about = {"statement": taken.statement.id, "batch": UUID(batch_id)}
    found, paid, moved, state, items, fen = desk.do(lambda c: c.exec_driver_sql(_MATCHED, about).one(), OVER)
    if (found, items, paid, moved, state) != (count, count, fen, fen, "settled"):
        no_figure(f"{found} of {items} lines matched, wanted {count}; {paid} and {moved} of {fen} fen paid; {state}")
    grown = max(own for _, own in memory) - memory[0][1]
    return [
        f"{count:,} lines, {path.stat().st_size / MEBIBYTE:.0f} MiB of {path.suffix[1:]}",
        f"    bare parse of XML   {count / alone:9,.0f} lines/s",
        f"    read                {count / ours:9,.0f} lines/s, {ours / alone:.1f} × the bare parse",
        (
            f"    imported and booked {count / seconds:9,.0f} lines/s, {seconds / alone:.1f} × the bare parse, "
            f"{processor / count * 1e6:.0f} µs of this process a line, memory + {grown / MEBIBYTE:.0f} MiB"
        ),
    ]


def main() -> None:
    """Run on servers of its own."""
    parser = options(20_000)
    parser.add_argument("--xlsx", action="store_true", help="a workbook, instead of a camt.053")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, EmbeddedServers(Path(name) / "servers") as addresses:
        measured(addresses, given.count, Path(name), workbook=given.xlsx)


if __name__ == "__main__":
    main()
