"""Linked regions that commit themselves: their own ratio, cap and types, from their day on, approved by another."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from clearing.tenancy import linkages
from clearing.tenancy.linkages import Commitment, Linkage
from settlement import ledger
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from tenants.kernel.money import Money
from tests.intake.counter import Counter, assessed, traces
from tests.intake.linking import link
from tests.intake.test_matching_and_reservations_with_database import xuzhou_claim

YEARS = iter(range(2041, 2060))
OWN = Commitment(
    None, 2040, "320300", ("tech_sme",), "7:4", Money.parse("80000.00"), date(2040, 1, 1), "徐科〔2040〕1号"
)


class Desk:
    """Who proposes and decides linkages of Jiangsu, at the beginning of a year of the test's own."""

    def __init__(self, app: Engine) -> None:
        self.app, self.year = app, next(YEARS)

    def commitment(self, **members: Any) -> Commitment:
        return replace(OWN, year=self.year, from_on=date(self.year, 1, 1), **members)

    def do(self, use_case: Callable[[Work], Any], *tenants: str, day: int = 1) -> Any:
        at = datetime(self.year, 1, day, 3, tzinfo=UTC)
        return run(self.app, Scope(tenants or ("jiangsu", "wujiang")), FixedClock(at), use_case)

    def propose(self, commitment: Commitment, tenant: str = "jiangsu", actor: str = "科技局") -> Linkage:
        made: Linkage = self.do(
            lambda work: linkages.propose(work, actor, tenant, "jiangsu", commitment, demonstration=True)
        )
        return made

    def decide(self, made: Linkage, outcome: str = "approve", actor: str = "统筹中心", **told: Any) -> Linkage:
        def use_case(work: Work) -> Linkage:
            return linkages.decide(work, actor, told.get("by", "jiangsu"), made.id, outcome, told.get("reason"))

        done: Linkage = self.do(use_case, day=told.get("day", 1))
        return done

    def seen(self, tenant: str) -> list[Linkage]:
        """What the tenant sees of the year."""
        found: list[Linkage] = self.do(
            lambda work: linkages.listed(work.connection, tenant, self.year, None, None, 9), tenant
        )
        return found


@pytest.fixture
def desk(app: Engine) -> Desk:
    return Desk(app)


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        call()
    return refused.value.code


def pointers(call: Callable[[], object]) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        call()
    return {(error.pointer, error.code) for error in refused.value.errors}


def test_a_region_that_committed_itself_matches_by_its_own_ratio_and_cap(counter: Counter, desk: Desk) -> None:
    link(counter, desk.year, {"320300": ["high_tech"]})
    desk.decide(desk.propose(desk.commitment()))
    first = counter.submit(body := xuzhou_claim(desk.year, "200000.00"))
    assert assessed(first)["matching"] == {"linked_region": "320300", "amount": "40000.00"}
    [said] = [entry for entry in traces(counter, first)[-1]["trace"] if entry["rule"] == "matching"]
    assert said["cite"] == "徐科〔2040〕1号；苏科规范〔2024〕2号 联动支持：苏北地区不低于7:3"
    assert (said["inputs"]["ratio"], said["inputs"]["cap"]) == ("4/7", "80000.00")
    second = counter.submit(xuzhou_claim(desk.year, "210000.00", body))
    assert second.row.matching_fen == 4_000_000
    account = ledger.matching_account("provincial", desk.year, "320300", first.row.enterprise_uscc)
    held = counter.do(lambda work: ledger.sums_of(work.connection, "jiangsu", account), "jiangsu")
    assert (str(held.taken), str(held.limit)) == ("80000.00", "80000.00")


def test_a_lowered_award_lowers_the_matching_by_the_regions_own_ratio(counter: Counter, desk: Desk) -> None:
    desk.decide(desk.propose(desk.commitment()))
    one = counter.submit(xuzhou_claim(desk.year, "200000.00"))
    lowered = counter.review(one, award="7000.01", reason="部分不符")
    assert lowered.row.matching_fen == 400_000


def test_a_commitment_counts_from_its_day_on_and_the_latest_counts(counter: Counter, desk: Desk) -> None:
    link(counter, desk.year, {"320300": ["tech_sme"]})
    later = replace(desk.commitment(), from_on=date(desk.year, 8, 30))
    desk.decide(desk.propose(later))
    assert counter.submit(xuzhou_claim(desk.year, "20000.00")).row.matching_fen == 300_000  # of 29 August
    desk.decide(desk.propose(replace(later, provincial_to_local="1:1", from_on=date(desk.year, 8, 29))))
    assert counter.submit(xuzhou_claim(desk.year, "20000.00")).row.matching_fen == 700_000


