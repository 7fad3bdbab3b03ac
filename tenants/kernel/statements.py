"""Statements: several queries in one round trip, and rows of several tables in one statement."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Any, Final, Generic, TypeVar, cast

import orjson
from psycopg import Connection as PgConnection
from psycopg import Cursor, RawCursor
from psycopg import Error as PgError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tenants.kernel.arrays import cells

STATEMENTS_KEPT: Final = 256

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
    driver = _driver(connection)
    try:
        answers = [cursor.fetchall() for cursor in _executed(driver, queries)]
    except PgError as error:
        raise _told(connection, driver, error) from error
    return [query.made(rows) for query, rows in zip(queries, answers, strict=True)]


def _driver(connection: Connection) -> "PgConnection[Any]":
    """The driver's own connection, in a transaction."""
    if not connection.in_transaction():
        connection.begin()  # as SQLAlchemy does at a first statement of its own
    return cast("PgConnection[Any]", connection.connection.driver_connection)


def _told(connection: Connection, driver: "PgConnection[Any]", error: PgError) -> DBAPIError:
    """The driver's error as SQLAlchemy raises it."""
    if driver.closed:
        # fails at once: so SQLAlchemy learns of it, and drops the pool's other connections to that server too
        connection.exec_driver_sql("select 1")
    return cast("DBAPIError", DBAPIError.instance("statement", None, error, PgError, dialect=connection.dialect))


def _executed(driver: "PgConnection[Any]", queries: Sequence[Query[Any]]) -> list[Cursor[Any]]:
    """The queries' cursors. Of several failures the first is told, when the pipeline has ended in order.

    A failure may be met while those behind it are being sent; the pipeline's end then tells only that they were passed
    over.
    """
    cursors, failed = list[Cursor[Any]](), list[PgError]()
    try:
        with driver.pipeline():
            try:
                cursors += [driver.execute(query.statement, query.values) for query in queries]
            except PgError as error:
                failed.append(error)
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
    """Rows for one table; ``table``, ``columns`` and the ``conflict`` clause are ours, never a caller's.

    Where the ``kinds`` of the columns are named, see :func:`tenants.kernel.arrays.cells`, the rows travel as columns:
    a third of the work on either side, which is worth it where rows come by the thousand.
    """

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    conflict: str = ""
    kinds: tuple[str, ...] = ()
    made: tuple[Any, ...] | None = None
    """What :func:`made_ready` has made of the rows."""

    @property
    def values(self) -> tuple[Any, ...]:
        """What the statement of :func:`_insert` takes."""
        if self.made is not None:
            return self.made
        if not self.kinds:
            return (_json_rows(self),)
        return tuple(
            [cells(kind, column) for kind, column in zip(self.kinds, zip(*self.rows, strict=True), strict=True)]
        )


def made_ready(write: Write) -> Write:
    """The write with its rows in the form in which they travel: to be made before what others wait for is locked."""
    return replace(write, made=write.values) if write.rows and write.made is None else write


def write_all(connection: Connection, writes: Iterable[Write]) -> None:
    """Insert all rows of all tables in one statement: one round trip, checked and triggered at its end.

    The rows of each table travel as one JSON text or as one array a column, so that the statement is the same for one
    row as for a thousand and stays prepared.

    Raises:
        sqlalchemy.exc.DBAPIError: as for any statement.
    """
    wanted = [write for write in writes if write.rows]
    if not wanted:
        return
    statement = _statement(tuple((write.table, write.columns, write.conflict, write.kinds) for write in wanted))
    values = tuple(value for write in wanted for value in write.values)
    driver = _driver(connection)
    try:
        RawCursor(driver).execute(statement, values)
    except PgError as error:
        raise _told(connection, driver, error) from error


Form = tuple[str, tuple[str, ...], str, tuple[str, ...]]
"""Table, columns, conflict clause and kinds of a write."""


@lru_cache(STATEMENTS_KEPT)
def _statement(forms: tuple[Form, ...]) -> bytes:
    """The statement for these writes, in the server's own form: the driver then has nothing to read in it."""
    numbers = count(1)
    parts = [_insert(form, numbers) for form in forms]
    named = ", ".join(f"w{position} as ({part} returning 1)" for position, part in enumerate(parts[:-1]))
    return (f"with {named} {parts[-1]}" if named else parts[-1]).encode()


def bytea_array(values: Iterable[bytes]) -> str:
    """PostgreSQL's input text of a ``bytea[]``: long arrays are made at once, not value by value by the driver."""
    text = '","'.join([rf"\\x{value.hex()}" for value in values])
    return f'{{"{text}"}}' if text else "{}"


def _insert(form: Form, numbers: Iterator[int]) -> str:
    table, columns, conflict, kinds = form
    named = ", ".join(columns)
    if kinds:
        rows = ", ".join(f"unnest(${next(numbers)}::{kind}[])" for kind in kinds)
        return f"insert into {table} ({named}) select {rows} {conflict}"
    return (
        f"insert into {table} ({named}) "  # noqa: S608 - our own names
        f"select {named} from json_populate_recordset(null::{table}, ${next(numbers)}::json) {conflict}"
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
