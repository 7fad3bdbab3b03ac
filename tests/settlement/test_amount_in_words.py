"""Capital numerals against the examples of 支付结算办法, figures written by hand, and a second way to make them."""

import re

import cn2an
import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.formats.amount_in_words import amount_in_words
from settlement.offline.records import fen_in_words
from tenants.kernel.money import MAX_FEN, Money

BY_HAND = {
    "0.00": "零元整",
    "0.01": "壹分",
    "0.10": "壹角",
    "0.99": "玖角玖分",
    "1.00": "壹元整",
    "10.00": "壹拾元整",
    "10.05": "壹拾元零伍分",
    "110.00": "壹佰壹拾元整",
    "1001.00": "壹仟零壹元整",
    "1010.10": "壹仟零壹拾元壹角",
    "10000.00": "壹万元整",
    "10001.00": "壹万零壹元整",
    "100500.00": "壹拾万零伍佰元整",
    "140000.00": "壹拾肆万元整",
    "408000.00": "肆拾万捌仟元整",
    "20000003.40": "贰仟万零叁元肆角",
    "100000000.00": "壹亿元整",
    "100000001.00": "壹亿零壹元整",
    "100010001.00": "壹亿零壹万零壹元整",
    "100001000.00": "壹亿零壹仟元整",
    "100100000.00": "壹亿零壹拾万元整",
    "110000000.00": "壹亿壹仟万元整",
    "300050000.03": "叁亿零伍万元零叁分",
    "1000000000.00": "壹拾亿元整",
    "1234567890.12": "壹拾贰亿叁仟肆佰伍拾陆万柒仟捌佰玖拾元壹角贰分",
    "10000000000.00": "壹佰亿元整",
    "1000000000000.00": "壹万亿元整",
    "1000100000000.00": "壹万零壹亿元整",
    "1000000000001.00": "壹万亿零壹元整",
    "5060708090100.10": "伍万零陆佰零柒亿零捌佰零玖万零壹佰元壹角",
    "9999999999999.99": "玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分",
}

PUBLISHED = {
    "1409.50": ("壹仟肆佰零玖元伍角",),
    "6007.14": ("陆仟零柒元壹角肆分",),
    "1680.32": ("壹仟陆佰捌拾元零叁角贰分", "壹仟陆佰捌拾元叁角贰分"),
    "107000.53": ("壹拾万柒仟元零伍角叁分", "壹拾万零柒仟元伍角叁分", "壹拾万柒仟元伍角叁分"),
    "16409.02": ("壹万陆仟肆佰零玖元零贰分",),
    "325.04": ("叁佰贰拾伍元零肆分",),
}
"""The examples of 正确填写票据和结算凭证的基本规定, with every spelling that it allows."""


def digit_by_digit(fen: int) -> str:
    """Another way: every digit with its place, then the zeros tidied up by pattern."""

    def eight(text: str) -> str:
        places = ("仟", "佰", "拾", "万", "仟", "佰", "拾", "")
        return "".join(
            ("零" if digit == "0" else "零壹贰叁肆伍陆柒捌玖"[int(digit)] + (place if place != "万" else ""))
            + ("万" if place == "万" else "")
            for digit, place in zip(text.zfill(8), places, strict=True)
        )

    yuan, rest = divmod(fen, 100)
    text = str(yuan).zfill(16)
    words = re.sub("零+", "零", eight(text[:8]) + "亿" + eight(text[8:]))
    for tidy in (("零万", "万"), ("零亿", "亿"), ("亿万", "亿零"), ("零+", "零")):
        words = re.sub(*tidy, words)
    words = words.removeprefix("零").removeprefix("万").removeprefix("亿").removeprefix("万").strip("零")
    words = words + "元" if yuan else ""
    jiao, cents = divmod(rest, 10)
    if not rest:
        return (words or "零元") + "整"
    words += f"{'零壹贰叁肆伍陆柒捌玖'[jiao]}角" if jiao else ("零" if yuan else "")
    return words + (f"{'零壹贰叁肆伍陆柒捌玖'[cents]}分" if cents else "")


@pytest.mark.parametrize(("yuan", "words"), BY_HAND.items())
def test_figures_written_by_hand(yuan: str, words: str) -> None:
    assert amount_in_words(Money.parse(yuan)) == words


@pytest.mark.parametrize(("yuan", "spellings"), PUBLISHED.items())
def test_the_published_examples_are_written_as_published(yuan: str, spellings: tuple[str, ...]) -> None:
    assert amount_in_words(Money.parse(yuan)) in spellings


SPARSE = st.lists(st.sampled_from("0000123456789"), min_size=1, max_size=15).map(lambda digits: int("".join(digits)))


@given(st.integers(0, MAX_FEN) | SPARSE)
def test_every_amount_is_written_as_the_digits_say(fen: int) -> None:
    assert amount_in_words(Money(fen)) == digit_by_digit(fen)


@given(st.integers(0, MAX_FEN) | SPARSE)
def test_no_two_amounts_are_written_alike(fen: int) -> None:
    assert fen_in_words(amount_in_words(Money(fen))) == fen


@pytest.mark.long
def test_every_amount_below_ten_thousand_yuan() -> None:
    for fen in range(1_000_000):
        assert amount_in_words(Money(fen)) == digit_by_digit(fen)


def test_the_largest_amount_is_written_whole() -> None:
    assert amount_in_words(Money(MAX_FEN)) == "壹拾万亿元整"


@pytest.mark.parametrize("fen", [-1, MAX_FEN + 1])
def test_an_amount_that_no_order_can_have_is_refused(fen: int) -> None:
    with pytest.raises(ValueError, match="capital numerals"):
        amount_in_words(Money(fen))


@pytest.mark.parametrize("words", ["", "元", "壹圆整", "壹元贰", "一元整", "壹元壹角壹", "万元整x"])
def test_words_that_name_no_amount_are_not_read(words: str) -> None:
    assert fen_in_words(words) is None


@given(st.integers(1, 10**10 - 1))
def test_below_a_hundred_million_yuan_a_library_writes_the_same(fen: int) -> None:
    assert amount_in_words(Money(fen)) == cn2an.an2cn(str(Money(fen)), "rmb")


def test_above_it_the_library_leaves_a_zero_out_and_hands_wrote_it_right() -> None:
    wrong = [text for text in BY_HAND if Money.parse(text).fen >= 10**10 and cn2an.an2cn(text, "rmb") != BY_HAND[text]]
    assert wrong
