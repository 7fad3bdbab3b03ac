"""Near duplicates in the register of cases: owned, due, late, and decided once, by whichever of its two faces."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tenants.kernel.database import Scope, Work, run
from tests.api.door import NOW, Caller, code
from tests.intake.bodies import JIANGSU, WUJIANG, buyer, claim, like, seller
from tests.likeness.conftest import Alike
from tests.likeness.test_sweep import PAIRS, claim_of, pairs_of, rescanned, retyped, stored


@pytest.fixture(scope="module")
def jssic(alike: Alike) -> Caller:
    return alike.platform("jssic", "jiangsu")


@pytest.fixture(scope="module")
def reviewer(alike: Alike) -> Caller:
    return alike.reviewer("jiangsu")


def cases_of(caller: Caller, claim_id: str, **query: str) -> list[dict[str, Any]]:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    items: list[dict[str, Any]] = caller.get(f"/v1/cases?subject={claim_id}{more}").get_json()["items"]
    return items


def decide(caller: Caller, case: dict[str, Any], outcome: str) -> Any:
    return caller.post(f"/v1/cases/{case['id']}/resolution", json={"outcome": outcome, "reason": "已核对原件"})


def held(alike: Alike, jssic: Caller) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The body that came first, the claim that it became, and the claim that looks like it."""
    body = claim(JIANGSU)
    first, second = stored(jssic, body), stored(jssic, retyped(body))
    assert alike.sweep().held == 1
    return body, first, second


def test_a_pair_is_a_case_with_an_owner_a_deadline_and_both_sides(
    alike: Alike, jssic: Caller, reviewer: Caller
) -> None:
    _, first, second = held(alike, jssic)
    [case] = cases_of(reviewer, second["id"], kind="similar", state="open")
    assert (case["code"], case["state"], case["side"], case["waits"]) == ("duplicate.similar", "open", "later", True)
    assert case["other_side"] == {"platform": "jssic", "month": "2024-08", "reference": first["id"]}
    assert (case["due_on"], case["overdue"]) == ((NOW.date() + timedelta(days=15)).isoformat(), False)
    taken = reviewer.post(f"/v1/cases/{case['id']}/assignment", json={"owner": "李审"}).get_json()
    assert (taken["state"], taken["owner"]) == ("assigned", "李审")
    assert [one["id"] for one in cases_of(reviewer, first["id"], owner="李审")] == [case["id"]]
    assert cases_of(reviewer, second["id"], overdue="true") == []
    assert code(reviewer.post(f"/v1/cases/{case['id']}/hold", json={"reason": "先停"})) == (409, "case.nothing_to_hold")
    assert alike.found() == []


def test_a_case_that_is_dismissed_lets_its_claim_go_on_and_never_comes_back(
    alike: Alike, jssic: Caller, reviewer: Caller
) -> None:
    body, _, second = held(alike, jssic)
    [case] = cases_of(reviewer, second["id"])
    assert code(decide(reviewer, case, "later_stands")) == (409, "case.earlier_is_no_copy")
    decided = decide(reviewer, case, "distinct").get_json()
    assert (decided["state"], decided["outcome"], decided["decided_here"]) == ("resolved", "distinct", True)
    assert claim_of(jssic, second["id"])["state"] == "in_review"
    assert [one["state"] for one in pairs_of(reviewer, second["id"])] == ["dismissed"]
    assert code(decide(reviewer, case, "earlier_stands")) == (409, "case.resolved")
    assert rescanned(alike, body) == 0
    assert [one["id"] for one in cases_of(reviewer, second["id"])] == [case["id"]]
    assert alike.found() == []


@pytest.mark.parametrize("face", ["case", "pair", "hold"])
def test_confirmed_by_any_face_it_is_confirmed_in_all(alike: Alike, jssic: Caller, reviewer: Caller, face: str) -> None:
    _, _, second = held(alike, jssic)
    [case], [pair] = cases_of(reviewer, second["id"]), pairs_of(reviewer, second["id"])
    if face == "case":
        assert decide(reviewer, case, "earlier_stands").status_code == 200
    elif face == "pair":
        reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "confirm", "reason": "同一张发票"})
    else:
        path = f"/v1/claims/{second['id']}/holds/{pair['hold_id']}/resolution"
        assert reviewer.post(path, json={"outcome": "reject", "reason": "同一张发票"}).status_code == 200
    assert claim_of(jssic, second["id"])["state"] == "rejected"
    assert [one["state"] for one in pairs_of(reviewer, second["id"])] == ["confirmed"]
    assert [one["outcome"] for one in cases_of(reviewer, second["id"])] == ["earlier_stands"]
    assert alike.found() == []


def test_of_several_pairs_of_one_claim_each_case_is_decided_by_itself(
    alike: Alike, jssic: Caller, reviewer: Caller
) -> None:
    body = claim(JIANGSU)
    for one in (body, retyped(body)):
        stored(jssic, one)
    alike.sweep()
    third, number = retyped(body), body["invoices"][0]["number"]
    third["invoices"][0]["number"] = number[:-1] + ("3" if number[-1] != "3" else "8")
    third["receipts"][0]["serial"] = body["receipts"][0]["serial"][:-2] + "xx"
    third["contract"] = body["contract"] | {"number": body["contract"]["number"] + "-1"}
    waiting = stored(jssic, third)
    assert alike.sweep().held == 2
    first, second = cases_of(reviewer, waiting["id"], state="open")
    assert decide(reviewer, second, "distinct").status_code == 200
    assert [one["id"] for one in cases_of(reviewer, waiting["id"], state="open")] == [first["id"]]
    assert claim_of(jssic, waiting["id"])["state"] == "on_hold"
    assert decide(reviewer, first, "distinct").status_code == 200
    assert claim_of(jssic, waiting["id"])["state"] == "in_review"
    assert alike.found() == []


