"""An administrator's way through a real browser: the people of the region, a role taken, an account revoked."""

import pytest

from tests.console.browser import CHROMIUM, PHONE, Open
from tests.console.world import World

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

WORDS = {
    "zh": ("收回角色…", "角色已收回。", "吊销…", "账号已吊销"),
    "en": ("Take roles…", "taken", "Revoke…", "revoked"),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_role_is_taken_and_an_account_revoked_by_clicking(world: World, opened: Open, language: str) -> None:
    login = world.invite(f"clicked-{language}", "auditor", "center_reviewer")
    take, taken, revoke, revoked = WORDS[language]
    with opened(language=language) as person:
        person.go("/console/accounts/jiangsu")
        person.sign_in("tenant-admin")
        person.picture(f"accounts-{language}")
        row = person.page.locator("tr", has_text=login).first
        row.get_by_text(take).click()
        row.get_by_role("checkbox").nth(1).uncheck()
        row.locator("form[action$=roles] [name=reason]").fill("换岗")
        person.picture(f"accounts-taking-{language}")
        person.prove_in("form[action$='/roles']", row, "tenant-admin")
        person.page.get_by_text(taken).first.wait_for()
        row = person.page.locator("tr", has_text=login).first
        row.get_by_text(revoke).click()
        row.locator("form[action$=revoke] [name=reason]").fill("离职")
        person.prove_in("form[action$='/revoke']", row, "tenant-admin")
        person.page.get_by_text(revoked).first.wait_for()
        person.page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
        person.picture(f"accounts-phone-{language}")
        assert world.knock(world.app.test_client(), login).status_code == 401
