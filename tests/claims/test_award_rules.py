"""Rules 19 to 25: reservation, rate, caps, budget and matching; and the states that follow."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from clearing.claims.assessment import Assessment, annual_cap, matching_cap, zone_of
from clearing.claims.facts import Facts, LinkedRegion, LinkedTerms, Reservation, Standing
from clearing.claims.fingerprint import canonical_contract_number
from connectors.submission import Submission
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tenants.policy import BudgetRule, Limits, Policy, Term
from tenants.policy_document import load_shipped, read_policy
from tests.claims.claims_of_cases import DELTA, NORTH, SHANXI, SOUTH, codes, entry_of, faults_in, judge, policy_for

CROSS = replace(DELTA, mode="cross_redemption")
XUZHOU = LinkedRegion("320300", ("tech_sme",))


def policy_of(claim: Submission) -> Policy:
    policy = policy_for(claim)
    assert policy is not None
    return policy


def with_limits(claim: Submission, budget_rule: BudgetRule, claim_cap: str | None = None) -> Policy:
    policy = policy_of(claim)
    cap = None if claim_cap is None else Term(Money.parse(claim_cap), "某科〔2025〕1号 四")
    limits = Limits(policy.limits.rounding, Term(budget_rule, "某科〔2025〕1号 五"), cap)
    return replace(policy, limits=limits)


def held(amount: str = "6000.00", **changes: object) -> Reservation:
    reservation = Reservation(
        reservation_id=UUID(int=1),
        state="confirmed",
        expires_on=date(2024, 12, 31),
        enterprise_uscc=CROSS.enterprise.uscc,
        provider_uscc=CROSS.provider.uscc,
        contract_number=canonical_contract_number(CROSS.contract.number),
        amount=Money.parse(amount),
    )
    return replace(reservation, **changes)  # type: ignore[arg-type] # any field


def paying(claim: Submission, amount: str) -> Submission:
    return replace(claim, receipts=(replace(claim.receipts[0], claimed=Money.parse(amount)),))


def money(assessment: Assessment) -> dict[str, str]:
    return {name: str(amount) for name, amount in assessment.cut.items()} | {"award": str(assessment.award)}


def test_cross_redemption_without_a_reservation_is_rejected() -> None:
    assessment = judge(CROSS)
    assert codes(assessment, "reject") == ["reservation"]
    assert entry_of(assessment, "totals.receipts").verdict == "info"


def test_cross_redemption_with_its_reservation_goes_to_review() -> None:
    assessment = judge(paying(CROSS, "14000.00"), reservation=held())
    assert (assessment.state, str(assessment.award)) == ("in_review", "6000.00")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"state": "requested"}, "state"),
        ({"state": "used"}, "state"),
        ({"expires_on": date(2024, 8, 28)}, "expired"),
        ({"enterprise_uscc": "91320509XXXXXXXXXX"}, "enterprise"),
        ({"provider_uscc": "91320509XXXXXXXXXX"}, "provider"),
        ({"contract_number": "OTHER"}, "contract"),
    ],
)
def test_a_reservation_that_does_not_fit_is_named(change: dict[str, object], fault: str) -> None:
    assessment = judge(CROSS, reservation=held("6000.00", **change))
    assert codes(assessment, "reject") == ["reservation"]
    assert [named["fault"] for named in faults_in(assessment, "reservation")] == [fault]


def test_a_reservation_holds_through_its_last_day() -> None:
    assert judge(paying(CROSS, "14000.00"), reservation=held(expires_on=date(2024, 8, 29))).state == "in_review"


@pytest.mark.parametrize(("paid", "state"), [("14000.00", "in_review"), ("13999.99", "needs_correction")])
def test_receipts_and_face_value_cover_the_invoices(paid: str, state: str) -> None:
    assert judge(paying(CROSS, paid), reservation=held()).state == state


def test_the_face_value_binds_the_award() -> None:
    assessment = judge(paying(CROSS, "15000.00"), reservation=held("5000.00"))
    assert money(assessment) == {"reservation": "1000.00", "award": "5000.00"}


def test_in_common_use_a_reservation_binds_only_where_it_holds() -> None:
    assert money(judge(DELTA, reservation=held("5000.00"))) == {"reservation": "1000.00", "award": "5000.00"}
    expired = judge(DELTA, reservation=held("5000.00", state="cancelled"))
    assert money(expired) == {"award": "6000.00"}
    assert entry_of(expired, "reservation").verdict == "info"


def test_the_base_is_the_smaller_of_services_and_invoices() -> None:
    services = replace(SOUTH, services=(replace(SOUTH.services[0], amount=Money.parse("100000.00")),))
    assert (str(judge(services).base), str(judge(services).award)) == ("100000.00", "25000.00")
    more = replace(SOUTH, services=(replace(SOUTH.services[0], amount=Money.parse("900000.00")),))
    assert str(judge(more).base) == "140000.00"


@pytest.mark.parametrize(
    ("taken", "award", "cut"),
    [("0.00", "35000.00", None), ("65000.00", "35000.00", None), ("65000.01", "34999.99", "0.01")],
)
def test_the_award_stays_within_what_is_left_of_the_annual_cap(taken: str, award: str, cut: str | None) -> None:
    assessment = judge(SOUTH, quota_taken=Money.parse(taken))
    assert money(assessment) == {"award": award} | ({} if cut is None else {"annual_cap": cut})


@pytest.mark.parametrize("taken", ["100000.00", "100000.01"])
def test_nothing_left_of_the_annual_cap_is_rejected(taken: str) -> None:
    assessment = judge(SOUTH, quota_taken=Money.parse(taken))
    assert codes(assessment, "reject") == ["quota.exhausted"]
    assert str(assessment.award) == "0.00"


def test_a_cap_for_one_claim_cuts_before_the_annual_cap() -> None:
    policy = with_limits(SOUTH, "waitlist", "20000.00")
    assessment = judge(SOUTH, policy, quota_taken=Money.parse("85000.00"))
    assert money(assessment) == {"claim_cap": "15000.00", "annual_cap": "5000.00", "award": "15000.00"}
    within = judge(SOUTH, with_limits(SOUTH, "waitlist", "35000.00"))
    assert money(within) == {"award": "35000.00"}


@pytest.mark.parametrize(
    ("rule", "left", "state", "award"),
    [
        ("partial", "35000.00", "in_review", "35000.00"),
        ("partial", "34999.99", "in_review", "34999.99"),
        ("partial", "0.00", "rejected", "0.00"),
        ("waitlist", "35000.00", "in_review", "35000.00"),
        ("waitlist", "34999.99", "on_hold", "0.00"),
        ("reject", "35000.00", "in_review", "35000.00"),
        ("reject", "34999.99", "rejected", "0.00"),
    ],
)
def test_the_budget_s_end_is_met_by_the_policy_s_choice(rule: BudgetRule, left: str, state: str, award: str) -> None:
    assessment = judge(SOUTH, with_limits(SOUTH, rule), budget_left=Money.parse(left))
    assert (assessment.state, str(assessment.award)) == (state, award)
    assert assessment.waitlisted == (state == "on_hold")
    assert codes(assessment, "reject") + codes(assessment, "hold") == ([] if state == "in_review" else ["award.budget"])


def test_a_budget_overdrawn_counts_as_empty() -> None:
    assert judge(SHANXI, budget_left=Money(-5)).state == "rejected"


def test_matching_is_the_award_times_local_over_provincial_rounded_down() -> None:
    claim = replace(
        NORTH,
        services=(replace(NORTH.services[0], amount=Money(1_000)),),
    )
    matching = judge(claim, linked_region=XUZHOU).matching
    assert matching is not None
    assert (matching.linked_region, matching.amount.fen) == ("320300", 350 * 3 // 7)


@pytest.mark.parametrize(("taken", "matching"), [("0.00", "60000.00"), ("59999.99", "0.01")])
def test_matching_stays_within_the_linked_region_s_cap(taken: str, matching: str) -> None:
    result = judge(NORTH, linked_region=XUZHOU, matching_taken=Money.parse(taken)).matching
    assert result is not None
    assert str(result.amount) == matching


GENEROUS = LinkedRegion("320300", ("tech_sme",), LinkedTerms(Rate(3), Money.parse("900000.00"), "徐科〔2024〕1号"))
"""A region that adds three times the award, whatever its commitment's approval would say."""


