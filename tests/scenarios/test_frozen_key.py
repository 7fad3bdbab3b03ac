"""A stolen key: refused within seconds, and everything it submitted since then is held until a person has looked."""

import json
from datetime import date
from typing import Any

from tests.intake.bodies import claim
from tests.scenarios.callers import Callers
from tests.service.running import Api, RunningService

ON = date(2024, 9, 30)
SINCE = "2024-10-08T00:00:00+08:00"


def freeze(service: RunningService, client: Api, since: str = SINCE) -> tuple[int, dict[str, str]]:
    done = service.run(
        "client", "freeze", str(client.client_id), "--since", since, "--person", "陈值班", "--reason", "密钥外泄",
        "--json", check=False,
    )  # fmt: skip
    told: Any = json.loads(done.stdout)
    return done.returncode, {one["claim_no"]: one["outcome"] for one in told["claims"]}


def test_what_a_stolen_key_submitted_is_held_and_the_key_is_refused(
    service: RunningService, callers: Callers, center: Api
) -> None:
    stolen, other = callers.platform("jssic", "jiangsu"), callers.platform("jssic", "jiangsu")
    reviewed, approved, incomplete, withdrawn = (claim(on=ON) for _ in range(4))
    incomplete["documents"].pop()
    made = [stolen.post("/v1/claims", body).json for body in (reviewed, approved, incomplete, withdrawn)]
    assert [one["state"] for one in made] == ["in_review", "in_review", "needs_correction", "in_review"]
    decision = {"stage": "center", "outcome": "approve"}
    assert center.post(f"/v1/claims/{made[1]['id']}/reviews", decision).json["state"] == "approved"
    assert stolen.post(f"/v1/claims/{made[3]['id']}/withdraw", {"reason": "撤回"}).status == 200
    others = other.post("/v1/claims", claim(on=ON)).json

    code, outcomes = freeze(service, stolen)

    assert code == 0
    assert outcomes == {
        made[0]["claim_no"]: "frozen",
        made[1]["claim_no"]: "frozen",
        made[2]["claim_no"]: "holds_no_money",
        made[3]["claim_no"]: "holds_no_money",
    }
    assert stolen.post("/v1/claims", claim(on=ON)).status == 401
    assert stolen.ask_token().status == 401
    for one in made[:2]:
        held = center.get(f"/v1/claims/{one['id']}").json
        assert (held["state"], [hold["code"] for hold in held["holds"]]) == ("on_hold", ["client.compromised"])
        assert held["assessment"]["award"] == one["assessment"]["award"]
    assert center.get(f"/v1/claims/{others['id']}").json["state"] == "in_review"
    assert freeze(service, stolen) == (
        0,
        outcomes | dict.fromkeys([one["claim_no"] for one in made[:2]], "frozen_before"),
    )
    hold = center.get(f"/v1/claims/{made[0]['id']}").json["holds"][0]
    cleared = {"outcome": "clear", "reason": "已向平台核实"}
    after = center.post(f"/v1/claims/{made[0]['id']}/holds/{hold['id']}/resolution", cleared)
    assert (after.status, after.json["state"]) == (200, "in_review")
    assert json.loads(service.run("verify", "--json").stdout)["differences"] == 0


def test_what_came_before_the_instant_is_left_alone(service: RunningService, callers: Callers, center: Api) -> None:
    stolen = callers.platform("jssic", "jiangsu")
    made = stolen.post("/v1/claims", claim(on=ON)).json
    assert freeze(service, stolen, "2030-01-01T00:00:00+08:00") == (0, {})
    assert center.get(f"/v1/claims/{made['id']}").json["state"] == "in_review"
