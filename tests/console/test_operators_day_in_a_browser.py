"""The day of an authority's approver and of a clearing operator in a real Chromium, in both languages."""

import re
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import expect

from clearing.demonstration.claims import generate
from tests.console.browser import CHROMIUM, Open
from tests.console.test_clearing import business_day
from tests.console.test_connectors import EVERY
from tests.console.world import World

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]
WORDS = {
    "zh": {"submit": "提交决定", "approved": "已通过", "open": "开启或查看", "close": "关闭窗口", "settled": "已结清"},
    "en": {
        "submit": "Submit the decision", "approved": "Approved", "open": "Open or show it",
        "close": "Close the window", "settled": "Settled",
    },
}  # fmt: skip
SEEDS = count(7000)


def one_for_the_authority(world: World) -> dict[str, Any]:
    """A claim of Wujiang's that the center let pass."""
    for seed in SEEDS:
        for given in generate(seed, 12):
            if given.planted is None and given.platform == "delta" and given.body["tenant"] == "wujiang":
                claim = world.story.submit(given)
                if claim["state"] == "in_review":
                    body = {"stage": claim["next_stage"], "outcome": "approve"}
                    path = f"/v1/claims/{claim['id']}/reviews"
                    return dict(world.story.call("reviewer of center", "POST", path, body).get_json())
    raise AssertionError


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_approver_decides_after_the_center_and_finds_it_approved(world: World, opened: Open, language: str) -> None:
    claim = one_for_the_authority(world)
    assert claim["next_stage"] == "authority"
    said = WORDS[language]
    with opened(language=language) as at:
        at.sign_in("authority-approver")
        at.picture(f"{language}-home-approver")
        at.go(f"/console/claims?claim_no={claim['claim_no']}")
        at.page.get_by_role("link", name=claim["claim_no"]).click()
        at.page.check("[value=approve]")
        at.picture(f"{language}-approve")
        at.page.get_by_role("button", name=said["submit"]).click()
        at.page.wait_for_url("**?done=approve")
        expect(at.page.locator("h1")).to_contain_text(said["approved"])
    assert world.story.claim(claim["id"])["state"] == "approved"


def agreed(world: World, counterparty: str, agreement_set: str) -> None:
    """Wujiang and the other region pay for each other, in windows of a set of their own."""
    for name in ("operator", "approver", "accepter"):
        world.story.enrol(name, person=True)
    more = {"exposure_limit": "50000.00", "exposure_approver": "approver", "agreement_set": agreement_set}
    world.story.agree("home_region", business_day(world), counterparty, **more)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_operator_looks_after_connectors_and_closes_a_window(world: World, opened: Open, language: str) -> None:
    world.invite("operator-of-the-day", "clearing_operator", tenants=EVERY)
    agreed(world, {"zh": "qingpu", "en": "maanshan"}[language], f"day-{language}")
    said = WORDS[language]
    with opened(language=language) as at:
        at.sign_in("operator-of-the-day")
        at.picture(f"{language}-home-operator")
        at.page.locator("nav a[href='/console/connectors']").click()
        expect(at.page.locator("tbody tr")).to_have_count(7)
        at.page.locator("main a[href^='/console/connectors/jobs']").first.click()
        expect(at.page.locator("[data-tally]")).to_be_visible()
        at.page.locator("nav a[href='/console/clearing']").click()
        at.page.fill("main form[method=post] [name=agreement_set]", f"day-{language}")
        at.page.get_by_role("button", name=said["open"]).click()
        expect(at.page.locator("h1")).to_contain_text(f"CY-day-{language}-0001")
        at.page.get_by_role("button", name=said["close"]).click()
        at.page.wait_for_url(re.compile(r"\?done=cycle-"))
        expect(at.page.locator("h1")).to_contain_text(said["settled"])
        at.picture(f"{language}-window-closed")
    cycles = world.story.call("operator", "GET", "/v1/clearing/cycles").get_json()["items"]
    assert [one["state"] for one in cycles if one["agreement_set"] == f"day-{language}"] == ["open", "settled"]
