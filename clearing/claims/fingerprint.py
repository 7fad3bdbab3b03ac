"""Canonical identities of spending (dedup.md) and the keyed digests that stand for them in the registry.

Only what is certain is made alike, character by character (:mod:`clearing.claims.characters`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from clearing.claims.characters import letters_and_digits, simplified
from clearing.claims.invoice_qr import read_invoice_qr
from connectors.submission import Document, Invoice, Receipt, Submission
from tenants.kernel.keyed_digest import keyed_digest, keyed_digests
from tenants.kernel.money import ZERO, Money, total

DIGEST_BYTES: Final = 16
"""Half of the HMAC: a collision among 10**9 keys has a chance below 10**-20, and the index is 45 % smaller."""
REGISTERED_DOCUMENTS: Final = frozenset({"service_report", "invoice_image"})
"""Kinds of documents that stand for one spending; a licence or an identity card returns in every claim."""

IDENTITIES_KEPT: Final = 4_096
"""Invoices and contract numbers whose identity is kept: each is asked for several times on a claim's way in."""

_DOMAIN: Final = b"clearing/registry/v1\x00"
_LEGACY_NUMBER_DIGITS: Final = 8
_LEGACY_CODE_DIGITS: Final = frozenset({10, 12})
_WHOLE_DIGITS: Final = frozenset({18, 20})
_NUMERO: Final = re.compile("[Nn\uff2e\uff4e][°˚]")
_LEADING: Final = re.compile(
    r"(?:(?:发票|發票|票据|流水|回单|回單|凭证)?(?:编号|編號|号码|號碼|代码|代碼|号|號)|NO(?=[0-9]))+(?=[0-9A-Z])"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity that a submission claims on; aliases of one invoice share their ``place``, an RFC 6901 pointer.

    ``total`` is the stated face total, ``None`` where none bounds the claims: the contract's amount bounds only the
    claims of its own programme, and is judged in the assessment. ``claimed`` is the part that the submission uses,
    all its own mentions of the spending together.
    """

    kind: str
    place: str
    text: str
    total: Money | None
    claimed: Money


@dataclass(frozen=True, slots=True)
class RegistryKey:
    """One version of the blind index's key: kept outside the database, out of every printed form."""

    version: int
    secret: bytes = field(repr=False)


def digest(key: RegistryKey, kind: str, text: str) -> bytes:
    """What the registry stores for an identity: 16 bytes of HMAC-SHA-256 over domain, kind and canonical text."""
    return keyed_digest(key.secret, _DOMAIN + kind.encode() + b"\x00" + text.encode())[:DIGEST_BYTES]


def digests(key: RegistryKey, kinds: Sequence[str], texts: Sequence[str]) -> list[bytes]:
    """The same for many identities."""
    before = {kind: _DOMAIN + kind.encode() + b"\x00" for kind in set(kinds)}
    messages = [before[kind] + text.encode() for kind, text in zip(kinds, texts, strict=True)]
    return [found[:DIGEST_BYTES] for found in keyed_digests(key.secret, messages)]


def canonical_serial(text: str) -> str:
    """A number as printed on an invoice or receipt: letters and digits only, in capitals, without its leading No."""
    if text.isdecimal() and text.isascii():
        return text
    bare = letters_and_digits(text) if text.isascii() else letters_and_digits(_NUMERO.sub("NO", text))
    leading = _LEADING.match(bare)
    return bare if leading is None else bare[leading.end() :]


@lru_cache(maxsize=IDENTITIES_KEPT)
def canonical_contract_number(number: str) -> str:
    """A contract number: letters and digits of any script only, in capitals, Chinese characters in simplified form."""
    return simplified(letters_and_digits(number))


def canonical_contract(enterprise_uscc: str, provider_uscc: str, number: str) -> str:
    """The identity of a project; the credit codes are compact."""
    return _project(enterprise_uscc, provider_uscc, canonical_contract_number(number))


def canonical_invoice(number: str, code: str | None = None) -> str:
    """The digits that name an invoice: its 20-digit number, or the legacy code and number joined (18 or 20 digits).

    ``number`` may also be the text of the invoice's QR code, which says both. Empty where the two do not name one: an
    8-digit number alone, or anything that is not readable as digits. Such an invoice is sent back
    (``invoice.code_missing``); a guess would be a new identity for old spending.
    """
    if are_whole((number,)):  # as nearly every number comes
        return number
    number, code = _scanned(number, code)
    digits = canonical_serial(number)
    if not digits.isdecimal():
        return ""
    if len(digits) in _WHOLE_DIGITS:
        return digits
    prefix = "" if code is None else canonical_serial(code)
    if len(digits) == _LEGACY_NUMBER_DIGITS and prefix.isdecimal():
        if len(prefix) in _LEGACY_CODE_DIGITS:
            return prefix + digits
        if len(prefix) in _WHOLE_DIGITS:
            return prefix
    return ""


def are_whole(numbers: Sequence[str]) -> bool:
    """Whether each is already the digits that name an invoice."""
    digits = "".join(numbers)
    return digits.isdecimal() and digits.isascii() and _WHOLE_DIGITS.issuperset(map(len, numbers))


@lru_cache(maxsize=IDENTITIES_KEPT)
def invoice_identities(invoice: Invoice) -> tuple[str, ...]:
    """Every identity of the invoice: its digits, and seller, day and last eight digits where the seller is given.

    A digital paper invoice that carries its 20-digit number and, in ``code``, a whole legacy code and number has both.
    Empty: the invoice has no identity and cannot be checked.
    """
    found = [canonical_invoice(invoice.number, invoice.code)]
    other = "" if invoice.code is None else canonical_serial(invoice.code)
    if len(other) in _WHOLE_DIGITS and other.isdecimal():
        found.append(other)
    number = canonical_serial(_scanned(invoice.number, invoice.code)[0])
    if invoice.seller_uscc is not None and number.isdecimal() and (found[0] or len(number) == _LEGACY_NUMBER_DIGITS):
        found.append(f"{invoice.seller_uscc}|{invoice.issued_on.isoformat()}|{number[-_LEGACY_NUMBER_DIGITS:]}")
    return tuple(dict.fromkeys(text for text in found if text))


def _scanned(number: str, code: str | None) -> tuple[str, str | None]:
    """Number and code as sent, or as the invoice's QR code says them where its text was sent for the number."""
    scanned = read_invoice_qr(number)
    return (number, code) if scanned is None else (scanned.number, scanned.code)


def receipt_identity(receipt: Receipt) -> str:
    """The bank's serial number, with the payer's account where it is given; empty where nothing is readable."""
    serial = canonical_serial(receipt.serial)
    if not serial or receipt.payer_account is None:
        return serial
    return f"{serial}|{canonical_serial(receipt.payer_account)}"


def identities(submission: Submission) -> tuple[Identity, ...]:
    """All identities of the submission: invoices, contract, receipts, documents.

    Two mentions of one spending are one identity at the place of the first: claimed parts added, the smaller total.
    """
    return tuple(
        _of_kind("invoice", "/invoices", [_invoice_use(invoice) for invoice in submission.invoices])
        + _contract(submission)
        + _of_kind("receipt", "/receipts", [_receipt_use(receipt) for receipt in submission.receipts])
        + _of_kind("document", "/documents", [_document_use(document) for document in submission.documents])
    )


_Use = tuple[tuple[str, ...], Money | None, Money]
"""Aliases, stated total and claimed part of one invoice, receipt or document."""


def _invoice_use(invoice: Invoice) -> _Use:
    return invoice_identities(invoice), invoice.amount, invoice.claimed


def _receipt_use(receipt: Receipt) -> _Use:
    text = receipt_identity(receipt)
    return (text,) if text else (), receipt.amount, receipt.claimed


def _document_use(document: Document) -> _Use:
    return (document.sha256,) if document.kind in REGISTERED_DOCUMENTS else (), None, ZERO


def _contract(submission: Submission) -> list[Identity]:
    number = canonical_contract_number(submission.contract.number)
    if not number:
        return []
    text = _project(submission.enterprise.uscc, submission.provider.uscc, number)
    return [Identity("contract", "/contract", text, None, total(invoice.claimed for invoice in submission.invoices))]


def _project(enterprise_uscc: str, provider_uscc: str, canonical_number: str) -> str:
    return f"{enterprise_uscc}|{provider_uscc}|{canonical_number}"


def _of_kind(kind: str, root: str, uses: list[_Use]) -> list[Identity]:
    texts = [text for aliases, _, _ in uses for text in aliases]
    placed = enumerate(uses) if len(set(texts)) == len(texts) else _merged(uses)
    return [
        Identity(kind, f"{root}/{position}", text, stated, claimed)
        for position, (aliases, stated, claimed) in placed
        for text in aliases
    ]


def _merged(uses: list[_Use]) -> list[tuple[int, _Use]]:
    """One use for each spending, at its first position; one that shares an alias with several makes them one."""
    groups: dict[int, _Use] = {}
    group_of: dict[str, int] = {}
    for position, use in enumerate(uses):
        known = sorted({group_of[text] for text in use[0] if text in group_of})
        joined = [*(groups.pop(first) for first in known), use]
        texts = tuple(dict.fromkeys(text for aliases, _, _ in joined for text in aliases))
        first = min(known, default=position)
        stated = min((amount for _, amount, _ in joined if amount is not None), default=None)
        groups[first] = (texts, stated, total(part for _, _, part in joined))
        group_of.update(dict.fromkeys(texts, first))
    return sorted(groups.items())
