"""Bank statements as stored: the file's row, its lines, their digest, and lists of them."""

import json
from dataclasses import dataclass, fields
from datetime import date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.payouts.payments import stream
from tenants.kernel.canonical import Json, canonical_bytes, plain
from tenants.kernel.errors import not_found
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows


@dataclass(frozen=True, slots=True)
class BankStatement:
    """One row of ``bank_statement``; the field names are the columns'."""

    tenant: str
    id: UUID
    batch_id: UUID | None
    format: str
    sha256: str
    size_bytes: int
    line_count: int
    lines_sha256: str
    imported_by: str
    imported_at: datetime
    order_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class BankLine:
    """One row of ``bank_line`` but for its tenant and statement; the field names are the columns'."""

    line: int
    kind: str
    line_class: str
    status: str | None
    reference: str | None
    instruction_id: UUID | None
    amount_fen: int | None
    payee: str | None
    account_tail: str | None
    booked_on: date | None
    bank_reference: str | None
    reason: str | None
    outcome: str | None
    to_suspense: bool
    disagreements: str


COLUMNS: Final = tuple(field.name for field in fields(BankStatement))
_LIST: Final = ", ".join(COLUMNS)
_LINE_LIST: Final = ", ".join(field.name for field in fields(BankLine))
LINE_COLUMNS: Final = ("tenant", "statement_id", *(field.name for field in fields(BankLine)))
LINE_KINDS: Final = (
    "text", "uuid", "integer", "text", "text", "text", "text", "uuid", "bigint", "text", "text", "date", "text",
    "text", "text", "boolean", "text",
)  # fmt: skip
"""The types of the ``LINE_COLUMNS``."""


def insert_statement(connection: Connection, statement: BankStatement) -> None:
    """Store the file's row."""
    insert_rows(connection, "bank_statement", COLUMNS, [tuple(getattr(statement, name) for name in COLUMNS)])


def find_statement_of_file(connection: Connection, tenant: str, digest: str) -> BankStatement | None:
    """The statement with the same bytes, where it was imported before."""
    row = connection.exec_driver_sql(
        f"select {_LIST} from bank_statement where tenant = %s and sha256 = %s",  # noqa: S608 - our own columns
        (tenant, digest),
    ).one_or_none()
    return None if row is None else BankStatement(*row)


def find_statement(connection: Connection, tenant: str, batch_id: UUID, statement_id: UUID) -> BankStatement:
    """The statement that was handed in at the batch.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from bank_statement where tenant = %s and batch_id = %s and id = %s",  # noqa: S608 - ours
        (tenant, batch_id, statement_id),
    ).one_or_none()
    if row is None:
        raise not_found("对账文件", "statement")
    return BankStatement(*row)


def find_order_statement(connection: Connection, tenant: str, order_id: UUID, statement_id: UUID) -> BankStatement:
    """The statement that was handed in at an order between tenants.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from bank_statement where tenant = %s and order_id = %s and id = %s",  # noqa: S608 - ours
        (tenant, order_id, statement_id),
    ).one_or_none()
    if row is None:
        raise not_found("对账文件", "statement")
    return BankStatement(*row)


def list_statements(
    connection: Connection, tenant: str, batch_id: UUID, after: UUID | None, limit: int
) -> list[BankStatement]:
    """At most ``limit`` statements handed in at the batch behind ``after``, the oldest first."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from bank_statement where tenant = %s and batch_id = %s "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s::uuid) order by id limit %s",
        (tenant, batch_id, after, after, limit),
    )
    return [BankStatement(*row) for row in rows]


def statement_totals(connection: Connection, tenant: str, batch_id: UUID, most: int | None) -> tuple[int, int]:
    """How many statements :func:`list_statements` lists, and how many lines they have; of ``most``."""
    count, lines = connection.exec_driver_sql(
        "select count(*), coalesce(sum(line_count), 0)::bigint from ("
        "select line_count from bank_statement where tenant = %s and batch_id = %s limit %s) found",
        (tenant, batch_id, most),
    ).one()
    return count, lines


def list_lines(
    connection: Connection, statement: BankStatement, classes: list[str] | None, after: int, limit: int
) -> list[BankLine]:
    """At most ``limit`` lines behind the line ``after``, of the classes where any are named."""
    rows = connection.exec_driver_sql(
        f"select {_LINE_LIST} from bank_line where tenant = %s and statement_id = %s and line > %s "  # noqa: S608
        "and (%s::text[] is null or line_class = any(%s::text[])) order by line limit %s",
        (statement.tenant, statement.id, after, classes, classes, limit),
    )
    return [BankLine(*row) for row in rows]


def line_totals(
    connection: Connection, statement: BankStatement, classes: list[str] | None, most: int | None = None
) -> tuple[int, Money]:
    """How many lines :func:`list_lines` lists, and their sum; of ``most``, where that is given."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint from ("
        "select amount_fen from bank_line where tenant = %s and statement_id = %s "
        "and (%s::text[] is null or line_class = any(%s::text[])) limit %s) found",
        (statement.tenant, statement.id, classes, classes, most),
    ).one()
    return count, Money(fen)


def class_totals(connection: Connection, statement: BankStatement) -> dict[str, Json]:
    """Count and sum of each class, and of what went to suspense."""
    rows = connection.exec_driver_sql(
        "select line_class, count(*) as lines, coalesce(sum(amount_fen), 0)::bigint as fen, "
        "coalesce(sum(amount_fen) filter (where to_suspense), 0)::bigint as suspense from bank_line "
        "where tenant = %s and statement_id = %s group by line_class order by line_class",
        (statement.tenant, statement.id),
    )
    return {
        row.line_class: {
            "count": row.lines, "amount": str(Money(row.fen)), "to_suspense": str(Money(row.suspense)),
        }
        for row in rows
    }  # fmt: skip


def lines_digest(connection: Connection, tenant: str, statement_id: UUID) -> str:
    """SHA-256 over the canonical bytes of all lines in their order, one line each."""
    digest = sha256()
    rows = stream(
        connection,
        f"select {_LINE_LIST} from bank_line where tenant = %s and statement_id = %s order by line",  # noqa: S608
        (tenant, statement_id),
    )
    for row in rows:
        digest.update(canonical_bytes(list(row)) + b"\n")
    return digest.hexdigest()


def statement_json(statement: BankStatement, totals: dict[str, Json]) -> dict[str, Json]:
    """The statement in the form of the API."""
    return {
        "id": str(statement.id),
        "batch_id": None if statement.batch_id is None else str(statement.batch_id),
        "order_id": None if statement.order_id is None else str(statement.order_id),
        "format": statement.format,
        "sha256": statement.sha256,
        "bytes": statement.size_bytes,
        "lines": statement.line_count,
        "classes": totals,
        "imported_by": statement.imported_by,
        "imported_at": plain(statement.imported_at),
    }


def line_json(line: BankLine) -> dict[str, Json]:
    """The line in the form of the API; the account number is masked."""
    return {
        "line": line.line,
        "kind": line.kind,
        "class": line.line_class,
        "status": line.status,
        "end_to_end_id": line.reference,
        "instruction_id": None if line.instruction_id is None else str(line.instruction_id),
        "amount": None if line.amount_fen is None else str(Money(line.amount_fen)),
        "payee": line.payee,
        "account_number": line.account_tail,
        "booked_on": plain(line.booked_on),
        "bank_reference": line.bank_reference,
        "reason": line.reason,
        "outcome": line.outcome,
        "to_suspense": line.to_suspense,
        "differences": json.loads(line.disagreements),
    }
