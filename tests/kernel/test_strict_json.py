import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.kernel.errors import Malformed, TooLarge
from tenants.kernel.strict_json import MAX_DEPTH, MAX_LIST, _decode_exactly, _decode_quickly, decode, pointer

ROOM = 2**18


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


REFUSED = {
    "nothing": (b"", "json.empty", ""),
    "only white space": (b"  \n", "json.syntax", ""),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "json.byte_order_mark", ""),
    "utf-16": ('{"a":1}'.encode("utf-16"), "json.not_utf8", ""),
    "latin-1": (b'{"a":"caf\xe9"}', "json.not_utf8", ""),
    "overlong utf-8": (b'{"a":"\xc0\xaf"}', "json.not_utf8", ""),
    "surrogate as utf-8": (b'{"a":"\xed\xa0\x80"}', "json.not_utf8", ""),
    "cut off": (b'{"a":{"b":[1,2', "json.syntax", "/a/b"),
    "trailing comma in an object": (b'{"a":1,}', "json.syntax", ""),
    "trailing comma in a list": (b'{"a":[1,]}', "json.syntax", "/a/1"),
    "missing comma": (b'{"a":1 "b":2}', "json.syntax", ""),
    "missing colon": (b'{"a" 1}', "json.syntax", "/a"),
    "missing value": (b'{"a":}', "json.syntax", "/a"),
    "single quotes": (b"{'a':1}", "json.syntax", ""),
    "bare key": (b"{a:1}", "json.syntax", ""),
    "two documents": (b'{"a":1}{"b":2}', "json.syntax", ""),
    "comment": (b'{"a":1}//', "json.syntax", ""),
    "leading nought": (b'{"a":01}', "json.syntax", ""),
    "leading plus": (b'{"a":+1}', "json.syntax", "/a"),
    "hexadecimal": (b'{"a":0x1f}', "json.syntax", ""),
    "python word": (b'{"a":True}', "json.syntax", "/a"),
    "wrong escape": (b'{"a":"\\x41"}', "json.syntax", "/a"),
    "form feed as white space": (b'\x0c{"a":1}', "json.syntax", ""),
    "no-break space as white space": ('\u00a0{"a":1}'.encode(), "json.syntax", ""),
    "full-width digits": ('{"a":１２}'.encode(), "json.syntax", "/a"),
    "NaN": (b'{"a":NaN}', "json.not_a_number", "/a"),
    "Infinity": (b'{"a":[Infinity]}', "json.not_a_number", "/a/0"),
    "minus Infinity": (b'{"a":-Infinity}', "json.not_a_number", "/a"),
    "fraction": (b'{"invoices":[{"amount":408000.00}]}', "json.fraction", "/invoices/0/amount"),
    "exponent": (b'{"a":1e2}', "json.fraction", "/a"),
    "capital exponent": (b'{"a":1E2}', "json.fraction", "/a"),
    "minus nought point nought": (b'{"a":-0.0}', "json.fraction", "/a"),
    "overflowing exponent": (b'{"a":1e999999}', "json.fraction", "/a"),
    "2 to the 53": (b'{"a":9007199254740992}', "json.integer_too_large", "/a"),
    "minus 2 to the 53": (b'{"a":-9007199254740992}', "json.integer_too_large", "/a"),
    "2 to the 63": (b'{"a":9223372036854775808}', "json.integer_too_large", "/a"),
    "ten thousand digits": (b'{"a":' + b"9" * 10_000 + b"}", "json.integer_too_large", "/a"),
    "duplicate key": (b'{"a":{"x":1,"x":1}}', "json.duplicate_key", "/a/x"),
    "duplicate key with a colon inside": (b'{"a:b":"c:d","a:b":"c:d"}', "json.duplicate_key", "/a:b"),
    "duplicate key by escape": (b'{"a":1,"\\u0061":2}', "json.duplicate_key", "/a"),
    "duplicate key by escaped colon": (b'{":":1,"\\u003a":2}', "json.duplicate_key", "/:"),
    "duplicate key beside escaped colons": (b'{"a":"\\u003A\\u003a","a":1}', "json.duplicate_key", "/a"),
    "duplicate key beside escaped backslashes": (b'{"a":"\\\\u003a\\\\u003a","a":1}', "json.duplicate_key", "/a"),
    "duplicate key by normal form": ('{"\u00e9":1,"e\u0301":2}'.encode(), "json.duplicate_key", "/\u00e9"),
    "33 deep": (_nested(MAX_DEPTH + 1), "json.too_deep", "/0" * MAX_DEPTH),
    "33 deep in objects": (b'{"a":' * 33 + b"1" + b"}" * 33, "json.too_deep", "/a" * MAX_DEPTH),
    "300 deep": (_nested(300), "json.too_deep", "/0" * MAX_DEPTH),
    "100,000 deep": (_nested(100_000), "json.too_deep", "/0" * MAX_DEPTH),
    "100,000 deep and not closed": (b"[" * 100_000, "json.too_deep", "/0" * MAX_DEPTH),
    "5,001 items": (b"[" + b"1," * MAX_LIST + b"1]", "json.list_too_long", ""),
    "nul": (b'{"a":"x\\u0000y"}', "text.control_character", "/a"),
    "raw line break": (b'{"a":"x\ny"}', "text.control_character", "/a"),
    "escaped line break": (b'{"a":"x\\ny"}', "text.control_character", "/a"),
    "tab": (b'{"a":"x\\ty"}', "text.control_character", "/a"),
    "delete": (b'{"a":"x\x7fy"}', "text.control_character", "/a"),
    "next line (C1)": ('{"a":"x\u0085y"}'.encode(), "text.control_character", "/a"),
    "right-to-left override": ('{"a":"x\u202ey"}'.encode(), "text.bidi_control", "/a"),
    "escaped isolate": (b'{"a":"x\\u2066y"}', "text.bidi_control", "/a"),
    "Arabic letter mark": ('{"a":"\u061c"}'.encode(), "text.bidi_control", "/a"),
    "bidi control in a key": ('{"a":{"x\u200f":1}}'.encode(), "text.bidi_control", "/a"),
    "lone high surrogate": (b'{"a":"\\ud800"}', "text.lone_surrogate", "/a"),
    "lone low surrogate": (b'{"a":["\\udc00x"]}', "text.lone_surrogate", "/a/0"),
    "surrogates in the wrong order": (b'{"a":"\\udc00\\ud800"}', "text.lone_surrogate", "/a"),
    "noncharacter": ('{"a":"\uffff"}'.encode(), "text.noncharacter", "/a"),
    "noncharacter of another plane": ('{"a":"\U0001fffe"}'.encode(), "text.noncharacter", "/a"),
    "31 combining marks": (json.dumps({"a": "e" + "\u0301\u0316" * 16}).encode(), "text.combining_marks", "/a"),
    "key to be escaped in the pointer": (b'{"a/b~c":{"d":1.5}}', "json.fraction", "/a~1b~0c/d"),
}


