"""The part of the story in which regions owe each other: agreements, windows, matching, rewards, two releasers."""

from tenants.kernel.money import Money
from tests.verification.order_story import (
    carry_on,
    order_anew,
    pay_in_by_hand,
    pay_short,
    pay_with_charges,
    settle_by_bank,
)
from tests.verification.story import Body, Story
from tests.verification.upheld_story import first_number, object_to, uphold


def clear_between_regions(story: Story) -> None:
    """Wujiang's providers in Jiashan are paid by an agent, then by Jiashan: two windows with debts, one without."""
    refused = {"counterparty": "qingpu", "form": "direct", "effective_on": "2025-01-01", "document": "协〔2024〕2号"}
    made = story.call("administrator", "PUT", "/v1/tenants/wujiang/agreements", refused).get_json()
    path = f"/v1/tenants/qingpu/agreements/{made['id']}/refuse"
    story.call("accepter", "POST", path, {"reason": "条件未谈妥"})
    agent = {
        "account_name": "演示结算代理", "account_number": "0000111122223333", "bank_name": "演示银行", "cnaps": "102301000017",
    }  # fmt: skip
    story.agree("agent", "2024-11-05", agent=agent)
    for tenant, limit in (("wujiang", "7000.00"), ("wujiang", "3000.00"), ("jiashan", "100.00")):
        story.call("administrator", "PUT", f"/v1/tenants/{tenant}/release-limit", {"limit": limit})
    story.cross(10, 11)
    by_agent = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", by_agent, "publish")
    story.agree("home_region", "2024-11-06", exposure_limit="5000.00", exposure_approver="approver")
    story.move("2024-11-06T09:00:00+08:00")
    story.cross(12, 13)
    first = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", first, "publish")
    story.cross(14)
    second = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", second, "publish")
    story.agree("home_region", "2024-11-07", netting="gross")
    story.move("2024-11-07T09:00:00+08:00")
    story.cross(15)
    third = story.cut("wujiang", "delta", "cross_redemption", counterparty="jiashan")
    story.step("maker", "wujiang", third, "publish")
    story.move("2024-11-18T09:00:00+08:00")
    for batch in (by_agent, first, second, third):
        story.step("maker", "wujiang", batch, "seal")
    for batch in (by_agent, first):
        assert story.step("accepter", "wujiang", batch, "release")["first_release"] is not None
    assert story.step("releaser", "wujiang", by_agent, "release")["state"] == "released"
    held = story.step("releaser", "wujiang", first, "release")
    assert held["exposure_hold"] is not None, "the batch passed the limit"
    path = f"/v1/tenants/wujiang/batches/{first['id']}/exposure-hold/lift"
    story.call("approver", "POST", path, {"reason": "年末集中兑付"})
    assert story.step("releaser", "wujiang", first, "release")["state"] == "released"
    story.jobs()
    pay_in_by_hand(story, by_agent)
    matching = story.cut("wujiang", "provincial", kind="matching")
    assert matching["count"] > 0, "no enterprise of Wujiang was awarded anything by Jiangsu"
    story.step("maker", "wujiang", matching, "publish")
    uphold(story, "wujiang", object_to(story, matching, first_number(story, matching)), "lowered", "0.50")
    home = _pay_for_wujiang(story)
    _match(story, matching)
    settle_by_bank(story, _close_window(story, "6000.00"))
    assert story.step("maker", "wujiang", first, "close")["state"] == "closed"
    assert story.step("releaser", "wujiang", second, "release")["state"] == "released"
    carry_on(story, _close_window(story, "3000.00"), "2024-11-20T13:00:00+08:00")
    carry_on(story, _close_window(story, "3000.00"), "2024-11-20T14:00:00+08:00")
    order_anew(story, _close_window(story, "3000.00"))
    _explain(story, third, home)
    window = story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
    assert story.call("operator", "POST", f"/v1/clearing/cycles/{window['id']}/close").get_json()["state"] == "settled"


def _explain(story: Story, third: Body, home: Body) -> None:
    """What is paid directly comes short, and then with charges."""
    assert story.step("releaser", "wujiang", third, "release")["state"] == "released"
    pay_short(story, _close_window(story, "3000.00", orders=1), home)
    pay_with_charges(story, _close_window(story, "100.00", orders=1), home)


