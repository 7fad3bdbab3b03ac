"""Columns as binary arrays: what the server reads is what was given."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from tenants.kernel.arrays import Column, bigints, byteas, smallints, texts, uuids

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
