"""The specification's worked cases, step by step, to the fen."""

from datetime import date
from typing import Any

import pytest

from clearing.claims.assessment import assessment_json
from tenants.kernel.workdays import official_calendar, publicity_through
from tests.claims.claims_of_cases import CASES, Clerk, read_case, submission_of

NAMES = sorted(path.stem for path in CASES.glob("*.json"))


def expectations(expected: dict[str, Any], state: str, answer: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What was expected beside what came out."""
    findings = [finding["rule"] for finding in answer["findings"]]
    matching = answer["matching"]
    came_out = answer | {
        "state": state,
        "matching": "0.00" if matching is None else matching["amount"],
        "codes": [code for code in expected.get("codes", []) if code in findings],
    }
    return {name: (value, came_out[name]) for name, value in expected.items()}


def test_there_are_eleven_worked_cases() -> None:
    assert len(NAMES) == 11


@pytest.mark.parametrize("name", NAMES)
def test_a_worked_case_comes_out_as_written(name: str) -> None:
    case = read_case(name)
    clerk = Clerk(linked=case["facts"].get("linked_regions", {}))
    for step in case["steps"]:
        if "publish_on" in step:
            through = publicity_through(
                date.fromisoformat(step["publish_on"]), step["working_days"], official_calendar()
            )
            assert through.through_on.isoformat() == step["expect"]["ends_on"]
            continue
        assessment = clerk.take_in(submission_of(step["claim"]), step.get("platform", "jssic"))
        compared = expectations(step["expect"], assessment.state, assessment_json(assessment, "zh"))
        assert {name: pair[1] for name, pair in compared.items()} == {name: pair[0] for name, pair in compared.items()}


def test_a_claim_that_was_refused_leaves_its_identities_free() -> None:
    steps = read_case("revenue_ceiling")["steps"]
    clerk = Clerk()
    refused = submission_of(steps[1]["claim"])
    assert clerk.take_in(refused, "jssic").state == "rejected"
    assert clerk.held == {}


def test_the_invoice_of_october_waits_for_the_cut_offs_of_2025() -> None:
    claim = submission_of(read_case("shanxi_next_window")["steps"][0]["claim"])
    assessment = Clerk().take_in(claim, "shanxi-inno")
    assert (assessment.state, assessment.quota_year, str(assessment.award)) == ("on_hold", 2025, "0.00")
    holds = [entry for entry in assessment.trace if entry.verdict == "hold"]
    assert [entry.rule for entry in holds] == ["policy.incomplete"]
    assert holds[0].output == {"missing": [{"fault": "cut_offs", "year": 2025}]}
