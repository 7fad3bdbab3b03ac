"""A newcomer finishes a month by clicking: from the sign-in to the closed month, in a real Chromium.

And what lies in suspense: explained by one person, booked by another.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from settlement.months.month import Month
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tests.console.browser import CHROMIUM, Tab, served, tab
from tests.console.test_bank import answer_of, hand_in, instructed_batch
from tests.console.world import World, approved, instructed, own_world, plain

EVERYTHING_MATCHES = "没有需要查看的行：全部相符。"
pytestmark = pytest.mark.filterwarnings("default::ResourceWarning")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of our own: whose months are closed, its clock moves on."""
    with own_world() as made:
        yield made


def month_now(world: World) -> Month:
    return Month.of(world.story.do(lambda work: shanghai_day(work.at)))


def cut_publish_and_seal(world: World, maker: Tab) -> str:
    """The maker's batch from the list to its seal; its address."""
    page = maker.page
    page.get_by_role("link", name="兑付批次", exact=True).click()
    page.get_by_role("link", name="切出新批次").click()
    page.get_by_role("button", name="切出批次").click()
    page.wait_for_selector(".steps")
    place = page.url.partition("?")[0].removeprefix(maker.address)
    page.get_by_role("link", name="公示", exact=True).click()
    page.get_by_role("button", name="确认公示").click()
    page.wait_for_url("**?done=publish")
    world.pass_the_notice("jiangsu", place.rpartition("/")[2])
    page.reload()
    page.get_by_role("link", name="封存", exact=True).click()
    maker.prove("finance-maker")
    page.get_by_role("button", name="确认封存").click()
    page.wait_for_url("**?done=seal")
    return place


def release(releaser: Tab, place: str) -> None:
    releaser.sign_in("finance-releaser")
    releaser.go(place)
    releaser.page.get_by_role("link", name="放行", exact=True).click()
    releaser.prove("finance-releaser")
    releaser.page.get_by_role("button", name="确认放行").click()
    releaser.page.wait_for_url("**?done=release")


def reconcile_and_close(maker: Tab, place: str) -> None:
    """The demonstration's bank answers, nothing differs, and the batch is closed with its statement."""
    page = maker.page
    maker.go(place)
    page.get_by_role("link", name="银行与对账").click()
    maker.picture("month-bank")
    with page.expect_download() as answered:
        page.get_by_role("link", name="下载演示回单").click()
    page.get_by_role("button", name="演示银行付款并导入回单").click()
    page.wait_for_url("**?done=statement-imported")
    expect(page.get_by_text(EVERYTHING_MATCHES)).to_be_visible()
    assert answered.value.suggested_filename.endswith("-demonstration-camt.053.xml")
    page.get_by_role("link", name="银行与对账").click()
    page.set_input_files("[name=file]", answered.value.path())
    page.get_by_role("button", name="导入", exact=True).click()
    page.wait_for_url("**?done=statement-known")
    maker.picture("month-differences")
    page.get_by_role("link", name="银行与对账").click()
    expect(page.locator("h1")).to_contain_text("已结算")
    page.get_by_role("link", name="关闭批次并出具结算单").click()
    maker.picture("month-close-batch")
    page.get_by_role("button", name=re.compile("确认关闭")).click()
    page.wait_for_url("**?done=close")
    expect(page.locator("h1")).to_contain_text("已关闭")
    page.get_by_role("link", name="银行与对账").click()
    with page.expect_download() as got:
        page.get_by_role("link", name="下载").click()
    assert got.value.suggested_filename.endswith("-settlement-1.jsonl")
    maker.picture("month-settled")


