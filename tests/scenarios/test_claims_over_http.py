"""A claim's life through the interface: submitted, read, reviewed, listed, traced, withdrawn."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.claims.claims_of_cases import CASES, read_case
from tests.intake.bodies import WUJIANG, Body, again, buyer, claim, receipt, seller
from tests.races.books import faults
from tests.scenarios.callers import Callers
from tests.service.running import Api, Reply

ON = date(2024, 9, 30)
INTAKE_CASES = sorted(path.stem for path in CASES.glob("*.json") if "claim" in read_case(path.stem)["steps"][0])
PLATFORMS = {"jiangsu": "jssic", "wujiang": "delta", "shanxi-hainan": "shanxi-inno"}


@pytest.fixture(scope="session")
def importers(callers: Callers) -> dict[str, Api]:
    """A client of each platform that may bring history."""
    scopes = ("claims:write", "claims:import")
    return {code: callers.platform(code, tenant, scopes=scopes) for tenant, code in PLATFORMS.items()}


def submit(caller: Api, body: Body, **headers: str) -> Reply:
    return caller.post("/v1/claims", body, **headers)


def stored(caller: Api, body: Body) -> dict[str, Any]:
    """The claim as it was answered when it was stored."""
    reply = submit(caller, body)
    assert reply.status == 201, reply
    answered: dict[str, Any] = reply.json
    return answered


def findings(claim_: dict[str, Any]) -> set[str]:
    return {one["rule"] for one in claim_["assessment"]["findings"] if one["verdict"] != "info"}


@pytest.mark.parametrize("name", INTAKE_CASES)
def test_a_worked_case_gives_its_figures_through_the_interface(
    importers: dict[str, Api], admin: Api, approver: Api, name: str
) -> None:
    case = read_case(name)
    for year, regions in case["facts"].get("linked_regions", {}).items():
        path = f"/v1/tenants/jiangsu/linked-regions/{year}"
        proposed = admin.put(path, {"regions": regions}).json["proposed"]
        decision = {"version": proposed["version"], "outcome": "approve"}
        assert approver.post(f"{path}/decision", decision).json["regions"] == regions
    for step in case["steps"]:
        body = step["claim"]
        answered = stored(importers[step.get("platform", PLATFORMS[body["tenant"]])], body)
        wanted = dict(step["expect"])
        assert findings(answered) >= set(wanted.pop("codes", []))
        seen = answered["assessment"] | {"state": answered["state"]}
        seen["matching"] = seen["matching"]["amount"]
        assert {key: seen[key] for key in wanted} == wanted


def test_what_is_stored_is_answered_with_its_place_and_version(jssic: Api) -> None:
    body = claim(on=ON)
    reply = submit(jssic, body)
    assert reply.status == 201
    answered = reply.json
    assert reply.headers["Location"] == f"/v1/claims/{answered['id']}"
    again_ = jssic.get(reply.headers["Location"])
    assert (again_.status, again_.json) == (200, answered)
    assert again_.headers["ETag"] == reply.headers["ETag"]
    assert jssic.get(reply.headers["Location"], If_None_Match=reply.headers["ETag"]).status == 304
    assert answered["claim_no"].startswith("CL-JS-2024-")
    assert (answered["platform"], answered["revision"], answered["state"]) == ("jssic", 1, "in_review")
    assert (answered["next_stage"], answered["holds"]) == ("center", [])
    assert answered["submitted_at"] == body["submitted_at"]


def test_the_answer_repeats_the_submission_with_accounts_masked(jssic: Api) -> None:
    body = claim(on=ON)
    body["receipts"][0]["payer_account"] = "6222000011112222333"
    reply = submit(jssic, body)
    answered = reply.json
    number = body["payee"]["account_number"]
    assert answered["payee"]["account_number"].endswith(number[-4:])
    assert answered["receipts"][0]["payer_account"].endswith("2333")
    assert number not in reply.body.decode()
    assert "6222000011112222333" not in reply.body.decode()
    for member in ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract", "documents"):
        assert answered[member] == body[member]


def test_the_same_claim_again_is_the_stored_one_and_other_content_a_conflict(jssic: Api) -> None:
    body = claim(on=ON)
    first, second = submit(jssic, body), submit(jssic, body)
    assert (first.status, second.status) == (201, 200)
    assert second.json == first.json
    assert second.headers["ETag"] == first.headers["ETag"]
    other = submit(jssic, body | {"mode": "cross_redemption"})
    assert (other.status, other.code) == (409, "claim.content_differs")


def test_findings_are_told_in_the_language_asked_for(jssic: Api) -> None:
    body = claim(on=ON, receipts=[receipt("1.00", ON)])
    chinese = submit(jssic, body).json
    english = submit(jssic, body, Accept_Language="en").json
    told = {lang: next(f for f in c["assessment"]["findings"] if f["rule"] == "totals.receipts")["message"]
            for lang, c in (("zh", chinese), ("en", english))}  # fmt: skip
    assert "不等" in told["zh"]
    assert "do not equal" in told["en"]


def test_input_faults_are_all_named_with_their_pointers_in_both_languages(jssic: Api) -> None:
    body = claim(on=ON)
    body["invoices"][0]["amount"] = 10000
    body["services"][0]["completed_on"] = "2024-9-1"
    body["enterprise"]["uscc"] = "91320115EAXE0JLX70"
    body["surprise"] = {}
    for language, word in (("zh", "处错误"), ("en", "faults")):
        reply = submit(jssic, body, Accept_Language=language)
        assert (reply.status, reply.code) == (422, "claim.invalid")
        assert word in reply.json["detail"]
        assert {error["pointer"] for error in reply.json["errors"]} == {
            "/invoices/0/amount", "/services/0/completed_on", "/enterprise/uscc", "/surprise",
        }  # fmt: skip
    assert jssic.get(f"/v1/claims?external_id={body['external_id']}").json["items"] == []


def test_a_claim_is_reviewed_to_its_approval_by_two_persons(delta: Api, center: Api, authority: Api) -> None:
    answered = stored(delta, claim(WUJIANG, on=ON))
    place = f"/v1/claims/{answered['id']}"
    early = authority.post(f"{place}/reviews", {"stage": "authority", "outcome": "approve"})
    assert (early.status, early.code) == (409, "review.stage")
    first = center.post(f"{place}/reviews", {"stage": "center", "outcome": "approve", "award": "1000.00"})
    assert (first.status, first.json["errors"][0]["pointer"]) == (422, "/reason")
    decision = {"stage": "center", "outcome": "approve", "award": "1000.00", "reason": "部分服务不符"}
    first = center.post(f"{place}/reviews", decision)
    assert (first.status, first.json["next_stage"]) == (200, "authority")
    assert (first.json["assessment"]["award"], first.json["assessment"]["computed"]) == ("1000.00", "3000.00")
    same = center.post(f"{place}/reviews", {"stage": "authority", "outcome": "approve"})
    assert (same.status, same.code) == (403, "review.four_eyes")
    last = authority.post(f"{place}/reviews", {"stage": "authority", "outcome": "approve"})
    assert (last.status, last.json["state"], last.json["next_stage"]) == (200, "approved", None)
    assert delta.get(place).json == last.json


def test_a_change_of_what_was_read_before_is_refused(jssic: Api, center: Api) -> None:
    reply = submit(jssic, claim(on=ON))
    place, version = reply.headers["Location"], reply.headers["ETag"]
    correct = {"stage": "center", "outcome": "correct", "reason": "请补报告"}
    assert center.post(f"{place}/reviews", correct, If_Match=version).status == 200
    late = jssic.post(f"{place}/withdraw", {}, If_Match=version)
    assert (late.status, late.code) == (412, "claim.changed")
    assert jssic.get(place).json["state"] == "needs_correction"
    fresh = jssic.get(place).headers["ETag"]
    assert jssic.post(f"{place}/withdraw", {"reason": "不再申请"}, If_Match=fresh).json["state"] == "withdrawn"


def test_a_hold_is_shown_with_its_reason_and_resolved(jssic: Api, center: Api) -> None:
    body = claim(on=ON)
    first = stored(jssic, body)
    other = claim(on=ON)
    other["invoices"][0]["number"] = body["invoices"][0]["number"]
    held = stored(jssic, other)
    [hold] = held["holds"]
    assert (held["state"], hold["code"], hold["state"]) == ("on_hold", "duplicate.foreign_invoice", "open")
    assert first["id"] in hold["message"]
    place = f"/v1/claims/{held['id']}/holds/{hold['id']}/resolution"
    early = center.post(place, {"outcome": "clear", "reason": "已核实"})
    assert (early.status, early.code) == (409, "duplicate.still_taken")
    assert center.post(place, {"outcome": "clear"}).json["errors"][0]["pointer"] == "/reason"
    jssic.post(f"/v1/claims/{first['id']}/withdraw")
    cleared = center.post(place, {"outcome": "clear", "reason": "已核实"})
    assert (cleared.status, cleared.json["state"]) == (200, "in_review")
    [resolved] = cleared.json["holds"]
    assert (resolved["state"], resolved["outcome"], resolved["reason"]) == ("resolved", "clear", "已核实")


def test_a_list_is_paged_without_loss_or_repetition_in_a_stable_order(callers: Callers) -> None:
    caller = callers.platform("delta", "maanshan", "jiashan")
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    ids = [stored(caller, claim(WUJIANG, on=ON, by=party, to=provider, tenant="maanshan"))["id"] for _ in range(7)]
    seen: list[str] = []
    query = f"/v1/claims?tenant=maanshan&enterprise={party.uscc}&limit=2"
    cursor = ""
    pages = 0
    while pages == 0 or cursor:
        page = caller.get(f"{query}&cursor={cursor}" if cursor else query).json
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == (ids, 4)


def test_every_filter_of_the_list_selects(jssic: Api) -> None:
    body = claim(on=ON)
    own = stored(jssic, body)
    rejected = again(body)
    stored(jssic, rejected)
    chosen = {
        "tenant": "jiangsu", "scheme": "provincial", "mode": "common_use", "state": "in_review", "platform": "jssic",
        "enterprise": body["enterprise"]["uscc"], "provider": body["provider"]["uscc"], "quota_year": "2024",
        "external_id": body["external_id"], "claim_no": own["claim_no"],
        "submitted_from": "2024-09-30", "submitted_through": "2024-09-30",
    }  # fmt: skip
    other = {
        "tenant": "wujiang", "scheme": "delta", "mode": "cross_redemption", "state": "approved,on_hold",
        "platform": "delta", "enterprise": rejected["provider"]["uscc"], "provider": body["enterprise"]["uscc"],
        "quota_year": "2023", "external_id": "nobody", "claim_no": "CL-JS-2024-999999",
        "submitted_from": "2024-10-01", "submitted_through": "2024-09-29",
    }  # fmt: skip
    narrow = f"enterprise={body['enterprise']['uscc']}"
    for name, value in chosen.items():
        found = {item["id"] for item in jssic.get(f"/v1/claims?{narrow}&{name}={value}").json["items"]}
        assert own["id"] in found, name
        missed = jssic.get(
            f"/v1/claims?{narrow}&{name}={other[name]}"
            if name != "enterprise"
            else f"/v1/claims?enterprise={other[name]}"
        )
        assert own["id"] not in {item["id"] for item in missed.json["items"]}, name


def test_the_trace_holds_every_rule_of_every_revision_in_both_languages(jssic: Api) -> None:
    body = claim(on=ON, receipts=[receipt("1.00", ON)])
    first = stored(jssic, body)
    body["receipts"] = [receipt("10000.00", ON)]
    assert submit(jssic, body).json["revision"] == 2
    items = jssic.get(f"/v1/claims/{first['id']}/trace").json["items"]
    assert [(item["revision"], item["state"]) for item in items] == [(1, "needs_correction"), (2, "in_review")]
    for item in items:
        rules = [entry["rule"] for entry in item["trace"]]
        assert rules[0] == "policy.in_force"
        assert {"enterprise.revenue", "totals.receipts", "award.rate"} <= set(rules)
        for entry in item["trace"]:
            assert set(entry) == {"rule", "verdict", "cite", "inputs", "output", "message"}
            assert entry["message"]["zh"]
            assert entry["message"]["en"]
            assert entry["cite"]


def test_the_history_says_who_did_what_and_why(jssic: Api, center: Api) -> None:
    own = stored(jssic, claim(on=ON))
    place = f"/v1/claims/{own['id']}"
    center.post(f"{place}/reviews", {"stage": "center", "outcome": "reject", "reason": "报告不实"})
    events = jssic.get(f"{place}/history").json["items"]
    assert [(event["action"], event["from"], event["to"]) for event in events] == [
        ("claim.submitted", None, "in_review"),
        ("claim.review.reject", "in_review", "rejected"),
    ]
    assert (events[1]["actor"], events[1]["reason"]) == ("李审", "报告不实")
    assert events[0]["actor"] == jssic.client_id
    assert all(len(event["hash"]) == 64 for event in events)


def test_an_idempotency_key_replays_the_first_answer_and_takes_no_other_body(jssic: Api) -> None:
    body = claim(on=ON)
    first = submit(jssic, body, Idempotency_Key="key-of-a-claim-1")
    replayed = submit(jssic, body, Idempotency_Key="key-of-a-claim-1")
    assert (first.status, replayed.status, replayed.body) == (201, 201, first.body)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert replayed.headers["ETag"] == first.headers["ETag"]
    other = submit(jssic, claim(on=ON), Idempotency_Key="key-of-a-claim-1")
    assert (other.status, other.code) == (409, "idempotency.key_reused")


def test_a_refusal_is_replayed_too(jssic: Api) -> None:
    body = claim(on=ON, scheme="unheard-of")
    answers = [submit(jssic, body, Idempotency_Key="key-of-a-refusal") for _ in range(2)]
    assert [answer.status for answer in answers] == [422, 422]
    assert answers[0].body == answers[1].body
    assert answers[1].headers.get("Idempotency-Replayed") == "true"


def test_two_clients_may_use_the_same_key(jssic: Api, callers: Callers) -> None:
    neighbour = callers.platform("jssic", "jiangsu")
    assert submit(jssic, claim(on=ON), Idempotency_Key="shared-key").status == 201
    assert submit(neighbour, claim(on=ON), Idempotency_Key="shared-key").status == 201


def test_one_key_sent_by_16_threads_has_one_effect(jssic: Api, center: Api, auditor: Engine) -> None:
    own = stored(jssic, claim(on=ON))
    decision = {"stage": "center", "outcome": "approve", "award": "2000.00", "reason": "部分不符"}

    def decide(_: int) -> Reply:
        return center.post(f"/v1/claims/{own['id']}/reviews", decision, Idempotency_Key="one-review-only")

    center.sign_in()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(decide, range(16)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 15
    with auditor.connect() as connection:
        reviews = connection.exec_driver_sql("select count(*) from review where claim_id = %s", (own["id"],))
        assert reviews.scalar_one() == 1


def test_one_claim_sent_by_16_threads_is_stored_once(jssic: Api, auditor: Engine) -> None:
    body = claim(on=ON)
    jssic.sign_in()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: submit(jssic, body), range(16)))
    assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert faults(auditor) == []


def test_a_platform_withdraws_what_is_not_in_a_batch(jssic: Api) -> None:
    body = claim(on=ON)
    own = stored(jssic, body)
    withdrawn = jssic.post(f"/v1/claims/{own['id']}/withdraw")
    assert (withdrawn.status, withdrawn.json["state"]) == (200, "withdrawn")
    assert withdrawn.json["assessment"]["award"] == "0.00"
    assert stored(jssic, again(body, restores=own["id"]))["state"] == "in_review"
