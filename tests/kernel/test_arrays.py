"""Columns as binary arrays: what the server reads is what was given."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from tenants.kernel.arrays import Column, bigints, byteas, cells, smallints, texts, uuids

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.fixture(scope="module")
def connection(app: Engine) -> Iterator[Connection]:
    with app.connect() as one:
        yield one
        one.rollback()


def read_back(connection: Connection, column: Column, kind: str) -> list[object]:
    rows = connection.exec_driver_sql("select v from unnest(%s) with ordinality u(v, n) order by n", (column,))
    typed = connection.exec_driver_sql("select pg_typeof(%s)::text", (column,)).scalar_one()
    assert typed == f"{kind}[]"
    return [bytes(value) if isinstance(value, memoryview) else value for (value,) in rows]


@given(st.lists(TEXT, max_size=8).map(lambda some: some * 2))
@settings(deadline=None, max_examples=30)
def test_texts_arrive_as_they_were_given(connection: Connection, values: list[str]) -> None:
    assert read_back(connection, texts(values), "text") == values


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=8))
@settings(deadline=None, max_examples=30)
def test_whole_numbers_arrive_as_they_were_given(connection: Connection, values: list[int | None]) -> None:
    assert read_back(connection, bigints(values), "bigint") == values


@given(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=8))
@settings(deadline=None, max_examples=30)
def test_small_numbers_arrive_as_they_were_given(connection: Connection, values: list[int]) -> None:
    assert read_back(connection, smallints(values), "smallint") == values


@given(st.lists(st.binary(max_size=20), max_size=8))
@settings(deadline=None, max_examples=30)
def test_bytes_arrive_as_they_were_given(connection: Connection, values: list[bytes]) -> None:
    assert read_back(connection, byteas(values), "bytea") == values


@given(st.lists(st.uuids(), max_size=8))
@settings(deadline=None, max_examples=30)
def test_identifiers_arrive_as_they_were_given(connection: Connection, values: list[UUID]) -> None:
    assert read_back(connection, uuids([value.bytes for value in values]), "uuid") == values


KINDS = {
    "text": TEXT,
    "bytea": st.binary(max_size=20),
    "uuid": st.uuids(),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "boolean": st.booleans(),
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "timestamptz": st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC)),  # noqa: DTZ001 - zone given
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
@settings(deadline=None, max_examples=30)
def test_cells_of_any_kind_arrive_as_they_were_given(connection: Connection, kind: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.none() | KINDS[kind], min_size=1, max_size=8))
    for values in (some, some[:1] * 5):  # a column that says one thing is written another way
        rows = connection.exec_driver_sql(f"select unnest(%s::{kind}[])", (cells(kind, values),)).scalars()
        assert [bytes(value) if isinstance(value, memoryview) else value for value in rows] == values


def test_a_text_may_come_as_its_bytes(connection: Connection) -> None:
    values = ["券", "券".encode(), None, b""]
    rows = connection.exec_driver_sql("select unnest(%s::text[])", (cells("text", values),)).scalars()
    assert list(rows) == ["券", "券", None, ""]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 1), ("text", "\ud800"), ("bytea", "a"), ("uuid", "a"), ("bigint", 2**63), ("integer", 2**31),
        ("smallint", "1"), ("bigint", 1.5), ("date", "2024-01-01"), ("timestamptz", date(2024, 1, 1)),
    ],
)  # fmt: skip
def test_a_cell_that_is_none_of_the_kind_is_refused(kind: str, value: object) -> None:
    with pytest.raises(TypeError):
        cells(kind, [None, value])
