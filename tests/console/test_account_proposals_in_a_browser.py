"""A new colleague's way through a real browser: proposed, approved by another, enrolled from the picture, signed in."""

import pytest

from tenants.passwords import code_at
from tests.console.browser import CHROMIUM, PHONE, Open, Tab
from tests.console.enrolling import CHOSEN
from tests.console.world import World

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

PLACE = "/console/accounts/jiangsu"
WORDS = {
    "zh": ("提议开立账号", "待批准的提议", "批准…", "动态码不正确", "已经用过"),
    "en": ("Propose an account", "Proposals that wait", "Approve…", "The code is wrong", "has been used"),
}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_colleague_is_proposed_approved_and_enrolled_by_clicking(world: World, opened: Open, language: str) -> None:
    world.invite("second-admin", "tenant_admin")
    login = f"colleague-{language}"
    propose, _, _, _, _ = WORDS[language]
    with opened(language=language) as person:
        person.go(PLACE)
        person.sign_in("tenant-admin")
        person.page.get_by_text(propose).click()
        for name, value in (("login", login), ("person", f"工号 {login}"), ("name", "欧阳·新同事")):
            person.page.fill(f"[name={name}]", value)
        person.picture(f"proposal-empty-{language}")
        _send_proof(person, "tenant-admin", "[name=reason]", "新到岗")
        person.page.get_by_role("alert").wait_for()
        assert person.page.input_value("[name=name]") == "欧阳·新同事", "what was typed is kept"
        person.complaints.clear()
        person.page.get_by_role("checkbox").nth(4).check()
        _send_proof(person, "tenant-admin", "[name=reason]", "新到岗")
        person.page.locator("[data-done]").wait_for()
        person.picture(f"proposals-own-{language}")
        told = person.page.locator(f"[data-opening-code='{login}']").inner_text()
    link = _approved(opened, language, login)
    _enrolled(world, opened, language, login, (link, told))
    assert world.knock(world.app.test_client(), login, CHOSEN).status_code in {303, 401}


def _send_proof(person: Tab, login: str, field: str, value: str) -> None:
    person.page.fill(field, value)
    person.prove(login)
    person.page.locator("[name=code]").press("Enter")


def _approved(opened: Open, language: str, login: str) -> str:
    _, waiting, approve, _, _ = WORDS[language]
    with opened(language=language) as person:
        person.go("/console")
        person.sign_in("second-admin")
        person.picture(f"proposals-home-{language}")
        person.go(PLACE)
        person.page.get_by_text(waiting).click()
        row = person.page.locator("tr", has_text=login).first
        row.get_by_text(approve).click()
        person.picture(f"proposals-approving-{language}")
        person.prove_in("form[action$='/approve']", row, "second-admin")
        person.page.locator("[data-once]").wait_for()
        person.picture(f"invited-{language}")
        return person.page.locator("[data-once]").input_value()


def _enrolled(world: World, opened: Open, language: str, login: str, handed: tuple[str, str]) -> None:
    """``handed``: the approver's link and the proposer's code."""
    _, _, _, wrong, used = WORDS[language]
    link, told = handed
    with opened(language=language, viewport=PHONE) as person:
        person.go("/console/invitation")
        person.picture(f"invitation-none-{language}")
        person.page.goto(link)
        assert person.page.url.endswith("/console/invitation"), "no secret stays in the address"
        person.picture(f"invitation-phone-{language}")
        _take_up(person, told, "000000")
        person.page.get_by_text(wrong).wait_for()
        person.complaints.clear()
        person.page.set_viewport_size({"width": 1366, "height": 768})
        person.picture(f"invitation-wrong-{language}")
        secret = person.page.locator("[data-secret]").inner_text().replace(" ", "")
        world.secrets[login] = secret
        _take_up(person, told, code_at(secret, world.clock.now()))
        person.page.wait_for_selector(".person")
        person.picture(f"enrolled-{language}")
        person.page.goto(link)
        person.page.get_by_text(used).wait_for()
        person.complaints.clear()
        person.picture(f"invitation-used-{language}")


def _take_up(person: Tab, told: str, code: str) -> None:
    person.page.fill("[name=opening_code]", told)
    for name in ("new_password", "again"):
        person.page.fill(f"[name={name}]", CHOSEN)
    person.page.fill("[name=code]", code)
    person.page.locator("[name=code]").press("Enter")
