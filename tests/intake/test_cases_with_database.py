"""The register of suspected duplicates: opened with a hold or a collision, seen from both sides, decided once."""

from typing import Any

import pytest

from clearing.claims.records import ClaimView
from tenants.kernel.errors import Conflict, Forbidden, NotFound
from tests.intake.bodies import JIANGSU, WUJIANG, Body, claim
from tests.intake.counter import Counter, award, codes, open_holds
from tests.intake.test_support_records_with_database import invoice_key, record, wujiang_body


def stranger(first: Body, programme: Any = JIANGSU) -> Body:
    """Another enterprise's claim on the first one's invoice."""
    body = claim(programme)
    body["invoices"][0]["number"] = first["invoices"][0]["number"]
    return body


def held(counter: Counter, programme: Any = JIANGSU, platform: str | None = None) -> tuple[ClaimView, ClaimView]:
    """A claim, and one of another enterprise that waits because of it."""
    body = claim()
    first = counter.submit(body)
    second = counter.submit(stranger(body, programme), platform)
    assert open_holds(second) == {"duplicate.foreign_invoice"}
    return first, second


def test_a_duplicate_hold_opens_a_case_that_both_sides_see_each_from_its_own(counter: Counter) -> None:
    first, second = held(counter, WUJIANG)
    [mine] = counter.cases("wujiang", second)
    [theirs] = counter.cases("jiangsu", first)
    assert mine["id"] == theirs["id"]
    assert (mine["tenant"], mine["side"], mine["waits"]) == ("wujiang", "later", True)
    assert (theirs["tenant"], theirs["side"], theirs["waits"]) == ("jiangsu", "earlier", False)
    assert mine["subject"]["id"] == theirs["other_side"]["reference"] == str(second.row.id)
    assert mine["other_side"] == {"platform": "jssic", "month": "2024-08", "reference": str(first.row.id)}
    assert (mine["state"], mine["due_on"], mine["code"]) == ("open", "2024-09-13", "duplicate.foreign_invoice")


def test_no_other_tenant_sees_a_case(counter: Counter) -> None:
    first, _ = held(counter)
    assert counter.cases("shanxi-hainan", first) == []
    [case] = counter.cases("jiangsu", first)
    with pytest.raises(NotFound):
        counter.decide(case, "distinct", ("shanxi-hainan",))


def test_both_chains_tell_of_the_opening_and_neither_who_the_other_is(counter: Counter) -> None:
    first, second = held(counter, WUJIANG)
    [case] = counter.cases("wujiang", second)
    told = dict(
        counter.rows(
            "select tenant, body from audit_entry where subject_id = %s and action = 'case.opened'", case["id"]
        )
    )
    assert set(told) == {"jiangsu", "wujiang"}
    assert '"actor":"other-side"' in told["jiangsu"]
    for secret in (second.row.claim_no, second.row.enterprise_uscc, "wujiang"):
        assert secret not in told["jiangsu"]
    for secret in (first.row.claim_no, first.row.enterprise_uscc, "jiangsu"):
        assert secret not in told["wujiang"]


def test_giving_up_the_later_side_rejects_its_claim(counter: Counter) -> None:
    first, second = held(counter)
    [case] = counter.cases("jiangsu", second)
    decided = counter.decide(case, "earlier_stands")
    assert (decided["state"], decided["outcome"], decided["resolved_by"]) == (
        "resolved", "earlier_stands", "case-reviewer",
    )  # fmt: skip
    assert (counter.view(second).row.state, counter.view(first).row.state) == ("rejected", "in_review")


def test_giving_up_the_earlier_side_rejects_it_and_lets_the_later_go_on_with_its_fen(counter: Counter) -> None:
    first, second = held(counter)
    [case] = counter.cases("jiangsu", first)
    counter.decide(case, "later_stands")
    after = counter.view(second)
    assert (counter.view(first).row.state, after.row.state, after.row.next_stage) == ("rejected", "in_review", "center")
    assert counter.rows(
        "select status, claimed_fen from registry_holding where holder_id = %s and stated_fen is not null "
        "and claimed_fen > 0 order by 1",
        second.row.id,
    ) == [("taken", 1_000_000), ("taken", 1_000_000)]


