"""`/v1/cases` as two regions' reviewers use it: one case, two sides, one decision."""

import pytest

from tests.intake.bodies import JIANGSU, WUJIANG, claim
from tests.scenarios.callers import Callers
from tests.scenarios.test_claims_over_http import ON
from tests.service.running import Api


@pytest.fixture
def reviewers(callers: Callers) -> tuple[Api, Api]:
    """A reviewer of Jiangsu and one of Wujiang."""
    return (
        callers.person("江审", "reviews:write", "claims:read", tenants=("jiangsu",)),
        callers.person("吴审", "reviews:write", "claims:read", tenants=("wujiang",)),
    )


def held(jssic: Api, delta: Api) -> tuple[str, str]:
    """A claim of Jiangsu's, and one of Wujiang's that waits because of it: their ids."""
    body, other = claim(JIANGSU, on=ON), claim(WUJIANG, on=ON)
    other["invoices"][0]["number"] = body["invoices"][0]["number"]
    first, second = jssic.post("/v1/claims", body).json, delta.post("/v1/claims", other).json
    assert (first["state"], second["state"]) == ("in_review", "on_hold")
    return first["id"], second["id"]


def test_a_case_is_listed_assigned_and_decided_for_both_sides(
    jssic: Api, delta: Api, reviewers: tuple[Api, Api]
) -> None:
    jiangsu, wujiang = reviewers
    first, second = held(jssic, delta)
    [mine] = jiangsu.get(f"/v1/cases?subject={first}&state=open").json["items"]
    [theirs] = wujiang.get(f"/v1/cases?subject={second}&state=open&kind=hold").json["items"]
    assert mine["id"] == theirs["id"]
    path = f"/v1/cases/{mine['id']}"
    assigned = jiangsu.post(f"{path}/assignment", {"owner": "江审"})
    assert (assigned.status, assigned.json["state"], assigned.json["owner"]) == (200, "assigned", "江审")
    assert [one["id"] for one in jiangsu.get(f"/v1/cases?subject={first}&owner=江审").json["items"]] == [mine["id"]]
    assert wujiang.get(path).json["owner"] is None
    refused = wujiang.post(f"{path}/resolution", {"outcome": "later_stands", "reason": "本方真实"})
    assert (refused.status, refused.code) == (403, "case.other_side_decides")
    decided = jiangsu.post(f"{path}/resolution", {"outcome": "later_stands", "reason": "发票开错企业"})
    assert (decided.status, decided.json["outcome"], decided.json["reason"]) == (200, "later_stands", "发票开错企业")
    seen = wujiang.get(path).json
    assert (seen["state"], seen["decided_here"], seen["reason"], seen["resolved_by"]) == ("resolved", False, None, None)
    assert jiangsu.get(f"/v1/claims/{first}").json["state"] == "rejected"
    assert wujiang.get(f"/v1/claims/{second}").json["state"] == "in_review"


def test_lists_of_cases_are_paged_and_overdue_ones_found(jssic: Api, delta: Api, reviewers: tuple[Api, Api]) -> None:
    for _ in range(3):
        held(jssic, delta)
    seen: list[str] = []
    cursor = ""
    while True:
        page = reviewers[0].get(f"/v1/cases?limit=2{cursor}").json
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) >= 3
    assert seen == sorted(set(seen))
    assert reviewers[0].get("/v1/cases?overdue=true&limit=500").json["items"] == []


@pytest.mark.parametrize(
    ("step", "body", "pointer"),
    [
        ("resolution", {"outcome": "both", "reason": "x"}, "/outcome"),
        ("resolution", {"outcome": "distinct"}, "/reason"),
        ("resolution", {"outcome": "distinct", "reason": ""}, "/reason"),
        ("resolution", {"outcome": "distinct", "reason": "x" * 501}, "/reason"),
        ("assignment", {"owner": "x" * 201}, "/owner"),
        ("assignment", {"owner": 7}, "/owner"),
        ("hold", {}, "/reason"),
        ("hold", {"reason": "x", "tenant": "wujiang"}, "/tenant"),
    ],
)
def test_what_is_wrong_in_a_decision_is_named(
    reviewers: tuple[Api, Api], step: str, body: dict[str, object], pointer: str
) -> None:
    reply = reviewers[0].post(f"/v1/cases/01890000-0000-7000-8000-000000000000/{step}", body)
    assert (reply.status, [fault["pointer"] for fault in reply.json["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("query", ["state=lost", "kind=x", "subject=1", "overdue=maybe", "limit=0", "owner="])
def test_a_query_that_is_none_is_named(reviewers: tuple[Api, Api], query: str) -> None:
    assert reviewers[0].get(f"/v1/cases?{query}").status == 422
