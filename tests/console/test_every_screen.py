"""Every screen of the console, found by its routes and reached by its links: hostile names, axe, phones and keys."""

import csv
import io
import os
import re
from collections.abc import Iterator
from functools import partial
from html import escape
from pathlib import Path
from typing import Final

import openpyxl
import pytest
from playwright.sync_api import Browser, Dialog

from tests.console.browser import CHROMIUM, PHONE, Open, Tab, served, tab
from tests.console.test_hostile_names import APART
from tests.console.tour import HOSTILE, MARKUP, NOT_VISITED, Tour, rules, toured
from tests.console.world import Visitor, World, own_world

IN_A_BROWSER: Final = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"
)
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")
RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of our own: its names are in the way of others."""
    with own_world() as made:
        yield made


@pytest.fixture(scope="module")
def tour(world: World) -> Iterator[Tour]:
    with toured(world) as made:
        yield made


@pytest.fixture(scope="module")
def walker(tour: Tour) -> Visitor:
    return tour.world.visitor(tour.login)


def test_every_screen_is_reached_by_clicking(tour: Tour) -> None:
    missed = set(rules(tour.world)) - set(tour.addresses) - set(NOT_VISITED)
    assert missed == set()
    assert len(tour.screens) > len(tour.addresses) > 50


def test_on_every_screen_a_hostile_name_is_a_text_that_is_kept_apart(tour: Tour, walker: Visitor) -> None:
    name = escape(HOSTILE[1:]).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    named = 0
    for address in tour.screens:
        page = walker.see(address)
        assert MARKUP not in page, address
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        places = [match.start() for match in re.finditer(f"=?{re.escape(name)}", page)]
        shown = [at for at in places if page.rfind("<", 0, at) < page.rfind(">", 0, at)]  # others are attributes
        assert [page[at - 60 : at] for at in shown if not APART.search(page[:at])] == [], address
        named += bool(shown)
    assert named >= 20, "the names stand on the screens"


def test_no_file_of_any_list_holds_what_a_spreadsheet_would_run(tour: Tour, walker: Visitor) -> None:
    assert len(tour.exports) >= 25
    led = 0
    for address in (found for every in tour.exports.values() for found in every):
        answer = walker.browser.get(address)
        assert answer.status_code == 200, address
        if ".csv" in address:
            cells = [cell for row in csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"))) for cell in row]
            assert [cell for cell in cells if cell.startswith(RUNS) and not NUMBER.fullmatch(cell)] == [], address
            led += any(cell == f"'{HOSTILE}" for cell in cells)
        else:
            book = openpyxl.load_workbook(io.BytesIO(answer.get_data()))
            kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
            assert "f" not in kinds, address
            led += any(cell.value == HOSTILE for sheet in book for row in sheet.iter_rows() for cell in row)
        answer.close()
    assert led >= 10, "the names stand in the files"


def test_no_screen_shows_a_code_where_a_word_belongs(tour: Tour, walker: Visitor) -> None:
    raw = re.compile(r"(?<![\w./:-])(?:[a-z]+_[a-z_]+|jssic|provincial|north|south)(?![\w./:=-])", re.ASCII)
    shown = {}
    for address in tour.screens:
        if any(part in address for part in ("/audit/", "/policies/", "/draft", "/instruction")):
            continue  # what is signed, or a document, is shown as it is
        page = re.sub(r"<(code|pre|script|textarea)\b.*?</\1>", "", walker.see(address), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", " ", page.partition("<main")[2])
        if codes := set(raw.findall(text)):
            shown[address] = codes
    assert shown == {}


@pytest.fixture
def opened(tour: Tour, browser: Browser) -> Iterator[Open]:
    wanted = os.environ.get("CONSOLE_PICTURES")
    with served(tour.world) as address:
        yield partial(tab, tour.world, browser, address, Path(wanted) if wanted else None)


REACHED: Final = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, .scroll')]
    .filter(each => each.checkVisibility() && each.type !== 'hidden' && !each.disabled)
    .filter(each => !each.matches('.scroll') || each.scrollWidth > each.clientWidth + 1)
    .filter(each => each.tabIndex !== 0)
    .map(each => each.outerHTML.slice(0, 90))"""
"""What can be clicked, filled in or scrolled and is not reached by the tabulator in the order of the page."""


@IN_A_BROWSER
@pytest.mark.parametrize("language", ["zh", "en"])
def test_axe_phones_and_keys_find_nothing_wrong_with_any_screen(tour: Tour, opened: Open, language: str) -> None:
    how = {"viewport": PHONE, "is_mobile": True, "has_touch": True} if language == "zh" else {}
    drawn = 0
    with opened(language=language, **how) as at:
        at.page.on("dialog", partial(_a_script_ran, at))
        at.sign_in(tour.login)
        for address in tour.one_of_each(-1 if language == "zh" else 0):
            at.go(address)
            charts = at.page.locator(".figure")
            if charts.count():
                at.page.wait_for_selector("[data-drawn]")
                assert at.page.locator("table").count() >= 1, f"{address}: a chart without its table"
                drawn += 1
            at.language = "zh"  # axe looks at both
            at.picture(f"{language}{re.sub('[^a-z0-9]+', '-', address)}"[:200])
            assert at.page.evaluate(REACHED) == [], address
    assert drawn >= 2


def _a_script_ran(at: Tab, dialog: Dialog) -> None:
    at.complaints.append(f"a script ran: {dialog.message}")
    dialog.dismiss()