@pytest.mark.parametrize("stage", ["approved", "batched"])
def test_an_approved_claim_that_is_given_up_is_taken_back_from_settlement(counter: Counter, stage: str) -> None:
    first, second = held(counter)
    counter.review(first)
    batch = counter.cut() if stage == "batched" else None
    [case] = counter.cases("jiangsu", second)
    counter.decide(case, "later_stands")
    refused = counter.view(first)
    assert (refused.state_now, award(refused)) == ("rejected", "0.00")
    assert counter.view(second).row.state == "in_review"
    if batch is not None:
        count, total = counter.rows("select item_count, total_fen from batch where id = %s", batch.id)[0]
        assert (count, total) == (batch.item_count - 1, batch.total_fen - first.row.award_fen)


def test_two_different_spendings_cannot_share_the_same_fen(counter: Counter) -> None:
    _, second = held(counter)
    [case] = counter.cases("jiangsu", second)
    with pytest.raises(Conflict) as refused:
        counter.decide(case, "distinct")
    assert refused.value.code == "duplicate.still_taken"
    assert counter.cases("jiangsu", second)[0]["state"] == "open"


def test_a_shared_paper_that_means_nothing_is_cleared_on_both_sides(counter: Counter) -> None:
    body, other = claim(), claim(WUJIANG)
    other["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    counter.submit(body)
    second = counter.submit(other)
    [case] = counter.cases("wujiang", second)
    assert counter.decide(case, "distinct")["outcome"] == "distinct"
    assert counter.view(second).row.state == "in_review"


def test_another_tenants_claim_is_never_refused(counter: Counter) -> None:
    first, second = held(counter, WUJIANG)
    [theirs] = counter.cases("jiangsu", first)
    with pytest.raises(Forbidden) as refused:
        counter.decide(theirs, "earlier_stands")
    assert refused.value.code == "case.other_side_decides"
    assert counter.view(second).row.state == "on_hold"
    counter.decide(theirs, "later_stands")
    assert (counter.view(first).row.state, counter.view(second).row.state) == ("rejected", "in_review")


def test_who_decided_and_why_is_told_on_the_deciding_side_only(counter: Counter) -> None:
    first, second = held(counter, WUJIANG)
    [theirs] = counter.cases("jiangsu", first)
    counter.decide(theirs, "later_stands")
    [mine], [theirs] = counter.cases("wujiang", second), counter.cases("jiangsu", first)
    assert (mine["decided_here"], mine["resolved_by"], mine["reason"]) == (False, None, None)
    assert (theirs["decided_here"], theirs["resolved_by"], theirs["reason"]) == (True, "case-reviewer", "已核实")
    assert counter.view(second).holds[0].resolved_by == "other-side"


def test_a_decided_case_is_decided(counter: Counter) -> None:
    _, second = held(counter)
    [case] = counter.cases("jiangsu", second)
    counter.decide(case, "earlier_stands")
    with pytest.raises(Conflict) as refused:
        counter.decide(case, "later_stands")
    assert refused.value.code == "case.resolved"


@pytest.mark.parametrize(
    ("act", "outcome"), [("reject", "earlier_stands"), ("withdraw", "ended"), ("clear", "distinct")]
)
def test_what_is_decided_at_the_claim_decides_its_case(counter: Counter, act: str, outcome: str) -> None:
    first, second = held(counter, WUJIANG)
    if act == "withdraw":
        counter.withdraw(second)
    else:
        if act == "clear":
            counter.withdraw(first)
        counter.resolve(second, "duplicate.foreign_invoice", act)
    for tenant, side in (("wujiang", second), ("jiangsu", first)):
        assert [case["outcome"] for case in counter.cases(tenant, side)] == [outcome]


def test_of_three_on_one_invoice_each_pair_is_a_case_and_one_decision_leaves_the_others(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    second, third = counter.submit(stranger(body)), counter.submit(stranger(body))
    assert len(counter.cases("jiangsu", third)) == 2
    [case] = [one for one in counter.cases("jiangsu", third) if one["other_side"]["reference"] == str(first.row.id)]
    counter.decide(case, "later_stands")
    assert counter.view(first).row.state == "rejected"
    assert open_holds(counter.view(third)) == {"duplicate.foreign_invoice"}
    [other] = [one for one in counter.cases("jiangsu", third) if one["state"] == "open"]
    assert other["other_side"]["reference"] == str(second.row.id)
    counter.decide(other, "earlier_stands")
    assert counter.view(third).row.state == "rejected"
    [last] = [one for one in counter.cases("jiangsu", second) if one["outcome"] is None]
    counter.decide(last, "later_stands")
    assert counter.view(second).row.state == "in_review"


# ---------------------------------------------------------------------------------------------------- collisions


def collided(counter: Counter, *, approve: bool = False) -> tuple[ClaimView, Any]:
    """A claim through Jiangsu's platform whose invoice Wujiang's platform then states as paid."""
    body = wujiang_body()
    first = counter.submit(body)
    if approve:
        counter.review(first)
    told = counter.support(record(body, invoice_key(body)))
    return counter.view(first), told


@pytest.mark.parametrize("approve", [False, True])
def test_a_collision_freezes_the_unpaid_claim_with_its_award_reserved(counter: Counter, *, approve: bool) -> None:
    frozen, told = collided(counter, approve=approve)
    assert (frozen.state_now, open_holds(frozen), award(frozen)) == ("on_hold", {"duplicate.collision"}, "2500.00")
    [mine], [theirs] = counter.cases("jiangsu", frozen), counter.cases("wujiang")[-1:]
    assert mine["id"] == theirs["id"]
    assert (mine["side"], mine["waits"], mine["kind"]) == ("earlier", True, "collision")
    assert theirs["subject"]["id"] == mine["other_side"]["reference"] == str(told.record_id)
    assert counter.rows(
        "select holder_kind, status from registry_holding h where digest in (select digest from registry_holding "
        "where holder_id = %s) order by 1",
        told.record_id,
    ) == [("claim", "contending"), ("support", "taken")]


def test_a_frozen_claim_cannot_go_on_while_the_record_stands(counter: Counter) -> None:
    frozen, _ = collided(counter)
    with pytest.raises(Conflict) as refused:
        counter.resolve(frozen, "duplicate.collision")
    assert refused.value.code == "duplicate.still_taken"


def test_a_record_that_is_set_aside_blocks_nothing_and_the_claim_goes_on(counter: Counter) -> None:
    frozen, told = collided(counter, approve=True)
    [theirs] = counter.cases("wujiang")[-1:]
    counter.decide(theirs, "earlier_stands")
    after = counter.view(frozen)
    assert (after.row.state, after.row.next_stage, award(after)) == ("in_review", "center", "2500.00")
    assert counter.rows("select count(*) from registry_holding where holder_id = %s", told.record_id) == [(0,)]
    assert counter.review(after).row.state == "approved"


def test_a_record_that_stands_keeps_the_fen_and_the_claim_is_rejected(counter: Counter) -> None:
    frozen, told = collided(counter)
    [mine] = counter.cases("jiangsu", frozen)
    counter.decide(mine, "later_stands")
    assert counter.view(frozen).row.state == "rejected"
    assert counter.rows("select status from registry_holding where holder_id = %s", told.record_id) == [("taken",)]


def test_a_claim_in_correction_meets_the_record_when_it_comes_again(counter: Counter) -> None:
    body = wujiang_body()
    first = counter.submit(body)
    counter.review(first, "correct", reason="补充材料")
    counter.support(record(body, invoice_key(body)))
    assert counter.cases("jiangsu", first) == []
    body["contract"]["title"] = "更正后的合同名称"
    assert codes(counter.submit(body)) == {"duplicate.cross_scheme"}


def test_the_own_side_that_does_not_wait_can_be_held_too(counter: Counter) -> None:
    first, second = held(counter)
    [case] = counter.cases("jiangsu", first)
    counter.hold_own(case)
    assert open_holds(counter.view(first)) == {"duplicate.suspected"}
    counter.decide(case, "earlier_stands")
    assert (counter.view(first).row.state, counter.view(second).row.state) == ("in_review", "rejected")


def test_a_case_is_assigned_within_its_own_side(counter: Counter) -> None:
    first, second = held(counter, WUJIANG)
    [case] = counter.cases("wujiang", second)
    counter.assign(case, "王审")
    [mine], [theirs] = counter.cases("wujiang", second), counter.cases("jiangsu", first)
    assert (mine["owner"], mine["state"]) == ("王审", "assigned")
    assert (theirs["owner"], theirs["state"]) == (None, "open")