def reward_the_year(story: Story) -> None:
    """Two providers are rewarded for the year that is over; the batch of it is in publicity."""
    story.move("2025-01-06T09:00:00+08:00")
    path = "/v1/tenants/jiangsu/schemes/provincial/rewards/2024"
    for provider in story.call("maker", "GET", path).get_json()["items"][:2]:
        payee = {
            "account_name": provider["provider"],
            "account_number": "6222000099998888",
            "bank_name": "演示银行",
            "cnaps": "102301000017",
        }
        body = {
            "provider_uscc": provider["provider_uscc"],
            "amount": provider["ceiling"],
            "payee": payee,
            "reason": "服务效益优秀",
        }
        story.call("maker", "POST", path, body)
    batch = story.cut("jiangsu", "provincial", "cross_redemption", kind="incentive")
    assert batch["count"] == 2
    story.step("maker", "jiangsu", batch, "publish")
    first, second = _numbers(story, batch)
    notice = f"/notices/jiangsu/{batch['batch_no']}/objections"
    complaint = {"claim_no": second, "reason": "服务机构已注销", "contact": "电话 025-1"}
    assert story.app.test_client().post(notice, json=complaint).status_code == 201
    for reason in ("已核实登记信息", "再次核实"):
        _object(story, batch, first)
        path = "/v1/tenants/jiangsu/held-items"
        [held] = [each for each in story.call("maker", "GET", path).get_json()["items"] if each["claim_no"] == first]
        resolution = f"{path}/{held['obligation_id']}/resolution"
        story.call("reviewer of authority", "POST", resolution, {"reason": reason})
        batch = story.cut("jiangsu", "provincial", "cross_redemption", kind="incentive")
        assert batch["count"] == 1
        story.step("maker", "jiangsu", batch, "publish")
    items = story.call("maker", "GET", "/v1/tenants/jiangsu/held-items").get_json()["items"]
    held = next(each for each in items if each["claim_no"] == second)
    uphold(story, "jiangsu", held, "withdrawn", said="refuse")
    uphold(story, "jiangsu", held, "lowered", "0.01")


def _numbers(story: Story, batch: Body) -> list[str]:
    items = story.call("maker", "GET", f"/v1/tenants/jiangsu/batches/{batch['id']}/items").get_json()["items"]
    return [item["claim_no"] for item in items]


def _object(story: Story, batch: Body, number: str) -> None:
    path = f"/v1/tenants/jiangsu/batches/{batch['id']}/objections"
    story.call("reviewer of authority", "POST", path, {"claim_no": number, "reason": "金额有误"})


def _match(story: Story, batch: Body) -> None:
    """Wujiang pays its matching of Jiangsu's awards; Xuzhou, which is no tenant, reports one; the others are overdue."""
    story.step("maker", "wujiang", batch, "seal")
    for who in ("accepter", "releaser"):
        story.step(who, "wujiang", batch, "release")
    story.jobs()
    waiting = story.call("maker", "GET", "/v1/tenants/jiangsu/matching?limit=500").get_json()["items"]
    assert [each["amount"] for each in waiting if each["linked_tenant"] is not None] == ["0.50"]
    waiting = [each for each in waiting if each["linked_tenant"] is None]
    path = f"/v1/tenants/jiangsu/matching/{waiting[0]['claim_id']}/payment"
    story.call("maker", "POST", path, {"paid_on": "2024-11-20", "document": "徐财〔2024〕7号"})
    settled = story.call("maker", "GET", "/v1/tenants/jiangsu/matching?state=paid&limit=500").get_json()["items"]
    paid = {claim["id"] for claim in story.in_state("jiangsu", "paid")}
    whole = (each for each in settled if each["linked_tenant"] and Money.parse(each["amount"]) > Money.parse("100.00"))
    asked = next(each for each in whole if each["claim_id"] in paid)
    path = f"/v1/claims/{asked['claim_id']}/clawbacks"
    story.call("reviewer of authority", "POST", path, {"amount": "10.00", "reason": "多计"})
    path = f"/v1/tenants/wujiang/matching/{asked['claim_id']}/recovery"
    for amount, document in (("1.00", "吴财收〔2024〕1号"), ("0.50", "吴财收〔2024〕2号")):
        came = {"amount": amount, "recovered_on": "2024-11-18", "document": document}
        story.call("maker", "POST", path, came)


def _pay_for_wujiang(story: Story) -> Body:
    """Jiashan pays its own providers."""
    batch = story.cut("jiashan", "delta", "cross_redemption", kind="home_region")
    assert batch["count"] == 2, batch
    story.step("maker", "jiashan", batch, "publish")
    story.move("2024-11-20T09:00:00+08:00")
    story.step("maker", "jiashan", batch, "seal")
    for who in ("operator", "releaser"):
        story.step(who, "jiashan", batch, "release")
    story.jobs()
    return batch


def _close_window(story: Story, owed: str, orders: int = 2) -> str:
    window = story.call("operator", "POST", "/v1/clearing/cycles", {}).get_json()
    path = f"/v1/clearing/cycles/{window['id']}"
    story.call("operator", "POST", f"{path}/close")
    for tenant, net in (("wujiang", f"-{owed}"), ("jiashan", owed)):
        story.call("releaser", "POST", f"{path}/confirmations", {"tenant": tenant, "net": net})
    assert len(story.call("releaser", "GET", f"{path}/orders").get_json()["items"]) == orders
    assert orders == 1 or story.call("operator", "POST", f"{path}/settle", ok=409).get_json()["code"] == "cycle.by_bank"
    return path
