"""The identities that a submission claims on, worked out anew from what is stored (``dedup.md``).

A text is reduced to letters and digits: NFKC, capitals, digits of every script as ASCII, Cyrillic and Greek capitals
that are drawn as Latin ones as these. Words such as 发票号码 or No before a number are no part of it.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from clearing.verification.amounts import fen_of

REGISTERED: Final = ("service_report", "invoice_image")
"""Kinds of documents that stand for one spending."""

_DRAWN_ALIKE: Final = {
    **dict(zip("АВЕЅІЈКМНОРСТУХ", "ABESIJKMHOPCTYX", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
}
_OF: Final = ("", "发票", "發票", "票据", "流水", "回单", "回單", "凭证")
_NUMBER: Final = ("编号", "編號", "号码", "號碼", "代码", "代碼", "号", "號")
_WORDS: Final = tuple(sorted((of + number for of in _OF for number in _NUMBER), key=len, reverse=True))
_NUMERO: Final = tuple(letter + sign for letter in "NnＮｎ" for sign in "°˚")
"""No as it is printed in some alphabets: N and a raised ring."""
_PAIRS: Final = (
    "號号 編编 碼码 協协 議议 術术 開开 發发 轉转 讓让 諮咨 詢询 測测 檢检 試试 驗验 務务 採采 "
    "購购 項项 補补 書书 簽签 訂订 單单 種种 類类 證证 計计 設设 備备 電电 機机 學学 軟软 體体 "
    "數数 據据 網网 絡络 醫医 藥药 華华 東东 長长 區区 國国 蘇苏 滬沪 寧宁 陽阳 馬马 吳吴 縣县 "
    "鎮镇 廣广 龍龙 錫锡 興兴 紹绍 溫温 麗丽 蕪芜 銅铜 黃黄 慶庆 運运 臨临 晉晋 瓊琼 島岛 揚扬 "
    "鹽盐 連连 雲云 許许 認认 質质 標标 準准 環环 監监 實实 創创"
)
_TODAY: Final = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
"""Characters of contract numbers as they were written, and as they are."""
_QR_FIELDS: Final = (8, 9)
"""The ninth is what follows a comma at the end, and empty."""
_QR_LENGTHS: Final = frozenset({(2, 10, 8), (2, 12, 8), (2, 0, 20)})
"""Digits of kind, code and number."""
_QR_YUAN_DIGITS: Final = 12
_QR_SUM: Final = 16
_FEN_DIGITS: Final = 2
_SHORT: Final = 8
_CODES: Final = (10, 12)
_WHOLE: Final = (18, 20)

Json = Mapping[str, Any]


class Spending(NamedTuple):
    """One spending of a submission: its place (RFC 6901), identities, the total that bounds it, the part claimed."""

    kind: str
    place: str
    texts: frozenset[str]
    stated_fen: int | None
    claimed_fen: int


def letters_and_digits(text: str) -> str:
    """The text without anything else, in capitals."""
    if text.isascii():
        return text.upper() if text.isalnum() else "".join(filter(str.isalnum, text)).upper()
    found = []
    for character in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper()):
        letter = _DRAWN_ALIKE.get(character, character)
        if letter.isalnum():
            digit = unicodedata.digit(letter, None)
            found.append(letter if digit is None else str(digit))
    return "".join(found)


def serial(text: str) -> str:
    """A number as printed, without the words before it."""
    for sign in _NUMERO:
        text = text.replace(sign, "NO")
    bare = letters_and_digits(text)
    if bare.isdecimal():
        return bare
    rest = bare
    while rest and not rest[0].isdigit():
        word = next((each for each in _WORDS if rest.startswith(each)), None)
        if word is not None:
            rest = rest[len(word) :]
        elif rest.startswith("NO") and rest[2:3].isascii() and rest[2:3].isdigit():
            rest = rest[2:]
        else:
            break
    stripped = len(rest) < len(bare)
    return rest if stripped and rest[:1].isascii() and rest[:1].isalnum() else bare


def project_number(text: str) -> str:
    """A contract's number without anything but letters and digits, its characters as they are written today."""
    return letters_and_digits(text).translate(_TODAY)


def contract_text(enterprise_uscc: str, provider_uscc: str, number: str) -> str | None:
    """A project's identity; ``None`` where the number holds no letter or digit."""
    bare = project_number(number)
    return f"{enterprise_uscc}|{provider_uscc}|{bare}" if bare else None


