"""Looks at what another tenant holds: logged for its auditor, limited, alarmed, and no wider than the verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import event
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from clearing.app import create_app
from clearing.schedule import ProbingWatch
from tests.api.door import NOW, Caller, Door, pages
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, like, seller

PROBES = "/v1/registry/probes"


@pytest.fixture
def jssic(door: Door) -> Caller:
    return door.platform("jssic", ("jiangsu",))


@pytest.fixture
def delta(door: Door) -> Caller:
    return door.hire("claims:write", "claims:read", "support:write", platform="delta", tenants=("wujiang",))


def spending() -> Body:
    """A claim that both programmes would take."""
    return claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))


def used(jssic: Caller) -> tuple[Body, str]:
    """A spending that Jiangsu holds, and its claim's id."""
    body = spending()
    answer = jssic.post("/v1/claims", json=body)
    assert answer.get_json()["state"] == "in_review", answer.get_json()
    return body, answer.get_json()["id"]


def auditor(door: Door, tenant: str) -> Caller:
    return door.hire("audit:read", tenants=(tenant,))


def looks(caller: Caller, reference: str) -> list[Any]:
    """What the auditor reads of looks at one of its claims."""
    return [item for items in pages(caller, f"{PROBES}?limit=500") for item in items if item["reference"] == reference]


def record(body: Body) -> Body:
    return {
        "platform": "delta", "external_id": f"S-{uuid4()}", "tenant": "wujiang",
        "enterprise_uscc": body["enterprise"]["uscc"], "supported_on": "2024-08-01",
        "keys": [{"kind": "invoice", "value": body["invoices"][0]["number"], "amount": body["invoices"][0]["amount"]}],
    }  # fmt: skip


def test_a_claim_that_meets_another_tenants_keys_is_in_that_tenants_log(
    door: Door, jssic: Caller, delta: Caller
) -> None:
    body, held = used(jssic)
    refused = delta.post("/v1/claims", json=like(body, WUJIANG)).get_json()
    seen = looks(auditor(door, "jiangsu"), held)
    assert {item["kind"] for item in seen} == {"invoice", "contract", "receipt"}
    for item in seen:
        assert item.keys() == {"id", "tenant", "kind", "reference", "other_side", "at"}
        assert item["tenant"] == "jiangsu"
        assert item["other_side"] == {"platform": "delta", "month": "2024-08", "reference": refused["id"]}


def test_a_support_record_that_meets_another_tenants_key_is_logged_too(
    door: Door, jssic: Caller, delta: Caller
) -> None:
    body, held = used(jssic)
    stored = delta.post("/v1/support-records", json=record(body)).get_json()
    assert [item["other_side"]["reference"] for item in looks(auditor(door, "jiangsu"), held)] == [stored["id"]]


def test_the_log_is_for_the_auditor_of_the_tenant_that_was_looked_at_alone(
    door: Door, jssic: Caller, delta: Caller
) -> None:
    body, held = used(jssic)
    delta.post("/v1/claims", json=like(body, WUJIANG))
    assert looks(auditor(door, "jiangsu"), held)
    platform = door.hire("audit:read", platform="jssic", tenants=("jiangsu",))
    for other in (auditor(door, "wujiang"), auditor(door, "shanxi-hainan"), platform):
        assert looks(other, held) == []
    assert auditor(door, "wujiang").get(f"{PROBES}?tenant=jiangsu").get_json()["items"] == []
    assert jssic.get(PROBES).status_code == 403


def test_what_stays_within_a_tenant_is_no_look(door: Door, jssic: Caller) -> None:
    body, held = used(jssic)
    assert jssic.post("/v1/claims", json=again(body)).get_json()["state"] == "rejected"
    assert looks(auditor(door, "jiangsu"), held) == []


