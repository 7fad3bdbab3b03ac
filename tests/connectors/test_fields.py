"""Every kind of value, against what people and programs send in its place."""

from collections.abc import Callable
from typing import Any

import pytest
from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10

from connectors.reading import read_submission
from tenants.kernel.errors import FieldError

Claim = dict[str, Any]
Change = Callable[[str, Any], Claim]
Faults = Callable[[Claim], tuple[FieldError, ...]]

AMOUNT, REVENUE = "/contract/amount", "/enterprise/prior_year_revenue"
DAY, INSTANT = "/contract/signed_on", "/submitted_at"
USCC, DIVISION, CNAPS = "/enterprise/uscc", "/enterprise/division", "/payee/cnaps"
PERCENT = "/declarations/related_party/common_shareholder_percent"
FLAG, BYTES, SHA256 = "/declarations/rd_related", "/documents/0/bytes", "/documents/0/sha256"
NAME, NUMBER, TITLE = "/enterprise/name", "/invoices/0/number", "/contract/title"

REFUSED: dict[tuple[str, str], list[Any]] = {
    (AMOUNT, "money.text_expected"): [408000, 408000.0, True, [], {}, 0],
    (AMOUNT, "money.malformed"): [
        "",
        " ",
        "408000.000",
        "408000.",
        ".5",
        "+1.00",
        "-1.00",
        "1e5",
        "1,000.00",
        "４０８０００.00",
        "٤٠٨",
        "¥1",
        "1.00 ",
        " 1.00",
        "1.00\n",
        "0x10",
        "007",
        "00.10",
        "NaN",
        "Infinity",
        "1_000",
        "10000000000000",
        "壹佰",
        "408000.00元",
    ],
    (AMOUNT, "money.not_positive"): ["0", "0.00", "0.0"],
    (REVENUE, "money.malformed"): ["-0.00", "3800万"],
    (DAY, "text.expected"): [20240201, 1706745600, True, ["2024-02-01"], {"year": 2024}],
    (DAY, "day.malformed"): [
        "",
        "20240201",
        "2024-2-1",
        "2024/02/01",
        "2024-02-01\n",
        " 2024-02-01",
        "2024-W05-4",
        "2024-032",
        "２０２４-02-01",
        "2024-02-01T00:00:00",
        "01-02-2024",
        "2024年2月1日",
        "२०२४-02-01",
        "+2024-02-01",
        "45323",
    ],
    (DAY, "day.impossible"): ["2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "2024-04-31", "0000-01-01"],
    (DAY, "day.out_of_range"): ["1989-12-31", "2101-01-01", "9999-12-31", "0001-01-01"],
    ("/enterprise/established_on", "day.out_of_range"): ["1799-12-31"],
    (INSTANT, "text.expected"): [1724937679, []],
    (INSTANT, "instant.malformed"): [
        "",
        "2024-08-29",
        "2024-08-29T21:21:19",
        "2024-08-29 21:21:19+08:00",
        "2024-08-29T21:21+08:00",
        "2024-08-29T21:21:19+0800",
        "2024-08-29T21:21:19+08",
        "2024-08-29T24:00:00+08:00",
        "20240829T212119Z",
        "2024-08-29T21:21:60+08:00",
        "2024-08-29T21:21:19.1234567Z",
        "2024-08-29T21:21:19+24:00",
        "2024-02-30T00:00:00Z",
        "2024-08-29T21:21:19Z\n",
        "2024-08-29T21:21:19 +08:00",
        "2024-08-29T２１:21:19Z",
        "2024-W35-4T21:21:19Z",
    ],
    (INSTANT, "day.out_of_range"): ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
    (USCC, "text.expected"): [913203121490000000, ["91320312M49W4QLE12"]],
    (USCC, "uscc.check_character"): ["91320312M49W4QLE13", "91320300MA1ABCDE0X", "91320312M49W4QLE21"],
    (USCC, "uscc.malformed"): [
        "",
        "91320312M49W4QLE1",
        "91320312M49W4QLE122",
        "９１３２０３１２Ｍ４９Ｗ４ＱＬＥ１２",
        "91320312M49W4QLEI2",
        "91320312М49W4QLE12",
        "91320300MA1XXXXX0O",
        "000000000000000000",
        "320300000012345",
        "9" * 10_000,
        "91320312–M49W4QLE12",
        "91320312M49W4QLE12\u200b",
    ],
    (DIVISION, "text.expected"): [320312],
    (DIVISION, "division.malformed"): ["", "32031", "3203120", "032031", "３２０３１２", "32O312", "320312\n"],
    (CNAPS, "cnaps.malformed"): [
        "10210009999",
        "1021000999960",
        "１０２１０００９９９９６",
        "10210009999X",
        "102100099996\n",
    ],
    (PERCENT, "rate.text_expected"): [0, 50, True, []],
    (PERCENT, "rate.malformed"): ["", "1/2", "3:7", "50%", "-1", "1e1", "５０", "050", ".5", "33.", "0.1234567"],
    (PERCENT, "rate.too_high"): ["100.000001", "101", "999"],
    (FLAG, "boolean.expected"): [1, 0, "true", "是", "", [], {}],
    (BYTES, "integer.expected"): ["183221", True, [], "1", 1.0],
    (BYTES, "integer.out_of_range"): [0, -1, 2**40],
    (SHA256, "sha256.malformed"): ["", "4e" * 31, "4e" * 33, "4g" * 32, "4e" * 32 + "\n", "４e" + "4e" * 31],
    ("/restores", "uuid.malformed"): [
        "",
        "0192",
        "{01920000-0000-7000-8000-000000000001}",
        "01920000000070008000000000000000",
        "urn:uuid:01920000-0000-7000-8000-000000000001",
        "01920000-0000-7000-8000-000000000001\n",
    ],
    ("/external_id", "external_id.malformed"): ["", " ", "a b", "x" * 65, "a\u200bb", "ａ", "a\n"],
    ("/tenant", "code.malformed"): ["", "Jiangsu", "jiang su", "江苏", "jiangsu\n", "-x", "x" * 33, "../jiangsu"],
    ("/mode", "choice.unknown"): ["", "通用", "COMMON_USE", "common_use "],
    ("/provider/kind", "choice.unknown"): ["bank"],
    ("/documents/0/kind", "choice.unknown"): ["selfie"],
    ("/documents/0/media_type", "media_type.malformed"): [
        "",
        "pdf",
        "application/pdf; charset=x",
        "Application/PDF",
        "a/b\n",
        "../..",
    ],
    ("/payee/account_number", "account.malformed"): [
        "",
        "12345",
        "1" * 35,
        "1106 0140 1900",
        "１１０６０１４０１９",
        "11060140190a",
        "-110601401-",
        "=1106014",
    ],
    ("/payee/account_name", "text.invisible_character"): [
        "徐州\u200b公司",
        "徐州\u2028公司",
        "\u00ad公司",
        "公司\ufeff",
    ],
    (NAME, "text.control_character"): ["徐州\n公司", "徐州\x00", "\x1b[31m", "公司\u0085"],
    (NAME, "text.blank"): ["", " ", "\u3000\u00a0"],
    (NAME, "text.bidi_control"): ["\u202e公司"],
    (NAME, "text.lone_surrogate"): ["\ud800"],
    (NAME, "text.noncharacter"): ["公司\uffff"],
    (NAME, "text.too_long"): ["公司" * 101],
    (NAME, "text.expected"): [91, True, [], {}],
    (NUMBER, "text.blank"): ["", "\u3000", "--", "\u200b", "（）"],
    (NUMBER, "text.too_long"): ["1" * 129, "1" * 10_000],
    (NUMBER, "text.expected"): [24322000000002658959],
    (NUMBER, "text.control_character"): ["2432\x002"],
}

CASES = [(place, code, value) for (place, code), values in REFUSED.items() for value in values]


@pytest.mark.parametrize(("place", "code", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_wrong_value_is_refused_at_its_place(
    place: str, code: str, value: Any, with_value: Change, faults: Faults
) -> None:
    assert [(fault.pointer, fault.code) for fault in faults(with_value(place, value))] == [(place, code)]


ACCEPTED: dict[str, list[Any]] = {
    AMOUNT: ["0.01", "1", "1.5", "408000.00", "9999999999999.99"],
    REVENUE: ["0", "0.00", "400000000.00"],
    DAY: ["1990-01-01", "2100-12-31", "2024-02-29"],
    "/provider/established_on": ["1800-01-01", "1902-05-20"],
    INSTANT: [
        "2024-08-29T21:21:19+08:00",
        "2024-08-29T13:21:19Z",
        "2024-08-29t13:21:19z",
        "2024-08-29T13:21:19.5-00:00",
        "2024-08-29T13:21:19.123456Z",
        "2100-12-31T23:59:59-12:00",
        "1990-01-01T00:00:00+14:00",
    ],
    PERCENT: ["0", "0.000001", "50", "100", "100.000000"],
    CNAPS: ["102301000017", "102100099996", "000000000000"],
    "/external_id": ["a", "吴江2024-001", "x" * 64, "a/b?c=~"],
    "/documents/0/media_type": ["text/plain", "application/vnd.ms-excel", "image/svg+xml"],
    "/payee/account_number": ["110601", "1" * 34, "NRA1106014019", "3205-0161-8636"],
    NAME: ["AT&T <中国> 有限公司", "𠮷野家", "O'Brien·李", "Ａ公司\u3000（筹）"],
    TITLE: ["=1+1", "标题\u200b", "a" * 500, "\ue000"],
    NUMBER: ["1", "12345678", "ＮＯ．１", "\u200b1\u200b", "1" * 128, "甲"],
    "/enterprise/types": [["tech_sme", "high_tech", "a_type_of_a_later_policy"]],
    "/enterprise/type_proofs": [{"talent": {}}],
}

RIGHT = [(place, value) for place, values in ACCEPTED.items() for value in values]


@pytest.mark.parametrize(("place", "value"), RIGHT, ids=lambda value: repr(value)[:40])
def test_a_right_value_is_taken_as_it_is(place: str, value: Any, with_value: Change) -> None:
    assert read_submission(with_value(place, value)).scheme == "provincial"


def test_every_check_character_of_gb_32100_is_known(with_value: Change) -> None:
    for last in uscc._alphabet:
        code = f"9132031200000000{last}"
        code += uscc.calc_check_digit(code)
        assert read_submission(with_value(USCC, code)).enterprise.uscc == code


def test_a_single_wrong_character_of_a_credit_code_is_always_seen(with_value: Change, faults: Faults) -> None:
    good = "91320312M49W4QLE12"
    for position, right in enumerate(good):
        for wrong in set(uscc._alphabet) - {right}:
            code = good[:position] + wrong + good[position + 1 :]
            assert [fault.pointer for fault in faults(with_value(USCC, code))] == [USCC]


def test_the_published_line_number_has_no_iso_7064_check_digit() -> None:
    """Why ``CnapsField`` checks none: api.md prints the first, the worked cases the second."""
    assert not mod_11_10.is_valid("102301000017")
    assert mod_11_10.is_valid("102100099996")
