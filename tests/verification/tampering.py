"""Hand-made changes of single rows, past every constraint and trigger, and what the auditor says of them.

All of it happens in one transaction of the schema's owner that is never committed: each change is undone exactly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from clearing.verification import Difference
from clearing.verification.examination import row_differences
from clearing.verification.snapshot import Snapshot
from tests.verification.story import Story

Row = dict[str, Any]


@dataclass
class Tamperer:
    """The owner's connection, and the story it spoils."""

    connection: "psycopg.Connection[Row]"
    story: Story
    generated: frozenset[tuple[str, str]]
    keys: dict[str, tuple[str, ...]]
    parents: dict[str, frozenset[str]]
    """The columns of each table that name another table's row."""

    def rows(self, table: str, where: str = "true", limit: int = 3) -> list[Row]:
        """Rows of the table that meet the condition, those with the fewest empty columns first."""
        columns = self.connection.execute(sql.SQL("select * from {} limit 0").format(sql.Identifier(table)))
        names = [column.name for column in columns.description or ()]
        order = sql.SQL(", ").join(map(sql.Identifier, names))
        key = sql.SQL(", ").join(map(sql.Identifier, self.keys[table]))
        statement = sql.SQL("select * from {} where {} order by num_nulls({}), {} limit {}").format(
            sql.Identifier(table), sql.SQL(where), order, key, limit
        )
        return self.connection.execute(statement).fetchall()

    def found_after_update(self, table: str, row: Row, column: str, value: Any) -> list[Difference]:
        """What the auditor finds when one column of the row holds the value."""
        statement = sql.SQL("update {} set {} = %s where {}").format(
            sql.Identifier(table), sql.Identifier(column), self._where(table)
        )
        return self._found(statement, (value, *(row[key] for key in self.keys[table])))

    def found_after_delete(self, table: str, row: Row) -> list[Difference]:
        """What the auditor finds when the row is gone."""
        statement = sql.SQL("delete from {} where {}").format(sql.Identifier(table), self._where(table))
        return self._found(statement, tuple(row[key] for key in self.keys[table]))

    def found_after_insert(self, table: str, row: Row) -> list[Difference]:
        """What the auditor finds when the row stands there as well."""
        return self._found(*self._insert(table, row))

    def found_after_swap(self, table: str, first: Row, second: Row) -> list[Difference]:
        """What the auditor finds when two rows have exchanged what they say, each with its own key and parents."""
        keys, kept = self.keys[table], self.kept(table)
        with self.connection.transaction(force_rollback=True):
            for row in (first, second):
                self.connection.execute(
                    sql.SQL("delete from {} where {}").format(sql.Identifier(table), self._where(table)),
                    tuple(row[key] for key in keys),
                )
            for row, other in ((first, second), (second, first)):
                self.connection.execute(*self._insert(table, other | {key: row[key] for key in kept}))
            return self._look()

    def kept(self, table: str) -> frozenset[str]:
        """The columns that a swap leaves: the key, other tables' keys, and what the database works out."""
        generated = {column for of, column in self.generated if of == table}
        return frozenset({*self.keys[table], *self.parents.get(table, ()), *generated})

    def _insert(self, table: str, row: Row) -> tuple[sql.Composed, tuple[Any, ...]]:
        given = {name: value for name, value in row.items() if (table, name) not in self.generated}
        statement = sql.SQL("insert into {} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, given)),
            sql.SQL(", ").join([sql.Placeholder()] * len(given)),
        )
        return statement, tuple(given.values())

    def _where(self, table: str) -> sql.Composed:
        return sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(key)) for key in self.keys[table])

    def _found(self, statement: sql.Composed, values: tuple[Any, ...]) -> list[Difference]:
        with self.connection.transaction(force_rollback=True):
            assert self.connection.execute(statement, values).rowcount == 1
            return self._look()

    def _look(self) -> list[Difference]:
        snapshot = Snapshot(self.connection)
        return list(row_differences(snapshot, self.story.secrets_folder, self.story.checkpoints_folder))

    def sound(self) -> list[Difference]:
        """What the auditor finds when nothing is changed."""
        return self._look()


