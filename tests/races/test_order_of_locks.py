"""The order of locks: whoever waits for an account does not hold the audit chain, which the account's holder wants."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from clearing.claims.records import ClaimView
from tests.intake.bodies import WUJIANG, Body, buyer, claim, seller
from tests.intake.counter import Counter
from tests.races.test_blind_registry import wait_for_a_waiting_session

DAY = date(2089, 3, 1)
"""In a year whose budget has no limit, so that no intake looks at it."""


def submitted(counter: Counter, _: ClaimView) -> ClaimView:
    return counter.submit(_claim())


def withdrawn(counter: Counter, earlier: ClaimView) -> ClaimView:
    return counter.withdraw(earlier)


def rejected(counter: Counter, earlier: ClaimView) -> ClaimView:
    return counter.review(earlier, "reject", reason="票据不符")


def lowered(counter: Counter, earlier: ClaimView) -> ClaimView:
    return counter.review(earlier, award="1.00", reason="核减")


def _claim() -> Body:
    return claim(WUJIANG, on=DAY, by=buyer(WUJIANG), to=seller(WUJIANG))


@pytest.mark.parametrize("act", [submitted, withdrawn, rejected, lowered], ids=lambda act: act.__name__)
def test_what_waits_for_a_budget_does_not_hold_the_audit_chain(
    counter: Counter, act: Callable[[Counter, ClaimView], ClaimView]
) -> None:
    earlier = counter.submit(_claim())
    with counter.app.connect() as holder, ThreadPoolExecutor(1) as other:
        holder.exec_driver_sql("select * from bind_scope('wujiang', null)")
        budget = "select limit_fen from ledger_account where code = 'budget/delta/2089' for no key update"
        assert holder.exec_driver_sql(budget).scalar_one() is None
        waiting = other.submit(act, counter, earlier)
        try:
            wait_for_a_waiting_session(counter)
            head = holder.exec_driver_sql("select seq from audit_head where tenant = 'wujiang' for update nowait")
            assert head.scalar_one() > 0
        finally:
            holder.rollback()
        assert waiting.result(timeout=60).row.tenant == "wujiang"
