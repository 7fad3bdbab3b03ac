"""What `COPY` alone takes for every row that a use case has stored, in all of its tables.

The tables that have grown are copied into a schema of their own, each with its primary key and nothing else: no other
index, no reference, no trigger, no row-level security. What the registry holds goes in sorted.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg import sql

from tests.benchmarks.baselines import Server, bare_schema, no_figure

SORTED: Final = frozenset({"registry_key", "registry_holding"})
"""Tables with a random primary key; those go in by a staging table."""
Bare = psycopg.Connection[tuple[Any, ...]]


def counts(server: Server, tenants: str) -> dict[str, int]:
    """Rows of each table, as the owner bound to these tenants sees them."""
    with server.connect() as connection, connection.transaction():
        _bind(connection, tenants)
        names = [
            name
            for (name,) in connection.execute(
                "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') "
                "and not relispartition order by relname"
            )
        ]
        return {name: _one(connection, sql.SQL("select count(*) from {}").format(_table(name))) for name in names}


def copy_every_row(server: Server, tenants: str, before: Mapping[str, int]) -> tuple[float, dict[str, int]]:
    """Seconds for the rows of the tables that have grown since ``before``, and how many rows each has now."""
    after = {name: rows for name, rows in counts(server, tenants).items() if rows > before.get(name, 0)}
    with bare_schema(server, "create schema bare") as connection:
        seconds = 0.0
        for name in after:
            with connection.transaction():
                _bind(connection, tenants)
                rows = b"".join(_copied_out(connection, name))
                connection.execute(sql.SQL("create table {} (like {})").format(_bare(name), _table(name)))
                columns = _key(connection, name)
                connection.execute(sql.SQL("alter table {} add primary key ({})").format(_bare(name), columns))
            seconds += _copy_in(connection, name, rows, columns)
        stored = {name: _one(connection, sql.SQL("select count(*) from {}").format(_bare(name))) for name in after}
    if stored != after:
        no_figure(f"copied {stored}, wanted {after}")
    return seconds, after


def _copy_in(connection: Bare, name: str, rows: bytes, columns: sql.Composable) -> float:
    into, ordered = _bare(name), None
    if name in SORTED:
        into, ordered = _bare(f"{name}_staging"), columns
        connection.execute(sql.SQL("create table {} (like {})").format(into, _table(name)))
    begun = time.perf_counter()
    with connection.transaction():
        with connection.cursor().copy(sql.SQL("copy {} from stdin (format binary)").format(into)) as copy:
            copy.write(rows)
        if ordered is not None:
            command = sql.SQL("insert into {} select * from {} order by {} on conflict do nothing")
            connection.execute(command.format(_bare(name), into, ordered))
    return time.perf_counter() - begun


def _copied_out(connection: Bare, name: str) -> list[bytes]:
    command = sql.SQL("copy (select * from {}) to stdout (format binary)").format(_table(name))
    with connection.cursor().copy(command) as copy:
        return [bytes(block) for block in copy]


def _key(connection: Bare, name: str) -> sql.Composable:
    """The columns of the table's primary key."""
    found = connection.execute(
        "select a.attname from pg_index i cross join unnest(i.indkey) with ordinality k (attnum, place) "
        "join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum "
        "where i.indrelid = %s::regclass and i.indisprimary order by k.place",
        (f"public.{name}",),
    )
    return sql.SQL(", ").join([sql.Identifier(column) for (column,) in found])


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("public", name)


def _bare(name: str) -> sql.Identifier:
    return sql.Identifier("bare", name)


def _bind(connection: Bare, tenants: str) -> None:
    connection.execute("select * from bind_scope(%s, null)", (tenants,))


def _one(connection: Bare, command: sql.Composed) -> int:
    found = connection.execute(command).fetchone()
    return 0 if found is None else int(found[0])
