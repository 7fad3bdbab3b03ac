"""The figures of a cycle as they are shown: its gross matrix and positions; of an open window, as of now."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from settlement.cycles.cycle import Cycle, cells_of, cells_of_debts, positions_of
from settlement.cycles.netting import positions


def figures_json(connection: Connection, cycle: Cycle, tenants: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """``positions`` of the tenants, and the ``matrix`` as far as it concerns them, in the form of the API.

    Of a window that is still open its debts are added up as they are; nobody has confirmed anything of it.
    """
    shown: list[dict[str, Any]]
    if cycle.state == "open":
        cells = cells_of_debts(connection, cycle.id, tenants)
        shown = [
            {"tenant": tenant, "payable": str(p.payable), "receivable": str(p.receivable), "net": str(p.net)}
            for tenant, p in positions(cells).items()
            if tenant in tenants
        ]
    else:
        cells = cells_of(connection, cycle.id, tenants)
        shown = [position.json() for position in positions_of(connection, cycle.id, tenants)]
    matrix = [
        {"debtor": c.tenant, "creditor": c.creditor, "netting": c.netting, "debts": c.debts, "gross": str(c.gross)}
        for c in cells
    ]
    return {"positions": shown, "matrix": matrix}
