"""Agreements and cycles as clients see them over HTTP: figures that open down, refusals, and faulty input."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.credentials import create_client
from tenants.kernel.clock import FixedClock
from tenants.kernel.money import Money
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OFFICE, OVER
from tests.settlement_service.desk import Desk

EVERYTHING = (
    "policies:write",
    "policies:approve",
    "batches:write",
    "batches:release",
    "clearing:operate",
    "audit:read",
)


@pytest.fixture
def desk(regions: Regions, owner: Engine, servers: Addresses, tmp_path: Path) -> Desk:
    """The HTTP interface: ``operator`` acts for all three regions, ``a`` to ``c`` for one each."""
    with owner.begin() as connection:
        connection.exec_driver_sql("delete from service_clock")
    settings = Settings(servers.app_url, servers.redis_url, tmp_path, demonstration=True)
    clock, queue = FixedClock(OVER), Redis.from_url(servers.redis_url)
    service = Service(settings, regions.app, queue, OFFICE.secrets, open_vault(OFFICE.secrets), clock)
    desk = Desk(create_app(service).test_client(), service, clock, regions.tenants[0])
    for name, tenant in zip("abc", regions.tenants, strict=True):
        desk.hire(name, *EVERYTHING, tenant=tenant, person=f"person {name}")
    desk.hire("second of a", *EVERYTHING, tenant=regions.tenants[0], person="second person of a")
    desk.hire("reader", "audit:read", tenant=regions.tenants[0])
    with owner.begin() as connection:
        desk.clients["operator"] = create_client(connection, None, regions.tenants, EVERYTHING, "operator", clock.now())
    return desk


def body(answer: Any, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def agreed(desk: Desk, regions: Regions, **more: Any) -> dict[str, Any]:
    a, b, _ = regions.tenants
    proposal = {
        "counterparty": b, "form": "home_region", "agreement_set": regions.agreement_set, "effective_on": "2024-10-11",
        "document": "协〔2024〕1号",
    }  # fmt: skip
    made = body(desk.call("a", "PUT", f"/v1/tenants/{a}/agreements", json=proposal | more), 201)
    desk.post("second of a", f"/v1/tenants/{a}/agreements/{made['id']}/approve")
    return body(desk.post("b", f"/v1/tenants/{b}/agreements/{made['id']}/approve"))


def test_a_cycle_is_closed_confirmed_and_settled_and_every_figure_opens_down(desk: Desk, regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b)
    for tenant in (a, b):
        regions.bench(tenant).set_account()
    regions.owe(a, b, "100.00", "0.50", "7.25")
    window = body(desk.post("operator", "/v1/clearing/cycles", json={"agreement_set": regions.agreement_set}))
    path = f"/v1/clearing/cycles/{window['id']}"
    running = body(desk.get("a", f"{path}/positions"))
    assert running["positions"] == [{"tenant": a, "payable": "107.75", "receivable": "0.00", "net": "-107.75"}]
    assert body(desk.post("operator", f"{path}/close"))["state"] == "closed"
    shown = body(desk.get("b", f"{path}/positions"))
    [cell] = shown["matrix"]
    assert (cell["debtor"], cell["creditor"], cell["debts"], cell["gross"]) == (a, b, 3, "107.75")
    pages: list[str] = []
    cursor = None
    while True:
        query = {"debtor": a, "creditor": b, "limit": 2} | ({"cursor": cursor} if cursor else {})
        found = body(desk.get("b", f"{path}/debts", query_string=query))
        pages += [debt["amount"] for debt in found["items"]]
        cursor = found["next_cursor"]
        if cursor is None:
            break
    assert sorted(pages) == ["0.50", "100.00", "7.25"]
    for who, tenant, net in (("a", a, "-107.75"), ("b", b, "107.75")):
        assert body(desk.post(who, f"{path}/confirmations", json={"tenant": tenant, "net": net}))["net"] == net
    assert [order["kind"] for order in body(desk.get("a", f"{path}/orders"))["items"]] == ["pay_in"]
    assert [order["kind"] for order in body(desk.get("b", f"{path}/orders"))["items"]] == ["pay_out"]
    assert body(desk.get("c", f"{path}/positions"))["matrix"] == []
    assert body(desk.post("operator", f"{path}/settle"))["state"] == "settled"
    listed = body(desk.get("a", "/v1/clearing/cycles", query_string={"agreement_set": regions.agreement_set}))
    assert [each["state"] for each in listed["items"]] == ["open", "settled"]


def test_an_agreement_over_http_takes_both_sides_and_is_listed_by_both(desk: Desk, regions: Regions) -> None:
    a, b, c = regions.tenants
    made = agreed(desk, regions, exposure_limit="1000.00", exposure_approver="chief")
    assert (made["state"], made["exposure_limit"], made["netting"]) == ("approved", "1000.00", "multilateral")
    for who, tenant in (("a", a), ("b", b)):
        listed = body(desk.get(who, f"/v1/tenants/{tenant}/agreements", query_string={"state": "approved"}))
        assert [each["id"] for each in listed["items"]] == [made["id"]]
        assert body(desk.get(who, f"/v1/tenants/{tenant}/agreements/{made['id']}")) == made
    assert desk.get("c", f"/v1/tenants/{c}/agreements/{made['id']}").status_code == 404
    assert body(desk.get("c", f"/v1/tenants/{c}/agreements"))["items"] == []


def test_a_window_is_operated_only_by_somebody_who_acts_for_all_of_its_set(desk: Desk, regions: Regions) -> None:
    agreed(desk, regions)
    order = {"agreement_set": regions.agreement_set}
    refused = desk.post("a", "/v1/clearing/cycles", json=order)
    assert (refused.status_code, refused.get_json()["code"]) == (403, "clearing.tenants")
    window = body(desk.post("operator", "/v1/clearing/cycles", json=order))
    assert desk.post("a", f"/v1/clearing/cycles/{window['id']}/close").status_code == 403
    assert body(desk.post("operator", "/v1/clearing/cycles", json=order))["id"] == window["id"]
    unknown = desk.post("operator", "/v1/clearing/cycles", json={"agreement_set": "nobodys"})
    assert (unknown.status_code, unknown.get_json()["code"]) == (409, "agreement_set.empty")


NO_BANK = {"account_name": "x", "account_number": "6222000011112222", "bank_name": "x", "cnaps": "1"}
FAULTY_PROPOSALS: dict[str, dict[str, Any]] = {
    "/counterparty": {"counterparty": "Atlantis!"},
    "/form": {"form": "barter"},
    "/netting": {"netting": "sometimes"},
    "/effective_on": {"effective_on": "2024-10-10"},
    "/document": {"document": ""},
    "/exposure_limit": {"exposure_limit": "-1.00"},
    "/agent/cnaps": {"form": "agent", "agent": NO_BANK},
    "/nothing": {"nothing": 1},
}  # fmt: skip


@pytest.mark.parametrize("pointer", FAULTY_PROPOSALS)
def test_a_faulty_proposal_names_its_place(desk: Desk, regions: Regions, pointer: str) -> None:
    a, b, _ = regions.tenants
    proposal = {"counterparty": b, "form": "direct", "effective_on": "2024-10-11", "document": "协"}
    answer = desk.call("a", "PUT", f"/v1/tenants/{a}/agreements", json=proposal | FAULTY_PROPOSALS[pointer])
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.get_json()["errors"]]


@pytest.mark.parametrize("net", [None, 5, "5", "+5.00", "-0", "1e3", "５.00", "99999999999999.00"])
def test_a_confirmation_with_a_faulty_net_is_refused(desk: Desk, regions: Regions, net: Any) -> None:
    path = f"/v1/clearing/cycles/{'0' * 8}-0000-7000-8000-{'0' * 12}/confirmations"
    answer = desk.post("a", path, json={"tenant": regions.tenants[0], "net": net})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/net"


@pytest.mark.parametrize("cursor", ["AA", "!!", "YSBi", "AAAgMDE5"])
def test_a_cursor_that_is_none_of_ours_is_refused(desk: Desk, regions: Regions, cursor: str) -> None:
    regions.agreed(*regions.tenants[:2])
    path = f"/v1/clearing/cycles/{regions.open_window()}/debts"
    assert desk.get("a", path, query_string={"cursor": cursor}).status_code == 422


def test_a_release_that_is_held_says_so_and_the_alarm_is_listed(desk: Desk, regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, exposure_limit=Money(100), exposure_approver="second person of a")
    batch = regions.sealed(a, b, "5.00")
    path = f"/v1/tenants/{a}/batches/{batch.id}"
    held = body(desk.post("a", f"{path}/release"))
    assert (held["state"], held["exposure_hold"]["owed"], held["exposure_hold"]["lifted_at"]) == (
        "sealed",
        "5.00",
        None,
    )
    [alarm] = body(desk.get("reader", f"/v1/tenants/{a}/exposure-holds"))["items"]
    assert alarm["batch_id"] == str(batch.id)
    refused = desk.post("a", f"{path}/exposure-hold/lift", json={"reason": "紧急"})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "exposure.approver")
    body(desk.post("second of a", f"{path}/exposure-hold/lift", json={"reason": "紧急"}))
    assert body(desk.post("a", f"{path}/release"))["state"] == "released"
    assert body(desk.get("reader", f"/v1/tenants/{a}/exposure-holds"))["items"] == []
