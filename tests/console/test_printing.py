"""What is printed on A4 by a real Chromium: the sandbox's band above each sheet, and no number in two."""

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

import clearing
from tenants.instance import BAND
from tests.console.browser import CHROMIUM, Open
from tests.console.world import World, approved

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]
CLAIMS = 40
YELLOW = re.compile(rb"\b1 \.835\d* \.290\d* rg\b")
"""The band's frame, as Chromium writes it."""


@contextmanager
def in_a_sandbox(world: World) -> Iterator[None]:
    """As a sandbox prints: its mark is above every page."""
    world.app.jinja_env.globals["band"] = BAND
    try:
        yield
    finally:
        del world.app.jinja_env.globals["band"]


@pytest.fixture(scope="module")
def places(world: World) -> dict[str, str]:
    """A long batch and its notice, and a claim with all that explains its award."""
    claims = approved(world, CLAIMS)
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    return {
        "batch": f"/console/batches/jiangsu/{batch['id']}?limit=500",
        "notice": f"/notices/jiangsu/{batch['batch_no']}?limit=500",
        "claim": f"/console/claims/{claims[0]['id']}",
    }


def printed(page: Page) -> tuple[int, list[bytes]]:
    """How many sheets there are, and what is drawn on them."""
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    file = page.pdf(prefer_css_page_size=True)
    assert set(re.findall(rb"/MediaBox \[0 0 (\d+)[.\d]* (\d+)", file)) == {(b"594", b"841")}
    drawn = []
    for packed in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", file, re.DOTALL):
        try:
            drawn.append(zlib.decompressobj().decompress(packed))  # whose last byte may look like the line's end
        except zlib.error:
            continue  # a font or a picture
    return len(re.findall(rb"/Type /Page\b", file)), drawn


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", ["batch", "notice", "claim"])
def test_the_band_of_a_sandbox_stands_on_every_sheet(
    world: World, opened: Open, places: dict[str, str], name: str, language: str
) -> None:
    with opened(language=language) as at:
        at.sign_in("auditor")
        at.go(places[name])
        sheets, drawn = printed(at.page)
        assert sheets > 1
        assert not any(YELLOW.search(one) for one in drawn), "a real instance has no band"
        with in_a_sandbox(world):
            at.go(places[name])
            sheets, drawn = printed(at.page)
        assert sheets > 1
        assert sum(len(YELLOW.findall(one)) for one in drawn) == sheets
        if at.pictures is not None:
            at.page.pdf(path=at.pictures / f"print-{language}-{name}.pdf", prefer_css_page_size=True)


@pytest.mark.parametrize("sheet", ["console/static/console.css", "api/templates/notices.css"])
def test_the_band_on_paper_says_what_it_says_on_the_screen(sheet: str) -> None:
    style = (Path(clearing.__file__).parent / sheet).read_text(encoding="utf-8")
    assert f'@top-center {{ content: "{BAND.zh} {BAND.en}"' in style


def test_no_number_of_a_claim_is_broken_on_a_printed_notice(opened: Open, places: dict[str, str]) -> None:
    with opened() as at:
        at.go(places["notice"])
        at.page.emulate_media(media="print")
        at.page.set_viewport_size({"width": 680, "height": 1000})  # A4 less its margins
        lines = at.page.evaluate(
            "[...document.querySelectorAll('td.whole')].map(each => {"
            "const text = document.createRange(); text.selectNodeContents(each); return text.getClientRects().length})"
        )
        assert len(lines) >= CLAIMS
        assert set(lines) == {1}
        assert not at.page.locator("form").is_visible()
