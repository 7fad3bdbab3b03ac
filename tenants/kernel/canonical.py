"""Canonical bytes (RFC 8785) and digests of what is signed, chained or compared."""

import hashlib
import json
from datetime import date, datetime
from fractions import Fraction
from typing import Any, TypeAlias
from uuid import UUID

from tenants.kernel.clock import print_instant
from tenants.kernel.money import Money
from tenants.kernel.rate import print_rate

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
"""JSON data as it is signed, chained and answered: never a float."""


def plain(value: Any) -> Json:  # noqa: ANN401 - the one door from typed values to JSON
    """The value as JSON data: money and rates as strings, days and instants in ISO form.

    Raises:
        TypeError: a float, or any type that has no canonical form here.
    """
    match value:
        case None | bool() | str() | int():
            return value
        case Money():
            return str(value)
        case Fraction():
            return print_rate(value)
        case datetime():
            return print_instant(value)
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            raise TypeError(f"no canonical form for {type(value).__name__}")


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - see ``plain``
    """RFC 8785 bytes of the value.

    Numbers here are integers below 2**53 only, for which sorted, compact JSON is RFC 8785, except for the
    order of keys outside the basic plane; such a key is refused.

    Raises:
        TypeError: see :func:`plain`.
        ValueError: an integer beyond 2**53 or a key outside the basic multilingual plane.
    """
    data = plain(value)
    _refuse_what_differs(data)
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sha256(data: bytes) -> bytes:
    """SHA-256 (FIPS 180-4), 32 bytes."""
    return hashlib.sha256(data).digest()


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
