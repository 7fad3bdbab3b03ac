"""Lines of support records that are made ready by the column are, to the byte, what the general way makes of them."""

import json
import string
from collections.abc import Sequence
from copy import deepcopy
from datetime import date
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.claims import support_lines
from clearing.claims.free_keys import FEW
from clearing.claims.keyring import Keyring
from clearing.claims.support_columns import Ready, Stated, content, ready
from clearing.claims.support_keys import is_red_letter, keys_stated
from clearing.claims.support_lines import lines_ready
from clearing.claims.vault import content_mac
from connectors.reading import read_support_record
from tenants.kernel.errors import Problem
from tenants.kernel.strict_json import decode
from tests.imports.files import Body, record

KEYRING: Final = Keyring({1: b"\x01" * 32, 2: b"\x02" * 32, 3: b"\x03" * 32}, None)
PLATFORM, TENANT = "wujiang-local", "wujiang"
ENTERPRISES: Final = ("91320115MA1LYJ6P8N", "9132 0115-MA1LYJ6P8N", "91320312m49w4qle12")
PROVIDER: Final = "91320115MA1LYJ6P8N"
BYTES: Final = 2**20


def generally(written: Sequence[int], lines: Sequence[bytes]) -> Ready | None:
    """What the records are made of one by one; ``None`` where one is refused, repeated or meets another."""
    versions, stated = KEYRING.under(written), list[Stated]()
    for line in lines:
        try:
            one = read_support_record(decode(line.strip(), BYTES))
        except Problem:
            return None
        red_letter = is_red_letter(one)
        keys, faults = keys_stated(versions, one, red_letter=red_letter)
        if faults or (one.platform, one.tenant) != (PLATFORM, TENANT):
            return None
        stated.append(Stated(one, content_mac(KEYRING, content(one)), keys, red_letter))
    digests = [digest for one in stated for key in one.keys for _, digest in key.digests]
    ids = {one.record.external_id for one in stated}
    return ready(versions, stated) if len(set(digests)) == len(digests) and len(ids) == len(stated) else None


def quickly(written: Sequence[int], lines: Sequence[bytes]) -> Ready | None:
    """What the lines are made by the column."""
    return lines_ready(KEYRING, written, PLATFORM, (TENANT, "qingpu"), lines)


PLAIN: Final = [json.dumps(record(), ensure_ascii=False).encode() for _ in range(FEW + 1)]


def filled(*lines: bytes) -> list[bytes]:
    """The lines among as many plain ones as make a run."""
    return [*lines, *PLAIN]


AMOUNTS: Final = st.sampled_from(["1.00", "0.01", "9000", "9000.5", "12345678.90", None])
NUMBERS: Final = st.integers(10**17, 10**20 - 1).map(str)
TEXTS: Final = st.text(string.ascii_letters + string.digits + " -/（）〔〕号第年·", min_size=1, max_size=20).map(
    lambda text: f"{text}7"
)
KEYS: Final = st.one_of(
    st.fixed_dictionaries({"kind": st.just("invoice"), "value": NUMBERS}, optional={"amount": AMOUNTS}),
    st.fixed_dictionaries({"kind": st.just("receipt"), "value": TEXTS}, optional={"amount": AMOUNTS}),
    st.fixed_dictionaries({"kind": st.just("document"), "value": st.text("0123456789abcdefABCDEF", min_size=1)}),
    st.fixed_dictionaries(
        {"kind": st.just("contract"), "value": TEXTS, "provider_uscc": st.sampled_from([PROVIDER, PROVIDER.lower()])},
        optional={"amount": AMOUNTS},
    ),
)
SOUND: Final[st.SearchStrategy[Body]] = st.fixed_dictionaries(
    {
        "platform": st.just(PLATFORM),
        "tenant": st.just(TENANT),
        "external_id": st.text("AZaz09:,{}[]#'-一龥", min_size=1, max_size=12),
        "enterprise_uscc": st.sampled_from(ENTERPRISES),
        "supported_on": st.dates(date(1990, 1, 1), date(2100, 12, 31)).map(str),
        "keys": st.lists(KEYS, min_size=1, max_size=4),
    }
)


@given(st.lists(SOUND, min_size=1, max_size=6), st.sampled_from([(1,), (1, 2), (2,), (2, 3), (3,)]), st.booleans())
def test_sound_records_are_made_ready_as_one_by_one(records: list[Body], written: tuple[int, ...], plain: bool) -> None:  # noqa: FBT001
    lines = filled(*[json.dumps(one, ensure_ascii=plain, separators=(",", ":")).encode() for one in records])
    expected, made = generally(written, lines), quickly(written, lines)
    assert made == expected or (made is None and (b"\\" in b"".join(lines) or has_twice(records, expected)))


def has_twice(records: Sequence[Body], expected: Ready | None) -> bool:
    """Whether one of the records mentions something twice, or two the same."""
    return expected is None or sum(expected.keys) < len(PLAIN) + sum(len(one["keys"]) for one in records)


def test_a_plain_run_is_made_ready_at_all() -> None:
    lines = filled()
    assert quickly((1,), lines) == generally((1,), lines) is not None


