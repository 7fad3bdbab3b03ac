import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.claims.fingerprint import (
    Identity,
    RegistryKey,
    canonical_contract,
    canonical_contract_number,
    canonical_invoice,
    canonical_serial,
    digest,
    identities,
    invoice_identities,
    receipt_identity,
)
from clearing.claims.invoice_qr import read_invoice_qr
from clearing.demonstration.claims import generate
from connectors.reading import read_submission
from connectors.submission import Document, Invoice, Receipt, Submission
from tenants.kernel.money import ZERO, Money

DIGITAL = "24322000000736996550"
CODE, NUMBER = "032002400111", "12345678"
OLD_CODE = "3200221130"
SELLER = "91320100A17C7BA37A"
ISSUED = date(2024, 8, 5)

EVERY_CHARACTER = [chr(code) for code in range(0x110000)]
SPACES = [c for c in EVERY_CHARACTER if unicodedata.category(c) in {"Zs", "Zl", "Zp"}]
DASHES = [c for c in EVERY_CHARACTER if unicodedata.category(c) == "Pd"]
INVISIBLE = [c for c in EVERY_CHARACTER if unicodedata.category(c) == "Cf"]
NOUGHTS = [c for c in EVERY_CHARACTER if unicodedata.decimal(c, None) == 0]


def _grouped(separator: str) -> Callable[[str], str]:
    return lambda number: separator.join(number[start : start + 4] for start in range(0, len(number), 4))


def _in_digits_from(nought: str) -> Callable[[str], str]:
    return lambda number: "".join(chr(ord(nought) + int(digit)) for digit in number)


def _in_digits(digits: str) -> Callable[[str], str]:
    return lambda number: "".join(digits[int(digit)] for digit in number)


DISGUISES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "full width": _in_digits_from("０"),
    "full width between spaces": lambda number: f" {_in_digits_from('０')(number)} ",
    "groups of four": _grouped(" "),
    "ideographic spaces": _grouped("\u3000"),
    "zero-width spaces": _grouped("\u200b"),
    "byte order mark in front": lambda number: f"\ufeff{number}",
    "hyphens": _grouped("-"),
    "minus signs": _grouped("−"),
    "dots": _grouped("."),
    "underscores": _grouped("_"),
    "thousands separators": _grouped(","),
    "variation selectors": _grouped("\ufe0f"),
    "combining marks": _grouped("\u0305"),
    "No. in front": lambda number: f"No.{number}",
    "NO: in front": lambda number: f"NO: {number}",
    "no in front": lambda number: f"no{number}",
    "numero sign": lambda number: f"№ {number}",
    "ordinal indicator": lambda number: f"Nº{number}",
    "degree sign": lambda number: f"N° {number}",
    "full-width No.": lambda number: f"Ｎｏ．{number}",
    "号 in front": lambda number: f"号{number}",
    "发票号码 in front": lambda number: f"发票号码：{number}",
    "traditional characters in front": lambda number: f"發票號碼：{number}",
    "two prefixes": lambda number: f"发票号码 No.{number}",
    "apostrophe of a spreadsheet": lambda number: f"'{number}",
    "brackets": lambda number: f"（{number}）",
    "superscript": _in_digits("⁰¹²³⁴⁵⁶⁷⁸⁹"),
    "subscript": _in_digits("₀₁₂₃₄₅₆₇₈₉"),
    "mathematical bold": _in_digits("𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"),
    "circled": _in_digits("⓪①②③④⑤⑥⑦⑧⑨"),
    "double circled": _in_digits("⓪⓵⓶⓷⓸⓹⓺⓻⓼⓽"),
}


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_disguised_digital_number_is_the_same_invoice(disguise: Callable[[str], str]) -> None:
    assert invoice_identities(_invoice(disguise(DIGITAL))) == (DIGITAL,)


@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_a_disguised_code_and_number_are_the_same_invoice(disguise: Callable[[str], str]) -> None:
    assert invoice_identities(_invoice(disguise(NUMBER), disguise(CODE))) == (CODE + NUMBER,)


@pytest.mark.parametrize("kind", ["spaces", "dashes", "invisible"])
def test_no_space_dash_or_invisible_character_of_unicode_makes_another_invoice(kind: str) -> None:
    characters = {"spaces": SPACES, "dashes": DASHES, "invisible": INVISIBLE}[kind]
    assert len(characters) > 15
    for character in characters:
        assert canonical_invoice(_grouped(character)(DIGITAL)) == DIGITAL, hex(ord(character))


def test_digits_of_every_script_make_the_same_invoice() -> None:
    assert len(NOUGHTS) > 50
    for nought in NOUGHTS:
        assert canonical_invoice(_in_digits_from(nought)(DIGITAL)) == DIGITAL, hex(ord(nought))


