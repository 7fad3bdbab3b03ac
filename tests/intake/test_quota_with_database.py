"""Annual caps and budgets: never passed, cut to the fen, free again when a claim ends."""

from datetime import date

import pytest

from clearing.tenancy import budgets, quotas
from settlement import ledger
from settlement.ledger import Sums
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money
from tests.intake.bodies import JIANGSU, SHANXI, Programme, again, buyer, claim
from tests.intake.counter import Counter, assessed, award, codes, open_holds

LARGEST = "9000000000000.00"
YEARS = iter(range(2031, 2060))
"""A budget binds every claim of its year, so each test that sets one has a year of its own."""


def sums(counter: Counter, tenant: str, account: str) -> Sums:
    return counter.do(lambda work: ledger.sums_of(work.connection, tenant, account), tenant)


def quota(counter: Counter, uscc: str, year: int = 2024) -> Sums:
    return sums(counter, "jiangsu", ledger.quota_account("provincial", year, uscc))


def appropriate(counter: Counter, programme: Programme, year: int, amount: str) -> None:
    counter.do(
        lambda work: budgets.appropriate(
            work.connection, programme.tenant, programme.scheme, year, Money.parse(amount), work.at
        ),
        programme.tenant,
    )


def budget(counter: Counter, programme: Programme, year: int) -> dict[str, object]:
    read = counter.do(
        lambda work: budgets.read_budget(work.connection, programme.tenant, programme.scheme, year), programme.tenant
    )
    return {name: read[name] for name in ("amount", "reserved", "used", "left")}


def test_claims_of_one_enterprise_never_pass_its_annual_cap(counter: Counter) -> None:
    party = buyer()
    views = [counter.submit(claim(amount="150000.00", by=party)) for _ in range(4)]
    assert [award(view) for view in views] == ["37500.00", "37500.00", "25000.00", "0.00"]
    assert [view.row.state for view in views] == ["in_review"] * 3 + ["rejected"]
    assert codes(views[3]) == {"quota.exhausted"}
    assert assessed(views[2])["cut"] == {"annual_cap": "12500.00"}
    held = quota(counter, party.uscc)
    assert (str(held.debits_pending), str(held.limit)) == ("100000.00", "100000.00")


def test_claims_of_one_transaction_share_the_cap_in_their_order(counter: Counter) -> None:
    party = buyer()
    outcomes = counter.submit_all([claim(amount="150000.00", by=party) for _ in range(4)])
    assert [award(one.view) for one in outcomes if one.view] == ["37500.00", "37500.00", "25000.00", "0.00"]


def test_a_withdrawn_claims_quota_is_usable_again_to_the_fen(counter: Counter) -> None:
    party = buyer()
    first = counter.submit(claim(amount="399999.99", by=party))
    assert award(first) == "99999.99"
    last = counter.submit(claim(amount="5000.00", by=party))
    assert (award(last), assessed(last)["cut"]) == ("0.01", {"annual_cap": "1249.99"})
    counter.withdraw(first)
    assert award(counter.submit(claim(amount="400000.00", by=party))) == "99999.99"
    assert str(quota(counter, party.uscc).taken) == "100000.00"


def test_a_rejected_claims_quota_is_usable_again(counter: Counter) -> None:
    party = buyer()
    body = claim(amount="400000.00", by=party)
    first = counter.submit(body)
    assert codes(counter.submit(claim(by=party))) == {"quota.exhausted"}
    counter.review(first, "reject", reason="材料不实")
    assert award(counter.submit(again(body))) == "100000.00"


def test_a_claim_sent_back_gives_its_quota_up_until_it_is_corrected(counter: Counter) -> None:
    party = buyer()
    body = claim(amount="400000.00", by=party)
    first = counter.submit(body)
    counter.review(first, "correct", reason="请补报告")
    assert str(quota(counter, party.uscc).taken) == "0.00"
    other = counter.submit(claim(amount="120000.00", by=party))
    assert award(other) == "30000.00"
    body["documents"][1]["sha256"] = "ab" * 32
    assert award(counter.submit(body)) == "70000.00"


def test_another_year_has_another_cap(counter: Counter) -> None:
    party = buyer()
    counter.submit(claim(amount="400000.00", by=party))
    assert award(counter.submit(claim(amount="400000.00", by=party, on=date(2025, 8, 29)))) == "100000.00"


def test_the_quota_that_people_read_is_the_ledgers(counter: Counter) -> None:
    party = buyer()
    first = counter.submit(claim(amount="100000.00", by=party))
    counter.submit(claim(amount="40000.00", by=party))
    counter.review(first)
    read = counter.do(
        lambda work: quotas.read(work, "jiangsu", "provincial", party.uscc, 2024, demonstration=True), "jiangsu"
    )
    assert {name: read[name] for name in ("cap", "reserved", "used", "left")} == {
        "cap": "100000.00", "reserved": "10000.00", "used": "25000.00", "left": "65000.00",
    }  # fmt: skip


