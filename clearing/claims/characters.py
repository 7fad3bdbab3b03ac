"""Which characters are one and the same in a number, whoever typed it.

Only what is certain is made alike: width, case, scripts of digits, capitals of other alphabets that are drawn as Latin
ones, and the traditional forms of characters that numbers of contracts are written with. A letter O is not made a
nought, and 乾 is not made 干 (which is also 幹 and 干): such likenesses are for the search of near duplicates, which
only ever holds a claim.
"""

import re
import unicodedata
from typing import Final

_LOOK_ALIKE: Final = str.maketrans("АВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABESIJKMHOPCTYXABEZHIKMNOPTYX")
"""Cyrillic and Greek capitals that are drawn as Latin ones."""
_TRADITIONAL: Final = (
    "號編碼協議術開發轉讓諮詢測檢試驗務採購項補書簽訂單種類證計設備電機學軟體數據網絡醫藥"
    "華東長區國蘇滬寧陽馬吳縣鎮廣龍錫興紹溫麗蕪銅黃慶運臨晉瓊島揚鹽連雲許認質標準環監實創"
)
_SIMPLIFIED: Final = (
    "号编码协议术开发转让咨询测检试验务采购项补书签订单种类证计设备电机学软体数据网络医药"
    "华东长区国苏沪宁阳马吴县镇广龙锡兴绍温丽芜铜黄庆运临晋琼岛扬盐连云许认质标准环监实创"
)
_SIMPLIFY: Final = str.maketrans(_TRADITIONAL, _SIMPLIFIED)
"""Kinds of contracts, words before a number, places: no two of these traditional forms share a simplified one."""
_NOT_ALPHANUMERIC: Final = re.compile("[^0-9A-Za-z]+")


def letters_and_digits(text: str) -> str:
    """Letters and digits only, NFKC, in capitals, digits of every script as ASCII."""
    if text.isascii():
        return _NOT_ALPHANUMERIC.sub("", text).upper()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper()).translate(_LOOK_ALIKE)
    return "".join(_plain_digit(character) for character in folded if character.isalnum())


def simplified(text: str) -> str:
    """The text with the traditional characters of numbers in their simplified form."""
    return text if text.isascii() else text.translate(_SIMPLIFY)


def _plain_digit(character: str) -> str:
    value = unicodedata.digit(character, None)
    return character if value is None else str(value)
