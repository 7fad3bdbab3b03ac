"""An upheld objection over HTTP, from the public's complaint to what the public is told of its outcome."""

from typing import Any

from tests.settlement_service.bench import Bench
from tests.settlement_service.desk import Desk
from tests.settlement_service.test_rewards_over_http import PROVIDER, grant, path, rewarding

__all__ = ["rewarding"]

ORDER = {"scheme": "provincial", "mode": "cross_redemption", "kind": "incentive"}


def held_reward(desk: Desk) -> tuple[dict[str, Any], str]:
    """A reward that the public objected to: its batch, and where the item on hold is."""
    made = grant(desk, "60.00").get_json()
    batch = desk.post("maker", desk.batches, json=ORDER).get_json()
    desk.step("maker", batch, "publish")
    complaint = {"claim_no": made["reward_no"], "reason": "服务未实际开展", "contact": "025-1"}
    assert desk.http.post(f"/notices/{desk.tenant}/{batch['batch_no']}/objections", json=complaint).status_code == 201
    for name in ("reviewer", "second"):
        desk.hire(name, "reviews:write", person=name)
    return batch, f"/v1/tenants/{desk.tenant}/held-items/{made['id']}"


def told(desk: Desk, batch: dict[str, Any]) -> list[dict[str, str]]:
    notice = desk.http.get(f"/notices/{desk.tenant}/{batch['batch_no']}?format=json").get_json()
    outcomes: list[dict[str, str]] = notice["outcomes"]
    return outcomes


def test_two_people_lower_a_reward_and_the_notice_says_so(rewarding: Desk, bench: Bench) -> None:
    batch, item = held_reward(rewarding)
    assert [each["state"] for each in told(rewarding, batch)] == ["on_hold"]
    finding = {"outcome": "lowered", "keeps": "20.00", "reason": "部分服务属实"}
    made = rewarding.post("reviewer", f"{item}/upholding", json=finding)
    assert (made.status_code, made.get_json()["keeps"], made.get_json()["decision"]) == (201, "20.00", None)
    [listed] = rewarding.get("maker", item.rpartition("/")[0]).get_json()["items"]
    assert listed["finding"]["outcome"] == "lowered"
    own = rewarding.post("reviewer", f"{item}/upholding/decision", json={"outcome": "approve"})
    assert (own.status_code, own.get_json()["code"]) == (403, "upholding.four_eyes")
    done = rewarding.post("second", f"{item}/upholding/decision", json={"outcome": "approve"})
    assert (done.status_code, done.get_json()["decision"]) == (200, "approve")
    assert [each["state"] for each in told(rewarding, batch)] == ["lowered"]
    page = rewarding.http.get(f"/notices/{rewarding.tenant}/{batch['batch_no']}").get_data(as_text=True)
    assert "异议成立，核减后拨付" in page
    assert "objection upheld, less is paid" in page
    assert rewarding.get("maker", path(rewarding)).get_json()["items"][0]["granted"] == "20.00"
    later = rewarding.post("maker", rewarding.batches, json=ORDER).get_json()
    assert (later["count"], later["total"]) == (1, "20.00")


def test_a_reward_that_is_withdrawn_is_not_granted_again_that_year(rewarding: Desk, bench: Bench) -> None:
    batch, item = held_reward(rewarding)
    rewarding.post("reviewer", f"{item}/upholding", json={"outcome": "withdrawn", "reason": "未开展服务"})
    assert rewarding.post("second", f"{item}/upholding/decision", json={"outcome": "approve"}).status_code == 200
    assert [each["state"] for each in told(rewarding, batch)] == ["withdrawn"]
    assert rewarding.get("maker", path(rewarding)).get_json()["items"][0]["granted"] == "0.00"
    again = grant(rewarding, "1.00", PROVIDER)
    assert (again.status_code, again.get_json()["code"]) == (409, "reward.granted")


def test_what_does_not_fit_is_refused_with_its_place(rewarding: Desk, bench: Bench) -> None:
    _, item = held_reward(rewarding)
    for finding, pointer in (
        ({"outcome": "returned", "reason": "x"}, "/outcome"),
        ({"outcome": "lowered", "keeps": "60.00", "reason": "x"}, "/keeps"),
        ({"outcome": "lowered", "reason": "x"}, "/keeps"),
        ({"outcome": "withdrawn", "keeps": "1.00", "reason": "x"}, "/keeps"),
        ({"outcome": "withdrawn"}, "/reason"),
    ):
        answer = rewarding.post("reviewer", f"{item}/upholding", json=finding)
        found = (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]])
        assert found == (422, [pointer]), finding
    nothing = rewarding.post("second", f"{item}/upholding/decision", json={"outcome": "approve"})
    assert (nothing.status_code, nothing.get_json()["code"]) == (409, "upholding.none")
