"""The sweep over stored claims: a re-typed spending is held, shown side by side, decided once, never refused."""

from copy import deepcopy
from typing import Any

import pytest

from clearing.likeness.engine import DuckEngine
from clearing.likeness.model import shipped_model
from clearing.likeness.sweep import SWEPT
from clearing.likeness.trained import model_in_use, train_and_keep
from tenants.kernel.errors import Conflict
from tests.api.door import Caller, code, pages
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, invoice_number, like, seller
from tests.likeness.conftest import Alike

PAIRS = "/v1/similar-pairs"


def retyped(body: Body) -> Body:
    """The same spending with two digits of the invoice exchanged, a letter for a nought, and another receipt."""
    copy = again(body)
    number = copy["invoices"][0]["number"]
    place = next(n for n in range(8, 19) if number[n] != number[n + 1])
    copy["invoices"][0]["number"] = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    copy["contract"] = copy["contract"] | {"number": copy["contract"]["number"].replace("KD-2024", "KD-2O24")}
    serial = copy["receipts"][0]["serial"]
    copy["receipts"][0]["serial"] = serial[:-1] + ("1" if serial[-1] != "1" else "7")
    return copy


def stored(caller: Caller, body: Body, state: str = "in_review") -> dict[str, Any]:
    answer: dict[str, Any] = caller.post("/v1/claims", json=body).get_json()
    assert answer["state"] == state, answer
    return answer


def claim_of(caller: Caller, claim_id: str) -> dict[str, Any]:
    return dict(caller.get(f"/v1/claims/{claim_id}").get_json())


def pairs_of(caller: Caller, claim_id: str, state: str = "") -> list[dict[str, Any]]:
    query = f"{PAIRS}?limit=100" + (f"&state={state}" if state else "")
    return [pair for items in pages(caller, query) for pair in items if pair["claim_id"] == claim_id]


@pytest.fixture(scope="module")
def jssic(alike: Alike) -> Caller:
    return alike.platform("jssic", "jiangsu")


@pytest.fixture(scope="module")
def reviewer(alike: Alike) -> Caller:
    return alike.reviewer("jiangsu")


def test_a_retyped_spending_is_held_and_explained(alike: Alike, jssic: Caller, reviewer: Caller) -> None:
    body = claim(JIANGSU)
    first, second = stored(jssic, body), stored(jssic, retyped(body))
    honest = stored(jssic, claim(JIANGSU))
    swept = alike.sweep()
    assert (swept.held, swept.cases) == (1, 0)
    held = claim_of(jssic, second["id"])
    assert held["state"] == "on_hold"
    [hold] = held["holds"]
    assert (hold["code"], hold["place"]) == ("duplicate.similar", "")
    assert hold["other_side"] == [{"platform": "jssic", "month": "2024-08", "reference": first["id"]}]
    assert [claim_of(jssic, one["id"])["state"] for one in (first, honest)] == ["in_review", "in_review"]
    [pair] = pairs_of(reviewer, second["id"], "open")
    said = {field["field"]: field["en"] for field in pair["fields"]}
    assert said["amount"] == said["issued_on"] == said["provider"] == said["title"] == said["contract"] == "equal"
    assert said["invoice"] in {"the same characters in another order", "only the last two digits differ"}
    assert float(pair["likelihood"]) >= 0.99
    whole = reviewer.get(f"{PAIRS}/{pair['id']}").get_json()
    assert [side["claim_id"] for side in whole["sides"]] == [second["id"], first["id"]]
    shown = {one["field"]: one["values"] for one in whole["comparison"]}
    assert shown["invoice"] == [side["values"]["invoice"] for side in whole["sides"]]
    assert shown["invoice"][1] == body["invoices"][0]["number"]
    assert shown["contract"][0].startswith("KD-2O24")
    assert alike.found() == []


def test_a_dismissed_pair_never_comes_back(alike: Alike, jssic: Caller, reviewer: Caller) -> None:
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    assert alike.sweep().held == 1
    [pair] = pairs_of(reviewer, second["id"])
    decided = reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "dismiss", "reason": "两台设备"})
    assert decided.get_json()["state"] == "dismissed"
    assert claim_of(jssic, second["id"])["state"] == "in_review"
    assert rescanned(alike, body) == 0
    assert claim_of(jssic, second["id"])["state"] == "in_review"
    assert [one["state"] for one in pairs_of(reviewer, second["id"])] == ["dismissed"]
    again_decided = reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "confirm", "reason": "再来"})
    assert code(again_decided) == (409, "similar_pair.decided")
    assert alike.found() == []


