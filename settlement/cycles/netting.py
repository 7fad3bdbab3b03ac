"""Netting (轧差): from who owes whom in a window to what is paid. Pure, in whole fen, nothing is rounded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tenants.kernel.money import ZERO, Money

NETTINGS: Final = ("gross", "bilateral", "multilateral")
"""Every debt paid as it is; each pair once; or each tenant one position against all others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the gross matrix: ``debts`` debts of the tenant to the creditor, by one netting."""

    tenant: str
    creditor: str
    netting: str
    debts: int
    gross: Money


@dataclass(frozen=True, slots=True)
class Position:
    """What one tenant owes and is owed in a window."""

    payable: Money = ZERO
    receivable: Money = ZERO

    @property
    def net(self) -> Money:
        """Receivable less payable: negative where the tenant has to pay."""
        return self.receivable - self.payable


@dataclass(frozen=True, slots=True)
class Payment:
    """What has to be paid; a side that is ``None`` is the settlement agent of the agreement set."""

    payer: str | None
    receiver: str | None
    amount: Money


def positions(cells: Iterable[Cell]) -> dict[str, Position]:
    """The position of every tenant that owes or is owed anything; the nets add up to zero."""
    found: defaultdict[str, Position] = defaultdict(Position)
    for cell in cells:
        debtor, creditor = found[cell.tenant], found[cell.creditor]
        found[cell.tenant] = Position(debtor.payable + cell.gross, debtor.receivable)
        found[cell.creditor] = Position(creditor.payable, creditor.receivable + cell.gross)
    return dict(sorted(found.items()))


def bilateral(cells: Iterable[Cell]) -> dict[tuple[str, str], Money]:
    """Of each pair, who owes whom how much once both directions are set off; even pairs are left out."""
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for cell in cells:
        sign, pair = 1, (cell.tenant, cell.creditor)
        if cell.creditor < cell.tenant:
            sign, pair = -1, (cell.creditor, cell.tenant)
        sums[pair] += sign * cell.gross.fen
    owed = {pair if fen > 0 else pair[::-1]: Money(abs(fen)) for pair, fen in sums.items() if fen}
    return dict(sorted(owed.items()))


def payments(cells: Iterable[Cell]) -> list[Payment]:
    """What has to be paid so that nobody owes anything: each cell is netted as its agreement chose."""
    by_netting: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_netting[cell.netting].append(cell)
    if unknown := by_netting.keys() - set(NETTINGS):
        raise ValueError(f"no such netting: {sorted(unknown)}")
    direct: defaultdict[tuple[str, str], Money] = defaultdict(lambda: ZERO)
    for cell in by_netting["gross"]:
        direct[cell.tenant, cell.creditor] += cell.gross
    for pair, amount in bilateral(by_netting["bilateral"]).items():
        direct[pair] += amount
    through_agent = [
        Payment(tenant, None, Money(-net.fen)) if net < ZERO else Payment(None, tenant, net)
        for tenant, net in _nets(by_netting["multilateral"]).items()
        if net
    ]
    return [Payment(payer, receiver, amount) for (payer, receiver), amount in sorted(direct.items())] + through_agent


def _nets(cells: Iterable[Cell]) -> Mapping[str, Money]:
    return {tenant: position.net for tenant, position in positions(cells).items()}