def test_a_withdrawn_claim_ends_its_case(alike: Alike, jssic: Caller, reviewer: Caller) -> None:
    _, _, second = held(alike, jssic)
    assert jssic.post(f"/v1/claims/{second['id']}/withdraw").status_code == 200
    assert [one["outcome"] for one in cases_of(reviewer, second["id"])] == ["ended"]
    assert [one["state"] for one in pairs_of(reviewer, second["id"])] == ["ended"]
    assert alike.found() == []


def test_across_tenants_the_earlier_side_sees_the_case_and_the_later_side_decides(alike: Alike, jssic: Caller) -> None:
    delta = alike.platform("delta", "wujiang")
    body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first = stored(jssic, body)
    second = stored(delta, like(retyped(body), WUJIANG, documents=like(body, WUJIANG)["documents"]))
    assert alike.sweep().held == 1
    jiangsu, wujiang, other = (alike.reviewer(one) for one in ("jiangsu", "wujiang", "shanxi-hainan"))
    [there], [here] = cases_of(jiangsu, first["id"]), cases_of(wujiang, second["id"])
    assert (there["id"], there["side"], there["waits"]) == (here["id"], "earlier", False)
    assert there["other_side"] == {"platform": "delta", "month": "2024-08", "reference": second["id"]}
    shown = str(there)
    for secret in (body["invoices"][0]["number"], body["contract"]["number"], "wujiang", second["claim_no"]):
        assert secret not in shown
    assert cases_of(other, first["id"]) == []
    assert code(decide(jiangsu, there, "distinct")) == (403, "case.other_side_decides")
    assert decide(other, there, "distinct").status_code == 404
    decided = decide(wujiang, here, "distinct").get_json()
    assert (decided["outcome"], claim_of(delta, second["id"])["state"]) == ("distinct", "in_review")
    [there] = cases_of(jiangsu, first["id"])
    assert (there["state"], there["decided_here"], there["resolved_by"], there["reason"]) == (
        "resolved", False, None, None,
    )  # fmt: skip
    assert alike.found() == []


ALONE = (
    "update similar_pair set resolved_at = now(), resolved_by = 'x', outcome = 'dismissed', reason = 'x' "
    "where claim_id = %s and hold_id is null"
)
AGAIN = (
    "insert into duplicate_case (id, kind, code, opened_at, due_on, later_tenant, later_kind, later_id, "
    "later_platform, later_month, earlier_tenant, earlier_kind, earlier_id, earlier_platform, earlier_month) "
    "select uuidv7(), kind, code, opened_at, due_on, later_tenant, later_kind, later_id, later_platform, "
    "later_month, earlier_tenant, earlier_kind, earlier_id, earlier_platform, earlier_month "
    "from duplicate_case where later_id = %s"
)
BARE = (
    "insert into similar_pair (tenant, id, claim_id, place, other_reference, other_platform, other_month, "
    "model_sha256, found_at) select tenant, uuidv7(), claim_id, place, uuidv7(), other_platform, other_month, "
    "model_sha256, found_at from similar_pair where claim_id = %s"
)
OTHERWISE = AGAIN.replace("select uuidv7(), kind, code,", "select uuidv7(), kind, 'duplicate.suspected',")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (AGAIN, "duplicate_case_similar_once"),
        (BARE, "similar_pair_is_case|the pair is no case"),
        (OTHERWISE, "duplicate_case_kinds"),
    ],
    ids=["a second case", "a pair without case", "another code"],
)
def test_the_database_keeps_pair_and_case_together(alike: Alike, jssic: Caller, change: str, refusal: str) -> None:
    _, _, second = held(alike, jssic)
    decide(alike.reviewer("jiangsu"), cases_of(alike.reviewer("jiangsu"), second["id"])[0], "distinct")

    def use_case(work: Work) -> int:
        return work.connection.exec_driver_sql(change, (second["id"],)).rowcount

    with pytest.raises(DBAPIError, match=refusal):
        run(alike.service.engine, Scope(("jiangsu",)), alike.service.machine, use_case)


def test_a_pair_past_its_hold_is_decided_with_its_case_and_what_is_not_decided_is_late(
    alike: Alike, jssic: Caller
) -> None:
    """The last of these tests: it moves the clock beyond the publicity, when what nobody decided is late."""
    _, _, waiting = held(alike, jssic)
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    approve = {"stage": "center", "outcome": "approve"}
    assert alike.reviewer("jiangsu").post(f"/v1/claims/{second['id']}/reviews", json=approve).status_code == 200
    alike.seal_a_batch()
    assert (alike.sweep().cases, claim_of(alike.reviewer("jiangsu"), second["id"])["state"]) == (1, "payable")
    reviewer = alike.reviewer("jiangsu")
    [late] = cases_of(reviewer, waiting["id"], overdue="true")
    assert (late["kind"], late["overdue"]) == ("similar", True)
    [case] = cases_of(reviewer, second["id"], state="open")

    def use_case(work: Work) -> int:
        return work.connection.exec_driver_sql(ALONE, (second["id"],)).rowcount

    with pytest.raises(DBAPIError, match="decided otherwise"):
        run(alike.service.engine, Scope(("jiangsu",)), alike.service.machine, use_case)
    assert decide(reviewer, case, "earlier_stands").get_json()["outcome"] == "earlier_stands"
    assert [one["state"] for one in pairs_of(reviewer, second["id"])] == ["confirmed"]
    assert claim_of(reviewer, second["id"])["state"] == "payable", "what is sealed is for a clawback"
    assert alike.found() == []


def finance_reader(alike: Alike) -> Caller:
    return alike.reviewer("jiangsu")
