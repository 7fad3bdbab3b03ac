"""Canonical bytes: equal to an independent RFC 8785 implementation, or refused."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.canonical import canonical_bytes, plain
from tenants.kernel.money import Money

SAFE = 2**53 - 1
BELOW_ASTRAL = st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXT
DATA = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(BELOW_ASTRAL, max_size=6), inner, max_size=4),
    max_leaves=20,
)


@dataclass(frozen=True, slots=True)
class Award:
    amount: Money
    rate: Fraction
    parts: tuple["Award", ...] = ()
    note: str | None = None


@given(DATA)
def test_the_bytes_are_those_of_another_implementation(data: Any) -> None:
    assert canonical_bytes(data) == rfc8785.dumps(data)


WRAPPED: list[Callable[[Any], Any]] = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: {"a": [None, {"b": (value,)}]},
    lambda value: Award(Money(1), Fraction(1), note=value),
]


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, 0.1, 1e22, 1e-7, 2.0**60]
)
def test_a_float_is_refused_wherever_it_stands(wrap: Callable[[Any], Any], number: float) -> None:
    with pytest.raises(TypeError):
        canonical_bytes(wrap(number))


@pytest.mark.parametrize("wrap", WRAPPED)
@pytest.mark.parametrize("number", [SAFE + 1, -SAFE - 1, 2**63, 2**64, 10**400, -(10**30)])
def test_an_integer_beyond_exact_json_is_refused_wherever_it_stands(wrap: Callable[[Any], Any], number: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*53"):
        canonical_bytes(wrap(number))


@pytest.mark.parametrize("number", [SAFE, -SAFE, 10**15, -(10**15), 999_999_999_999_999])
def test_the_largest_exact_integers_are_taken(number: int) -> None:
    assert canonical_bytes([number, {"a": number}]) == f'[{number},{{"a":{number}}}]'.encode()


@pytest.mark.parametrize("data", [{"\U0001f600": 1}, [{"a": {"x\U00010000": []}}]])
def test_a_key_whose_order_differs_in_rfc_8785_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="multilingual"):
        canonical_bytes(data)
    assert canonical_bytes({"a": "\U0001f600"}) == '{"a":"\U0001f600"}'.encode()


@pytest.mark.parametrize(
    "data", [{1: 2}, {None: 2}, {"a": {b"x": 1}}, b"bytes", {"a": {1, 2}}, "\ud800", {"\udfff": 1}, object(), 1j]
)
def test_what_has_no_canonical_form_is_refused(data: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_bytes(data)


def test_texts_that_look_like_numbers_or_null_are_taken_as_they_are() -> None:
    data = {"a": ":12345678901234567890.5e10", "b": "null", "c": ['[1.5,"', ",null"], "d": None, "null": [None]}
    assert json.loads(canonical_bytes(data)) == data
    assert canonical_bytes(data) == rfc8785.dumps(data)


def test_typed_values_are_printed_as_the_interface_prints_them() -> None:
    at = datetime(2024, 8, 31, 16, 0, 0, 5, tzinfo=UTC)
    identity = UUID("0192f0a0-0000-7000-8000-000000000001")
    award = Award(Money(5), Fraction(1, 3), (Award(Money(-1), Fraction(35, 100)),))
    data = {"at": at, "on": date(2024, 2, 29), "id": identity, "award": award, "list": (1, True)}
    expected: Any = {
        "at": "2024-09-01T00:00:00.000005+08:00",
        "on": "2024-02-29",
        "id": str(identity),
        "award": {
            "amount": "0.05",
            "rate": "1/3",
            "note": None,
            "parts": [{"amount": "-0.01", "rate": "0.35", "parts": [], "note": None}],
        },
        "list": [1, True],
    }
    assert plain(data) == expected
    assert canonical_bytes(data) == rfc8785.dumps(expected)


def test_an_instant_without_a_zone_has_no_canonical_form() -> None:
    with pytest.raises(ValueError, match="zone"):
        canonical_bytes({"at": datetime(2024, 9, 1)})  # noqa: DTZ001 - that is the point


def test_true_and_one_are_not_the_same_bytes() -> None:
    assert canonical_bytes([True, 1, False, 0]) == b"[true,1,false,0]"
