"""Who may apply and who may be paid for: entered by one person, decided by another, to the exact day."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.tenancy import admissions, qualifications, trust_lists
from clearing.tenancy.admissions import AdmissionRow, Decision, Entry, Proof
from clearing.tenancy.governing import governed_year, governing_policy
from clearing.tenancy.proofs import Application, ProofDocument
from clearing.tenancy.qualifications import QualificationRow
from clearing.tenancy.trust_lists import Listing
from tenants.kernel.clock import SHANGHAI, FixedClock, shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict, Forbidden, Invalid
from tenants.policy import Policy, Term
from tests.intake.bodies import Body, Programme, buyer, claim, seller
from tests.intake.counter import Counter, codes
from tests.intake.own_tenant import own_programme

CITE = "沪科合〔2020〕31号 三（一）"


def strict(policy: Policy) -> Policy:
    """Jiangsu's policy, with the list of qualifications kept here."""
    return replace(policy, enterprise=replace(policy.enterprise, requires_qualification=Term(value=True, cite=CITE)))


@dataclass(frozen=True)
class Desk:
    """One tenant's desk on a given day."""

    counter: Counter
    programme: Programme

    def do(self, use_case: Callable[[Work], object], on: date) -> object:
        at = datetime.combine(on, time(10), SHANGHAI)
        return run(self.counter.app, Scope((self.programme.tenant,)), FixedClock(at), use_case)

    def apply(self, application: Application, *, by: str = "录入", on: date = date(2024, 3, 1)) -> QualificationRow:
        def use_case(work: Work) -> QualificationRow:
            year = governed_year(work, self.programme.tenant, None, 2024, demonstration=False)
            return qualifications.apply_for(work, by, year, application)

        row = self.do(use_case, on)
        assert isinstance(row, QualificationRow)
        return row

    def decide(self, uscc: str, outcome: str, *, by: str = "审核", on: date = date(2024, 3, 4)) -> QualificationRow:
        def use_case(work: Work) -> QualificationRow:
            year = governed_year(work, self.programme.tenant, None, 2024, demonstration=False)
            return qualifications.decide(work, by, year, uscc, outcome, None if outcome == "admit" else "已核")

        row = self.do(use_case, on)
        assert isinstance(row, QualificationRow)
        return row

    def enter(self, entry: Entry, *, by: str = "录入", on: date = date(2024, 3, 1)) -> AdmissionRow:
        row = self.do(lambda work: admissions.enter(work, by, self.policy(work), entry), on)
        assert isinstance(row, AdmissionRow)
        return row

    def settle(self, uscc: str, decision: Decision, *, by: str = "审核", on: date = date(2024, 3, 4)) -> AdmissionRow:
        row = self.do(lambda work: admissions.decide(work, by, self.policy(work), uscc, decision), on)
        assert isinstance(row, AdmissionRow)
        return row

    def policy(self, work: Work) -> Policy:
        on = shanghai_day(work.at)
        return governing_policy(work, self.programme.tenant, None, on, demonstration=False)

    def state_of(self, body: Body) -> tuple[str, set[str]]:
        """State and codes of a claim that is taken in."""
        view = self.counter.submit(body, "jssic")
        return view.row.state, codes(view)


@pytest.fixture(scope="module")
def programme(owner: Engine, app: Engine) -> Programme:
    return own_programme(owner, app, strict)


@pytest.fixture
def desk(counter: Counter, programme: Programme) -> Desk:
    return Desk(counter, programme)


def high_tech(body: Body, issued_on: str = "2023-11-02") -> Body:
    body["enterprise"] |= {"types": ["high_tech"], "type_proofs": {"high_tech": {"issued_on": issued_on}}}
    return body


def company(body: Body, **proof: str) -> Body:
    """The claim's provider as a testing company of that kind's needs."""
    body["provider"] |= {"kind": "company", "established_on": "2015-03-01"}
    body["provider"]["qualifications"] = [{"kind": "CMA", "valid_through": proof.get("valid_through", "2099-12-31")}]
    return body


def cma_company(uscc: str, valid_through: date = date(2026, 5, 31), **members: Any) -> Entry:
    entry = Entry(
        uscc, "检测公司", "320100", "company", date(2015, 3, 1), proofs=(Proof("CMA", valid_through, "2312"),)
    )
    return replace(entry, **members)


# ------------------------------------------------------------------------------------------------ qualifications


def test_s2_a_technology_sme_is_admitted_at_once_with_the_number_of_the_year(desk: Desk) -> None:
    row = desk.apply(Application(buyer().uscc, "科小", "tech_sme", number="202432011500000001"))
    assert (row.state, row.at_once, row.from_on, row.through_on) == (
        "admitted", True, date(2024, 3, 1), date(2024, 12, 31),
    )  # fmt: skip


