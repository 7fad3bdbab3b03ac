"""Budgets: a year's appropriation, as transfers from the treasury; the database keeps commitments within it (I8)."""

from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import Connection

from settlement import ledger
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import read

_BUDGETS: Final = UUID("6e1f2f0e-4c1b-4f7c-9a56-0c9d4f1f7a10")


def budget_id(tenant: str, scheme: str, year: int) -> UUID:
    """What names a year's budget in the ledger and the audit chain (UUIDv5)."""
    return uuid5(_BUDGETS, f"{tenant}/{scheme}/{year}")


def read_budget(connection: Connection, tenant: str, scheme: str, year: int) -> dict[str, Json]:
    """The year's appropriation and what is reserved, used and left; ``null`` where none was set."""
    sums = ledger.sums_of(connection, tenant, ledger.budget_account(scheme, year))
    appropriated = _appropriated(connection, tenant, scheme, year)
    committed = sums.taken + appropriated
    return {
        "tenant": tenant,
        "scheme": scheme,
        "year": year,
        "amount": str(appropriated) if sums.limited else None,
        "reserved": str(sums.debits_pending),
        "used": str(committed - sums.debits_pending),
        "left": str(appropriated - committed) if sums.limited else None,
    }


def appropriate(connection: Connection, tenant: str, scheme: str, year: int, amount: Money, at: datetime) -> None:
    """Make ``amount`` the year's whole appropriation.

    Raises:
        Conflict: more than that is committed already.
    """
    account = ledger.budget_account(scheme, year)
    taken = read(connection, ledger.open_and_lock(tenant, {account: None}))[account].taken
    ledger.open_accounts(connection, tenant, {ledger.TREASURY: False})
    before = _appropriated(connection, tenant, scheme, year)
    committed = taken + before
    if committed > amount:
        raise Conflict(
            "budget.below_commitments",
            f"预算不能低于已占用金额 {committed:,} 元。",
            f"The budget cannot be below the {committed:,} yuan that are committed.",
        )
    subject = budget_id(tenant, scheme, year)
    if amount > before:
        added = ledger.posted(ledger.TREASURY, account, amount - before, "appropriation", subject)
        ledger.append(connection, tenant, [added], at)
    elif amount < before:
        taken_back = ledger.posted(account, ledger.TREASURY, before - amount, "appropriation lowered", subject)
        ledger.append(connection, tenant, [taken_back], at)
    ledger.set_limits(connection, tenant, {account: ZERO})


def set_budget(
    work: Work, actor: str, tenant: str, scheme: str, year: int, amount: Money, reason: str | None
) -> dict[str, Json]:
    """Make the amount the year's appropriation, as an act of the ``actor``; the budget as it then is.

    Raises:
        Conflict: as for :func:`appropriate`.
    """
    before = read_budget(work.connection, tenant, scheme, year)
    appropriate(work.connection, tenant, scheme, year, amount, work.at)
    after = read_budget(work.connection, tenant, scheme, year)
    details: dict[str, Json] = {"before": before, "after": after}
    change = Change(tenant, actor, "budget.set", budget_id(tenant, scheme, year), reason=reason, details=details)
    record(work.connection, [change], work.at)
    return after


def _appropriated(connection: Connection, tenant: str, scheme: str, year: int) -> Money:
    row = connection.exec_driver_sql(
        "select coalesce(sum(case debit when %s then amount_fen else -amount_fen end), 0)::bigint "
        "from ledger_transfer where tenant = %s and subject_id = %s",
        (ledger.TREASURY, tenant, budget_id(tenant, scheme, year)),
    ).one()
    return Money(row[0])
