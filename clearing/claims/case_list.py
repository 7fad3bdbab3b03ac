"""Lists of suspected duplicates: of either side's tenants, filtered, by keyset, counted and summed."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.suspicions import COLUMNS, EARLIER, LATER, CaseRow
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of cases is to hold: of these tenants, in this state, of this owner, past this day."""

    tenants: tuple[str, ...]
    state: str | None = None
    kind: str | None = None
    owner: str | None = None
    overdue_on: date | None = None
    subject_id: UUID | None = None


def list_cases(connection: Connection, wanted: Wanted, after: UUID | None, limit: int) -> list[CaseRow]:
    """At most ``limit`` cases behind the one with the id ``after``, the oldest first."""
    halves, values = _halves(", ".join(COLUMNS), wanted, after, limit)
    rows = connection.exec_driver_sql(
        f"select distinct c.* from unnest(%s::text[]) t (tenant) cross join lateral ({halves}) c "  # noqa: S608 - ours
        "order by c.id limit %s",
        (list(wanted.tenants), *values, limit),
    )
    return [CaseRow(*row) for row in rows]


def case_totals(connection: Connection, wanted: Wanted, most: int | None = None) -> tuple[int, Money]:
    """How many cases are wanted, and the sum of the awards of the tenants' own claims in them, each once.

    Of ``most`` of them, where that is given.
    """
    halves, values = _halves("id, later_id, earlier_id", wanted, None, most)
    tenants = list(wanted.tenants)
    count, fen = connection.exec_driver_sql(
        "with wanted as (select distinct c.* from unnest(%s::text[]) t (tenant) "  # noqa: S608 - ours
        f"cross join lateral ({halves}) c limit %s) select (select count(*) from wanted), "
        "coalesce((select sum(award_fen) from claim where tenant = any(%s) "
        "and id in (select later_id from wanted union select earlier_id from wanted)), 0)::bigint",
        (tenants, *values, most, tenants),
    ).one()
    return count, Money(fen)


def _halves(columns: str, wanted: Wanted, after: UUID | None, limit: int | None) -> tuple[str, list[Any]]:
    """The cases of the tenant ``t.tenant`` on either side, at most ``limit`` of each.

    Each side's own first ones are found in the order of an index that begins with the side's tenant: said as a range,
    so that no plan walks the cases of all tenants in the order of their ids until it has met enough of this one's.
    """
    where, given = _conditions(wanted, after)
    of_side = [("{0}_owner = %s", wanted.owner), ("{0}_id = %s", wanted.subject_id)]
    chosen = [(text, value) for text, value in of_side if value is not None]
    parts = []
    for side in (LATER, EARLIER):
        own = "".join(f" and {text.format(side)}" for text, _ in chosen)
        parts.append(
            f"(select {columns} from duplicate_case where {side}_tenant >= t.tenant and {side}_tenant <= t.tenant"  # noqa: S608 - ours
            f"{own}{where} order by {side}_tenant, id limit %s)"
        )
    values = [*(value for _, value in chosen), *given, limit]
    return " union ".join(parts), [*values, *values]


_STATES: Final = {None: "", "open": " and resolved_at is null", "resolved": " and resolved_at is not null"}


def _conditions(wanted: Wanted, after: UUID | None) -> tuple[str, list[Any]]:
    conditions: list[tuple[str, Any]] = [
        ("id > %s", after),
        ("kind = %s", wanted.kind),
        ("resolved_at is null and due_on < %s", wanted.overdue_on),
    ]
    chosen = [(text, value) for text, value in conditions if value is not None]
    where = "".join(f" and {text}" for text, _ in chosen)
    return f"{_STATES[wanted.state]}{where}", [value for _, value in chosen]
