"""A bulk looks before it locks: who takes a key or a quota meanwhile is met, and what is not kept is free."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Engine

from clearing.claims.case import Desk
from clearing.claims.free_keys import FEW
from clearing.claims.intake import submit
from clearing.claims.records import ClaimView
from connectors.reading import read_submission
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.money import ZERO, Money, total
from tests.intake.bodies import JIANGSU, Body, again, buyer, claim, seller
from tests.intake.counter import Counter
from tests.races.books import deadlocks, faults
from tests.races.test_blind_registry import wait_for_a_waiting_session

DESK = Desk("jiangsu", "jssic", "test-client", "test-client", may_import=False, demonstration=True)


def bulk(first: Body) -> list[Body]:
    return [first, *(claim(by=buyer(JIANGSU), to=seller(JIANGSU)) for _ in range(FEW))]


def held(counter: Counter, claim_id: UUID) -> int:
    """How many keys the claim holds."""
    [(count,)] = counter.rows("select count(*) from registry_holding where holder_id = %s", claim_id)
    return int(count)


class _GivesUpError(Exception):
    """Whoever was first rolls back."""


def beside(counter: Counter, *, gives_up: bool) -> list[ClaimView | None]:
    """What becomes of a bulk that states, by another enterprise, the invoice of a claim that is not committed yet."""
    first, at = claim(), datetime(2024, 9, 1, 9, tzinfo=UTC)
    second = claim(by=buyer(JIANGSU), to=seller(JIANGSU))
    second["invoices"][0]["number"] = first["invoices"][0]["number"]
    with ThreadPoolExecutor(1) as other:
        with suppress(_GivesUpError), transaction(counter.app, Scope(("jiangsu",), "jssic"), FixedClock(at)) as work:
            [outcome] = submit(work, counter.vault, DESK, [read_submission(first)])
            assert outcome.view is not None
            assert outcome.view.row.state == "in_review"
            waiting = other.submit(counter.submit_all, bulk(second))
            wait_for_a_waiting_session(counter)
            if gives_up:
                raise _GivesUpError
        return [one.view for one in waiting.result(timeout=60)]


def test_a_bulk_waits_for_who_takes_its_key_first_and_then_meets_the_key(counter: Counter, auditor: Engine) -> None:
    before = deadlocks(auditor)
    views = beside(counter, gives_up=False)
    assert [view.row.state for view in views if view is not None] == ["on_hold", *["in_review"] * FEW]
    assert faults(auditor) == []
    assert deadlocks(auditor) == before


def test_a_bulk_takes_the_key_where_who_was_first_gives_up(counter: Counter, auditor: Engine) -> None:
    views = beside(counter, gives_up=True)
    assert [view.row.state for view in views if view is not None] == ["in_review"] * (FEW + 1)
    assert faults(auditor) == []


def test_a_bulk_that_waited_for_an_enterprises_account_is_assessed_by_what_is_taken_of_it_then(
    counter: Counter, auditor: Engine
) -> None:
    party, at = buyer(JIANGSU), datetime(2024, 9, 1, 9, tzinfo=UTC)
    with ThreadPoolExecutor(1) as other:
        with transaction(counter.app, Scope(("jiangsu",), "jssic"), FixedClock(at)) as work:
            [outcome] = submit(work, counter.vault, DESK, [read_submission(claim(by=party))])
            assert outcome.view is not None
            waiting = other.submit(counter.submit_all, bulk(claim(by=party, to=seller(JIANGSU))))
            wait_for_a_waiting_session(counter)
        views = [one.view for one in waiting.result(timeout=60)]
    assert quota_taken(counter, views) == [Money(outcome.view.row.award_fen), *[ZERO] * FEW]
    assert faults(auditor) == []


def test_each_claim_of_a_bulk_sees_what_those_before_it_took(counter: Counter, auditor: Engine) -> None:
    party = buyer(JIANGSU)
    views = [
        one.view
        for one in counter.submit_all([claim(by=party, to=seller(JIANGSU)) for _ in range(3)] + bulk(claim(by=party)))
    ]
    awards = [Money(view.row.award_fen) for view in views if view is not None]
    taken = [total(awards[:place]) for place in range(4)]
    assert quota_taken(counter, views) == taken + [ZERO] * FEW
    assert len(set(taken)) == 4
    assert faults(auditor) == []


def quota_taken(counter: Counter, views: Sequence[ClaimView | None]) -> list[Money]:
    """What the stored facts of each claim say of its enterprise's quota."""
    rows = counter.rows(
        "select claim_id, facts::json->>'quota_taken' from assessment where claim_id = any(%s)",
        [view.row.id for view in views if view is not None],
    )
    said = dict(tuple(row) for row in rows)
    return [Money.parse(said[view.row.id]) for view in views if view is not None]


def test_a_claim_of_a_bulk_that_is_refused_keeps_no_key(counter: Counter, auditor: Engine) -> None:
    refused = claim(by=buyer(JIANGSU), to=seller(JIANGSU))
    refused["enterprise"]["division"] = "110108"
    views = [one.view for one in counter.submit_all(bulk(refused))]
    assert views[0] is not None
    assert views[0].row.state == "rejected"
    assert held(counter, views[0].row.id) == 0
    refused = again(refused)
    refused["enterprise"]["division"] = "320500"
    later = counter.submit(refused)
    assert later.row.state == "in_review"
    assert held(counter, later.row.id) > 0
    assert faults(auditor) == []
