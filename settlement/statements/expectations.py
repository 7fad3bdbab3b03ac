"""What is known of the instructions that a page of a bank's lines names, and of the movements that they tell.

Each row is looked up by its key; ``offset 0`` keeps the planner from another way. Of a table that just grew it knows
nothing: ``tenant =`` beside what row security asks of it would make one tenant's rows look like none, and any index as
good as the right one. Both together took half a second a page.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.obligation import account_opener
from settlement.payouts.outcomes import SURPLUS
from settlement.statements.line import STATUS, StatementLine
from settlement.statements.matching import Booked, Expected
from tenants.kernel.money import Money
from tenants.kernel.sealing import Sealer

_ORDERED: Final = (
    f"select i.id, i.batch_id, i.amount_fen, i.payee_claim_id, {SURPLUS} as surplus, "  # noqa: S608 - our own
    "o.account_name, o.account_sealed from unnest(%s::uuid[]) as named (id) cross join lateral ("
    "select * from instruction where tenant is not distinct from %s and id = named.id offset 0) i cross join lateral ("
    "select * from obligation where tenant is not distinct from i.tenant and id = i.payee_claim_id offset 0) o "
    "join batch b on b.tenant = i.tenant and b.id = i.batch_id and b.instructed_at is not null"
)
_KNOWN: Final = (
    "select o.instruction_id, o.outcome, o.statement_id, l.booked_on from unnest(%s::uuid[]) as named (id) "
    "cross join lateral (select * from instruction_outcome "
    "where tenant is not distinct from %s and instruction_id = named.id offset 0) o "
    "left join lateral (select * from bank_line where tenant is not distinct from o.tenant "
    "and statement_id = o.statement_id and line = o.line offset 0) l on true"
)
_SEEN: Final = (
    "select distinct kind, bank_reference, amount_fen, booked_on, reference from unnest(%s::text[]) as named (told) "
    "cross join lateral (select * from bank_line where tenant is not distinct from %s "
    "and bank_reference = named.told and kind <> 'status' and amount_fen is not null offset 0) l"
)
_REFERENCE: Final = re.compile("[A-Z2-7]{26}", re.ASCII)
_BASE32: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghijklmnopqrstuv")
_UNUSED_BITS: Final = 2

Movement = tuple[str, str, int, date | None, str | None]
"""Kind, the bank's reference, fen, day and our reference."""


def ordered_rows(connection: Connection, tenant: str, ids: Sequence[UUID]) -> Sequence[Any]:
    """The instructions of instructed batches with these ids, for :func:`expected_of`; ``batch_id`` says of which."""
    return connection.exec_driver_sql(_ORDERED, (list(ids), tenant)).all()


def expected_of(connection: Connection, tenant: str, rows: Sequence[Any], sealer: Sealer) -> dict[UUID, Expected]:
    """What was ordered by :func:`ordered_rows`, and what is known of it, by the instruction's id."""
    outcomes = _outcomes(connection, tenant, [row.id for row in rows])
    opened, nothing = account_opener(sealer, tenant), dict[str, Booked]()
    return {
        row.id: Expected(
            row.id, Money(row.amount_fen), opened(str(row.payee_claim_id), bytes(row.account_sealed)),
            row.account_name, outcomes.get(row.id, nothing), row.surplus,
        )
        for row in rows
    }  # fmt: skip


def _outcomes(connection: Connection, tenant: str, ids: list[UUID]) -> Mapping[UUID, Mapping[str, Booked]]:
    found: dict[UUID, dict[str, Booked]] = {}
    for row in connection.exec_driver_sql(_KNOWN, (ids, tenant)):
        found.setdefault(row.instruction_id, {})[row.outcome] = Booked(row.statement_id, row.booked_on)
    return found


def movement_of(line: StatementLine) -> Movement | None:
    """The movement that the line tells of, where the bank gave it a reference."""
    if line.bank_reference is None or line.amount is None or line.kind == STATUS:
        return None
    return line.kind, line.bank_reference, line.amount.fen, line.booked_on, line.reference


def seen_movements(connection: Connection, tenant: str, page: Sequence[StatementLine]) -> set[Movement]:
    """The movements of the lines that were told of before, known by the bank's own reference.

    A bank may count its references anew each day: day, amount and our reference have to be the same too.
    """
    told = sorted({line.bank_reference for line in page if line.bank_reference is not None})
    return {tuple(row) for row in connection.exec_driver_sql(_SEEN, (told, tenant))}


def instruction_named(reference: str) -> UUID | None:
    """The instruction whose end-to-end id this is; ``None`` where it is not of the form."""
    if _REFERENCE.fullmatch(reference) is None:
        return None
    return UUID(int=int(reference.translate(_BASE32), 32) >> _UNUSED_BITS)
