"""One invoice claimed at the same instant through two platforms, in disguises: exactly one claim has it."""

from random import Random

import pytest
from sqlalchemy import Engine

from clearing.demonstration.disguises import dashes, full_width, prefixed, spaces, taken_apart
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, invoice_number, like, receipt, seller
from tests.races import calls
from tests.races.books import deadlocks, faults
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd, Round

THREADS = 32
DISGUISES = (full_width, spaces, dashes, prefixed, taken_apart)


def one_round(rng: Random) -> Round:
    """So many claims on one spending, half of them through each platform."""
    first = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first["invoices"][0]["number"] = invoice_number()
    return [_claimant(rng, first, number) for number in range(THREADS)]


def _claimant(rng: Random, first: Body, number: int) -> Call:
    programme = (JIANGSU, WUJIANG)[number % 2]
    body = again(first) if programme is JIANGSU else like(first, WUJIANG)
    DISGUISES[number % len(DISGUISES)](rng, body)
    if number % 3:  # under a contract of its own, so that the invoice alone tells
        body["contract"] = body["contract"] | {"number": f"{body['contract']['number']}-{number}"}
    body["receipts"] = [receipt("10000.00")]
    return Call(calls.submit, (body, programme.platform))


def race(crowd: Crowd, auditor: Engine, invoices: int) -> None:
    rng = Random(7)
    before = deadlocks(auditor)
    for batch in range(0, invoices, 50):
        rounds = [one_round(rng) for _ in range(min(50, invoices - batch))]
        for seen in crowd.meet(*rounds):
            _check(seen)
    assert faults(auditor) == []
    assert deadlocks(auditor) == before


def _check(round_: list[Seen]) -> None:
    assert all(isinstance(seen, Seen) for seen in round_), round_
    assert {seen.status for seen in round_} == {201}
    winners = [seen for seen in round_ if seen.takes_money]
    assert len(winners) == 1, round_
    assert winners[0].award.fen in {250_000, 300_000}
    for loser in round_:
        if loser is not winners[0]:
            assert loser.state == "rejected"
            assert loser.codes & {"duplicate.cross_scheme", "duplicate.invoice_exhausted"}


def test_one_invoice_claimed_by_32_threads_through_two_platforms_has_one_winner(crowd: Crowd, auditor: Engine) -> None:
    race(crowd, auditor, 40)


@pytest.mark.long
def test_a_thousand_invoices_claimed_by_32_threads_each_have_one_winner(crowd: Crowd, auditor: Engine) -> None:
    race(crowd, auditor, 1000)


def test_strangers_on_one_invoice_all_wait_but_one_and_no_fen_is_held_twice(crowd: Crowd, auditor: Engine) -> None:
    number = invoice_number()
    bodies = []
    for _ in range(16):
        bodies.append(claim())
        bodies[-1]["invoices"][0]["number"] = number
    [seen] = crowd.meet([Call(calls.submit, (body, "jssic")) for body in bodies])
    states = sorted(str(one.state) for one in seen)
    assert states == ["in_review"] + ["on_hold"] * 15
    assert all(one.codes in ({"duplicate.foreign_invoice"}, set()) for one in seen)
    assert faults(auditor) == []
