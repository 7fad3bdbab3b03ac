"""Rules 1 to 9: the policy, the enterprise and the provider."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from clearing.claims.assessment import assess
from clearing.claims.facts import Standing
from clearing.claims.rules.parties import years_later
from connectors.submission import Document, ProviderQualification, Submission, TypeProof
from tenants.kernel.money import Money
from tenants.policy import Policy, Term
from tests.claims.claims_of_cases import DELTA, NORTH, SHANXI, SOUTH, codes, entry_of, facts_of, judge, policy_for

TODAY = date(2024, 8, 29)


def jiangsu() -> Policy:
    policy = policy_for(SOUTH)
    assert policy is not None
    return policy


def enterprise(claim: Submission, **changes: object) -> Submission:
    return replace(claim, enterprise=replace(claim.enterprise, **changes))  # type: ignore[arg-type] # any field


def provider(claim: Submission, **changes: object) -> Submission:
    return replace(claim, provider=replace(claim.provider, **changes))  # type: ignore[arg-type] # any field


def with_document(claim: Submission, *kinds: str) -> Submission:
    more = tuple(Document(kind, f"{number:064x}", "application/pdf", 9) for number, kind in enumerate(kinds))
    return replace(claim, documents=claim.documents + more)


def of_type(claim: Submission, kind: str, proof: TypeProof | None = None) -> Submission:
    return enterprise(claim, types=(kind,), type_proofs={} if proof is None else {kind: proof})


def test_without_a_policy_in_force_the_claim_is_rejected_with_that_reason_alone() -> None:
    assessment = assess(SOUTH, None, facts_of(SOUTH))
    assert (assessment.state, assessment.policy_version, assessment.quota_year) == ("rejected", None, None)
    assert codes(assessment, "reject") == ["policy.in_force"]
    assert len(assessment.trace) == 1


def test_a_claim_is_never_assessed_by_another_tenant_s_policy() -> None:
    with pytest.raises(ValueError, match="does not govern"):
        assess(SHANXI, jiangsu(), facts_of(SHANXI))


def test_a_held_claim_may_be_assessed_by_a_version_that_came_later_and_the_trace_says_so() -> None:
    later = replace(jiangsu(), effective=Term(date(2024, 12, 1), "苏科规范〔2024〕2号"))
    assessment = judge(SOUTH, later)
    assert assessment.state == "in_review"
    assert entry_of(assessment, "policy.in_force").verdict == "info"


def test_a_mode_that_the_scheme_does_not_offer_is_rejected() -> None:
    assert "policy.mode" in codes(judge(replace(SOUTH, mode="cross_redemption")), "reject")


@pytest.mark.parametrize("party", ["enterprise", "provider"])
def test_a_sanction_counts_through_its_last_day(party: str) -> None:
    last = judge(SOUTH, None, **{party: Standing(sanctioned_through=TODAY)})
    assert codes(last, "reject") == ["sanction"]
    assert judge(SOUTH, None, **{party: Standing(sanctioned_through=TODAY - timedelta(days=1))}).state == "in_review"


def test_both_parties_sanctions_are_one_finding_that_names_both() -> None:
    under = Standing(sanctioned_through=date(2027, 1, 1))
    entry = entry_of(judge(SOUTH, enterprise=under, provider=under), "sanction")
    assert entry.output == {
        "parties": [
            {"fault": "enterprise", "through_on": "2027-01-01"},
            {"fault": "provider", "through_on": "2027-01-01"},
        ]
    }


@pytest.mark.parametrize(
    ("claim", "division"), [(SOUTH, "310118"), (SHANXI, "460100"), (DELTA, "320508"), (SOUTH, "023200")]
)
def test_an_enterprise_outside_the_region_is_rejected(claim: Submission, division: str) -> None:
    assert codes(judge(enterprise(claim, division=division)), "reject") == ["enterprise.region"]


def test_everything_below_ma_anshan_belongs_to_ma_anshan() -> None:
    claim = enterprise(replace(DELTA, tenant="maanshan"), division="340521")
    assert judge(claim).state == "in_review"


def test_an_enterprise_of_no_supported_type_is_rejected() -> None:
    assert codes(judge(of_type(SOUTH, "innovative_sme")), "reject") == ["enterprise.type"]
    assert codes(judge(enterprise(SOUTH, types=())), "reject") == ["enterprise.type"]


@pytest.mark.parametrize(
    "number", [None, "", "202332011508002388", "20243201150800238", "2024320115080023880", "２０２４32011508002388"]
)
def test_a_technology_sme_without_its_number_of_the_year_is_sent_back(number: str | None) -> None:
    assessment = judge(of_type(SOUTH, "tech_sme", TypeProof(number=number)))
    assert codes(assessment, "correct") == ["enterprise.type"]
    assert assessment.state == "needs_correction"


@pytest.mark.parametrize(
    ("issued_on", "state"),
    [
        (date(2021, 8, 30), "in_review"),
        (date(2021, 8, 29), "needs_correction"),
        (date(2024, 8, 29), "in_review"),
        (date(2024, 8, 30), "needs_correction"),
        (None, "needs_correction"),
    ],
)
def test_a_high_tech_certificate_proves_for_less_than_three_years(issued_on: date | None, state: str) -> None:
    assert judge(of_type(SOUTH, "high_tech", TypeProof(issued_on=issued_on))).state == state


def test_three_years_from_a_leap_day_end_on_1_march() -> None:
    assert years_later(date(2024, 2, 29), 3) == date(2027, 3, 1)
    assert years_later(date(2024, 2, 29), 4) == date(2028, 2, 29)
    assert years_later(date(2096, 2, 29), 4) == date(2100, 3, 1)


def test_an_incubated_enterprise_needs_its_proof() -> None:
    claim = of_type(SOUTH, "incubated")
    assert codes(judge(claim), "correct") == ["enterprise.type"]
    assert judge(with_document(claim, "incubation_proof")).state == "in_review"


def test_a_talent_enterprise_needs_both_proofs_and_the_missing_one_is_named() -> None:
    claim = of_type(SOUTH, "talent")
    half = judge(with_document(claim, "talent_selection_proof"))
    assert "人才与企业关系证明" in entry_of(half, "enterprise.type").message.zh
    assert "人才入选证明" not in entry_of(half, "enterprise.type").message.zh
    assert judge(with_document(claim, "talent_selection_proof", "talent_relation_proof")).state == "in_review"


def test_of_several_types_the_first_proven_in_the_policy_s_order_is_taken() -> None:
    claim = enterprise(SOUTH, types=("high_tech", "tech_sme"))
    assert judge(claim).enterprise_type == "tech_sme"
    unproven = enterprise(claim, type_proofs={"high_tech": TypeProof(issued_on=TODAY)})
    assert judge(unproven).enterprise_type == "high_tech"


@pytest.mark.parametrize(
    ("kind", "proof", "state"),
    [
        ("innovative_sme", TypeProof(number="202414080200001234"), "in_review"),
        ("innovative_sme", TypeProof(number=" "), "needs_correction"),
        ("specialised_sme", TypeProof(number="晋工信〔2023〕9号"), "in_review"),
        ("specialised_sme", None, "needs_correction"),
        ("high_tech", TypeProof(number="GR202314000001"), "in_review"),
        ("high_tech", TypeProof(issued_on=date(2022, 1, 1)), "in_review"),
        ("high_tech", TypeProof(number="GR202014000001", issued_on=date(2020, 1, 1)), "needs_correction"),
        ("zone_resident", None, "needs_correction"),
    ],
)
def test_shanxi_s_types_are_proven_by_number_certificate_or_residence(
    kind: str, proof: TypeProof | None, state: str
) -> None:
    assert judge(of_type(SHANXI, kind, proof)).state == state


def test_a_resident_of_jinchuang_valley_buys_anywhere_up_to_a_million() -> None:
    claim = provider(of_type(SHANXI, "zone_resident"), division="110108")
    assert codes(judge(claim), "reject") == ["provider.region"]
    resident = judge(enterprise(claim, resident_of=("jinchuang_valley",)), quota_taken=Money.parse("980000.00"))
    assert (resident.state, resident.zone, str(resident.award)) == ("in_review", "jinchuang_valley", "20000.00")


def test_revenue_of_exactly_the_ceiling_passes_and_a_fen_more_does_not() -> None:
    ceiling = Money.parse("400000000.00")
    assert judge(enterprise(SOUTH, prior_year_revenue=ceiling)).state == "in_review"
    above = judge(enterprise(SOUTH, prior_year_revenue=ceiling + Money(1)))
    assert codes(above, "reject") == ["enterprise.revenue"]


def test_revenue_that_is_not_stated_is_asked_for_where_there_is_a_ceiling() -> None:
    assert codes(judge(enterprise(SOUTH, prior_year_revenue=None)), "correct") == ["enterprise.revenue"]
    assert judge(enterprise(SHANXI, prior_year_revenue=None)).state == "in_review"


def test_where_a_qualification_is_required_only_types_without_review_do_without() -> None:
    terms = replace(jiangsu().enterprise, requires_qualification=Term(value=True, cite="苏科规范〔2024〕2号"))
    strict = replace(jiangsu(), enterprise=terms)
    reviewed = of_type(SOUTH, "high_tech", TypeProof(issued_on=TODAY))
    assert judge(SOUTH, strict).state == "in_review"
    assert codes(judge(reviewed, strict), "reject") == ["enterprise.qualification"]
    assert judge(reviewed, strict, enterprise=Standing(qualified=True)).state == "in_review"


@pytest.mark.parametrize(("claim", "division"), [(SHANXI, "320100"), (DELTA, "110108")])
def test_a_provider_outside_the_allowed_divisions_is_rejected(claim: Submission, division: str) -> None:
    assert codes(judge(provider(claim, division=division)), "reject") == ["provider.region"]


@pytest.mark.parametrize("claim", [SHANXI, DELTA])
def test_a_provider_that_is_not_in_the_directory_is_rejected(claim: Submission) -> None:
    away = provider(claim, on_platform=False)
    assert codes(judge(away), "reject") == ["provider.admission"]
    assert judge(away, provider=Standing(admitted=True)).state == "in_review"
    assert judge(away, provider=Standing(admitted=True, on_platform=True)).state == "in_review"


@pytest.mark.parametrize("claim", [SOUTH, SHANXI, DELTA])
def test_a_provider_whose_admission_has_ended_is_rejected(claim: Submission) -> None:
    assert codes(judge(claim, provider=Standing(admitted=False)), "reject") == ["provider.admission"]


def test_an_offline_order_in_jiangsu_needs_proof_of_the_provider_s_qualification() -> None:
    offline = provider(SOUTH, on_platform=False)
    assert codes(judge(offline), "correct") == ["evidence.complete"]
    assert judge(with_document(offline, "provider_qualification")).state == "in_review"


def test_an_order_with_a_provider_on_the_platform_must_go_through_the_platform() -> None:
    offline = with_document(provider(SOUTH, on_platform=False), "provider_qualification")
    assessment = judge(offline, provider=Standing(admitted=True, on_platform=True))
    assert codes(assessment, "correct") == ["provider.admission"]


@pytest.mark.parametrize(
    ("established_on", "state"),
    [
        (date(2022, 2, 1), "in_review"),
        (date(2022, 2, 2), "rejected"),
        (date(2024, 3, 1), "rejected"),
        (date(9999, 1, 1), "rejected"),
        (None, "needs_correction"),
    ],
)
def test_a_provider_is_two_years_old_on_the_contract_date(established_on: date | None, state: str) -> None:
    assert judge(provider(DELTA, established_on=established_on)).state == state
    assert judge(provider(SOUTH, kind="company", established_on=established_on)).state == state


def test_a_university_in_jiangsu_may_be_young() -> None:
    assert judge(provider(SOUTH, established_on=date(2024, 1, 1))).state == "in_review"


def test_a_company_without_a_stated_qualification_is_asked_for_it() -> None:
    assert codes(judge(provider(SOUTH, kind="company", qualifications=())), "correct") == ["provider.admission"]
    other = (ProviderQualification("ISO9001", date(2030, 1, 1)),)
    assert codes(judge(provider(SOUTH, kind="company", qualifications=other)), "correct") == ["provider.admission"]


def test_a_university_in_jiangsu_need_not_state_a_qualification() -> None:
    assert judge(provider(SOUTH, qualifications=())).state == "in_review"


@pytest.mark.parametrize(("valid_through", "state"), [(date(2024, 8, 1), "in_review"), (date(2024, 7, 31), "rejected")])
def test_a_qualification_is_valid_through_the_day_of_completion(valid_through: date, state: str) -> None:
    stated = (ProviderQualification("CNAS", valid_through),)
    assert judge(provider(SOUTH, qualifications=stated)).state == state
    assert judge(provider(SOUTH, kind="company", qualifications=stated)).state == state


def test_instrument_services_need_no_qualification() -> None:
    line = replace(SOUTH.services[0], item="A1.1")
    assert judge(provider(replace(SOUTH, services=(line,)), kind="company", qualifications=())).state == "in_review"


def test_the_policy_date_is_the_day_in_shanghai() -> None:
    new_year = datetime(2024, 12, 31, 16, 0, tzinfo=timezone.utc)  # noqa: UP017 - the plain name says it best
    assert judge(replace(NORTH, submitted_at=new_year)).quota_year == 2025
    assert judge(replace(NORTH, submitted_at=new_year - timedelta(seconds=1))).quota_year == 2024
