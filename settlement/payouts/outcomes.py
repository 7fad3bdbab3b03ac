"""What becomes of instructions, in the ledger: paid, returned, rejected; claim by claim, each in its own quota year."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.matching_back import Back, of_instructions, take_back
from settlement.payouts.telling import tell_outcomes
from settlement.statements.line import REJECTED
from settlement.statements.matching import PAID, RETURNED
from tenants.kernel.money import Money
from tenants.kernel.sealing import Sealer
from tenants.kernel.statements import Write, write_all

_COLUMNS: Final = (
    "tenant", "instruction_id", "outcome", "amount_fen", "statement_id", "line", "call_id", "resolution_id", "at",
)  # fmt: skip
_KINDS: Final = ("text", "uuid", "text", "bigint", "uuid", "integer", "uuid", "uuid", "timestamptz")


def _surplus(of: str) -> str:
    return (
        "(select count(*) filter (where l.kind = 'debit' and l.line_class = 'duplicate') "  # noqa: S608 - our own
        "- count(*) filter (where l.kind = 'credit' and l.line_class in ('returned', 'duplicate')) from bank_line l "
        f"where {of} and l.to_suspense and not exists ("
        "select 1 from suspense_part p join suspense_decision d on d.tenant = p.tenant "
        "and d.resolution_id = p.resolution_id and d.outcome = 'approve' "
        "join suspense_resolution r on r.tenant = p.tenant and r.id = p.resolution_id and r.kind <> 'unrelated' "
        "where p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line))"
    )


SURPLUS: Final = _surplus("l.tenant is not distinct from i.tenant and l.instruction_id = i.id")
"""How often more an instruction ``i`` was paid than it should, less what came back of that.

What two people have set off against each other counts no more; what they called unrelated may still come back.
"""
ORDER_SURPLUS: Final = _surplus("l.tenant is not distinct from o.tenant and l.reference = o.reference")
"""The same of an order ``o`` between tenants, which lines name by its end-to-end id alone."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome of one instruction; ``line`` is the line of the statement that says it, where one does."""

    instruction_id: UUID
    outcome: str
    amount: Money
    line: int | None


def book(
    connection: Connection,
    tenant: str,
    outcomes: Sequence[Outcome],
    sealer: Sealer,
    at: datetime,
    *,
    statement_id: UUID | None = None,
    resolution_id: UUID | None = None,
) -> None:
    """Store the outcomes, told by a statement or found in suspense by two people, and move the money of their claims.

    Each claim's platform is told of its own. What came back takes its matching with it.

    Paid: from what is in transit to what is paid. Returned: that is reversed, and the money waits to be issued again.
    Rejected: it waits likewise.

    Raises:
        sqlalchemy.exc.IntegrityError: an outcome came before, or contradicts another.
    """
    rows = [
        (tenant, one.instruction_id, one.outcome, one.amount.fen, statement_id, one.line, None, resolution_id, at)
        for one in outcomes
    ]
    write_all(connection, [Write("instruction_outcome", _COLUMNS, rows, kinds=_KINDS)])
    tell_outcomes(connection, tenant, [(one.instruction_id, one.outcome) for one in outcomes], at)
    moved = {one.instruction_id: one.outcome for one in outcomes if one.outcome in {PAID, REJECTED}}
    _move(connection, tenant, moved, at)
    _give_back(connection, tenant, [one.instruction_id for one in outcomes if one.outcome == RETURNED], at)
    came_back = [one.instruction_id for one in outcomes if one.outcome in {RETURNED, REJECTED}]
    if came_back:
        _take_matching_back(connection, tenant, came_back, _cause(statement_id, resolution_id), sealer, at)


def _cause(statement_id: UUID | None, resolution_id: UUID | None) -> UUID:
    cause = statement_id or resolution_id
    if cause is None:
        raise ValueError("an outcome is told by a statement or found in suspense")
    return cause


