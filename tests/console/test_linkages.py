"""Commitments of linked regions and districts of reviewers in the console: by two people, from forms and tables."""

import re
from typing import Final

import pytest

from tests.console.test_registers import looked, stored
from tests.console.world import Visitor, World, hidden_fields, plain

LINKAGES: Final = "/console/settings/jiangsu/linkages"
DISTRICTS: Final = "/console/settings/jiangsu/districts"
YEAR: Final = 2090
"""Years of these tests' own begin with this one; no day of them has passed."""
OFFERED: Final = {
    "province": "jiangsu", "scheme": "provincial", "division": "320300", "types": "tech_sme",
    "provincial_to_local": "7:4", "cap": "80000.00",
}  # fmt: skip


def offer(of: int, **more: str) -> dict[str, str]:
    return {**OFFERED, "year": str(of), "from_on": f"{of}-01-01", "cite": f"徐科〔{of}〕1号", **more}


def proposals(page: str) -> list[str]:
    """The addresses to which a decision may be sent."""
    return re.findall(rf'action="({LINKAGES}/[0-9a-f-]+/decision)"', page)


def test_a_commitment_is_proposed_by_one_and_approved_by_another_of_the_province(world: World) -> None:
    proposer, approver = world.visitor("tenant-admin"), world.visitor("policy-approver")
    assert "政策要求（不低于）" in proposer.see(LINKAGES)
    assert proposer.send(LINKAGES, LINKAGES, **offer(YEAR)).status_code == 303
    mine = proposer.see(f"{LINKAGES}?year={YEAR}")
    assert "由您提出，须由另一人决定" in plain(mine)
    assert proposals(mine) == [], "who proposed is offered no decision"
    assert "份联动承诺待您核准" in plain(approver.see("/console/"))
    seen = approver.see(f"{LINKAGES}?year={YEAR}&state=proposed")
    [path] = proposals(seen)
    refused = approver.browser.post(path, data=hidden_fields(seen, path) | {"outcome": "reject"})
    assert (refused.status_code, "请填写理由" in refused.get_data(as_text=True)) == (422, True)
    assert approver.browser.post(path, data=hidden_fields(seen, path) | {"outcome": "approve"}).status_code == 303
    shown = plain(approver.see(f"{LINKAGES}?year={YEAR}&state=approved"))
    assert {"7:4", "80,000.00", f"徐科〔{YEAR}〕1号", "已核准"} <= set(re.split(r"[ ]", shown))
    again = approver.browser.post(path, data=hidden_fields(seen, path) | {"outcome": "reject", "reason": "改主意"})
    assert again.status_code == 409
    assert world.visitor("finance-maker").browser.post(path, data=hidden_fields(seen, path)).status_code == 403


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"provincial_to_local": "7:2"}, "低于政策要求"),
        ({"cap": "59999.99"}, "低于政策要求"),
        ({"types": "nobody_knows"}, "本券种没有这些类型"),
        ({"division": "110100"}, "不在本券种支持的区划内"),
        ({"division": "320509"}, "须由其管理员提出"),
        ({"from_on": "2024-09-01"}, "起始日不能早于今天"),
        ({"year": "soon"}, "year"),
        ({"cap": "-1"}, "cap"),
        ({"cite": "<script>alert(1)</script>" * 9}, "cite"),
    ],
    ids=["ratio", "cap", "type", "division", "another tenant's", "past", "year", "negative", "long"],
)
def test_what_no_region_may_commit_itself_to_is_refused_at_its_field_and_kept(
    world: World, more: dict[str, str], said: str
) -> None:
    visitor = world.visitor("tenant-admin")
    answer = visitor.send(LINKAGES, LINKAGES, **offer(YEAR + 1, **more))
    page = answer.get_data(as_text=True)
    assert answer.status_code in {409, 422}, plain(page)
    assert said in plain(page)
    assert "<script>alert" not in page
    assert f'value="{offer(YEAR + 1, **more)["provincial_to_local"]}"' in page, "what was typed is kept"
    assert f"徐科〔{YEAR + 1}〕1号" not in visitor.see(f"{LINKAGES}?year={YEAR + 1}")


def test_a_linked_tenant_commits_itself_to_its_province_and_both_see_it(world: World) -> None:
    wujiang = world.visitor(world.invite("wujiang-admin", "tenant_admin", tenants=("wujiang",)))
    place = "/console/settings/wujiang/linkages"
    given = offer(YEAR + 2, division="320509", provincial_to_local="1:1", cap="100000.00")
    answer = wujiang.send(place, place, **given)
    assert answer.status_code == 303, plain(answer.get_data(as_text=True))
    for visitor, path in ((wujiang, place), (world.visitor("policy-approver"), LINKAGES)):
        assert f"徐科〔{YEAR + 2}〕1号" in visitor.see(f"{path}?year={YEAR + 2}")
    assert proposals(wujiang.see(f"{place}?year={YEAR + 2}")) == []


