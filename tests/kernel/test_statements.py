"""Several queries in one round trip, and rows that arrive exactly as they were given."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors as pg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from tenants.kernel.database import broken_constraint
from tenants.kernel.money import Money
from tenants.kernel.statements import Query, Write, insert_rows, read, read_all, write_all

COLUMNS = ("id", "text", "number", "flag", "day", "at", "bytes", "words", "days", "numbers", "ids")
SCRATCH = (
    "create table scratch (id uuid primary key, text text, number bigint, flag boolean, day date, at timestamptz, "
    "bytes bytea, words text[], days date[], numbers bigint[], ids uuid[])"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBER = st.integers(-(2**63), 2**63 - 1)
DAY = st.dates(date(1, 1, 1), date(9999, 12, 31))
INSTANT = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001 - zone given
ROW = st.tuples(
    st.uuids(),
    st.none() | TEXT,
    st.none() | NUMBER,
    st.none() | st.booleans(),
    st.none() | DAY,
    st.none() | INSTANT,
    st.none() | st.binary(max_size=20),
    st.none() | st.lists(st.none() | TEXT, max_size=3),
    st.none() | st.lists(DAY, max_size=3),
    st.none() | st.lists(NUMBER, max_size=3),
    st.none() | st.lists(st.uuids(), max_size=3),
)


@pytest.fixture(scope="module")
def scratch(owner: Engine) -> Iterator[Connection]:
    """A table of every kind of column that ours have, in a transaction that is rolled back."""
    with owner.connect() as connection:
        connection.exec_driver_sql(SCRATCH)
        yield connection
        connection.rollback()


def stored(connection: Connection) -> list[tuple[Any, ...]]:
    rows = connection.exec_driver_sql(f"select {', '.join(COLUMNS)} from scratch")  # noqa: S608 - our own columns
    return [tuple(row) for row in rows]


@given(st.lists(ROW, min_size=1, max_size=5, unique_by=lambda row: row[0]))
@settings(deadline=None)
def test_rows_arrive_exactly_as_they_were_given(scratch: Connection, rows: list[tuple[Any, ...]]) -> None:
    scratch.exec_driver_sql("delete from scratch")
    insert_rows(scratch, "scratch", COLUMNS, rows)
    assert sorted(stored(scratch)) == sorted(rows) if len(rows) == 1 else by_id(stored(scratch)) == by_id(rows)


def by_id(rows: list[tuple[Any, ...]]) -> dict[UUID, tuple[Any, ...]]:
    return {row[0]: row for row in rows}


HOSTILE = (
    "'", '"', "\\", "\\x00ff", "%s", "%(a)s", "$1", "'); drop table scratch; --", "\n\r\t", "\u2028\u2029", "null",
    "{}", "{a,b}", "[1]", "\x01\x1f\x7f", "\ufeff", "\u202e", "科技创新券", "\U0001f600", "a" * 100_000, "", " ",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_arrive_unchanged_alone_and_in_lists(scratch: Connection, text: str) -> None:
    scratch.exec_driver_sql("delete from scratch")
    insert_rows(scratch, "scratch", ("id", "text", "words", "bytes"), [(uuid4(), text, [text, text], text.encode())])
    row = scratch.exec_driver_sql("select text, words, bytes from scratch").one()
    assert tuple(row) == (text, [text, text], text.encode())


@pytest.mark.parametrize(
    "value", [Money(1), object(), {1, 2}, 2**64, -(2**63) - 1, "\ud800", 1j, float("nan"), float("inf"), 1.0, 0.5]
)
def test_a_value_that_no_column_takes_is_refused_before_it_is_sent(scratch: Connection, value: Any) -> None:
    scratch.exec_driver_sql("delete from scratch")
    with pytest.raises(TypeError):
        insert_rows(scratch, "scratch", ("id", "number"), [(uuid4(), value)])
    assert stored(scratch) == []


FLAT = {
    "id": "uuid", "text": "text", "number": "bigint", "flag": "boolean", "day": "date", "at": "timestamptz",
    "bytes": "bytea",
}  # fmt: skip


@given(st.lists(ROW, min_size=1, max_size=5, unique_by=lambda row: row[0]))
@settings(deadline=None)
def test_rows_that_travel_as_columns_arrive_as_they_were_given(
    scratch: Connection, rows: list[tuple[Any, ...]]
) -> None:
    scratch.exec_driver_sql("delete from scratch")
    flat = [row[: len(FLAT)] for row in rows]
    other = Write("scratch", ("id", "words"), [(uuid4(), ["as JSON", "beside them"])])
    write_all(scratch, [Write("scratch", tuple(FLAT), flat, kinds=tuple(FLAT.values())), other])
    found = by_id(stored(scratch))
    assert {row[0]: found[row[0]][: len(FLAT)] for row in flat} == by_id(flat)
    assert len(found) == len(rows) + 1


def test_rows_that_travel_as_columns_are_all_of_one_width(scratch: Connection) -> None:
    rows: list[tuple[Any, ...]] = [(uuid4(), "a"), (uuid4(),)]
    with pytest.raises(ValueError, match="zip"):
        write_all(scratch, [Write("scratch", ("id", "text"), rows, kinds=("uuid", "text"))])


def test_a_row_of_another_width_is_refused(scratch: Connection) -> None:
    with pytest.raises(ValueError, match="zip"):
        insert_rows(scratch, "scratch", ("id", "text"), [(uuid4(),)])


def test_no_rows_at_all_need_no_statement(scratch: Connection) -> None:
    scratch.exec_driver_sql("delete from scratch")
    insert_rows(scratch, "no_such_table", ("id",), [])
    write_all(scratch, [Write("no_such_table", ("id",), []), Write("scratch", ("id",), [(uuid4(),)])])
    assert len(stored(scratch)) == 1


def test_all_tables_are_written_or_none(scratch: Connection) -> None:
    scratch.exec_driver_sql("delete from scratch")
    twice = uuid4()
    writes = [Write("scratch", ("id",), [(uuid4(),)]), Write("scratch", ("id",), [(twice,), (twice,)])]
    with pytest.raises(IntegrityError) as error, scratch.begin_nested():
        write_all(scratch, writes)
    assert broken_constraint(error.value) == "scratch_pkey"
    assert stored(scratch) == []


def test_a_conflict_clause_belongs_to_its_own_table(scratch: Connection) -> None:
    scratch.exec_driver_sql("delete from scratch")
    one = uuid4()
    insert_rows(scratch, "scratch", ("id", "text"), [(one, "first")])
    insert_rows(scratch, "scratch", ("id", "text"), [(one, "second")], "on conflict do nothing")
    move = "on conflict (id) do update set text = excluded.text"
    write_all(
        scratch, [Write("scratch", ("id", "text"), [(one, "third")], move), Write("scratch", ("id",), [(uuid4(),)])]
    )
    assert by_id(stored(scratch))[one][1] == "third"


def number(value: int) -> Query[int]:
    return Query("select %s::int", (value,), lambda rows: int(rows[0][0]))


DIVISION = Query("select 1 / %s::int", (0,), list)


def test_queries_of_one_round_trip_see_what_those_before_them_did(scratch: Connection) -> None:
    scratch.exec_driver_sql("delete from scratch")
    given_id = uuid4()
    added = Query("insert into scratch (id, number) values (%s, 7) returning number", (given_id,), list)
    seen = Query("select number from scratch where id = %s", (given_id,), lambda rows: [row[0] for row in rows])
    assert read_all(scratch, number(1), added, seen, number(2)) == [1, [(7,)], [7], 2]
    assert read_all(scratch) == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_query_that_fails_leaves_the_connection_usable_after_its_transaction(app: Engine, place: int) -> None:
    queries: list[Query[Any]] = [number(1), number(2), number(3)]
    queries[place] = DIVISION
    with app.connect() as connection:
        pid = read(connection, Query("select pg_backend_pid()", (), lambda rows: rows[0][0]))
        with pytest.raises(DBAPIError) as error:
            read_all(connection, *queries)
        assert isinstance(error.value.orig, pg.DivisionByZero)
        with pytest.raises(DBAPIError) as after:
            read(connection, number(4))
        assert isinstance(after.value.orig, pg.InFailedSqlTransaction)
        connection.rollback()
        assert read_all(connection, number(5), number(6)) == [5, 6]
        assert read(connection, Query("select pg_backend_pid()", (), lambda rows: rows[0][0])) == pid


class Unhurried(Query[Any]):
    """A query that is sent when the answers of those before it are there."""

    def __getattribute__(self, name: str) -> Any:
        if name == "statement":
            sleep(0.2)
        return super().__getattribute__(name)


@pytest.mark.parametrize("behind", [1, 2])
def test_the_failure_is_told_even_where_it_comes_before_all_are_sent(app: Engine, behind: int) -> None:
    late = [Unhurried("select %s::int", (place,), list) for place in range(behind)]
    with app.connect() as connection:
        with pytest.raises(DBAPIError) as error:
            read_all(connection, number(1), DIVISION, *late)
        assert isinstance(error.value.orig, pg.DivisionByZero)
        connection.rollback()
        assert read_all(connection, number(5), number(6)) == [5, 6]


def test_a_statement_first_met_behind_a_failure_works_afterwards(app: Engine) -> None:
    unseen = Query("select %s::int + 4711", (1,), lambda rows: rows[0][0])
    with app.connect() as connection:
        for _ in range(3):
            with pytest.raises(DBAPIError):
                read_all(connection, DIVISION, unseen)
            connection.rollback()
            assert read_all(connection, unseen, unseen) == [4712, 4712]


def test_a_fault_of_syntax_or_of_a_value_is_told_like_any_database_error(app: Engine) -> None:
    with app.connect() as connection:
        for query in (
            Query("selec 1", (), list),
            Query("select %s::int", ("x",), list),
            Query("select %s", ("\0",), list),
        ):
            with pytest.raises(DBAPIError):
                read_all(connection, number(1), query, number(2))
            connection.rollback()
        assert read(connection, number(3)) == 3


def test_a_failure_within_a_savepoint_is_undone_with_it(app: Engine) -> None:
    with app.connect() as connection:
        assert read(connection, number(1)) == 1
        with pytest.raises(DBAPIError), connection.begin_nested():
            read_all(connection, number(2), DIVISION)
        assert read(connection, number(3)) == 3
