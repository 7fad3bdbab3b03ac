"""A clearing cycle (清算周期) as stored: a window that takes debts in while it is open, then its matrix and positions.

One window of a set is open at a time. Whoever posts a debt holds the open window until the commit, so that closing
waits; a posting that comes while a window is closed finds the next one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.cycles.netting import Cell
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Unavailable, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money

CURRENCY: Final = "CNY"
LOOKS: Final = 100
"""How often a posting looks for an open window: each look finds one unless it was closed at that very moment."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """One row of ``clearing_cycle``; the field names are the columns'."""

    id: UUID
    agreement_set: str
    currency: str
    cycle_no: int
    state: str
    opened_by: str
    opened_at: datetime
    closed_by: str | None = None
    closed_at: datetime | None = None
    confirmed_at: datetime | None = None
    settled_by: str | None = None
    settled_at: datetime | None = None

    @property
    def name(self) -> str:
        """The cycle as people call it, and as the ledger gives it for a reason."""
        return f"CY-{self.agreement_set}-{self.cycle_no:04d}"

    def json(self) -> dict[str, Json]:
        """The cycle in the form of the API."""
        return {"cycle": self.name, **{column: plain(getattr(self, column)) for column in COLUMNS}}


@dataclass(frozen=True, slots=True)
class StoredPosition:
    """One row of ``clearing_position``; ``net``: negative where the tenant has to pay."""

    tenant: str
    payable: Money
    receivable: Money
    net: Money
    confirmed_by: str | None
    confirmed_at: datetime | None

    def json(self) -> dict[str, Json]:
        """The position in the form of the API."""
        return {
            "tenant": self.tenant,
            "payable": str(self.payable),
            "receivable": str(self.receivable),
            "net": str(self.net),
            "confirmed_by": self.confirmed_by,
            "confirmed_at": plain(self.confirmed_at),
        }


COLUMNS: Final = tuple(field.name for field in fields(Cycle))
_LIST: Final = ", ".join(COLUMNS)


def find_cycle(connection: Connection, cycle_id: UUID, *, lock: bool = False) -> Cycle:
    """The cycle; locked, of two people who act at once one sees what the other did.

    Raises:
        NotFound: there is none.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from clearing_cycle where id = %s" + (" for no key update" if lock else ""),  # noqa: S608
        (cycle_id,),
    ).one_or_none()
    if row is None:
        raise not_found("清算周期", "clearing cycle")
    return Cycle(*row)


def shown_cycle(connection: Connection, cycle_id: UUID) -> Cycle:
    """The cycle, which is of a set that one of the bound tenants is in.

    Raises:
        NotFound: there is none, or it concerns none of them: the answer is the same.
    """
    row = connection.exec_driver_sql(
        f"select {_LIST} from clearing_cycle where id = %s and {_CONCERNED}",  # noqa: S608 - our own columns
        (cycle_id,),
    ).one_or_none()
    if row is None:
        raise not_found("清算周期", "clearing cycle")
    return Cycle(*row)


_CONCERNED: Final = (
    "exists (select 1 from agreement a where a.agreement_set = clearing_cycle.agreement_set and a.state = 'approved')"
)
"""Row-level security shows of the agreements the bound tenants' own."""


def list_cycles(connection: Connection, filters: dict[str, str], after: UUID | None, limit: int) -> list[Cycle]:
    """At most ``limit`` cycles of the bound tenants' sets, newest first; ``filters``: any of state, agreement_set."""
    where, values = _wanted(filters)
    if after is not None:
        where.append("id < %s::uuid")
        values.append(str(after))
    rows = connection.exec_driver_sql(
        f"select {_LIST} from clearing_cycle where {' and '.join(where)} order by id desc limit %s",  # noqa: S608
        (*values, limit),
    )
    return [Cycle(*row) for row in rows]


def cycle_totals(
    connection: Connection, filters: dict[str, str], tenants: Sequence[str], most: int | None = None
) -> tuple[int, Money]:
    """How many cycles there are of these, and what is owed in them as far as it concerns the tenants.

    Of ``most`` of them, where that is given.

    Of closed windows the matrices are added up, of the open ones their debts.
    """
    where, values = _wanted(filters)
    mine = "(m.tenant = any(%s) or m.creditor = any(%s))"
    count, fen = connection.exec_driver_sql(
        f"with wanted as (select id, state from clearing_cycle where {' and '.join(where)} limit %s) "  # noqa: S608
        "select (select count(*) from wanted), "
        f"coalesce((select sum(m.gross_fen) from clearing_cell m join wanted w on w.id = m.cycle_id where {mine}), 0)"
        "::bigint + coalesce((select sum(m.amount_fen) from clearing_debt m join wanted w on w.id = m.cycle_id "
        f"and w.state = 'open' where {mine}), 0)::bigint",
        (*values, most, list(tenants), list(tenants), list(tenants), list(tenants)),
    ).one()
    return count, Money(fen)


def gross_of(connection: Connection, cycles: Sequence[Cycle], tenants: Sequence[str]) -> dict[UUID, tuple[int, Money]]:
    """Of each of these cycles, how many debts it holds that concern the tenants, and their sum; not of empty ones."""
    mine = "(tenant = any(%s) or creditor = any(%s))"
    still_open = [cycle.id for cycle in cycles if cycle.state == "open"]
    rows = connection.exec_driver_sql(
        "select cycle_id, sum(debts)::integer, sum(gross_fen)::bigint from clearing_cell "  # noqa: S608 - our own
        f"where cycle_id = any(%s) and {mine} group by 1 union all "
        "select cycle_id, count(*)::integer, sum(amount_fen)::bigint from clearing_debt "
        f"where cycle_id = any(%s) and {mine} group by 1",
        ([cycle.id for cycle in cycles], list(tenants), list(tenants), still_open, list(tenants), list(tenants)),
    )
    return {cycle_id: (debts, Money(fen)) for cycle_id, debts, fen in rows}


