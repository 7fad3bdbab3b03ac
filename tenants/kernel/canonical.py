"""Canonical bytes (RFC 8785) and digests of what is signed, chained or compared."""

import hashlib
import re
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

from tenants.kernel.clock import print_instant
from tenants.kernel.money import Money
from tenants.kernel.rate import print_rate

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
"""JSON data as it is signed, chained and answered: never a float."""

_OPTIONS: Final = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
)
_UNSURE_NUMBERS: Final = tuple(
    re.compile(before + rb"-?[0-9]+(?:[.eE]|(?<=[0-9]{15}))") for before in (rb'":', rb",", rb"\[")
)
"""A float, or an integer that may reach 2**53. A number stands behind a key or in a list; the colons of an instant's
text stand behind digits. Three patterns, because each is searched for by its literal beginning, in a tenth of the time.
"""
_NO_FLOAT: Final = frozenset({str, int, bool, type(None)})
_SMALL: Final = frozenset({int, bool})
_FEW: Final = 2**31
_BELOW_ASTRAL: Final = bytes(range(0xF0))
"""UTF-8 needs bytes above these only for characters outside the basic multilingual plane."""


def plain(value: Any) -> Json:  # noqa: ANN401 - the one door from typed values to JSON
    """The value as JSON data: money and rates as strings, days and instants in ISO form, dataclasses as objects.

    Raises:
        TypeError: a float, or any type that has no canonical form here.
    """
    match value:
        case None | bool() | str() | int():
            return value
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            printed = printed_part(value)
            return plain(printed) if isinstance(printed, dict) else printed


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - see ``plain``
    """RFC 8785 bytes of the value.

    Numbers here are integers below 2**53 only, for which sorted, compact JSON is RFC 8785, except for the
    order of keys outside the basic plane; such a key is refused.

    Raises:
        TypeError: see :func:`plain`.
        ValueError: an integer beyond 2**53, a key outside the basic multilingual plane, or an instant without a zone.
    """
    try:
        data = orjson.dumps(value, printed_part, _OPTIONS)
    except orjson.JSONEncodeError as error:
        _refuse_what_differs(plain(value))
        raise TypeError(str(error)) from error
    if _is_flat(value):
        return data
    if _may_differ(data) or (b"null" in data and _holds_float(value)):
        _refuse_what_differs(plain(value))
    return data


def sha256(data: bytes) -> bytes:
    """SHA-256 (FIPS 180-4), 32 bytes."""
    return hashlib.sha256(data).digest()


def printed_part(value: Any) -> Any:  # noqa: ANN401 - any value that is not JSON by itself
    """The JSON data that stands for a typed value: a text, or a dataclass's fields."""
    match value:
        case Money():
            return str(value)
        case datetime():
            return print_instant(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case Fraction():
            return print_rate(value)
        case _ if is_dataclass(value):
            return members_of(value)
        case _:
            raise TypeError(f"no canonical form for {type(value).__name__}")


def members_of(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """A dataclass's fields by their names.

    Raises:
        TypeError: it is no dataclass.
    """
    kind: Any = type(value)
    return {name: getattr(value, name) for name in _names(kind)}


@lru_cache(maxsize=256)
def _names(kind: Any) -> tuple[str, ...]:  # noqa: ANN401 - a dataclass
    return tuple(field.name for field in fields(kind))


def _is_flat(value: Any) -> bool:  # noqa: ANN401 - see ``plain``
    """Whether the value is an object of texts, truths and numbers that count, so that its bytes need no look."""
    return type(value) is dict and all(
        key.isascii() and (kind is str or (kind in _SMALL and -_FEW < member < _FEW) or member is None)
        for key, member, kind in zip(value, value.values(), map(type, value.values()), strict=True)
    )


def _may_differ(data: bytes) -> bool:
    """Whether a float, an integer near 2**53 or a key outside the basic plane might stand here: a quick look."""
    if not data.startswith((b"{", b"[", b'"')) or data.translate(None, _BELOW_ASTRAL):
        return True
    return any(unsure.search(data) for unsure in _UNSURE_NUMBERS)


def _holds_float(value: Any) -> bool:  # noqa: ANN401 - see ``plain``
    """Whether a float stands anywhere in the value: orjson writes NaN and the infinities as ``null``."""
    waiting = [value]
    for one in waiting:
        kind = type(one)
        if kind in _NO_FLOAT:
            continue
        if kind is dict:
            waiting.extend(one.values())
        elif kind is list or kind is tuple:
            waiting.extend(one)
        elif kind is float:
            return True
        elif is_dataclass(one):
            waiting.extend(members_of(one).values())
    return False


def _refuse_what_differs(data: Json) -> None:
    if isinstance(data, dict):
        for key, inner in data.items():
            if key and max(key) > "\uffff":
                raise ValueError("a key outside the basic multilingual plane has another order in RFC 8785")
            _refuse_what_differs(inner)
    elif isinstance(data, list):
        for inner in data:
            _refuse_what_differs(inner)
    elif isinstance(data, int) and abs(data) >= 2**53:
        raise ValueError("an integer of 2**53 or more has no exact JSON number; send a string")
