"""Findings written out by their ruling's form: the canonical bytes of their JSON, whatever stands in them."""

from datetime import date
from fractions import Fraction

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.claims.rules.finding import (
    PASS,
    REJECT,
    Fault,
    Label,
    Ruling,
    Wording,
    finding_bytes,
    finding_json,
    forget_written,
)
from tenants.kernel.money import Money, MoneyError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["%s", "{a}", '"', "\\", "\n"])
INNER = Wording("有 {z}：{fen} 元", "{fen} yuan {z}", ("z",), ("fen_fen",))
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**15), 10**15), TEXT, st.dates(date(1, 1, 1)),
    st.fractions(0, 2, max_denominator=1000), st.integers(0, 10**15).map(Money), st.builds(Label, TEXT, TEXT, TEXT),
)  # fmt: skip
LISTS = st.lists(TEXT, max_size=3).map(tuple) | st.lists(
    st.builds(Fault, TEXT, st.just(INNER), st.tuples(TEXT, st.integers(0, 10**9))), max_size=3
).map(tuple)
WORDING = Wording(
    '读“{b}”与"{a}"，100% {cost}，{list}。',
    "{cost}% of {list}\\ {b} {b} {a}",
    ("b", "cost_fen"),
    ("list", "a", "unsaid"),
)
RULINGS = (Ruling("one.rule", PASS, "条款 %s {x}", WORDING), Ruling("two", REJECT, 'a "cite" \\', WORDING))


@given(
    st.sampled_from(RULINGS),
    st.tuples(PLAIN, st.none() | st.integers(-(10**15), 10**15), LISTS | PLAIN, PLAIN, PLAIN),
)
@settings(deadline=None, max_examples=300)
def test_the_bytes_are_the_canonical_bytes_of_the_json(ruling: Ruling, values: tuple[object, ...]) -> None:
    forget_written()
    finding = (ruling, values)
    assert finding_bytes(finding) == orjson.dumps(finding_json(finding), option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize("first", [1, True, Fraction(1)])
def test_values_that_are_equal_and_of_other_kinds_are_told_apart(first: object) -> None:
    ruling = Ruling("kinds", PASS, "", Wording("{a}", "{a}", ("a",)))
    for value in (first, 1, True, Fraction(1), "1", Money(1)):
        forget_written()
        expected = orjson.dumps(finding_json((ruling, (value,))), option=orjson.OPT_SORT_KEYS)
        assert finding_bytes((ruling, (value,))) == expected


def test_a_finding_of_another_width_or_with_no_whole_fen_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        finding_bytes((RULINGS[0], ("too", 1)))
    with pytest.raises(MoneyError):
        finding_bytes((RULINGS[0], ("b", True, (), "a", None)))
