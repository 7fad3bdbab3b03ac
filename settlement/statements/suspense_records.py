"""What waits in suspense, and its explanations, as stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class SuspenseLine:
    """A movement in suspense; ``left``: what nobody has explained; ``proposed``: what waits for a second person."""

    statement_id: UUID
    batch_id: UUID | None
    at_order_id: UUID | None
    """The order at which the file was handed in, where that is no batch."""
    line: int
    kind: str
    line_class: str
    amount: Money
    left: Money
    proposed: Money
    reference: str | None
    instruction_id: UUID | None
    order_id: UUID | None
    """The order between tenants that it names: the tenant's, or one that pays it."""
    payee: str | None
    account_tail: str | None
    booked_on: date | None
    bank_reference: str | None
    reason: str | None
    imported_at: datetime

    def json(self) -> dict[str, Json]:
        """The movement in the form of the API; the account number is masked."""
        return {
            "statement_id": str(self.statement_id),
            "batch_id": None if self.batch_id is None else str(self.batch_id),
            "handed_in_at_order": None if self.at_order_id is None else str(self.at_order_id),
            "line": self.line,
            "kind": self.kind,
            "class": self.line_class,
            "amount": str(self.amount),
            "left": str(self.left),
            "proposed": str(self.proposed),
            "end_to_end_id": self.reference,
            "instruction_id": None if self.instruction_id is None else str(self.instruction_id),
            "order_id": None if self.order_id is None else str(self.order_id),
            "payee": self.payee,
            "account_number": self.account_tail,
            "booked_on": plain(self.booked_on),
            "bank_reference": self.bank_reference,
            "reason": self.reason,
            "imported_at": plain(self.imported_at),
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What an explanation takes of one line."""

    part: int
    statement_id: UUID
    line: int
    kind: str
    amount: Money

    def json(self) -> dict[str, Json]:
        """The part in the form of the API."""
        return {
            "statement_id": str(self.statement_id), "line": self.line, "kind": self.kind, "amount": str(self.amount),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resolution:
    """An explanation with its decision, where there is one, and its parts."""

    id: UUID
    kind: str
    instruction_id: UUID | None
    order_tenant: str | None
    order_id: UUID | None
    outcome: str | None
    amount: Money
    charge: Money
    reason: str
    proposed_by: str
    proposed_at: datetime
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    parts: tuple[Part, ...]

    def json(self) -> dict[str, Json]:
        """The explanation in the form of the API."""
        return {
            "id": str(self.id),
            "kind": self.kind,
            "instruction_id": None if self.instruction_id is None else str(self.instruction_id),
            "order_tenant": self.order_tenant,
            "order_id": None if self.order_id is None else str(self.order_id),
            "outcome": self.outcome,
            "amount": str(self.amount),
            "charge": str(self.charge),
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "proposed_at": plain(self.proposed_at),
            "decision": self.decision,
            "decided_by": self.decided_by,
            "decided_at": plain(self.decided_at),
            "decision_reason": self.decision_reason,
            "lines": [part.json() for part in self.parts],
        }


_LINES: Final = (
    "select l.statement_id, s.batch_id, s.order_id as at_order_id, l.line, l.kind, l.line_class, l.amount_fen, "
    "l.amount_fen - coalesce(p.explained, 0) as left_fen, coalesce(p.proposed, 0) as proposed_fen, l.reference, "
    "l.instruction_id, (select n.order_id from order_named(l.tenant, l.reference) n) as order_id, "
    "l.payee, l.account_tail, l.booked_on, l.bank_reference, l.reason, s.imported_at "
    "from bank_line l join bank_statement s on s.tenant = l.tenant and s.id = l.statement_id "
    "left join lateral (select sum(p.amount_fen) filter (where d.outcome = 'approve')::bigint as explained, "
    "sum(p.amount_fen) filter (where d.outcome is null)::bigint as proposed from suspense_part p "
    "left join suspense_decision d on d.tenant = p.tenant and d.resolution_id = p.resolution_id "
    "where p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line) p on true "
    "where l.tenant = %s and l.to_suspense"
)
_RESOLUTIONS: Final = (
    "select r.id, r.kind, r.instruction_id, r.order_tenant, r.order_id, r.outcome as resolution_outcome, r.amount_fen, "
    "r.charge_fen, r.reason, r.proposed_by, "
    "r.proposed_at, d.outcome as decision, d.decided_by, d.decided_at, d.reason as decision_reason "
    "from suspense_resolution r "
    "left join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id where r.tenant = %s"
)


def list_suspense(
    connection: Connection, tenant: str, after: tuple[UUID, int] | None, limit: int
) -> list[SuspenseLine]:
    """At most ``limit`` movements behind a statement's line that are not explained in full, the oldest first."""
    statement_id, line = (UUID(int=0), 0) if after is None else after
    rows = connection.exec_driver_sql(
        f"{_LINES} and l.amount_fen > coalesce(p.explained, 0) and (l.statement_id, l.line) > (%s, %s) "
        "order by l.statement_id, l.line limit %s",
        (tenant, statement_id, line, limit),
    )
    return [_line(row) for row in rows]


def suspense_totals(connection: Connection, tenant: str, most: int | None = None) -> tuple[int, Money]:
    """How many movements :func:`list_suspense` lists, and what of them nobody has explained; of ``most``, if given."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(f.left_fen), 0)::bigint from ("  # noqa: S608 - our own columns
        f"select s.left_fen from ({_LINES}) s where s.left_fen > 0 limit %s) f",
        (tenant, most),
    ).one()
    return count, Money(int(fen))


def resolution_totals(connection: Connection, tenant: str, *, waiting: bool) -> tuple[int, Money]:
    """How many explanations :func:`list_resolutions` lists, and the sum of their amounts."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(r.amount_fen), 0)::bigint from suspense_resolution r "
        "left join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id "
        "where r.tenant = %s and (not %s or d.outcome is null)",
        (tenant, waiting),
    ).one()
    return count, Money(int(fen))


