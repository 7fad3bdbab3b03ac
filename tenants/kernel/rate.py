"""Rates: exact fractions read from printed text, such as ``"0.35"`` or ``"3/7"``."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

Rate = Fraction
"""An exact proportion. Never built from a float."""

_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,6})?", re.ASCII)
_RATIO = re.compile(r"([1-9][0-9]{0,5})\s*[:/]\s*([1-9][0-9]{0,5})", re.ASCII)

PRINTED_KEPT: Final = 1_024
MAX_PLACES: Final = 6
"""Decimals that a printed rate may have."""


class RateError(ValueError):
    """The text is not an exact proportion."""


def parse_rate(text: str) -> Rate:
    """Read ``"0.35"`` or a ratio ``"3:7"`` (also ``"3/7"``) exactly.

    Raises:
        RateError: the text is anything else.
    """
    if _DECIMAL.fullmatch(text):
        return Fraction(text)
    if match := _RATIO.fullmatch(text):
        return Fraction(int(match[1]), int(match[2]))
    raise RateError("a rate is a decimal such as 0.35 or a ratio such as 3:7")


@lru_cache(maxsize=PRINTED_KEPT)
def print_rate(rate: Rate) -> str:
    """The rate as people and JSON read it: decimal where it ends, else ``"3/7"``."""
    if rate.denominator == 1:
        return str(rate.numerator)
    scaled, places = rate, 0
    while scaled.denominator != 1 and places < MAX_PLACES:
        scaled, places = scaled * 10, places + 1
    if scaled.denominator != 1:
        return f"{rate.numerator}/{rate.denominator}"
    digits = str(scaled.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
