"""A budget's end: cut, refused or waited for; and who waits is next, in order, when money returns."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine

from clearing.claims.records import ClaimView
from clearing.claims.waitlist import promote, waiting_budgets
from clearing.tenancy import budgets
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money
from tenants.policy import Policy, Term
from tests.intake.bodies import WUJIANG, Programme, claim
from tests.intake.counter import Counter, assessed, award, codes, open_holds, traces
from tests.intake.own_tenant import own_programme
from tests.intake.test_matching_and_reservations_with_database import request

YEAR = 2024


def with_budget_rule(rule: str) -> object:
    def change(policy: Policy) -> Policy:
        return replace(policy, limits=replace(policy.limits, budget_rule=Term(rule, "租户设置")))  # type: ignore[arg-type]

    return change


def made(owner: Engine, app: Engine, rule: str, programme: Programme | None = None) -> Programme:
    change = with_budget_rule(rule)
    assert callable(change)
    return own_programme(owner, app, change) if programme is None else own_programme(owner, app, change, programme)


@pytest.fixture
def waiting(owner: Engine, app: Engine) -> Programme:
    return made(owner, app, "waitlist")


def appropriate(counter: Counter, programme: Programme, amount: str) -> None:
    counter.do(
        lambda work: budgets.appropriate(
            work.connection, programme.tenant, programme.scheme, YEAR, Money.parse(amount), work.at
        ),
        programme.tenant,
    )


def budget(counter: Counter, programme: Programme) -> object:
    return counter.do(
        lambda work: budgets.read_budget(work.connection, programme.tenant, programme.scheme, YEAR)["left"],
        programme.tenant,
    )


def submit(counter: Counter, programme: Programme, award_of: str) -> ClaimView:
    """A claim that the policy would award so much, at a quarter of its base."""
    base = str(Money(Money.parse(award_of).fen * 4))
    return counter.submit(claim(programme, base), "jssic")


def pass_on(counter: Counter, programme: Programme) -> int:
    key = (programme.tenant, programme.scheme, YEAR)
    return counter.do(lambda work: promote(work, counter.vault, key, demonstration=False), programme.tenant)


def states(counter: Counter, *views: ClaimView) -> list[tuple[str, str]]:
    now = [counter.view(view) for view in views]
    return [(view.row.state, award(view)) for view in now]


def test_who_waits_is_next_when_money_returns_and_nobody_overtakes(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "3000.00")
    first = submit(counter, waiting, "2500.00")
    second, third = submit(counter, waiting, "2000.00"), submit(counter, waiting, "400.00")
    assert [open_holds(view) for view in (second, third)] == [{"award.budget"}] * 2
    assert pass_on(counter, waiting) == 0
    counter.withdraw(first)
    newcomer = submit(counter, waiting, "100.00")
    assert (newcomer.row.state, open_holds(newcomer)) == ("on_hold", {"award.budget"})
    assert pass_on(counter, waiting) == 3
    assert states(counter, second, third, newcomer) == [
        ("in_review", "2000.00"), ("in_review", "400.00"), ("in_review", "100.00"),
    ]  # fmt: skip
    assert budget(counter, waiting) == "500.00"


def test_a_small_claim_waits_behind_a_large_one(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "1000.00")
    first = submit(counter, waiting, "1000.00")
    large, small = submit(counter, waiting, "900.00"), submit(counter, waiting, "100.00")
    lowered = counter.review(first, award="400.00", reason="部分不符")
    assert (lowered.row.state, pass_on(counter, waiting)) == ("approved", 0)
    assert states(counter, large, small) == [("on_hold", "0.00")] * 2
    appropriate(counter, waiting, "1300.00")
    assert pass_on(counter, waiting) == 1
    assert states(counter, large, small) == [("in_review", "900.00"), ("on_hold", "0.00")]
    assert (waiting.tenant, waiting.scheme, YEAR) in counter.do(waiting_budgets, waiting.tenant)


def test_claims_of_one_transaction_do_not_overtake_each_other_either(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "1000.00")
    bodies = [claim(waiting, amount) for amount in ("3600.00", "2000.00", "400.00")]
    views = [one.view for one in counter.submit_all(bodies, "jssic") if one.view is not None]
    assert [(view.row.state, award(view)) for view in views] == [
        ("in_review", "900.00"), ("on_hold", "0.00"), ("on_hold", "0.00"),
    ]  # fmt: skip


def test_a_promotion_is_an_assessment_of_its_own_that_keeps_the_first(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "100.00")
    held = submit(counter, waiting, "500.00")
    appropriate(counter, waiting, "500.00")
    assert pass_on(counter, waiting) == 1
    assert len(traces(counter, held)) == 2
    found = counter.rows(
        "select body::json ->> 'action', body::json ->> 'to' from audit_entry where subject_id = %s order by seq",
        held.row.id,
        tenants=[waiting.tenant],
    )
    assert [tuple(row) for row in found] == [("claim.submitted", "on_hold"), ("claim.reassessed", "in_review")]


def test_no_reviewer_lets_a_waiting_claim_pass(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "100.00")
    held = submit(counter, waiting, "500.00")
    with pytest.raises(Conflict) as refused:
        counter.resolve(held, "award.budget")
    assert refused.value.code == "hold.not_clearable"
    assert counter.resolve(held, "award.budget", "reject").row.state == "rejected"


def test_a_waiting_claim_that_was_withdrawn_is_passed_over(counter: Counter, waiting: Programme) -> None:
    appropriate(counter, waiting, "400.00")
    first, second = submit(counter, waiting, "900.00"), submit(counter, waiting, "300.00")
    counter.withdraw(first)
    assert pass_on(counter, waiting) == 1
    assert states(counter, second) == [("in_review", "300.00")]


def test_no_quota_is_confirmed_past_those_who_wait(counter: Counter, owner: Engine, app: Engine) -> None:
    def change(policy: Policy) -> Policy:
        limits = replace(policy.limits, budget_rule=Term("waitlist", "租户设置"))
        modes = Term(("common_use", "cross_redemption"), "测试")
        return replace(policy, limits=limits, modes=modes)  # type: ignore[arg-type]

    own = own_programme(owner, app, change)
    appropriate(counter, own, "1000.00")
    submit(counter, own, "1500.00")
    asked = counter.reserve(request(claim(own, "400.00", mode="cross_redemption")), "jssic")
    with pytest.raises(Conflict) as refused:
        counter.confirm(asked)
    assert refused.value.code == "quota.exhausted"


def test_a_budgets_end_cuts_the_last_award_where_the_policy_says_partial(
    counter: Counter, owner: Engine, app: Engine
) -> None:
    own = made(owner, app, "partial")
    appropriate(counter, own, "1000.00")
    views = [submit(counter, own, "700.00") for _ in range(3)]
    assert [award(view) for view in views] == ["700.00", "300.00", "0.00"]
    assert assessed(views[1])["cut"] == {"budget": "400.00"}
    assert codes(views[2]) == {"award.budget"}


def test_a_budgets_end_refuses_where_the_policy_says_reject_and_a_smaller_claim_still_fits(
    counter: Counter, owner: Engine, app: Engine
) -> None:
    own = made(owner, app, "reject")
    appropriate(counter, own, "1000.00")
    views = [submit(counter, own, amount) for amount in ("700.00", "400.00", "300.00")]
    assert [(view.row.state, award(view)) for view in views] == [
        ("in_review", "700.00"), ("rejected", "0.00"), ("in_review", "300.00"),
    ]  # fmt: skip


def test_the_waitlist_of_another_tenant_keeps_nobody_waiting(
    counter: Counter, owner: Engine, app: Engine, waiting: Programme
) -> None:
    appropriate(counter, waiting, "1.00")
    submit(counter, waiting, "500.00")
    other = made(owner, app, "waitlist")
    appropriate(counter, other, "500.00")
    assert submit(counter, other, "500.00").row.state == "in_review"
    assert counter.submit(claim(WUJIANG, on=date(2024, 8, 29))).row.state == "in_review"
