"""What arrives at a region's account by another's order: told by the receiver's own bank, beside the payer's."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError

from settlement.bank.simulator import Payment
from settlement.bank.simulator.answers import Entry, camt053, camt054
from settlement.cycles.clearing_order import Order
from settlement.cycles.cycle import Cycle
from settlement.cycles.order_receipts import missing_word
from settlement.statements.reconciliation import Imported, import_statement
from settlement.statements.statement_records import list_lines
from settlement.statements.suspense import Explanation, Movement
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tests.cycles.orders import DAY, MAKER, Banks
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OVER

YEAR = "provincial/2024"


@pytest.fixture
def banks(regions: Regions, tmp_path: Path) -> Banks:
    return Banks(regions, tmp_path)


def paying(banks: Banks) -> tuple[Cycle, Order]:
    """a owes b 100.00, to be paid directly; b has a batch of its own, at which its bank's statements are handed in."""
    a, b, _ = banks.regions.tenants
    banks.regions.agreed(a, b, netting="gross")
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "100.00")
    banks.set_accounts()
    cycle = banks.confirmed()
    [order] = banks.orders(cycle)
    return cycle, order


def hear(banks: Banks, order: Order, *payments: Payment, write: Callable[..., bytes] = camt053) -> Imported:
    """The receiver imports its own bank's statement, at a batch of its own."""
    b = str(order.counterparty)
    bench = banks.regions.bench(b)
    batch = bench.instruct(bench.released("9.00"))
    banks.set_accounts()  # the bench has set its own
    assert order.creditor is not None
    entries = [Entry(one, is_credit=True, bank_reference=f"R{n:08d}") for n, one in enumerate(payments)]
    path = banks.folder / "own"
    path.write_bytes(write(order.creditor.account_number, entries, DAY))
    return banks.do(lambda c: import_statement(c, b, batch.id, path, MAKER, OVER, banks.office), tenants=(b,))


def missing(banks: Banks, order: Order, days: int = 0) -> str | None:
    today = shanghai_day(OVER + timedelta(days=days))
    return banks.do(lambda c: missing_word(c, banks.read(order), today))


@pytest.mark.parametrize("write", [camt053, camt054], ids=["camt.053", "camt.054"])
def test_both_banks_words_make_an_order_received_in_both_chains(banks: Banks, write: Callable[..., bytes]) -> None:
    a, b, _ = banks.regions.tenants
    cycle, order = paying(banks)
    payment = banks.send(order)
    banks.hand_in(order, banks.statement(order, payment))
    assert (banks.read(order).state, banks.regions.read(cycle).state) == ("paid", "settled")
    hear(banks, order, payment, write=write)
    assert banks.read(order).state == "received"
    assert banks.left(b) == "0.00"
    told = banks.regions.rows(
        "select tenant from audit_entry where subject_id = %s and action = 'order.received' order by tenant", order.id
    )
    assert [row.tenant for row in told] == sorted((a, b))
    assert banks.balances(b, "settled", "suspense") == {f"settled/{YEAR}": -10000}, "no money is booked twice"
    assert missing(banks, order, 90) is None


def test_a_credit_without_our_debit_is_named_until_the_payers_bank_tells(banks: Banks) -> None:
    cycle, order = paying(banks)
    payment = banks.send(order)
    hear(banks, order, payment)
    assert banks.read(order).state == "sent"
    assert missing(banks, order) == "no_debit"
    assert banks.regions.read(cycle).state == "confirmed", "the payer's word settles a cycle"
    banks.hand_in(order, banks.statement(order, payment))
    assert (banks.read(order).state, missing(banks, order)) == ("received", None)
    assert banks.regions.read(cycle).state == "settled"


def test_a_debit_without_the_credit_is_named_once_three_working_days_are_over(banks: Banks) -> None:
    _, order = paying(banks)
    banks.pay(order)
    found = {days: missing(banks, order, days) for days in range(10)}
    assert found[0] is None
    assert found[9] == "no_credit"
    last_in_time = max(days for days, word in found.items() if word is None)
    assert last_in_time >= 3
    assert all(found[days] == "no_credit" for days in range(last_in_time + 1, 10))


def test_the_same_arrival_twice_is_a_duplicate_and_another_amount_waits_for_people(banks: Banks) -> None:
    b = banks.regions.tenants[1]
    _, order = paying(banks)
    payment = banks.send(order)
    first = hear(banks, order, payment, payment)
    classes = [line.line_class for line in banks.do(lambda c: list_lines(c, first.statement, None, 0, 5))]
    assert classes == ["matched", "duplicate"]
    assert banks.left(b) == "100.00", "a second arrival is somebody's money"
    _, order = paying_again(banks)
    payment = banks.send(order)
    less = hear(banks, order, replace(payment, amount=payment.amount - Money(35)))
    [line] = banks.do(lambda c: list_lines(c, less.statement, None, 0, 5))
    assert (line.line_class, line.to_suspense, line.outcome) == ("differs", True, None)
    said = Explanation("assign", [Movement(less.statement.id, 1)], None, "中转行扣费", order.id, Money(35))
    made = banks.explain(said, b)
    assert (made.outcome, made.order_tenant) == ("received", order.tenant)
    assert banks.balances(b, "charges") == {"charges": 35}
    assert missing(banks, order) == "no_debit"


def paying_again(banks: Banks) -> tuple[Cycle, Order]:
    a, b, _ = banks.regions.tenants
    banks.regions.owe(a, b, "50.00")
    banks.set_accounts()
    cycle = banks.confirmed()
    [order] = banks.orders(cycle)
    return cycle, order


def test_nobody_else_hears_of_it_and_the_database_keeps_whose_arrival_it_is(banks: Banks) -> None:
    c = banks.regions.tenants[2]
    _, order = paying(banks)
    rows = banks.do(
        lambda k: k.exec_driver_sql("select * from orders_paid_to(%s, %s)", (order.counterparty, [order.id])).all(),
        tenants=(c,),
    )
    assert rows == []
    insert = (
        "insert into clearing_order_receipt (tenant, order_tenant, order_id, reference, amount_fen, resolution_id, "
        "received_at) values (%s, %s, %s, %s, %s, gen_random_uuid(), now())"
    )
    with pytest.raises(DBAPIError) as refused:
        banks.regions.do(
            lambda k: k.exec_driver_sql(insert, (c, order.tenant, order.id, order.reference, order.amount.fen))
        )
    assert isinstance(refused.value.orig, pg.Error)
    assert refused.value.orig.diag.constraint_name == "clearing_order_receipt_own"
