"""Statements: several queries in one round trip, and rows of several tables in one statement."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import orjson
from psycopg import Connection as PgConnection
from psycopg import Cursor
from psycopg import Error as PgError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Query(Generic[Result]):
    """A statement with its values, and what is made of the rows that it answers."""

    statement: str
    values: tuple[Any, ...]
    made: Callable[[Sequence[Any]], Result]


def read_all(connection: Connection, *queries: Query[Any]) -> list[Any]:
    """Run the queries in their order in one round trip, each seeing what those before it did.

    Raises:
        sqlalchemy.exc.DBAPIError: as for any statement; the transaction is then over.
    """
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy does at a first statement of its own
    driver = cast("PgConnection[Any]", connection.connection.driver_connection)
    try:
        answers = [cursor.fetchall() for cursor in _executed(driver, queries)]
    except PgError as error:
        if driver.closed:
            # fails at once: so SQLAlchemy learns of it, and drops the pool's other connections to that server too
            connection.exec_driver_sql("select 1")
        raise DBAPIError.instance("pipeline", None, error, PgError, dialect=connection.dialect) from error
    return [query.made(rows) for query, rows in zip(queries, answers, strict=True)]


def _executed(driver: "PgConnection[Any]", queries: Sequence[Query[Any]]) -> list[Cursor[Any]]:
    """The queries' cursors. Should one fail before all are sent, it is told when the pipeline has ended in order."""
    cursors, failed = list[Cursor[Any]](), list[PgError]()
    with driver.pipeline():
        try:
            cursors += [driver.execute(query.statement, query.values) for query in queries]
        except PgError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return cursors


def read(connection: Connection, query: Query[Result]) -> Result:
    """Run one query."""
    return cast("Result", read_all(connection, query)[0])


def insert_rows(
    connection: Connection, table: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]], conflict: str = ""
) -> None:
    """Insert the rows in one statement; ``table``, ``columns`` and the ``conflict`` clause are ours, never a caller's.

    They travel as one JSON text, so that the statement is the same for one row as for a thousand and stays prepared.
    """
    write_all(connection, [Write(table, columns, rows, conflict)])


@dataclass(frozen=True, slots=True)
class Write:
    """Rows for one table; ``table``, ``columns`` and the ``conflict`` clause are ours, never a caller's."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    conflict: str = ""


def write_all(connection: Connection, writes: Iterable[Write]) -> None:
    """Insert all rows of all tables in one statement: one round trip, checked and triggered at its end.

    The rows of each table travel as one JSON text, so that the statement is the same for one row as for a thousand and
    stays prepared.
    """
    wanted = [write for write in writes if write.rows]
    if not wanted:
        return
    parts = [f"{_insert(write)} returning 1" for write in wanted[:-1]]
    named = ", ".join(f"w{position} as ({part})" for position, part in enumerate(parts))
    statement = f"with {named} {_insert(wanted[-1])}" if named else _insert(wanted[-1])
    connection.exec_driver_sql(statement, tuple(_json_rows(write) for write in wanted))


def bytea_array(values: Iterable[bytes]) -> str:
    """PostgreSQL's input text of a ``bytea[]``: long arrays are made at once, not value by value by the driver."""
    text = '","'.join([rf"\\x{value.hex()}" for value in values])
    return f'{{"{text}"}}' if text else "{}"


def _insert(write: Write) -> str:
    columns = ", ".join(write.columns)
    return (
        f"insert into {write.table} ({columns}) "  # noqa: S608 - our own names
        f"select {columns} from json_populate_recordset(null::{write.table}, %s::json) {write.conflict}"
    )


def _json_rows(write: Write) -> str:
    if any(float in map(type, row) for row in write.rows):
        raise TypeError("no column takes a float")  # and NaN would arrive as null
    rows = [dict(zip(write.columns, row, strict=True)) for row in write.rows]
    return orjson.dumps(rows, _as_text, orjson.OPT_PASSTHROUGH_SUBCLASS).decode()


def _as_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON has no form for
    """PostgreSQL's input text of a value that JSON lacks."""
    if isinstance(value, bytes | memoryview):
        return "\\x" + bytes(value).hex()
    raise TypeError(f"no column takes a {type(value).__name__}")


def of_each_tenant(columns: str, table: str, where: str, *, newest_first: bool = False) -> str:
    """A page of several tenants' rows by their ids: each tenant's own first ones, in the order of its primary key.

    Its values: the tenants, what ``where`` asks for, and twice how many rows. Nothing is sorted but these few: an order
    over ``tenant = any(…)`` would read and sort all that the tenants have.
    """
    order = "id desc" if newest_first else "id"
    return (
        f"select r.* from unnest(%s::text[]) t (bound) cross join lateral (select {columns} from {table} "  # noqa: S608
        f"where tenant = t.bound and {where} order by {order} limit %s) r order by r.{order} limit %s"
    )