def rescanned(alike: Alike, body: Body) -> int:
    """How many are held when another claim of the enterprise brings all of its claims into the next sweep."""
    newer = claim(JIANGSU)
    newer["enterprise"] = newer["enterprise"] | {
        name: body["enterprise"][name] for name in ("uscc", "name", "division")
    }
    newer["payee"] = newer["payee"] | {"account_name": body["enterprise"]["name"]}
    assert alike.platform("jssic", "jiangsu").post("/v1/claims", json=newer).get_json()["state"] == "in_review"
    swept = alike.sweep()
    assert swept.lines == 3
    return swept.held


def test_a_confirmed_pair_is_refused_by_the_person_and_frees_what_it_held(
    alike: Alike, jssic: Caller, reviewer: Caller
) -> None:
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    assert alike.sweep().held == 1
    [pair] = pairs_of(reviewer, second["id"])
    confirmed = reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "confirm", "reason": "同一张发票"})
    assert confirmed.get_json()["state"] == "confirmed"
    ended = claim_of(jssic, second["id"])
    assert (ended["state"], ended["assessment"]["award"]) == ("rejected", "0.00")
    assert alike.found() == []


def test_the_hold_can_be_decided_as_any_other_hold(alike: Alike, jssic: Caller, reviewer: Caller) -> None:
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    alike.sweep()
    [hold] = claim_of(jssic, second["id"])["holds"]
    path = f"/v1/claims/{second['id']}/holds/{hold['id']}/resolution"
    assert reviewer.post(path, json={"outcome": "clear", "reason": "已核实"}).get_json()["state"] == "in_review"
    assert [pair["state"] for pair in pairs_of(reviewer, second["id"])] == ["dismissed"]


def test_several_pairs_of_one_claim_are_decided_one_by_one(alike: Alike, jssic: Caller, reviewer: Caller) -> None:
    body = claim(JIANGSU)
    for one in (body, retyped(body)):
        stored(jssic, one)
    alike.sweep()
    third = retyped(body)
    third["invoices"][0]["number"] = body["invoices"][0]["number"][:-1] + (
        "3" if body["invoices"][0]["number"][-1] != "3" else "8"
    )
    third["receipts"][0]["serial"] = body["receipts"][0]["serial"][:-2] + "xx"
    third["contract"] = body["contract"] | {"number": body["contract"]["number"] + "-1"}
    held = stored(jssic, third)
    assert alike.sweep().held == 2
    pairs = pairs_of(reviewer, held["id"], "open")
    for pair in reversed(pairs):
        assert claim_of(jssic, held["id"])["state"] == "on_hold"
        reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "dismiss", "reason": "不是"})
    assert claim_of(jssic, held["id"])["state"] == "in_review"
    assert alike.found() == []


def test_an_approved_claim_is_taken_back_and_held_until_its_batch_is_sealed(
    alike: Alike, jssic: Caller, reviewer: Caller
) -> None:
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    approved = reviewer.post(f"/v1/claims/{second['id']}/reviews", json={"stage": "center", "outcome": "approve"})
    assert approved.get_json()["state"] == "approved"
    finance = alike.door.hire("batches:write", tenants=("jiangsu",))
    cut = finance.post("/v1/tenants/jiangsu/batches", json={"scheme": "provincial", "mode": "common_use"})
    assert (cut.status_code, cut.get_json()["state"]) == (201, "cut")
    swept = alike.sweep()
    assert (swept.held, swept.cases) == (1, 0)
    assert claim_of(jssic, second["id"])["state"] == "on_hold"
    [pair] = pairs_of(reviewer, second["id"])
    assert (pair["effect"], pair["state"], pair["place"]) == ("hold", "open", "/invoices/0")
    assert alike.found() == []


def test_across_tenants_only_platform_month_and_reference_are_told(alike: Alike, jssic: Caller) -> None:
    delta = alike.platform("delta", "wujiang")
    body = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first = stored(jssic, body)
    second = stored(delta, like(retyped(body), WUJIANG, documents=like(body, WUJIANG)["documents"]))
    assert alike.sweep().held == 1
    wujiang = alike.reviewer("wujiang")
    [pair] = pairs_of(wujiang, second["id"])
    assert pair["other_side"] == {"platform": "jssic", "month": "2024-08", "reference": first["id"]}
    assert (pair["likelihood"], pair["fields"]) == (None, [])
    answer = wujiang.get(f"{PAIRS}/{pair['id']}")
    whole = answer.get_json()
    assert [side["claim_id"] for side in whole["sides"]] == [second["id"]]
    assert whole["comparison"] == []
    text = answer.get_data(as_text=True) + str(claim_of(wujiang, second["id"])["holds"])
    for secret in (body["invoices"][0]["number"], body["contract"]["number"], body["receipts"][0]["serial"], "jiangsu"):
        assert secret not in text
    assert pairs_of(alike.reviewer("jiangsu"), second["id"]) == []
    both = alike.reviewer("jiangsu", "wujiang").get(f"{PAIRS}/{pair['id']}").get_json()
    assert both["comparison"] == []
    assert alike.found() == []


