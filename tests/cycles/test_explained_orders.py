"""Movements of another amount that name an order between regions: explained by two people, and zero-sum always."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from settlement.bank.simulator.answers import Entry, camt053
from settlement.cycles.clearing_order import Order
from settlement.cycles.cycle import Cycle
from settlement.statements import suspense
from settlement.statements.suspense import Explanation, Movement
from settlement.statements.suspense_records import Resolution, list_suspense
from tenants.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tenants.kernel.money import Money
from tests.cycles.orders import DAY, MAKER, OPERATOR, Banks
from tests.cycles.regions import Regions
from tests.settlement_service.bench import OVER

YEAR = "provincial/2024"
YUAN = Money.parse


@pytest.fixture
def banks(regions: Regions, tmp_path: Path) -> Banks:
    return Banks(regions, tmp_path)


def owing(banks: Banks, netting: str = "gross") -> Cycle:
    """a owes b 100.00."""
    a, b, _ = banks.regions.tenants
    banks.regions.agreed(a, b, netting=netting)
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "100.00")
    banks.set_accounts()
    return banks.confirmed()


def refused(call: Callable[[], object]) -> str:
    with pytest.raises((Conflict, Forbidden, Invalid, NotFound)) as problem:
        call()
    return problem.value.code


def code(told: Callable[[], object]) -> str:
    with pytest.raises(Invalid) as problem:
        told()
    return problem.value.errors[0].code


def positions(banks: Banks, cycle: Cycle) -> list[int]:
    rows = banks.regions.rows("select net_fen from clearing_position where cycle_id = %s order by tenant", cycle.id)
    return [row.net_fen for row in rows]


@dataclass(frozen=True)
class Case:
    """What the bank moved, who says what it was, and what is so afterwards in the payer's books, in fen."""

    moves: tuple[tuple[str, str], ...]
    kind: str
    charge: str = "0.00"
    settled: int = 10000
    charged: int = 0
    carried: int = 0
    """What is owed again; below zero what is owed the other way."""
    amount: str = "100.00"
    """What the standing order then says."""


CASES = {
    "two parts complete it": Case((("-", "60.00"), ("-", "40.00")), "assign"),
    "five parts complete it": Case((("-", "20.00"),) * 5, "assign"),
    "charges on top": Case((("-", "100.35"),), "assign", "0.35", charged=35),
    "parts and charges": Case((("-", "60.00"), ("-", "40.10")), "assign", "0.10", charged=10),
    "a part, the rest carried": Case((("-", "60.00"),), "carry", settled=6000, carried=4000, amount="60.00"),
    "two parts, the rest carried": Case(
        (("-", "60.00"), ("-", "0.01")), "carry", settled=6001, carried=3999, amount="60.01"
    ),
    "too much, carried": Case((("-", "130.00"),), "carry", settled=13000, carried=-3000, amount="130.00"),
    "one fen too much": Case((("-", "100.01"),), "carry", settled=10001, carried=-1, amount="100.01"),
    "one fen short": Case((("-", "99.99"),), "carry", settled=9999, carried=1, amount="99.99"),
}


