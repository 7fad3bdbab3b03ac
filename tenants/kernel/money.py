"""Money: whole fen inside, a decimal string in yuan outside, never a float."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Self

from tenants.kernel.rate import Rate

FEN_PER_YUAN: Final = 100
MAX_FEN: Final = 10**15
"""Ten trillion yuan: far above any budget, far below the database's bigint and JSON's 2**53."""

PRINTED_KEPT: Final = 16_384
"""A claim says most of its amounts a dozen times on its way in."""

_YUAN = re.compile(r"(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?", re.ASCII)


class MoneyError(ValueError):
    """The text is not an amount in yuan with at most two decimals."""


class Money:
    """A non-negative or negative amount in whole fen of renminbi.

    There is deliberately no ``*`` and no ``/``: a part of an amount is taken only by :meth:`share`,
    which names its rounding.
    """

    __slots__ = ("fen",)
    fen: int

    def __init__(self, fen: int) -> None:
        if type(fen) is not int:
            raise MoneyError("fen must be a whole number")
        object.__setattr__(self, "fen", fen)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Money is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"Money is immutable: cannot delete {name}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"408000.00"``; ASCII digits only, no sign, no exponent, no thousands separator.

        Raises:
            MoneyError: the text is anything else, or above ``MAX_FEN``.
        """
        match = _YUAN.fullmatch(text)
        if match is None:
            raise MoneyError("an amount is a decimal string in yuan with at most two decimals")
        yuan, decimals = match.groups()
        fen = int(yuan) * FEN_PER_YUAN + int((decimals or "").ljust(2, "0"))
        if fen > MAX_FEN:
            raise MoneyError("the amount is above the largest that can be stored")
        return cls(fen)

    def share(self, rate: Rate) -> "Money":
        """The part of this amount that ``rate`` gives, rounded down to the fen.

        A support rate is "not more than" (不超过), so the fraction of a fen is never granted.
        """
        return Money(self.fen * rate.numerator // rate.denominator)

    def __str__(self) -> str:
        return _yuan(self.fen)

    def __format__(self, form: str) -> str:
        """``""`` for machines, ``408000.00``; ``","`` for people, its thousands apart: ``408,000.00``."""
        if form not in {"", ","}:
            raise MoneyError("an amount is printed plainly or with its thousands apart")
        return _yuan_apart(self.fen) if form else str(self)

    def __repr__(self) -> str:
        return f"Money({self})"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.fen + other.fen)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.fen - other.fen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.fen == other.fen

    def __hash__(self) -> int:
        return hash(("Money", self.fen))

    def __lt__(self, other: "Money") -> bool:
        return self.fen < other.fen

    def __le__(self, other: "Money") -> bool:
        return self.fen <= other.fen

    def __gt__(self, other: "Money") -> bool:
        return self.fen > other.fen

    def __ge__(self, other: "Money") -> bool:
        return self.fen >= other.fen

    def __bool__(self) -> bool:
        return self.fen != 0

    def __reduce__(self) -> tuple[type["Money"], tuple[int]]:
        return (Money, (self.fen,))


@lru_cache(maxsize=PRINTED_KEPT)
def _yuan(fen: int) -> str:
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // FEN_PER_YUAN}.{fen % FEN_PER_YUAN:02d}"


def _yuan_apart(fen: int) -> str:
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // FEN_PER_YUAN:,}.{fen % FEN_PER_YUAN:02d}"


ZERO: Final = Money(0)


def in_thousands(amount: Money | str) -> str:
    """An amount in yuan as people read it, its thousands apart: ``408,000.00``.

    A text is one that machines read; one that is none, as in what somebody forged, stays as it is.
    """
    if isinstance(amount, Money):
        return _yuan_apart(amount.fen)
    sign, digits = ("-", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, _, fen = digits.partition(".")
    return f"{sign}{int(whole):,}.{fen or '00'}" if whole.isdecimal() else amount


def total(amounts: Iterable[Money]) -> Money:
    """The sum of the amounts; zero for none."""
    return Money(sum(amount.fen for amount in amounts))


def divide(pot: Money, dues: Sequence[Money]) -> list[Money]:
    """What each gets of the pot in proportion to what is due to it, summing to the pot to the fen.

    By the largest remainder: everybody gets the whole fen of the exact share; what is left of the pot goes, a fen
    each, to the largest remainders, of equal ones to the first. Where the pot suffices everybody gets what is due.

    Raises:
        MoneyError: the pot or a due amount is negative.
    """
    owed = sum(due.fen for due in dues)
    if pot.fen < 0 or any(due.fen < 0 for due in dues):
        raise MoneyError("only amounts of nothing or more are divided")
    if owed <= pot.fen:
        return list(dues)
    shares = [divmod(pot.fen * due.fen, owed) for due in dues]
    spare = pot.fen - sum(whole for whole, _ in shares)
    favoured = set(sorted(range(len(dues)), key=lambda place: (-shares[place][1], place))[:spare])
    return [Money(whole + (place in favoured)) for place, (whole, _) in enumerate(shares)]
