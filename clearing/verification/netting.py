"""Netting worked out anew, in plain integers: what each owes in all, and what has to be paid."""

from collections import Counter, defaultdict
from collections.abc import Iterable

Cell = tuple[str, str, str, int]
"""Debtor, creditor, netting, fen."""
Due = tuple[str | None, str | None, int]
"""Payer, receiver and fen; without a payer or receiver it is the settlement agent."""


def sums(cells: Iterable[Cell]) -> dict[str, tuple[int, int]]:
    """What each tenant owes, and what it is owed."""
    owes: Counter[str] = Counter()
    owed: Counter[str] = Counter()
    for debtor, creditor, _, fen in cells:
        owes[debtor] += fen
        owed[creditor] += fen
    return {tenant: (owes[tenant], owed[tenant]) for tenant in owes.keys() | owed.keys()}


def due(cells: Iterable[Cell]) -> list[Due]:
    """Every payment that the cells make, each netted as it says, in a fixed order."""
    direct: defaultdict[tuple[str, str], int] = defaultdict(int)
    pairs: defaultdict[frozenset[str], Counter[str]] = defaultdict(Counter)
    against_all: Counter[str] = Counter()
    for debtor, creditor, netting, fen in cells:
        if netting == "gross":
            direct[debtor, creditor] += fen
        elif netting == "bilateral":
            pairs[frozenset({debtor, creditor})][debtor] += fen
        else:
            against_all[debtor] -= fen
            against_all[creditor] += fen
    for pair, owes in pairs.items():
        one, other = sorted(pair, key=lambda side: (-owes[side], side))
        if owes[one] > owes[other]:
            direct[one, other] += owes[one] - owes[other]
    payments: list[Due] = [(payer, receiver, fen) for (payer, receiver), fen in direct.items()]
    payments += [(tenant, None, -fen) if fen < 0 else (None, tenant, fen) for tenant, fen in against_all.items() if fen]
    return sorted(payments, key=lambda payment: (payment[0] or "", payment[1] or "", payment[2]))
