"""Netting against a computation of its own: a matrix of integers, and money that is really passed around."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.cycles.netting import NETTINGS, Cell, bilateral, payments, positions
from tenants.kernel.money import ZERO, Money

TENANTS = ("a", "b", "c", "d", "e", "f")
GRAPHS = st.lists(
    st.builds(
        lambda pair, netting, debts, fen: Cell(pair[0], pair[1], netting, debts, Money(fen)),
        st.lists(st.sampled_from(TENANTS), min_size=2, max_size=2, unique=True),
        st.sampled_from(NETTINGS),
        st.integers(1, 1000),
        st.one_of(st.integers(1, 9), st.integers(1, 10**13)),
    ),
    max_size=60,
)
"""Random graphs: several cells of a pair, both directions, every netting."""


def flows(cells: list[Cell]) -> dict[str, int]:
    """What each tenant ends up with when every debt is paid as it is, in plain integers."""
    purse = dict.fromkeys(TENANTS, 0)
    for cell in cells:
        purse[cell.tenant] -= cell.gross.fen
        purse[cell.creditor] += cell.gross.fen
    return purse


@given(GRAPHS)
def test_positions_are_row_sums_less_column_sums_and_add_up_to_zero(cells: list[Cell]) -> None:
    matrix = [[sum(c.gross.fen for c in cells if (c.tenant, c.creditor) == (i, j)) for j in TENANTS] for i in TENANTS]
    found = positions(cells)
    for number, tenant in enumerate(TENANTS):
        payable, receivable = sum(matrix[number]), sum(row[number] for row in matrix)
        if payable + receivable:
            assert (found[tenant].payable.fen, found[tenant].receivable.fen) == (payable, receivable)
        else:
            assert tenant not in found
    assert sum(position.net.fen for position in found.values()) == 0


@given(GRAPHS)
def test_whatever_the_netting_each_tenant_ends_where_paying_every_debt_would_end(cells: list[Cell]) -> None:
    purse: defaultdict[str, int] = defaultdict(int)
    agent = 0
    for payment in payments(cells):
        assert payment.amount > ZERO
        if payment.payer is None:
            agent -= payment.amount.fen
        else:
            purse[payment.payer] -= payment.amount.fen
        if payment.receiver is None:
            agent += payment.amount.fen
        else:
            purse[payment.receiver] += payment.amount.fen
    assert agent == 0
    assert {tenant: purse[tenant] for tenant in TENANTS} == flows(cells)


@given(GRAPHS)
def test_bilateral_netting_leaves_each_pair_one_direction_of_the_difference(cells: list[Cell]) -> None:
    found = bilateral(cells)
    for one in TENANTS:
        for other in TENANTS:
            there = sum(c.gross.fen for c in cells if (c.tenant, c.creditor) == (one, other))
            back = sum(c.gross.fen for c in cells if (c.tenant, c.creditor) == (other, one))
            assert found.get((one, other), ZERO).fen == max(there - back, 0)


@given(GRAPHS)
def test_netting_never_moves_more_money_and_multilateral_the_least(cells: list[Cell]) -> None:
    moved = {}
    for netting in NETTINGS:
        same = [Cell(c.tenant, c.creditor, netting, c.debts, c.gross) for c in cells]
        moved[netting] = sum(payment.amount.fen for payment in payments(same) if payment.payer is not None)
    assert moved["multilateral"] <= moved["bilateral"] <= moved["gross"] == sum(c.gross.fen for c in cells)
    assert moved["multilateral"] == sum(max(fen, 0) for fen in flows(cells).values())


def test_a_circle_of_equal_debts_is_nothing_to_pay_multilaterally() -> None:
    circle = [Cell(TENANTS[n], TENANTS[(n + 1) % 6], "multilateral", 1, Money(100)) for n in range(6)]
    assert payments(circle) == []
    assert len(payments([Cell(c.tenant, c.creditor, "bilateral", 1, c.gross) for c in circle])) == 6


def test_a_netting_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no such netting"):
        payments([Cell("a", "b", "sometimes", 1, Money(1))])
