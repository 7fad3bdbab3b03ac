"""Orders between tenants through banks: sent once, told of by statements; the banks' last word settles a cycle."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, IntegrityError

from settlement.bank.host import HttpBank
from settlement.bank.simulator import BankServer, Books
from settlement.bank.simulator.answers import camt053, entries_of, pain002
from settlement.cycles import cycle_steps
from settlement.cycles.cycle import Cycle
from settlement.cycles.order_file import order_file
from settlement.statements.line import StatementRefused
from settlement.statements.reconciliation import import_statement
from settlement.statements.statement_records import list_lines
from tenants.kernel.errors import Conflict, Forbidden, NotFound
from tenants.kernel.money import Money
from tests.cycles.orders import DAY, MAKER, OPERATOR, Banks
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OVER

YEAR = "provincial/2024"


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises((Conflict, Forbidden, NotFound)) as refused:
        call()
    return refused.value.code


def refused_by(call: Callable[[], object]) -> str | None:
    with pytest.raises(DBAPIError) as refused:
        call()
    assert isinstance(refused.value.orig, pg.Error)
    return refused.value.orig.diag.constraint_name


@pytest.fixture
def banks(regions: Regions, tmp_path: Path) -> Banks:
    return Banks(regions, tmp_path)


def owing(banks: Banks, netting: str = "multilateral") -> Cycle:
    """a owes b 400.00 and c owes a 300.00, b owes c 100.00 more: all confirmed, the orders made."""
    a, b, c = banks.regions.tenants
    for one, other in ((a, b), (b, c), (a, c)):
        banks.regions.agreed(one, other, netting=netting)
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "100.00", "300.00")
    banks.regions.owe(c, a, "300.00")
    banks.regions.owe(b, c, "100.00")
    banks.set_accounts()
    return banks.confirmed()


def test_a_cycle_is_settled_in_the_very_transaction_of_the_banks_last_word(banks: Banks) -> None:
    a, b, c = banks.regions.tenants
    cycle = owing(banks)
    orders = {(o.tenant, o.kind): o for o in banks.orders(cycle)}
    assert {key: str(o.amount) for key, o in orders.items()} == {
        (a, "pay_in"): "100.00", (c, "pay_in"): "200.00", (b, "pay_out"): "300.00",
    }  # fmt: skip
    for key in ((a, "pay_in"), (c, "pay_in")):
        banks.pay(orders[key])
        assert banks.read(orders[key]).state == "paid"
        assert banks.regions.read(cycle).state == "confirmed"
    banks.pay(orders[b, "pay_out"])
    settled = banks.regions.read(cycle)
    assert (settled.state, settled.settled_by) == ("settled", "system")
    for tenant, paid in ((a, 10000), (b, -30000), (c, 20000)):
        assert banks.balances(tenant, "netted", "settled", "clearing") == {f"settled/{YEAR}": paid}
    told = banks.regions.rows(
        "select tenant from audit_entry where subject_id = %s and action = 'cycle.settled' order by tenant", cycle.id
    )
    assert [row.tenant for row in told] == [a, b, c]


def test_the_agent_pays_nothing_out_before_everything_is_paid_in(banks: Banks) -> None:
    cycle = owing(banks)
    [pay_out] = banks.orders(cycle, "pay_out")
    assert code_of(lambda: banks.order_sending(pay_out)) == "order.not_paid_in"
    first, second = banks.orders(cycle, "pay_in")
    banks.pay(first)
    banks.pay(second, "returned")
    assert code_of(lambda: banks.order_sending(pay_out)) == "order.not_paid_in"
    insert = (
        "insert into clearing_order_file (tenant, order_id, sha256, size_bytes, sealed) values (%s, %s, %s, 1, 'x')"
    )
    digest = "0" * 64

    def past_the_service() -> None:
        def both(c: object) -> None:
            c.exec_driver_sql(insert, (pay_out.tenant, pay_out.id, digest))  # type: ignore[attr-defined]
            c.exec_driver_sql(  # type: ignore[attr-defined]
                "insert into bank_submission (tenant, id, order_id, message_id, method, file_name, file_sha256, "
                "ordered_by, ordered_at) values (%s, gen_random_uuid(), %s, 'X', 'folder', 'x', %s, 'x', now())",
                (pay_out.tenant, pay_out.id, digest),
            )

        banks.regions.do(both)

    assert refused_by(past_the_service) == "bank_submission_paid_in_first"


def test_no_person_settles_what_goes_through_a_bank(banks: Banks) -> None:
    cycle = owing(banks)

    def by_word(office: object = banks.office) -> Cycle:
        return banks.do(
            lambda c: cycle_steps.settle(c, cycle.id, banks.everyone(), office, OPERATOR, OVER),  # type: ignore[arg-type]
            tenants=banks.everyone(),
        )

    assert code_of(by_word) == "cycle.by_bank"
    first, *_ = banks.orders(cycle, "pay_in")
    banks.pay(first)
    unconnected = replace(banks.office, banks={})
    assert code_of(lambda: by_word(unconnected)) == "cycle.by_bank"
    update = "update clearing_cycle set state = 'settled', settled_by = 'x', settled_at = now() where id = %s"
    assert (
        refused_by(lambda: banks.regions.do(lambda c: c.exec_driver_sql(update, (cycle.id,))))
        == "clearing_cycle_by_bank"
    )


def test_where_no_bank_is_connected_an_imported_answer_settles_as_well(banks: Banks) -> None:
    """Files are downloaded and handed in by people; the bank's answer is imported, as for batches."""
    a, b, _ = banks.regions.tenants
    banks.regions.agreed(a, b, netting="gross")
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "70.00")
    banks.set_accounts()
    office = banks.office
    cycle = banks.confirmed()
    [order] = banks.orders(cycle)
    content = banks.do(lambda c: order_file(c, order, office), tenants=(a,))
    assert content == banks.do(lambda c: order_file(c, order, office), tenants=(a,))
    books = banks.books[a]
    books.receive(order.message_id, content)
    banks.hand_in(order, banks.statement(order, *books.execute()))
    assert banks.regions.read(cycle).state == "settled"
    assert code_of(lambda: banks.order_sending(order)) == "order.decided"


