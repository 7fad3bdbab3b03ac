"""Every list of the console, found by the routes: counted, summed, exported as filtered, paged by keyset, bounded."""

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from clearing.console import lists
from tests.console.shelves import Shelf, furnished_with, shelves, walker_of
from tests.console.world import Visitor, World, own_world, plain

NAMES: Final = (
    "claim_no", "batch_no", "reservation_no", "uscc", "name", "client_id", "url", "sha256", "month", "seq", "reference",
    "cite", "person", "document", "opened_at", "claim_id", "id",
)  # fmt: skip
"""What tells an item from others, the best first: each row of the file holds that of its item."""
CHOSEN: Final = ("state", "tenant", "platform", "scheme", "mode", "year", "person", "kind", "quota_year", "debtor")
"""Filters that are tried, each with the value of the first item that has one."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of our own: outlets, webhooks and an open window would be in the way of others."""
    with own_world() as made:
        yield made


@pytest.fixture(scope="module")
def furnished(world: World) -> Iterator[dict[str, str]]:
    with furnished_with(world) as ids:
        yield ids


def listed(world: World, shelf: Shelf, **filters: str) -> list[dict[str, Any]]:
    """All items of the interface with these filters, in their order."""
    items: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "200", **filters}
    while True:
        answer = world.story.call("administrator", "GET", f"{shelf.path}?{urlencode(query)}").get_json()
        items += answer["items"]
        if answer["next_cursor"] is None:
            return items
        query["cursor"] = answer["next_cursor"]


def counted(page: str) -> int:
    """How many rows the page says there are."""
    said = re.search(r"data-tally>共 ([\d,]+) 条", page)
    assert said is not None, plain(page)
    return int(said[1].replace(",", ""))


def exported(visitor: Visitor, shelf: Shelf, **filters: str) -> list[list[str]]:
    """The rows of the file, which ends with its count."""
    answer = visitor.browser.get(f"{shelf.address}/export.csv?{urlencode(filters)}")
    assert answer.status_code == 200, (shelf.address, answer.status_code)
    _heading, *rows = list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    ends = next(number for number, row in enumerate(rows) if row and row[0] == "条数")
    assert int(rows[ends][1]) == ends, shelf.address
    return rows[:ends]


def told_apart(rows: list[list[str]], items: list[dict[str, Any]]) -> bool:
    """Whether each row holds what tells its item from the others: the file has the items in their order."""
    named = {name: [str(item.get(name)) for item in items] for name in NAMES}
    held = [name for name in NAMES if all(value in row for row, value in zip(rows, named[name], strict=True))]
    return not items or any(len(set(named[name])) == len(items) for name in held)


@pytest.fixture(scope="module")
def walker(world: World, furnished: dict[str, str]) -> Visitor:
    return walker_of(world)


def test_every_list_counts_and_exports_what_the_interface_lists_with_the_same_filter(
    world: World, walker: Visitor, furnished: dict[str, str]
) -> None:
    found = shelves(world, furnished)
    assert len(found) >= 19
    filled = 0
    for shelf in found:
        items = listed(world, shelf)
        filled += bool(items)
        queries: list[dict[str, str]] = [{}]
        queries += [
            {name: str(value)}
            for name in CHOSEN
            if name in shelf.filters
            for value in [next((item[name] for item in items if item.get(name)), None)]
            if value is not None and not isinstance(value, dict)
        ]
        for query in queries:
            wanted = listed(world, shelf, **query)
            assert counted(walker.see(f"{shelf.address}?{urlencode(query)}")) == len(wanted), (shelf, query)
            rows = exported(walker, shelf, **query)
            assert len(rows) == len(wanted), (shelf, query)
            assert told_apart(rows, wanted), (shelf, rows[:1], wanted[:1])
        with walker.browser.get(f"{shelf.address}/export.xlsx") as file:
            assert (file.status_code, file.data[:2]) == (200, b"PK"), shelf
    assert filled >= 15, "the lists are not empty"


def test_every_list_goes_on_behind_its_last_row_and_shows_each_row_once(
    world: World, walker: Visitor, furnished: dict[str, str]
) -> None:
    for shelf in shelves(world, furnished):
        count = min(counted(walker.see(shelf.address)), 40)
        address: str | None = f"{shelf.address}?limit={max(count // 3, 1)}"
        rows = 0
        while address is not None and rows < count:
            page = walker.see(address)
            tables = re.findall(r'<div class="scroll" role="region".*?</table>', page, re.DOTALL)
            rows += len(re.findall(r"<tr", tables[-1].partition("<tbody>")[2])) if tables else 0
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = None if following is None else unescape(following[1])
        assert rows >= count, shelf
        assert walker.browser.get(f"{shelf.address}?cursor=nonsense!").status_code == 422, shelf
        assert walker.browser.get(f"{shelf.address}?limit=0").status_code == 422, shelf


def test_a_list_beyond_the_bound_says_so_and_counts_all_of_it_when_asked(
    world: World, walker: Visitor, furnished: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNTED", 1)
    beyond = 0
    for shelf in shelves(world, furnished):
        count = len(listed(world, shelf))
        page = walker.see(shelf.address)
        if count > 1:
            assert "超过 1 条" in plain(page), shelf
            asked = re.search(r'data-tally>.*?href="([^"]+)"', page)
            assert asked is not None
            assert counted(walker.see(unescape(asked[1]))) == count
            assert len(exported(walker, shelf)) == count, "the file holds all of it whatever was counted"
            beyond += 1
        else:
            assert counted(page) == count
    assert beyond >= 8


def test_sums_of_the_page_and_of_the_file_are_the_same_as_the_items_say(world: World, walker: Visitor) -> None:
    items = listed(world, Shelf("", "/v1/claims", ()), tenant="jiangsu")
    page = plain(walker.see("/console/claims?tenant=jiangsu"))
    total = sum(round(float(item["assessment"]["award"]) * 100) for item in items)
    assert f"核定合计（元） {total / 100:,.2f}" in page
    answer = walker.browser.get("/console/claims/export.csv?tenant=jiangsu").get_data().decode("utf-8-sig")
    assert f"核定合计（元）,{total / 100:.2f}" in answer
