"""What came back, of every kind, as finance works it off over HTTP: listed, corrected by two, issued again, paid."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from clearing.api.came_back import CameBackSchema
from tests.settlement_service.bank_files import FILES, open_desk
from tests.settlement_service.bench import OVER, Bench, shanghai
from tests.settlement_service.desk import Desk

PAYEE = {
    "account_name": "测试企业2有限公司", "account_number": "6222000000009999", "bank_name": "中国农业银行测试支行",
    "cnaps": "103301000014",
}  # fmt: skip


@pytest.fixture
def returned(desk: Desk, bench: Bench, tmp_path: Path) -> Any:
    """Three obligations of which no claim is stored here: one arrived, one came back, one was rejected."""
    desk.move_to(OVER)
    made = open_desk(bench, tmp_path, "100.00", "50.00", "30.00")
    payments = made.with_state("returned", 1)
    payments[2] = made.with_state("rejected", 2)[2]
    made.hand_in(FILES["csv"](payments))
    return made


def test_what_came_back_is_listed_corrected_by_two_and_issued_again(desk: Desk, returned: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/came-back"
    first, second = desk.get("maker", path).get_json()["items"]
    assert set(first) == set(CameBackSchema().fields)
    assert [(each["outcome"], each["amount"], each["correction"]) for each in (first, second)] == [
        ("returned", "50.00", "none"), ("rejected", "30.00", "none"),
    ]  # fmt: skip
    one = f"{path}/{first['obligation_id']}"
    assert desk.get("maker", f"{one}/payee-corrections").status_code == 404
    assert desk.post("maker", f"{one}/reissue").get_json()["code"] == "correction.none"
    body = {"payee": PAYEE, "reason": "账号有误"}
    made = desk.post("maker", f"{one}/payee-corrections", json=body)
    assert (made.status_code, made.get_json()["account_number"]) == (201, "****9999")
    assert desk.get("maker", path).get_json()["items"][0]["correction"] == "proposed"
    decision = f"{one}/payee-corrections/{made.get_json()['id']}/decision"
    other = f"{path}/{second['obligation_id']}/payee-corrections/{made.get_json()['id']}/decision"
    assert desk.post("releaser", other, json={"outcome": "approve"}).status_code == 404, "it is not that one's"
    assert desk.post("releaser", decision, json={"outcome": "approve"}).status_code == 200
    waiting = desk.get("maker", path).get_json()["items"][0]
    assert (waiting["correction"], waiting["cooling_through"]) == ("cooling_off", "2024-10-15")
    assert desk.post("maker", f"{one}/reissue").get_json()["code"] == "correction.cooling_off"
    desk.move_to(shanghai("2024-10-16"))
    assert desk.get("maker", path).get_json()["items"][0]["correction"] == "ready"
    again = desk.post("maker", f"{one}/reissue")
    assert again.status_code == 201
    assert [each["obligation_id"] for each in desk.get("maker", path).get_json()["items"]] == [second["obligation_id"]]
    order = {"scheme": "provincial", "mode": "common_use", "kind": "reissue"}
    batch = desk.post("maker", desk.batches, json=order).get_json()
    assert (batch["kind"], batch["count"], batch["total"]) == ("reissue", 1, "50.00")
    [item] = desk.get("maker", f"{desk.batches}/{batch['id']}/items").get_json()["items"]
    assert item["claim_id"] == again.get_json()["obligation_id"]
    published = desk.step("maker", batch, "publish").get_json()
    assert (published["publicity_working_days"], published["publicity_through"]) == (1, "2024-10-17")


def test_what_did_not_come_back_is_not_issued_again(desk: Desk, returned: Any) -> None:
    path = f"/v1/tenants/{desk.tenant}/came-back"
    arrived = returned.bench.claims[0]
    assert desk.post("maker", f"{path}/{arrived}/reissue").get_json()["code"] == "claim.not_returned"
    assert desk.post("maker", f"{path}/{uuid4()}/reissue").status_code == 404
    bad = desk.post("maker", f"{path}/{arrived}/payee-corrections", json={"payee": {}, "reason": ""})
    assert bad.status_code == 422
    assert desk.get("maker", f"{path}?cursor=!").status_code == 422