def _invoice(number: str, code: str | None = None, *, seller: str | None = None, fen: int = 100) -> Invoice:
    return Invoice(number, ISSUED, Money(fen), Money(fen), code, seller)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (DIGITAL, None),
        (DIGITAL[12:], DIGITAL[:12]),
        (DIGITAL, DIGITAL[:12]),
        (DIGITAL, DIGITAL),
        (DIGITAL[12:], DIGITAL),
        (DIGITAL, "无"),
        (DIGITAL, "-"),
        (DIGITAL, "0"),
    ],
)
def test_twenty_digits_are_one_key_joined_or_apart(number: str, code: str | None) -> None:
    assert invoice_identities(_invoice(number, code)) == (DIGITAL,)


@pytest.mark.parametrize(
    ("number", "code"), [(OLD_CODE + NUMBER, None), (NUMBER, OLD_CODE), (OLD_CODE + NUMBER, OLD_CODE)]
)
def test_eighteen_digits_are_one_key_joined_or_apart(number: str, code: str | None) -> None:
    assert invoice_identities(_invoice(number, code)) == (OLD_CODE + NUMBER,)


def test_eight_digits_alone_are_no_identity() -> None:
    assert invoice_identities(_invoice(NUMBER)) == ()


def test_eight_digits_are_completed_by_seller_and_day() -> None:
    completed = invoice_identities(_invoice(NUMBER, seller=SELLER))
    assert completed == (f"{SELLER}|2024-08-05|{NUMBER}",)
    assert invoice_identities(replace(_invoice(NUMBER, seller=SELLER), issued_on=date(2024, 8, 6))) != completed


@pytest.mark.parametrize(("number", "code"), [(NUMBER, CODE), (CODE + NUMBER, None), (NUMBER, OLD_CODE)])
def test_a_whole_invoice_also_answers_to_seller_day_and_last_digits(number: str, code: str | None) -> None:
    bare = invoice_identities(_invoice(NUMBER, seller=SELLER))
    assert set(bare) < set(invoice_identities(_invoice(number, code, seller=SELLER)))


def test_a_digital_paper_invoice_answers_to_both_of_its_numbers() -> None:
    assert set(invoice_identities(_invoice(DIGITAL, OLD_CODE + NUMBER))) == {DIGITAL, OLD_CODE + NUMBER}


UNREADABLE = [
    "2432200000073699655O",
    "2432200000073699655l",
    "2432200000073699655",
    "243220000007369965500",
    "2.4322E+19",
    "二四三二二〇〇〇〇〇〇七三六九九六五五〇",
    f"{DIGITAL}/24322000000736996551",
    "INV-2024-001",
    "号",
    "1" * 64,
    "无",
]


@pytest.mark.parametrize("number", UNREADABLE)
def test_what_is_not_certain_is_no_identity_rather_than_a_new_one(number: str) -> None:
    assert invoice_identities(_invoice(number, seller=SELLER)) == ()
    assert invoice_identities(_invoice(number, CODE, seller=SELLER)) == ()


@pytest.mark.parametrize("code", ["12345", "03200240011", "0320024001111", "03200240011O", "代码"])
def test_eight_digits_with_a_wrong_code_are_no_identity(code: str) -> None:
    assert invoice_identities(_invoice(NUMBER, code)) == ()


@given(st.text(max_size=64), st.none() | st.text(max_size=24))
def test_an_identity_is_made_of_digits_or_there_is_none(number: str, code: str | None) -> None:
    for text in invoice_identities(_invoice(number, code)):
        assert text.isascii()
        assert text.isdecimal()
        assert len(text) in {18, 20}


@given(st.text(max_size=64))
def test_a_canonical_text_is_its_own_canonical_text(text: str) -> None:
    assert canonical_contract_number(canonical_contract_number(text)) == canonical_contract_number(text)
    assert canonical_serial(canonical_serial(text)) == canonical_serial(text)


SAME_CONTRACT = [
    "KD-2024-017",
    "ＫＤ－2024（017）",
    "kd 2024 017",
    "KD〔2024〕017",
    "【KD】2024—017",
    "KD[2024]#017",
    "「KD」·2024·017",
    "KD/2024/017",
    "KD~2024～017",
    "K\u200bD2024017",
    "КD-2024-017",
    "ΚD-2024-017",
    "KD-²⁰²⁴-017",
    "KD＋2024＝017",
    "\u300eKD\u300f2024\ufe0f017",
]


@pytest.mark.parametrize("number", SAME_CONTRACT)
def test_brackets_and_dashes_of_any_script_make_no_other_contract(number: str) -> None:
    assert canonical_contract_number(number) == "KD2024017"


@pytest.mark.parametrize(
    "number", ["KD-2024-0I7", "KD-2024-O17", "KD-2024-17", "KD-2024-018", "KD-2024-017号", "DK-2024-017"]
)
def test_another_letter_or_digit_is_another_contract(number: str) -> None:
    assert canonical_contract_number(number) != "KD2024017"