def _wanted(filters: dict[str, str]) -> tuple[list[str], list[str]]:
    columns = [column for column in ("state", "agreement_set") if column in filters]
    return [_CONCERNED, *(f"{column} = %s" for column in columns)], [filters[column] for column in columns]


def ensure_open(
    connection: Connection, agreement_set: str, witnesses: Iterable[str], actor: str, at: datetime
) -> Cycle:
    """The set's open window, opened now where there is none; the opening is told to the chains of the witnesses."""
    number: int = connection.exec_driver_sql(
        "select coalesce(max(cycle_no), 0) + 1 from clearing_cycle where agreement_set = %s and currency = %s",
        (agreement_set, CURRENCY),
    ).scalar_one()
    made = Cycle(new_id(), agreement_set, CURRENCY, number, "open", actor, at)
    stored = connection.exec_driver_sql(
        "insert into clearing_cycle (id, agreement_set, currency, cycle_no, state, opened_by, opened_at) "
        "values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
        (made.id, made.agreement_set, made.currency, made.cycle_no, made.state, actor, at),
    )
    if stored.rowcount != 1:
        return find_cycle(connection, hold_open(connection, agreement_set))
    details: dict[str, Json] = {"cycle": made.name, "agreement_set": agreement_set, "currency": CURRENCY}
    record(
        connection,
        [
            Change(tenant, actor, "cycle.opened", made.id, None, "open", details=details)
            for tenant in sorted(set(witnesses))
        ],
        at,
    )
    return made


def hold_open(connection: Connection, agreement_set: str) -> UUID:
    """The set's open window, held open until the transaction ends; one that is being closed is waited for.

    Raises:
        Conflict: ``cycle.none_open``: the set has none, so no agreement of it was ever approved.
        Unavailable: windows are closed faster than this could take one.
    """
    known = connection.exec_driver_sql(
        "select 1 from clearing_cycle where agreement_set = %s and currency = %s limit 1", (agreement_set, CURRENCY)
    ).first()
    if known is None:
        raise Conflict("cycle.none_open", "该协议组尚无清算周期。", "The agreement set has no clearing cycle yet.")
    queue_up(connection, agreement_set, closing=False)
    for _ in range(LOOKS):
        # a window that was closed while this waited is no row any more; the next look sees the one after it
        found = connection.exec_driver_sql(
            "select id from clearing_cycle where agreement_set = %s and currency = %s and state = 'open' for share",
            (agreement_set, CURRENCY),
        ).scalar_one_or_none()
        if isinstance(found, UUID):
            return found
    raise Unavailable("cycle.busy", "清算周期正在切换，请重试。", "The window is changing hands; please try again.")


def queue_up(connection: Connection, agreement_set: str, *, closing: bool) -> None:
    """Wait in one queue until the transaction ends: postings pass side by side, a closing after those before it.

    Without it a window to which somebody is always posting would never be closed: row locks that are shared let every
    new posting in before the closing.
    """
    lock = "pg_advisory_xact_lock" if closing else "pg_advisory_xact_lock_shared"
    connection.exec_driver_sql(
        f"select {lock}(hashtextextended('clearing_cycle/' || %s, 0))",
        (f"{agreement_set}/{CURRENCY}",),
    )


def cells_of(connection: Connection, cycle_id: UUID, tenants: Sequence[str]) -> list[Cell]:
    """The gross matrix as far as it concerns the tenants: of a closed window as stored."""
    rows = connection.exec_driver_sql(
        "select tenant, creditor, netting, debts, gross_fen from clearing_cell where cycle_id = %s "
        "and (tenant = any(%s) or creditor = any(%s)) order by tenant, creditor, netting",
        (cycle_id, list(tenants), list(tenants)),
    )
    return [Cell(tenant, creditor, netting, debts, Money(fen)) for tenant, creditor, netting, debts, fen in rows]


def cells_of_debts(connection: Connection, cycle_id: UUID, tenants: Sequence[str]) -> list[Cell]:
    """The gross matrix of the window's debts as they are now, as far as it concerns the tenants."""
    rows = connection.exec_driver_sql(
        "select tenant, creditor, netting, count(*), sum(amount_fen)::bigint from clearing_debt "
        "where cycle_id = %s and (tenant = any(%s) or creditor = any(%s)) group by 1, 2, 3 order by 1, 2, 3",
        (cycle_id, list(tenants), list(tenants)),
    )
    return [Cell(tenant, creditor, netting, debts, Money(fen)) for tenant, creditor, netting, debts, fen in rows]


def positions_of(connection: Connection, cycle_id: UUID, tenants: Sequence[str]) -> list[StoredPosition]:
    """The tenants' positions in a closed window."""
    rows = connection.exec_driver_sql(
        "select tenant, payable_fen, receivable_fen, net_fen, confirmed_by, confirmed_at from clearing_position "
        "where cycle_id = %s and tenant = any(%s) order by tenant",
        (cycle_id, list(tenants)),
    )
    return [
        StoredPosition(tenant, Money(payable), Money(receivable), Money(net), by, at)
        for tenant, payable, receivable, net, by, at in rows
    ]


def change_cycle(connection: Connection, cycle: Cycle, **values: Any) -> None:  # noqa: ANN401 - by column
    """Write the columns; the cycle must be locked."""
    assigned = ", ".join(f"{column} = %s" for column in values)
    connection.exec_driver_sql(
        f"update clearing_cycle set {assigned} where id = %s",  # noqa: S608 - our own columns
        (*values.values(), cycle.id),
    )
