"""Money: whole fen, read from ASCII text only, and never multiplied but by a named share."""

import copy
import pickle
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.money import MAX_FEN, ZERO, Money, MoneyError, divide, in_thousands, total
from tenants.kernel.rate import parse_rate

FEN = st.integers(-(10**18), 10**18)

NOT_MONEY = (
    "", " ", "-1.00", "+1.00", "1.", ".5", "1.000", "01.00", "00", "1,000.00", "1e3", "1E3", "0x10", "1_000", " 1.00",
    "1.00 ", "1.00\n", "\n1.00", "NaN", "nan", "Infinity", "-0", "1.0.0", "１２.００", "1．00", "१२", "²", "一百",
    "¥1.00", "1.00元", "\u202e1.00", "1\u200b.00", "10000000000000.01", "99999999999999", "9" * 400,
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_MONEY)
def test_what_is_not_a_plain_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text)


@pytest.mark.parametrize(
    ("text", "fen"),
    [("0", 0), ("0.0", 0), ("0.01", 1), ("0.1", 10), ("7", 700), ("408000.00", 40_800_000), ("9999999999999.99", None)],
)
def test_a_plain_amount_is_read_to_the_fen(text: str, fen: int | None) -> None:
    assert Money.parse(text) == Money(MAX_FEN - 1 if fen is None else fen)


@pytest.mark.parametrize("fen", [1.0, 0.1, float("nan"), float("inf"), Decimal(1), Fraction(1), "1", None, True, b"1"])
def test_fen_that_are_no_whole_number_are_refused(fen: Any) -> None:
    with pytest.raises(MoneyError):
        Money(fen)


@given(st.integers(0, MAX_FEN - 1))
def test_what_is_printed_is_read_again_as_the_same_amount(fen: int) -> None:
    assert Money.parse(str(Money(fen))).fen == fen


@given(st.text(max_size=12))
def test_any_text_is_read_as_the_decimal_that_it_is_or_refused(text: str) -> None:
    try:
        money = Money.parse(text)
    except MoneyError:
        return
    assert text.isascii()
    assert Decimal(text) * 100 == money.fen


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (1, "0.01"), (-1, "-0.01"), (-100, "-1.00"), (10**15, None)])
def test_an_amount_is_printed_with_two_decimals(fen: int, text: str | None) -> None:
    assert str(Money(fen)) == (text or "10000000000000.00")
    assert repr(Money(fen)) == f"Money({Money(fen)})"


@given(FEN, st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_share_is_rounded_down_once_and_exactly(fen: int, numerator: int, denominator: int) -> None:
    exact = Fraction(fen) * Fraction(numerator, denominator)
    share = Money(fen).share(Fraction(numerator, denominator)).fen
    assert share <= exact < share + 1


def test_a_share_that_floating_point_gets_wrong_is_exact() -> None:
    assert Money.parse("1.10").share(parse_rate("0.1")).fen == 11
    assert Money.parse("2.90").share(parse_rate("0.1")).fen == 29
    assert Money(MAX_FEN - 1).share(parse_rate("0.333333")).fen == (MAX_FEN - 1) * 333333 // 10**6


def test_there_is_no_product_no_quotient_and_no_mixing_with_numbers() -> None:
    one: Any = Money(1)
    for operation in (
        lambda: one * 2, lambda: 2 * one, lambda: one / 2, lambda: one // 2, lambda: one % 2, lambda: -one,
        lambda: one + 1, lambda: 1 + one, lambda: one - 1, lambda: one < 1, lambda: float(one), lambda: int(one),
        lambda: sum([one, one]), lambda: one.share(0.5), lambda: round(one),
    ):  # fmt: skip
        with pytest.raises((TypeError, AttributeError)):
            operation()
    assert one != 1
    assert one != Decimal("0.01")


def test_an_amount_cannot_be_changed_or_taken_apart() -> None:
    money: Any = Money(5)
    with pytest.raises(AttributeError):
        money.fen = 6
    with pytest.raises(AttributeError):
        money.yuan = 6
    with pytest.raises(AttributeError):
        del money.fen
    assert money.fen == 5


@given(st.lists(FEN, max_size=20))
def test_sums_and_order_are_those_of_the_fen(fens: list[int]) -> None:
    amounts = [Money(fen) for fen in fens]
    assert total(amounts).fen == sum(fens)
    assert [money.fen for money in sorted(amounts)] == sorted(fens)
    assert {Money(fen) for fen in fens} == set(amounts)
    assert all(Money(fen) - Money(fen) == ZERO for fen in fens)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**10), max_size=30))
def test_a_pot_is_divided_to_the_fen_nobody_above_what_is_due_or_a_fen_from_the_exact_share(
    pot: int, dues: list[int]
) -> None:
    shares = [share.fen for share in divide(Money(pot), [Money(due) for due in dues])]
    assert sum(shares) == min(pot, sum(dues))
    assert all(0 <= share <= due for share, due in zip(shares, dues, strict=True))
    if sum(dues) > pot:
        exact = [Fraction(pot * due, sum(dues)) for due in dues]
        assert all(abs(share - part) < 1 for share, part in zip(shares, exact, strict=True))
        raised = [part - floor(part) for share, part in zip(shares, exact, strict=True) if share > part]
        left = [part - floor(part) for share, part in zip(shares, exact, strict=True) if share <= part]
        assert not raised or not left or min(raised) >= max(left)


@pytest.mark.parametrize(("pot", "dues"), [(-1, [1]), (1, [-1])])
def test_debts_are_not_divided(pot: int, dues: list[int]) -> None:
    with pytest.raises(MoneyError):
        divide(Money(pot), [Money(due) for due in dues])


def test_copies_through_pickle_and_copy_are_equal() -> None:
    money = Money(-7)
    assert pickle.loads(pickle.dumps(money)) == copy.copy(money) == copy.deepcopy(money) == money  # noqa: S301 - ours


def test_only_nothing_is_false() -> None:
    assert not ZERO
    assert Money(-1)
    assert total([]) == ZERO


@pytest.mark.parametrize(
    ("fen", "machines", "people"),
    [
        (0, "0.00", "0.00"), (5, "0.05", "0.05"), (-5, "-0.05", "-0.05"), (99_999, "999.99", "999.99"),
        (40_800_000, "408000.00", "408,000.00"), (-123_456_789, "-1234567.89", "-1,234,567.89"),
    ],
)  # fmt: skip
def test_people_read_thousands_apart_and_machines_never(fen: int, machines: str, people: str) -> None:
    amount = Money(fen)
    assert (str(amount), f"{amount}", f"{amount:,}") == (machines, machines, people)
    assert in_thousands(machines) == in_thousands(amount) == people


@given(FEN)
def test_the_thousands_say_the_same_amount(fen: int) -> None:
    assert f"{Money(fen):,}".replace(",", "") == str(Money(fen))


def test_no_other_form_of_an_amount_is_printed() -> None:
    with pytest.raises(MoneyError):
        f"{Money(5):.1f}"
