"""The money of a released batch on its way from owed to in transit, through a settlement agent or without."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.batch import Batch
from settlement.payouts.payments import LIVE_ITEMS

_POSTED: Final = (
    "insert into ledger_transfer (tenant, id, kind, debit, credit, amount_fen, reason, subject_id, at) "  # noqa: S608
    "select %s, uuidv7(), 'posted', a.debit, a.credit, l.amount_fen, %s, l.claim_id, %s "
    f"from ({LIVE_ITEMS}) l join unnest(%s::integer[], %s::text[], %s::text[]) a (year, debit, credit) "
    "on a.year = l.quota_year"
)
Sides = Callable[[str, int], tuple[str, str]]
"""Debit and credit of a scheme and year."""


def put_in_transit(connection: Connection, batch: Batch, at: datetime) -> None:
    """Post each claim's transfer from its year's obligations to what is in transit."""
    _post(
        connection,
        batch,
        lambda scheme, year: (ledger.obligations_account(scheme, year), ledger.in_transit_account(scheme, year)),
        at,
    )


def pay_in(connection: Connection, batch: Batch, at: datetime) -> None:
    """Post each claim's transfer from its year's obligations to what the settlement agent holds for the batch."""
    _post(
        connection,
        batch,
        lambda scheme, year: (
            ledger.obligations_account(scheme, year),
            ledger.agent_account(scheme, year, batch.batch_no),
        ),
        at,
    )


def pay_on(connection: Connection, batch: Batch, at: datetime) -> None:
    """Post what the settlement agent is instructed to pay: its account for the batch comes back to zero."""
    _post(
        connection,
        batch,
        lambda scheme, year: (
            ledger.agent_account(scheme, year, batch.batch_no),
            ledger.in_transit_account(scheme, year),
        ),
        at,
    )


def _post(connection: Connection, batch: Batch, sides: Sides, at: datetime) -> None:
    values: tuple[Any, ...] = (batch.tenant, batch.id)
    years = connection.exec_driver_sql(
        f"select distinct quota_year from ({LIVE_ITEMS}) l order by 1",  # noqa: S608 - our own statement
        values,
    ).scalars()
    accounts = {year: sides(batch.scheme, year) for year in years}
    codes = {code: code.startswith("agent/") for pair in accounts.values() for code in pair}
    ledger.open_accounts(connection, batch.tenant, codes)
    debits, credits_ = ([pair[side] for pair in accounts.values()] for side in (0, 1))
    connection.exec_driver_sql(
        _POSTED, (batch.tenant, batch.batch_no, at, *values, list(accounts), debits, credits_)
    )  # one statement for them all: a million rows never leave the database
