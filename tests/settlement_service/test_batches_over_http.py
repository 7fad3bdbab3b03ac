"""Batches as clients over HTTP see them: the whole life, refusals, files, accounts, keys and notices."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from clearing.api.batch_form import BatchLineSchema, BatchSchema, FileSchema, ItemSchema
from clearing.claims.records import view_claim
from settlement.ledger import budget_account, lock_accounts
from settlement.offline import verify_batch
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.money import Money
from tests.settlement_service.bench import OVER, PUBLISHED, Bench, shanghai
from tests.settlement_service.claims import approved_claim
from tests.settlement_service.desk import Desk

MAX_STAGES = 5
ORDER = {"scheme": "provincial", "mode": "common_use", "cut_off": "2024-09-26"}
ACCOUNT = {
    "account_name": "测试财政专户",
    "account_number": "3200001234567890",
    "bank_name": "国家金库测试支库",
    "cnaps": "102301000017",
}


def cut(desk: Desk, **order: Any) -> dict[str, Any]:
    answer = desk.post("maker", desk.batches, json={**ORDER, **order})
    assert answer.status_code == 201, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def published(desk: Desk) -> dict[str, Any]:
    batch = cut(desk)
    desk.move_to(PUBLISHED)
    answer = desk.step("maker", batch, "publish")
    assert answer.status_code == 200, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def sealed(desk: Desk) -> dict[str, Any]:
    batch = published(desk)
    assert desk.call("maker", "PUT", f"/v1/tenants/{desk.tenant}/payout-account", json=ACCOUNT).status_code == 200
    desk.move_to(OVER)
    answer = desk.step("maker", batch, "seal")
    assert answer.status_code == 200, answer.get_json()
    body: dict[str, Any] = answer.get_json()
    return body


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def test_a_batch_lives_from_its_cut_to_files_that_verify(desk: Desk, bench: Bench, tmp_path: Path) -> None:
    bench.approve("408000.00", "0.01")
    batch = cut(desk)
    assert (batch["state"], batch["count"], batch["total"]) == ("cut", 2, "408000.01")
    assert batch["totals"] == {"enterprise": {"count": 2, "amount": "408000.01"}}
    assert batch["cut_off"] == "2024-09-26T09:00:00+08:00"
    assert batch["possible_steps"] == ["publish", "cancel"]
    desk.move_to(PUBLISHED)
    batch = desk.step("maker", batch, "publish").get_json()
    assert (batch["published_on"], batch["publicity_through"]) == ("2024-09-27", "2024-10-10")
    assert batch["publicity_provisional"] is False
    assert desk.call("maker", "PUT", f"/v1/tenants/{desk.tenant}/payout-account", json=ACCOUNT).status_code == 200
    desk.move_to(shanghai("2024-10-10", 23))
    assert code(desk.step("maker", batch, "seal")) == (409, "publicity.running")
    desk.move_to(shanghai("2024-10-11", 0))
    batch = desk.step("maker", batch, "seal").get_json()
    assert batch["state"] == "sealed"
    assert batch["seal"].count(".") == 2
    batch = desk.step("releaser", batch, "release").get_json()
    assert (batch["state"], batch["files"]) == ("released", [])
    bench.instruct_by_id(UUID(batch["id"]))
    batch = desk.get("releaser", f"{desk.batches}/{batch['id']}").get_json()
    assert batch["state"] == "instructed"
    for file in batch["files"]:
        answer = desk.get("releaser", file["href"])
        assert answer.status_code == 200
        assert answer.content_length == file["bytes"] == len(answer.data)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.mimetype == file["media_type"]
        (tmp_path / file["name"]).write_bytes(answer.data)
    keys = desk.http.get(f"/.well-known/jwks/{desk.tenant}.json").get_json()
    assert verify_batch(tmp_path, keys) == []


def test_batches_items_and_files_have_exactly_the_described_members(desk: Desk, bench: Bench) -> None:
    batch = bench.instruct(bench.released("100.00"))
    path = f"{desk.batches}/{batch.id}"
    whole = desk.get("maker", path).get_json()
    assert set(whole) == set(BatchSchema().fields)
    assert set(whole["files"][0]) == set(FileSchema().fields)
    [line] = desk.get("maker", desk.batches).get_json()["items"]
    assert set(line) == set(BatchLineSchema().fields)
    [item] = desk.get("maker", f"{path}/items").get_json()["items"]
    assert set(item) == set(ItemSchema().fields)


def test_the_person_who_made_a_batch_cannot_release_it_with_another_client(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    batch = sealed(desk)
    desk.hire("makers-other-client", "batches:release", "batches:write", person="li")
    assert code(desk.step("makers-other-client", batch, "release")) == (403, "batch.four_eyes")
    assert code(desk.step("maker", batch, "release")) == (403, "scope.missing")
    assert desk.step("releaser", batch, "release").status_code == 200


def test_a_step_out_of_order_says_the_state_and_what_is_possible(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    batch = cut(desk)
    answer = desk.step("maker", batch, "seal", headers={"Accept-Language": "en"})
    assert code(answer) == (409, "batch.state")
    assert "Possible now: publish, cancel" in answer.get_json()["detail"]
    assert "已切批" in desk.step("maker", batch, "seal").get_json()["detail"]


def test_a_seal_without_a_payout_account_is_refused(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    batch = published(desk)
    desk.move_to(OVER)
    assert code(desk.step("maker", batch, "seal")) == (409, "payout_account.unset")


def test_a_retried_cut_with_the_same_key_makes_one_batch(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    key = {"Idempotency-Key": "cut-1"}
    first = desk.post("maker", desk.batches, json=ORDER, headers=key)
    second = desk.post("maker", desk.batches, json=ORDER, headers=key)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.data == second.data
    assert len(desk.get("maker", desk.batches).get_json()["items"]) == 1


def test_an_edit_of_a_batch_that_changed_meanwhile_is_refused(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    batch = cut(desk)
    answer = desk.get("maker", f"{desk.batches}/{batch['id']}")
    etag = answer.headers["ETag"]
    assert desk.get("maker", f"{desk.batches}/{batch['id']}", headers={"If-None-Match": etag}).status_code == 304
    desk.move_to(PUBLISHED)
    assert desk.step("maker", batch, "publish", headers={"If-Match": etag}).status_code == 200
    assert code(desk.step("maker", batch, "cancel", headers={"If-Match": etag})) == (412, "batch.changed")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scheme": "unheard-of"}, "/scheme"),
        ({"scheme": 5}, "/scheme"),
        ({"mode": "both"}, "/mode"),
        ({"kind": "weekly"}, "/kind"),
        ({"cut_off": "2024-13-01"}, "/cut_off"),
        ({"cut_off": "2024-09-26T09:00:00"}, "/cut_off"),
        ({"cut_off": 20240926}, "/cut_off"),
        ({"unknown": 1}, "/unknown"),
    ],
)
def test_a_faulty_order_names_the_field_at_fault(desk: Desk, change: dict[str, Any], pointer: str) -> None:
    answer = desk.post("maker", desk.batches, json={**ORDER, **change})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]
    assert desk.get("maker", desk.batches).get_json()["items"] == []


def test_a_day_as_cut_off_means_its_end_in_shanghai(desk: Desk) -> None:
    assert cut(desk, cut_off="2024-09-25")["cut_off"] == "2024-09-25T23:59:59.999999+08:00"
    assert cut(desk, cut_off="2024-09-25T10:00:00Z")["cut_off"] == "2024-09-25T18:00:00+08:00"


def test_batches_are_listed_newest_first_in_pages_and_by_filters(desk: Desk, bench: Bench) -> None:
    made = [cut(desk)["batch_no"] for _ in range(3)]
    first = desk.get("maker", f"{desk.batches}?limit=2").get_json()
    rest = desk.get("maker", f"{desk.batches}?limit=2&cursor={first['next_cursor']}").get_json()
    assert [one["batch_no"] for one in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert desk.get("maker", f"{desk.batches}?state=sealed").get_json()["items"] == []
    bench.approve("1.00", "2.00", "3.00")
    batch = cut(desk)
    items = f"{desk.batches}/{batch['id']}/items"
    page = desk.get("maker", f"{items}?limit=2").get_json()
    assert [item["amount"] for item in page["items"]] == ["1.00", "2.00"]
    last = desk.get("maker", f"{items}?limit=2&cursor={page['next_cursor']}").get_json()
    assert [item["line"] for item in last["items"]] == [3]
    for path in (items, desk.batches):
        for cursor in ("AAAA", "!", "AAAAA", "____"):
            assert desk.get("maker", f"{path}?cursor={cursor}").status_code == 422


def test_another_tenants_batches_are_as_absent_ones(desk: Desk, bench: Bench) -> None:
    bench.approve("100.00")
    batch = cut(desk)
    desk.hire("stranger", "batches:write", "batches:release", "audit:read", tenant="elsewhere")
    absent = "01900000-0000-7000-8000-000000000000"
    for path in ("", "/items", "/files", "/files/manifest.json"):
        foreign = desk.get("stranger", f"{desk.batches}/{batch['id']}{path}")
        assert foreign.status_code == 404
        assert foreign.data == desk.get("stranger", f"{desk.batches}/{absent}{path}").data
        assert desk.get("stranger", f"/v1/tenants/elsewhere/batches/{batch['id']}{path}").status_code == 404
    assert desk.step("stranger", batch, "cancel").status_code == 404


def test_every_call_needs_a_token_of_the_right_scope(desk: Desk) -> None:
    desk.hire("reader", "claims:read")
    absent = f"{desk.batches}/01900000-0000-7000-8000-000000000000"
    for method, path in (
        ("GET", desk.batches),
        ("POST", desk.batches),
        ("POST", f"{absent}/publish"),
        ("POST", f"{absent}/seal"),
        ("POST", f"{absent}/release"),
        ("POST", f"{absent}/cancel"),
        ("POST", f"{absent}/close"),
        ("GET", f"{absent}/files/manifest.json"),
        ("PUT", f"/v1/tenants/{desk.tenant}/payout-account"),
    ):
        assert desk.http.open(path, method=method).status_code == 401
        assert code(desk.call("reader", method, path)) == (403, "scope.missing")


def test_the_payout_account_is_answered_masked(desk: Desk) -> None:
    path = f"/v1/tenants/{desk.tenant}/payout-account"
    assert desk.get("maker", path).status_code == 404
    put = desk.call("maker", "PUT", path, json=ACCOUNT)
    assert put.get_json()["account_number"] == "****7890"
    assert desk.get("releaser", path).get_json() == put.get_json()
    answer = desk.call("maker", "PUT", path, json={**ACCOUNT, "cnaps": "１０２"})
    assert answer.get_json()["errors"][0]["pointer"] == "/cnaps"


def test_an_empty_batch_is_released_into_closed(desk: Desk) -> None:
    batch = sealed(desk)
    assert desk.step("releaser", batch, "release").get_json()["state"] == "closed"


def test_the_key_sets_hold_public_halves_only(desk: Desk, bench: Bench) -> None:
    bench.sealed("100.00")
    [key] = desk.http.get(f"/.well-known/jwks/{desk.tenant}.json").get_json()["keys"]
    assert key["tenant"] == desk.tenant
    assert "d" not in key
    assert key in desk.http.get("/.well-known/jwks.json").get_json()["keys"]
    assert desk.http.get("/.well-known/jwks/nowhere.json").status_code == 404


def test_the_public_reads_a_notice_without_login(desk: Desk) -> None:
    claims = [approve(desk, "10.00"), approve(desk, "20.00")]
    batch = cut(desk)
    path = f"/notices/{desk.tenant}/{batch['batch_no']}"
    assert desk.http.get(path).status_code == 404
    desk.move_to(PUBLISHED)
    desk.step("maker", batch, "publish")
    page = desk.http.get(path)
    assert page.content_type == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    text = page.get_data(as_text=True)
    assert "测试&lt;大学&gt;" in text
    assert "2024-10-10" in text
    shown = desk.http.get(f"{path}?format=json").get_json()
    assert (shown["count"], shown["total"], shown["open"]) == (2, "30.00", True)
    assert {item["claim_no"] for item in shown["items"]} == set(claims)
    assert set(shown["items"][0]) == {"line", "claim_no", "enterprise", "provider", "amount"}
    assert batch["batch_no"] in desk.http.get("/notices").get_data(as_text=True)
    first = desk.http.get(f"{path}?format=json&limit=1").get_json()
    second = desk.http.get(f"{path}?format=json&limit=1&cursor={first['next_cursor']}").get_json()
    assert second["items"] == shown["items"][1:]
    assert desk.http.get("/notices/style.css").mimetype == "text/css"
    desk.move_to(OVER)
    assert desk.http.get(f"{path}?format=json").get_json()["open"] is False
    assert batch["batch_no"] not in desk.http.get("/notices").get_data(as_text=True)


def test_the_public_objects_by_form_and_by_json(desk: Desk) -> None:
    first, second, third = (approve(desk, amount) for amount in ("10.00", "20.00", "30.00"))
    batch = published(desk)
    path = f"/notices/{desk.tenant}/{batch['batch_no']}"
    form = {"claim_no": first, "reason": "未开展\r\n服务", "contact": "13800000000"}
    answer = desk.http.post(f"{path}/objections", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path}?received=yes")
    assert "异议已收到" in desk.http.get(answer.headers["Location"]).get_data(as_text=True)
    taken = desk.http.post(f"{path}/objections", json={**form, "claim_no": second, "reason": "重复"})
    assert (taken.status_code, taken.get_json()) == (201, {"claim_no": second, "state": "on_hold"})
    shown = desk.http.get(f"{path}?format=json").get_json()
    assert ([item["claim_no"] for item in shown["items"]], shown["total"]) == ([third], "30.00")
    again = desk.http.post(f"{path}/objections", data=form)
    assert again.status_code == 409
    assert "不在公示期内" in again.get_data(as_text=True)
    faulty = desk.http.post(f"{path}/objections", data={**form, "reason": " ", "claim_no": '"><script>'})
    assert faulty.status_code == 422
    assert "<script>" not in faulty.get_data(as_text=True)
    assert desk.http.post(f"{path}/objections", data="x" * 20_000, content_type="application/json").status_code == 413


def test_a_reviewer_objects_to_a_claim_and_the_others_go_on(desk: Desk, bench: Bench) -> None:
    claim_no = approve(desk, "10.00")
    approve(desk, "20.00")
    [claim] = bench.rows("select id from claim where claim_no = %s and tenant = %s", claim_no, desk.tenant)
    desk.hire("reviewer", "reviews:write", "claims:read")
    path = f"/v1/claims/{claim.id}/objections"
    assert code(desk.post("reviewer", path, json={"reason": "太早"})) == (409, "claim.not_in_publicity")
    batch = published(desk)
    assert code(desk.post("maker", path, json={"reason": "无权"})) == (403, "scope.missing")
    answer = desk.post("reviewer", path, json={"reason": "与报告不符"})
    assert (answer.status_code, answer.get_json()["state"]) == (200, "on_hold")
    assert answer.get_json()["holds"][0]["code"] == "objection"
    restated = desk.get("maker", f"{desk.batches}/{batch['id']}").get_json()
    assert (restated["count"], restated["total"]) == (1, "20.00")
    items = desk.get("maker", f"{desk.batches}/{batch['id']}/items").get_json()["items"]
    assert [item["removed_reason"] for item in items] == ["与报告不符", None]


def test_a_claim_cleared_of_an_objection_is_reviewed_again_and_paid_once(desk: Desk, bench: Bench) -> None:
    claim_no = approve(desk, "10.00")
    [claim] = bench.rows("select id from claim where claim_no = %s and tenant = %s", claim_no, desk.tenant)
    path = f"/v1/claims/{claim.id}"
    desk.hire("reviewer", "reviews:write", "claims:read")
    batch = published(desk)
    held = desk.post("reviewer", f"{path}/objections", json={"reason": "与报告不符"}).get_json()
    hold = held["holds"][0]["id"]
    cleared = desk.post("reviewer", f"{path}/holds/{hold}/resolution", json={"outcome": "clear", "reason": "属实"})
    state = cleared.get_json()
    for _ in range(MAX_STAGES):
        if state["state"] != "in_review":
            break
        state = desk.post(
            "reviewer", f"{path}/reviews", json={"stage": state["next_stage"], "outcome": "approve"}
        ).get_json()
    assert state["state"] == "approved"
    assert desk.get("maker", f"{desk.batches}/{batch['id']}").get_json()["count"] == 0
    again = cut(desk, cut_off="2024-09-27")
    assert (again["count"], again["total"]) == (1, "10.00")
    budget = budget_account("provincial", 2024)
    assert bench.do(lambda c: lock_accounts(c, desk.tenant, [budget]))[budget].taken == Money(1000)


@pytest.mark.parametrize("text", ["%ff", "%ed%a0%80", "x%27--", "%E2%80%AE"])
def test_hostile_text_in_an_address_is_never_a_fault_of_ours(desk: Desk, text: str) -> None:
    for path in (
        f"/notices/{desk.tenant}/{text}",
        f"/notices/{text}/BT-JS-2024-0001",
        f"/.well-known/jwks/{text}.json",
    ):
        assert desk.http.get(path).status_code == 404
    assert desk.http.post(f"/notices/{desk.tenant}/{text}/objections", data={"claim_no": "A"}).status_code in {404, 422}
    assert desk.get("maker", f"/v1/tenants/{text}/batches").status_code == 404
    absent = f"{desk.batches}/01900000-0000-7000-8000-000000000000"
    assert desk.get("maker", f"{absent}/files/{text}").status_code == 404
    for name in ("state", "scheme", "mode", "cursor", "limit"):
        assert desk.get("maker", f"{desk.batches}?{name}={text}").status_code == 422


@pytest.mark.parametrize("text", ["%00", "a%0Ab", "%7F"])
def test_a_control_character_in_an_address_is_malformed(desk: Desk, text: str) -> None:
    for path in (f"/notices/{desk.tenant}/{text}", f"{desk.batches}?state={text}", f"/v1/claims?platform={text}"):
        answer = desk.get("maker", path)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "address.control_character")


def test_the_interface_describes_every_step_of_a_batch(desk: Desk) -> None:
    described = json.loads(desk.http.get("/v1/openapi.json").data)["paths"]
    batch = "/v1/tenants/{tenant}/batches/{batch_id}"
    for path in ("", "/items", "/publish", "/seal", "/release", "/cancel", "/files", "/files/{name}"):
        assert f"{batch}{path}" in described
    assert "requestBody" in described["/v1/tenants/{tenant}/batches"]["post"]
    assert described["/notices/{tenant}/{batch_no}"]["get"]["security"] == []


def approve(desk: Desk, amount: str) -> str:
    """A real claim, approved; its number."""
    with transaction(desk.service.engine, Scope((desk.tenant,)), FixedClock(desk.clock.now())) as work:
        claim_id = approved_claim(work, desk.service.vault, desk.tenant, amount)
        return view_claim(work.connection, claim_id).row.claim_no