@pytest.mark.parametrize("number", ["202332011500000001", "2024320115", "２０２４32011500000001", None])
def test_s2_a_registry_number_of_another_year_admits_nobody(desk: Desk, number: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        desk.apply(Application(buyer().uscc, "科小", "tech_sme", number=number))
    assert [(f.pointer, f.code) for f in refused.value.errors] == [("/number", "proof.number_of_year")]


def test_s2_the_other_types_wait_for_review_and_claims_before_it_are_refused(desk: Desk) -> None:
    party = buyer(desk.programme)
    row = desk.apply(Application(party.uscc, party.name, "high_tech", issued_on=date(2023, 11, 2)))
    assert (row.state, row.decided_by) == ("applied", None)
    assert desk.state_of(high_tech(claim(desk.programme, by=party))) == ("rejected", {"enterprise.qualification"})
    desk.decide(party.uscc, "admit")
    assert desk.state_of(high_tech(claim(desk.programme, by=party))) == ("in_review", set())


def test_who_entered_a_qualification_never_decides_it_and_the_database_refuses_it_too(desk: Desk) -> None:
    uscc = buyer().uscc
    row = desk.apply(Application(uscc, "高企", "high_tech", issued_on=date(2023, 11, 2)), by="李")
    with pytest.raises(Forbidden) as refused:
        desk.decide(uscc, "admit", by="李")
    assert refused.value.code == "qualification.four_eyes"
    with pytest.raises(DBAPIError, match="qualification_four_eyes"):
        desk.do(
            lambda work: work.connection.exec_driver_sql(
                "update qualification set state = 'admitted', decided_by = '李', decided_at = %s where id = %s",
                (work.at, row.id),
            ),
            date(2024, 3, 4),
        )


def test_a_certificate_that_runs_out_in_the_year_ends_the_qualification_on_its_exact_day(desk: Desk) -> None:
    party = buyer(desk.programme)
    desk.apply(Application(party.uscc, party.name, "high_tech", issued_on=date(2021, 8, 30)))
    assert desk.decide(party.uscc, "admit").through_on == date(2024, 8, 29)
    last = high_tech(claim(desk.programme, by=party, on=date(2024, 8, 29)), "2023-11-02")
    after = high_tech(claim(desk.programme, by=party, on=date(2024, 8, 30)), "2023-11-02")
    assert desk.state_of(last)[0] == "in_review"
    assert desk.state_of(after) == ("rejected", {"enterprise.qualification"})


def test_s2_a_certificate_of_august_2021_serves_in_august_2024_and_not_a_day_longer(desk: Desk) -> None:
    issued_on = date(2021, 8, 15)
    desk.apply(Application(buyer().uscc, "高企", "high_tech", issued_on=issued_on), on=date(2024, 8, 14))
    with pytest.raises(Invalid) as refused:
        desk.apply(Application(buyer().uscc, "高企", "high_tech", issued_on=issued_on), on=date(2024, 8, 15))
    assert refused.value.errors[0].code == "proof.certificate_lapsed"


def test_a_qualification_never_begins_after_its_certificate_has_ended(desk: Desk) -> None:
    one = Application(buyer().uscc, "高企", "high_tech", issued_on=date(2021, 8, 30), from_on=date(2024, 8, 30))
    with pytest.raises(Invalid) as refused:
        desk.apply(one)
    assert [(f.pointer, f.code) for f in refused.value.errors] == [("/from_on", "from_on.after_certificate")]
    assert desk.apply(replace(one, from_on=date(2024, 8, 29))).through_on == date(2024, 8, 29)


def test_an_incubated_or_talent_enterprise_applies_with_all_of_its_documents(desk: Desk) -> None:
    selection = ProofDocument("talent_selection_proof", "a" * 64)
    with pytest.raises(Invalid) as refused:
        desk.apply(Application(buyer().uscc, "人才", "talent", documents=(selection,)))
    assert "talent_relation_proof" in refused.value.errors[0].message.zh
    both = (selection, ProofDocument("talent_relation_proof", "b" * 64))
    assert desk.apply(Application(buyer().uscc, "人才", "talent", documents=both)).state == "applied"


def test_a_withdrawn_qualification_stops_claims_from_its_day_and_needs_review_from_then_on(desk: Desk) -> None:
    party = buyer(desk.programme)
    number = Application(party.uscc, party.name, "tech_sme", number="202432011500000001")
    desk.apply(number)
    desk.decide(party.uscc, "withdraw", on=date(2024, 8, 20))
    before, after = (claim(desk.programme, by=party, on=date(2024, 8, day)) for day in (19, 20))
    assert desk.state_of(before)[0] == "in_review"
    assert desk.state_of(after) == ("rejected", {"enterprise.qualification"})
    again = desk.apply(number, on=date(2024, 8, 21))
    assert (again.state, again.at_once) == ("applied", False)


def test_the_same_application_again_changes_nothing_and_another_is_refused_while_it_stands(desk: Desk) -> None:
    uscc = buyer().uscc
    first = desk.apply(Application(uscc, "科小", "tech_sme", number="202432011500000001"))
    assert desk.apply(Application(uscc, "科小", "tech_sme", number="202432011500000001"), by="他人") == first
    with pytest.raises(Conflict) as refused:
        desk.apply(Application(uscc, "科小", "tech_sme", number="202432011500000002"))
    assert refused.value.code == "qualification.admitted"


def test_a_refused_enterprise_may_apply_again_in_a_row_of_its_own(desk: Desk, counter: Counter) -> None:
    uscc = buyer().uscc
    application = Application(uscc, "高企", "high_tech", issued_on=date(2023, 11, 2))
    desk.apply(application)
    desk.decide(uscc, "refuse")
    desk.apply(application)
    desk.decide(uscc, "admit")
    found = counter.rows(
        "select state from qualification where uscc = %s order by id", uscc, tenants=[desk.programme.tenant]
    )
    assert [state for (state,) in found] == ["refused", "admitted"]


# ------------------------------------------------------------------------------------------------------- admissions


def test_s1_a_university_is_admitted_directly_and_a_cma_company_after_review_and_publicity(desk: Desk) -> None:
    direct = desk.enter(Entry(seller().uscc, "大学", "320100", "university"))
    assert (direct.state, direct.direct, direct.through_on) == ("admitted", True, None)
    uscc = seller().uscc
    assert desk.enter(cma_company(uscc)).state == "applied"
    admitted = desk.settle(uscc, Decision("admit"), on=date(2024, 9, 27))
    assert (admitted.publicity_through_on, admitted.from_on) == (date(2024, 10, 10), date(2024, 10, 11))


def test_an_admission_counts_from_the_day_after_its_notice_and_through_its_last_day(desk: Desk) -> None:
    provider = seller(desk.programme)
    desk.enter(cma_company(provider.uscc, date(2024, 8, 29)))
    desk.settle(provider.uscc, Decision("admit"), on=date(2024, 8, 20))
    states = []
    for day in (27, 28, 29, 30):
        body = company(claim(desk.programme, to=provider, on=date(2024, 8, day)))
        body["services"][0]["completed_on"] = "2024-08-01"
        states.append(desk.state_of(body)[0])
    assert states == ["rejected", "in_review", "in_review", "rejected"]


def test_the_directorys_certificate_goes_before_the_one_that_is_stated(desk: Desk) -> None:
    provider = seller(desk.programme)
    desk.enter(cma_company(provider.uscc, date(2024, 7, 30), through_on=date(2024, 12, 31)))
    desk.settle(provider.uscc, Decision("admit"))
    last = company(claim(desk.programme, to=provider))
    last["services"][0]["completed_on"] = "2024-07-30"
    late = company(claim(desk.programme, to=provider))
    late["services"][0]["completed_on"] = "2024-07-31"
    assert desk.state_of(last)[0] == "in_review"
    assert desk.state_of(late) == ("rejected", {"provider.admission"})


def test_s1_a_provider_that_had_to_leave_is_refused_from_that_day_and_never_admitted_directly_again(desk: Desk) -> None:
    provider = seller(desk.programme)
    entry = Entry(provider.uscc, provider.name, "320100", "university")
    desk.enter(entry)
    desk.settle(provider.uscc, Decision("exit", "骗取资金", "fraud"), on=date(2024, 8, 29))
    assert desk.state_of(claim(desk.programme, to=provider, on=date(2024, 8, 28)))[0] == "in_review"
    assert desk.state_of(claim(desk.programme, to=provider)) == ("rejected", {"provider.admission"})
    assert desk.enter(entry, on=date(2024, 9, 1)).state == "applied"
    assert desk.state_of(claim(desk.programme, to=provider))[0] == "rejected"


def test_an_order_off_the_platform_with_a_provider_that_is_on_it_goes_back(desk: Desk) -> None:
    provider = seller(desk.programme)
    desk.enter(Entry(provider.uscc, provider.name, "320100", "university", on_platform=True))
    body = claim(desk.programme, to=provider)
    body["provider"]["on_platform"] = False
    assert desk.state_of(body) == ("needs_correction", {"provider.admission"})


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"established_on": date(2022, 3, 2)}, "/established_on", "provider.too_young"),
        ({"established_on": None}, "/established_on", "provider.age_unknown"),
        ({"proofs": ()}, "/qualifications", "provider.qualification"),
        ({"proofs": (Proof("CMA", date(2024, 2, 29)),)}, "/qualifications", "provider.qualification"),
        ({"through_on": date(2024, 2, 29)}, "/through_on", "through_on.before_from_on"),
    ],
)
def test_s1_a_reviewed_provider_needs_two_years_and_a_valid_certificate(
    desk: Desk, members: dict[str, Any], pointer: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        desk.enter(cma_company(seller().uscc, **members))
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]


