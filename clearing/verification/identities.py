"""The identities that a submission claims on, worked out anew from what is stored (``dedup.md``).

A text is reduced to letters and digits: NFKC, capitals, digits of every script as ASCII, Cyrillic and Greek capitals
that are drawn as Latin ones as these. Words such as 发票号码 or No before a number are no part of it.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from tenants.kernel.money import Money

REGISTERED: Final = ("service_report", "invoice_image")
"""Kinds of documents that stand for one spending."""

_DRAWN_ALIKE: Final = {
    **dict(zip("АВЕЅІЈКМНОРСТУХ", "ABESIJKMHOPCTYX", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
}
_OF: Final = ("", "发票", "發票", "票据", "流水", "回单", "回單", "凭证")
_NUMBER: Final = ("编号", "編號", "号码", "號碼", "代码", "代碼", "号", "號")
_WORDS: Final = tuple(sorted((of + number for of in _OF for number in _NUMBER), key=len, reverse=True))
_SHORT: Final = 8
_CODES: Final = (10, 12)
_WHOLE: Final = (18, 20)

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Use:
    """What a submission uses of one spending: the part claimed, and the total stated where one bounds it."""

    kind: str
    claimed_fen: int
    stated_fen: int | None


def letters_and_digits(text: str) -> str:
    """The text without anything else, in capitals."""
    if text.isascii():
        return "".join(filter(str.isalnum, text)).upper()
    found = []
    for character in unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper()):
        letter = _DRAWN_ALIKE.get(character, character)
        if letter.isalnum():
            digit = unicodedata.digit(letter, None)
            found.append(letter if digit is None else str(digit))
    return "".join(found)


def serial(text: str) -> str:
    """A number as printed, without the words before it."""
    bare = letters_and_digits(text.replace("°", "o"))
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


def contract_text(enterprise_uscc: str, provider_uscc: str, number: str) -> str | None:
    """A project's identity; ``None`` where the number holds no letter or digit."""
    bare = letters_and_digits(number)
    return f"{enterprise_uscc}|{provider_uscc}|{bare}" if bare else None


def invoice_texts(invoice: Mapping[str, Any]) -> set[str]:
    """Every identity of an invoice: its own digits, its legacy ones, and seller, day and last eight digits."""
    number = serial(invoice["number"])
    if not number.isdecimal():
        return _of_code(invoice)
    code = serial(invoice["code"] or "")
    texts = set(_of_code(invoice))
    if len(number) in _WHOLE:
        texts.add(number)
    elif len(number) == _SHORT and code.isdecimal() and len(code) in _CODES:
        texts.add(code + number)
    named = len(number) in _WHOLE or (len(number) == _SHORT and bool(texts))
    if invoice["seller_uscc"] is not None and (named or len(number) == _SHORT):
        day = date.fromisoformat(invoice["issued_on"]).isoformat()
        texts.add(f"{invoice['seller_uscc']}|{day}|{number[-_SHORT:]}")
    return texts


def _of_code(invoice: Mapping[str, Any]) -> set[str]:
    code = serial(invoice["code"] or "")
    return {code} if code.isdecimal() and len(code) in _WHOLE else set()


def receipt_texts(receipt: Mapping[str, Any], payer_account: str | None) -> set[str]:
    """The bank's serial number, with the payer's account where it is given."""
    text = serial(receipt["serial"])
    if not text:
        return set()
    return {text if payer_account is None else f"{text}|{serial(payer_account)}"}


def uses_of(submission: Json, payers: Sequence[str | None], digest: Callable[[str, str], bytes]) -> dict[bytes, Use]:
    """What the submission uses, by the digest of each identity; ``payers`` are its receipts' payer accounts."""
    uses = {}
    for kind, mentions in _mentions(submission, payers).items():
        for spending in _spendings(mentions):
            for text in spending.texts:
                uses[digest(kind, text)] = Use(kind, spending.claimed_fen, spending.stated_fen)
    return uses


def places_of(submission: Json, payers: Sequence[str | None] | None) -> list[tuple[str, str, int, int | None]]:
    """Each spending's kind, RFC 6901 place, claimed part, and total where one bounds it.

    Where the payer accounts are not known, receipts are told apart by what is shown of them.
    """
    shown = [receipt["payer_account"] for receipt in submission["receipts"]] if payers is None else payers
    return [
        (kind, _ROOTS[kind].format(spending.position), spending.claimed_fen, spending.stated_fen)
        for kind, mentions in _mentions(submission, shown).items()
        for spending in _spendings(mentions)
    ]


_ROOTS: Final = {
    "invoice": "/invoices/{}",
    "contract": "/contract",
    "receipt": "/receipts/{}",
    "document": "/documents/{}",
}


def _mentions(submission: Json, payers: Sequence[str | None]) -> dict[str, list["_Mention"]]:
    invoices = [
        _Mention(number, invoice_texts(each), _fen(each["amount"]), _fen(each["claimed_amount"]))
        for number, each in enumerate(submission["invoices"])
    ]
    receipts = [
        _Mention(number, receipt_texts(each, payer), _fen(each["amount"]), _fen(each["claimed_amount"]))
        for number, (each, payer) in enumerate(zip(submission["receipts"], payers, strict=True))
    ]
    documents = [
        _Mention(number, {each["sha256"]}, None, 0)
        for number, each in enumerate(submission["documents"])
        if each["kind"] in REGISTERED
    ]
    buyer, seller = submission["enterprise"]["uscc"], submission["provider"]["uscc"]
    project = contract_text(buyer, seller, submission["contract"]["number"])
    claimed = sum(each.claimed_fen for each in invoices)
    contracts = [] if project is None else [_Mention(0, {project}, None, claimed)]
    return {"invoice": invoices, "contract": contracts, "receipt": receipts, "document": documents}


@dataclass(frozen=True, slots=True)
class _Mention:
    """One mention, or all mentions of one spending: where it first stands, its identities, its total, its part."""

    position: int
    texts: set[str]
    stated_fen: int | None
    claimed_fen: int


def _spendings(mentions: Iterable[_Mention]) -> list[_Mention]:
    """One spending for all mentions that share an identity: parts added, the smallest total."""
    spendings: list[_Mention] = []
    for mention in mentions:
        if not mention.texts:
            continue
        same = [each for each in spendings if each.texts & mention.texts]
        spendings = [each for each in spendings if each not in same]
        joined = [*same, mention]
        spendings.append(
            _Mention(
                min(each.position for each in joined),
                set().union(*(each.texts for each in joined)),
                min((each.stated_fen for each in joined if each.stated_fen is not None), default=None),
                sum(each.claimed_fen for each in joined),
            )
        )
    return spendings


def _fen(printed: str) -> int:
    return Money.parse(printed).fen
