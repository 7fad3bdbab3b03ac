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


@dataclass(frozen=True, slots=True)
class Owed:
    """What the tenant owes the creditor in a window, by one netting, of one scheme and quota year."""

    tenant: str
    creditor: str
    netting: str
    scheme: str
    quota_year: int
    amount: Money


Year = tuple[str, int]
"""A scheme and a quota year."""
Parts = Mapping[Year, int]
"""Fen by scheme and year: above zero what is paid, below what is received instead."""


def parts(payment: Payment, owed: Iterable[Owed]) -> dict[Year, int]:
    """What of each scheme and year the payment settles, seen by its payer (or the receiver from an agent), in fen.

    They add up to the payment's amount; to what is below zero by as much where an agent pays out.
    """
    if payment.payer is not None and payment.receiver is not None:
        return _between(payment.payer, payment.receiver, owed)
    side = payment.payer or payment.receiver
    found: defaultdict[Year, int] = defaultdict(int)
    for one in owed:
        if one.netting == "multilateral" and side in {one.tenant, one.creditor}:
            found[one.scheme, one.quota_year] += one.amount.fen if one.tenant == side else -one.amount.fen
    return _kept(found)


def _between(payer: str, receiver: str, owed: Iterable[Owed]) -> dict[Year, int]:
    """Gross debts one by one; the pair's netted ones with both their sides, where the payer is left with more."""
    gross: defaultdict[Year, int] = defaultdict(int)
    netted: defaultdict[Year, int] = defaultdict(int)
    for one in owed:
        forth, back = (one.tenant, one.creditor) == (payer, receiver), (one.creditor, one.tenant) == (payer, receiver)
        if one.netting == "gross" and forth:
            gross[one.scheme, one.quota_year] += one.amount.fen
        if one.netting == "bilateral" and (forth or back):
            netted[one.scheme, one.quota_year] += one.amount.fen if forth else -one.amount.fen
    if sum(netted.values()) > 0:
        for year, fen in netted.items():
            gross[year] += fen
    return _kept(gross)


def _kept(found: Mapping[Year, int]) -> dict[Year, int]:
    return {year: fen for year, fen in sorted(found.items()) if fen}


def shared_out(of: Parts, shares: Iterable[tuple[str, int]]) -> dict[str, dict[Year, int]]:
    """The parts of a payment shared out: each gets parts that add up to its fen, the shares to the payment's sum.

    What is below zero goes to the first, who then gets that much more of what is above.
    """
    below = {year: fen for year, fen in of.items() if fen < 0}
    above = [(year, fen) for year, fen in sorted(of.items()) if fen > 0]
    extra, found = -sum(below.values()), {}
    for who, share in shares:
        taken: defaultdict[Year, int] = defaultdict(int, below)
        wanted, below, extra = share + extra, {}, 0
        while wanted:
            if not above:
                raise ValueError("the shares are more than there is")
            year, fen = above.pop(0)
            taken[year] += min(fen, wanted)
            if fen > wanted:
                above.insert(0, (year, fen - wanted))
            wanted -= min(fen, wanted)
        found[who] = _kept(taken)
    return found


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
