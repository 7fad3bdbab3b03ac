"""The day of a reviewer, a maker and a releaser in a real Chromium, in both languages; skipped where there is none.

``CONSOLE_PICTURES=folder`` keeps a picture of every page that these days pass.
"""

import re

import pytest
from playwright.sync_api import expect

from tenants.sessions import IDLE_LIFE
from tests.console.browser import CHROMIUM, PHONE, Open
from tests.console.world import World, approved, instructed

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),  # sockets of kept-alive connections of the test's server
]

WORDS = {
    "zh": {
        "cut": "切出批次", "publish": "公示", "seal": "封存", "release": "放行", "sealed": "已封存",
        "signed": "已签发指令",
    },
    "en": {
        "cut": "Cut the batch", "publish": "Publish", "seal": "Seal", "release": "Release", "sealed": "Sealed",
        "signed": "Instructed",
    },
}  # fmt: skip


def state_of(world: World, claim_id: str) -> str:
    return str(world.story.claim(claim_id)["state"])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_reviewers_day_by_keys_alone(world: World, opened: Open, language: str) -> None:
    world.one_on_hold()
    with opened(language=language) as at:
        at.go("/console/queue")
        at.picture(f"{language}-sign-in")
        at.sign_in("center-reviewer")
        decided = []
        for key, reason in (("a", None), ("r", "发票与合同不符"), ("c", "请补服务报告")):
            expect(at.page.locator("#review")).to_be_visible()
            claim_id = at.page.url.split("/claims/")[1][:36]
            decided.append(claim_id)
            at.page.keyboard.press(key)
            if reason is None:
                at.page.keyboard.press("Enter")
            else:
                at.page.keyboard.type(reason)
                at.page.keyboard.press("Control+Enter")
            at.page.wait_for_url(re.compile(rf"/claims/(?!{claim_id})"))
            assert at.page.locator("[data-done]").count() == 1
        assert [state_of(world, one) for one in decided][1:] == ["rejected", "needs_correction"]
        assert state_of(world, decided[0]) in {"approved", "in_review"}
        at.picture(f"{language}-queue")
        here = at.page.url
        at.page.keyboard.press("n")
        at.page.wait_for_url(re.compile(f"^(?!{re.escape(here)}$)"))
        at.go("/console")
        at.picture(f"{language}-home-reviewer")
        at.go("/console/claims?state=on_hold")
        at.picture(f"{language}-claims")
        at.page.locator("tbody a").first.click()
        at.page.wait_for_url(re.compile(r"/claims/[0-9a-f-]{36}"))
        at.picture(f"{language}-claim-on-hold")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_batch_from_cut_to_files_by_maker_and_releaser(world: World, opened: Open, language: str) -> None:
    approved(world, 2)
    said = WORDS[language]
    with opened(language=language) as maker, opened(language=language) as releaser:
        maker.sign_in("finance-maker")
        maker.picture(f"{language}-home-maker")
        maker.go("/console/batches/jiangsu/cut")
        maker.picture(f"{language}-cut")
        maker.page.get_by_role("button", name=said["cut"]).click()
        maker.page.wait_for_selector(".steps")
        place = maker.page.url.partition("?")[0].removeprefix(maker.address)
        for step in ("publish", "seal"):
            if step == "seal":
                world.pass_the_notice("jiangsu", place.rpartition("/")[2])
                maker.go(place)
            maker.page.get_by_role("link", name=said[step], exact=True).click()
            if step == "seal":
                maker.prove("finance-maker")
            maker.picture(f"{language}-confirm-{step}")
            maker.page.locator("form .button.main").click()
            maker.page.wait_for_url(f"**?done={step}")
        maker.picture(f"{language}-sealed")
        releaser.go(place)
        releaser.sign_in("finance-releaser")
        expect(releaser.page.locator("h1")).to_contain_text(said["sealed"])
        releaser.page.get_by_role("link", name=said["release"], exact=True).click()
        expect(releaser.page.locator(".totals tbody tr")).to_have_count(2)
        words = releaser.page.locator(".totals tbody td:last-child").all_inner_texts()
        assert words[0] == words[1]
        assert words[0].endswith(("整", "角", "分"))
        releaser.prove("finance-releaser")
        releaser.picture(f"{language}-confirm-release")
        releaser.page.locator("form .button.danger").click()
        releaser.page.wait_for_url("**?done=release")
        releaser.page.go_back()
        expect(releaser.page.locator("form.stack")).to_have_count(0)
        releaser.go(place)
        instructed(world)
        expect(releaser.page.locator("h1")).to_contain_text(said["signed"])
        releaser.picture(f"{language}-instructed")
        with releaser.page.expect_download() as got:
            releaser.page.get_by_role("link", name="payouts.csv").click()
        assert re.fullmatch(r"BT-JS-\d+-\d+-payouts\.csv", got.value.suggested_filename)