def test_a_returned_payment_is_reversed_in_both_books_and_ordered_anew(banks: Banks) -> None:
    a, b, c = banks.regions.tenants
    cycle = owing(banks, "bilateral")
    order = next(o for o in banks.orders(cycle) if (o.tenant, o.counterparty) == (a, b))
    banks.pay(order, "returned")
    assert banks.read(order).state == "returned"
    assert banks.outcomes(order) == {"paid", "returned"}
    assert banks.balances(a, "settled") == {}
    assert banks.balances(b, "settled") == {}
    proposed = banks.propose(order, "replace")
    assert code_of(lambda: banks.decide(proposed, actor=MAKER)) == "remedy.four_eyes"
    assert banks.decide(proposed).outcome == "approve"
    assert banks.decide(proposed).outcome == "approve"
    assert banks.read(order).state == "replaced"
    [made] = [o for o in banks.orders(cycle) if o.replaces == order.id]
    assert (made.amount, made.counterparty, made.said["replaces"]) == (order.amount, b, str(order.id))
    for each in banks.standing(cycle):
        banks.pay(each)
    assert banks.regions.read(cycle).state == "settled"
    nets = {t: banks.balances(t, "netted", "settled") for t in (a, b, c)}
    assert nets == {a: {f"settled/{YEAR}": 10000}, b: {f"settled/{YEAR}": -30000}, c: {f"settled/{YEAR}": 20000}}


@pytest.mark.parametrize("state", ["rejected", "returned"])
def test_a_cancelled_payment_is_owed_again_in_the_open_window_and_both_windows_are_zero_sum(
    banks: Banks, state: str
) -> None:
    a, b, c = banks.regions.tenants
    cycle = owing(banks, "gross")
    order = next(o for o in banks.orders(cycle) if (o.tenant, o.counterparty) == (a, b))
    banks.pay(order, state)
    remedy = banks.remedy(order, "cancel")
    assert remedy.outcome == "approve"
    assert banks.read(order).state == "cancelled"
    assert banks.balances(a, "clearing", "netted") == {f"clearing/{YEAR}/{b}": 40000, f"netted/{YEAR}": -30000}
    assert banks.balances(b, "clearing")[f"clearing/{YEAR}/{a}"] == -40000
    for each in banks.standing(cycle):
        banks.pay(each)
    assert banks.regions.read(cycle).state == "settled"
    second = banks.confirmed()
    [again] = banks.orders(second)
    assert (again.tenant, again.counterparty, str(again.amount)) == (a, b, "400.00")
    banks.pay(again)
    assert banks.regions.read(second).state == "settled"
    for tenant, paid in ((a, 10000), (b, -30000), (c, 20000)):
        assert banks.balances(tenant, "netted", "settled", "clearing") == {f"settled/{YEAR}": paid}


