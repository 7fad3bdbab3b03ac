"""One person's way through a real browser: to the provider, back, the code, to the page that was wanted, and out."""

import os
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser

from tenants.passwords import STEP_SECONDS
from tests.console.browser import CHROMIUM, served, tab
from tests.console.provider import Provider
from tests.console.world import World

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PICTURES = Path(os.environ["CONSOLE_PICTURES"]) if os.environ.get("CONSOLE_PICTURES") else None
WORDS = {
    "zh": ("用测试统一身份认证登录", "还需动态码", "退出", "同时退出测试统一身份认证", "没有完成登录"),
    "en": (
        "Sign in with Test single sign-on", "Your code, please", "Sign out", "Sign out at Test single sign-on too",
        "did not sign you in",
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_in_by_the_provider_and_out_again(
    world: World, browser: Browser, app: Flask, provider: Provider, language: str
) -> None:
    link, code, out, out_there, declined = WORDS[language]
    with served(world, app) as address, tab(world, browser, address, PICTURES, language=language) as person:
        page = person.page
        person.go("/console/audit/jiangsu?action=session.started")
        person.picture(f"{language}-sign-on-door")
        provider.back = lambda given: {"error": "access_denied", "state": given["state"], "iss": given["iss"]}
        page.get_by_text(link).click()
        page.click("#yes")
        page.get_by_text(declined).wait_for()
        person.complaints.clear()  # Chromium tells of every answer of 403
        person.picture(f"{language}-sign-on-declined")
        provider.honest()
        page.get_by_text(link).click()
        assert page.url.startswith(provider.issuer)
        page.click("#yes")
        page.get_by_text(code).first.wait_for()
        person.picture(f"{language}-sign-on-code")
        world.wait(STEP_SECONDS)
        page.fill("[name=code]", world.code("auditor"))
        page.keyboard.press("Enter")
        page.wait_for_selector(".person")
        assert page.url == f"{address}/console/audit/jiangsu?action=session.started"
        page.get_by_role("button", name=out).click()
        page.get_by_text(out_there).click()
        page.wait_for_selector("[name=login]")
        assert page.url == f"{address}/console/sign-in"
        assert provider.asked["/logout"] == 1
        assert person.complaints == []
