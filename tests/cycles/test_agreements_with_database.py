"""Agreements on the real database: proposed, approved and accepted by three people, dated, never changed after."""

from datetime import date, timedelta
from typing import Any

import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError

from settlement.agreements.agreement import in_force
from settlement.agreements.agreement_steps import refuse
from settlement.batches.batch_steps import CutOrder, cut
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, transaction
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tests.cycles.regions import AGENT, AGREED, Regions
from tests.settlement_service.bench import CUT, MAKER, OVER, Bench, shanghai


def code_of(call: object) -> str:
    with pytest.raises((Conflict, Forbidden, Invalid, NotFound)) as refused:
        call()  # type: ignore[operator]
    return refused.value.code


def test_an_agreement_takes_three_people_of_two_sides(regions: Regions) -> None:
    a, b, _ = regions.tenants
    made = regions.propose(a, b)
    assert code_of(lambda: regions.agree(a, made.id, "proposer")) == "agreement.four_eyes"
    assert regions.agree(a, made.id, "approver").state == "proposed"
    assert code_of(lambda: regions.agree(b, made.id, "approver")) == "agreement.four_eyes"
    assert code_of(lambda: regions.agree(a, made.id, "somebody")) == "agreement.state"
    assert regions.agree(b, made.id, "accepter").state == "approved"
    assert regions.agree(b, made.id, "accepter").state == "approved"
    assert code_of(lambda: regions.agree(b, made.id, "late")) == "agreement.state"
    for side in (a, b):
        actions = regions.rows(
            "select action, body::json ->> 'actor' from audit_entry where tenant = %s and action like 'agreement.%%' "
            "order by seq", side,
        )  # fmt: skip
        assert [tuple(row) for row in actions] == [
            ("agreement.proposed", "proposer"), ("agreement.approved", "approver"), ("agreement.accepted", "accepter"),
        ]  # fmt: skip


def test_the_other_side_may_agree_first_and_either_side_may_refuse(regions: Regions) -> None:
    a, b, c = regions.tenants
    made = regions.propose(a, b)
    assert regions.agree(b, made.id, "accepter").state == "proposed"
    assert regions.agree(a, made.id, "approver").state == "approved"
    other = regions.propose(a, c)
    refused = regions.do(lambda k: refuse(k, c, other.id, "条件未谈妥", "accepter", AGREED))
    assert refused.state == "refused"
    assert code_of(lambda: regions.agree(a, other.id, "approver")) == "agreement.state"


def test_a_third_region_neither_sees_nor_decides_an_agreement(regions: Regions) -> None:
    a, b, c = regions.tenants
    made = regions.agreed(a, b)
    assert code_of(lambda: regions.agree(c, made.id, "stranger")) == "not_found"
    with transaction(regions.app, Scope((c,)), _clock()) as work:
        assert work.connection.exec_driver_sql("select count(*) from agreement").scalar_one() == 0


def _clock() -> FixedClock:
    return FixedClock(OVER)


def test_the_latest_agreement_not_after_the_day_is_in_force_whoever_proposed_it(regions: Regions) -> None:
    a, b, _ = regions.tenants
    first = regions.agreed(a, b)
    later = shanghai_day(AGREED) + timedelta(days=30)
    second = regions.agreed(b, a, "direct", effective_on=later)

    def forms(side: str, on: date) -> dict[str, str]:
        found = regions.do(lambda c: in_force(c, side, on))
        return {other: agreement.form for other, agreement in found.items()}

    for side, other in ((a, b), (b, a)):
        assert forms(side, shanghai_day(AGREED) - timedelta(days=1)) == {}
        assert forms(side, shanghai_day(AGREED)) == {other: "home_region"}
        assert forms(side, later) == {other: "direct"}
    assert first.id != second.id


def test_two_agreements_of_a_pair_never_take_effect_on_one_day(regions: Regions) -> None:
    a, b, _ = regions.tenants
    one, other = regions.propose(a, b), regions.propose(b, a, "direct")
    for made, first, second in ((one, a, b), (other, b, a)):
        regions.agree(first, made.id, "approver")
        if made is one:
            regions.agree(second, made.id, "accepter")
    assert code_of(lambda: regions.agree(a, other.id, "accepter")) == "agreement.same_day"
    with pytest.raises(DBAPIError, match="agreement_in_force"):
        regions.rows(
            "update agreement set state = 'approved', accepted_by = 'x', accepted_at = approved_at where id = %s "
            "returning id", other.id,
        )  # fmt: skip


