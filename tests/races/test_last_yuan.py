"""The last yuan of a quota or a budget, wanted by many threads at once: nobody gets a fen more than there is."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine

from clearing.demonstration.parties import Party
from clearing.tenancy import budgets
from tenants.kernel.database import Work
from tenants.kernel.money import Money, total
from tests.intake.bodies import JIANGSU, SHANXI, WUJIANG, Body, Programme, buyer, claim, receipt, seller
from tests.intake.counter import Counter, award
from tests.races import calls
from tests.races.books import deadlocks, faults
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd

THREADS = 16
YEAR = 2085
LARGEST = Money.parse("9000000000000.00")


@pytest.fixture(autouse=True)
def books_in_order(auditor: Engine) -> Iterator[None]:
    before = deadlocks(auditor)
    yield
    assert faults(auditor) == []
    assert deadlocks(auditor) == before


def almost_at_the_cap() -> tuple[Party, Body]:
    """An enterprise and its claim that leaves one yuan of the annual cap of 100,000."""
    party = buyer()
    return party, claim(amount="399996.00", by=party)


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("4.00", ["1.00"]), ("3.00", ["0.25", "0.75"]), ("400.00", ["1.00"]), ("0.40", ["0.10"] * 10)],
)
def test_the_last_yuan_of_a_quota_is_had_once_through_two_platforms(
    crowd: Crowd, counter: Counter, amount: str, expected: list[str]
) -> None:
    party, first = almost_at_the_cap()
    assert award(counter.submit(first)) == "99999.00"
    wanted = [
        Call(calls.submit, (claim(amount=amount, by=party), ("jssic", "delta")[number % 2]))
        for number in range(THREADS)
    ]
    [seen] = crowd.meet(wanted)
    assert all(isinstance(one, Seen) for one in seen), seen
    assert sorted(str(one.award) for one in seen if one.takes_money) == expected
    losers = [one for one in seen if not one.takes_money]
    assert all((one.state, one.codes) == ("rejected", {"quota.exhausted"}) for one in losers)


def test_the_trace_of_the_winner_and_of_each_loser_says_what_was_left(crowd: Crowd, counter: Counter) -> None:
    party, first = almost_at_the_cap()
    counter.submit(first)
    [seen] = crowd.meet([Call(calls.submit, (claim(amount="4.00", by=party), "jssic")) for _ in range(4)])
    told = {}
    for one in seen:
        [[trace]] = counter.rows("select result::json -> 'trace' from assessment where claim_id = %s", one.claim_id)
        told[one.state] = next(
            entry["output"] | entry["inputs"]
            for entry in trace
            if entry["rule"] in {"award.annual_cap", "quota.exhausted"}
        )
    assert told["in_review"]["taken"] == "99999.00"
    assert told["rejected"]["taken"] == "100000.00"


def appropriate(counter: Counter, programme: Programme, year: int, left: Money | None) -> None:
    """Leave so much of the year's budget."""

    def set_budget(work: Work) -> None:
        known = budgets.read_budget(work.connection, programme.tenant, programme.scheme, year)
        committed = Money.parse(str(known["reserved"])) + Money.parse(str(known["used"]))
        amount = LARGEST if left is None else committed + left
        budgets.appropriate(work.connection, programme.tenant, programme.scheme, year, amount, work.at)

    counter.do(set_budget, programme.tenant)


def test_the_last_yuan_of_a_budget_is_had_once_and_cut_to_the_fen(crowd: Crowd, counter: Counter) -> None:
    appropriate(counter, SHANXI, 2024, Money.parse("1.00"))
    try:
        [seen] = crowd.meet([Call(calls.submit, (claim(SHANXI, "1.50"), "shanxi-inno")) for _ in range(THREADS)])
    finally:
        appropriate(counter, SHANXI, 2024, None)
    assert all(isinstance(one, Seen) for one in seen), seen
    assert sorted(str(one.award) for one in seen if one.takes_money) == ["0.25", "0.75"]
    assert sum(one.codes == {"award.budget"} for one in seen) == THREADS - 2


def test_where_claims_wait_for_money_nobody_waits_with_money(crowd: Crowd, counter: Counter) -> None:
    appropriate(counter, JIANGSU, YEAR, Money.parse("3.00"))
    bodies = [claim(amount="4.00", on=date(YEAR, 8, 29)) for _ in range(THREADS)]
    [seen] = crowd.meet([Call(calls.submit, (body, "jssic")) for body in bodies])
    assert sorted(str(one.state) for one in seen) == ["in_review"] * 3 + ["on_hold"] * (THREADS - 3)
    assert total(one.award for one in seen) == Money.parse("3.00")


def test_a_reservation_wanted_by_many_claims_serves_one(crowd: Crowd, counter: Counter) -> None:
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    bodies: list[Body] = []
    for _ in range(THREADS):
        body = claim(WUJIANG, mode="cross_redemption", by=party, to=provider, receipts=[receipt("7000.00")])
        body["contract"] = (bodies[0] if bodies else body)["contract"]
        bodies.append(body)
    bodies[0]["contract"]["amount"] = "1000000.00"
    shared = ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract")
    asked = {name: bodies[0][name] for name in shared} | {
        "requested_at": "2024-08-01T12:00:00+08:00",
        "amount": "3000.00",
    }
    held = counter.confirm(counter.reserve(asked, "delta"))
    calls_ = [Call(calls.submit, (body | {"reservation_id": str(held.id)}, "delta")) for body in bodies]
    [seen] = crowd.meet(calls_)
    assert sorted(str(one.state) for one in seen) == ["in_review"] + ["rejected"] * (THREADS - 1), seen
    assert {one.codes for one in seen if one.state == "rejected"} == {frozenset({"reservation"})}