def lines_named(
    connection: Connection, tenant: str, keys: Iterable[tuple[UUID, int]]
) -> dict[tuple[UUID, int], SuspenseLine]:
    """The movements in suspense of these statements' lines, explained or not, by statement and line."""
    wanted = list(keys)
    rows = connection.exec_driver_sql(
        f"{_LINES} and (l.statement_id, l.line) in (select * from unnest(%s::uuid[], %s::int[]))",  # noqa: S608
        (tenant, [statement_id for statement_id, _ in wanted], [line for _, line in wanted]),
    )
    return {(found.statement_id, found.line): found for found in map(_line, rows)}


def insert_resolution(connection: Connection, tenant: str, made: Resolution) -> None:
    """Store a proposed explanation and its parts."""
    insert_rows(
        connection,
        "suspense_resolution",
        (
            "tenant", "id", "kind", "instruction_id", "order_tenant", "order_id", "outcome", "amount_fen", "charge_fen",
            "reason", "proposed_by", "proposed_at",
        ),
        [(
            tenant, made.id, made.kind, made.instruction_id, made.order_tenant, made.order_id, made.outcome,
            made.amount.fen, made.charge.fen, made.reason, made.proposed_by, made.proposed_at,
        )],
    )  # fmt: skip
    insert_rows(
        connection,
        "suspense_part",
        ("tenant", "resolution_id", "part", "statement_id", "line", "kind", "amount_fen"),
        [(tenant, made.id, part.part, part.statement_id, part.line, part.kind, part.amount.fen) for part in made.parts],
    )


def find_resolution(connection: Connection, tenant: str, resolution_id: UUID) -> Resolution:
    """One explanation.

    Raises:
        NotFound: the tenant has none with this id.
    """
    row = connection.exec_driver_sql(f"{_RESOLUTIONS} and r.id = %s", (tenant, resolution_id)).one_or_none()
    if row is None:
        raise not_found("待查说明", "explanation")
    return _with_parts(connection, tenant, [row])[0]


def list_resolutions(
    connection: Connection, tenant: str, after: UUID | None, limit: int, *, waiting: bool
) -> list[Resolution]:
    """At most ``limit`` explanations behind ``after``, the oldest first; ``waiting``: those without a decision."""
    rows = connection.exec_driver_sql(
        f"{_RESOLUTIONS} and (%s::uuid is null or r.id > %s::uuid) and (not %s or d.outcome is null) "
        "order by r.id limit %s",
        (tenant, after, after, waiting, limit),
    ).all()
    return _with_parts(connection, tenant, rows)


def _with_parts(connection: Connection, tenant: str, rows: Iterable[Any]) -> list[Resolution]:
    known = list(rows)
    parts: dict[UUID, list[Part]] = {}
    for row in connection.exec_driver_sql(
        "select resolution_id, part, statement_id, line, kind, amount_fen from suspense_part "
        "where tenant = %s and resolution_id = any(%s) order by resolution_id, part",
        (tenant, [row[0] for row in known]),
    ):
        made = Part(row.part, row.statement_id, row.line, row.kind, Money(row.amount_fen))
        parts.setdefault(row.resolution_id, []).append(made)
    return [
        Resolution(
            row.id, row.kind, row.instruction_id, row.order_tenant, row.order_id, row.resolution_outcome,
            Money(row.amount_fen), Money(row.charge_fen), row.reason,
            row.proposed_by, row.proposed_at, row.decision, row.decided_by, row.decided_at, row.decision_reason,
            tuple(parts[row.id]),
        )
        for row in known
    ]  # fmt: skip


def _line(row: Any) -> SuspenseLine:  # noqa: ANN401 - a row of _LINES
    values = list(row)
    for place in (6, 7, 8):
        values[place] = Money(values[place])
    return SuspenseLine(*values)