def test_commitments_come_from_a_table_whole_or_not_at_all(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    page = f"{LINKAGES}/import?province=jiangsu"
    head = "券种,年度,区划代码,企业类型,省地比例,企业年度上限（元）,起始日,承诺文号\n"
    good = f"provincial,{YEAR + 3},320300,tech_sme、high_tech,7:3,60000.00,{YEAR + 3}-01-01,徐科〔{YEAR + 3}〕1号\n"
    wrong = f"provincial,{YEAR + 3},320700,tech_sme,7:2,1.00,{YEAR + 3}-01-01,连科〔{YEAR + 3}〕1号\n"
    status, seen = looked(visitor, page, (head + good + wrong).encode())
    assert (status, {"单元格 E3", "单元格 F3"} <= set(re.findall(r"单元格 [A-Z][0-9]", seen))) == (422, True), plain(
        seen
    )
    assert f"徐科〔{YEAR + 3}〕1号" not in visitor.see(f"{LINKAGES}?year={YEAR + 3}")
    assert stored(visitor, page, (head + good).encode()).status_code == 303
    assert f"徐科〔{YEAR + 3}〕1号" in visitor.see(f"{LINKAGES}?year={YEAR + 3}&state=proposed")
    assert visitor.browser.get(f"{LINKAGES}/import?province=atlantis").status_code == 404


def rows_of(visitor: Visitor, query: str) -> str:
    return plain(visitor.see(f"{DISTRICTS}?{query}").partition("<tbody>")[2])


def test_a_reviewer_is_bound_to_a_city_and_let_go_by_another(world: World) -> None:
    administrator = world.visitor("tenant-admin")
    world.invite("xuzhou", "center_reviewer", tenants=("jiangsu",))
    given = {"person": "p-xuzhou", "division": "320300", "ground": "苏科〔2024〕3号"}
    assert '<option value="p-xuzhou">' in administrator.see(DISTRICTS)
    assert administrator.send(DISTRICTS, DISTRICTS, **given).status_code == 303
    assert "320300" in rows_of(administrator, "person=p-xuzhou&state=bound")
    own = {**given, "person": "p-tenant-admin"}
    refused = administrator.send(DISTRICTS, DISTRICTS, **own)
    assert (refused.status_code, "本人不能设定自己的属地" in refused.get_data(as_text=True)) == (403, True)
    city = world.visitor("xuzhou")
    assert "320300" in rows_of(city, "person=p-xuzhou")
    assert "设定属地</button>" not in city.see(DISTRICTS)
    foreign = world.one_in_review()
    hidden = not str(foreign["enterprise"]["division"]).startswith("3203")
    assert (foreign["claim_no"] in plain(city.see("/console/claims?state=in_review&limit=500"))) is not hidden
    page = administrator.see(f"{DISTRICTS}?person=p-xuzhou")
    [path] = re.findall(rf'action="({DISTRICTS}/[0-9a-f-]+/end)"', page)
    form = hidden_fields(page, path)
    assert administrator.browser.post(path, data=form).status_code == 422, "without a reason"
    assert administrator.browser.post(path, data=form | {"reason": "调岗"}).status_code == 303
    assert administrator.browser.post(path, data=form | {"reason": "调岗"}).status_code == 409
    assert "调岗" in rows_of(administrator, "person=p-xuzhou&state=ended")
    assert "p-xuzhou" not in rows_of(administrator, "person=p-xuzhou&state=bound")


def test_districts_come_from_a_table_whole_or_not_at_all(world: World) -> None:
    visitor = world.visitor("tenant-admin")
    page = f"{DISTRICTS}/import"
    head = "人员,区划代码,依据\n"
    bad = f"{head}王某,320300,苏科〔2024〕5号\n李某,3203,苏科〔2024〕5号\np-tenant-admin,320300,自己\n"
    status, seen = looked(visitor, page, bad.encode())
    assert (status, "单元格 B3" in seen) == (422, True)
    own = f"{head}王某,320300,苏科〔2024〕5号\np-tenant-admin,320300,自己\n"
    status, seen = looked(visitor, page, own.encode())
    assert (status, "单元格 A3" in seen) == (422, True)
    assert "王某" not in rows_of(visitor, "person=王某")
    good = f"{head}王某,320300,苏科〔2024〕5号\n李某,320700,苏科〔2024〕5号\n"
    assert stored(visitor, page, good.encode("gb18030")).status_code == 303
    assert "苏科〔2024〕5号" in rows_of(visitor, "person=王某")
    assert "新设定属地 0 项" in looked(visitor, page, good.encode())[1], "the same again changes nothing"
