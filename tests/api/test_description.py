"""The description of the interface, from which clients in other languages are generated."""

from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import INCLUDE

from clearing.api.claim_form import ClaimAnswerSchema, ClaimAssessmentSchema, ClaimHoldSchema, FindingSchema
from tests.api.door import Door
from tests.intake.bodies import JIANGSU, claim

METHODS = ("get", "put", "post", "delete")


@pytest.fixture
def calls(door: Door) -> list[tuple[str, str, dict[str, Any]]]:
    """Every call: method, path and description."""
    described = door.app.test_client().get("/v1/openapi.json").get_json()
    return [(m, path, item[m]) for path, item in described["paths"].items() for m in METHODS if m in item]


def test_every_call_has_a_name_of_its_own(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    names = [call["operationId"] for _, _, call in calls]
    assert len(names) > 150
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [name for name in names if not name.isidentifier()] == []


def test_every_call_says_what_a_good_answer_is(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    silent = []
    for method, path, call in calls:
        good = {code: answer for code, answer in call["responses"].items() if code.startswith("2")}
        if not good or not all("content" in answer or code == "204" for code, answer in good.items()):
            silent.append((method, path))
    assert silent == []


def test_no_default_is_null(door: Door) -> None:
    described = door.app.test_client().get("/v1/openapi.json").get_json()
    assert list(nulls(described, "")) == []


def nulls(part: Any, place: str) -> Iterator[str]:
    """Where a default is null: generators take it for a value, which no enumeration has."""
    if isinstance(part, dict) and part.get("default", "") is None:
        yield place
    for name, inner in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from nulls(inner, f"{place}/{name}")


def test_an_answered_claim_is_as_it_is_described(door: Door) -> None:
    platform = door.platform()
    given = claim(JIANGSU)
    stored = platform.post("/v1/claims", json=given).get_json()
    other = claim(JIANGSU)
    other["invoices"][0]["number"] = given["invoices"][0]["number"]
    held = platform.post("/v1/claims", json=other).get_json()
    assert held["state"] == "on_hold"
    [hold] = held["holds"]
    for shown in (stored, held, *platform.get("/v1/claims").get_json()["items"]):
        assert ClaimAnswerSchema(unknown=INCLUDE).validate(shown) == {}
        assert ClaimAnswerSchema().fields.keys() <= shown.keys()
        assert ClaimAssessmentSchema().fields.keys() <= shown["assessment"].keys()
    assert ClaimHoldSchema().fields.keys() <= hold.keys()
    assert FindingSchema().fields.keys() == held["assessment"]["findings"][0].keys()


def test_every_call_about_a_claim_answers_the_described_one(calls: list[tuple[str, str, dict[str, Any]]]) -> None:
    answers = {
        call["operationId"]: call["responses"][code]["content"]["application/json"]["schema"].get("$ref", "")
        for _, path, call in calls
        for code in call["responses"]
        if path.startswith("/v1/claims") and code in {"200", "201"}
        if "application/json" in call["responses"][code].get("content", {})
    }
    named = {"submit_claim", "get_claim", "withdraw_claim", "review_claim", "confirm_by_provider", "resolve_claim_hold"}
    assert {answers[name] for name in named} == {"#/components/schemas/ClaimAnswer"}
    assert answers["list_claims"] == "#/components/schemas/ClaimPage"