@pytest.mark.parametrize(("data", "code", "place"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_text_is_refused_with_its_code_and_place(data: bytes, code: str, place: str) -> None:
    with pytest.raises(Malformed) as refused:
        decode(data, ROOM)
    problem = refused.value
    assert problem.code == code
    assert [error.pointer for error in problem.errors] == [place]
    assert problem.status == 400
    assert problem.text.zh.endswith("。")
    assert problem.text.en.endswith(".")


ACCEPTED = {
    "escapes": (b'{"a":"\\u5f90\\u5dde\\"\\\\/"}', {"a": '徐州"\\/'}),
    "surrogate pair": (b'["\\ud840\\udc00"]', ["\U00020000"]),
    "decomposed text": ('["e\u0301", "が"]'.encode(), ["\u00e9", "\u304c"]),
    "decomposed key": ('{"e\u0301":1}'.encode(), {"\u00e9": 1}),
    "colons everywhere": (b'{":":"::","a:":{"\\u003a:":":"}}', {":": "::", "a:": {"::": ":"}}),
    "escaped backslash before u003a": (b'{"a":"\\\\u003a"}', {"a": "\\u003a"}),
    "largest integers": (b"[9007199254740991,-9007199254740991,0,-0]", [2**53 - 1, 1 - 2**53, 0, 0]),
    "32 deep": (_nested(MAX_DEPTH), json.loads(_nested(MAX_DEPTH))),
    "5,000 items": (b"[" + b"1," * (MAX_LIST - 1) + b"1]", [1] * MAX_LIST),
    "zero-width and full-width stay": ('["Ａ\u200b\u3000\ufeff"]'.encode(), ["Ａ\u200b\u3000\ufeff"]),
    "white space around": (b' \r\n\t{ "a" : [ ] } \n', {"a": []}),
    "a bare text": ('"中"'.encode(), "中"),
    "words": (b"[true,false,null,{}]", [True, False, None, {}]),
    "30 combining marks": (json.dumps(["e" + "\u0316" * 30]).encode(), ["e" + "\u0316" * 30]),
}


@pytest.mark.parametrize(("data", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_sound_text_gives_its_value_in_nfc(data: bytes, value: object) -> None:
    assert decode(data, ROOM) == value
    assert _decode_exactly(data) == value


def test_a_body_over_its_limit_is_refused_unread() -> None:
    with pytest.raises(TooLarge) as refused:
        decode(b"[" * 11, 10)
    assert refused.value.status == 413
    assert decode(b"[1,2,3,4 ]", 10) == [1, 2, 3, 4]


def test_a_syntax_fault_names_line_and_column() -> None:
    with pytest.raises(Malformed) as refused:
        decode('{\n "甲": 1,\n "乙" 2}'.encode(), ROOM)
    assert "第 3 行第 6 列" in refused.value.text.zh
    assert "line 3, column 6" in refused.value.text.en


def test_a_very_long_key_is_cut_in_the_pointer() -> None:
    with pytest.raises(Malformed) as refused:
        decode(b'{"' + b"k" * 100_000 + b'":1.5}', ROOM)
    assert refused.value.errors[0].pointer == "/" + "k" * 64 + "…"


def test_a_pointer_follows_rfc_6901() -> None:
    assert pointer(()) == ""
    assert pointer(("invoices", 0, "a/b", "m~n", "")) == "/invoices/0/a~1b/m~0n/"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def _verdict(data: bytes) -> tuple[str, Any]:
    try:
        return "value", _decode_exactly(data)
    except Malformed as problem:
        return problem.code, None


@given(value=JSON_VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_both_readers_agree_on_written_values(value: object, *, ascii_only: bool, indent: int | None) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    exact = _verdict(data)
    quick = _decode_quickly(data)
    assert quick is None or ("value", quick[0]) == exact
    if exact[0] != "value":
        with pytest.raises(Malformed):
            decode(data, ROOM)
    else:
        assert decode(data, ROOM) == exact[1]


PIECES = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u003a", b"\\u00", b"61", b"a", b'"a":', b"1", b"-", b"0",
    b".5", b"e3", b" ", b"\n", b"null", b"true", b"NaN", b"9" * 16, b"\xe2\x80\xae", b"\xcc\x81", b"\xff", b"\\ud800",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join))
def test_any_bytes_give_a_value_or_a_problem_and_nothing_else(data: bytes) -> None:
    exact = _verdict(data)
    quick = _decode_quickly(data)
    assert quick is None or ("value", quick[0]) == exact
    if exact[0] == "value":
        assert decode(data, ROOM) == exact[1]
