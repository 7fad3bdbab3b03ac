"""Charts in a real Chromium under the policy of their pages, and what they hold."""

import json
import os
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from clearing.console import chart
from clearing.console.chart import Chart, Flow
from clearing.console.filters import content_of
from clearing.console.screen import CHART_POLICY, PAGE_POLICY
from tenants.kernel.money import Money
from tests.console.browser import CHROMIUM

ORIGIN: Final = "http://console.test"
TYPES: Final = {"js": "text/javascript", "css": "text/css"}
FLOWS: Final = (
    Flow("吴江区", "嘉善县", Money.parse("408000.00"), "/console/clearing/1"),
    Flow("嘉善县", "吴江区", Money.parse("1250.50")),
    Flow("青浦区", "嘉善县", Money.parse("99999.99"), "/console/clearing/2"),
)
CHARTS: Final = (
    chart.heat_map("谁欠谁", ("欠款方", "收款方"), FLOWS),
    chart.sankey("资金流向", FLOWS),
    chart.bars("前后", "元", ("吴江区", "嘉善县"), (("前", [Money(100), Money(250)]), ("后", [Money(90), Money(300)]))),
)
HOSTILE: Final = chart.sankey("'\"<script>", [Flow("<img src=x onerror=alert(1)>", "</div>'\"", Money(1))])


def page_with(*charts: Chart) -> str:
    figures = "".join(f'<div class="figure" data-figure="{escape(each.json())}"></div>' for each in charts)
    return (
        '<!doctype html><link rel="stylesheet" href="/console.css" id="plotly.js-style-global" '
        'class="no-inline-styles">'
        f'<script src="/chart.js" defer></script><script src="/plotly.min.js" defer></script><body>{figures}</body>'
    )


def drawn(page: Page, *charts: Chart) -> list[str]:
    """What the browser complained of while it drew."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def answer(route: Route) -> None:
        name = urlsplit(route.request.url).path.removeprefix("/")
        if name in {"", "favicon.ico"} or "." not in name:
            headers = {"Content-Security-Policy": CHART_POLICY}
            route.fulfill(body=page_with(*charts), content_type="text/html; charset=utf-8", headers=headers)
        else:
            route.fulfill(body=content_of(name), content_type=TYPES[name.rpartition(".")[2]])

    page.route("**/*", answer)
    page.goto(ORIGIN)
    page.wait_for_function(f"document.querySelectorAll('[data-drawn]').length === {len(charts)}")
    return complaints


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)")
def test_charts_are_drawn_under_the_policy_and_lead_to_what_is_behind_them(browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 900, "height": 768})
    assert drawn(page, *CHARTS) == []
    assert page.locator(".sankey-link").count() == len(FLOWS)
    assert page.locator(".bars path").count() == 4
    texts = page.locator(".annotation-text").all_text_contents()
    assert sorted(texts) == ["1,250.50", "408,000.00", "99,999.99"]
    pictures = os.environ.get("CONSOLE_PICTURES")
    if pictures:
        page.screenshot(path=Path(pictures) / "charts.png", full_page=True)
    page.locator(".sankey-link").first.click()
    page.wait_for_url(f"{ORIGIN}/console/clearing/*")
    other = browser.new_page()
    assert drawn(other, HOSTILE) == []
    assert other.locator(".figure img").count() == 0
    page.close()
    other.close()


def test_the_policy_of_charts_allows_nothing_inline() -> None:
    assert "unsafe" not in CHART_POLICY
    assert CHART_POLICY == PAGE_POLICY.replace("img-src 'self'", "img-src 'self' data:") != PAGE_POLICY


def test_a_chart_holds_amounts_as_they_are() -> None:
    said = json.loads(CHARTS[1].json())["data"][0]
    assert said["link"]["value"] == ["408000.00", "1250.50", "99999.99"]
    assert said["link"]["customdata"] == ["/console/clearing/1", None, "/console/clearing/2"]
    assert (len(said["node"]["label"]), said["link"]["source"], said["link"]["target"]) == (5, [0, 1, 2], [4, 3, 4])
    heat = json.loads(CHARTS[0].json())["data"][0]
    assert (heat["y"], heat["x"]) == (["青浦区", "嘉善县", "吴江区"], ["吴江区", "嘉善县"])
    assert heat["z"][2] == [None, "408000.00"]


def test_the_compressed_script_is_the_script() -> None:
    import gzip

    assert gzip.decompress(chart.plotly_compressed()) == chart.plotly_script()
