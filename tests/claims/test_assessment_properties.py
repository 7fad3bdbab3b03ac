"""What holds for every claim of every tenant, whatever its amounts, facts and faults."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.claims.assessment import Assessment, assess, result_bytes, result_json
from clearing.claims.facts import EarlierUse, Facts, KeyState, LinkedRegion, Standing
from clearing.claims.rehearsal import Figures, Past, Rehearsal
from clearing.claims.rules.finding import GRAVITY
from connectors.submission import Submission
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money
from tenants.policy import UNSET, Policy
from tests.claims.claims_of_cases import DELTA, NORTH, SHANXI, SOUTH, facts_of, policies

FEN = st.integers(0, 2 * 10**8)
PILOTS = {"qingpu": "310118", "wujiang": "320509", "jiashan": "330421", "maanshan": "340521"}
STATES = {3: "rejected", 2: "needs_correction", 1: "on_hold"}
FAMILIES = [
    "policy", "sanction", "enterprise", "provider", "exclusion", "service", "evidence", "invoice", "totals", "window",
    "duplicate", "reservation", "award", "quota", "matching",
]  # fmt: skip


def of_pilot(tenant: str) -> Submission:
    return replace(DELTA, tenant=tenant, enterprise=replace(DELTA.enterprise, division=PILOTS[tenant]))


SOURCES = [SOUTH, NORTH, SHANXI, *(of_pilot(tenant) for tenant in PILOTS)]


def priced(claim: Submission, service_fen: int, invoice_fen: int, claimed_fen: int) -> Submission:
    claimed = Money(min(claimed_fen, invoice_fen))
    invoice = replace(claim.invoices[0], amount=Money(invoice_fen), claimed=claimed)
    return replace(
        claim,
        services=(replace(claim.services[0], amount=Money(service_fen)),),
        invoices=(invoice,),
        receipts=(replace(claim.receipts[0], amount=claimed, claimed=claimed),),
        contract=replace(claim.contract, amount=Money(invoice_fen)),
    )


def governing(claim: Submission) -> list[Policy]:
    """Every version of the claim's scheme, with its rate set or not."""
    return [each for each in policies() if (each.tenant, each.scheme) == (claim.tenant, claim.scheme)]


CLAIMS = st.builds(priced, st.sampled_from(SOURCES), FEN, st.integers(1, 2 * 10**8), FEN)
FLAGS = st.tuples(st.booleans(), st.booleans())
USES = st.builds(lambda flags: EarlierUse(flags[0], flags[1], "delta", "2024-05", "r"), FLAGS)
KEYS = st.builds(
    KeyState,
    kind=st.sampled_from(["invoice", "receipt", "contract", "document"]),
    place=st.just("/invoices/0"),
    counted=FEN.map(Money),
    taken=FEN.map(Money),
    claimed=FEN.map(Money),
    amount_conflict=st.booleans(),
    uses=st.lists(USES, max_size=3).map(tuple),
)
STANDINGS = st.builds(
    Standing,
    sanctioned_through=st.none() | st.dates(date(2024, 1, 1), date(2025, 1, 1)),
    qualified=st.booleans(),
    admitted=st.none() | st.booleans(),
    on_platform=st.none() | st.booleans(),
    trust_listed=st.booleans(),
)
FACTS = st.builds(
    Facts,
    contract_number=st.just("KD2024017"),
    quota_taken=FEN.map(Money),
    budget_left=st.none() | FEN.map(Money),
    linked_region=st.none() | st.just(LinkedRegion("320300", ("tech_sme",))),
    matching_taken=FEN.map(Money),
    keys=st.lists(KEYS, max_size=4).map(tuple),
    enterprise=STANDINGS,
    provider=STANDINGS,
)


def check_figures(claim: Submission, policy: Policy, facts: Facts, assessment: Assessment) -> None:
    zone = policy.zone(claim.enterprise.division, claim.enterprise.resident_of)
    cut = sum(amount.fen for amount in assessment.cut.values())
    assert Money(0) <= assessment.award <= assessment.computed <= assessment.base
    assert all(amount.fen > 0 for amount in assessment.cut.values())
    assert assessment.base.fen <= min(claim.services[0].amount.fen, claim.invoices[0].claimed.fen)
    if assessment.state != "rejected":
        assert assessment.award.fen == assessment.computed.fen - cut
    if zone.rate.value is UNSET or zone.annual_cap.value is UNSET:
        assert assessment.computed.fen == 0
        return
    assert assessment.award.fen <= assessment.base.fen * zone.rate.value < assessment.computed.fen + 1
    assert assessment.award.fen <= max(zone.annual_cap.value.fen - facts.quota_taken.fen, 0)
    if facts.budget_left is not None:
        assert assessment.award.fen <= max(facts.budget_left.fen, 0)
    if assessment.matching is not None:
        assert zone.matching_cap is not None
        assert assessment.matching.amount.fen + facts.matching_taken.fen <= zone.matching_cap.value.fen


@given(CLAIMS, FACTS, st.data())
@settings(max_examples=300, deadline=None)
def test_an_award_never_passes_rate_cap_budget_or_base_and_every_cut_is_accounted_for(
    claim: Submission, facts: Facts, data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from(governing(claim)))
    assessment = assess(claim, policy, facts)
    check_figures(claim, policy, facts, assessment)


