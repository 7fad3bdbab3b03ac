"""The month's difference list (差异清单): every line of the month's bank answers that did not simply match.

What differs, is unknown, came twice or came back; with the batch and the instruction (or the order between tenants)
that it names, what it did to suspense, and how much of that is explained by now.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.months.month import Month
from settlement.statements.matching import CLASSES, MATCHED
from tenants.kernel.canonical import Json, plain
from tenants.kernel.money import Money

SHOWN: Final = tuple(name for name in CLASSES if name != MATCHED)
"""The classes of lines that are listed."""
LEFT: Final = (
    "case when l.to_suspense then l.amount_fen - coalesce((select sum(p.amount_fen) from suspense_part p "
    "join suspense_decision d on d.tenant = p.tenant and d.resolution_id = p.resolution_id "
    "and d.outcome = 'approve' where p.tenant = l.tenant and p.statement_id = l.statement_id and p.line = l.line), "
    "0)::bigint end"
)
"""What of a movement in suspense nobody has explained."""
FROM: Final = (
    "from bank_line l join bank_statement s on s.tenant = l.tenant and s.id = l.statement_id "
    "left join instruction i on i.tenant = l.tenant and i.id = l.instruction_id "
    "left join batch b on b.tenant = l.tenant and b.id = coalesce(i.batch_id, s.batch_id) "
    "left join clearing_order o on o.tenant = l.tenant and o.reference = l.reference "
    "where l.tenant = %s and s.imported_at >= %s and s.imported_at < %s and l.line_class <> 'matched' "
)
"""The lines of the statements that were imported in the month; their parameters are the tenant, its begin and end."""


@dataclass(frozen=True, slots=True)
class DifferentLine:
    """One line. ``batch_no``: of its instruction, else where the file was handed in; ``left``: what is in suspense."""

    statement_id: UUID
    line: int
    imported_at: datetime
    line_class: str
    kind: str
    amount: Money | None
    left: Money | None
    payee: str | None
    reference: str | None
    booked_on: date | None
    reason: str | None
    batch_no: str | None
    instruction_id: UUID | None
    order_id: UUID | None
    disagreements: Json

    @property
    def place(self) -> str:
        """Behind which the next page begins."""
        return f"{self.statement_id} {self.line}"

    def json(self) -> dict[str, Json]:
        """The line in the form of the API."""
        return {
            "statement_id": str(self.statement_id),
            "line": self.line,
            "imported_at": plain(self.imported_at),
            "class": self.line_class,
            "kind": self.kind,
            "amount": None if self.amount is None else str(self.amount),
            "left_in_suspense": None if self.left is None else str(self.left),
            "payee": self.payee,
            "end_to_end_id": self.reference,
            "booked_on": plain(self.booked_on),
            "reason": self.reason,
            "batch_no": self.batch_no,
            "instruction_id": None if self.instruction_id is None else str(self.instruction_id),
            "order_id": None if self.order_id is None else str(self.order_id),
            "differences": self.disagreements,
        }


def list_differences(
    connection: Connection,
    tenant: str,
    month: Month,
    line_class: str | None,
    after: tuple[UUID, int] | None,
    limit: int,
) -> list[DifferentLine]:
    """At most ``limit`` lines behind the place, of one class where it is named, in the order of files and lines."""
    statement_id, line = after or (UUID(int=0), 0)
    rows = connection.exec_driver_sql(
        f"select l.statement_id, l.line, s.imported_at, l.line_class, l.kind, l.amount_fen, {LEFT}, l.payee, "
        f"l.reference, l.booked_on, l.reason, b.batch_no, l.instruction_id, o.id, l.disagreements::json {FROM}"
        "and (%s::text is null or l.line_class = %s) and (l.statement_id, l.line) > (%s, %s) "
        "order by l.statement_id, l.line limit %s",
        (tenant, month.begins_at, month.ends_at, line_class, line_class, statement_id, line, limit),
    )
    return [_line(tuple(row)) for row in rows]


def difference_totals(connection: Connection, tenant: str, month: Month) -> dict[str, Json]:
    """Of each class, how many lines there are in the month, their sum, and what of it nobody has explained."""
    rows = connection.exec_driver_sql(
        "select line_class, count(*) as lines, coalesce(sum(amount_fen), 0)::bigint as fen, "  # noqa: S608 - our own
        f"coalesce(sum(left_fen), 0)::bigint as left_fen from (select l.line_class, l.amount_fen, {LEFT} as left_fen "
        f"{FROM}) d group by 1",
        (tenant, month.begins_at, month.ends_at),
    ).all()
    found = {row.line_class: row for row in rows}
    return {
        name: {
            "count": found[name].lines if name in found else 0,
            "amount": str(Money(found[name].fen if name in found else 0)),
            "left_in_suspense": str(Money(found[name].left_fen if name in found else 0)),
        }
        for name in SHOWN
    }


def _line(row: tuple[Any, ...]) -> DifferentLine:
    values = list(row)
    for place in (5, 6):
        values[place] = None if values[place] is None else Money(values[place])
    return DifferentLine(*values)
