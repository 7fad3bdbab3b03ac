"""Every list of the console with each of its filters: what it reads does not grow with what there is.

A furnished world is made long by copies of itself (``tests.plans.grown``); each list is then asked for what is there,
for each value that a filter may have, and for one that nothing has. The database itself counts the rows and the entries
of indexes that were read for it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection, event

from clearing.console import lists
from tenants.kernel.database import open_engine
from tests.console.shelves import Shelf, furnished_with, shelves, walker_of
from tests.console.world import Visitor, World, own_world, plain
from tests.plans.grown import columns_of, grow, unchecked

COPIES: Final = 1_000
"""Of each row: more than a list may read."""
COUNTED: Final = 20
MOST_READ: Final = 800
"""Some rows for each of the 51 that a page reads, of each of the tables that it joins."""
SMALL: Final = {
    "agreement": "one a pair of regions and term", "clearing_cycle": "one a window", "policy_version": "one a change",
    "client": "one a platform and region, or person", "client_key": "a few a client",
    "webhook_endpoint": "a few a platform", "pull_source": "a few a platform", "pull_progress": "one a source",
    "console_account": "one a person", "reviewer_district": "one a reviewer and place",
}  # fmt: skip
"""Tables that do not grow with the claims, and why: a list may read all of them."""
READ_THROUGH: Final = {
    ("/console/pairs", "state"): "a pair is decided with the claim's hold: the tenant's pairs are read",
    ("/console/cases", "overdue"): "the open ones are read: what is not overdue among them is of fifteen days",
}
"""Lists that read all of their kind with a filter, and why."""
_READ: Final = """
select c.oid::bigint, coalesce(i.indrelid, c.oid)::regclass::text, pg_stat_get_xact_tuples_returned(c.oid)
  from pg_class c left join pg_index i on i.indexrelid = c.oid
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'i')
   and pg_stat_get_xact_tuples_returned(c.oid) > 0
"""


@dataclass
class Meter:
    """How many rows of each table, and entries of its indexes, the application has read since it was last asked."""

    before: dict[int, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    def begin(self, connection: Connection) -> None:
        self.before = {oid: count for oid, _, count in _counts(connection)}

    def end(self, connection: Connection) -> None:
        for oid, table, count in _counts(connection):
            self.read[table] = self.read.get(table, 0) + count - self.before.get(oid, 0)

    def of_growing_tables(self) -> dict[str, int]:
        """What was read of the tables that grow; from now on it counts from zero."""
        read, self.read = self.read, {}
        return {table: count for table, count in read.items() if table not in SMALL and count}


def _counts(connection: Connection) -> list[tuple[int, str, int]]:
    driver: Any = connection.connection.driver_connection
    return [tuple(row) for row in driver.execute(_READ).fetchall()]


@dataclass(frozen=True)
class Grown:
    """The long world, somebody who may see every list, the lists, and what the application reads."""

    world: World
    walker: Visitor
    shelves: list[Shelf]
    meter: Meter


@pytest.fixture(scope="module")
def grown() -> Iterator[Grown]:
    with own_world() as world, furnished_with(world) as ids, pytest.MonkeyPatch.context() as patch:
        walker, found = walker_of(world), shelves(world, ids)
        lengthen(world)
        patch.setattr(lists, "COUNTED", COUNTED)
        with metered(world) as meter:
            yield Grown(world, walker, found, meter)


def lengthen(world: World) -> None:
    owner = open_engine(world.story.addresses.owner_url)
    try:
        with owner.begin() as connection:
            unchecked(connection)
            connection.exec_driver_sql("select * from bind_scope(%s, null)", (",".join(world.story.tenants),))
            counts = grow(connection, COPIES)
            assert {table for table in SMALL if table not in columns_of(connection)} == set()
        assert len([count for count in counts.values() if count > COPIES]) >= 30, counts
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("vacuum analyze")
    finally:
        owner.dispose()


@contextmanager
def metered(world: World) -> Iterator[Meter]:
    meter, engine = Meter(), world.service.engine
    event.listen(engine, "begin", meter.begin)
    event.listen(engine, "commit", meter.end)
    yield meter
    event.remove(engine, "begin", meter.begin)
    event.remove(engine, "commit", meter.end)


def tried(world: World, shelf: Shelf) -> list[dict[str, str]]:
    """The list as it is, and with each filter: every value of the few that it may have, else one that nothing has."""
    described = world.app.test_client().get("/v1/openapi.json").get_json()["paths"]
    path = next(one for one in described if re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", one), shelf.path))
    schemas = {each["name"]: each["schema"] for each in described[path]["get"]["parameters"] if each["in"] == "query"}
    wanted = [name for name in shelf.filters if name not in {"cursor", "limit"}]
    return [{}] + [{name: value} for name in wanted for value in values_of(name, schemas[name])]


def values_of(name: str, schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return [str(value) for value in schema["enum"] if value is not None]
    kinds = {schema.get("format"), *([schema["type"]] if isinstance(schema["type"], str) else schema["type"])}
    rare = {"uuid": "00000000-0000-7000-8000-000000000000", "date": "2031-01-01", "integer": "2031", "boolean": "true"}
    return [rare.get(next(iter(kinds & rare.keys()), ""), RARE_TEXTS.get(name, "nobody"))]


RARE_TEXTS: Final = {"enterprise": "91320115MA1LYJ6P8N", "provider": "91320115MA1LYJ6P8N", "division": "329999"}
"""Texts of a form, that nothing here has."""


def test_no_list_reads_more_the_more_there_is_whatever_it_is_filtered_by(grown: Grown) -> None:
    long, asked, faults = 0, 0, []
    for shelf in grown.shelves:
        for query in tried(grown.world, shelf):
            grown.meter.of_growing_tables()
            page = grown.walker.see(f"{shelf.address}?{urlencode(query)}")
            read = grown.meter.of_growing_tables()
            assert read or not query, "the meter counts"
            asked += 1
            long += not query and f"超过 {COUNTED} 条" in plain(page)
            if sum(read.values()) > MOST_READ and not any((shelf.address, name) in READ_THROUGH for name in query):
                faults.append((shelf.address, query, read))
    assert not faults, faults
    assert long >= 14, "the lists are long"
    assert asked >= 90


def test_a_list_that_reads_all_of_its_kind_is_found_out(grown: Grown) -> None:
    for address, name in READ_THROUGH:
        shelf = next(one for one in grown.shelves if one.address == address)
        most = 0
        for query in tried(grown.world, shelf):
            if name in query:
                grown.meter.of_growing_tables()
                grown.walker.see(f"{address}?{urlencode(query)}")
                most = max(most, sum(grown.meter.of_growing_tables().values()))
        assert most > MOST_READ, "no longer read through"