@contextmanager
def tampering(story: Story) -> Iterator[Tamperer]:
    """The owner, with every constraint dropped and every trigger off."""
    url = make_url(story.addresses.owner_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given, row_factory=dict_row) as connection:
        connection.execute("set local timezone = 'UTC'")
        connection.execute("select bind_scope(%s, null)", (",".join(story.tenants),))
        keys = _keys(connection)
        generated = frozenset(
            (row["table_name"], row["column_name"])
            for row in connection.execute(
                "select table_name, column_name from information_schema.columns "
                "where table_schema = 'public' and is_generated = 'ALWAYS'"
            )
        )
        parents = _parents(connection)
        _disarm(connection)
        yield Tamperer(connection, story, generated, keys, parents)
        connection.rollback()


def _keys(connection: "psycopg.Connection[Row]") -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        "select c.relname, array_agg(a.attname order by k.place)::text[] as columns from pg_constraint p "
        "join pg_class c on c.oid = p.conrelid cross join lateral unnest(p.conkey) with ordinality k (number, place) "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number "
        "where p.contype = 'p' and c.relnamespace = 'public'::regnamespace group by c.relname"
    )
    return {row["relname"]: tuple(row["columns"]) for row in rows}


def _parents(connection: "psycopg.Connection[Row]") -> dict[str, frozenset[str]]:
    rows = connection.execute(
        "select c.relname, array_agg(distinct a.attname)::text[] as columns from pg_constraint p "
        "join pg_class c on c.oid = p.conrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(p.conkey) "
        "where p.contype = 'f' and c.relnamespace = 'public'::regnamespace group by c.relname"
    )
    return {row["relname"]: frozenset(row["columns"]) for row in rows} | _BY_TRIGGER


_BY_TRIGGER: Final = {"ledger_transfer": frozenset({"debit", "credit", "amount_fen", "pending_id", "reverses"})}
"""Other rows' keys that a trigger looks up for a whole statement, where a foreign key would row by row."""


def _disarm(connection: "psycopg.Connection[Row]") -> None:
    constraints = connection.execute(
        "select c.relname, p.conname from pg_constraint p join pg_class c on c.oid = p.conrelid "
        "where c.relnamespace = 'public'::regnamespace and p.contype <> 't' order by position(p.contype::text in 'fcupn')"
    ).fetchall()
    for row in constraints:
        connection.execute(
            sql.SQL("alter table {} drop constraint if exists {} cascade").format(
                sql.Identifier(row["relname"]), sql.Identifier(row["conname"])
            )
        )
    indexes = connection.execute(
        "select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid "
        "where c.relnamespace = 'public'::regnamespace and i.indisunique"
    ).fetchall()
    for row in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(row["name"])))
    tables = connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    ).fetchall()
    for row in tables:
        table = sql.Identifier(row["relname"])
        connection.execute(sql.SQL("alter table {} disable trigger user").format(table))
        connection.execute(sql.SQL("alter table {} no force row level security").format(table))


def other_values(value: Any, kind: str) -> list[Any]:
    """Values that a column of this type might hold instead, none of them what it holds."""
    if value is None:
        return [_SOMETHING[kind]]
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1]
        case str():
            return [value + "x"]
        case UUID():
            return [uuid4()]
        case bytes():
            return [value[:-1] + bytes([value[-1] ^ 1]) if value else b"\1"]
        case datetime():
            return [value + timedelta(seconds=1)]
        case date():
            return [value + timedelta(days=1)]
        case list():
            return [[*value, "x"] if kind == "text[]" else value[:-1]]
        case _:
            raise TypeError(f"no other value for {type(value).__name__}")


_SOMETHING: dict[str, Any] = {
    "text": "x",
    "boolean": True,
    "integer": 1,
    "bigint": 1,
    "smallint": 1,
    "uuid": UUID(int=1),
    "bytea": b"\1" * 32,
    "date": date(2024, 1, 1),
    "timestamp with time zone": datetime.fromisoformat("2024-01-01T00:00:00+00:00"),
    "text[]": ["x"],
    "date[]": [date(2024, 1, 1)],
}