def test_a_cancelled_pay_in_takes_its_pay_outs_with_it_and_the_agent_is_back_at_zero(banks: Banks) -> None:
    regions = banks.regions
    a, b, c = regions.tenants
    for one, other in ((a, b), (a, c), (b, c)):
        regions.agreed(one, other)
    for tenant in regions.tenants:
        regions.bench(tenant).set_account()
    regions.owe(a, b, "70.00")
    regions.owe(a, c, "50.00")
    banks.set_accounts()
    cycle = banks.confirmed()
    [pay_in] = banks.orders(cycle, "pay_in")
    banks.pay(pay_in, "rejected")
    banks.remedy(pay_in, "cancel")
    assert banks.standing(cycle) == []
    assert banks.regions.read(cycle).state == "settled"
    assert {t: banks.balances(t, "clearing", "netted", "settled") for t in (a, b, c)} == {
        a: {f"clearing/{YEAR}/{b}": 7000, f"clearing/{YEAR}/{c}": 5000},
        b: {f"clearing/{YEAR}/{a}": -7000}, c: {f"clearing/{YEAR}/{a}": -5000},
    }  # fmt: skip


def test_of_two_pay_ins_the_one_that_is_cancelled_leaves_the_rest_of_the_pay_out(banks: Banks) -> None:
    a, b, c = banks.regions.tenants
    cycle = owing(banks)
    orders = {(o.tenant, o.kind): o for o in banks.orders(cycle)}
    banks.pay(orders[c, "pay_in"])
    banks.pay(orders[a, "pay_in"], "rejected")
    banks.remedy(orders[a, "pay_in"], "cancel")
    smaller = next(o for o in banks.standing(cycle) if o.kind == "pay_out")
    assert (str(smaller.amount), smaller.replaces) == ("200.00", orders[b, "pay_out"].id)
    assert banks.read(orders[b, "pay_out"]).state == "replaced"
    banks.pay(smaller)
    assert banks.regions.read(cycle).state == "settled"
    paid_in = sum(o.amount.fen for o in banks.orders(cycle, "pay_in") if o.state == "paid")
    paid_out = sum(o.amount.fen for o in banks.orders(cycle, "pay_out") if o.state == "paid")
    assert paid_in == paid_out == 20000
    second = banks.confirmed()
    assert {(o.tenant, o.kind): str(o.amount) for o in banks.orders(second)} == {
        (a, "pay_in"): "100.00", (b, "pay_out"): "100.00",
    }  # fmt: skip


def test_a_pay_in_that_comes_back_after_the_agent_paid_out_is_only_ordered_anew(banks: Banks) -> None:
    cycle = owing(banks)
    payments = {}
    for pay_in in banks.orders(cycle, "pay_in"):
        payments[pay_in.id] = banks.send(pay_in)
        banks.hand_in(pay_in, banks.statement(pay_in, payments[pay_in.id]))
    [pay_out] = banks.orders(cycle, "pay_out")
    banks.pay(pay_out)
    first = banks.orders(cycle, "pay_in")[0]
    later = banks.statement(first, replace(payments[first.id], state="returned"))
    banks.hand_in(first, later)
    assert banks.read(first).state == "returned"
    assert banks.regions.read(cycle).state == "settled", "what was settled stays so; the order waits for its remedy"
    cancelled = banks.propose(first, "cancel")
    assert code_of(lambda: banks.decide(cancelled)) == "order.paid_out"
    assert code_of(lambda: banks.propose(pay_out, "replace")) == "order.not_back"
    banks.remedy(first, "replace")
    [again] = [o for o in banks.orders(cycle) if o.replaces == first.id]
    banks.pay(again)
    assert banks.read(again).state == "paid"


def test_what_an_agent_pays_out_is_never_cancelled(banks: Banks) -> None:
    cycle = owing(banks)
    for pay_in in banks.orders(cycle, "pay_in"):
        banks.pay(pay_in)
    [pay_out] = banks.orders(cycle, "pay_out")
    banks.pay(pay_out, "rejected")
    assert code_of(lambda: banks.propose(pay_out, "cancel")) == "order.not_cancelled"
    refused = banks.decide(banks.propose(pay_out, "replace"), "refuse", reason="先核对账户")
    assert refused.outcome == "refuse"
    banks.remedy(pay_out, "replace")
    [again] = [o for o in banks.standing(cycle) if o.kind == "pay_out"]
    banks.pay(again)
    assert banks.regions.read(cycle).state == "settled"


