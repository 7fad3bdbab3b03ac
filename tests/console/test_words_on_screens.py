"""What people read on the screens: names, amounts with their thousands apart, days and months, and never a code."""

import json
import re

import pytest

from tests.console.test_bank import instructed_batch
from tests.console.world import World, approved, instructed, plain


@pytest.fixture(scope="module")
def lines(world: World) -> list[str]:
    """The instructions of a batch, as ``payouts.jsonl`` has them."""
    paid = instructed_batch(world, 2)
    path = f"/v1/tenants/jiangsu/batches/{paid.batch['id']}/files/payouts.jsonl"
    return world.story.call("auditor", "GET", path).get_data(as_text=True).splitlines()


def verified(world: World, text: str, language: str = "zh") -> str:
    browser = world.app.test_client()
    browser.get(f"/console/language/{language}")
    return plain(browser.post("/console/instruction", data={"text": text}).get_data(as_text=True))


def test_of_several_instructions_each_verdict_says_which_line_it_is_about(world: World, lines: list[str]) -> None:
    token = json.loads(lines[0])["jws"]
    head, payload, signature = token.split(".")
    changed = f"{head}.{payload}.{signature[:-6]}{'A' * 6}"
    foreign = lines[0].replace(json.loads(lines[0])["instruction_id"], json.loads(lines[1])["instruction_id"])
    page = verified(world, "\n".join((lines[0], changed, foreign)))
    told = re.split(r"第 [123] 条", page)[1:]
    assert ["真实有效" in one for one in told] == [True, False, False]
    assert ["不可信，请勿据此付款" in one for one in told] == [False, True, True]
    assert re.search(r"签发时间 \d{4}年\d{1,2}月\d{1,2}日 \d\d:\d\d ", told[0])
    assert re.search(r"Signed at \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d", verified(world, lines[0], "en"))


def test_what_a_forged_instruction_says_is_shown_as_it_is(world: World, lines: list[str]) -> None:
    token = json.loads(lines[0])["jws"]
    for wrong in ("x", "-", "", "1,5", "9" * 400):
        forged = json.dumps({**json.loads(lines[0]), "jws": token, "amount": wrong, "created_at": wrong})
        assert "不可信" in verified(world, forged)


def test_the_way_of_a_batch_is_told_in_words_on_both_sides_of_each_step(world: World) -> None:
    claim = approved(world, 1)[0]
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    page = plain(world.visitor("auditor").see(f"/console/claims/{claim['id']}"))
    assert "已切批 → 公示中" in page
    assert not re.search(r"\b(cut|sealed|released) →", page)
    assert "江苏省科技资源统筹服务云平台 jssic-" in page, "who submitted it"
    notice = plain(world.app.test_client().get(f"/notices/jiangsu/{batch['batch_no']}").get_data(as_text=True))
    total, _, fen = batch["total"].partition(".")
    assert f"笔，{int(total):,}.{fen} 元" in notice
    assert re.search(r"公示期 Notice \d{4}年\d{1,2}月\d{1,2}日 至 \d{4}年\d{1,2}月\d{1,2}日 （", notice)
    machines = world.app.test_client().get(f"/notices/jiangsu/{batch['batch_no']}?format=json").get_json()
    assert machines["total"] == batch["total"]
    assert f"{int(total):,}.{fen}" in plain(world.app.test_client().get("/notices").get_data(as_text=True))
    world.story.step("maker", "jiangsu", batch, "cancel")


def test_a_long_notice_offers_itself_on_one_page_for_printing(world: World) -> None:
    approved(world, 2)
    batch = world.story.cut("jiangsu", "provincial")
    world.story.step("maker", "jiangsu", batch, "publish")
    path = f"/notices/jiangsu/{batch['batch_no']}"
    first = world.app.test_client().get(f"{path}?limit=1").get_data(as_text=True)
    offered = re.search(r'href="(\?limit=\d+)"', first)
    assert offered is not None
    whole = world.app.test_client().get(path + offered[1]).get_data(as_text=True)
    assert whole.count('<td class="whole">') == batch["count"]
    assert "便于打印" not in whole
    world.story.step("maker", "jiangsu", batch, "cancel")


@pytest.mark.parametrize(("language", "platform"), [("zh", "江苏省科技资源统筹服务云平台"), ("en", "Jiangsu science")])
def test_platforms_are_chosen_by_name(world: World, language: str, platform: str) -> None:
    visitor = world.visitor("clearing-operator")
    visitor.browser.get(f"/console/language/{language}")
    for screen in ("clients", "webhooks", "receipts", "jobs"):
        page = visitor.see(f"/console/connectors/{screen}?platform=jssic")
        assert re.search(rf'<option value="jssic" selected>{platform}', page), screen
    kept = visitor.see("/console/connectors/clients?platform=gone")
    assert '<option value="gone" selected>gone</option>' in kept, "what was asked for stays asked for"


def test_what_a_person_and_a_client_may_do_is_said_in_words(world: World) -> None:
    visitor = world.visitor(world.invite("words-operator", "clearing_operator", tenants=world.story.tenants))
    assert "运维清算与连接器 clearing:operate" in plain(visitor.see("/console/account"))
    assert "提交与补正申请" in plain(visitor.see("/console/connectors/clients?platform=jssic"))


def test_a_policy_is_read_with_names_amounts_and_days(world: World) -> None:
    page = plain(
        world.visitor("auditor")
        .see("/console/policies/jiangsu/provincial/jiangsu/provincial/2024-01-01")
        .split("<pre")[0]
    )
    for read in (
        "effective 2024年1月1日", "modes 通用", "enterprise.revenue_ceiling 400,000,000.00",
        "zones[north].annual_cap 140,000.00", "高等学校", "中心审核",
    ):  # fmt: skip
        assert read in page, read
    assert "common_use" not in page


def test_months_are_read_as_months(world: World) -> None:
    instructed(world)
    visitor = world.visitor("finance-maker")
    page = visitor.see("/console/months/jiangsu")
    month = re.search(r"/console/months/jiangsu/(\d{4})-(\d\d)", page)
    assert month is not None
    assert f"{month[1]}年{int(month[2])}月" in plain(page)
    visitor.browser.get("/console/language/en")
    assert re.search(rf"[A-Z][a-z]{{2}} {month[1]}", plain(visitor.see("/console/months/jiangsu")))
