"""A bank's file looks up the rows that its lines name, and no others: its time grows with its lines alone."""

from pathlib import Path
from typing import Any

import pytest

from settlement.bank.simulator.answers import camt053, entries_of
from settlement.statements import reconciliation
from settlement.statements.reconciliation import import_statement
from tests.settlement_service.bank_files import DAY, open_desk
from tests.settlement_service.bench import DEBTOR, OFFICE, OVER, Bench

LINES = 900
PAGE = 30
MOST_A_LINE = 12
"""Rows of one table that are looked at for each line, references that the database itself follows among them; all of
the tenant's rows for each of the thirty pages would be more."""
# What the connection read in transactions before is counted too, until the server gathers it: at most once a second.
_READ = (
    "select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as rows from pg_stat_xact_user_tables "
    "where relname in ('instruction', 'instruction_claim', 'obligation', 'instruction_outcome', 'bank_line', 'reissue')"
)


def test_an_import_reads_as_many_rows_as_its_lines_name(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "LINES_AT_ONCE", PAGE)
    desk = open_desk(bench, tmp_path, *["10.00"] * LINES)
    path = tmp_path / "answer"
    path.write_bytes(camt053(DEBTOR.account_number, entries_of(desk.payments), DAY))

    def use_case(connection: Any) -> tuple[Any, dict[str, int]]:
        before = _rows_read(connection)
        taken = import_statement(connection, bench.tenant, desk.batch.id, path, "maker-li", OVER, OFFICE)
        return taken, {name: rows - before.get(name, 0) for name, rows in _rows_read(connection).items()}

    taken, read = bench.do(use_case, OVER)
    assert taken.statement.line_count == len(desk.payments) == LINES
    assert desk.outcomes() == [("paid", 1000)] * LINES
    assert {"instruction", "obligation", "bank_line"} <= set(read)
    assert {name: rows for name, rows in read.items() if rows > MOST_A_LINE * LINES} == {}


def _rows_read(connection: Any) -> dict[str, int]:
    return {row.relname: row.rows for row in connection.exec_driver_sql(_READ)}