@pytest.mark.parametrize("together", [1, 3, FEW, FEW + 1])
def test_a_run_that_is_read_in_parts_is_made_ready_as_a_whole(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    lines = filled(
        *[json.dumps(record() | {"external_id": f"中:{each}"}, ensure_ascii=False).encode() for each in range(4)]
    )
    whole = quickly((1, 2), lines)
    monkeypatch.setattr(support_lines, "LINES_TOGETHER", together)
    assert quickly((1, 2), lines) == whole == generally((1, 2), lines) is not None


@pytest.mark.parametrize("other", [{"platform": "qingpu-local"}, {"tenant": "qingpu"}])
def test_parts_of_other_platforms_and_tenants_are_not_made_ready(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    monkeypatch.setattr(support_lines, "LINES_TOGETHER", len(PLAIN))
    assert quickly((1,), [*PLAIN, json.dumps(record() | other, ensure_ascii=False).encode()]) is None
    assert quickly((1,), [*PLAIN, json.dumps(record(), ensure_ascii=False).encode()]) is not None


@pytest.mark.parametrize("place", ["platform", "supported_on"])
@pytest.mark.parametrize("depth", [300, 900])
def test_a_value_nested_deeper_than_can_be_written_again_goes_the_general_way(place: str, depth: int) -> None:
    line = json.dumps(record() | {"external_id": "深"}, ensure_ascii=False)
    hostile = line.replace(json.dumps(record()[place]), "[" * depth + "]" * depth, 1)
    assert hostile != line
    assert quickly((1,), filled(hostile.encode())) is None


VALUES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.just([]), st.just({}),
    st.lists(st.text(max_size=2), max_size=2), st.just(["platform"] * 6), st.just([["kind", "value"]]),
    st.sampled_from(["2024-02-30", "1.0e3", "0.00", "红字", "red_letter", "\u202e7", "7\x7f", "e\u0301", "A\n7", ":"]),
)  # fmt: skip
INSERTED: Final = (
    *(b"", b"", b"", b'"', b",", b":", b"]", b"}", b"\\", b"\x00", b"\x7f", b"\xff", b" ", b"\r"),
    *(b'"a":1,', b'"kind":"invoice",', b'"tenant":"wujiang",'),
)
NAMES: Final = st.sampled_from([*record(), "kind", "value", "amount", "provider_uscc", "more", "platform", "line"])


@st.composite
def broken_lines(draw: st.DrawFn) -> bytes:
    """A line that was sound, with something changed: a member's value, a member more or less, a byte."""
    body: Any = deepcopy(draw(SOUND))
    key = body["keys"][0]
    for target in draw(st.lists(st.sampled_from([body, key]), max_size=2)):
        if draw(st.booleans()):
            target[draw(NAMES)] = draw(VALUES)
        else:
            target.pop(draw(NAMES), None)
    line = json.dumps(body, ensure_ascii=draw(st.booleans())).encode(errors="replace")
    place = draw(st.integers(0, len(line)))
    inserted = draw(st.sampled_from(INSERTED))
    return line[:place] + inserted + line[place:]


@given(broken_lines())
def test_a_broken_line_is_never_made_ready_otherwise(line: bytes) -> None:
    lines = filled(line)
    made = quickly((1,), lines)
    assert made is None or made == generally((1,), lines)


@pytest.mark.parametrize(
    "members",
    [
        {"platform": "jssic"},
        {"tenant": "jiangsu"},
        {"keys": []},
        {"keys": [{"kind": "red_letter", "value": "24322000000012345678", "amount": "1.00"}]},
        {"keys": [{"kind": "contract", "value": "KD-1"}]},
        {"keys": [{"kind": "invoice", "value": "12345678"}]},
        {"keys": [{"kind": "invoice", "value": "24322000000012345678", "amount": 1}]},
        {"keys": [{"kind": "invoice", "value": "24322000000012345678", "more": "1"}]},
        {"keys": ["kind", "value"]},
        {"external_id": "导入\u202e"},
        {"external_id": "two\nlines"},
        {"external_id": "一" * 65},
        {"external_id": 7},
        {"more": "members"},
        {"supported_on": "2024-02-30"},
        {"supported_on": "1989-12-31"},
    ],
)
def test_what_is_not_plain_or_not_the_callers_is_left_to_the_general_way(members: Body) -> None:
    assert quickly((1,), filled(json.dumps(record(**members), ensure_ascii=False).encode())) is None


def test_a_member_that_stands_twice_is_left_to_the_general_way() -> None:
    line = json.dumps(record(), ensure_ascii=False).encode()
    assert quickly((1,), filled(line)) is not None
    assert quickly((1,), filled(line.replace(b"{", b'{"tenant": "wujiang", ', 1))) is None


def test_records_that_are_few_or_meet_one_another_are_left_to_the_general_way() -> None:
    good = PLAIN
    assert quickly((1,), good) is not None
    assert quickly((1,), good[: FEW - 1]) is None
    assert quickly((1,), [*good, good[0]]) is None
    again = json.loads(good[0]) | {"external_id": record()["external_id"]}
    assert quickly((1,), [*good, json.dumps(again, ensure_ascii=False).encode()]) is None
    twice = record()
    twice["keys"] *= 2
    assert quickly((1,), [*good, json.dumps(twice, ensure_ascii=False).encode()]) is None
