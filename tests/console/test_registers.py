"""Registers and settings from tables: looked at, each fault at its cell, stored whole or not, decided by another."""

import io
import re
from typing import Any, Final

import pytest
from openpyxl import Workbook
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tenants.kernel.clock import shanghai_day
from tests.console.world import Visitor, World, hidden_fields, plain

QUALIFICATIONS: Final = "/console/registers/qualifications/jiangsu"
ADMISSIONS: Final = "/console/registers/admissions/jiangsu"
TRUST: Final = "/console/registers/trust-list/jiangsu"
SETTINGS: Final = "/console/settings/jiangsu"
HEADING: Final = "统一社会信用代码,单位名称,企业类型,入库编号,发证日期\n"


def parties(world: World, count: int) -> list[tuple[str, str]]:
    """Codes and names of enterprises and providers that exist."""
    found: dict[str, str] = {}
    while len(found) < count:
        enterprise = world.draft().body["enterprise"]
        found[enterprise["uscc"]] = enterprise["name"]
    return list(found.items())


def looked(visitor: Visitor, page: str, content: bytes, **more: str) -> tuple[int, str]:
    path = page.partition("?")[0]
    form = {
        **hidden_fields(visitor.see(page), path),
        **more,
        "act": "look",
        "file": FileStorage(io.BytesIO(content), "table.csv"),
    }
    boundary, body = encode_multipart(form)
    answer = visitor.browser.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")
    return answer.status_code, answer.get_data(as_text=True)


def stored(visitor: Visitor, page: str, content: bytes) -> Any:
    """Look at the table, then press the button that stores it."""
    status, seen = looked(visitor, page, content)
    assert status == 200, plain(seen)
    assert "检查通过，尚未导入" in seen
    form = re.findall(r"<form[^>]*>.*?</form>", seen, re.DOTALL)[-1]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    return visitor.browser.post(page.partition("?")[0], data=fields | {"act": "store"})


def test_qualifications_are_looked_at_imported_and_decided_by_another(world: World) -> None:
    administrator, reviewer = world.visitor("tenant-admin"), world.visitor("center-reviewer")
    (first, name), (second, other) = parties(world, 2)
    page = f"{QUALIFICATIONS}/import?scheme=provincial&year=2024"
    table = f"{HEADING}{first},{name},科技型中小企业,202432031200009876,\n{second},{other},高新技术企业,,2023/11/6\n"
    status, seen = looked(administrator, page, table.encode("gb18030"))
    assert (status, "直接生效 1 行" in seen, "待审核 1 行" in seen) == (200, True, True)
    assert first not in administrator.see(QUALIFICATIONS), "a look stores nothing"
    assert stored(administrator, page, table.encode("gb18030")).status_code == 303
    shown = plain(administrator.see(f"{QUALIFICATIONS}?state=applied"))
    assert second in shown
    assert first not in shown
    assert "由您录入" not in plain(reviewer.see(QUALIFICATIONS))
    form = hidden_fields(reviewer.see(f"{QUALIFICATIONS}?state=applied"), f"{QUALIFICATIONS}/decision") | {
        "uscc": second
    }
    refused = reviewer.browser.post(f"{QUALIFICATIONS}/decision", data=form | {"outcome": "refuse"})
    assert (refused.status_code, "请填写理由" in refused.get_data(as_text=True)) == (422, True)
    assert reviewer.browser.post(f"{QUALIFICATIONS}/decision", data=form | {"outcome": "admit"}).status_code == 303
    rows = administrator.browser.get(f"{QUALIFICATIONS}/export.csv?year=2024").get_data().decode("utf-8-sig")
    assert first in rows
    assert second in rows


