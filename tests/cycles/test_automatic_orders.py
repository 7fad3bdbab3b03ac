"""Orders that go to their banks by themselves: only where both regions agreed, once, whatever is killed on the way."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from settlement.bank.automatic import find_due, send_due
from settlement.bank.host import HttpBank
from settlement.bank.simulator import BankServer, Books
from settlement.cycles.cycle import Cycle
from tenants.kernel.errors import Invalid
from tests.cycles.orders import Banks
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OVER


@pytest.fixture
def banks(regions: Regions, tmp_path: Path) -> Banks:
    return Banks(regions, tmp_path)


def owing(banks: Banks, *, netting: str = "gross", agreed: tuple[bool, bool] = (True, True)) -> Cycle:
    """a owes b 100.00 and c 50.00, by agreements that let orders go by themselves, or do not."""
    a, b, c = banks.regions.tenants
    for other, by_itself in zip((b, c), agreed, strict=True):
        banks.regions.agreed(a, other, netting=netting, sends_orders=by_itself)
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "100.00")
    banks.regions.owe(a, c, "50.00")
    banks.set_accounts()
    return banks.confirmed()


def look(banks: Banks) -> int:
    """One look of the scheduler; how many were ordered of these regions'."""
    due = [
        each
        for each in banks.do(lambda c: find_due(c, banks.office), tenants=banks.everyone())
        if each.tenant in banks.regions.tenants
    ]
    for each in due:
        banks.do(lambda c, d=each: send_due(c, d, banks.office, OVER), tenants=(each.tenant,))  # type: ignore[misc]
    return len(due)


def ordered(banks: Banks, cycle: Cycle) -> set[str]:
    rows = banks.regions.rows(
        "select o.kind || coalesce(' to ' || o.counterparty, '') as name, s.ordered_by from bank_submission s "
        "join clearing_order o on o.tenant = s.tenant and o.id = s.order_id where o.cycle_id = %s",
        cycle.id,
    )
    assert {row.ordered_by for row in rows} <= {"system"}
    return {row.name for row in rows}


def test_nothing_goes_by_itself_unless_both_sides_agreed_to_it(banks: Banks) -> None:
    cycle = owing(banks, agreed=(False, False))
    assert look(banks) == 0
    assert ordered(banks, cycle) == set()


def test_of_two_pairs_only_the_one_that_agreed_has_its_payment_sent_and_once(banks: Banks) -> None:
    b = banks.regions.tenants[1]
    cycle = owing(banks, agreed=(True, False))
    assert [look(banks), look(banks)] == [1, 0]
    assert ordered(banks, cycle) == {f"payment to {b}"}


def test_what_goes_through_the_agent_needs_every_agreement_of_the_region(banks: Banks) -> None:
    cycle = owing(banks, netting="multilateral", agreed=(True, False))
    assert look(banks) == 0
    assert ordered(banks, cycle) == set()


def test_pay_outs_follow_once_everything_is_paid_in(banks: Banks) -> None:
    cycle = owing(banks, netting="multilateral")
    assert [look(banks), look(banks)] == [1, 0]
    assert ordered(banks, cycle) == {"pay_in"}
    [pay_in] = banks.orders(cycle, "pay_in")
    banks.pay(pay_in)
    assert [look(banks), look(banks)] == [2, 0]
    for pay_out in banks.orders(cycle, "pay_out"):
        banks.pay(pay_out)
    assert banks.regions.read(cycle).state == "settled"


def test_only_agreements_that_make_debts_send_orders(banks: Banks) -> None:
    a, b, _ = banks.regions.tenants
    with pytest.raises(Invalid) as refused:
        banks.regions.propose(a, b, "direct", sends_orders=True)
    assert [each.code for each in refused.value.errors] == ["sends_orders.form"]


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(engine: Engine, number: int) -> Iterator[list[int]]:
    """The process is killed before its statement of this number; how many there were."""
    seen = [0]

    def count(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == number:
            raise Killed

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", count)


LOSSES = {"nothing is lost": [], "the answer is lost": ["lose_answer"], "the request is lost": ["lose_request"]}


@pytest.mark.parametrize("script", LOSSES.values(), ids=LOSSES.keys())
def test_killed_at_every_step_the_bank_has_each_order_once(banks: Banks, script: list[str]) -> None:
    """Scheduler and worker die before each of their statements in turn, and begin again: it is paid once."""
    cycle = owing(banks, agreed=(True, False))
    [order] = [each for each in banks.orders(cycle) if each.counterparty == banks.regions.tenants[1]]
    books = Books(script=deque(script))
    with BankServer(books) as server:
        port = HttpBank(server.address, None, read_seconds=5)

        def whole() -> str:
            look(banks)
            [row] = banks.regions.rows("select tenant, id, order_id from bank_submission where order_id = %s", order.id)
            return banks.attempt(order, row, port)

        for number in itertools.count(1):
            with killed_at(banks.regions.app, number) as seen:
                _until_killed(whole)
            if seen[0] < number:
                break
        assert [whole() for _ in range(4)][-1] == "accepted"
    assert number > 10, "there were that many steps to die at"
    assert len(books.execute()) == 1
    rows = banks.regions.rows("select count(*) as n from bank_submission where order_id = %s", order.id)
    assert rows[0].n == 1
    kinds = banks.regions.rows(
        "select c.kind, c.cleared_by from bank_call c join bank_submission s on s.tenant = c.tenant "
        "and s.id = c.submission_id where s.order_id = %s order by c.seq", order.id,
    )  # fmt: skip
    assert sum(row.kind == "submit" and row.cleared_by is None for row in kinds) == 1, "sent again only when cleared"


def _until_killed(act: Callable[[], object]) -> None:
    try:
        act()
    except Killed:
        return
