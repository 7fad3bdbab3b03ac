"""What people do wrong, or others do to them, in a real Chromium: scripts in names, wrong files, two people at once.

The back button after a release and an expired session with unsaved text are in ``test_days_in_a_browser``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Dialog, expect

from tests.console.browser import CHROMIUM, Tab, served, tab
from tests.console.test_bank import instructed_batch
from tests.console.world import World, approved

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]
SCRIPT: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>有限公司"


@pytest.fixture(scope="module")
def address(world: World) -> Iterator[str]:
    with served(world) as found:
        yield found


@contextmanager
def watched(world: World, browser: Browser, address: str) -> Iterator[Tab]:
    """A tab in which a dialog that a script opens is a complaint."""

    def opened(dialog: Dialog) -> None:
        at.complaints.append(f"a script ran: {dialog.message}")
        dialog.dismiss()

    with tab(world, browser, address, None) as at:
        at.page.on("dialog", opened)
        yield at


def test_a_script_in_a_name_is_a_name_on_every_page(world: World, browser: Browser, address: str) -> None:
    given = world.draft()
    given.body["enterprise"]["name"] = SCRIPT
    given.body["contract"]["title"] = SCRIPT
    claim = world.story.approve(world.story.submit(given))
    assert claim["state"] == "approved", claim["assessment"]["findings"]
    with watched(world, browser, address) as at:
        at.sign_in("finance-maker")
        at.go("/console/batches/jiangsu/cut")
        expect(at.page.get_by_text(SCRIPT).first).to_be_visible()
        at.page.get_by_role("button", name="切出批次").click()
        at.page.wait_for_selector(".steps")
        place = at.page.url.partition("?")[0].removeprefix(at.address)
        batch = world.story.call("auditor", "GET", f"/v1/tenants/jiangsu/batches/{place.rpartition('/')[2]}").get_json()
        world.story.step("maker", "jiangsu", batch, "publish")
        pages = (
            f"/console/claims/{claim['id']}", "/console/claims", place, f"/notices/jiangsu/{batch['batch_no']}",
        )  # fmt: skip
        for path in pages:
            at.go(path)
            expect(at.page.get_by_text(SCRIPT).first).to_be_visible()
            assert at.page.locator("img[src=x]").count() == 0, path
        assert at.complaints == []
    world.story.step("maker", "jiangsu", batch, "cancel")


def test_a_file_of_the_wrong_kind_is_refused_with_words(
    world: World, browser: Browser, address: str, tmp_path: Path
) -> None:
    paid = instructed_batch(world, 1)
    wrong = tmp_path / "照片.xml"
    wrong.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with watched(world, browser, address) as at:
        at.sign_in("finance-maker")
        at.go(paid.place)
        at.page.set_input_files("[name=file]", wrong)
        at.page.get_by_role("button", name="导入", exact=True).click()
        expect(at.page.get_by_role("alert")).to_be_visible()
        expect(at.page.locator("[name=file]")).to_be_visible()
        assert "a script ran" not in "".join(at.complaints)
        at.go("/console/instruction")
        at.page.set_input_files("[name=file]", wrong)
        at.page.get_by_role("button", name="核验").click()
        expect(at.page.get_by_text("不可信，请勿据此付款。").or_(at.page.get_by_role("alert")).first).to_be_visible()


def test_of_two_people_on_one_batch_the_second_is_told_what_happened(
    world: World, browser: Browser, address: str
) -> None:
    world.invite("second-maker", "finance_maker")
    approved(world, 1)
    batch = world.story.cut("jiangsu", "provincial")
    place = f"/console/batches/jiangsu/{batch['id']}"
    with watched(world, browser, address) as one, watched(world, browser, address) as other:
        for at, login in ((one, "finance-maker"), (other, "second-maker")):
            at.sign_in(login)
            at.go(f"{place}/publish")
        one.page.get_by_role("button", name="确认公示").click()
        one.page.wait_for_url("**?done=publish")
        other.page.get_by_role("button", name="确认公示").click()
        expect(other.page.get_by_role("alert")).to_contain_text("批次有了变化，尚未作任何处理")
        expect(other.page.locator("h1")).to_contain_text("公示中")
        assert one.complaints == []
    world.story.step("maker", "jiangsu", batch, "cancel")


def test_anybody_objects_on_the_public_page_and_verifies_an_instruction(
    world: World, browser: Browser, address: str
) -> None:
    claim = approved(world, 1)[0]
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    with watched(world, browser, address) as at:
        at.go(f"/notices/jiangsu/{batch['batch_no']}")
        at.page.fill("[name=claim_no]", "CL-JS-2024-999999")
        at.page.fill("[name=reason]", "与本单位合同不符")
        at.page.fill("[name=contact]", "13800000000")
        at.page.get_by_role("button").click()
        expect(at.page.get_by_role("alert")).to_be_visible()
        assert at.page.input_value("[name=reason]") == "与本单位合同不符", "what was typed stays"
        at.page.fill("[name=claim_no]", claim["claim_no"])
        at.page.get_by_role("button").click()
        expect(at.page.get_by_role("status")).to_contain_text("异议已收到")
        assert at.grave_faults() == []
        at.page.emulate_media(media="print")
        assert not at.page.locator("form").is_visible()
        assert at.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert world.story.claim(claim["id"])["state"] == "on_hold"
    world.story.step("maker", "jiangsu", batch, "cancel")


def test_a_fault_names_its_field_as_the_form_does_and_leads_into_it(
    world: World, browser: Browser, address: str
) -> None:
    with watched(world, browser, address) as at:
        at.sign_in("tenant-admin")
        at.go("/console/settings/jiangsu/districts")
        form = at.page.locator("form[action$='/districts'][method=post]")
        form.get_by_label("人员").fill("p-center-reviewer")
        form.get_by_label("区划代码").fill("999999")
        form.get_by_label("依据").fill("　")
        form.get_by_role("button", name="设定审核人属地").click()
        told = at.page.get_by_role("alert")
        expect(told).to_contain_text("依据")
        assert told.locator("code").count() == 0
        told.get_by_role("link", name="依据").click()
        expect(form.get_by_label("依据")).to_be_focused()
        assert form.get_by_label("依据").get_attribute("aria-invalid") == "true"
        assert form.get_by_label("人员").input_value() == "p-center-reviewer"


def test_an_objection_with_faults_keeps_what_was_typed_and_names_what_is_wrong(
    world: World, browser: Browser, address: str
) -> None:
    approved(world, 1)
    batch = world.story.step("maker", "jiangsu", world.story.cut("jiangsu", "provincial"), "publish")
    with watched(world, browser, address) as at:
        at.go(f"/notices/jiangsu/{batch['batch_no']}")
        at.page.get_by_label("申请编号").fill("CL-JS-2024-9999999")
        at.page.get_by_label("异议理由").fill("  ")
        at.page.get_by_label("联系方式").fill("025-12345678")
        at.page.get_by_role("button", name="提交异议").click()
        told = at.page.get_by_role("alert")
        expect(told.get_by_role("link", name="异议理由")).to_be_visible()
        assert at.page.get_by_label("异议理由").get_attribute("aria-invalid") == "true"
        assert at.page.get_by_label("联系方式").input_value() == "025-12345678"
        told.get_by_role("link", name="异议理由").click()
        assert at.page.url.endswith("#reason")
    world.story.step("maker", "jiangsu", batch, "cancel")