@pytest.mark.parametrize("netting", ["gross", "bilateral", "multilateral"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_another_amount_is_explained_booked_in_both_books_and_carried_to_the_next_cycle(
    banks: Banks, case: Case, netting: str
) -> None:
    a, b, _ = banks.regions.tenants
    cycle = owing(banks, netting)
    [order] = [each for each in banks.orders(cycle) if each.tenant == a]
    lines = banks.moved(order, *case.moves)
    assert banks.read(order).state == "sent"
    assert banks.left(a) == str(Money(sum(YUAN(amount).fen for _, amount in case.moves)))
    [first, *_] = banks.do(lambda c: list_suspense(c, a, None, 5), tenants=(a,))
    assert (first.order_id, first.batch_id, first.at_order_id) == (order.id, None, order.id)
    made = banks.explain(Explanation(case.kind, lines, None, "已与银行核对", order.id, YUAN(case.charge)), a)
    assert (made.decision, made.outcome, made.charge) == ("approve", "paid", YUAN(case.charge))
    assert banks.left(a) == "0.00"
    [standing] = [each for each in banks.standing(cycle) if each.tenant == a]
    assert (standing.state, str(standing.amount)) == ("paid", case.amount)
    assert (standing.replaces == order.id) is (case.kind == "carry")
    for pay_out in [each for each in banks.standing(cycle) if each.kind == "pay_out"]:
        assert str(pay_out.amount) == case.amount
        banks.pay(pay_out)
    assert banks.regions.read(cycle).state == "settled"
    assert sum(positions(banks, cycle)) == 0
    mine = {f"settled/{YEAR}": case.settled, f"clearing/{YEAR}/{b}": case.carried}
    assert banks.balances(a, "netted", "settled", "clearing") == {k: fen for k, fen in mine.items() if fen}
    theirs = {f"settled/{YEAR}": -case.settled, f"clearing/{YEAR}/{a}": -case.carried}
    assert banks.balances(b, "netted", "settled", "clearing") == {k: fen for k, fen in theirs.items() if fen}
    assert banks.balances(a, "suspense", "charges") == ({"charges": case.charged} if case.charged else {})
    following = banks.confirmed()
    assert positions(banks, following) == ([-case.carried, case.carried] if case.carried else [])
    for each in sorted(banks.standing(following), key=lambda one: one.kind == "pay_out"):
        assert each.amount.fen == abs(case.carried)
        banks.pay(each)
    assert banks.regions.read(following).state == "settled"
    assert banks.balances(a, "netted", "settled", "clearing") == {f"settled/{YEAR}": 10000}
    assert banks.balances(b, "netted", "settled", "clearing") == {f"settled/{YEAR}": -10000}


def test_a_wrong_amount_that_the_bank_takes_back_undoes_itself_and_the_right_one_pays(banks: Banks) -> None:
    a = banks.regions.tenants[0]
    cycle = owing(banks)
    [order] = banks.orders(cycle)
    payment = banks.send(order)
    wrong, back = banks.moved(order, ("-", "90.00"), ("+", "90.00"), payment=payment)
    banks.explain(Explanation("reversed", [wrong, back], None, "银行退回"), a)
    assert (banks.left(a), banks.read(order).state) == ("0.00", "sent")
    banks.hand_in(order, banks.statement(order, payment))
    assert banks.read(order).state == "paid"
    assert banks.regions.read(cycle).state == "settled"


def test_a_surplus_that_comes_back_is_undone_beside_what_paid_the_order(banks: Banks) -> None:
    a = banks.regions.tenants[0]
    cycle = owing(banks)
    [order] = banks.orders(cycle)
    left, back = banks.moved(order, ("-", "130.00"), ("+", "30.00"))
    banks.explain(Explanation("assign", [replace(left, amount=YUAN("100.00"))], None, "超额", order.id), a)
    banks.explain(Explanation("reversed", [left, back], None, "退回超额"), a)
    assert (banks.left(a), banks.read(order).state) == ("0.00", "paid")
    assert banks.balances(a, "suspense", "bank") == {}


def test_money_given_back_less_charges_returns_the_order_which_is_then_ordered_anew(banks: Banks) -> None:
    a, b, _ = banks.regions.tenants
    cycle = owing(banks)
    [order] = banks.orders(cycle)
    payment = banks.send(order)
    banks.hand_in(order, banks.statement(order, payment))
    [back] = banks.moved(order, ("+", "99.50"), payment=payment)
    made = banks.explain(Explanation("assign", [back], None, "退汇扣费", order.id, YUAN("0.50")), a)
    assert (made.outcome, banks.read(order).state) == ("returned", "returned")
    assert banks.balances(a, "settled", "charges") == {"charges": 50}
    assert banks.balances(b, "settled") == {}
    banks.remedy(order, "replace")
    [again] = banks.standing(cycle)
    banks.pay(again)
    assert banks.balances(a, "netted", "settled") == {f"settled/{YEAR}": 10000}


def test_what_an_agent_pays_out_is_completed_by_its_bank_and_never_carried(banks: Banks) -> None:
    b = banks.regions.tenants[1]
    cycle = owing(banks, "multilateral")
    [pay_in] = banks.orders(cycle, "pay_in")
    banks.pay(pay_in)
    [pay_out] = banks.orders(cycle, "pay_out")
    parts = banks.moved(pay_out, ("-", "70.00"), ("-", "30.00"))
    carry = Explanation("carry", parts[:1], None, "少付", pay_out.id)
    assert refused(lambda: banks.explain(carry, b)) == "suspense.not_carried"
    banks.explain(Explanation("assign", parts, None, "分两次付", pay_out.id), b)
    assert banks.regions.read(cycle).state == "settled"


def test_a_pay_in_is_not_carried_once_the_agent_has_nothing_left_to_pay_out(banks: Banks) -> None:
    a, b, c = banks.regions.tenants
    for other in (b, c):
        banks.regions.agreed(a, other)
    for tenant in banks.regions.tenants:
        banks.regions.bench(tenant).set_account()
    banks.regions.owe(a, b, "70.00")
    banks.regions.owe(a, c, "50.00")
    banks.set_accounts()
    cycle = banks.confirmed()
    [pay_in] = banks.orders(cycle, "pay_in")
    lines = banks.moved(pay_in, ("-", "110.00"))
    banks.explain(Explanation("carry", lines, None, "少付", pay_in.id), a)
    amounts = {each.tenant: str(each.amount) for each in banks.standing(cycle) if each.kind == "pay_out"}
    assert amounts == {b: "60.00", c: "50.00"}, "the largest pay-out is made smaller"
    for each in [one for one in banks.standing(cycle) if one.kind == "pay_out"]:
        banks.pay(each)
    assert banks.regions.read(cycle).state == "settled"
    following = banks.confirmed()
    assert positions(banks, following) == [-1000, 1000]


SAID = {
    "nobody's order": (lambda line, _order: Explanation("assign", [line], None, "x", line.statement_id), "not_found"),
    "an order that does not fit": (
        lambda line, order: Explanation("assign", [line], None, "x", order.id), "suspense.amount",
    ),
    "charges that do not fit": (
        lambda line, order: Explanation("assign", [line], None, "x", order.id, Money(1)), "suspense.amount",
    ),
    "nothing to carry": (
        lambda line, order: Explanation("carry", [replace(line, amount=YUAN("100.00"))], None, "x", order.id),
        "suspense.nothing_to_carry",
    ),
    "more than moved": (
        lambda line, order: Explanation("carry", [replace(line, amount=YUAN("900.00"))], None, "x", order.id),
        "suspense.exceeded",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "wanted"), SAID.values(), ids=SAID.keys())
def test_what_does_not_fit_is_refused_with_its_reason(
    banks: Banks, said: Callable[[Movement, Order], Explanation], wanted: str
) -> None:
    a = banks.regions.tenants[0]
    [order] = banks.orders(owing(banks))
    [line] = banks.moved(order, ("-", "130.00"))
    assert refused(lambda: banks.explain(said(line, order), a)) == wanted
    assert banks.left(a) == "130.00"


def test_an_explanation_names_what_its_kind_needs_and_nothing_else(banks: Banks) -> None:
    a = banks.regions.tenants[0]
    [order] = banks.orders(owing(banks))
    [line] = banks.moved(order, ("-", "130.00"))
    for kind, order_id, charge in (
        ("assign", None, "0.00"), ("carry", None, "0.00"), ("unrelated", order.id, "0.00"),
    ):  # fmt: skip
        said = Explanation(kind, [line], None, "x", order_id, YUAN(charge))
        assert code(lambda s=said: banks.explain(s, a)) == "suspense.instruction"  # type: ignore[misc]
    for kind, order_id in (("unrelated", None), ("carry", order.id)):
        said = Explanation(kind, [line], None, "x", order_id, Money(1))
        assert code(lambda s=said: banks.explain(s, a)) == "suspense.charge"  # type: ignore[misc]


def test_it_takes_two_people_and_what_was_decided_meanwhile_is_not_booked_twice(banks: Banks) -> None:
    a = banks.regions.tenants[0]
    cycle = owing(banks)
    [order] = banks.orders(cycle)
    lines = banks.moved(order, ("-", "60.00"), ("-", "40.00"))
    first, second = (
        banks.do(lambda c, s=said: suspense.propose(c, a, s, MAKER, OVER), tenants=(a,))  # type: ignore[misc]
        for said in (
            Explanation("assign", lines, None, "分两次付", order.id),
            Explanation("carry", lines[:1], None, "少付", order.id),
        )
    )

    def decide(made: Resolution, actor: str) -> Resolution:
        return banks.do(
            lambda c: suspense.decide(c, a, made.id, "approve", None, actor, OVER, banks.office), tenants=(a,)
        )

    assert refused(lambda: decide(first, MAKER)) == "suspense.four_eyes"
    assert decide(first, OPERATOR).decision == "approve"
    assert decide(first, OPERATOR).decision == "approve"
    assert refused(lambda: decide(second, OPERATOR)) == "suspense.outcome"
    assert banks.regions.read(cycle).state == "settled"
    assert banks.balances(a, "settled") == {f"settled/{YEAR}": 10000}


def test_what_the_bank_tells_of_an_order_that_was_restated_waits_for_people(banks: Banks) -> None:
    """After sixty were booked as paid and forty carried, the whole hundred is told of once more."""
    a = banks.regions.tenants[0]
    cycle = owing(banks)
    [order] = banks.orders(cycle)
    payment = banks.send(order)
    lines = banks.moved(order, ("-", "60.00"), payment=payment)
    banks.explain(Explanation("carry", lines, None, "少付", order.id), a)
    again = camt053(order.debtor.account_number, [Entry(payment, is_credit=False, bank_reference="LATE")], DAY)  # type: ignore[union-attr]
    banks.hand_in(order, again)
    assert banks.left(a) == "100.00"
    assert banks.read(order).state == "replaced"
    assert banks.outcomes(order) == set()