def test_the_last_claim_of_a_budget_gets_what_is_left(counter: Counter) -> None:
    before = budget(counter, SHANXI, 2024)
    committed = Money.parse(str(before["reserved"])) + Money.parse(str(before["used"]))
    appropriate(counter, SHANXI, 2024, str(committed + Money(4_000_000)))
    try:
        views = [counter.submit(claim(SHANXI, amount="60000.00")) for _ in range(3)]
    finally:
        appropriate(counter, SHANXI, 2024, LARGEST)
    assert [award(view) for view in views] == ["30000.00", "10000.00", "0.00"]
    assert assessed(views[1])["cut"] == {"budget": "20000.00"}
    assert (views[2].row.state, codes(views[2])) == ("rejected", {"award.budget"})


def test_where_the_policy_says_so_claims_wait_for_money_and_take_nothing(counter: Counter) -> None:
    year = next(YEARS)
    appropriate(counter, JIANGSU, year, "3000.00")
    party = buyer()
    first = counter.submit(claim(on=date(year, 8, 29), by=party))
    waiting = counter.submit(claim(on=date(year, 8, 29), by=party))
    assert (award(first), first.row.state) == ("2500.00", "in_review")
    assert (award(waiting), waiting.row.state, open_holds(waiting)) == ("0.00", "on_hold", {"award.budget"})
    assert budget(counter, JIANGSU, year) == {
        "amount": "3000.00", "reserved": "2500.00", "used": "0.00", "left": "500.00",
    }  # fmt: skip
    assert str(quota(counter, party.uscc, year).taken) == "2500.00"


def test_a_waiting_claim_never_gets_to_review_without_an_award(counter: Counter) -> None:
    year = next(YEARS)
    appropriate(counter, JIANGSU, year, "3000.00")
    counter.submit(claim(on=date(year, 8, 29)))
    waiting = counter.submit(claim(on=date(year, 8, 29)))
    with pytest.raises(Conflict) as refused:
        counter.resolve(waiting, "award.budget")
    assert refused.value.code == "hold.not_clearable"
    assert counter.view(waiting).row.state == "on_hold"


def test_a_budget_used_up_to_the_fen_and_paid_back_is_usable_again(counter: Counter) -> None:
    year = next(YEARS)
    appropriate(counter, JIANGSU, year, "2500.00")
    first = counter.submit(claim(on=date(year, 8, 29)))
    assert budget(counter, JIANGSU, year)["left"] == "0.00"
    approved = counter.review(first)
    assert budget(counter, JIANGSU, year) == {
        "amount": "2500.00", "reserved": "0.00", "used": "2500.00", "left": "0.00",
    }  # fmt: skip
    counter.withdraw(approved)
    assert budget(counter, JIANGSU, year)["left"] == "2500.00"
    assert award(counter.submit(claim(on=date(year, 8, 29)))) == "2500.00"


def test_a_budget_cannot_be_set_below_what_is_committed(counter: Counter) -> None:
    year = next(YEARS)
    counter.submit(claim(on=date(year, 8, 29)))
    with pytest.raises(Conflict) as refused:
        appropriate(counter, JIANGSU, year, "2499.99")
    assert refused.value.code == "budget.below_commitments"
    assert budget(counter, JIANGSU, year)["amount"] is None
    appropriate(counter, JIANGSU, year, "2500.00")
    assert budget(counter, JIANGSU, year)["left"] == "0.00"


def test_a_budget_may_be_raised_and_lowered_down_to_its_commitments(counter: Counter) -> None:
    year = next(YEARS)
    for amount in ("5000.00", "9000.00", "2500.00"):
        appropriate(counter, JIANGSU, year, amount)
        if amount == "5000.00":
            counter.submit(claim(on=date(year, 8, 29)))
        assert budget(counter, JIANGSU, year)["amount"] == amount
    with pytest.raises(Conflict):
        appropriate(counter, JIANGSU, year, "0.00")


def test_claims_taken_in_before_the_budget_was_set_count_against_it(counter: Counter) -> None:
    year = next(YEARS)
    counter.submit(claim(on=date(year, 8, 29)))
    appropriate(counter, JIANGSU, year, "4000.00")
    assert open_holds(counter.submit(claim(on=date(year, 8, 29)))) == {"award.budget"}
    assert budget(counter, JIANGSU, year)["left"] == "1500.00"
