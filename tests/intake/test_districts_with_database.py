"""A reviewer bound to a city sees and decides only its claims: in the use cases, and in the database itself."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from random import SystemRandom
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from clearing.claims import districts
from clearing.claims.records import ClaimView, view_claim
from clearing.claims.review import Decision, Reviewer, review
from clearing.demonstration.parties import Region, enterprise_in
from clearing.tenancy import qualifications
from clearing.tenancy.governing import Year, governed_year
from clearing.tenancy.proofs import Application
from clearing.tenancy.qualifications import QUALIFICATIONS, QualificationRow
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tenants.kernel.ids import new_id
from tests.intake.bodies import JIANGSU, buyer, claim
from tests.intake.counter import Counter

AT = datetime(2024, 10, 9, 3, tzinfo=UTC)
XUZHOU, NANJING = Region("320312", "徐州", 1), Region("320106", "南京", 1)


@pytest.fixture
def person(counter: Counter) -> str:
    """A reviewer of Xuzhou's bureau."""
    name = f"徐州-{new_id()}"
    given = {"person": name, "division": "320300", "ground": "徐科〔2024〕1号"}
    counter.do(lambda work: districts.bind(work, "管理员", "jiangsu", given), "jiangsu")
    return name


def claim_of(counter: Counter, region: Region) -> ClaimView:
    return counter.submit(claim(JIANGSU, by=enterprise_in(SystemRandom(), region)))


def within(counter: Counter, person: str | None, use_case: Callable[[Work], Any]) -> Any:
    return run(counter.app, Scope(("jiangsu",), person=person), FixedClock(AT), use_case)


def seen(counter: Counter, person: str, statement: str, ids: list[UUID]) -> list[Any]:
    """What the person's transaction sees."""
    found = within(counter, person, lambda work: work.connection.exec_driver_sql(statement, (ids,)).all())
    return [tuple(row) for row in found]


def test_a_bound_reviewer_sees_the_claims_of_the_own_city_and_what_hangs_on_them_only(
    counter: Counter, person: str
) -> None:
    own, other = claim_of(counter, XUZHOU), claim_of(counter, NANJING)
    assert within(counter, person, lambda work: view_claim(work.connection, own.row.id)).row.id == own.row.id
    with pytest.raises(NotFound):
        within(counter, person, lambda work: view_claim(work.connection, other.row.id))
    both = [own.row.id, other.row.id]
    for statement in (
        "select distinct claim_id from claim_revision where claim_id = any(%s)",
        "select distinct claim_id from assessment where claim_id = any(%s)",
    ):
        assert seen(counter, person, statement, both) == [(own.row.id,)]
    assert len(seen(counter, "他人", "select 1 from claim where id = any(%s)", both)) == 2


def test_a_bound_reviewer_decides_the_own_citys_claims_and_no_others(counter: Counter, person: str) -> None:
    own, other = claim_of(counter, XUZHOU), claim_of(counter, NANJING)
    with pytest.raises(Forbidden) as refused:
        counter.review(other, person=person)  # by a caller whose transaction is not bound
    assert refused.value.code == "decision.district"
    reviewer, decision = Reviewer(person, person, demonstration=True), Decision("center", "approve", None, None)
    with pytest.raises(NotFound):
        within(counter, person, lambda work: review(work, counter.vault, reviewer, other.row.id, decision))
    with pytest.raises(IntegrityError, match="decider's district"):
        within(counter, None, lambda work: work.connection.exec_driver_sql(
            "insert into review (tenant, id, claim_id, revision, stage, outcome, award_fen, reviewer, person, at) "
            "values ('jiangsu', %s, %s, 1, 'center', 'approve', 1, %s, %s, %s)",
            (new_id(), other.row.id, person, person, work.at),
        ))  # fmt: skip
    assert counter.review(own, person=person).row.state == "approved"