@pytest.mark.parametrize(("share", "matching_fen"), [(Rate(65, 35), 650), (Rate(66, 35), 650), (Rate(3), 650)])
def test_award_and_matching_together_are_never_more_than_the_base(share: Rate, matching_fen: int) -> None:
    assert GENEROUS.terms is not None
    claim = replace(NORTH, services=(replace(NORTH.services[0], amount=Money(1_000)),))
    assessment = judge(claim, linked_region=replace(GENEROUS, terms=replace(GENEROUS.terms, share=share)))
    assert assessment.matching is not None
    assert (assessment.award.fen, assessment.matching.amount.fen) == (350, matching_fen)
    found = entry_of(assessment, "matching")
    assert ("base" in found.inputs) == (share > Rate(65, 35)), "the bound is told where it is what decides"
    assert found.output["matching"] == "6.50"


def test_there_is_no_matching_once_its_cap_is_used_up() -> None:
    assert judge(NORTH, linked_region=XUZHOU, matching_taken=Money.parse("60000.00")).matching is None


def test_a_linked_region_matches_only_the_types_it_accepts() -> None:
    assessment = judge(NORTH, linked_region=LinkedRegion("320300", ("high_tech", "talent")))
    assert assessment.matching is None
    assert entry_of(assessment, "matching").verdict == "info"
    assert judge(NORTH).matching is None


