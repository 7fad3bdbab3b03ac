"""人民币大写: an amount in the capital numerals of cheques and payment orders.

Rules: 支付结算办法, 附一 正确填写票据和结算凭证的基本规定, articles 1 to 4. Where article 2 lets the writer choose
(一个零 where the unit of 万 or 元 is zero), none is written; 整 follows 元 and not 角.
"""

from functools import lru_cache
from typing import Final

from tenants.kernel.money import FEN_PER_YUAN, MAX_FEN, Money

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ((1000, "仟"), (100, "佰"), (10, "拾"), (1, ""))
_WAN: Final = 10_000
_YI: Final = 100_000_000


def amount_in_words(amount: Money) -> str:
    """The amount in capital numerals, such as ``壹拾肆万元整``.

    Raises:
        ValueError: a negative amount, or one above ``MAX_FEN``.
    """
    if not 0 <= amount.fen <= MAX_FEN:
        raise ValueError("capital numerals are written for amounts from zero to the largest that can be stored")
    yuan, fen = divmod(amount.fen, FEN_PER_YUAN)
    jiao, cents = divmod(fen, 10)
    words = _whole(yuan) + "元" if yuan else ""
    if not fen:
        return (words or "零元") + "整"
    if jiao:
        words += _DIGITS[jiao] + "角"
    elif words:
        words += "零"
    return words + (_DIGITS[cents] + "分" if cents else "")


def _whole(number: int) -> str:
    """A whole number above zero, built from 亿 down; 零 stands where the part below does not reach its top place."""
    for unit, name in ((_YI, "亿"), (_WAN, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return _whole(high) + name + gap + (_whole(low) if low else "")
    return _below_wan(number)


@lru_cache(maxsize=_WAN)
def _below_wan(number: int) -> str:
    words, gap = "", False
    for place, name in _PLACES:
        digit, number = divmod(number, place)
        if digit:
            words += ("零" if gap and words else "") + _DIGITS[digit] + name
        gap = not digit
    return words
