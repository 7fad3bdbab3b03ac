"""Documents with planted faults, and hostile ones, as an administrator's client would send them."""
# ruff: noqa: E501 - one fault a line

import time

import pytest

from clearing.tenancy.policy_life import read_draft
from tenants.kernel.errors import Invalid
from tests.tenancy.office import Office
from tests.tenancy.test_seventh_region import TEXT as SEVENTH
from tests.tenants.test_policy_document import EDITS, changed, line_of

OF_CLASSES = [
    ("a class of no items", SEVENTH, 'items = ["technology_rd"]', "items = []", "/service_classes/1/items", "empty"),
    ("an item of no catalogue", SEVENTH, 'items = ["technology_rd"]', 'items = ["filming"]', "/service_classes/1/items/0", "not_supported"),
    ("an item of two classes", SEVENTH, 'items = ["technology_rd"]', 'items = ["testing"]', "/service_classes/1/items/0", "repeated"),
    ("a class twice", SEVENTH, 'code = "research"', 'code = "testing"', "/service_classes", "repeated"),
    ("a class above one", SEVENTH, 'value = "0.30"', 'value = "1.30"', "/service_classes/1/rate/value", "out_of_range"),
    ("a first amount of nothing", SEVENTH, '"10000.00"', '"0.00"', "/limits/full_support_through/value", "out_of_range"),
    ("a budget rule unheard of", SEVENTH, '"pro_rata"', '"lottery"', "/limits/budget_rule/value", "not_a_choice"),
    ("a hundredth correction", SEVENTH, 'scheme = "provincial"', 'scheme = "provincial"\ncorrection = 100', "/correction", "out_of_range"),
]  # fmt: skip
ALL = [*EDITS, *OF_CLASSES]
OF_WHOLE = {"/", ""}


def test_there_are_more_than_sixty_of_them() -> None:
    assert len({edit[0] for edit in ALL}) == len(ALL) > 60


@pytest.mark.parametrize(
    ("text", "old", "new", "place", "code"), [edit[1:] for edit in ALL], ids=[edit[0] for edit in ALL]
)
def test_a_planted_fault_is_refused_with_its_place_its_line_and_the_reason_in_both_languages(
    text: str, old: str, new: str, place: str, code: str
) -> None:
    faulty = changed(text, line_of(text, old[1:]) if old.startswith("^") else old, new)
    with pytest.raises(Invalid) as refused:
        read_draft(faulty)
    found = {error.pointer: error for error in refused.value.errors}
    error = found[f"/document{place.rstrip('/')}"]
    assert error.code == code
    assert error.message.zh
    assert error.message.en
    if place in OF_WHOLE:
        assert "line" in error.message.en
        return
    if code == "missing" and place.count("/") == 1:
        return  # what is missing from the whole document has no line
    assert error.message.zh.startswith("第 ")
    assert error.message.en.startswith("Line ")
    number = int(error.message.en.removeprefix("Line ").partition(":")[0])
    assert 1 <= number <= len(faulty.splitlines())


HOSTILE = {
    "deep": "a = " + "[" * 30_000,
    "deep tables": "a = " + "{a=" * 20_000,
    "long keys": "a." * 30_000 + "a = 1",
    "many entries": "\n".join(f"[[services]]\ncode = {number}" for number in range(9_000)),
    "over its size": "# " + "a" * 300_000,
    "many lines": "\n" * 250_000,
    "long strings": "zh = " + '"' * 200_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_refused_over_http_and_costs_next_to_nothing(office: Office, text: str) -> None:
    office.got("drafter", "GET", office.policies)
    began = time.process_time()
    refused = office.draft(text, "2024-09-01")
    assert time.process_time() - began < 2
    assert (refused.status_code, refused.get_json()["code"]) == (422, "policy.document")
    assert office.got("drafter", "GET", office.policies)["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"effective_on": "2024-09-01"}, 422),
        ({"effective_on": "2024-09-31", "document": "x"}, 422),
        ({"effective_on": "2024-09-01", "document": 5}, 422),
        ({"effective_on": "2024-09-01", "document": ["x"]}, 422),
        ({"effective_on": "2024-09-01", "document": "x", "kind": "secret"}, 422),
        ({"effective_on": "2024-09-01", "document": "x", "surplus": 1}, 422),
        ({"effective_on": "2024-09-01", "document": "a\u202eb"}, 400),
        ([], 422),
    ],
)
def test_a_draft_that_is_none_is_refused_with_a_problem(office: Office, body: object, status: int) -> None:
    refused = office.call("drafter", "POST", office.policies, body)
    assert refused.status_code == status
    assert refused.mimetype == "application/problem+json"