def close_month(maker: Tab, month: Month) -> None:
    page = maker.page
    page.get_by_role("link", name="兑付批次", exact=True).click()
    page.get_by_role("link", name="月结", exact=True).click()
    maker.picture("month-months")
    read = f"{month.first_on.year}年{month.first_on.month}月"
    page.get_by_role("link", name=re.compile(read)).click()
    maker.picture("month-preview")
    page.get_by_role("button", name=f"月结 {read}").click()
    page.wait_for_url("**?done=month-closed")
    expect(page.locator("h1")).to_contain_text("已月结")
    maker.picture("month-closed")
    with page.expect_download() as got:
        page.get_by_role("link", name="全部表格 XLSX").click()
    assert got.value.suggested_filename == f"jiangsu-{month}.xlsx"


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)")
def test_a_newcomer_finishes_a_month_by_clicking(world: World, browser: Browser) -> None:
    approved(world, 2)
    wanted = os.environ.get("CONSOLE_PICTURES")
    pictures = Path(wanted) if wanted else None
    with (
        served(world) as address,
        tab(world, browser, address, pictures) as maker,
        tab(world, browser, address, pictures) as releaser,
    ):
        maker.sign_in("finance-maker")
        place = cut_publish_and_seal(world, maker)
        release(releaser, place)
        instructed(world)
        reconcile_and_close(maker, place)
        month = month_now(world)
        world.story.move((month.ends_at + timedelta(hours=2)).isoformat())
        close_month(maker, month)


def test_what_lies_in_suspense_is_explained_by_one_and_booked_by_another(world: World) -> None:
    paid = instructed_batch(world, 2)
    first, second = paid.payments
    stray = replace(first, end_to_end_id="B" * 26, amount=Money(4_321))
    maker, releaser = world.visitor("finance-maker"), world.visitor("finance-releaser")
    assert hand_in(maker, paid, answer_of(world, [first, second, stray])).status_code == 303
    path = "/console/suspense/jiangsu"
    page = maker.see(path)
    row = next(each for each in page.split("<tr>") if 'name="line"' in each and ">43.21<" in each)
    mine = row.partition('name="line" value="')[2].partition('"')[0]
    form = {"line": mine, "kind": "unrelated"}
    for wrong in ({"reason": ""}, {"reason": "x", "kind": "nonsense"}, {"reason": "x", "line": "nonsense"}):
        assert maker.send(path, f"{path}/resolutions", **form | wrong).status_code == 422
    kept = maker.send(path, f"{path}/resolutions", **form | {"kind": "assign", "reason": "<b>归属</b>"})
    assert kept.status_code == 422
    assert "&lt;b&gt;归属" in kept.get_data(as_text=True), "what was typed stays, as a text"
    answer = maker.send(path, f"{path}/resolutions", **form | {"reason": "网银手续费"})
    assert answer.headers["Location"] == f"{path}?done=explained", plain(answer.get_data(as_text=True))
    assert "等待另一人复核" in maker.see(path)
    found = re.search(rf'action="({path}/resolutions/[0-9a-f-]{{36}}/decision)"', releaser.see(path))
    assert found is not None
    assert releaser.send(path, found[1], outcome="refuse").status_code == 422
    assert releaser.send(path, found[1], outcome="approve").headers["Location"] == f"{path}?done=explanation-approve"
    assert mine not in maker.see(path)
    text = maker.browser.get(f"{path}/export.csv").get_data().decode("utf-8-sig")
    assert "43.21" not in text


def test_a_month_that_is_not_over_is_not_closed_and_what_is_no_month_is_absent(world: World) -> None:
    maker = world.visitor("finance-maker")
    path = "/console/months/jiangsu"
    month = month_now(world)
    page = maker.see(f"{path}/{month}")
    assert f'action="{path}/{month}/close"' not in page
    token = {"form_token": re.findall(r'name="form_token" value="([^"]+)"', page)[0]}
    assert maker.browser.post(f"{path}/{month}/close", data=token).status_code == 409
    assert maker.browser.get(f"{path}/{month.following}").status_code == 404
    for nonsense in ("2024-13", "x", "２０２４-10"):
        assert maker.browser.get(f"{path}/{nonsense}").status_code == 422
    for file in ("export.xlsx", "export.csv?table=transfers"):
        with maker.browser.get(f"{path}/{month}/{file}") as got:
            assert got.status_code == 200
    assert maker.browser.get(f"{path}/{month}/export.csv?table=x").status_code == 404