def test_the_log_is_paged(door: Door, jssic: Caller, delta: Caller) -> None:
    body, held = used(jssic)
    for _ in range(3):
        delta.post("/v1/claims", json=like(body, WUJIANG))
    caller = auditor(door, "jiangsu")
    whole = [item["id"] for items in pages(caller, f"{PROBES}?limit=2&tenant=jiangsu") for item in items]
    assert len(whole) == len(set(whole))
    assert whole == sorted(whole)
    assert {item["id"] for item in looks(caller, held)} <= set(whole)


# ---------------------------------------------------------------------------------------------------------- the limit


@pytest.fixture
def narrow(door: Door) -> Door:
    """The service with a limit of three looks an hour."""
    service = replace(door.service, settings=replace(door.service.settings, looks_per_hour=3))
    return Door(create_app(service), service)


@pytest.fixture
def prober(narrow: Door) -> Caller:
    return narrow.hire("claims:write", "claims:read", "support:write", platform="delta", tenants=("wujiang",))


def said(answer: TestResponse) -> tuple[int, Any, set[str]]:
    return answer.status_code, answer.get_json(), {name for name in answer.headers.keys() if name != "X-Request-Id"}  # noqa: SIM118


def test_who_met_too_many_is_refused_whatever_it_sends(narrow: Door, jssic: Caller, prober: Caller) -> None:
    body, _ = used(jssic)
    first = prober.post("/v1/claims", json=like(body, WUJIANG))
    assert first.status_code == 201
    assert len(looks(auditor(narrow, "jiangsu"), used_reference(first))) == 0
    stored = like(claim(WUJIANG), WUJIANG)
    refused = [prober.post("/v1/claims", json=one) for one in (like(body, WUJIANG), stored)]
    assert said(refused[0]) == said(refused[1])
    assert (refused[0].status_code, refused[0].get_json()["code"]) == (429, "registry.probes_exceeded")
    assert 0 < int(refused[0].headers["Retry-After"]) <= 3600
    assert prober.get(f"/v1/claims?external_id={stored['external_id']}").get_json()["items"] == []
    records = [prober.post("/v1/support-records", json=record(one)) for one in (body, spending())]
    assert said(records[0]) == said(records[1])
    assert records[0].status_code == 429


def used_reference(answer: TestResponse) -> str:
    return str(answer.get_json()["id"])


def test_lines_of_a_bulk_body_are_refused_one_by_one_behind_the_limit(
    narrow: Door, jssic: Caller, prober: Caller
) -> None:
    bodies = [used(jssic)[0] for _ in range(4)]
    lines = b"\n".join(orjson.dumps(like(body, WUJIANG)) for body in [*bodies, claim(WUJIANG)])
    answer = prober.post("/v1/claims/bulk", data=lines, headers={"Content-Type": "application/x-ndjson"})
    statuses = [orjson.loads(line)["status"] for line in answer.get_data().splitlines()]
    assert statuses == [201, 429, 429, 429, 429]
    narrow.clock.move_to(NOW + timedelta(hours=1))
    later = replace(prober, token=narrow.ask_token(prober.client).get_json()["access_token"])
    assert later.post("/v1/claims", json=claim(WUJIANG)).status_code == 201


def test_other_clients_of_the_same_platform_are_not_refused(narrow: Door, jssic: Caller, prober: Caller) -> None:
    body, _ = used(jssic)
    prober.post("/v1/claims", json=like(body, WUJIANG))
    neighbour = narrow.hire("claims:write", platform="delta", tenants=("wujiang",))
    assert neighbour.post("/v1/claims", json=claim(WUJIANG)).status_code == 201


