"""64 threads of four processes claim a thousand invoices in disguises: singly, in bulk, in parts, and stated as paid.

Whatever is answered, no fen of an invoice is awarded twice, nothing deadlocks, and nothing is answered by a fault of
ours; with the application looking away as well, where the database alone refuses.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import Engine

from clearing.demonstration.disguises import dashes, full_width, other_brackets, prefixed, spaces, taken_apart
from tenants.kernel.money import Money
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, invoice_number, like, receipt, seller
from tests.races import calls
from tests.races.books import deadlocks, faults
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd

THREADS = 64
ATTEMPTS_EACH = 10
AMOUNT = Money.parse("10000.00")
PARTS = ("10000.00", "5000.00", "4000.00", "2500.00")
DISGUISES = (full_width, spaces, dashes, prefixed, taken_apart, other_brackets)
SIZES = {"single": 1, "bulk": 4, "support": 3}
WAYS = ("single",) * 44 + ("bulk",) * 14 + ("support",) * 6


@dataclass
class Attempt:
    """One attempt on one invoice: how much of it."""

    invoice: int
    fen: int


@dataclass
class Market:
    """Invoices, and everything that anybody tried with them."""

    invoices: int
    rng: Random = field(default_factory=lambda: Random(7))
    firsts: list[Body] = field(default_factory=list)
    used: int = 0
    made: dict[UUID, Attempt] = field(default_factory=dict)
    answered: int = 0

    def open(self) -> None:
        """So many invoices, each of an enterprise of its own."""
        for _ in range(self.invoices):
            first = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
            first["contract"]["amount"] = "90000.00"
            first["invoices"][0]["number"] = invoice_number()
            self.firsts.append(first)

    def round(self) -> list[tuple[Call, list[Attempt]]]:
        """What each thread does next, all of it on the same few invoices."""
        needed = sum(SIZES[way] for way in WAYS) // ATTEMPTS_EACH
        window = [(self.used + number) % self.invoices for number in range(needed)]
        self.used += needed
        return [self._thread(number, way, window) for number, way in enumerate(WAYS)]

    def _thread(self, number: int, way: str, window: list[int]) -> tuple[Call, list[Attempt]]:
        programme = (JIANGSU, WUJIANG)[number % 2]
        chosen = [self.rng.choice(window) for _ in range(SIZES[way])]
        attempts = [Attempt(one, Money.parse(self.rng.choice(PARTS)).fen) for one in chosen]
        if way == "support":
            bodies = [self._stated(one) for one in attempts]
        else:
            bodies = [self._claimed(one, number) for one in attempts]
        return Call(calls.attempt, (way, bodies, programme.platform)), attempts

    def _claimed(self, one: Attempt, number: int) -> Body:
        first, programme = self.firsts[one.invoice], (JIANGSU, WUJIANG)[number % 2]
        body = again(first) if programme is JIANGSU else like(first, WUJIANG)
        amount = str(Money(one.fen))
        body["services"][0]["amount"] = amount
        body["invoices"] = [first["invoices"][0] | {"claimed_amount": amount}]
        body["receipts"] = [receipt(amount)]
        body["contract"] = first["contract"] | {"number": f"{first['contract']['number']}-{self.rng.random()}"}
        body["duplicate_explanation"] = "分次申请"
        self.rng.choice(DISGUISES)(self.rng, body)
        return body

    def _stated(self, one: Attempt) -> Body:
        first = self.firsts[one.invoice]
        spoken: Body = {"invoices": [dict(first["invoices"][0])], "contract": dict(first["contract"])}
        self.rng.choice((full_width, spaces, dashes, prefixed))(self.rng, spoken)
        key = {"kind": "invoice", "value": spoken["invoices"][0]["number"], "amount": str(Money(one.fen))}
        return {
            "platform": "wujiang-local", "external_id": f"R{self.rng.getrandbits(60)}", "tenant": "wujiang",
            "enterprise_uscc": first["enterprise"]["uscc"], "keys": [key], "supported_on": "2024-06-03",
        }  # fmt: skip

    def note(self, seen: list[Seen], attempts: list[Attempt]) -> None:
        """Remember what was stored."""
        assert len(seen) == len(attempts)
        self.answered += len(seen)
        self.made |= {one.claim_id: tried for one, tried in zip(seen, attempts, strict=True) if one.claim_id}


def awarded(auditor: Engine, market: Market) -> dict[int, int]:
    """The fen of each invoice that live claims and records have, by what this test knows of them."""
    with auditor.connect() as connection:
        holders = connection.exec_driver_sql(
            "select distinct h.holder_id from registry_holding h join registry_key k using (digest, exclusion_group) "
            "left join claim c on c.id = h.holder_id where k.kind = 'invoice' and h.status = 'taken' "
            "and (c.id is null or c.state in ('on_hold', 'in_review', 'approved')) and h.holder_id = any(%s)",
            (list(market.made),),
        ).scalars()
        sums: dict[int, int] = defaultdict(int)
        for holder in holders:
            sums[market.made[holder].invoice] += market.made[holder].fen
        paid = connection.exec_driver_sql(
            "select id from claim where state in ('in_review', 'approved') and id = any(%s)", (list(market.made),)
        ).scalars()
        only: dict[int, int] = defaultdict(int)
        for claim_id in paid:
            only[market.made[claim_id].invoice] += market.made[claim_id].fen
    assert all(only[one] <= sums[one] for one in only), "an award without its fen"
    return sums


STORED = frozenset({200, 201, 409})
OR_BUSY = STORED | {503}
"""Without its own look the application tries again and again what the database refuses, and others wait for it."""


def campaign(crowd: Crowd, auditor: Engine, invoices: int, attempts: int, statuses: frozenset[int] = STORED) -> Market:
    before = deadlocks(auditor)
    market = Market(invoices)
    market.open()
    while market.answered < attempts or market.used < invoices:
        wanted = market.round()
        [seen] = crowd.meet([call for call, _ in wanted])
        assert not [one for one in seen if isinstance(one, Exception)], seen
        for answers, (_, tried) in zip(seen, wanted, strict=True):
            assert {one.status for one in answers} <= statuses
            market.note(answers, tried)
    sums = awarded(auditor, market)
    assert max(sums.values()) == AMOUNT.fen
    assert all(fen <= AMOUNT.fen for fen in sums.values())
    assert deadlocks(auditor) == before
    return market


def test_no_fen_is_awarded_twice_whatever_way_it_is_claimed(crowd: Crowd, auditor: Engine) -> None:
    campaign(crowd, auditor, invoices=20, attempts=200)
    assert faults(auditor) == []


def test_with_the_application_looking_away_the_database_alone_holds(blind_crowd: Crowd, auditor: Engine) -> None:
    campaign(blind_crowd, auditor, invoices=20, attempts=200, statuses=OR_BUSY)
    assert faults(auditor) == []


@pytest.mark.long
def test_ten_thousand_attempts_on_a_thousand_invoices_award_no_fen_twice(crowd: Crowd, auditor: Engine) -> None:
    market = campaign(crowd, auditor, invoices=1000, attempts=10_000)
    assert faults(auditor) == []
    assert len({one.invoice for one in market.made.values()}) > 990  # a few were never drawn


@pytest.mark.long
def test_ten_thousand_attempts_pass_the_database_alone_no_better(blind_crowd: Crowd, auditor: Engine) -> None:
    campaign(blind_crowd, auditor, invoices=1000, attempts=10_000, statuses=OR_BUSY)
    assert faults(auditor) == []
