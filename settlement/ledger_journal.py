"""The whole ledger of a tenant over a period, written as a journal: one statement, so one picture of it."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby
from typing import IO, Any, Final

from sqlalchemy import Connection

from settlement.formats.journal import DIALECTS, Balance, Dialect, Entry, closing, opening, transaction
from settlement.ledger_statement import LEGS, Period
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money

ROWS_AT_ONCE: Final = 1000

_JOURNAL: Final = (
    "with legs as ("  # noqa: S608 - our own statement
    f"{LEGS} and at < %s), "
    "sums as (select code, min(at) as first_at, "
    "coalesce(sum(debit_fen - credit_fen) filter (where at < %s), 0)::bigint as before, "
    "coalesce(sum(held_debit_fen - held_credit_fen) filter (where at < %s), 0)::bigint as held_before, "
    "sum(debit_fen - credit_fen)::bigint as after, sum(held_debit_fen - held_credit_fen)::bigint as held_after "
    "from legs group by code) "
    "select 0 as part, (select min(first_at) from sums) as at, null::uuid as id, null as kind, code as debit, "
    "null as credit, before as fen, held_before as held_fen, null as reason, null::uuid as subject_id from sums "
    "union all select 1, at, id, kind, debit, credit, amount_fen, 0, reason, subject_id from ledger_transfer "
    "where tenant = %s and at >= %s and at < %s "
    "union all select 2, null, null, null, code, null, after, held_after, null, null from sums "
    "order by part, at, id, debit"
)


def write_journal(connection: Connection, tenant: str, period: Period, dialect_name: str, file: IO[str]) -> int:
    """Write the journal of the period in the dialect (a key of ``DIALECTS``); how many transfers it holds.

    A tenant without any transfer has an empty journal. Memory does not grow with the number of transfers.
    """
    dialect, begins, ends = DIALECTS[dialect_name], period.begins_at, period.ends_before
    rows = connection.exec_driver_sql(
        _JOURNAL,
        (tenant, ends, begins, begins, tenant, begins, ends),
        execution_options={"stream_results": True, "max_row_buffer": ROWS_AT_ONCE},
    )
    count = 0
    for part, group in groupby(rows, key=lambda row: int(row.part)):
        if part == _TRANSFERS:
            for row in group:
                count += 1
                _write(file, transaction(dialect, _entry(row)))
        else:
            _write(file, _balances(dialect, part, tenant, period, list(group)))
    return count


_OPENING: Final = 0
_TRANSFERS: Final = 1


def _balances(dialect: Dialect, part: int, tenant: str, period: Period, rows: list[Any]) -> Iterator[str]:
    balances = [Balance(row.debit, Money(row.fen), Money(row.held_fen)) for row in rows]
    if part == _OPENING:
        opened_on: date = max(period.from_on, shanghai_day(rows[0].at))
        return opening(dialect, f"ledger of {tenant} through {period.through_on}", opened_on, balances)
    return closing(dialect, period.through_on + timedelta(days=1), balances)


def _entry(row: Any) -> Entry:  # noqa: ANN401 - a row of the statement above
    return Entry(
        row.id, shanghai_day(row.at), row.kind, row.debit, row.credit, Money(row.fen), row.reason, row.subject_id
    )


def _write(file: IO[str], lines: Iterator[str]) -> None:
    file.writelines(f"{line}\n" for line in lines)