def test_a_refused_claim_has_no_matching() -> None:
    claim = replace(NORTH, mode="cross_redemption")
    assert judge(claim, linked_region=XUZHOU).matching is None


def test_a_scheme_without_matching_ignores_a_linked_region() -> None:
    assert judge(DELTA, linked_region=LinkedRegion("320509", ("tech_sme",))).matching is None


def test_a_trust_listed_provider_s_claim_is_approved_at_once_where_the_scheme_has_such_a_list() -> None:
    trusted = Standing(trust_listed=True)
    approved = judge(SOUTH, provider=trusted)
    assert (approved.state, approved.next_stage) == ("approved", None)
    assert judge(DELTA, provider=trusted).state == "in_review"
    assert judge(replace(SOUTH, receipts=()), provider=trusted).state == "needs_correction"


@pytest.mark.parametrize(("claim", "stage"), [(SOUTH, "center"), (DELTA, "center"), (SHANXI, "city")])
def test_review_begins_with_the_first_stage_of_the_chain(claim: Submission, stage: str) -> None:
    assert judge(claim).next_stage == stage


@pytest.mark.parametrize("tenant", ["qingpu", "wujiang", "jiashan", "maanshan"])
def test_a_claim_under_an_unset_rate_holds_with_nothing_computed(tenant: str) -> None:
    law = next(each.policy for each in load_shipped() if each.policy.tenant == tenant)
    division = law.enterprise.divisions.value[0].ljust(6, "0")
    claim = replace(DELTA, tenant=tenant, enterprise=replace(DELTA.enterprise, division=division))
    assessment = judge(claim, law)
    assert (assessment.state, assessment.rate, money(assessment)) == ("on_hold", None, {"award": "0.00"})
    assert str(assessment.computed) == "0.00"
    assert codes(assessment, "hold") == ["policy.incomplete"]
    assert [entry.rule for entry in assessment.trace if entry.rule.startswith("award.")] == []
    assert "二（四）" in entry_of(assessment, "policy.incomplete").cite


def test_under_an_unset_rate_everything_else_is_still_checked() -> None:
    law = next(each.policy for each in load_shipped() if each.policy.tenant == "wujiang")
    wrong = replace(DELTA, receipts=(), declarations=replace(DELTA.declarations, rd_related=False))
    assessment = judge(wrong, law)
    assert assessment.state == "rejected"
    assert codes(assessment, "reject") == ["exclusion.not_rd_related"]
    assert codes(assessment, "correct") == ["evidence.complete", "totals.receipts"]


def test_caps_and_zones_are_told_before_the_facts_are_read() -> None:
    assert zone_of(policy_of(NORTH), NORTH).code == "north"
    assert annual_cap(policy_of(NORTH), NORTH) == Money.parse("140000.00")
    assert matching_cap(policy_of(NORTH), NORTH, None) == Money.parse("60000.00")
    assert matching_cap(policy_of(SHANXI), SHANXI, None) is None


def test_an_unset_cap_holds_and_is_told_as_none() -> None:
    policy = policy_of(SOUTH)
    text = next(each.text for each in load_shipped() if each.policy == policy)
    unset = read_policy(
        text.replace(
            'value = "100000.00", cite = "苏科规范〔2024〕2号 支持额度',
            'value = "unset", cite = "苏科规范〔2024〕2号 支持额度',
        )
    )
    assert annual_cap(unset, SOUTH) is None
    assert judge(SOUTH, unset).state == "on_hold"
    assert judge(NORTH, unset).state == "in_review"


def test_facts_of_a_first_claim_are_empty() -> None:
    assert Facts("X").quota_taken == Money(0)
    assert Rate(3, 7) == 1 / Rate(7, 3)
