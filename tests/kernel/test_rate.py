"""Rates: exact fractions of printed text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.rate import RateError, parse_rate, print_rate


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "35%", "-0.35", "+0.35", ".35", "0.", "00.35", "0.3500001", "1e-1", "0,35", "０.３５", "0.35 ", "nan",
        "inf", "1/0", "0/1", "0:7", "3:0", "3:-7", "3:7:1", "1:2/3", "3：7", "٣/٧", "1234567", "1/1234567", "0x1",
        "0.35\n", "1_0",
    ],
)  # fmt: skip
def test_what_is_no_plain_proportion_is_refused(text: str) -> None:
    with pytest.raises(RateError):
        parse_rate(text)


@pytest.mark.parametrize(
    ("text", "rate", "printed"),
    [
        ("0.35", Fraction(7, 20), "0.35"),
        ("0.350", Fraction(7, 20), "0.35"),
        ("3:7", Fraction(3, 7), "3/7"),
        ("3/7", Fraction(3, 7), "3/7"),
        ("6 : 14", Fraction(3, 7), "3/7"),
        ("1/2", Fraction(1, 2), "0.5"),
        ("1/128", Fraction(1, 128), "1/128"),
        ("0.000001", Fraction(1, 10**6), "0.000001"),
        ("0", Fraction(0), "0"),
        ("1.0", Fraction(1), "1"),
        ("100", Fraction(100), "100"),
    ],
)
def test_a_proportion_is_read_and_printed_exactly(text: str, rate: Fraction, printed: str) -> None:
    assert parse_rate(text) == rate
    assert print_rate(rate) == printed


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_every_decimal_survives_printing(whole: int, millionths: int) -> None:
    rate = parse_rate(f"{whole}.{millionths:06d}")
    assert rate == Fraction(whole * 10**6 + millionths, 10**6)
    assert parse_rate(print_rate(rate)) == rate


@given(st.integers(1, 999_999), st.integers(1, 999_999))
def test_every_ratio_survives_printing(part: int, whole: int) -> None:
    rate = parse_rate(f"{part}:{whole}")
    assert rate == Fraction(part, whole)
    assert parse_rate(print_rate(rate)) == rate


@given(st.text(max_size=10))
def test_any_text_is_a_rate_in_ascii_or_refused(text: str) -> None:
    try:
        rate = parse_rate(text)
    except RateError:
        return
    assert text.isascii()
    assert rate >= 0