def test_a_provider_founded_two_years_ago_to_the_day_may_apply(desk: Desk) -> None:
    assert desk.enter(cma_company(seller().uscc, established_on=date(2022, 3, 1))).state == "applied"


def test_a_renewed_certificate_is_a_new_row_beside_the_one_that_stands(desk: Desk, counter: Counter) -> None:
    provider = seller(desk.programme)
    desk.enter(cma_company(provider.uscc, date(2024, 12, 31)))
    desk.settle(provider.uscc, Decision("admit"))
    desk.enter(cma_company(provider.uscc, date(2027, 12, 31)), on=date(2024, 8, 1))
    assert desk.state_of(company(claim(desk.programme, to=provider)))[0] == "in_review"
    statement = "select state, through_on from admission where uscc = %s order by id"
    found = [tuple(row) for row in counter.rows(statement, provider.uscc, tenants=[desk.programme.tenant])]
    assert found == [("admitted", date(2024, 12, 31)), ("applied", date(2027, 12, 31))]


def test_who_entered_a_provider_neither_admits_nor_removes_it(desk: Desk) -> None:
    uscc = seller().uscc
    desk.enter(cma_company(uscc), by="李")
    with pytest.raises(Forbidden):
        desk.settle(uscc, Decision("admit"), by="李")
    direct = seller().uscc
    desk.enter(Entry(direct, "大学", "320100", "university"), by="李")
    with pytest.raises(Forbidden):
        desk.settle(direct, Decision("exit", "投诉", "complaints"), by="李")


