"""Bulk chunks of many threads that overlap in enterprises and invoices, while others withdraw, review and reserve."""

from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import Engine

from clearing.demonstration.parties import Party
from clearing.tenancy import budgets
from tenants.kernel.money import Money
from tests.intake.bodies import JIANGSU, WUJIANG, Body, Programme, buyer, claim, invoice_number, receipt, seller
from tests.intake.counter import Counter
from tests.races import calls
from tests.races.books import deadlocks, faults
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd

THREADS = 16
DAYS = (date(2086, 8, 20), date(2087, 8, 20), date(2088, 8, 20))
"""Three quota years, the first with a budget that runs out."""


class Market:
    """Few enterprises, providers and invoices, so that chunks meet all the time."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.parties: list[Party] = [buyer(WUJIANG) for _ in range(6)]
        self.provider = seller(WUJIANG)
        self.numbers = [invoice_number() for _ in range(40)]

    def body(self, programme: Programme) -> Body:
        amount = f"{self.rng.randrange(1, 400)}00.00"
        on = self.rng.choice(DAYS)
        made = claim(programme, amount, on=on, by=self.rng.choice(self.parties), to=self.provider)
        if self.rng.random() < 0.6:
            made["invoices"][0]["number"] = self.rng.choice(self.numbers)
        if self.rng.random() < 0.1:
            made["receipts"] = [receipt("0.01", on)]
        if self.rng.random() < 0.2:
            made["documents"][1]["sha256"] = f"{self.rng.randrange(8):064x}"
        return made

    def chunk(self, number: int, size: int) -> Call:
        programme = (JIANGSU, WUJIANG)[number % 2]
        platform = programme.platform if number % 4 else "delta"
        return Call(calls.import_all, ([self.body(programme) for _ in range(size)], platform))


def campaign(crowd: Crowd, counter: Counter, auditor: Engine, rounds: int, size: int) -> None:
    counter.do(
        lambda work: budgets.appropriate(
            work.connection, "jiangsu", "provincial", DAYS[0].year, Money.parse("60000.00"), work.at
        ),
        "jiangsu",
    )
    before = deadlocks(auditor)
    market = Market(rounds)
    taken: list[tuple[UUID, str]] = []
    for _ in range(rounds):
        [chunks] = crowd.meet([market.chunk(number, size) for number in range(THREADS)])
        assert all(isinstance(chunk, list) for chunk in chunks), chunks
        for number, chunk in enumerate(chunks):
            assert {one.status for one in chunk} == {201}
            tenant = ("jiangsu", "wujiang")[number % 2]
            taken += [(one.claim_id, tenant) for one in chunk if one.takes_money]
        market.rng.shuffle(taken)
        _disturbed(crowd, market, taken, size)
        assert faults(auditor) == []
    assert deadlocks(auditor) == before


def _disturbed(crowd: Crowd, market: Market, taken: list[tuple[UUID, str]], size: int) -> None:
    """A round in which half of the threads submit while the others decide."""
    wanted = []
    for number in range(THREADS):
        if number % 2 or not taken:
            wanted.append(market.chunk(number // 2, size))
        else:
            claim_id, tenant = taken.pop()
            what = market.rng.choice((("withdraw",), ("review",), ("review", "correct")))
            wanted.append(Call(calls.decide, (claim_id, tenant, *what)))
    [seen] = crowd.meet(wanted)
    assert not [one for one in seen if isinstance(one, Exception)], seen


def test_overlapping_chunks_never_deadlock_and_their_sums_hold(crowd: Crowd, counter: Counter, auditor: Engine) -> None:
    campaign(crowd, counter, auditor, rounds=3, size=15)


def test_reservations_that_expire_while_their_enterprises_claim_wait_for_nobody_in_a_circle(
    crowd: Crowd, counter: Counter, auditor: Engine
) -> None:
    before = deadlocks(auditor)
    new_year = datetime(2025, 1, 2, 1, tzinfo=UTC)
    parties, provider = [buyer(WUJIANG) for _ in range(15)], seller(WUJIANG)
    for party in parties:
        counter.confirm(counter.reserve(_request(party, provider), "delta"))
    day = date(2024, 12, 20)
    claims = [
        Call(calls.submit_late, (new_year, claim(WUJIANG, on=day, by=party, to=provider), "delta")) for party in parties
    ]
    [[expired, *seen]] = crowd.meet([Call(calls.expire, (new_year,)), *claims])
    assert expired >= 15
    assert all(isinstance(one, Seen) and one.state == "in_review" for one in seen), seen
    assert faults(auditor) == []
    assert deadlocks(auditor) == before


def _request(party: Party, provider: Party) -> Body:
    body = claim(WUJIANG, mode="cross_redemption", by=party, to=provider)
    shared = ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract")
    return {name: body[name] for name in shared} | {"requested_at": "2024-09-01T12:00:00+08:00"}


@pytest.mark.long
def test_a_long_campaign_of_overlapping_chunks_keeps_its_sums(crowd: Crowd, counter: Counter, auditor: Engine) -> None:
    campaign(crowd, counter, auditor, rounds=40, size=40)
