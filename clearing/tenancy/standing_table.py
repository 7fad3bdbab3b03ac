"""Tables of standings (资格, 入库): rows of one party in a scheme that people enter and others decide, never deleted.

A table's rows are a dataclass whose field names are the columns'; both tables are read, locked, listed, stored and
told of in the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import not_found
from tenants.kernel.statements import insert_rows


class StandingRow(Protocol):
    """What every such row has."""

    @property
    def tenant(self) -> str:
        """Whose it is."""

    @property
    def id(self) -> UUID:
        """Its own; later rows have greater ones."""

    @property
    def uscc(self) -> str:
        """The party's credit code."""

    @property
    def state(self) -> str:
        """As it is stored; what has ended by its day is still ``admitted``."""

    @property
    def reason(self) -> str | None:
        """Why it was decided so."""


Row = TypeVar("Row", bound=StandingRow)


@dataclass(frozen=True, slots=True)
class StandingTable(Generic[Row]):
    """The table ``name`` of rows ``row``, which a reader calls ``zh``.

    ``scope``: the columns that say, with the tenant's first, in which list the party stands once. ``filters``: columns
    by which the list is filtered, with their types.
    """

    name: str
    zh: str
    row: type[Row]
    scope: tuple[str, ...]
    filters: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns, in the order of the row's fields."""
        return tuple(field.name for field in fields(self.row))  # type: ignore[arg-type] # rows are dataclasses

    def data(self, row: Row) -> dict[str, Any]:
        """The row as plain JSON, as it is stored."""
        return {name: plain(getattr(row, name)) for name in self.columns}

    def locked(self, connection: Connection, scope: tuple[object, ...], usccs: Sequence[str]) -> dict[str, list[Row]]:
        """What the parties have in the list, locked, the oldest first."""
        rows = connection.exec_driver_sql(
            f"{self._select} where {self._scoped} and uscc = any(%s) order by id for no key update",
            (*scope, list(usccs)),
        )
        found: dict[str, list[Row]] = {}
        for row in rows:
            made = self.row(*row)
            found.setdefault(made.uscc, []).append(made)
        return found

    def of_party(self, connection: Connection, scope: tuple[object, ...], uscc: str) -> list[Row]:
        """What the party has in the list, the latest first.

        Raises:
            NotFound: it has nothing there.
        """
        rows = connection.exec_driver_sql(
            f"{self._select} where {self._scoped} and uscc = %s order by id desc", (*scope, uscc)
        ).all()
        if not rows:
            raise not_found(self.zh, self.name)
        return [self.row(*row) for row in rows]

    def listed(
        self, connection: Connection, tenant: str, wanted: Mapping[str, Any], after: UUID | None, limit: int
    ) -> list[Row]:
        """At most ``limit`` rows of the tenant behind the id, filtered by what is given of ``filters``."""
        where, values = self._found(wanted)
        rows = connection.exec_driver_sql(
            f"{self._select} where tenant = %s{where} and (%s::uuid is null or id > %s) order by id limit %s",
            (tenant, *values, after, after, limit),
        )
        return [self.row(*row) for row in rows]

    def total(self, connection: Connection, tenant: str, wanted: Mapping[str, Any], most: int | None) -> tuple[int]:
        """How many rows :meth:`listed` lists, counted up to ``most``."""
        where, values = self._found(wanted)
        count: int = connection.exec_driver_sql(
            f"select count(*) from (select 1 from {self.name} where tenant = %s{where} limit %s) found",  # noqa: S608 - our own names
            (tenant, *values, most),
        ).scalar_one()
        return (count,)

    def store(self, work: Work, actor: str, steps: Sequence[tuple[str, Row | None, Row]]) -> None:
        """Store what became of the rows, and tell of each step: its name, the row before it, if any, and behind it."""
        columns, fixed = self.columns, {"id", "uscc", *self.scope}
        replaced = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in fixed)
        values = [tuple(getattr(after, name) for name in columns) for _, _, after in steps]
        insert_rows(work.connection, self.name, columns, values, f"{_AGAIN}{replaced}")
        record(work.connection, [self._change(actor, *step) for step in steps], work.at)

    def _change(self, actor: str, act: str, before: Row | None, after: Row) -> Change:
        return Change(
            after.tenant,
            actor,
            f"{self.name}.{act}",
            after.id,
            None if before is None else before.state,
            after.state,
            after.reason,
            {"after": self.data(after)},
        )

    @property
    def _select(self) -> str:
        return f"select {', '.join(self.columns)} from {self.name}"  # noqa: S608 - our own names

    @property
    def _scoped(self) -> str:
        return " and ".join(f"{column} = %s" for column in self.scope)

    def _found(self, wanted: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Conditions for what is given of ``filters``, each behind an ``and``, and their values."""
        given = [column for column in self.filters if wanted.get(column) is not None]
        return "".join(f" and {column} = %s" for column in given), [wanted[column] for column in given]


_AGAIN: Final = "on conflict (tenant, id) do update set "