def test_what_arrives_by_a_pay_out_is_told_by_the_receivers_own_statement_too(banks: Banks) -> None:
    cycle = owing(banks)
    for pay_in in banks.orders(cycle, "pay_in"):
        banks.pay(pay_in)
    [pay_out] = banks.orders(cycle, "pay_out")
    payment = banks.send(pay_out)
    assert pay_out.creditor is not None
    arrived = [replace(entry, is_credit=True) for entry in entries_of([payment])]
    content = camt053(pay_out.creditor.account_number, arrived, DAY)
    bench = banks.regions.bench(pay_out.tenant)
    batch = bench.instruct(bench.released("9.00"))
    banks.set_accounts()  # the bench has set its own
    path = banks.folder / "own"
    path.write_bytes(content)
    banks.do(
        lambda c: import_statement(c, pay_out.tenant, batch.id, path, MAKER, OVER, banks.office),
        tenants=(pay_out.tenant,),
    )
    assert banks.read(pay_out).state == "paid"
    assert banks.regions.read(cycle).state == "settled"


def test_the_same_statement_twice_changes_nothing_and_another_tenants_is_refused(banks: Banks) -> None:
    cycle = owing(banks)
    first, second = banks.orders(cycle, "pay_in")
    payment = banks.send(first)
    content = banks.statement(first, payment)
    assert banks.hand_in(first, content).before is False
    assert banks.hand_in(first, content).before is True
    with pytest.raises(StatementRefused) as refused:
        banks.hand_in(second, content + b" ")
    assert refused.value.code == "statement.foreign"
    with pytest.raises(NotFound):
        banks.hand_in(first, content, tenant=second.tenant)
    with pytest.raises(StatementRefused):
        banks.hand_in(second, pain002(first.message_id, [payment]))
    assert banks.outcomes(second) == set()


def test_another_amount_or_payee_never_pays_an_order_and_waits_in_suspense(banks: Banks) -> None:
    cycle = owing(banks)
    order = banks.orders(cycle, "pay_in")[0]
    payment = banks.send(order)
    wrong = replace(payment, amount=payment.amount - Money(1))
    imported = banks.hand_in(order, banks.statement(order, wrong))
    [line] = banks.do(lambda c: list_lines(c, imported.statement, None, 0, 10))
    assert (line.line_class, line.to_suspense, line.outcome) == ("differs", True, None)
    assert banks.read(order).state == "sent"
    other = banks.hand_in(order, banks.statement(order, replace(payment, name="别的单位有限公司", account_number="1")))
    [line] = banks.do(lambda c: list_lines(c, other.statement, None, 0, 10))
    assert line.line_class == "differs"
    assert banks.outcomes(order) == set()


def test_the_whole_message_rejected_rejects_its_order(banks: Banks) -> None:
    cycle = owing(banks)
    order = banks.orders(cycle, "pay_in")[0]
    payment = banks.send(order)
    banks.hand_in(order, pain002(order.message_id, [payment], whole="RJCT"))
    assert banks.read(order).state == "rejected"


def test_a_payment_of_an_order_that_was_replaced_waits_in_suspense(banks: Banks) -> None:
    cycle = owing(banks)
    order = banks.orders(cycle, "pay_in")[0]
    payment = banks.send(order)
    banks.hand_in(order, pain002(order.message_id, [replace(payment, state="rejected")]))
    banks.remedy(order, "replace")
    late = banks.hand_in(order, banks.statement(order, payment))
    [line] = banks.do(lambda c: list_lines(c, late.statement, None, 0, 10))
    assert (line.line_class, line.to_suspense) == ("differs", True)
    assert banks.read(order).state == "replaced"


def test_two_orders_in_one_place_and_parts_that_do_not_add_up_are_refused_by_the_database(banks: Banks) -> None:
    cycle = owing(banks)
    order = banks.orders(cycle, "pay_in")[0]
    again = (
        "insert into clearing_order (tenant, id, cycle_id, kind, amount_fen, jws_sealed, created_at) "
        "values (%s, gen_random_uuid(), %s, 'pay_in', %s, 'x', now())"
    )
    values = (order.tenant, cycle.id, order.amount.fen)
    assert refused_by(lambda: banks.regions.do(lambda c: c.exec_driver_sql(again, values))) == "clearing_order_once"
    part = "insert into clearing_order_part (tenant, order_id, scheme, quota_year, fen) values (%s, %s, 'x', 2024, 5)"
    assert (
        refused_by(lambda: banks.regions.do(lambda c: c.exec_driver_sql(part, (order.tenant, order.id))))
        == "clearing_order_parts"
    )
    end = (
        "insert into clearing_order_end (tenant, order_id, remedy_tenant, remedy_id, ended_at) "
        "values (%s, %s, %s, gen_random_uuid(), now())"
    )
    with pytest.raises(IntegrityError):
        banks.regions.do(lambda c: c.exec_driver_sql(end, (order.tenant, order.id, order.tenant)))