def test_probing_is_alarmed_once_and_again_when_it_doubles(narrow: Door, jssic: Caller, prober: Caller) -> None:
    watch = ProbingWatch(narrow.service)
    watch.look()
    body, _ = used(jssic)
    prober.post("/v1/claims", json=like(body, WUJIANG))
    with capture_logs() as logs:
        watch.look()
        watch.look()
    mine = [
        entry for entry in logs if entry["event"] == "registry_probing" and entry["client"] == prober.client.client_id
    ]
    assert [(entry["log_level"], entry["probes"], entry["limit"]) for entry in mine] == [("error", 3, 3)]
    figures = narrow.app.test_client().get("/metrics").get_data(as_text=True)
    [line] = [line for line in figures.splitlines() if line.startswith("clearing_registry_probing_clients ")]
    assert float(line.split()[1]) >= 1


# ------------------------------------------------------------------------------------------------------- no difference


@contextmanager
def counted(door: Door) -> Iterator[list[str]]:
    """The statements that the service sends."""
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2].split("(")[0])

    event.listen(door.service.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(door.service.engine, "before_cursor_execute", note)


def shape(value: Any) -> Any:
    """The answer without what it says: names of members, kinds of values; of a list the kinds of its elements."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted({str(shape(inner)) for inner in value})
    return type(value).__name__


def test_used_by_another_tenant_answers_like_used_at_home(door: Door, jssic: Caller, delta: Caller) -> None:
    """Both are refused; nothing but the three words about the other side tells which it was."""
    home = claim(WUJIANG)
    assert delta.post("/v1/claims", json=home).status_code == 201
    away, _ = used(jssic)
    answers = []
    for body in (again(home), like(away, WUJIANG)):
        body["invoices"][0]["claimed_amount"] = body["invoices"][0]["amount"]
        with counted(door) as statements:
            answer = delta.post("/v1/claims", json=body)
        answers.append((answer.status_code, set(answer.headers.keys()), shape(answer.get_json()), statements))
    assert answers[0][:2] == answers[1][:2]
    assert answers[0][2].keys() == answers[1][2].keys()
    assert answers[0][2]["assessment"] == answers[1][2]["assessment"]
    assert answers[0][3] == answers[1][3]


def test_free_and_used_elsewhere_take_the_same_steps(door: Door, jssic: Caller, delta: Caller) -> None:
    """A free claim, and one whose report another tenant knows: both are stored with money and keys, one is held."""
    delta.post("/v1/claims", json=claim(WUJIANG))
    away, _ = used(jssic)
    free, met = claim(WUJIANG), claim(WUJIANG)
    report = next(paper for paper in away["documents"] if paper["kind"] == "service_report")
    next(paper for paper in met["documents"] if paper["kind"] == "service_report")["sha256"] = report["sha256"]
    answers = []
    for body in (free, met):
        with counted(door) as statements:
            answer = delta.post("/v1/claims", json=body)
        answers.append((answer.status_code, set(answer.headers.keys()), answer.get_json().keys(), len(statements)))
    assert answers[0] == answers[1]


def test_a_support_record_over_a_free_key_answers_in_the_same_form(door: Door, jssic: Caller, delta: Caller) -> None:
    away, _ = used(jssic)
    delta.post("/v1/support-records", json=record(spending()))
    answers = []
    for body in (spending(), away):
        answer = delta.post("/v1/support-records", json=record(body))
        answers.append((answer.status_code, set(answer.headers.keys()), answer.get_json().keys()))
    assert answers[0] == answers[1]


def test_a_refusal_says_of_the_other_side_platform_month_and_reference(jssic: Caller, delta: Caller) -> None:
    away, held = used(jssic)
    answer = delta.post("/v1/claims", json=like(away, WUJIANG))
    text = answer.get_data(as_text=True)
    assert held in text
    own = delta.get(f"/v1/claims/{answer.get_json()['id']}/trace").get_json()
    sides = [
        entry["output"]["other_side"]
        for item in own["items"]
        for entry in item["trace"]
        if entry["output"].get("other_side")
    ]
    assert sides
    for side in [one for each in sides for one in each]:
        assert side.keys() == {"fault", "platform", "month", "reference"}
    assert "jiangsu" not in str(sides)
