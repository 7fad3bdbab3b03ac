"""Strict fields for money, rates, days, instants and the codes of China's registers.

marshmallow's own ``Decimal`` and ``Date`` take floats, exponents, full-width digits and week dates, and round without
a word; none of that passes here.
"""

import re
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Final
from uuid import UUID

from stdnum.cn import uscc

from connectors.faults import Fault
from connectors.leaf import REMEMBERED_CODES, CodeField, Leaf, Read
from tenants.kernel.money import Money, MoneyError
from tenants.kernel.rate import Rate, RateError, parse_rate

EARLIEST_YEAR: Final = 1990
LATEST_YEAR: Final = 2100
FOUNDED_FROM_YEAR: Final = 1800
"""Universities and old firms are older than any voucher."""
MAX_USCC_CHARACTERS: Final = 40
"""18, and the spaces and hyphens that people put between them."""
REMEMBERED_VALUES: Final = 16_384

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_INSTANT = re.compile(
    r"([0-9]{4})-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])\Z"
)
_USCC = re.compile(r"[1-9][1-9][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}\Z")
_DECIMAL = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")


class MoneyField(Leaf[Money]):
    """An amount in yuan as a decimal string with at most two decimals; above zero unless ``zero``."""

    def __init__(
        self, *, zero: bool = False, optional: bool = False, data_key: str | None = None, about: str = ""
    ) -> None:
        super().__init__(
            _money_reader(zero=zero),
            {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?$", "examples": ["408000.00"]},
            expected="money.text_expected",
            optional=optional,
            data_key=data_key,
            about=about,
        )


@cache
def _money_reader(*, zero: bool) -> Read[Money]:
    @lru_cache(REMEMBERED_VALUES)
    def read(value: object) -> Money:
        if type(value) is not str:
            raise Fault("money.text_expected")
        try:
            money = Money.parse(value)
        except MoneyError:
            raise Fault("money.malformed") from None
        if not money.fen and not zero:
            raise Fault("money.not_positive")
        return money

    return read


class RateField(Leaf[Rate]):
    """A proportion or a percentage as a decimal string, at most ``highest``; never a ratio such as ``1/2``."""

    def __init__(self, highest: int, *, optional: bool = False, about: str = "") -> None:
        @lru_cache(REMEMBERED_CODES)
        def read(value: object) -> Rate:
            if type(value) is not str:
                raise Fault("rate.text_expected")
            if not _DECIMAL.match(value):
                raise Fault("rate.malformed")
            try:
                rate = parse_rate(value)
            except RateError:
                raise Fault("rate.malformed") from None
            if rate > highest:
                raise Fault("rate.too_high", str(highest))
            return rate

        form = {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})?$", "examples": ["0", "33.4"]}
        super().__init__(read, form, expected="rate.text_expected", optional=optional, about=about)


class DayField(Leaf[date]):
    """A calendar day ``YYYY-MM-DD`` between the years ``earliest`` and 2100, in Asia/Shanghai where that matters."""

    def __init__(self, *, earliest: int = EARLIEST_YEAR, optional: bool = False, about: str = "") -> None:
        super().__init__(_day_reader(earliest), {"type": "string", "format": "date"}, optional=optional, about=about)


@cache
def _day_reader(earliest: int) -> Read[date]:
    @lru_cache(REMEMBERED_VALUES)
    def read(value: object) -> date:
        if type(value) is not str:
            raise Fault("text.expected")
        if not _DAY.match(value):
            raise Fault("day.malformed")
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise Fault("day.impossible") from None
        if not earliest <= day.year <= LATEST_YEAR:
            raise Fault("day.out_of_range", f"{earliest}–{LATEST_YEAR}")
        return day

    return read


class InstantField(Leaf[datetime]):
    """An instant of RFC 3339 with its offset, to the microsecond at most; read as UTC."""

    def __init__(self, *, about: str = "") -> None:
        super().__init__(_instant, {"type": "string", "format": "date-time"}, about=about)


def _instant(value: object) -> datetime:
    if type(value) is not str:
        raise Fault("text.expected")
    form = _INSTANT.match(value)
    if form is None:
        raise Fault("instant.malformed")
    if not EARLIEST_YEAR <= int(form[1]) <= LATEST_YEAR:
        raise Fault("day.out_of_range", f"{EARLIEST_YEAR}–{LATEST_YEAR}")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except ValueError:
        raise Fault("instant.malformed") from None


class UsccField(Leaf[str]):
    """A unified social credit code (统一社会信用代码, GB 32100-2015) with its check character, read compact.

    Small letters and ASCII spaces and hyphens between the groups are taken; full-width characters are not.
    """

    def __init__(self, *, optional: bool = False, about: str = "") -> None:
        form = {"type": "string", "maxLength": MAX_USCC_CHARACTERS, "examples": ["91320312M49W4QLE12"]}
        super().__init__(_uscc, form, optional=optional, about=about)


@lru_cache(REMEMBERED_VALUES)
def _uscc(value: object) -> str:
    if type(value) is not str:
        raise Fault("text.expected")
    if len(value) > MAX_USCC_CHARACTERS or not value.isascii():
        raise Fault("uscc.malformed")
    code = value if _USCC.match(value) else uscc.compact(value)
    if not _USCC.match(code):
        raise Fault("uscc.malformed")
    if code[-1] != uscc.calc_check_digit(code):
        raise Fault("uscc.check_character")
    return code


class DivisionField(CodeField):
    """An administrative division code of six digits (GB/T 2260); whether it exists is not checked."""

    def __init__(self, *, optional: bool = False, about: str = "") -> None:
        super().__init__(r"[1-9][0-9]{5}", "division.malformed", optional=optional, about=about, example="320312")


class CnapsField(CodeField):
    """A bank's line number (联行号) of twelve digits.

    No check digit: ISO 7064 MOD 11,10 fits the numbers in use, but not the ``102301000017`` that our own contract
    (api.md) prints, and a false refusal here would stop a claim that the bank would have paid.
    """

    def __init__(self, *, about: str = "") -> None:
        super().__init__(r"[0-9]{12}", "cnaps.malformed", about=about, example="102301000017")


class Sha256Field(Leaf[str]):
    """A SHA-256 digest in 64 hexadecimal digits, read in small letters, so that one file has one spelling."""

    def __init__(self, *, about: str = "") -> None:
        super().__init__(_sha256, {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}, about=about)


def _sha256(value: object) -> str:
    if type(value) is not str:
        raise Fault("text.expected")
    if not _SHA256.match(value):
        raise Fault("sha256.malformed")
    return value.lower()


class UuidField(Leaf[UUID]):
    """An identifier of this service, in the form of RFC 9562."""

    def __init__(self, *, optional: bool = False, about: str = "") -> None:
        super().__init__(_uuid, {"type": "string", "format": "uuid"}, optional=optional, about=about)


def _uuid(value: object) -> UUID:
    if type(value) is not str:
        raise Fault("text.expected")
    if not _UUID.match(value):
        raise Fault("uuid.malformed")
    return UUID(value)
