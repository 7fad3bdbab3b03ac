"""Review paths as data: the provider's own confirmation, trust lists, samples afterwards; and who may not decide."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.claims import interests, reservations, sampling
from clearing.claims.records import ClaimView
from clearing.claims.review import Reviewer
from clearing.claims.sampling import Line, Period, Verdict, drawn
from clearing.demonstration.parties import Party
from clearing.tenancy import trust_lists
from clearing.tenancy.trust_lists import Listing
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Conflict, Forbidden, Invalid
from tenants.kernel.ids import new_id
from tenants.policy import Policy, Term
from tests.intake.bodies import WUJIANG, Programme, claim, seller
from tests.intake.counter import Counter, award
from tests.intake.own_tenant import own_programme
from tests.intake.test_matching_and_reservations_with_database import request, voucher_claim

CITE = "运市科函〔2024〕6号 四（三）"
AFTER = datetime(2024, 10, 8, 2, tzinfo=UTC)
PERIOD = Period("provincial", date(2024, 8, 1), date(2024, 9, 30))


def chained(policy: Policy, *chain: str, **terms: Any) -> Policy:
    return replace(policy, review=replace(policy.review, chain=Term(chain, CITE), **terms))


@pytest.fixture(scope="module")
def bound(owner: Engine, app: Engine) -> Programme:
    """The provider confirms, then the city's bureau, then the center, then the authority."""
    return own_programme(owner, app, lambda policy: chained(policy, "provider", "city", "center", "authority"))


@pytest.fixture(scope="module")
def trusting(owner: Engine, app: Engine) -> Programme:
    """A listed provider's confirmation replaces review; a quarter is looked at afterwards."""
    return own_programme(
        owner,
        app,
        lambda policy: chained(
            policy, "center", trusted_chain=Term(("provider",), CITE), sample_share=Term(Fraction(1, 4), CITE)
        ),
    )


def listed(counter: Counter, programme: Programme) -> Party:
    """A provider on the trust list."""
    provider = seller(programme)
    listing = Listing(provider.uscc, provider.name, date(2024, 1, 1), date(2024, 12, 31))

    def use_case(work: Work) -> None:
        made = trust_lists.propose(work, "甲", programme.tenant, CITE, [listing])
        trust_lists.decide(work, "乙", programme.tenant, made.version, "approve", None)

    counter.do(use_case, programme.tenant)
    return provider


def passed(counter: Counter, programme: Programme, provider: Party) -> ClaimView:
    """A claim of the listed provider, confirmed by it."""
    first = counter.submit(claim(programme, to=provider), "jssic")
    return counter.review(first, stage="provider")


def after(counter: Counter, tenant: str, use_case: Callable[[Work], Any]) -> Any:
    return run(counter.app, Scope((tenant,)), FixedClock(AFTER), use_case)


def test_s4_the_provider_confirms_then_the_city_the_center_and_the_authority_decide(
    counter: Counter, bound: Programme
) -> None:
    view = counter.submit(claim(bound), "jssic")
    stages = []
    for person in (None, "市局", "中心", "主管部门"):
        stages.append(view.row.next_stage)
        view = counter.review(view, stage=str(view.row.next_stage), person=person)
    assert (stages, view.row.state) == (["provider", "city", "center", "authority"], "approved")


def test_a_provider_that_does_not_confirm_sends_the_claim_back(counter: Counter, bound: Programme) -> None:
    sent_back = counter.review(counter.submit(claim(bound), "jssic"), "correct", stage="provider", reason="金额不符")
    assert (sent_back.row.state, award(sent_back)) == ("needs_correction", "0.00")


def test_s1_a_listed_providers_confirmation_replaces_review(counter: Counter, trusting: Programme) -> None:
    provider = listed(counter, trusting)
    first = counter.submit(claim(trusting, to=provider), "jssic")
    assert (first.row.state, first.row.next_stage) == ("in_review", "provider")
    with pytest.raises(Conflict):
        counter.review(first, stage="center")
    assert counter.review(first, stage="provider").row.state == "approved"
    assert counter.submit(claim(trusting), "jssic").row.next_stage == "center"


