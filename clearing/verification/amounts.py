"""Amounts as they are printed, in whole fen."""

from typing import Final

from tenants.kernel.money import Money

_YUAN_DIGITS: Final = 13
"""As many as the largest amount that can be stored has."""


def fen_of(printed: str) -> int:
    """The fen of an amount in yuan; the form that the service writes is read without detour.

    Raises:
        MoneyError: the text is no amount.
        TypeError: it is no text.
    """
    yuan, decimals = printed[:-3], printed[-2:]
    if (
        printed[-3:-2] == "."
        and len(yuan) <= _YUAN_DIGITS
        and yuan.isdecimal()
        and decimals.isdecimal()
        and printed.isascii()
        and (yuan[0] != "0" or yuan == "0")
    ):
        return int(yuan) * 100 + int(decimals)
    return Money.parse(printed).fen
