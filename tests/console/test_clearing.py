"""Clearing between regions in the console: what is owed, drawn and tabled, confirmed and settled."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from clearing.console.cycle import VIEWS
from tenants.kernel.clock import shanghai_day
from tests.console.browser import CHROMIUM, served, tab
from tests.console.world import World, form_token, plain
from tests.verification.story import Body

DELTA = ("wujiang", "jiashan")
EVERY = ("jiangsu", "wujiang", "jiashan", "qingpu", "maanshan", "shanxi-hainan")


@dataclass(frozen=True)
class Owed:
    """An open window in which Wujiang owes Jiashan for some claims."""

    cycle_id: str
    owed: str
    batch_id: str


def business_day(world: World, ahead: int = 0) -> str:
    at = world.story.do(lambda work: work.at)
    return (shanghai_day(at) + timedelta(days=ahead)).isoformat()


def paid_by_home(world: World, *seeds: int) -> Body:
    """A batch of Wujiang's for providers whom Jiashan pays, released."""
    story = world.story
    story.cross(*seeds)
    batch = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", batch, "publish")
    world.pass_the_notice("wujiang", str(batch["id"]))
    story.step("maker", "wujiang", batch, "seal")
    released = story.step("releaser", "wujiang", batch, "release")
    story.jobs()
    return released


@contextmanager
def owing(world: World) -> Iterator[Owed]:
    """The two regions agree, and one comes to owe the other; every test of this module goes on with it."""
    world.story.call("administrator", "PUT", "/v1/tenants/wujiang/schemes/delta/budgets/2024", {"amount": "2000000.00"})
    for name in ("approver", "accepter", "operator"):
        if name not in world.story.tokens:
            world.story.enrol(name, person=True)
    world.story.agree("home_region", business_day(world), exposure_limit="50000.00", exposure_approver="approver")
    batch = paid_by_home(world, 10, 11)
    assert batch["state"] == "released", batch
    cycle = world.story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
    yield Owed(cycle["id"], batch["total"], batch["id"])


@pytest.fixture(scope="module")
def owed(world: World) -> Iterator[Owed]:
    with owing(world) as made:
        yield made


def figures(page: str) -> list[Any]:
    return [json.loads(html.unescape(each)) for each in re.findall(r'data-figure="([^"]+)"', page)]


def invite(world: World, login: str, role: str, tenants: tuple[str, ...]) -> str:
    return world.invite(login, role, tenants=tenants, person=f"p-{login}")


def test_a_window_is_drawn_and_tabled_alike_and_opens_down_to_its_claims(world: World, owed: Owed) -> None:
    invite(world, "wujiang-finance", "finance_releaser", ("wujiang",))
    visitor = world.visitor("wujiang-finance")
    path = f"/console/clearing/{owed.cycle_id}"
    answer = visitor.browser.get(path)
    assert "img-src 'self' data:" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    page = answer.get_data(as_text=True)
    heat, flows = figures(page)
    assert heat["data"][0]["z"] == [[owed.owed]]
    assert flows["data"][0]["link"]["value"] == [owed.owed]
    assert f">{float(owed.owed):,.2f}<" in page
    link = html.unescape(flows["data"][0]["link"]["customdata"][0])
    assert link in html.unescape(page.split("<table>")[1])
    behind = plain(visitor.see(link))
    assert re.search(rf"共 2 条 · 合计（元） {float(owed.owed):,.2f}", behind)
    text = visitor.browser.get(link.replace("/debts?", "/debts/export.csv?")).get_data().decode("utf-8-sig")
    _, *lines, count, total = csv.reader(io.StringIO(text))
    assert (len(lines), count[1], total[1]) == (2, "2", owed.owed)
    for view in VIEWS:
        assert f"{float(owed.owed):,.2f}" in visitor.see(f"{path}?view={view}")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium fonts-noto-cjk)")
@pytest.mark.filterwarnings("default::ResourceWarning")
def test_a_window_is_drawn_in_a_browser_and_its_flow_opens_the_claims(
    world: World, owed: Owed, browser: Browser
) -> None:
    invite(world, "wujiang-finance", "finance_releaser", ("wujiang",))
    with served(world) as address, tab(world, browser, address, None) as at:
        at.sign_in("wujiang-finance")
        for view, charts in (("gross", 2), ("bilateral", 2), ("multilateral", 1)):
            at.go(f"/console/clearing/{owed.cycle_id}?view={view}")
            expect(at.page.locator("[data-drawn]")).to_have_count(charts)
            at.picture(f"zh-cycle-{view}")
        at.go(f"/console/clearing/{owed.cycle_id}")
        expect(at.page.locator("[data-drawn]")).to_have_count(2)
        at.page.locator(".sankey-link").first.click()
        at.page.wait_for_url("**/debts?debtor=wujiang&creditor=jiashan")
        expect(at.page.locator("tbody tr")).to_have_count(2)
        assert at.complaints == []


def test_a_batch_that_the_other_region_pays_waits_for_its_window_and_for_no_files(world: World, owed: Owed) -> None:
    page = world.visitor("finance-maker").see(f"/console/batches/wujiang/{owed.batch_id}")
    assert "由对方区域先行拨付" in page
    assert "data-refresh" not in page


