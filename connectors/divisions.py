"""Administrative divisions by their names, as screens ask for them: 省、市、区 in three lists."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from stdnum import numdb

_ERA: Final = re.compile(r"\[(?P<begun>[0-9]*)-(?P<ended>[0-9]*)\](?P<name>[^,\[]+)")
_PROVINCE_DIGITS: Final = 2
_CITY_DIGITS: Final = 4
_WHOLE_CITY: Final = "00"
_OF_PROVINCE: Final = ("00", "01", "02", "90")
"""Third and fourth digit of the counties of a municipality (直辖市), and of those directly under a province."""


def division_named(names: Sequence[str]) -> str | None:
    """The six-digit code (GB/T 2260) of province, city and county, or of the first one or two of them.

    Only divisions that still exist; ``None`` where the names fit none. In a municipality the city may be left out or
    repeat the province.
    """
    if not names:
        return None
    province, *inner = names
    for prefix, name, counties in _provinces():
        if name == province:
            found = _inside(counties, [one for one in inner if one not in ("市辖区", "县", province)])
            return None if found is None else f"{prefix}{found}"
    return None


def _inside(counties: dict[str, str], names: list[str]) -> str | None:
    if not names:
        return "0000"
    cities = [code for code, name in counties.items() if name == names[0] and code.endswith(_WHOLE_CITY)]
    if len(names) == 1:
        direct = [code for code, name in counties.items() if name == names[0] and code.startswith(_OF_PROVINCE)]
        return next(iter(cities + direct), None)
    wanted = {code[:_PROVINCE_DIGITS] for code in cities}
    return next((c for c, name in counties.items() if name == names[1] and c[:_PROVINCE_DIGITS] in wanted), None)


@cache
def _provinces() -> tuple[tuple[str, str, dict[str, str]], ...]:
    found = []
    for length, prefix, _, properties, children in numdb.get("cn/loc").prefixes:
        if length == _PROVINCE_DIGITS and "province" in properties:
            counties = {
                code: name
                for size, code, _, inner, _ in children
                if size == _CITY_DIGITS
                for name in _living(inner.get("county", ""))
            }
            found.append((prefix, properties["province"], counties))
    return tuple(found)


def _living(text: str) -> Iterator[str]:
    """The name that the code bears today: ``[1983-1999]郊区,[2000-]滨湖区`` is 滨湖区."""
    if "[" not in text:
        yield text
    for era in _ERA.finditer(text):
        if not era["ended"]:
            yield era["name"]
