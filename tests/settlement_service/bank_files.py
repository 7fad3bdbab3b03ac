"""A batch that was instructed, the bank's answers about it, and what they leave behind."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from settlement.bank.simulator import Books, Payment
from settlement.bank.simulator.answers import (
    camt053,
    camt054,
    csv_table,
    entries_of,
    mt940,
    pain002,
    table_rows,
    xlsx_table,
)
from settlement.batches.batch import Batch
from settlement.batches.batch_files import find_file, read_part
from settlement.statements.reconciliation import Imported, import_statement
from settlement.statements.statement_records import BankLine, list_lines
from tests.settlement_service.bench import DEBTOR, OFFICE, OVER, Bench

DAY = date(2024, 10, 11)
Payments = list[Payment]
Made = Callable[[Payments], bytes]


def _table(payments: Payments) -> list[tuple[str, ...]]:
    return table_rows(DEBTOR.account_number, payments, DAY)


FILES: dict[str, Made] = {
    "pain.002": lambda payments: pain002(payments[0].message_id, payments),
    "camt.053": lambda payments: camt053(DEBTOR.account_number, entries_of(payments), DAY),
    "camt.054": lambda payments: camt054(DEBTOR.account_number, entries_of(payments), DAY),
    "mt940": lambda payments: mt940(DEBTOR.account_number, entries_of(payments), DAY),
    "csv": lambda payments: csv_table(_table(payments)),
    "xlsx": lambda payments: xlsx_table(_table(payments)),
}
"""How the bank writes each format."""


@dataclass
class Desk:
    """The finance desk of one tenant: an instructed batch, and files handed in."""

    bench: Bench
    folder: Path
    batch: Batch
    payments: Payments

    def hand_in(self, content: bytes, at: Any = OVER) -> Imported:
        path = self.folder / "answer"
        path.write_bytes(content)
        tenant, batch_id = self.bench.tenant, self.batch.id
        return self.bench.do(lambda c: import_statement(c, tenant, batch_id, path, "maker-li", at, OFFICE), at)

    def lines(self, imported: Imported) -> list[BankLine]:
        return self.bench.do(lambda c: list_lines(c, imported.statement, None, 0, 1000))

    def classes(self, imported: Imported) -> list[str]:
        return [line.line_class for line in self.lines(imported)]

    def outcomes(self) -> list[tuple[str, int]]:
        rows = self.bench.rows(
            "select outcome, amount_fen from instruction_outcome where tenant = %s order by outcome, amount_fen",
            self.bench.tenant,
        )
        return [tuple(row) for row in rows]

    def balance(self, code: str) -> int:
        """What came to the account less what left it, in fen."""
        [row] = self.bench.rows(
            "select coalesce(sum(case when credit = %s then amount_fen else -amount_fen end), 0)::bigint as fen "
            "from ledger_transfer where tenant = %s and %s in (debit, credit) and kind in ('post', 'posted')",
            code,
            self.bench.tenant,
            code,
        )
        return int(row.fen)

    def year(self, name: str, year: int = 2024) -> int:
        return self.balance(f"{name}/provincial/{year}")

    def with_state(self, state: str, *positions: int) -> Payments:
        return [replace(one, state=state) if at in positions else one for at, one in enumerate(self.payments)]


def open_desk(bench: Bench, folder: Path, *amounts: str, **how: Any) -> Desk:
    batch = bench.instruct(bench.released(*amounts, **how))
    content = bench.do(lambda c: batch_file(c, batch))
    books = Books()
    books.receive(batch.batch_no, content)
    return Desk(bench, folder, batch, books.execute())


def batch_file(connection: Any, batch: Batch, name: str = "pain.001.xml") -> bytes:
    """One file of the batch, its payment file unless another is named."""
    file = find_file(connection, batch.tenant, batch.id, name)
    return b"".join(read_part(connection, batch, file.name, part, OFFICE.sealer) for part in range(1, file.parts + 1))
