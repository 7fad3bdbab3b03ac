"""The day of a policy administrator and an approver in a real Chromium, in both languages: from draft to activation."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.browser import CHROMIUM, PHONE, Open
from tests.console.world import World

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),  # sockets of kept-alive connections of the test's server
]

SCHEME = "/console/policies/jiangsu/provincial"
RATE = "[name='value:/zones/0/rate']"
WORDS = {
    "zh": {
        "new": "起草新版本", "check": "检查", "save": "保存草稿", "differences": "与前一版本比较", "rehearse": "预演",
        "begin": "开始预演", "submit": "提交审批", "approve": "批准并启用", "line": "第 {} 行",
    },
    "en": {
        "new": "Draft a new version", "check": "Check", "save": "Save the draft",
        "differences": "Compare with the version before", "rehearse": "Rehearsal", "begin": "Rehearse",
        "submit": "Submit for approval", "approve": "Approve and activate", "line": "Line {}",
    },
}  # fmt: skip


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_version_from_draft_to_activation_by_two_people(world: World, opened: Open, language: str) -> None:
    said, on = WORDS[language], {"zh": "2041-01-01", "en": "2042-01-01"}[language]
    with opened(language=language) as author, opened(language=language) as approver:
        author.sign_in("tenant-admin")
        author.go("/console/policies")
        author.picture(f"{language}-policies")
        author.page.locator(f"a[href='{SCHEME}/draft']").click()
        author.page.fill("[name='value:/effective']", on)
        author.page.fill(RATE, "1.50")
        author.page.get_by_role("button", name=said["save"]).click()
        author.page.get_by_role("link", name=re.compile(said["line"].format(r"\d+"))).first.click()
        chosen = (
            "[...document.querySelectorAll('#document')].map(t => t.value.slice(t.selectionStart, t.selectionEnd))[0]"
        )
        assert author.page.evaluate(chosen).startswith('rate = { value = "1.50"')
        author.complaints.clear()  # the browser tells of the answer 422
        author.picture(f"{language}-draft-at-fault")
        author.page.fill(RATE, "0.30")
        author.page.get_by_role("button", name=said["check"], exact=True).click()
        expect(author.page.locator(".notice.good")).to_be_visible()
        author.picture(f"{language}-draft-checked")
        author.page.get_by_role("button", name=said["save"]).click()
        author.page.wait_for_url(f"**{SCHEME}/{on}?done=policy-drafted")
        author.picture(f"{language}-policy-draft")
        author.page.get_by_role("link", name=said["differences"]).click()
        expect(author.page.locator(".differences li").first).to_be_visible()
        author.picture(f"{language}-differences")
        author.go(f"{SCHEME}/{on}")
        author.page.get_by_role("link", name=said["rehearse"], exact=True).click()
        author.page.get_by_role("button", name=said["begin"]).click()
        expect(author.page.locator("#rehearsed [data-drawn=yes]")).to_have_count(3)
        assert author.page.locator("#progress").is_hidden()
        assert author.page.locator("#rehearsed .figure svg.main-svg").count() >= 3
        assert author.page.locator("#rehearsed .figure + .scroll table").count() == 3
        author.picture(f"{language}-rehearsal")
        author.go(f"{SCHEME}/{on}")
        author.page.get_by_role("button", name=said["submit"]).click()
        author.page.wait_for_url("**?done=policy-submitted")
        assert author.page.get_by_role("button", name=said["approve"]).count() == 0
        approver.sign_in("policy-approver")
        approver.go(f"{SCHEME}/{on}")
        approver.prove("policy-approver")
        approver.picture(f"{language}-policy-to-approve")
        approver.page.get_by_role("button", name=said["approve"]).click()
        approver.page.wait_for_url("**?done=policy-approved")
        approver.picture(f"{language}-policy-approved")


def test_a_draft_survives_an_expired_session(world: World, opened: Open) -> None:
    with opened() as at:
        at.sign_in("tenant-admin")
        at.go(f"{SCHEME}/draft")
        at.page.fill("#document", "tenant = 'jiangsu' # 写了一半")
        at.page.context.clear_cookies(name="console_session")
        at.page.get_by_role("button", name="保存草稿").click()
        at.page.wait_for_url("**/console/sign-in**")
        at.sign_in("tenant-admin")
        at.go(f"{SCHEME}/draft")
        assert at.page.input_value("#document") == "tenant = 'jiangsu' # 写了一半"
        expect(at.page.locator("[data-restored]")).to_be_visible()


def test_a_phone_reads_policies_and_a_rehearsal_without_script(world: World, opened: Open) -> None:
    with opened(viewport=PHONE, is_mobile=True, has_touch=True) as at:
        at.sign_in("tenant-admin")
        for name, path in (
            ("policies", "/console/policies"),
            ("policy", f"{SCHEME}/2024-01-01"),
            ("draft", f"{SCHEME}/draft"),
        ):
            at.go(path)
            at.picture(f"phone-{name}")
        at.go(f"{SCHEME}/2024-01-01/rehearsal")
        at.page.get_by_role("button", name="开始预演").click()
        expect(at.page.locator("#rehearsed [data-drawn=yes]")).to_have_count(3)
        at.picture("phone-rehearsal")
        assert at.complaints == []
    with opened(java_script_enabled=False) as at:
        at.sign_in("tenant-admin")
        at.go(f"{SCHEME}/2024-01-01/rehearsal")
        at.page.get_by_role("button", name="开始预演").click()
        expect(at.page.locator("#changed")).to_be_visible()