def test_of_many_who_hand_in_the_last_word_at_once_one_settles_the_cycle(banks: Banks) -> None:
    a, b, _ = banks.regions.tenants
    banks.regions.agreed(a, b, netting="gross")
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "70.00")
    banks.regions.owe(b, a, "30.00")
    banks.set_accounts()
    cycle = banks.confirmed()
    orders = banks.orders(cycle)
    statements = [(order, banks.statement(order, banks.send(order))) for order in orders]
    answers: Counter[bool] = Counter()
    faults: list[Exception] = []
    gate = threading.Barrier(8)

    def hand_in(number: int) -> None:
        order, content = statements[number % 2]
        own = Banks(banks.regions, banks.folder / str(number))
        own.folder.mkdir()
        gate.wait()
        try:
            answers[own.hand_in(order, content).before] += 1
        except Exception as fault:  # noqa: BLE001 - shown below
            faults.append(fault)

    threads = [threading.Thread(target=hand_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert answers == {False: 2, True: 6}
    assert banks.regions.read(cycle).state == "settled"
    told = banks.regions.rows("select 1 from audit_entry where subject_id = %s and action = 'cycle.settled'", cycle.id)
    assert len(told) == 2


LOST = {
    "the request is lost": (["lose_request"], ["unknown", "unknown", "accepted"]),
    "the answer is lost": (["lose_answer"], ["unknown", "accepted"]),
    "the bank refuses": (["refuse"], ["rejected"]),
    "lost, then refused": (["lose_request", "refuse"], ["unknown", "unknown", "rejected"]),
}


@pytest.mark.parametrize(("script", "states"), LOST.values(), ids=LOST.keys())
def test_whatever_is_lost_an_order_is_asked_after_and_the_bank_has_it_once(
    banks: Banks, script: list[str], states: list[str]
) -> None:
    cycle = owing(banks, "gross")
    order = banks.orders(cycle)[0]
    submission = banks.order_sending(order)
    assert banks.order_sending(order) == submission
    books = Books(script=deque(script))
    with BankServer(books) as server:
        port = HttpBank(server.address, "secret", read_seconds=5)
        assert [banks.attempt(order, submission, port) for _ in states] == states
        assert banks.attempt(order, submission, port) == states[-1]
    assert len(books.execute()) == (states[-1] == "accepted")
    assert banks.outcomes(order) == ({"rejected"} if states[-1] == "rejected" else set())
    if states[-1] == "rejected":
        banks.remedy(order, "replace")
        [again] = [each for each in banks.standing(cycle) if each.replaces == order.id]
        banks.pay(again)
        assert banks.read(again).state == "paid"


def test_a_worker_that_is_killed_within_the_call_leaves_an_unknown_outcome_that_is_asked_after(banks: Banks) -> None:
    cycle = owing(banks, "gross")
    order = banks.orders(cycle)[0]
    submission = banks.order_sending(order)

    class Killed:
        def submit(self, _message: object) -> object:
            raise KeyboardInterrupt

        def inquire(self, _message: object) -> object:
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            banks.attempt(order, submission, Killed())  # type: ignore[arg-type]
    assert banks.read(order).state in {"sent", "unknown"}
    kinds = banks.regions.rows("select kind from bank_call where submission_id = %s order by seq", submission.id)
    assert [row.kind for row in kinds] == ["submit", "inquiry"], "asked before anything is sent again"


def test_of_two_who_decide_at_once_one_does_it(banks: Banks) -> None:
    cycle = owing(banks, "gross")
    order = banks.orders(cycle)[0]
    banks.pay(order, "rejected")
    one, other = banks.propose(order, "replace"), banks.propose(order, "cancel", actor="maker-sun")
    said: list[str] = []
    gate = threading.Barrier(2)

    def decide(remedy: object) -> None:
        gate.wait()
        try:
            banks.decide(remedy)  # type: ignore[arg-type]
            said.append("done")
        except Conflict as conflict:
            said.append(conflict.code)

    threads = [threading.Thread(target=decide, args=(remedy,)) for remedy in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["done", "order.not_back"]