def test_text_that_was_typed_survives_an_expired_session(world: World, opened: Open) -> None:
    claim = world.one_in_review()
    with opened() as at:
        at.sign_in("center-reviewer")
        at.go(f"/console/claims/{claim['id']}")
        at.page.check("[value=reject]")
        at.page.fill("[name=reason]", "写了很久、还没有提交的理由")
        world.wait(IDLE_LIFE.total_seconds() + 1)
        at.page.get_by_role("button", name="提交决定").click()
        at.page.wait_for_url("**/console/sign-in**")
        at.sign_in("center-reviewer")
        at.page.wait_for_url(f"**/console/claims/{claim['id']}")
        assert at.page.input_value("[name=reason]") == "写了很久、还没有提交的理由"
        assert state_of(world, claim["id"]) == "in_review"
        at.page.check("[value=reject]")
        at.page.get_by_role("button", name="提交决定").click()
        at.page.wait_for_url("**?done=reject")
        assert state_of(world, claim["id"]) == "rejected"
        assert at.page.evaluate("Object.keys(sessionStorage).filter(key => key.includes('draft')).length") == 0


def test_a_phone_reads_every_page(world: World, opened: Open) -> None:
    claim = world.one_in_review()
    with opened(viewport=PHONE, is_mobile=True, has_touch=True) as at:
        at.sign_in("auditor")
        pages = {
            "home": "/console", "claims": "/console/claims", "claim": f"/console/claims/{claim['id']}",
            "batches": "/console/batches/jiangsu", "account": "/console/account",
        }  # fmt: skip
        for name, path in pages.items():
            at.go(path)
            at.picture(f"phone-{name}")
        assert at.complaints == []


def test_the_pages_work_without_their_script(world: World, opened: Open) -> None:
    claim = world.one_in_review()
    with opened(java_script_enabled=False) as at:
        at.sign_in("center-reviewer")
        at.go(f"/console/claims/{claim['id']}")
        at.page.check("[value=approve]")
        at.page.get_by_role("button", name="提交决定").click()
        expect(at.page.locator("[data-done]")).to_be_visible()
        assert state_of(world, claim["id"]) == "approved"


def test_what_axe_finds_would_be_seen(opened: Open) -> None:
    with opened() as at:
        at.page.set_content("<html><body><main><input></main></body></html>")
        assert {fault.partition(":")[0] for fault in at.grave_faults()} >= {"label", "html-has-lang"}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_auditors_day_from_search_to_proof(world: World, opened: Open, language: str) -> None:
    claim = world.one_in_review()
    with opened(language=language) as at:
        at.go(f"/console/audit/jiangsu?object={claim['claim_no']}")
        at.sign_in("auditor")
        expect(at.page.locator("tbody tr")).to_have_count(1)
        at.picture(f"{language}-audit")
        at.page.locator("tbody a").first.click()
        at.picture(f"{language}-entry")
        with at.page.expect_download() as got:
            at.page.locator("a[download]").click()
        assert got.value.suggested_filename.startswith("proof-jiangsu-")
        at.go("/console/audit/jiangsu/check")
        expect(at.page.locator(".notice.good")).to_be_visible()
        at.picture(f"{language}-chain")
        at.go("/console/policies/jiangsu/provincial/jiangsu/provincial/2024-01-01")
        at.picture(f"{language}-policy")
        at.go("/console/instruction")
        at.picture(f"{language}-instruction")


def test_the_explanation_of_an_award_prints_on_a4_with_every_rule(world: World, opened: Open) -> None:
    claim = world.one_in_review()
    with opened() as at:
        at.sign_in("auditor")
        at.go(f"/console/claims/{claim['id']}")
        at.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        at.page.emulate_media(media="print")
        assert at.page.locator("details:not([open])").count() == 0
        assert not at.page.locator("header.top").is_visible()
        assert not at.page.locator("aside.act").is_visible()
        at.page.set_viewport_size({"width": 680, "height": 1000})  # A4 less its margins
        assert at.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
        if at.pictures is not None:
            at.page.screenshot(path=at.pictures / "print-claim.png", full_page=True)
        printed = at.page.pdf(prefer_css_page_size=True)
        assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12]", printed)
