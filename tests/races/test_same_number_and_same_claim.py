"""Many threads send the same claim, correct the same claim, or decide the same claim: it happens once."""

from collections import Counter as Tally
from copy import deepcopy

import pytest
from sqlalchemy import Engine

from tests.intake.bodies import again, claim, invoice_number, receipt
from tests.intake.counter import Counter
from tests.races import calls
from tests.races.books import deadlocks, faults
from tests.races.calls import Seen
from tests.races.crowd import Call, Crowd

THREADS = 16


@pytest.fixture(autouse=True)
def books_in_order(auditor: Engine) -> object:
    before = deadlocks(auditor)
    yield
    assert faults(auditor) == []
    assert deadlocks(auditor) == before


def test_the_same_claim_sent_by_16_threads_is_stored_once(crowd: Crowd) -> None:
    for seen in crowd.meet(*[[Call(calls.submit, (body, "jssic"))] * THREADS for body in (claim(), claim(), claim())]):
        assert Tally(one.status for one in seen) == {201: 1, 200: THREADS - 1}, seen
        assert len({one.claim_id for one in seen}) == 1


def test_of_16_contents_under_one_number_one_is_stored_and_the_others_conflict(crowd: Crowd) -> None:
    body = claim()
    variants = [body | {"payee": body["payee"] | {"account_number": f"62220000{n:08d}"}} for n in range(THREADS)]
    [seen] = crowd.meet([Call(calls.submit, (one, "jssic")) for one in variants])
    assert Tally(one.status for one in seen) == {201: 1, 409: THREADS - 1}, seen
    assert {one.codes for one in seen if one.status == 409} == {frozenset({"claim.content_differs"})}


def test_the_same_chunk_sent_by_16_threads_in_any_order_is_stored_once(crowd: Crowd) -> None:
    bodies = [claim() for _ in range(12)]
    chunks = [bodies[n:] + bodies[:n] for n in range(THREADS)]
    [seen] = crowd.meet([Call(calls.submit_all, (chunk, "jssic")) for chunk in chunks])
    assert all(isinstance(one, list) for one in seen), seen
    assert Tally(one.status for chunk in seen for one in chunk) == {201: 12, 200: 12 * (THREADS - 1)}


def test_a_correction_sent_by_16_threads_is_one_revision(crowd: Crowd, counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    first = counter.submit(body)
    corrected = deepcopy(body) | {"receipts": [receipt("10000.00")]}
    [seen] = crowd.meet([Call(calls.submit, (corrected, "jssic"))] * THREADS)
    assert Tally(one.status for one in seen) == {201: 1, 200: THREADS - 1}, seen
    assert counter.view(first).row.revision == 2


def test_corrections_that_take_each_others_old_invoices_end_without_deadlock(crowd: Crowd, counter: Counter) -> None:
    numbers = [invoice_number() for _ in range(THREADS)]
    bodies = []
    for number in numbers:
        body = claim()
        body["receipts"] = [receipt("1.00")]
        body["invoices"][0]["number"] = number
        counter.submit(body)
        bodies.append(body)
    swapped = []
    for position, body in enumerate(bodies):
        new = deepcopy(body) | {"receipts": [receipt("10000.00")]}
        new["invoices"][0]["number"] = numbers[position ^ 1]
        swapped.append(Call(calls.submit, (new, "jssic")))
    [seen] = crowd.meet(swapped)
    assert all(isinstance(one, Seen) and one.status == 201 for one in seen), seen


def test_a_stage_decided_by_16_reviewers_is_decided_once(crowd: Crowd, counter: Counter) -> None:
    first = counter.submit(claim())
    [seen] = crowd.meet([Call(calls.decide, (first.row.id, "jiangsu", "review"))] * THREADS)
    assert Tally(seen) == {"approved": 1, "claim.state": THREADS - 1}
    assert counter.rows("select count(*) from review where claim_id = %s", first.row.id) == [(1,)]


def test_a_claim_approved_and_withdrawn_at_once_leaves_its_books_in_order(crowd: Crowd, counter: Counter) -> None:
    rounds = []
    for _ in range(8):
        claim_id = counter.submit(claim()).row.id
        rounds.append([Call(calls.decide, (claim_id, "jiangsu", ("review", "withdraw")[n % 2])) for n in range(4)])
    for seen in crowd.meet(*rounds):
        assert set(seen) <= {"approved", "withdrawn", "claim.state"}, seen
        assert "withdrawn" in seen


def test_of_many_who_wait_for_one_invoice_one_is_cleared(crowd: Crowd, counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    waiting = []
    for _ in range(THREADS):
        other = claim()
        other["invoices"][0]["number"] = body["invoices"][0]["number"]
        waiting.append(counter.submit(other).row.id)
    counter.withdraw(first)
    hold = "duplicate.foreign_invoice"
    [seen] = crowd.meet([Call(calls.decide, (claim_id, "jiangsu", "resolve", hold)) for claim_id in waiting])
    assert Tally(seen) == {"in_review": 1, "duplicate.still_taken": THREADS - 1}, seen


def test_a_withdrawal_and_a_new_claim_on_its_spending_agree_on_who_has_it(crowd: Crowd, counter: Counter) -> None:
    rounds = []
    for _ in range(10):
        body = claim()
        claim_id = counter.submit(body).row.id
        coming = [Call(calls.submit, (again(body), "jssic")) for _ in range(3)]
        rounds.append([Call(calls.decide, (claim_id, "jiangsu", "withdraw")), *coming])
    for withdrawn, *newcomers in crowd.meet(*rounds):
        assert withdrawn == "withdrawn"
        assert all(isinstance(one, Seen) for one in newcomers), newcomers
        assert sum(one.state == "in_review" for one in newcomers) <= 1
