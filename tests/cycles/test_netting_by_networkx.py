"""Netting against networkx: sums of a graph's edges, and the least money whose flow clears every debt."""

from itertools import permutations
from typing import Any

import networkx as nx  # type: ignore[import-untyped] # the library has no types
from hypothesis import given, settings

from settlement.cycles.netting import Cell, payments, positions
from tests.cycles.test_netting import GRAPHS, TENANTS


def graph_of(cells: list[Cell]) -> Any:
    """The debts as edges; several of a pair stand beside each other."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(TENANTS)
    graph.add_weighted_edges_from((cell.tenant, cell.creditor, cell.gross.fen) for cell in cells)
    return graph


@given(GRAPHS)
def test_positions_are_the_weighted_degrees_of_the_graph(cells: list[Cell]) -> None:
    graph, found = graph_of(cells), positions(cells)
    payable, receivable = dict(graph.out_degree(weight="weight")), dict(graph.in_degree(weight="weight"))
    assert {tenant: (payable[tenant], receivable[tenant]) for tenant in TENANTS if graph.degree(tenant)} == {
        tenant: (position.payable.fen, position.receivable.fen) for tenant, position in found.items()
    }


@given(GRAPHS)
@settings(max_examples=50)
def test_multilateral_netting_moves_the_least_money_that_any_flow_needs(cells: list[Cell]) -> None:
    graph = graph_of(cells)
    network = nx.DiGraph()
    for tenant in TENANTS:
        owed = graph.in_degree(tenant, weight="weight") - graph.out_degree(tenant, weight="weight")
        network.add_node(tenant, demand=owed)
    network.add_edges_from(permutations(TENANTS, 2), weight=1)
    least, _ = nx.network_simplex(network)
    same = [Cell(cell.tenant, cell.creditor, "multilateral", cell.debts, cell.gross) for cell in cells]
    assert sum(each.amount.fen for each in payments(same) if each.payer is not None) == least