def test_a_bound_reviewer_sees_and_decides_the_own_citys_qualifications_and_no_others(
    counter: Counter, person: str
) -> None:
    own, other = (enterprise_in(SystemRandom(), region).uscc for region in (XUZHOU, NANJING))

    def applied(uscc: str, who: str, division: str | None = None) -> Callable[[Work], QualificationRow]:
        one = Application(uscc, "高企", "high_tech", issued_on=date(2023, 11, 2), division=division)
        return lambda work: qualifications.apply_for(work, who, year_of(work), one)

    for uscc in (own, other):
        assert within(counter, None, applied(uscc, "录入")).division == uscc[2:8]
    ids = [within(counter, None, partial(of, uscc)) for uscc in (own, other)]
    assert seen(counter, person, "select id from qualification where id = any(%s)", ids) == [(ids[0],)]
    with pytest.raises(NotFound):
        within(counter, person, decided(other, person))
    with pytest.raises(Forbidden) as refused:
        within(counter, None, decided(other, person))  # by a caller whose transaction is not bound
    assert refused.value.code == "decision.district"
    with pytest.raises(IntegrityError, match="decider's district"):
        within(counter, None, lambda work: work.connection.exec_driver_sql(
            "update qualification set state = 'admitted', decided_by = %s, decided_at = %s where id = %s",
            (person, work.at, ids[1]),
        ))  # fmt: skip
    with pytest.raises(Forbidden):
        within(counter, person, applied(other, person))
    assert within(counter, person, decided(own, person)).state == "admitted"
    assert within(counter, None, decided(other, "中心")).state == "admitted"


def test_an_enterprise_that_moved_is_of_the_city_that_its_application_names(counter: Counter, person: str) -> None:
    uscc = enterprise_in(SystemRandom(), NANJING).uscc
    moved = Application(uscc, "高企", "high_tech", issued_on=date(2023, 11, 2), division="320312")
    within(counter, None, lambda work: qualifications.apply_for(work, "录入", year_of(work), moved))
    assert within(counter, person, decided(uscc, person)).state == "admitted"
    with pytest.raises(Invalid) as refused:
        within(counter, None, lambda work: qualifications.apply_for(
            work, "录入", year_of(work), replace(moved, uscc=buyer().uscc, division="140802")
        ))  # fmt: skip
    assert [error.pointer for error in refused.value.errors] == ["/division"]


def year_of(work: Work) -> Year:
    return governed_year(work, "jiangsu", None, 2024, demonstration=True)


def of(uscc: str, work: Work) -> UUID:
    return QUALIFICATIONS.of_party(work.connection, year_of(work).scope, uscc)[0].id


def decided(uscc: str, who: str) -> Callable[[Work], QualificationRow]:
    return lambda work: qualifications.decide(work, who, year_of(work), uscc, "admit", None)


def test_a_binding_is_set_and_ended_by_another_person_and_then_binds_no_more(counter: Counter, person: str) -> None:
    [bound] = [
        one
        for one in counter.do(lambda work: districts.listed(work.connection, "jiangsu", {}, None, 1000), "jiangsu")
        if one.person == person
    ]
    given = {"person": "自己", "division": "320300", "ground": "x"}
    with pytest.raises(Forbidden):
        counter.do(lambda work: districts.bind(work, "自己", "jiangsu", given), "jiangsu")
    with pytest.raises(Forbidden):
        counter.do(lambda work: districts.end(work, person, "jiangsu", bound.id, "x"), "jiangsu")
    with pytest.raises(IntegrityError, match="ended_by_another"):
        counter.do(lambda work: work.connection.exec_driver_sql(
            "update reviewer_district set ended_by = person, ended_at = set_at, end_reason = 'x' where id = %s",
            (bound.id,),
        ), "jiangsu")  # fmt: skip
    other = claim_of(counter, NANJING)
    counter.do(lambda work: districts.end(work, "管理员", "jiangsu", bound.id, "调离"), "jiangsu")
    with pytest.raises(Conflict):
        counter.do(lambda work: districts.end(work, "管理员", "jiangsu", bound.id, "调离"), "jiangsu")
    assert counter.review(other, person=person).row.state == "approved"