@given(CLAIMS, FACTS, st.data())
@settings(max_examples=200, deadline=None)
def test_the_state_follows_from_the_gravest_verdict_and_findings_keep_their_order(
    claim: Submission, facts: Facts, data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from(governing(claim)))
    assessment = assess(claim, policy, facts)
    gravest = max(GRAVITY[entry.verdict] for entry in assessment.trace)
    assert assessment.state in {STATES.get(gravest, "in_review"), "approved" if gravest == 0 else None}
    rules = [entry.rule for entry in assessment.trace]
    assert len(rules) == len(set(rules))
    rest = [rule for rule in rules if rule not in {"award.reservation", "policy.incomplete"}]
    ranks = [FAMILIES.index(rule.split(".")[0].replace("quota", "award")) for rule in rest]
    assert ranks == sorted(ranks)
    assert (assessment.next_stage is not None) == (assessment.state == "in_review")


@given(CLAIMS, FACTS, st.data())
@settings(max_examples=100, deadline=None)
def test_the_same_inputs_give_the_same_canonical_bytes(claim: Submission, facts: Facts, data: st.DataObject) -> None:
    policy = data.draw(st.sampled_from(governing(claim)))
    first, second = assess(claim, policy, facts), assess(claim, policy, facts)
    assert first == second
    assert result_bytes(first) == result_bytes(second) == canonical_bytes(result_json(first))


@given(st.sampled_from(SOURCES), st.integers(1, 10**8), st.integers(0, 10**8), FEN)
@settings(max_examples=200, deadline=None)
def test_a_larger_invoice_never_gets_less(claim: Submission, fen: int, more_fen: int, taken_fen: int) -> None:
    awards = []
    for amount in (fen, fen + more_fen):
        larger = priced(claim, amount, amount, amount)
        awards.append(assess(larger, governing(claim)[-1], facts_of(larger, quota_taken=Money(taken_fen))).award)
    assert awards[0] <= awards[1]


@given(st.sampled_from(SOURCES), st.lists(st.integers(1, 5 * 10**7), min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_claims_one_after_the_other_never_take_more_than_the_annual_cap(claim: Submission, amounts: list[int]) -> None:
    policy = governing(claim)[-1]
    cap = policy.zone(claim.enterprise.division, ()).annual_cap.value
    assert cap is not UNSET
    taken = Money(0)
    for fen in amounts:
        taken += assess(priced(claim, fen, fen, fen), policy, Facts("X", quota_taken=taken)).award
    assert taken <= cap


@given(st.lists(CLAIMS, min_size=2, max_size=6), st.randoms(use_true_random=False), st.data())
@settings(max_examples=60, deadline=None)
def test_the_order_of_independent_claims_is_irrelevant(
    drawn: list[Submission], rng: Random, data: st.DataObject
) -> None:
    """Claims of different enterprises, whose budget suffices: whoever comes first takes nothing from the others."""
    tenant = data.draw(st.sampled_from(SOURCES))
    same = [claim for claim in drawn if (claim.tenant, claim.scheme) == (tenant.tenant, tenant.scheme)] or [tenant]
    policy = data.draw(st.sampled_from(governing(same[0])))
    past = [of_enterprise(number, claim) for number, claim in enumerate(same * 2)]
    orders = []
    for shuffled in (past, rng.sample(past, len(past))):
        rehearsal = Rehearsal(policy)
        orders.append({one.claim_id: rehearsal.take(one).after for one in shuffled})
    assert orders[0] == orders[1]


def of_enterprise(number: int, claim: Submission) -> Past:
    """The claim as another enterprise's, of which nothing is known before."""
    own = replace(claim, enterprise=replace(claim.enterprise, uscc=f"91320000MA1XXXX{number:03d}"))
    before = Figures("absent", 0, 0, {}, None, None)
    at = claim.submitted_at
    return Past(UUID(int=number), str(number), at, own, facts_of(own), before, "absent", 0, at)


@given(st.sampled_from(SOURCES), st.lists(st.integers(1, 5 * 10**7), min_size=1, max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_one_enterprise_s_claims_take_the_same_in_all_whatever_their_order(
    claim: Submission, amounts: list[int], rng: Random
) -> None:
    """One enterprise's claims take together what their sum gives, or the cap, in whatever order they come."""
    policy = governing(claim)[-1]
    sums = []
    for order in (amounts, rng.sample(amounts, len(amounts))):
        rehearsal, taken_fen = Rehearsal(policy), 0
        for number, fen in enumerate(order):
            past = of_enterprise(0, priced(claim, fen, fen, fen))
            taken_fen += rehearsal.take(replace(past, claim_id=UUID(int=number))).after.taken_fen
        sums.append(taken_fen)
    assert sums[0] == sums[1]


@pytest.mark.long
@given(CLAIMS, FACTS, st.integers(-400, 400))
@settings(max_examples=5_000, deadline=None)
def test_a_long_campaign_over_all_tenants_and_days_finds_no_figure_out_of_bounds(
    claim: Submission, facts: Facts, days: int
) -> None:
    moved = replace(claim, submitted_at=claim.submitted_at + timedelta(days=days))
    for policy in governing(claim):
        check_figures(moved, policy, facts, assess(moved, policy, facts))