def test_nothing_counts_that_nobody_approved(counter: Counter, desk: Desk) -> None:
    made = desk.propose(desk.commitment())
    other = desk.decide(desk.propose(desk.commitment()), "reject", reason="缺公章")
    assert (made.state, other.state, other.reason) == ("proposed", "rejected", "缺公章")
    assert counter.submit(xuzhou_claim(desk.year, "20000.00")).row.matching_fen == 0


def test_a_region_never_matches_less_than_the_policy_asks_for(desk: Desk) -> None:
    below = desk.commitment(provincial_to_local="7:2", cap=Money.parse("59999.99"), types=("tech_sme", "zone_resident"))
    assert pointers(lambda: desk.propose(below)) == {
        ("/types", "type.unknown"), ("/provincial_to_local", "linkage.below_policy"), ("/cap", "linkage.below_policy"),
    }  # fmt: skip
    past = replace(desk.commitment(division="110108"), from_on=date(desk.year - 1, 12, 31))
    assert ("/division", "division.elsewhere") in pointers(lambda: desk.propose(past))
    assert ("/from_on", "linkage.backwards") in pointers(lambda: desk.propose(past))


def test_a_region_never_commits_itself_to_more_than_is_left_of_the_base(desk: Desk) -> None:
    assert desk.propose(desk.commitment(provincial_to_local="35:65")).state == "proposed"
    above = desk.commitment(provincial_to_local="35:66")
    assert pointers(lambda: desk.propose(above)) == {("/provincial_to_local", "linkage.above_base")}


def test_a_tenants_division_is_committed_by_its_own_administrators(desk: Desk) -> None:
    own = desk.commitment(division="320509", provincial_to_local="1:2", cap=Money.parse("200000.00"))
    assert code_of(lambda: desk.propose(own)) == "linkage.own_tenant"
    assert code_of(lambda: desk.propose(desk.commitment(), "wujiang")) == "linkage.own_tenant"
    made = desk.propose(own, "wujiang")
    assert (made.tenant, made.linked) == ("jiangsu", "wujiang")
    assert code_of(lambda: desk.decide(made, by="wujiang")) == "not_found"
    assert desk.decide(made).state == "approved"
    for side in ("jiangsu", "wujiang"):
        seen = desk.seen(side)
        told = desk.do(
            lambda work: work.connection.exec_driver_sql(
                "select action from audit_entry where subject_id = %s order by seq", (made.id,)
            ).scalars().all(),
            side,
        )  # fmt: skip
        assert ([one.id for one in seen], told) == ([made.id], ["linkage.proposed", "linkage.approved"])
    assert desk.seen("qingpu") == []


def test_who_proposed_does_not_decide_and_a_decision_stands(desk: Desk) -> None:
    made = desk.propose(desk.commitment())
    with pytest.raises(Forbidden):
        desk.decide(made, actor="科技局")
    with pytest.raises(Invalid):
        desk.decide(made, "reject")
    with pytest.raises(Conflict) as late:
        desk.decide(made, day=2)
    assert late.value.code == "linkage.backwards"
    assert desk.decide(made) == desk.decide(made)
    assert code_of(lambda: desk.decide(made, "reject", reason="再议")) == "linkage.state"
    assert code_of(lambda: desk.decide(desk.propose(desk.commitment()))) == "linkage.same_day"
    with pytest.raises(NotFound):
        desk.do(lambda work: linkages.view(work.connection, "qingpu", made.id), "qingpu")


def test_the_database_itself_refuses_what_two_people_did_not_agree(desk: Desk) -> None:
    made = desk.propose(desk.commitment())

    def change(statement: str, *values: Any) -> Callable[[], object]:
        return lambda: desk.do(lambda work: work.connection.exec_driver_sql(statement, values))

    decide = "update linkage set state = 'approved', decided_by = %s, decided_at = %s where id = %s"
    at = datetime(desk.year, 1, 1, 3, tzinfo=UTC)
    with pytest.raises(IntegrityError, match="linkage_four_eyes"):
        change(decide, "科技局", at, made.id)()
    with pytest.raises(IntegrityError, match="linkage_not_backwards"):
        change(decide, "统筹中心", datetime(desk.year, 2, 1, tzinfo=UTC), made.id)()
    with pytest.raises(DBAPIError, match="permission denied"):
        change("update linkage set cap_fen = 1 where id = %s", made.id)()
    stolen = "insert into linkage select (jsonb_populate_record(l, %s::jsonb)).* from linkage l where id = %s"
    with pytest.raises(IntegrityError, match="proposed by who governs"):
        change(stolen, '{"id": "01900000-0000-7000-8000-00000000abcd", "division": "320509"}', made.id)()
    desk.decide(made)
    with pytest.raises(DBAPIError, match="decided once"):
        change("update linkage set reason = 'x' where id = %s", made.id)()
