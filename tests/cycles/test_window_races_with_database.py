"""Thirty-two postings and eight closings at once: every debt is in exactly one window, and every window adds up."""

import threading
from collections import Counter
from collections.abc import Callable
from itertools import cycle as around
from random import Random

from settlement.cycles import cycle_steps
from settlement.cycles.cycle import cells_of, ensure_open
from settlement.cycles.netting import positions
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OVER

POSTERS, CLOSERS = 32, 8


def at_once(calls: list[Callable[[], object]]) -> list[BaseException]:
    """Run all calls in threads that begin together; what they raised."""
    ready, raised = threading.Barrier(len(calls)), []

    def run(call: Callable[[], object]) -> None:
        ready.wait(60)
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - whatever it is fails the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return raised


def test_postings_and_closings_at_once_lose_no_debt_and_unbalance_no_window(regions: Regions) -> None:
    a, b, c = regions.tenants
    for one, other in ((a, b), (b, c), (a, c)):
        regions.agreed(one, other)
    random, pairs = Random(3), around([(a, b), (b, c), (c, a), (b, a), (a, c)])
    amounts = [f"{random.randrange(1, 500)}.{random.randrange(100):02d}" for _ in range(POSTERS)]
    batches = [regions.sealed(*pair, amount) for pair, amount in zip(pairs, amounts, strict=False)]
    posting, closed = threading.Event(), Counter[str]()
    left = [POSTERS]
    lock = threading.Lock()

    def post(number: int) -> None:
        try:
            assert regions.release(batches[number]).state == "released"
        finally:
            with lock:
                left[0] -= 1
                if not left[0]:
                    posting.set()

    def close(number: int) -> None:
        while not posting.is_set():
            try:
                regions.close(regions.open_window(), actor=f"closer {number}")
                closed["done"] += 1
            except Conflict as conflict:
                closed[conflict.code] += 1

    calls: list[Callable[[], object]] = [lambda n=n: post(n) for n in range(POSTERS)]  # type: ignore[misc]
    calls += [lambda n=n: close(n) for n in range(CLOSERS)]  # type: ignore[misc]
    assert at_once(calls) == []
    regions.close(actor="the last closer")
    windows = regions.rows(
        "select id, cycle_no, state from clearing_cycle where agreement_set = %s order by cycle_no",
        regions.agreement_set,
    )
    assert [window.cycle_no for window in windows] == list(range(1, len(windows) + 1))
    assert [window.state for window in windows].count("open") == 1
    assert closed["done"] == len(windows) - 2
    assert closed.keys() <= {"done", "cycle.state"}
    debts = regions.rows("select claim_id, cycle_id, amount_fen from clearing_debt where tenant = any(%s)", [a, b, c])
    assert len(debts) == len({debt.claim_id for debt in debts}) == POSTERS
    assert sum(debt.amount_fen for debt in debts) == sum(batch.total_fen for batch in batches)
    for window in windows:
        cells = regions.do(lambda k, window=window: cells_of(k, window.id, regions.tenants))  # type: ignore[misc]
        within = [debt.amount_fen for debt in debts if debt.cycle_id == window.id]
        assert sum(cell.gross.fen for cell in cells) == sum(within)
        assert sum(cell.debts for cell in cells) == len(within)
        assert sum(position.net.fen for position in positions(cells).values()) == 0
    assert len({debt.cycle_id for debt in debts}) > 1, "no closing came between the postings"


def test_of_many_who_open_a_window_at_once_all_get_the_same(regions: Regions) -> None:
    a, b, _ = regions.tenants
    name, found = f"{regions.agreement_set}-x", []

    def open_one(number: int) -> None:
        found.append(regions.do(lambda k: ensure_open(k, name, (a, b), f"opener {number}", OVER)).id)

    calls: list[Callable[[], object]] = [lambda n=n: open_one(n) for n in range(12)]  # type: ignore[misc]
    assert at_once(calls) == []
    assert len(found) == 12
    assert len(set(found)) == 1
    opened = regions.rows(
        "select tenant from audit_entry where action = 'cycle.opened' and subject_id = %s order by tenant", found[0]
    )
    assert [tenant for (tenant,) in opened] == sorted((a, b))


def test_of_two_who_close_the_same_window_at_once_exactly_one_does(regions: Regions) -> None:
    regions.agreed(*regions.tenants[:2])
    window = regions.open_window()
    calls: list[Callable[[], object]] = [
        lambda n=n: regions.do(lambda k: cycle_steps.close(k, window, regions.tenants, f"closer {n}", OVER))  # type: ignore[misc]
        for n in range(8)
    ]
    raised = at_once(calls)
    assert [type(error) for error in raised] == [Conflict] * 7
    assert len(regions.rows("select 1 from clearing_cycle where agreement_set = %s", regions.agreement_set)) == 2


def test_of_two_batches_that_together_pass_the_limit_one_is_held(regions: Regions) -> None:
    a, b, _ = regions.tenants
    regions.agreed(a, b, exposure_limit=Money(10_000), exposure_approver="chief")
    batches = [regions.sealed(a, b, "60.00") for _ in range(4)]
    calls: list[Callable[[], object]] = [lambda one=one: regions.release(one) for one in batches]  # type: ignore[misc]
    assert at_once(calls) == []
    states = Counter(regions.bench(a).read(batch).state for batch in batches)
    assert states == {"released": 1, "sealed": 3}