def test_a_notice_that_would_end_on_a_provisional_day_admits_nobody(desk: Desk) -> None:
    uscc = seller().uscc
    desk.enter(cma_company(uscc, date(2030, 1, 1)))
    with pytest.raises(Conflict) as refused:
        desk.settle(uscc, Decision("admit"), on=date(2026, 12, 30))
    assert refused.value.code == "publicity.provisional"


# ------------------------------------------------------------------------------------------------------- trust list


def test_a_trust_list_counts_once_another_person_has_approved_it(desk: Desk) -> None:
    provider = seller(desk.programme)
    listing = Listing(provider.uscc, provider.name, date(2024, 8, 1), date(2024, 8, 29))
    tenant = desk.programme.tenant
    propose = partial(trust_lists.propose, actor="甲", tenant=tenant, cite="服务承诺制", listings=[listing])
    version = desk.do(lambda work: propose(work).version, date(2024, 8, 1))
    assert desk.state_of(claim(desk.programme, to=provider))[0] == "in_review"

    def decide(by: str) -> object:
        assert isinstance(version, int)
        return desk.do(lambda work: trust_lists.decide(work, by, tenant, version, "approve", None), date(2024, 8, 2))

    with pytest.raises(Forbidden):
        decide("甲")
    decide("乙")
    assert desk.state_of(claim(desk.programme, to=provider))[0] == "approved"
    assert desk.state_of(claim(desk.programme, to=provider, on=date(2024, 8, 30)))[0] == "in_review"


def test_a_new_list_takes_the_place_of_the_old_one_whole(desk: Desk) -> None:
    tenant, first, second = desk.programme.tenant, seller(desk.programme), seller(desk.programme)
    for provider in (first, second):
        listing = Listing(provider.uscc, provider.name, date(2024, 1, 1), date(2024, 12, 31))

        def use_case(work: Work, listing: Listing = listing) -> None:
            made = trust_lists.propose(work, "甲", tenant, "服务承诺制", [listing])
            trust_lists.decide(work, "乙", tenant, made.version, "approve", None)

        desk.do(use_case, date(2024, 8, 1))
    assert desk.state_of(claim(desk.programme, to=first))[0] == "in_review"
    assert desk.state_of(claim(desk.programme, to=second))[0] == "approved"