@pytest.mark.parametrize(
    ("traditional", "today"),
    [
        ("技術合同１號", "技术合同1号"),
        ("檢測協議（2024）第17號", "检测协议[2024]第17号"),
        ("蘇採購〔2024〕編號017", "苏采购 2024 编号 017"),
        ("技術開發（轉讓）合同", "技术开发·转让合同"),
    ],
)
def test_a_traditional_character_makes_no_other_contract(traditional: str, today: str) -> None:
    assert canonical_contract_number(traditional) == canonical_contract_number(today)


def test_a_character_that_stands_for_several_is_left_to_the_search_of_near_duplicates() -> None:
    assert canonical_contract_number("乾字1號") == "乾字1号" != canonical_contract_number("干字1號")


OF_TODAY = "01,32,,24322000000736996550,1000.00,20240805,,3B2F"
OF_PAPER = "01,10,032002400111,12345678,884.96,20240805,12345678901234567890,9A7C,"


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        (OF_TODAY, DIGITAL),
        (f"{OF_TODAY},", DIGITAL),
        (f" {OF_TODAY.replace(',', ', ')} ", DIGITAL),
        (OF_TODAY.replace(",", "，"), DIGITAL),
        (OF_PAPER, CODE + NUMBER),
        (OF_PAPER.replace(CODE, OLD_CODE).replace("01,10", "01,04"), OLD_CODE + NUMBER),
    ],
)
def test_the_text_of_a_qr_code_is_its_invoice(text: str, identity: str) -> None:
    assert invoice_identities(_invoice(text)) == (identity,)
    seller = f"{SELLER}|2024-08-05|{identity[-8:]}"
    assert invoice_identities(_invoice(text, seller=SELLER)) == (identity, seller)


@pytest.mark.parametrize(
    "text",
    [
        OF_TODAY.replace("01,", "02,", 1),
        OF_TODAY.replace("20240805", "20240835"),
        OF_TODAY.replace("1000.00", "-1000.00"),
        OF_TODAY.replace(DIGITAL, DIGITAL[:-1]),
        OF_TODAY.replace(",,", ",0320024001,", 1),
        OF_PAPER.replace(CODE, ""),
        f"{OF_TODAY},{OF_TODAY}",
        f"发票二维码：{OF_TODAY}",
    ],
)
def test_what_is_not_certainly_a_qr_code_is_no_identity(text: str) -> None:
    assert invoice_identities(_invoice(text)) == ()


@pytest.mark.parametrize(
    ("text", "issued_on", "fen", "differs"),
    [
        (OF_TODAY, ISSUED, 100_000, False),
        (OF_TODAY, ISSUED, 100_001, True),
        (OF_TODAY, ISSUED, 99_999, True),
        (OF_TODAY, date(2024, 8, 6), 100_000, True),
        (OF_PAPER, ISSUED, 100_000, False),
        (OF_PAPER, ISSUED, 88_495, True),
        (OF_PAPER, date(2024, 8, 4), 100_000, True),
    ],
)
def test_a_qr_code_tells_the_day_and_bounds_the_amount(text: str, issued_on: date, fen: int, *, differs: bool) -> None:
    scanned = read_invoice_qr(text)
    assert scanned is not None
    assert scanned.differs(issued_on, Money(fen)) is differs


def test_a_contract_belongs_to_its_two_parties() -> None:
    one = canonical_contract("91320312M49W4QLE12", SELLER, "KD-2024-017")
    assert one == canonical_contract("91320312M49W4QLE12", SELLER, "（KD）2024-017")
    assert one != canonical_contract(SELLER, "91320312M49W4QLE12", "KD-2024-017")


def test_a_receipt_is_its_serial_and_the_account_that_paid() -> None:
    receipt = Receipt("hd 9794-185398", ISSUED, Money(1), Money(1))
    assert receipt_identity(receipt) == "HD9794185398"
    assert receipt_identity(replace(receipt, payer_account="6222 0200")) == "HD9794185398|62220200"
    assert receipt_identity(replace(receipt, serial="流水号：HD9794185398")) == "HD9794185398"
    assert receipt_identity(replace(receipt, serial="NOVA123")) == "NOVA123"
    assert receipt_identity(replace(receipt, serial="——")) == ""


@pytest.fixture
def submission() -> Submission:
    body = next(
        one.body for one in generate(5, 20) if one.body["tenant"] == "jiangsu" and len(one.body["invoices"]) == 1
    )
    read = read_submission(body)
    invoice = _invoice(DIGITAL, fen=40_800_000)
    return replace(read, invoices=(invoice,), receipts=(Receipt("A1", ISSUED, Money(7), Money(5)),))


