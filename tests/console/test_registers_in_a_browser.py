"""Registers and settings in a real Chromium: a table with a faulty cell, corrected, imported; read on a phone."""

import pytest
from playwright.sync_api import FilePayload, expect

from tests.console.browser import CHROMIUM, PHONE, Open
from tests.console.world import World

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)"),
    pytest.mark.filterwarnings("default::ResourceWarning"),  # sockets of kept-alive connections of the test's server
]

PLACE = "/console/registers"
HEADING = "统一社会信用代码,单位名称,企业类型,入库编号,发证日期\n"
LONG = "江苏省徐州市泉山区某某新能源装备与智能制造技术研究开发股份有限公司（集团）第二分公司"


def file(text: str) -> FilePayload:
    return {"name": "资格.csv", "mimeType": "text/csv", "buffer": text.encode("gb18030")}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_table_is_corrected_and_imported_by_clicking(world: World, opened: Open, language: str) -> None:
    uscc = world.draft().body["enterprise"]["uscc"]
    row = f"{uscc},{LONG},高新技术企业,,2023-11-06\n"
    with opened(language=language) as at:
        at.sign_in("tenant-admin")
        at.go(f"{PLACE}/qualifications/jiangsu/import?scheme=provincial&year=2024")
        at.page.set_input_files("[name=file]", [file(HEADING + row.replace("2023-11-06", "soon"))])
        at.page.locator("[value=look]").click()
        expect(at.page.locator("td.fault")).to_have_count(1)
        at.complaints.clear()  # the browser tells of the answer 422
        at.picture(f"{language}-import-at-fault")
        at.page.set_input_files("[name=file]", [file(HEADING + row)])
        at.page.locator("[value=look]").click()
        at.page.locator("[value=store]").wait_for()
        at.picture(f"{language}-import-preview")
        at.page.locator("[value=store]").click()
        at.page.wait_for_url("**?done=imported")
        expect(at.page.locator("main")).to_contain_text(uscc)
        at.picture(f"{language}-qualifications")
        at.go("/console/settings/jiangsu")
        at.picture(f"{language}-settings")
    with opened(language=language) as reviewer:
        reviewer.sign_in("center-reviewer")
        reviewer.go(f"{PLACE}/qualifications/jiangsu?state=applied")
        line = reviewer.page.locator("tr", has_text=uscc)
        line.locator("summary").click()
        reviewer.picture(f"{language}-qualification-to-decide")
        line.locator("[value=admit]").click()
        reviewer.page.wait_for_url("**?done=decided")
        assert reviewer.complaints == []


def test_a_phone_reads_the_registers(world: World, opened: Open) -> None:
    with opened(viewport=PHONE, is_mobile=True, has_touch=True) as at:
        at.sign_in("tenant-admin")
        for name in ("qualifications", "admissions", "trust-list"):
            at.go(f"{PLACE}/{name}/jiangsu")
            at.picture(f"phone-{name}")
        at.go("/console/settings/jiangsu")
        at.picture("phone-settings")
        assert at.complaints == []
