"""Amounts in capital numerals (人民币大写), worked out digit by digit to compare with what an instruction says."""

from typing import Final

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ("仟", "佰", "拾", "")
_GROUPS: Final = ("", "万", "亿")
_GROUP_DIGITS: Final = 4


def in_capitals(fen: int) -> str:
    """The amount of ``fen`` as it is written on a payment order."""
    digits = f"{fen:03d}"
    yuan, jiao, last = digits[:-2], digits[-2], digits[-1]
    words = _whole(yuan)
    words += "元" if words else ""
    if (jiao, last) == ("0", "0"):
        return f"{words or '零元'}整"
    if jiao != "0":
        words += f"{_DIGITS[int(jiao)]}角"
    elif words:
        words += "零"
    return words + ("" if last == "0" else f"{_DIGITS[int(last)]}分")


def _whole(digits: str) -> str:
    """Whole yuan by groups of four digits; one nought is spoken for noughts inside, none at the end of a group."""
    if len(digits) > 2 * _GROUP_DIGITS:
        high, low = digits[: -2 * _GROUP_DIGITS], digits[-2 * _GROUP_DIGITS :]
        gap = "零" if low.lstrip("0") and low[0] == "0" else ""
        return f"{_whole(high)}亿{gap}{_whole(low)}" if high.strip("0") else _whole(low)
    high, low = digits[:-_GROUP_DIGITS], digits[-_GROUP_DIGITS:]
    if not high.strip("0"):
        return _group(low)
    gap = "零" if low.lstrip("0") and low[0] == "0" else ""
    return f"{_group(high)}{_GROUPS[1]}{gap}{_group(low)}"


def _group(digits: str) -> str:
    words, gap = "", False
    for digit, place in zip(digits.rjust(_GROUP_DIGITS, "0"), _PLACES, strict=True):
        if digit == "0":
            gap = bool(words)
        else:
            words += ("零" if gap else "") + _DIGITS[int(digit)] + place
            gap = False
    return words