def invoice_texts(invoice: Mapping[str, Any]) -> set[str]:
    """Every identity of an invoice: its own digits, its legacy ones, and seller, day and last eight digits."""
    scanned = _printed_code(invoice["number"])
    number = serial(invoice["number"] if scanned is None else scanned[1])
    if not number.isdecimal():
        return _of_code(invoice)
    code = serial(invoice["code"] or "") if scanned is None else scanned[0]
    texts = set(_of_code(invoice))
    if len(number) in _WHOLE:
        texts.add(number)
    elif len(number) == _SHORT and code.isdecimal() and len(code) in _CODES:
        texts.add(code + number)
    named = len(number) in _WHOLE or (len(number) == _SHORT and bool(texts))
    if invoice["seller_uscc"] is not None and (named or len(number) == _SHORT):
        texts.add(f"{invoice['seller_uscc']}|{invoice['issued_on']}|{number[-_SHORT:]}")
    return texts


def _of_code(invoice: Mapping[str, Any]) -> set[str]:
    code = serial(invoice["code"] or "")
    return {code} if code.isdecimal() and len(code) in _WHOLE else set()


def _printed_code(number: str) -> tuple[str, str] | None:
    """Code and number of a QR code's text: 01, kind, code, number, amount, day, check code, checksum."""
    plain = "".join(unicodedata.normalize("NFKC", number).split())
    fields = plain.split(",")
    if not plain.isascii() or len(fields) not in _QR_FIELDS or fields[0] != "01" or any(fields[8:]):
        return None
    kind, code, printed, amount, day, check, checksum = fields[1:8]
    lengths = (len(kind), len(code), len(printed))
    whole_yuan, _, fen = amount.partition(".")
    fits = (
        lengths in _QR_LENGTHS
        and all(each.isdecimal() for each in (kind, printed, whole_yuan, day))
        and (whole_yuan == "0" or not whole_yuan.startswith("0"))
        and len(whole_yuan) <= _QR_YUAN_DIGITS
        and ("." not in amount or (fen.isdecimal() and len(fen) <= _FEN_DIGITS))
        and (code == "" or code.isdecimal())
        and (check == "" or (check.isdecimal() and len(check) <= _WHOLE[1]))
        and (checksum == "" or (checksum.isalnum() and checksum == checksum.upper() and len(checksum) <= _QR_SUM))
        and _is_day(day)
    )
    return (code, printed) if fits else None


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return len(text) == len("20240805")


def receipt_texts(receipt: Mapping[str, Any], payer_account: str | None) -> set[str]:
    """The bank's serial number, with the payer's account where it is given."""
    text = serial(receipt["serial"])
    if not text:
        return set()
    return {text if payer_account is None else f"{text}|{serial(payer_account)}"}


def spendings_of(submission: Json, payers: Sequence[str | None] | None) -> list[Spending]:
    """All spendings of the submission; ``payers`` are its receipts' payer accounts.

    Where the payer accounts are not known, receipts are told apart by what is shown of them.
    """
    receipts = submission["receipts"]
    known = [receipt["payer_account"] for receipt in receipts] if payers is None else payers
    invoices = [
        _Mention(number, invoice_texts(each), fen_of(each["amount"]), fen_of(each["claimed_amount"]))
        for number, each in enumerate(submission["invoices"])
    ]
    paid = [
        _Mention(number, receipt_texts(each, payer), fen_of(each["amount"]), fen_of(each["claimed_amount"]))
        for number, (each, payer) in enumerate(zip(receipts, known, strict=True))
    ]
    documents = [
        _Mention(number, {each["sha256"]}, None, 0)
        for number, each in enumerate(submission["documents"])
        if each["kind"] in REGISTERED
    ]
    claimed = sum(each.claimed_fen for each in invoices)
    found = [*_joined("invoice", invoices), *_joined("receipt", paid), *_joined("document", documents)]
    project = contract_text(
        submission["enterprise"]["uscc"], submission["provider"]["uscc"], submission["contract"]["number"]
    )
    if project is not None:
        found.append(Spending("contract", "/contract", frozenset({project}), None, claimed))
    return found


class _Mention(NamedTuple):
    """One mention of a spending: where it stands, its identities, its total, the part claimed."""

    position: int
    texts: set[str]
    stated_fen: int | None
    claimed_fen: int


def _joined(kind: str, mentions: list[_Mention]) -> Iterator[Spending]:
    """One spending for all mentions that share an identity: parts added, the smallest total."""
    groups: list[list[_Mention]] = []
    for mention in mentions:
        if mention.texts:
            same = [group for group in groups if any(not each.texts.isdisjoint(mention.texts) for each in group)]
            if same:
                groups = [group for group in groups if group not in same]
            groups.append([each for group in same for each in group] + [mention])
    for group in groups:
        totals = [each.stated_fen for each in group if each.stated_fen is not None]
        yield Spending(
            kind,
            f"/{kind}s/{min(each.position for each in group)}",
            frozenset().union(*(each.texts for each in group)),
            min(totals) if totals else None,
            sum(each.claimed_fen for each in group),
        )