def test_a_listed_providers_claim_that_was_held_is_reviewed_like_any_other(
    counter: Counter, trusting: Programme
) -> None:
    provider = listed(counter, trusting)
    body = claim(trusting, to=provider)
    counter.submit(body, "jssic")
    other = claim(trusting, to=provider)
    other["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    cleared = counter.resolve(counter.submit(other, "jssic"), "duplicate.document_reuse")
    assert (cleared.row.state, cleared.row.next_stage) == ("in_review", "center")
    assert counter.review(cleared, stage="center").row.state == "approved"


def test_a_sample_takes_the_policys_share_and_its_seed_draws_it_again(counter: Counter, trusting: Programme) -> None:
    provider = listed(counter, trusting)
    claims = sorted(passed(counter, trusting, provider).row.id for _ in range(6))
    counter.review(counter.submit(claim(trusting), "jssic"))
    made = after(
        counter,
        trusting.tenant,
        lambda work: sampling.draw(work, "抽查人", trusting.tenant, PERIOD, None, demonstration=False),
    )
    assert made.population >= 6
    assert made.size == -(-made.population // 4)
    rows = counter.rows(
        "select claim_id from sample_item where sample_id = %s order by line", made.id, tenants=[trusting.tenant]
    )
    population = counter.rows(
        "select c.id from claim c where c.state = 'approved' and not exists "
        "(select 1 from review r where r.claim_id = c.id and r.stage = 'center') order by c.id",
        tenants=[trusting.tenant],
    )
    everything = [claim_id for (claim_id,) in population]
    assert set(claims) <= set(everything)
    assert [claim_id for (claim_id,) in rows] == drawn(made.seed, everything, made.size)
    _refuses_a_second(counter, trusting)
    _decides_once(counter, trusting, made.id)


def decided(counter: Counter, trusting: Programme, sample_id: UUID, line: int, verdict: Verdict) -> None:
    """One sampled claim decided."""
    place = Line(trusting.tenant, sample_id, line)
    reviewer = Reviewer("抽查人", None, counter.demonstration)
    after(counter, trusting.tenant, lambda work: sampling.decide(work, counter.vault, reviewer, place, verdict))


def _refuses_a_second(counter: Counter, trusting: Programme) -> None:
    with pytest.raises(Conflict) as refused:
        after(
            counter,
            trusting.tenant,
            lambda work: sampling.draw(work, "抽查人", trusting.tenant, PERIOD, None, demonstration=False),
        )
    assert refused.value.code == "sample.drawn"


def _decides_once(counter: Counter, trusting: Programme, sample_id: UUID) -> None:
    with pytest.raises(Invalid):
        decided(counter, trusting, sample_id, 1, Verdict("unsound", None))
    decided(counter, trusting, sample_id, 1, Verdict("sound", None))
    with pytest.raises(Conflict):
        decided(counter, trusting, sample_id, 1, Verdict("sound", None))
    unsound = Verdict("unsound", "报告与服务不符")
    decided(counter, trusting, sample_id, 2, unsound)
    [stopped] = counter.rows(
        "select c.state, c.award_fen, i.consequence, i.clawback_id, h.code from sample_item i "
        "join claim c on c.id = i.claim_id join hold h on h.claim_id = c.id and h.resolved_at is null "
        "where i.sample_id = %s and i.line = 2",
        sample_id,
        tenants=[trusting.tenant],
    )
    assert (stopped.state, stopped.consequence, stopped.clawback_id) == ("on_hold", "stopped", None)
    assert (stopped.code, stopped.award_fen > 0) == ("sample.unsound", True)
    with pytest.raises(DBAPIError, match="never changes"):
        after(
            counter,
            trusting.tenant,
            lambda work: work.connection.exec_driver_sql(
                "update sample_item set outcome = 'unsound', reason = 'x' where sample_id = %s and line = 1",
                (sample_id,),
            ),
        )


def test_the_same_seed_draws_the_same_claims_whatever_their_order() -> None:
    claims = [new_id() for _ in range(50)]
    seed = bytes(range(32))
    assert drawn(seed, claims, 9) == drawn(seed, claims[::-1], 9)
    assert drawn(seed, claims, 9) != drawn(bytes(32), claims, 9)


def test_a_period_that_is_not_over_is_not_sampled(counter: Counter, trusting: Programme) -> None:
    period = Period("provincial", date(2024, 10, 1), date(2024, 10, 8))
    with pytest.raises(Invalid) as refused:
        after(
            counter,
            trusting.tenant,
            lambda work: sampling.draw(work, "抽查人", trusting.tenant, period, None, demonstration=False),
        )
    assert refused.value.errors[0].code == "period.not_over"


# ----------------------------------------------------------------------------------------------- who may not decide


def declare(counter: Counter, tenant: str, person: str, uscc: str) -> UUID:
    interest = {"person": person, "uscc": uscc, "ground": "亲属任职"}
    return counter.do(lambda work: interests.declare(work, "管理员", tenant, interest).id, tenant)


@pytest.mark.parametrize("party", ["enterprise", "provider"])
def test_who_has_an_interest_in_a_party_decides_neither_stage_nor_hold(counter: Counter, party: str) -> None:
    body = claim()
    first = counter.submit(body)
    declare(counter, "jiangsu", f"避嫌-{party}", body[party]["uscc"])
    with pytest.raises(Forbidden) as refused:
        counter.review(first, person=f"避嫌-{party}")
    assert refused.value.code == "decision.interest"
    other = claim(to=None)
    other["provider"] = body["provider"]
    other["enterprise"] = body["enterprise"]
    other["documents"][1]["sha256"] = body["documents"][1]["sha256"]
    held = counter.submit(other)
    with pytest.raises(Forbidden):
        counter.resolve(held, "duplicate.document_reuse", person=f"避嫌-{party}")
    assert counter.review(first, person="他人").row.state == "approved"


def test_who_has_an_interest_confirms_no_quota(counter: Counter) -> None:
    body = voucher_claim()
    asked = counter.reserve(request(body), "delta")
    declare(counter, "wujiang", "test-reviewer", body["provider"]["uscc"])
    with pytest.raises(Forbidden):
        counter.confirm(asked)
    with pytest.raises(DBAPIError, match="interest"):
        counter.do(
            lambda work: work.connection.exec_driver_sql(
                "update reservation set state = 'confirmed', confirmed_at = %s, confirmed_by = 'test-reviewer' "
                "where id = %s",
                (work.at, asked.id),
            ),
            WUJIANG.tenant,
        )
    assert counter.do(lambda work: reservations.view(work.connection, asked.id).state, "wujiang") == "requested"


def test_nobody_ends_a_declaration_about_oneself(counter: Counter) -> None:
    uscc = seller().uscc
    declared = declare(counter, "jiangsu", "本人", uscc)
    assert declare(counter, "jiangsu", "本人", uscc) == declared
    with pytest.raises(Forbidden):
        counter.do(lambda work: interests.end(work, "本人", "jiangsu", declared, "无关"), "jiangsu")
    with pytest.raises(DBAPIError, match="interest_ended_by_another"):
        counter.do(
            lambda work: work.connection.exec_driver_sql(
                "update interest set ended_by = person, ended_at = %s, end_reason = 'x' where id = %s",
                (work.at, declared),
            ),
            "jiangsu",
        )
    ended = counter.do(lambda work: interests.end(work, "管理员", "jiangsu", declared, "已离职"), "jiangsu")
    assert ended.ended_by == "管理员"


REVIEW = (
    "insert into review (tenant, id, claim_id, revision, stage, outcome, award_fen, reviewer, person, at) "
    "values (%s, %s, %s, 1, %s, 'approve', 1, %s, %s, %s)"
)


def write_review(counter: Counter, view: ClaimView, stage: str, person: str) -> None:
    row = view.row
    counter.do(
        lambda work: work.connection.exec_driver_sql(
            REVIEW, (row.tenant, new_id(), row.id, stage, person, person, work.at)
        ),
        row.tenant,
    )


def test_the_database_alone_refuses_one_person_at_two_stages(counter: Counter) -> None:
    first = counter.review(counter.submit(claim(WUJIANG)), person="李审")
    with pytest.raises(DBAPIError, match="review_four_eyes"):
        write_review(counter, first, "authority", "李审")


def test_the_database_alone_refuses_a_reviewer_with_an_interest(counter: Counter) -> None:
    first = counter.submit(claim())
    declare(counter, "jiangsu", "避嫌-库", first.row.enterprise_uscc)
    with pytest.raises(DBAPIError, match="has an interest"):
        write_review(counter, first, "center", "避嫌-库")


def test_who_submitted_a_claim_never_reviews_it(counter: Counter, owner: Engine) -> None:
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "insert into client (client_id, secret_hash, platform, tenants, scopes, person, created_at) "
            "values ('test-client', %s, 'jssic', '{jiangsu}', '{claims:write}', '提交人', now()) "
            "on conflict (client_id) do update set person = '提交人'",
            ("0" * 64,),
        )
    first = counter.submit(claim())
    with pytest.raises(Forbidden) as refused:
        counter.review(first, person="提交人")
    assert refused.value.code == "decision.submitter"
    with pytest.raises(DBAPIError, match="submitted a claim"):
        write_review(counter, first, "center", "提交人")
    with owner.begin() as connection:
        connection.exec_driver_sql("update client set person = null where client_id = 'test-client'")
