"""The pages of cases, connectors and the finance desk in a real Chromium: nothing grave, too wide or complained of.

``CONSOLE_PICTURES=folder`` keeps a picture of every page.
"""

import os
import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests.console.browser import CHROMIUM, PHONE, served, tab
from tests.console.test_cases import alike, supported_elsewhere
from tests.console.test_connectors import EVERY
from tests.console.world import World

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]
DESK: Final = {
    "suspense": "/console/suspense/jiangsu", "months": "/console/months/jiangsu", "clearing": "/console/clearing",
    "agreements": "/console/agreements/wujiang",
}  # fmt: skip
OPERATING: Final = {
    "connectors": "", "jobs": "/jobs", "clients": "/clients", "webhooks": "/webhooks", "receipts": "/receipts",
    "keys": "/keys/jiangsu", "outlets": "/outlets", "letters": "/outlets/letters",
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(world: World) -> dict[str, dict[str, str]]:
    """What each person looks at."""
    case = supported_elsewhere(world, world.one_in_review())
    pair = alike(world)
    world.invite("connectors-operator", "clearing_operator", tenants=EVERY)
    world.story.call("jssic", "GET", "/v1/claims?limit=1")
    world.app.extensions["clearing-requests"].flush()
    operator = world.visitor("connectors-operator")
    listed = operator.see("/console/connectors/clients?platform=jssic")
    clients = re.findall(r'href="(/console/connectors/clients/jssic-[0-9a-f]+)"', listed)
    asked = next(each for each in clients if 'class="curl"' in operator.see(each))  # the world enlists anew at times
    return {
        "center-reviewer": {
            "cases": "/console/cases", "case": f"/console/cases/{case['id']}", "pairs": "/console/pairs",
            "pair": f"/console/pairs/{pair}",
        },
        "finance-maker": DESK,
        "connectors-operator": {
            **{name: f"/console/connectors{path}" for name, path in OPERATING.items()}, "client": asked,
        },
    }  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_wrong_with_any_page(
    world: World, browser: Browser, pages: dict[str, dict[str, str]], language: str
) -> None:
    wanted = os.environ.get("CONSOLE_PICTURES")
    pictures = Path(wanted) if wanted else None
    how = {"viewport": PHONE, "is_mobile": True, "has_touch": True} if language == "en" else {}
    with served(world) as address:
        for login, places in pages.items():
            with tab(world, browser, address, pictures, language=language, **how) as at:
                at.sign_in(login)
                for name, path in places.items():
                    at.go(path)
                    expect(at.page.locator("h1")).to_be_visible()
                    at.picture(f"{language}-{name}")
                assert at.complaints == []


def test_a_command_is_copied_by_its_button(world: World, browser: Browser, pages: dict[str, dict[str, str]]) -> None:
    world.app.extensions["clearing-requests"].flush()
    with served(world) as address, tab(world, browser, address, None, permissions=["clipboard-write"]) as at:
        at.sign_in("connectors-operator")
        at.go(pages["connectors-operator"]["client"])
        at.page.locator("details:has(pre.curl) summary").first.click()
        at.page.get_by_role("button", name="复制").first.click()
        expect(at.page.get_by_role("button", name="已复制").first).to_be_visible()
        assert at.complaints == []
