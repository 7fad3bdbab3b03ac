"""The shipped policies against the figures of the sources, value by value."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta, timezone

import pytest

from tenants.kernel.money import Money
from tenants.kernel.rate import Rate
from tenants.policy import UNSET, Policy, Term
from tenants.policy_checks import DEMONSTRATION_SOURCE
from tenants.policy_document import PolicyDocument, load_demonstration, load_shipped, print_policy, read_policy

PILOTS = {"qingpu": "310118", "wujiang": "320509", "jiashan": "330421", "maanshan": "3405"}
DOCUMENT_NUMBER = re.compile(r"〔20\d\d〕\d+号")
SHANGHAI = timezone(timedelta(hours=8))
ALL = [*load_shipped(), *load_demonstration()]


def policy_of(tenant: str) -> Policy:
    return next(each.policy for each in load_shipped() if each.policy.tenant == tenant)


def cites(record: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Every citation in the policy, with its place."""
    if isinstance(record, tuple):
        for index, each in enumerate(record):
            yield from cites(each, f"{place}/{index}")
    elif is_dataclass(record):
        for field in fields(record):
            value = getattr(record, field.name)
            if field.name == "cite":
                yield place, value
            else:
                yield from cites(value, f"{place}/{field.name}")


def test_six_tenants_are_shipped() -> None:
    names = {each.policy.version for each in load_shipped()}
    assert names == {
        "jiangsu/provincial/2024-01-01",
        "shanxi-hainan/provincial/2024-01-01",
        *(f"{tenant}/delta/2021-01-09" for tenant in PILOTS),
    }


@pytest.mark.parametrize("document", load_shipped(), ids=lambda each: each.policy.version)
def test_every_value_cites_a_document_by_its_number(document: PolicyDocument) -> None:
    found = list(cites(document.policy))
    assert len(found) > 30
    assert [place for place, cite in found if not DOCUMENT_NUMBER.search(cite)] == []
    assert not document.policy.demonstration


@pytest.mark.parametrize("document", ALL, ids=lambda each: each.policy.version)
def test_a_document_reads_back_to_the_same_policy_and_bytes(document: PolicyDocument) -> None:
    assert read_policy(document.text) == document.policy
    assert print_policy(document.policy) == document.text


def test_every_document_has_its_own_hash() -> None:
    assert len({each.digest for each in ALL}) == len(ALL)
    assert all(re.fullmatch("[0-9a-f]{64}", each.digest) for each in ALL)


def test_jiangsu_north_gets_35_percent_up_to_140_000_with_matching_7_to_3_up_to_60_000() -> None:
    north = policy_of("jiangsu").zone("320312", ())
    assert north.divisions == ("3203", "3207", "3208", "3209", "3213")
    assert (north.rate.value, north.annual_cap.value) == (Rate(35, 100), Money.parse("140000.00"))
    assert north.provincial_to_local is not None
    assert north.matching_cap is not None
    assert (north.provincial_to_local.value, north.matching_cap.value) == (Rate(7, 3), Money.parse("60000.00"))


def test_the_rest_of_jiangsu_gets_25_percent_up_to_100_000_with_matching_1_to_1_up_to_100_000() -> None:
    other = policy_of("jiangsu").zone("320115", ())
    assert (other.rate.value, other.annual_cap.value) == (Rate(25, 100), Money.parse("100000.00"))
    assert other.provincial_to_local is not None
    assert other.matching_cap is not None
    assert (other.provincial_to_local.value, other.matching_cap.value) == (Rate(1), Money.parse("100000.00"))


def test_jiangsu_s_enterprises_are_of_four_types_with_revenue_up_to_400_million() -> None:
    terms = policy_of("jiangsu").enterprise
    assert [kind.code for kind in terms.types] == ["tech_sme", "high_tech", "incubated", "talent"]
    assert [kind.needs_review for kind in terms.types] == [False, True, True, True]
    assert terms.types[1].certificate_years == 3
    assert terms.revenue_ceiling is not None
    assert terms.revenue_ceiling.value == Money.parse("400000000.00")
    assert terms.divisions.value == ("32",)


def test_jiangsu_s_catalogue_is_annex_1_of_2021_with_its_qualifications() -> None:
    items = {item.code: item.qualifications for item in policy_of("jiangsu").services}
    assert list(items) == ["A1.1", "A1.2", "A1.3", "B1.1", "B1.2", "B1.3", "B2.1", "B2.2", "B3.1", "B4.1"]
    assert all(kinds == (() if code.startswith("A") else ("CMA", "CNAS")) for code, kinds in items.items())


def test_jiangsu_excludes_what_its_five_clauses_name() -> None:
    policy = policy_of("jiangsu")
    declared = {each.code for each in policy.exclusions if each.declared}
    assert declared == {"statutory_testing", "not_rd_related", "subcontracted", "publicly_funded"}
    assert "control" not in policy.related_party.grounds.value
    assert policy.related_party.shareholder_percent.value == 50


