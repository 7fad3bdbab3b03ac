"""The ledger as the database keeps it: against a model of plain integers, and under threads."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from clearing.tenancy import budgets
from settlement import ledger
from settlement.ledger import AccountState, Sums, Transfer
from tenants.kernel.database import broken_constraint
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import read
from tests.settlement_service.bench import CUT, Bench, new_tenant

QUOTA, USED, OTHER = "quota/provincial/2024/x", "quota-used/provincial/2024", "quota/provincial/2024/y"


def open_with(bench: Bench, limits: dict[str, Money | None]) -> dict[str, AccountState]:
    def use_case(connection: Connection) -> dict[str, AccountState]:
        ledger.open_accounts(connection, bench.tenant, {USED: False})
        return read(connection, ledger.open_and_lock(bench.tenant, limits))

    return bench.do(use_case)


def append(bench: Bench, *transfers: Transfer) -> None:
    bench.do(lambda c: ledger.append(c, bench.tenant, transfers, CUT))


def sums(bench: Bench, code: str = QUOTA) -> Sums:
    return bench.do(lambda c: ledger.sums_of(c, bench.tenant, code))


def take(fen: int, debit: str = QUOTA) -> Transfer:
    return ledger.pending(debit, USED, Money(fen), "test", new_id())


def refused_by(call: Callable[[], object]) -> str | None:
    with pytest.raises(IntegrityError) as error:
        call()
    return broken_constraint(error.value)


def test_what_is_pending_then_posted_then_reversed_is_counted_at_every_step(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100)})
    first = take(60)
    append(bench, first)
    assert sums(bench) == Sums(Money(60), ZERO, ZERO, Money(100))
    append(bench, ledger.ended(first, "post", "approved"))
    assert sums(bench) == Sums(ZERO, Money(60), ZERO, Money(100))
    [posted] = bench.do(lambda c: ledger.standing_transfers(c, bench.tenant, [first.subject_id]))
    append(bench, ledger.reversal(posted, "withdrawn"))
    assert sums(bench) == Sums(ZERO, Money(60), Money(60), Money(100))
    assert sums(bench).taken == ZERO
    append(bench, take(100))


def test_a_pending_transfer_and_its_end_in_one_statement_leave_nothing(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(10)})
    first = take(10)
    append(bench, first, ledger.ended(first, "void", "at once"), take(10))
    assert sums(bench).taken == Money(10)


@pytest.mark.parametrize("first_end", ["post", "void"])
@pytest.mark.parametrize("second_end", ["post", "void"])
def test_what_is_pending_ends_once(bench: Bench, first_end: str, second_end: str) -> None:
    open_with(bench, {QUOTA: Money(100)})
    one = take(60)
    append(bench, one, ledger.ended(one, first_end, "first"))
    before = sums(bench)
    again = ledger.ended(one, second_end, "second")
    assert refused_by(lambda: append(bench, again)) == "ledger_transfer_ends_once"
    assert sums(bench) == before


def test_an_end_with_another_amount_or_other_accounts_is_refused(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100), OTHER: Money(100)})
    one = take(60)
    append(bench, one)
    end = ledger.ended(one, "void", "wrong")
    for wrong in (
        replace(end, amount=Money(59)),
        replace(end, debit=OTHER),
        replace(end, debit=end.credit, credit=end.debit),
        replace(end, pending_id=uuid4()),
        replace(end, pending_id=None),
    ):
        with pytest.raises(IntegrityError):
            append(bench, wrong)
    assert sums(bench).taken == Money(60)


def test_a_posted_transfer_is_taken_back_once_only(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100)})
    one = ledger.posted(QUOTA, USED, Money(60), "test", new_id())
    append(bench, one, ledger.reversal(one, "first"))
    assert refused_by(lambda: append(bench, ledger.reversal(one, "again"))) == "ledger_transfer_reversed_once"


@pytest.mark.parametrize("fen", [0, -1, -(10**15)])
def test_nothing_and_less_than_nothing_cannot_be_moved(bench: Bench, fen: int) -> None:
    open_with(bench, {QUOTA: Money(100)})
    with pytest.raises(IntegrityError):
        append(bench, take(fen))


def test_an_account_that_was_never_opened_takes_part_in_nothing(bench: Bench) -> None:
    open_with(bench, {QUOTA: None})
    with pytest.raises(IntegrityError):
        append(bench, take(1, "quota/unheard-of"))
    assert sums(bench, "quota/unheard-of") == Sums()


def test_another_tenants_account_of_the_same_name_is_another_account(bench: Bench, app: Engine, owner: Engine) -> None:
    neighbour = Bench(app, new_tenant(owner))
    for one in (bench, neighbour):
        open_with(one, {QUOTA: Money(100)})
    append(bench, take(100))
    append(neighbour, take(1))
    assert (sums(bench).taken, sums(neighbour).taken) == (Money(100), Money(1))


def test_the_limit_holds_to_the_fen_and_for_the_whole_of_one_statement(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100)})
    append(bench, take(99))
    assert refused_by(lambda: append(bench, take(1), take(1))) == "ledger_account_within_limit"
    append(bench, take(1))
    assert refused_by(lambda: append(bench, take(1))) == "ledger_account_within_limit"


def test_a_limit_lowered_below_what_is_taken_stops_at_what_is_taken(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100)})
    append(bench, take(60))
    assert open_with(bench, {QUOTA: Money(10)})[QUOTA] == AccountState(Money(60), Money(60))
    assert open_with(bench, {QUOTA: None})[QUOTA] == AccountState(Money(60), Money(60))
    assert open_with(bench, {QUOTA: Money(70)})[QUOTA].left == Money(10)


def test_an_account_without_limit_has_no_left_and_takes_anything(bench: Bench) -> None:
    assert open_with(bench, {QUOTA: None})[QUOTA] == AccountState(ZERO, None)
    append(bench, take(10**15))
    assert open_with(bench, {QUOTA: None})[QUOTA].left is None


def test_giving_back_frees_what_is_pending_and_what_is_posted_and_may_be_repeated(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100)})
    subject = new_id()
    waiting = ledger.pending(QUOTA, USED, Money(30), "test", subject)
    moved = ledger.posted(QUOTA, USED, Money(40), "test", subject)
    append(bench, waiting, moved, take(5))
    for _ in range(2):
        bench.do(lambda c: ledger.give_back(c, bench.tenant, [subject], "withdrawn", CUT))
        assert sums(bench).taken == Money(5)
    assert bench.do(lambda c: ledger.open_transfers(c, bench.tenant, [subject])) == []
    assert bench.do(lambda c: ledger.standing_transfers(c, bench.tenant, [subject])) == []


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["pending", "posted", "post", "void", "reverse"]), st.integers(0, 5), st.integers(1, 60)),
    max_size=12,
)


@given(ACTIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_counts_as_plain_integers_do(bench: Bench, actions: list[tuple[str, int, int]]) -> None:
    """``taken`` is what the model says; a step is refused exactly where the model would pass the limit."""
    quota, limit = f"quota/{new_id()}", 100
    open_with(bench, {quota: Money(limit)})
    taken, made, over = 0, list[Transfer](), set[Any]()
    for kind, pick, fen in actions:
        if kind in {"pending", "posted"}:
            step = Transfer(new_id(), kind, quota, USED, Money(fen), "test", new_id())
            change = fen
        else:
            wanted = {"posted", "post"} if kind == "reverse" else {"pending"}
            choices = [one for one in made if one.kind in wanted and not one.reverses and one.transfer_id not in over]
            if not choices:
                continue
            one = choices[pick % len(choices)]
            over.add(one.transfer_id)
            step = ledger.reversal(one, "test") if kind == "reverse" else ledger.ended(one, kind, "test")
            change = 0 if kind == "post" else -one.amount.fen
        if taken + change > limit:
            assert refused_by(lambda step=step: append(bench, step)) == "ledger_account_within_limit"  # type: ignore[misc]
            continue
        append(bench, step)
        made.append(step)
        taken += change
    assert sums(bench, quota).taken == Money(taken)


def test_sixteen_threads_never_take_more_than_the_cap_and_never_deadlock(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100), OTHER: Money(100)})
    done: list[int] = []
    faults: list[Exception] = []

    def take_from_both(connection: Connection, accounts: tuple[str, str]) -> None:
        ledger.lock_accounts(connection, bench.tenant, accounts)
        ledger.append(connection, bench.tenant, [take(3, account) for account in accounts], CUT)

    def take_some(thread: int) -> None:
        accounts = (QUOTA, OTHER) if thread % 2 else (OTHER, QUOTA)
        for _ in range(6):
            try:
                bench.do(lambda c, accounts=accounts: take_from_both(c, accounts))  # type: ignore[misc]
                done.append(3)
            except IntegrityError:
                continue
            except Exception as fault:  # noqa: BLE001 - any other fault of a thread is shown below
                faults.append(fault)

    threads = [threading.Thread(target=take_some, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sum(done) == 99
    assert (sums(bench).taken, sums(bench, OTHER).taken) == (Money(99), Money(99))


def test_an_appropriation_is_raised_and_lowered_but_never_below_what_is_committed(bench: Bench) -> None:
    def appropriate(fen: int) -> None:
        bench.do(lambda c: budgets.appropriate(c, bench.tenant, "provincial", 2024, Money(fen), CUT))

    def shown() -> tuple[object, ...]:
        body = bench.do(lambda c: budgets.read_budget(c, bench.tenant, "provincial", 2024))
        return body["amount"], body["reserved"], body["used"], body["left"]

    assert shown() == (None, "0.00", "0.00", None)
    appropriate(10_000)
    account = ledger.budget_account("provincial", 2024)
    bench.do(lambda c: ledger.open_accounts(c, bench.tenant, {USED: False}))
    append(bench, take(4_000, account), ledger.posted(account, USED, Money(1_000), "test", new_id()))
    assert shown() == ("100.00", "40.00", "10.00", "50.00")
    with pytest.raises(Conflict) as conflict:
        appropriate(4_999)
    assert conflict.value.code == "budget.below_commitments"
    appropriate(5_000)
    assert shown() == ("50.00", "40.00", "10.00", "0.00")
    assert refused_by(lambda: append(bench, take(1, account))) == "ledger_account_within_limit"
    appropriate(5_000)
    appropriate(7_000)
    append(bench, take(2_000, account))
    assert shown() == ("70.00", "60.00", "10.00", "0.00")


def test_two_appropriations_at_once_leave_one_of_them_whole(bench: Bench) -> None:
    faults: list[Exception] = []

    def appropriate(fen: int) -> None:
        try:
            bench.do(lambda c: budgets.appropriate(c, bench.tenant, "provincial", 2024, Money(fen), CUT))
        except Exception as fault:  # noqa: BLE001 - any fault of a thread is shown below
            faults.append(fault)

    threads = [threading.Thread(target=appropriate, args=(fen,)) for fen in (10_000, 20_000, 30_000) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    body = bench.do(lambda c: budgets.read_budget(c, bench.tenant, "provincial", 2024))
    assert faults == []
    assert body["amount"] in {"100.00", "200.00", "300.00"}
    assert body["left"] == body["amount"]


def test_a_reversal_of_another_amount_or_account_or_of_a_pending_transfer_is_refused(bench: Bench) -> None:
    open_with(bench, {QUOTA: Money(100), OTHER: Money(100)})
    moved, waiting = ledger.posted(QUOTA, USED, Money(60), "test", new_id()), take(10)
    append(bench, moved, waiting)
    exact = ledger.reversal(moved, "test")
    for wrong in (
        replace(exact, amount=Money(61)),
        replace(exact, credit=OTHER),
        replace(ledger.reversal(waiting, "test"), amount=Money(10)),
    ):
        assert "reverses" in str(refused_by(partial(append, bench, wrong)))
    append(bench, exact)
    assert sums(bench).taken == Money(10)
