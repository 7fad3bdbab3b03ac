"""One read-only picture of the whole database, read in streams: memory does not grow with the number of rows."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy.engine import make_url

ROWS_AT_ONCE: Final = 2000
WIDE_ROWS_AT_ONCE: Final = 250
"""For rows of some kilobytes each."""

Row = Any
"""A named tuple; its fields are the statement's columns."""


class Snapshot:
    """A connection within one snapshot; ``tally`` counts what was looked at, by the names people read."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.tally: Counter[str] = Counter()

    def stream(self, statement: str, *values: object, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[Row]:
        """The rows, through a cursor on the server."""
        name = f"verification_{next(self._numbers)}"
        with self._connection.cursor(name, row_factory=namedtuple_row, binary=True) as cursor:
            cursor.itersize = rows_at_once
            cursor.execute(statement.encode(), values or None)
            yield from cursor

    def rows(self, statement: str, *values: object) -> list[Row]:
        """All rows at once, of what is known to be few."""
        with self._connection.cursor(row_factory=namedtuple_row, binary=True) as cursor:
            return cursor.execute(statement.encode(), values or None).fetchall()

    def counted(self, name: str, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows, each counted under the name."""
        for row in rows:
            self.tally[name] += 1
            yield row


@contextmanager
def open_snapshot(auditor_url: str) -> Iterator[Snapshot]:
    """The database as it is now, for the role that reads every tenant's rows and writes none.

    Raises:
        psycopg.Error: the database is away, or the role does not see all rows.
    """
    url = make_url(auditor_url)
    given: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**given) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        # without the right to see all rows this makes every statement fail, where it would else read fewer rows
        connection.execute("set local row_security = off")
        connection.execute("set local timezone = 'UTC'")
        connection.execute("set local statement_timeout = 0")
        yield Snapshot(connection)
        connection.rollback()


def together(streams: Mapping[str, Iterator[Row]]) -> Iterator[tuple[Any, dict[str, list[Row]]]]:
    """The rows of several streams that share their first two columns, the streams being ordered by these.

    A key that stands in any stream comes exactly once; streams without it give an empty list.
    """
    waiting = {name: next(rows, None) for name, rows in streams.items()}
    while True:
        keys = [(row[0], row[1]) for row in waiting.values() if row is not None]
        if not keys:
            return
        key = min(keys)
        tenant, subject = key
        found: dict[str, list[Row]] = {}
        for name, first in waiting.items():
            row, rows = first, []
            while row is not None and row[1] == subject and row[0] == tenant:
                rows.append(row)
                row = next(streams[name], None)
            waiting[name], found[name] = row, rows
        yield key, found
