"""Suspected duplicates in the console: what each side sees, decides and exports."""

import csv
import io
import re
from typing import Any
from uuid import UUID

import pytest

from clearing.likeness.holding import Match, Side, hold_later
from tests.console.world import World, plain
from tests.verification.suspicions import Body

HOSTILE = "<script>alert(1)</script>"


def supported_elsewhere(world: World, claim: Body) -> Body:
    """The open case between a claim of Jiangsu's and what Wujiang's platform paid for the same invoices."""
    keys = [
        {"kind": "invoice", "value": (each["code"] or "") + each["number"], "amount": each["amount"]}
        for each in claim["invoices"]
    ]
    body = {
        "platform": "wujiang-local", "external_id": f"console-{claim['claim_no']}", "tenant": "wujiang",
        "enterprise_uscc": claim["enterprise"]["uscc"], "supported_on": "2024-06-03", "keys": keys,
    }  # fmt: skip
    world.story.call("wujiang-local", "POST", "/v1/support-records", body)
    path = f"/v1/cases?state=open&subject={claim['id']}"
    return dict(world.story.call("auditor", "GET", path).get_json()["items"][0])


def alike(world: World) -> str:
    """The open pair of two claims of Jiangsu's that look alike."""
    claims = [world.one_in_review(), world.one_in_review()]
    sides = [
        Side(
            "jiangsu", UUID(each["id"]), each["claim_no"], each["platform"], each["submitted_at"][:7], world.clock.now()
        )
        for each in claims
    ]
    match = Match(sides[1], 0, sides[0], 0, 987_600, (1, 2, 0, 1, 1, 0, 0)[: _levels()], "0" * 64)
    assert world.story.do(lambda work: hold_later(work, match, "service")) == "hold"
    path = "/v1/similar-pairs?state=open&limit=500"
    pairs: list[dict[str, Any]] = world.story.call("auditor", "GET", path).get_json()["items"]
    return str(next(each["id"] for each in pairs if each["claim_id"] == claims[1]["id"]))


def _levels() -> int:
    from clearing.likeness.model import FIELDS

    return len(FIELDS)


def test_a_case_is_seen_from_both_sides_where_both_are_ones_own_and_masked_otherwise(world: World) -> None:
    claim = world.one_in_review()
    case = supported_elsewhere(world, claim)
    path = f"/console/cases/{case['id']}"
    both = plain(world.visitor("center-reviewer").see(path))
    assert claim["claim_no"] in both
    assert "******" not in both
    world.invite("suspicious-of-jiangsu", "center_reviewer", tenants=("jiangsu",))
    world.invite("suspicious-of-wujiang", "center_reviewer", tenants=("wujiang",))
    own = plain(world.visitor("suspicious-of-jiangsu").see(path))
    assert claim["enterprise"]["name"] in own
    assert "******" in own
    foreign = world.visitor("suspicious-of-wujiang").see(path)
    for secret in (
        claim["claim_no"],
        claim["enterprise"]["name"],
        claim["provider"]["name"],
        claim["contract"]["number"],
    ):
        assert secret not in foreign
    assert claim["id"] in foreign
    assert world.visitor("stranger").browser.get(path).status_code == 404


def test_a_case_is_taken_on_given_back_and_decided_with_its_reason(world: World) -> None:
    claim = world.one_in_review()
    path = f"/console/cases/{supported_elsewhere(world, claim)['id']}"
    visitor = world.visitor("center-reviewer")
    for owner, done in (("me", "case-taken"), ("nobody", "case-given-back")):
        answer = visitor.send(path, f"{path}/take", owner=owner)
        assert answer.headers["Location"] == f"{path}?done={done}"
    refused = visitor.send(path, f"{path}/resolution", outcome="distinct", reason="")
    assert refused.status_code == 422
    unknown = visitor.send(path, f"{path}/resolution", outcome="nonsense", reason=HOSTILE)
    assert unknown.status_code == 422
    assert "&lt;script&gt;" in unknown.get_data(as_text=True), "what was typed stays, as a text"
    taken = visitor.send(path, f"{path}/resolution", outcome="distinct", reason="两笔不同的支出")
    assert taken.status_code == 409, "one invoice is not two spendings"
    answer = visitor.send(path, f"{path}/resolution", outcome="earlier_stands", reason=f"平台误报 {HOSTILE}")
    assert answer.headers["Location"] == f"{path}?done=case-resolved"
    page = visitor.see(path)
    assert "后到的一方放弃" in plain(page)
    assert "<script>alert" not in page
    assert world.story.claim(claim["id"])["state"] == "in_review"
    late = visitor.browser.post(f"{path}/resolution", data={"outcome": "distinct", "reason": "再来"})
    assert late.status_code == 403, "without the page's token"


def test_one_decides_for_the_own_side_alone(world: World) -> None:
    claim = world.one_in_review()
    path = f"/console/cases/{supported_elsewhere(world, claim)['id']}"
    world.invite("suspicious-of-wujiang", "center_reviewer", tenants=("wujiang",))
    visitor = world.visitor("suspicious-of-wujiang")
    assert 'value="later_stands"' not in visitor.see(path)
    answer = visitor.send(path, f"{path}/resolution", outcome="later_stands", reason="对方让步")
    assert answer.status_code == 403
    assert world.story.claim(claim["id"])["state"] == "on_hold"


def test_the_register_is_counted_filtered_and_exported_as_filtered(world: World) -> None:
    claim = world.one_in_review()
    supported_elsewhere(world, claim)
    visitor = world.visitor("auditor")
    query = f"tenant=jiangsu&state=open&subject={claim['id']}"
    page = visitor.see(f"/console/cases?{query}")
    award = claim["assessment"]["award"]
    said = re.search(r"共 (\d+) 条 · 本方申请核定合计（元） ([\d,.]+)", plain(page))
    assert said is not None
    assert (said[1], said[2].replace(",", "")) == ("1", award)
    text = visitor.browser.get(f"/console/cases/export.csv?{query}").get_data().decode("utf-8-sig")
    heading, line, count, total = csv.reader(io.StringIO(text))
    assert (heading[0], line[10], count[1], total[1]) == ("编号", claim["id"], "1", award)
    answer = visitor.browser.get("/console/cases?kind=nonsense&owner=李")
    assert answer.status_code == 422
    assert 'value="李"' in answer.get_data(as_text=True)
    with visitor.browser.get(f"/console/cases/export.xlsx?{query}") as file:
        assert file.status_code == 200


@pytest.mark.parametrize(("outcome", "state"), [("dismiss", "in_review"), ("confirm", "rejected")])
def test_a_pair_is_compared_and_decided(world: World, outcome: str, state: str) -> None:
    pair_id = alike(world)
    visitor = world.visitor("center-reviewer")
    path = f"/console/pairs/{pair_id}"
    page = plain(visitor.see(path))
    assert "98.76%" in page
    held = world.story.call("auditor", "GET", f"/v1/similar-pairs/{pair_id}").get_json()
    assert all(side["claim_no"] in page for side in held["sides"])
    assert pair_id in visitor.see("/console/pairs?state=open")
    assert visitor.send(path, f"{path}/resolution", outcome=outcome, reason="").status_code == 422
    answer = visitor.send(path, f"{path}/resolution", outcome=outcome, reason="已核对原件")
    assert answer.status_code == 303
    assert world.story.claim(held["claim_id"])["state"] == state
    text = visitor.browser.get("/console/pairs/export.csv").get_data().decode("utf-8-sig")
    assert held["claim_no"] in text