def test_whom_a_window_does_not_concern_does_not_find_it(world: World, owed: Owed) -> None:
    invite(world, "qingpu-finance", "finance_releaser", ("qingpu",))
    visitor = world.visitor("qingpu-finance")
    assert visitor.browser.get(f"/console/clearing/{owed.cycle_id}").status_code == 404
    assert visitor.browser.get(f"/console/clearing/{owed.cycle_id}/debts").status_code == 404
    assert "没有清算周期" in visitor.see("/console/clearing")


def test_the_list_counts_sums_and_exports(world: World, owed: Owed) -> None:
    invite(world, "delta-auditor", "auditor", DELTA)
    visitor = world.visitor("delta-auditor")
    page = plain(visitor.see("/console/clearing?state=open"))
    assert re.search(rf"共 1 条 · 合计（元） {float(owed.owed):,.2f}", page)
    text = visitor.browser.get("/console/clearing/export.csv?state=open").get_data().decode("utf-8-sig")
    _, line, count, total = csv.reader(io.StringIO(text))
    assert (line[7], line[8], count[1], total[1]) == ("2", owed.owed, "1", owed.owed)
    with visitor.browser.get("/console/clearing/export.xlsx") as file:
        assert file.status_code == 200
    assert visitor.browser.get("/console/clearing?state=nonsense").status_code == 422


def test_a_window_is_closed_confirmed_by_each_and_settled_by_clicking(world: World, owed: Owed) -> None:
    invite(world, "operator-of-all", "clearing_operator", EVERY)
    invite(world, "partly-operator", "clearing_operator", ("wujiang",))
    invite(world, "delta-finance", "finance_releaser", DELTA)
    path = f"/console/clearing/{owed.cycle_id}"
    partly, operator, finance = (world.visitor(one) for one in ("partly-operator", "operator-of-all", "delta-finance"))
    assert partly.send(path, f"{path}/close").status_code == 403, "for some of the regions only"
    assert operator.send(path, f"{path}/close").headers["Location"] == f"{path}?done=cycle-closed"
    page = finance.see(path)
    assert page.count("确认净额") == 2
    stale = {"form_token": form_token(page), "tenant": "wujiang", "net": "0.00"}
    assert finance.browser.post(f"{path}/confirmation", data=stale).status_code == 409, "another figure than it is"
    for tenant, net in (("wujiang", f"-{owed.owed}"), ("jiashan", owed.owed)):
        answer = finance.browser.post(f"{path}/confirmation", data=stale | {"tenant": tenant, "net": net})
        assert answer.headers["Location"] == f"{path}?done=cycle-confirmed", plain(answer.get_data(as_text=True))
    assert plain(finance.see(path)).count("缴入清算专户") == 1
    orders = set(re.findall(r"/console/clearing/orders/[a-z-]+/[0-9a-f-]+", finance.see(path)))
    assert len(orders) == 2
    for order in orders:
        shown = plain(finance.see(order))
        assert "已签发" in shown
        assert "签发时未配置清算专户" in shown, "no agent is configured here, so the operator's word settles the window"
        refused = finance.send(order, f"{order}/statements") if "/statements" in finance.see(order) else None
        assert refused is None or refused.status_code == 422
    assert "没有未结清的债务" not in finance.see(path)
    assert operator.send(path, f"{path}/settle").headers["Location"] == f"{path}?done=cycle-settled"
    assert "没有未结清的债务" in finance.see(path)


def test_an_agreement_is_proposed_agreed_by_both_and_refused_with_reason(world: World, owed: Owed) -> None:
    invite(world, "maanshan-admin", "tenant_admin", ("maanshan",))
    invite(world, "maanshan-approver", "policy_approver", ("maanshan",))
    invite(world, "qingpu-approver", "policy_approver", ("qingpu",))
    administrator, approver, other = (
        world.visitor(one) for one in ("maanshan-admin", "maanshan-approver", "qingpu-approver")
    )
    path, theirs = "/console/agreements/maanshan", "/console/agreements/qingpu"
    form = {
        "counterparty": "qingpu", "form": "home_region", "netting": "bilateral", "agreement_set": "console",
        "effective_on": business_day(world), "document": "协〔2024〕<b>9</b>号",
    }  # fmt: skip
    wrong = administrator.send(path, path, **form | {"exposure_limit": "100"})
    assert wrong.status_code == 422
    assert "&lt;b&gt;9" in wrong.get_data(as_text=True), "what was typed stays, as a text"
    assert administrator.send(path, path, **form).headers["Location"] == f"{path}?done=agreement-proposed"
    assert administrator.send(path, path, **form | {"document": "另一份"}).status_code == 303
    page = approver.see(f"{path}?state=proposed")
    ids = re.findall(rf'action="{path}/([0-9a-f-]{{36}})/approve"', page)
    assert len(ids) == 2
    answer = other.send(theirs, f"{theirs}/{ids[0]}/refuse", reason="条件未谈妥")
    assert answer.headers["Location"] == f"{theirs}?done=agreement-refused"
    for visitor, place in ((approver, path), (other, theirs)):
        answer = visitor.send(place, f"{place}/{ids[1]}/approve")
        assert answer.headers["Location"] == f"{place}?done=agreement-approved"
    shown = plain(administrator.see(path))
    assert "已生效" in shown
    assert "条件未谈妥" in shown
    text = administrator.browser.get(f"{path}/export.csv").get_data().decode("utf-8-sig")
    assert text.count("另一份") + text.count("协〔2024〕") == 2
    assert administrator.browser.get("/console/agreements/jiangsu").status_code == 404
