"""What people decide: stages, lowered awards, four eyes, refusals, corrections, holds, trust lists."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from clearing.claims.corrections import release_overdue
from clearing.claims.records import ClaimView
from clearing.claims.review import Decision, review
from clearing.tenancy.trust_lists import Listing, decide, propose
from settlement import ledger
from settlement.ledger import Sums
from tenants.kernel.clock import FixedClock, shanghai_day
from tenants.kernel.database import Scope, run, transaction
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.intake.bodies import JIANGSU, WUJIANG, again, buyer, claim, receipt, seller
from tests.intake.counter import Counter, award, codes, open_holds

_NOW = datetime(2024, 9, 2, tzinfo=UTC)


def sums(counter: Counter, view: ClaimView, account: str) -> Sums:
    tenant = view.row.tenant
    return counter.do(lambda work: ledger.sums_of(work.connection, tenant, account), tenant)


def quota_of(counter: Counter, view: ClaimView) -> Sums:
    row = view.row
    return sums(counter, view, ledger.quota_account(row.scheme, row.quota_year or 0, row.enterprise_uscc))


def obligations(counter: Counter, view: ClaimView) -> list[tuple[int, bool]]:
    return [
        (amount, released)
        for amount, released in counter.rows(
            "select amount_fen, released_at is not null from obligation where id = %s", view.row.id
        )
    ]


def test_the_last_stage_approves_and_opens_an_obligation(counter: Counter) -> None:
    first = counter.submit(claim())
    approved = counter.review(first)
    assert (approved.row.state, approved.row.next_stage, award(approved)) == ("approved", None, "2500.00")
    held = quota_of(counter, approved)
    assert (str(held.debits_pending), str(held.debits_posted)) == ("0.00", "2500.00")
    assert obligations(counter, approved) == [(250_000, False)]


def test_stages_are_taken_in_their_order_only(counter: Counter) -> None:
    first = counter.submit(claim(WUJIANG))
    with pytest.raises(Conflict) as refused:
        counter.review(first, stage="authority")
    assert refused.value.code == "review.stage"
    second = counter.review(first, stage="center")
    assert (second.row.state, second.row.next_stage) == ("in_review", "authority")
    with pytest.raises(Conflict):
        counter.review(second, stage="center")
    assert counter.review(second, stage="authority").row.state == "approved"


def test_what_is_not_in_review_cannot_be_reviewed(counter: Counter) -> None:
    approved = counter.review(counter.submit(claim()))
    with pytest.raises(Conflict) as refused:
        counter.review(approved)
    assert refused.value.code == "claim.state"


def test_a_claim_of_another_tenant_cannot_be_reviewed_any_more_than_an_absent_one(counter: Counter) -> None:
    foreign = counter.submit(claim(WUJIANG)).row.id
    decision = Decision("center", "approve", None, None)
    reviewer = counter.reviewer(None)
    answers = set()
    for claim_id in (foreign, uuid4()):
        with (
            pytest.raises(NotFound) as refused,
            transaction(counter.app, Scope(("jiangsu",)), FixedClock(_NOW)) as work,
        ):
            review(work, counter.vault, reviewer, claim_id, decision)
        answers.add(str(refused.value))
    assert len(answers) == 1


def test_one_person_never_decides_two_stages(counter: Counter) -> None:
    first = counter.submit(claim(WUJIANG))
    second = counter.review(first, person="李审")
    with pytest.raises(Forbidden) as refused:
        counter.review(second, stage="authority", person="李审")
    assert refused.value.code == "review.four_eyes"
    assert counter.view(second).row.next_stage == "authority"
    assert counter.review(second, stage="authority", person="王批").row.state == "approved"


def test_an_award_is_never_raised(counter: Counter) -> None:
    first = counter.submit(claim())
    with pytest.raises(Invalid) as refused:
        counter.review(first, award="2500.01", reason="多算")
    assert [fault.code for fault in refused.value.errors] == ["award.raised"]
    assert counter.view(first).row == first.row


@pytest.mark.parametrize(("outcome", "lower"), [("approve", "2000.00"), ("reject", None), ("correct", None)])
def test_what_departs_from_the_computation_needs_a_reason(counter: Counter, outcome: str, lower: str | None) -> None:
    first = counter.submit(claim())
    with pytest.raises(Invalid) as refused:
        counter.review(first, outcome, award=lower)
    assert [fault.pointer for fault in refused.value.errors] == ["/reason"]


def test_an_award_lowered_to_nothing_is_a_rejection_and_refused_as_award(counter: Counter) -> None:
    with pytest.raises(Invalid) as refused:
        counter.review(counter.submit(claim()), award="0.00", reason="全部不予支持")
    assert [fault.code for fault in refused.value.errors] == ["award.nothing"]


def test_a_lowered_award_gives_the_difference_back_at_once(counter: Counter) -> None:
    party = buyer()
    first = counter.submit(claim(amount="400000.00", by=party))
    lowered = counter.review(first, award="60000.01", reason="部分服务不符")
    assert (lowered.row.state, award(lowered)) == ("approved", "60000.01")
    assert str(quota_of(counter, lowered).debits_posted) == "60000.01"
    assert obligations(counter, lowered) == [(6_000_001, False)]
    assert award(counter.submit(claim(amount="400000.00", by=party))) == "39999.99"


def test_an_award_lowered_at_the_first_stage_binds_the_second(counter: Counter) -> None:
    first = counter.submit(claim(WUJIANG))
    lowered = counter.review(first, award="1000.00", reason="部分服务不符")
    assert (lowered.row.state, award(lowered), str(quota_of(counter, lowered).debits_pending)) == (
        "in_review", "1000.00", "1000.00",
    )  # fmt: skip
    with pytest.raises(Invalid):
        counter.review(lowered, stage="authority", award="1000.01", reason="恢复")
    approved = counter.review(lowered, stage="authority")
    assert obligations(counter, approved) == [(100_000, False)]


def test_a_rejection_frees_quota_and_keys_and_the_spending_may_be_claimed_again(counter: Counter) -> None:
    body = claim()
    rejected = counter.review(counter.submit(body), "reject", reason="报告不实")
    assert (rejected.row.state, award(rejected), rejected.row.next_stage) == ("rejected", "0.00", None)
    assert str(quota_of(counter, rejected).taken) == "0.00"
    assert counter.submit(again(body)).row.state == "in_review"


def test_an_approved_claim_withdrawn_leaves_no_debt(counter: Counter) -> None:
    withdrawn = counter.withdraw(counter.review(counter.submit(claim())))
    assert withdrawn.row.state == "withdrawn"
    assert str(quota_of(counter, withdrawn).taken) == "0.00"
    assert obligations(counter, withdrawn) == [(250_000, True)]
    assert counter.withdraw(withdrawn).row == withdrawn.row


def test_a_rejected_claim_cannot_be_withdrawn(counter: Counter) -> None:
    rejected = counter.review(counter.submit(claim()), "reject", reason="报告不实")
    with pytest.raises(Conflict) as refused:
        counter.withdraw(rejected)
    assert refused.value.code == "claim.not_withdrawable"


def test_a_claim_sent_back_becomes_a_new_revision_with_a_review_of_its_own(counter: Counter) -> None:
    body = claim(WUJIANG)
    first = counter.review(counter.submit(body), person="李审")
    sent_back = counter.review(first, "correct", stage="authority", reason="请补报告", person="王批")
    assert (sent_back.row.state, award(sent_back)) == ("needs_correction", "0.00")
    body["documents"][1]["sha256"] = "cd" * 32
    second = counter.submit(body)
    assert (second.row.revision, second.row.state, second.row.next_stage) == (2, "in_review", "center")
    approved = counter.review(counter.review(second, person="李审"), stage="authority", person="王批")
    assert approved.row.state == "approved"
    assert str(quota_of(counter, approved).taken) == "3000.00"


def test_a_claim_sent_back_keeps_its_keys_through_its_deadline_and_not_longer(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    first = counter.submit(body)
    due_on = first.row.correction_due_on
    assert due_on is not None
    other = again(body, receipts=[receipt("10000.00")])
    assert counter.submit(other).row.state == "rejected"
    last_moment = first.row.changed_at + (due_on - shanghai_day(first.row.changed_at))
    assert _overdue(counter, last_moment) == 0
    assert _overdue(counter, last_moment + timedelta(days=1)) >= 1
    assert counter.view(first).row.state == "needs_correction"
    assert counter.submit(again(other)).row.state == "in_review"


def test_a_correction_after_its_deadline_meets_who_came_in_between(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    first = counter.submit(body)
    _overdue(counter, first.row.changed_at + timedelta(days=40))
    between = counter.submit(again(body, receipts=[receipt("10000.00")]))
    assert between.row.state == "in_review"
    late = counter.submit(body | {"receipts": [receipt("10000.00")]})
    assert (late.row.state, codes(late)) == ("rejected", {"duplicate.invoice_exhausted", "totals.contract"})


def _overdue(counter: Counter, at: datetime) -> int:
    return run(counter.app, Scope(("jiangsu",)), FixedClock(at), release_overdue)


def test_an_incomplete_policy_holds_the_claim_takes_its_keys_and_no_quota(counter: Counter) -> None:
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    real = Counter(counter.app, counter.vault, demonstration=False)
    held = real.submit(claim(WUJIANG, by=party, to=provider))
    assert (held.row.state, open_holds(held), award(held)) == ("on_hold", {"policy.incomplete"}, "0.00")
    assert held.row.policy_version == "wujiang/delta/2021-01-09"
    assert str(quota_of(counter, held).taken) == "0.00"
    second = again(claim(WUJIANG, by=party, to=provider))
    second["invoices"][0]["number"] = held.submission["invoices"][0]["number"]  # type: ignore[index, call-overload]
    assert codes(real.submit(second)) == {"duplicate.invoice_exhausted", "policy.incomplete"}


def test_no_reviewer_clears_an_incomplete_policy(counter: Counter) -> None:
    real = Counter(counter.app, counter.vault, demonstration=False)
    held = real.submit(claim(WUJIANG))
    with pytest.raises(Conflict) as refused:
        real.resolve(held, "policy.incomplete")
    assert refused.value.code == "hold.not_clearable"
    assert real.resolve(held, "policy.incomplete", "reject").row.state == "rejected"


def test_review_begins_when_the_last_of_several_holds_is_cleared(counter: Counter) -> None:
    body = claim()
    counter.submit(body)
    other = claim(amount="20000.00")
    other["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    third = claim(amount="20000.00")
    third["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    third["receipts"][0]["serial"] = other["receipts"][0]["serial"]
    counter.withdraw(counter.submit(other))
    counter.submit(again(other))
    held = counter.submit(third)
    assert open_holds(held) == {"duplicate.document_reuse", "duplicate.foreign_receipt"}
    one = counter.resolve(held, "duplicate.document_reuse")
    assert (one.row.state, open_holds(one)) == ("on_hold", {"duplicate.foreign_receipt"})
    with pytest.raises(Conflict) as refused:
        counter.resolve(one, "duplicate.foreign_receipt")
    assert refused.value.code == "duplicate.still_taken"


def test_a_hold_is_decided_only_once(counter: Counter) -> None:
    body = claim()
    counter.submit(body)
    other = claim()
    other["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    held = counter.submit(other)
    cleared = counter.resolve(held, "duplicate.document_reuse")
    assert cleared.row.state == "in_review"
    with pytest.raises(Conflict) as refused:
        counter.resolve(held, "duplicate.document_reuse", "reject")
    assert refused.value.code == "hold.resolved"


def test_a_provider_on_the_trust_list_needs_no_review(counter: Counter) -> None:
    provider = seller()
    listing = Listing(provider.uscc, provider.name, date(2024, 1, 1), date(2024, 12, 31))
    listed = counter.do(lambda work: propose(work, "甲", "jiangsu", "服务承诺制", [listing]), "jiangsu")
    counter.do(lambda work: decide(work, "乙", "jiangsu", listed.version, "approve", None), "jiangsu")
    approved = counter.submit(claim(to=provider))
    assert (approved.row.state, award(approved)) == ("approved", "2500.00")
    assert obligations(counter, approved) == [(250_000, False)]
    assert str(quota_of(counter, approved).debits_posted) == "2500.00"


def test_a_sanctioned_party_is_refused_by_the_tenant_that_sanctioned_it(counter: Counter) -> None:
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    counter.do(
        lambda work: work.connection.exec_driver_sql(
            "insert into standing (tenant, id, kind, uscc, from_on, through_on, cite, set_by, set_at) "
            "values ('jiangsu', %s, 'sanction', %s, '2024-01-01', '2024-12-31', '失信', 'test-admin', %s)",
            (uuid4(), party.uscc, work.at),
        ),
        "jiangsu",
    )
    assert codes(counter.submit(claim(JIANGSU, by=party, to=provider))) == {"sanction"}


def test_every_change_is_one_audited_event_with_who_from_to_and_why(counter: Counter) -> None:
    rejected = counter.review(counter.submit(claim()), "reject", reason="报告不实", person="李审")
    events = counter.rows(
        "select body::json ->> 'actor', body::json ->> 'from', body::json ->> 'to', body::json ->> 'reason' "
        "from audit_entry where subject_id = %s order by seq",
        rejected.row.id,
    )
    assert events == [("test-client", None, "in_review", None), ("李审", "in_review", "rejected", "报告不实")]
