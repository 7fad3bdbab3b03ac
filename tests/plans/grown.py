"""Every table of a small database made long, by copies of its own rows with other names, past every check."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

LEFT: Final = frozenset(
    {"tenant", "alembic_version", "instance", "service_clock", "audit_entry", "audit_head", "registry_key_version"}
)
"""What is one of its kind, or the audit chain, which is read in windows from its end."""
KEPT: Final = frozenset({"tenant", "kind", "scheme", "platform", "mode", "state", "purpose", "debtor", "creditor"})
"""Texts of which there are few, whatever the number of rows."""
_COLUMNS: Final = """
select c.oid::regclass::text as of, a.attname as name, a.atttypid::regtype::text as type,
       coalesce((select array_agg(i.indexrelid::bigint) from pg_index i
                  where i.indrelid = c.oid and i.indisunique and a.attnum = any(i.indkey::int2[])), '{}') as unique_in
  from pg_class c join pg_attribute a on a.attrelid = c.oid
   and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1, a.attnum
"""
_OTHER: Final = {
    "integer": "{0} + 100000 * k.k", "bigint": "{0} + 100000 * k.k", "date": "{0} + k.k",
    "timestamp with time zone": "{0} + k.k * interval '1 second'", "bytea": "sha256({0} || k.k::text::bytea)",
}  # fmt: skip
"""How a value becomes another one, for each ``k`` another."""


@dataclass(frozen=True)
class Column:
    """A column, and the unique indexes that it is part of."""

    name: str
    type: str
    unique_in: frozenset[int]

    @property
    def is_name(self) -> bool:
        """Whether each copy has a value of its own, whatever else it has."""
        named = self.type == "text" and self.unique_in and self.name not in KEPT
        return self.type == "uuid" or bool(named)

    def copied(self, *, apart: bool) -> str:
        """Its value in a copy; ``apart`` where nothing else would tell the copies from each other."""
        if self.type == "uuid":
            return f"md5(k.k || {self.name}::text)::uuid"
        if self.is_name:
            return f"{self.name} || '-' || k.k"
        return _OTHER[self.type].format(self.name) if apart and self.type in _OTHER else self.name


def unchecked(connection: Connection) -> None:
    """Take the checks of all tables away, but for their keys: the database is the test's own."""
    rows = connection.exec_driver_sql(
        "select conrelid::regclass::text, conname from pg_constraint where contype in ('c', 'f', 'x') "
        "and conrelid <> 0 and connamespace = 'public'::regnamespace"
    ).all()
    for table, name in rows:
        connection.exec_driver_sql(f'alter table {table} drop constraint if exists "{name}" cascade')
    for table in columns_of(connection):
        connection.exec_driver_sql(f"alter table {table} disable trigger user")


def columns_of(connection: Connection) -> dict[str, list[Column]]:
    """Each table's columns."""
    found: dict[str, list[Column]] = {}
    for row in connection.exec_driver_sql(_COLUMNS):
        found.setdefault(row.of, []).append(Column(row.name, row.type, frozenset(row.unique_in)))
    return found


def grow(connection: Connection, copies: int) -> dict[str, int]:
    """So many copies of the rows of each table; how many each then has, of those that had any.

    The copies with one number hang together as the first rows do: ids are renamed alike in all tables.
    """
    grown = {}
    for table, columns in columns_of(connection).items():
        if table not in LEFT:
            connection.exec_driver_sql(_copying(table, columns), (copies,))
            count = connection.exec_driver_sql(f'select count(*) from "{table}"').scalar_one()  # noqa: S608 - ours
            if count:
                grown[table] = count
    return grown


def _copying(table: str, columns: list[Column]) -> str:
    told_apart = {index for column in columns if column.is_name for index in column.unique_in}
    values = ", ".join(one.copied(apart=bool(one.unique_in - told_apart)) for one in columns)
    names = ", ".join(one.name for one in columns)
    return (
        f"insert into {table} ({names}) select {values} from {table}, generate_series(1, %s) k(k) "  # noqa: S608 - ours
        "on conflict do nothing"
    )
