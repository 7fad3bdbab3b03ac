"""The description of the interface, from which clients in other languages are generated."""

from typing import Any

import pytest

from tests.api.door import Door

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