def test_each_faulty_cell_is_named_and_nothing_is_stored(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    ((uscc, name),) = parties(world, 1)
    page = f"{QUALIFICATIONS}/import?scheme=provincial&year=2024"
    wrong = "91320115MA1LYJ6P8M,<script>alert(1)</script>,高新技术企业,,soon\n"
    table = f"{HEADING}{uscc},{name},科技型中小企业,2023320312000098,\n{wrong}"
    status, seen = looked(visitor, page, table.encode())
    assert status == 422
    assert {"单元格 A3", "单元格 E3"} <= set(re.findall(r"单元格 [A-Z][0-9]", seen))
    assert '<td class="fault">soon' in seen
    assert "<script>alert" not in seen
    assert uscc not in visitor.see(QUALIFICATIONS)
    for content in (b"", b"PK\x03\x04 no workbook", b"\x00\x01\x02", "列一,列二\n1,2\n".encode(), b"x" * 3_000_000):
        status, seen = looked(visitor, page, content)
        assert status in {400, 413, 422}, plain(seen)
    assert visitor.browser.get(f"{QUALIFICATIONS}/import?year=soon").status_code == 422
    assert visitor.browser.get(f"{QUALIFICATIONS}?state=applied&cursor=!").status_code == 422


def test_a_kept_table_that_was_tampered_with_is_looked_at_again(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    page = f"{QUALIFICATIONS}/import?scheme=provincial&year=2024"
    form = hidden_fields(visitor.see(page), f"{QUALIFICATIONS}/import")
    for kept in ("", "not base64!", "AAAA"):
        answer = visitor.browser.post(f"{QUALIFICATIONS}/import", data=form | {"kept": kept, "act": "store"})
        assert answer.status_code in {400, 422}, kept


def test_providers_enter_the_directory_and_leave_it(world: World) -> None:
    administrator, reviewer = world.visitor("tenant-admin"), world.visitor("center-reviewer")
    provider = world.draft().body["provider"]
    head = "统一社会信用代码,服务单位名称,注册地,单位性质,注册成立时间,资质\n"
    row = f"{provider['uscc']},{provider['name']},320100,高等学校,1999-01-01,\n"
    page = f"{ADMISSIONS}/import?scheme=provincial"
    assert stored(administrator, page, (head + row).encode()).status_code == 303
    assert provider["uscc"] in reviewer.see(ADMISSIONS)
    form = hidden_fields(reviewer.see(ADMISSIONS), f"{ADMISSIONS}/decision") | {"uscc": provider["uscc"]}
    gone = reviewer.browser.post(
        f"{ADMISSIONS}/decision", data=form | {"outcome": "exit", "ground": "complaints", "reason": "投诉三次"}
    )
    assert gone.status_code == 303
    assert "投诉三次" in reviewer.see(f"{ADMISSIONS}?state=exited")
    exported = reviewer.browser.get(f"{ADMISSIONS}/export.xlsx")
    assert exported.status_code == 200
    assert exported.data.startswith(b"PK")
    exported.close()


def test_a_trust_list_is_proposed_from_a_table_and_approved_by_another(world: World) -> None:
    administrator, approver = world.visitor("tenant-admin"), world.visitor("policy-approver")
    provider = world.draft().body["provider"]
    book = Workbook()
    sheet = book.create_sheet(index=0)
    sheet.append(["统一社会信用代码", "单位名称", "起始日", "截止日"])
    sheet.append([provider["uscc"], provider["name"], "2090-01-01", "2090-12-31"])
    content = io.BytesIO()
    book.save(content)
    page = f"{TRUST}/import?cite=苏科服〔2024〕8号"
    assert stored(administrator, page, content.getvalue()).status_code == 303
    assert "须由另一人决定" in administrator.see(TRUST)
    form = hidden_fields(approver.see(TRUST), f"{TRUST}/decision")
    assert approver.browser.post(f"{TRUST}/decision", data=form | {"outcome": "reject"}).status_code == 422
    assert approver.browser.post(f"{TRUST}/decision", data=form | {"outcome": "approve"}).status_code == 303
    again = approver.browser.post(f"{TRUST}/decision", data=form | {"outcome": "approve"})
    assert again.status_code == 409
    assert "苏科服〔2024〕8号" in approver.see(TRUST).split("现行名单")[1]
    back = f"统一社会信用代码,单位名称,起始日,截止日\n{provider['uscc']},甲,2024-12-31,2024-01-01\n"
    assert "D2" in looked(administrator, page, back.encode())[1]
    assert looked(administrator, f"{TRUST}/import", back.encode())[0] == 422, "a list without its document"


@pytest.mark.parametrize(
    ("name", "query", "good", "bad", "cell"),
    [
        ("linked-regions", "?year=2050", "区划代码,企业类型\n320300,tech_sme、high_tech\n",
         "区划代码,企业类型\n32,tech_sme\n", "A2"),
        ("calendar", "?year=2050&cite=国办发明电〔2049〕1号", "日期,安排\n2050-10-03,放假\n2050-10-08,上班\n",
         "日期,安排\n2050-10-03,休\n", "B2"),
        ("budgets", "", "券种,年度,预算,理由\nprovincial,2050,1000000.00,年初下达\n",
         "券种,年度,预算\nlocal,2050,1\n", "A2"),
    ],
    ids=["linked-regions", "calendar", "budgets"],
)  # fmt: skip
def test_settings_come_from_tables(world: World, name: str, query: str, good: str, bad: str, cell: str) -> None:
    visitor = world.visitor("tenant-admin")
    page = f"{SETTINGS}/import/{name}{query}"
    status, seen = looked(visitor, page, bad.encode())
    assert (status, f"单元格 {cell}" in seen) == (422, True), plain(seen)
    answer = stored(visitor, page, good.encode())
    done = "trust-proposed" if name == "linked-regions" else "imported"
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{SETTINGS}?done={done}")
    call = world.story.call
    got = {
        "linked-regions": lambda: call("auditor", "GET", "/v1/tenants/jiangsu/linked-regions/2050").get_json()[
            "proposed"
        ]["regions"],
        "calendar": lambda: call("auditor", "GET", "/v1/tenants/jiangsu/calendar/2050").get_json()["workdays"],
        "budgets": lambda: call("auditor", "GET", "/v1/tenants/jiangsu/schemes/provincial/budgets/2050").get_json()[
            "amount"
        ],
    }[name]()
    assert got == {
        "linked-regions": {"320300": ["high_tech", "tech_sme"]}, "calendar": ["2050-10-08"], "budgets": "1000000.00",
    }[name]  # fmt: skip
    assert world.visitor("finance-maker").browser.get(page).status_code == 403


def test_linked_regions_that_one_person_proposed_are_approved_by_another_on_the_page(world: World) -> None:
    administrator, approver = world.visitor("tenant-admin"), world.visitor("policy-approver")
    year = shanghai_day(world.story.do(lambda work: work.at)).year + 1
    table = "区划代码,企业类型\n320300,high_tech\n"
    assert stored(administrator, f"{SETTINGS}/import/linked-regions?year={year}", table.encode()).status_code == 303
    assert "须由另一人决定" in administrator.see(SETTINGS)
    assert "份联动地区名单待您批准" in approver.see("/console/")
    path = f"{SETTINGS}/linked-regions/{year}/decision"
    form = hidden_fields(approver.see(SETTINGS), path)
    assert approver.browser.post(path, data=form | {"outcome": "reject"}).status_code == 422
    assert administrator.browser.post(path, data=form | {"outcome": "approve"}).status_code == 403
    assert approver.browser.post(path, data=form | {"outcome": "approve"}).status_code == 303
    assert approver.browser.post(path, data=form | {"outcome": "approve"}).status_code == 409
    kept = world.story.call("auditor", "GET", f"/v1/tenants/jiangsu/linked-regions/{year}").get_json()
    assert (kept["regions"], kept["proposed"]) == ({"320300": ["high_tech"]}, None)


def test_the_settings_page_shows_calendars_and_regions(world: World) -> None:
    page = plain(world.visitor("tenant-admin").see(SETTINGS))
    assert "工作日历" in page
    assert "调休上班" in page