def _of(kind: str, submission: Submission) -> list[Identity]:
    return [identity for identity in identities(submission) if identity.kind == kind]


def test_a_submission_has_the_identities_of_all_it_states(submission: Submission) -> None:
    parties = f"{submission.enterprise.uscc}|{submission.provider.uscc}"
    number = canonical_contract_number(submission.contract.number)
    assert [(i.kind, i.place) for i in identities(submission)] == [
        ("invoice", "/invoices/0"),
        ("contract", "/contract"),
        ("receipt", "/receipts/0"),
        ("document", "/documents/1"),
        ("document", "/documents/2"),
    ]
    assert _of("invoice", submission)[0] == Identity(
        "invoice", "/invoices/0", DIGITAL, Money(40_800_000), Money(40_800_000)
    )
    assert _of("contract", submission) == [
        Identity("contract", "/contract", f"{parties}|{number}", None, Money(40_800_000))
    ]
    assert _of("receipt", submission)[0].claimed == Money(5)
    assert _of("document", submission)[0].total is None
    assert _of("document", submission)[0].claimed == ZERO


def test_only_reports_and_invoice_images_stand_for_a_spending(submission: Submission) -> None:
    kinds = {submission.documents[int(i.place.rsplit("/", 1)[1])].kind for i in _of("document", submission)}
    assert kinds == {"service_report", "invoice_image"}


def test_an_invoice_named_twice_in_one_claim_is_one_with_both_parts(submission: Submission) -> None:
    parts = (
        replace(_invoice(DIGITAL, fen=100), claimed=Money(60)),
        replace(_invoice("№ " + DIGITAL, fen=90), claimed=Money(40)),
        _invoice(NUMBER, CODE, fen=7),
    )
    assert _of("invoice", replace(submission, invoices=parts)) == [
        Identity("invoice", "/invoices/0", DIGITAL, Money(90), Money(100)),
        Identity("invoice", "/invoices/2", CODE + NUMBER, Money(7), Money(7)),
    ]


def test_an_alias_makes_two_namings_of_one_invoice_one(submission: Submission) -> None:
    named = (
        _invoice(NUMBER, CODE, fen=10),
        _invoice(DIGITAL, fen=20),
        _invoice(DIGITAL, CODE + NUMBER, fen=30),
    )
    found = _of("invoice", replace(submission, invoices=named))
    assert {identity.text for identity in found} == {DIGITAL, CODE + NUMBER}
    assert {(identity.place, identity.total, identity.claimed) for identity in found} == {
        ("/invoices/0", Money(10), Money(60))
    }


def test_aliases_join_across_any_number_of_namings(submission: Submission) -> None:
    named = (
        _invoice(NUMBER, CODE, fen=1),
        _invoice(DIGITAL, fen=2, seller=SELLER),
        _invoice(DIGITAL, CODE + NUMBER, fen=4),
        _invoice(DIGITAL[12:], fen=8, seller=SELLER),
    )
    found = _of("invoice", replace(submission, invoices=named))
    assert {identity.text for identity in found} == {DIGITAL, CODE + NUMBER, f"{SELLER}|2024-08-05|{DIGITAL[12:]}"}
    assert {(identity.place, identity.claimed) for identity in found} == {("/invoices/0", Money(15))}


def test_the_same_file_twice_in_one_claim_is_one_identity(submission: Submission) -> None:
    report = Document("service_report", "ab" * 32, "application/pdf", 1)
    found = _of("document", replace(submission, documents=(report, report, replace(report, kind="invoice_image"))))
    assert [(identity.place, identity.text) for identity in found] == [("/documents/0", "ab" * 32)]


def test_five_hundred_namings_of_one_invoice_are_one_identity(submission: Submission) -> None:
    found = _of("invoice", replace(submission, invoices=(_invoice(DIGITAL, fen=2),) * 500))
    assert [identity.claimed for identity in found] == [Money(1000)]


def test_a_digest_is_half_of_the_hmac_over_domain_kind_and_text() -> None:
    key = RegistryKey(1, b"k" * 32)
    whole = hmac.new(b"k" * 32, f"clearing/registry/v1\0invoice\0{DIGITAL}".encode(), hashlib.sha256).digest()
    assert digest(key, "invoice", DIGITAL) == whole[:16]


def test_digests_differ_by_kind_text_and_key() -> None:
    key = RegistryKey(1, b"k" * 32)
    made = {
        digest(key, "invoice", DIGITAL),
        digest(key, "receipt", DIGITAL),
        digest(key, "invoice", DIGITAL[:-1]),
        digest(RegistryKey(2, b"l" * 32), "invoice", DIGITAL),
    }
    assert len(made) == 4


def test_a_registry_key_does_not_print_its_secret() -> None:
    assert "kkk" not in repr(RegistryKey(1, b"k" * 32))