def reject_message(
    connection: Connection,
    tenant: str,
    batch_id: UUID,
    sealer: Sealer,
    at: datetime,
    *,
    statement_id: UUID | None = None,
    call_id: UUID | None = None,
) -> int:
    """Book the rejection of a whole message: every instruction of the batch that nothing was decided of; how many."""
    rows = connection.exec_driver_sql(
        "insert into instruction_outcome (tenant, instruction_id, outcome, amount_fen, statement_id, call_id, at) "
        "select i.tenant, i.id, 'rejected', i.amount_fen, %s, %s, %s from instruction i "
        "where i.tenant = %s and i.batch_id = %s and not exists (select 1 from instruction_outcome o "
        "where o.tenant = i.tenant and o.instruction_id = i.id and o.outcome in ('paid', 'rejected')) "
        "returning instruction_id",
        (statement_id, call_id, at, tenant, batch_id),
    ).scalars()
    ids = list(rows)
    tell_outcomes(connection, tenant, [(each, REJECTED) for each in ids], at)
    for begin in range(0, len(ids), IDS_AT_ONCE):
        some = ids[begin : begin + IDS_AT_ONCE]
        _move(connection, tenant, dict.fromkeys(some, REJECTED), at)
        _take_matching_back(connection, tenant, some, statement_id or call_id or batch_id, sealer, at)
    return len(ids)


IDS_AT_ONCE: Final = 1_000


def _take_matching_back(
    connection: Connection, tenant: str, ids: Sequence[UUID], cause: UUID, sealer: Sealer, at: datetime
) -> None:
    """The matching of what came back waits until it is issued again."""
    if ids:
        keeps = of_instructions(connection, tenant, ids)
        take_back(connection, tenant, keeps, Back(RETURNED, cause, "system", at), sealer)


def _move(connection: Connection, tenant: str, outcomes: dict[UUID, str], at: datetime) -> None:
    """From what is in transit to what is paid, or to what waits to be issued again."""
    transfers = []
    for row in _claims(connection, tenant, outcomes):
        outcome = outcomes[row.instruction_id]
        account = ledger.paid_account if outcome == PAID else ledger.returned_account
        debit, credit = ledger.in_transit_account(row.scheme, row.quota_year), account(row.scheme, row.quota_year)
        transfers.append(ledger.posted(debit, credit, Money(row.amount_fen), outcome, row.claim_id))
    _append(connection, tenant, transfers, at)


def _give_back(connection: Connection, tenant: str, instruction_ids: Sequence[UUID], at: datetime) -> None:
    """Reverse what was paid; the money waits in the year out of which it was paid, whenever it comes back."""
    claims = {row.claim_id: row for row in _claims(connection, tenant, instruction_ids)}
    transfers = []
    for paid in ledger.standing_transfers(connection, tenant, list(claims)):
        row = claims[paid.subject_id]
        if paid.credit == ledger.paid_account(row.scheme, row.quota_year):
            transfers.append(ledger.reversal(paid, RETURNED))
            waits = ledger.returned_account(row.scheme, row.quota_year)
            transfers.append(ledger.posted(paid.debit, waits, paid.amount, RETURNED, row.claim_id))
    _append(connection, tenant, transfers, at)


def _append(connection: Connection, tenant: str, transfers: list[ledger.Transfer], at: datetime) -> None:
    accounts = {code for transfer in transfers for code in (transfer.debit, transfer.credit)}
    ledger.open_accounts(connection, tenant, dict.fromkeys(accounts, False))
    ledger.append(connection, tenant, transfers, at)


def _claims(connection: Connection, tenant: str, instruction_ids: Iterable[UUID]) -> list[Any]:
    return list(
        connection.exec_driver_sql(
            # by the keys, as in ``settlement.statements.reconciliation``
            "select c.instruction_id, c.claim_id, o.scheme, o.quota_year, o.amount_fen "
            "from unnest(%s::uuid[]) as w (id) cross join lateral (select * from instruction_claim "
            "where tenant is not distinct from %s and instruction_id = w.id offset 0) c "
            "cross join lateral (select * from obligation "
            "where tenant is not distinct from c.tenant and id = c.claim_id offset 0) o "
            "order by c.claim_id",
            (list(instruction_ids), tenant),
        )
    )
