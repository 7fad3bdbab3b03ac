import unicodedata

import pytest

from tenants.kernel.texts import TEXT_FAULTS, TextError, forbidden_character, normal

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize("character", [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))])
def test_every_control_character_is_forbidden(character: str) -> None:
    assert forbidden_character(f"甲{character}乙") == "text.control_character"


@pytest.mark.parametrize("character", BIDI)
def test_every_bidi_control_of_unicode_is_forbidden(character: str) -> None:
    assert forbidden_character(f"甲{character}") == "text.bidi_control"


def test_the_bidi_controls_are_those_that_unicode_lists() -> None:
    formats = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"}
    directional = {c for c in formats if unicodedata.bidirectional(c) in {"LRE", "RLE", "LRO", "RLO", "PDF"}}
    isolates = {c for c in formats if unicodedata.bidirectional(c) in {"LRI", "RLI", "FSI", "PDI"}}
    assert directional | isolates | {"\u061c", "\u200e", "\u200f"} == set(BIDI)


@pytest.mark.parametrize("text", ["", "徐州", "ＡＢ１２", "\u3000\u00a0\u2003", "\u200b\u2060\ufeff", "𠮷", "\ue000"])
def test_ordinary_and_merely_odd_texts_are_not_forbidden(text: str) -> None:
    assert forbidden_character(text) is None


def test_the_66_noncharacters_are_forbidden() -> None:
    found = [code for code in range(0x110000) if forbidden_character(chr(code)) == "text.noncharacter"]
    assert len(found) == 66


def test_a_text_is_brought_into_nfc_or_refused() -> None:
    assert normal("e\u0301") == "\u00e9"
    with pytest.raises(TextError) as refused:
        normal("a" + "\u0301\u0316" * 50_000)
    assert refused.value.code == "text.combining_marks"
    assert refused.value.code in TEXT_FAULTS
