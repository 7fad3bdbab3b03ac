"""What the rules make of the generated claims, taken in one after the other."""

import pytest

from clearing.claims.assessment import Assessment
from clearing.demonstration.claims import GeneratedClaim, generate
from clearing.demonstration.disguises import PLANTED_STATES
from connectors.reading import read_submission
from tests.claims.claims_of_cases import Clerk, codes

Taken = list[tuple[GeneratedClaim, Assessment]]


@pytest.fixture(scope="module", params=[1, 2])
def taken(request: pytest.FixtureRequest) -> Taken:
    clerk = Clerk(linked={"2024": {"320300": ["tech_sme"]}})
    return [
        (claim, clerk.take_in(read_submission(claim.body), claim.platform)) for claim in generate(request.param, 300)
    ]


def test_every_planted_fault_meets_the_verdict_that_is_promised(taken: Taken) -> None:
    planted = [(claim.planted, assessment.state) for claim, assessment in taken if claim.planted is not None]
    assert len(planted) > 40
    assert [(fault, state) for fault, state in planted if state != PLANTED_STATES[str(fault)]] == []


def test_a_claim_through_another_platform_is_refused_for_invoice_and_project(taken: Taken) -> None:
    found = [codes(assessment, "reject") for claim, assessment in taken if claim.planted == "other_platform"]
    assert len(found) > 5
    assert all(reasons == ["duplicate.cross_scheme", "duplicate.project"] for reasons in found)


def test_honest_claims_pass_but_for_used_up_quotas(taken: Taken) -> None:
    honest = [assessment for claim, assessment in taken if claim.planted is None]
    stopped = [
        codes(assessment, "reject") for assessment in honest if assessment.state not in {"in_review", "approved"}
    ]
    assert all(reasons == ["quota.exhausted"] for reasons in stopped)
    assert len(stopped) < 10


def test_the_awards_add_up_to_a_plausible_year(taken: Taken) -> None:
    awarded = sum(assessment.award.fen for _, assessment in taken)
    assert 100_000_000 < awarded < 1_000_000_000
    assert any(assessment.matching is not None for _, assessment in taken)