def test_a_platform_reads_no_pairs_of_its_neighbour(alike: Alike, jssic: Caller) -> None:
    neighbour = alike.door.hire("audit:read", "reviews:write", platform="delta", tenants=("jiangsu",))
    assert [item for items in pages(neighbour, f"{PAIRS}?limit=100") for item in items] == []
    assert jssic.get(PAIRS).status_code == 403


def test_claims_that_ended_and_honest_ones_are_left_alone(alike: Alike, jssic: Caller) -> None:
    body = claim(JIANGSU)
    withdrawn = stored(jssic, body)
    jssic.post(f"/v1/claims/{withdrawn['id']}/withdraw")
    second = stored(jssic, retyped(body))
    enterprise, provider = buyer(JIANGSU), seller(JIANGSU)
    months = [stored(jssic, claim(JIANGSU, by=enterprise, to=provider)) for _ in range(4)]
    assert alike.sweep().held == 0
    assert {claim_of(jssic, one["id"])["state"] for one in [second, *months]} == {"in_review"}


def test_a_sweep_goes_on_where_the_last_one_ended(alike: Alike, jssic: Caller) -> None:
    stored(jssic, claim(JIANGSU))
    assert alike.sweep().came
    assert not alike.sweep().came
    with alike.service.engine.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope('jiangsu', null)")
        told = connection.exec_driver_sql("select count(*) from audit_entry where action = %s", (SWEPT,)).scalar_one()
    assert told > 0


def test_a_registry_with_too_few_known_pairs_keeps_the_shipped_model(alike: Alike) -> None:
    with pytest.raises(Conflict) as refused:
        train_and_keep(alike.service.engine, alike.service.machine, DuckEngine(), "王运维")
    assert refused.value.code == "similarity.too_few"


@pytest.mark.long
def test_a_model_is_trained_on_the_registrys_own_pairs_and_used(alike: Alike, jssic: Caller) -> None:
    for _ in range(30):
        body = claim(JIANGSU)
        stored(jssic, body)
        double = again(body)
        double["contract"] = double["contract"] | {"number": double["contract"]["number"].replace("0", "O")}
        stored(jssic, double, "rejected")
    known = train_and_keep(alike.service.engine, alike.service.machine, DuckEngine(), "王运维")
    assert known >= 30
    with alike.service.engine.connect() as connection:
        model = model_in_use(connection)
    assert model.digest != shipped_model().digest
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    alike.sweep()
    assert claim_of(jssic, second["id"])["state"] == "on_hold"
    assert alike.found() == []


def test_an_equal_invoice_number_is_left_to_the_registry(alike: Alike, jssic: Caller) -> None:
    body = claim(JIANGSU)
    body["invoices"][0]["claimed_amount"] = "4000.00"
    body["services"][0]["amount"] = "4000.00"
    body["receipts"][0]["amount"] = "4000.00"
    other = deepcopy(again(body, duplicate_explanation="分两次兑付"))
    other["receipts"][0]["serial"] = f"HD{invoice_number()[:14]}"
    other["contract"] = body["contract"]
    stored(jssic, body)
    held = jssic.post("/v1/claims", json=other).get_json()
    alike.sweep()
    assert {hold["code"] for hold in claim_of(jssic, held["id"])["holds"]} == {"duplicate.invoice_reuse"}


def test_a_pair_found_after_the_seal_is_an_audit_case_decided_here(alike: Alike, jssic: Caller) -> None:
    """The last of these tests: it moves the clock beyond the publicity."""
    body = claim(JIANGSU)
    stored(jssic, body)
    second = stored(jssic, retyped(body))
    approve = {"stage": "center", "outcome": "approve"}
    assert alike.reviewer("jiangsu").post(f"/v1/claims/{second['id']}/reviews", json=approve).status_code == 200
    alike.seal_a_batch()
    swept = alike.sweep()
    assert (swept.held, swept.cases) == (0, 1)
    reviewer = alike.reviewer("jiangsu")
    [pair] = pairs_of(reviewer, second["id"])
    assert (pair["effect"], pair["state"], pair["hold_id"]) == ("case", "open", None)
    assert claim_of(reviewer, second["id"])["state"] == "payable"
    decided = reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "confirm", "reason": "追回"})
    assert decided.get_json()["state"] == "confirmed"
    again_decided = reviewer.post(f"{PAIRS}/{pair['id']}/resolution", json={"outcome": "dismiss", "reason": "再来"})
    assert code(again_decided) == (409, "similar_pair.decided")
    assert alike.found() == []