def test_an_agreement_is_never_effective_before_both_have_agreed(regions: Regions) -> None:
    a, b, _ = regions.tenants
    assert code_of(lambda: regions.propose(a, b, effective_on=date(2024, 1, 1))) == "input.invalid"
    made = regions.propose(a, b)
    regions.agree(a, made.id, "approver")
    assert code_of(lambda: regions.agree(b, made.id, "accepter", CUT)) == "agreement.retroactive"
    with pytest.raises(DBAPIError, match="agreement_not_backwards"):
        regions.rows(
            "update agreement set state = 'approved', accepted_by = 'x', accepted_at = %s where id = %s returning id",
            CUT, made.id,
        )  # fmt: skip


@pytest.mark.parametrize(
    "change", ["form = 'direct'", "effective_on = '2030-01-01'", "approved_by = 'x'", "state = 'refused'"]
)
def test_what_was_agreed_never_changes(regions: Regions, change: str) -> None:
    a, b, _ = regions.tenants
    made = regions.agreed(a, b)
    with pytest.raises(DBAPIError) as refused:
        regions.rows(f"update agreement set {change} where id = %s returning id", made.id)  # noqa: S608 - our own
    assert isinstance(refused.value.orig, pg.InsufficientPrivilege)


FAULTY: dict[str, dict[str, Any]] = {
    "/counterparty": {"other": "atlantis"},
    "/form": {"other": "310000"},
    "/agent": {"agent": AGENT},
    "/exposure_approver": {"exposure_limit": Money(1)},
    "/exposure_limit": {"form": "direct", "exposure_limit": Money(1), "exposure_approver": "x"},
}


@pytest.mark.parametrize("pointer", FAULTY)
def test_a_proposal_with_a_fault_is_refused_with_its_place(regions: Regions, pointer: str) -> None:
    given = dict(FAULTY[pointer])
    other = str(given.pop("other", regions.tenants[1]))
    with pytest.raises(Invalid) as refused:
        regions.propose(regions.tenants[0], other, **given)
    assert pointer in [fault.pointer for fault in refused.value.errors]


def test_an_outside_region_consents_on_paper_and_its_own_side_approves(regions: Regions) -> None:
    a = regions.tenants[0]
    made = regions.agreed(a, "310000", "agent")
    assert (made.state, made.partner, made.agent_account_tail) == ("approved", None, "****3333")


def cut_for(regions: Regions, counterparty: str | None) -> list[int]:
    a = regions.tenants[0]
    order = CutOrder(a, "provincial", "cross_redemption", CUT, counterparty=counterparty)
    batch = regions.do(lambda c: cut(c, order, MAKER, CUT))
    rows = regions.rows("select amount_fen from batch_item where batch_id = %s order by amount_fen", batch.id)
    return [fen for (fen,) in rows]


def test_a_cut_takes_exactly_the_providers_that_are_paid_that_way(regions: Regions) -> None:
    a, b, c = regions.tenants
    regions.agreed(a, b)
    regions.agreed(a, "310000", "agent")
    bench = regions.bench(a)
    for fen, division in enumerate(
        (regions.divisions[a], regions.divisions[b], regions.divisions[c], "310104", None, "330100"), 1
    ):
        bench.provider_division = division
        bench.approve(f"0.0{fen}", mode="cross_redemption")
    assert cut_for(regions, b) == [2]
    assert cut_for(regions, "310000") == [4]
    assert code_of(lambda: cut_for(regions, c)) == "agreement.none"
    assert cut_for(regions, None) == [1, 3, 5, 6]


def test_a_batch_by_an_agreement_that_is_not_its_own_is_refused_by_the_database(regions: Regions) -> None:
    a, b, c = regions.tenants
    foreign = regions.agreed(b, c)
    bench: Bench = regions.bench(a)
    batch = bench.cut(mode="cross_redemption")
    for agreement_id in (foreign.id, new_id()):
        with pytest.raises(DBAPIError, match="goes by no agreement"):
            bench.change(
                "update batch set form = 'home_region', counterparty = %s, agreement_id = %s where id = %s",
                b, agreement_id, batch.id,
            )  # fmt: skip


def test_before_the_day_of_its_effect_an_agreement_is_none(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, effective_on=shanghai("2024-12-01").date())
    assert code_of(lambda: cut_for(regions, b)) == "agreement.none"