def test_jiangsu_asks_for_one_contract_and_one_rd_evidence_and_images_of_5_mb() -> None:
    needs = {need.kind: need for need in policy_of("jiangsu").evidence}
    assert [kind for kind, need in needs.items() if need.at_most == 1] == ["contract", "rd_evidence"]
    assert needs["invoice_image"].max_bytes == 5 * 1024 * 1024
    assert needs["contract"].max_bytes == 50 * 1024 * 1024
    assert needs["contract"].media_types == ("application/pdf",)
    assert [kind for kind, need in needs.items() if need.offline_only] == ["provider_qualification"]


def test_jiangsu_pays_monthly_within_2_months_and_matching_within_3() -> None:
    policy = policy_of("jiangsu")
    payout = policy.payout
    assert payout.rhythm is not None
    assert payout.within_months is not None
    assert payout.matching_due_months is not None
    assert (payout.rhythm.value, payout.within_months.value, payout.matching_due_months.value) == ("monthly", 2, 3)
    assert policy.publicity_days == 5
    assert policy.modes.value == ("common_use",)
    assert policy.review_chain == ("center",)
    assert policy.review.trust_list.value
    assert policy.reward is not None
    assert (policy.reward.rate.value, policy.reward.cap.value) == (Rate(5, 100), Money.parse("500000.00"))


def test_shanxi_pays_half_up_to_500_000_and_1_000_000_in_jinchuang_valley() -> None:
    policy = policy_of("shanxi-hainan")
    valley, other = policy.zone("140100", ("jinchuang_valley",)), policy.zone("140802", ())
    assert (valley.rate.value, valley.annual_cap.value) == (Rate(1, 2), Money.parse("1000000.00"))
    assert (other.rate.value, other.annual_cap.value) == (Rate(1, 2), Money.parse("500000.00"))
    assert policy.provider.divisions.value == ("14", "46")
    assert valley.provider_divisions is not None
    assert valley.provider_divisions.value == ("*",)


def test_shanxi_s_year_2024_closed_on_30_june_and_30_september_at_17_00() -> None:
    policy = policy_of("shanxi-hainan")
    (year,) = policy.quota_year.cut_offs
    assert year.year == 2024
    assert year.at == (datetime(2024, 6, 30, 17, tzinfo=SHANGHAI), datetime(2024, 9, 30, 17, tzinfo=SHANGHAI))
    assert (policy.quota_year.basis.value, policy.quota_year.starts.value) == ("invoice_date", "10-01")


def test_shanxi_names_no_subcontracting_and_sanctions_three_years() -> None:
    policy = policy_of("shanxi-hainan")
    declared = {each.code for each in policy.exclusions if each.declared}
    assert declared == {"statutory_testing", "not_rd_related", "publicly_funded"}
    assert "control" in policy.related_party.grounds.value
    assert policy.sanction_years.value == 3
    assert policy.review_chain == ("city", "province")
    assert policy.limits.budget_rule.value == "partial"
    assert [funder.share.value for funder in policy.funders] == [UNSET, UNSET]
    assert [kind.code for kind in policy.enterprise.types] == [
        "innovative_sme",
        "high_tech",
        "specialised_sme",
        "zone_resident",
    ]


@pytest.mark.parametrize(("tenant", "division"), PILOTS.items())
def test_a_pilot_region_inherits_the_delta_frame_with_its_rate_unset(tenant: str, division: str) -> None:
    policy = policy_of(tenant)
    assert policy.enterprise.divisions.value == (division,)
    zone = policy.zone(division.ljust(6, "0"), ())
    assert zone.rate.value is UNSET
    assert zone.annual_cap.value == Money.parse("300000.00")
    assert policy.effective_on == date(2021, 1, 9)
    assert policy.modes.value == ("common_use", "cross_redemption")
    assert policy.provider.divisions.value == ("31", "32", "33", "34")
    assert policy.provider.minimum_age_years.value == 2
    assert policy.review_chain == ("center", "authority")
    assert [item.code for item in policy.services] == [
        "technology_rd",
        "technology_transfer",
        "testing",
        "open_resources",
    ]


@pytest.mark.parametrize("document", load_demonstration(), ids=lambda each: each.policy.version)
def test_a_demonstration_pays_30_percent_up_to_300_000_and_says_that_it_is_not_law(document: PolicyDocument) -> None:
    policy = document.policy
    zone = policy.zone(policy.enterprise.divisions.value[0].ljust(6, "0"), ())
    assert (zone.rate.value, zone.annual_cap.value) == (Rate(30, 100), Money.parse("300000.00"))
    assert policy.demonstration
    assert policy.source == DEMONSTRATION_SOURCE
    assert zone.rate.cite == DEMONSTRATION_SOURCE
    assert policy.effective_on <= date(2024, 8, 29)


def test_effective_dates_that_no_source_states_are_marked() -> None:
    for tenant in ("jiangsu", "shanxi-hainan"):
        term: Term[date] = policy_of(tenant).effective
        assert term.value == date(2024, 1, 1)
        assert "来源未载明" in term.note
