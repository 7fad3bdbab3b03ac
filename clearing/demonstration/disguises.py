"""Planted faults: claims for spending that was claimed before, in disguise, and claims that need correction.

Each function changes a copy of an honest claim. ``PLANTED_STATES`` says what an assessment makes of the result where
the honest claim came first and is live.
"""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Final

from clearing.demonstration.claim_body import Body, documents
from clearing.demonstration.parties import digits
from tenants.kernel.money import Money

_FULL_WIDTH: Final = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-",
    "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ－",
)
_SPACES: Final = (" ", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2060")
_DASHES: Final = ("-", "\u2010", "\u2013", "\u2014", "\u2212", "\uff0d")
_LEGACY_CODE_DIGITS: Final = 12

PLANTED_STATES: Final = {
    "full_width": "rejected",
    "spaces": "rejected",
    "dashes": "rejected",
    "prefixed": "rejected",
    "joined": "rejected",
    "taken_apart": "rejected",
    "other_platform": "rejected",
    "other_enterprise": "on_hold",
    "same_document": "on_hold",
    "receipt_one_fen_short": "needs_correction",
    "report_missing": "needs_correction",
    "invoice_code_missing": "needs_correction",
}
"""What is planted, and the state that the claim then has."""

DUPLICATES: Final = (
    "full_width", "other_platform", "spaces", "joined", "other_platform", "dashes", "other_enterprise", "prefixed",
    "other_platform", "taken_apart", "same_document",
)  # fmt: skip
"""What is planted as a duplicate, in turn; what this service is for comes most often."""
CORRECTIONS: Final = ("receipt_one_fen_short", "report_missing", "invoice_code_missing")
"""What is planted to be sent back, in turn."""


def re_submitted(rng: Random, honest: Body, external_id: str) -> Body:
    """The same spending under another number, with new scans of its papers."""
    body = deepcopy(honest)
    body["external_id"] = external_id
    body["documents"] = documents(external_id, [document["kind"] for document in honest["documents"]])
    for receipt in body["receipts"]:
        receipt["serial"] = digits(rng, 14)
    return body


def full_width(_: Random, body: Body) -> None:
    """Invoice numbers in full-width characters."""
    _rewrite_numbers(body, lambda number: number.translate(_FULL_WIDTH))


def spaces(rng: Random, body: Body) -> None:
    """Invoice numbers with spaces and zero-width characters inside."""
    _rewrite_numbers(body, lambda number: _in_groups(number, rng.choice(_SPACES)))


def dashes(rng: Random, body: Body) -> None:
    """Invoice numbers in groups."""
    _rewrite_numbers(body, lambda number: _in_groups(number, rng.choice(_DASHES)))


def prefixed(rng: Random, body: Body) -> None:
    """Invoice numbers with what forms print before them."""
    _rewrite_numbers(body, lambda number: rng.choice(("No.", "№ ", "NO:", "Nº", "号码：")) + number)


def joined(_: Random, body: Body) -> None:
    """Legacy code and number in one field."""
    for invoice in body["invoices"]:
        invoice["number"] = (invoice["code"] or "") + invoice["number"]
        invoice["code"] = None


def taken_apart(_: Random, body: Body) -> None:
    """A 20-digit number as if it were a code and a number."""
    for invoice in body["invoices"]:
        if invoice["code"] is None:
            number = invoice["number"]
            invoice["code"], invoice["number"] = number[:_LEGACY_CODE_DIGITS], number[_LEGACY_CODE_DIGITS:]


def other_brackets(_: Random, body: Body) -> None:
    """The contract's number with other brackets and dashes, invoice numbers in full-width characters."""
    body["contract"]["number"] = "【" + body["contract"]["number"].replace("-", "〔", 1).replace("-", "〕", 1) + "】"
    _rewrite_numbers(body, lambda number: f" {number.translate(_FULL_WIDTH)} ")


def receipt_one_fen_short(_: Random, body: Body) -> None:
    """Receipts that do not add up to the invoices."""
    receipt = body["receipts"][0]
    receipt["amount"] = str(Money.parse(receipt["amount"]) - Money(1))


def report_missing(_: Random, body: Body) -> None:
    """No service report."""
    body["documents"] = [document for document in body["documents"] if document["kind"] != "service_report"]


def invoice_code_missing(rng: Random, body: Body) -> None:
    """An 8-digit invoice number with nothing to complete it."""
    for invoice in body["invoices"]:
        invoice |= {"code": None, "number": digits(rng, 8)}
        invoice.pop("seller_uscc", None)


DISGUISES: Final[dict[str, Callable[[Random, Body], None]]] = {
    "full_width": full_width,
    "spaces": spaces,
    "dashes": dashes,
    "prefixed": prefixed,
    "joined": joined,
    "taken_apart": taken_apart,
    "other_platform": other_brackets,
    "receipt_one_fen_short": receipt_one_fen_short,
    "report_missing": report_missing,
    "invoice_code_missing": invoice_code_missing,
}


def _rewrite_numbers(body: Body, write: Callable[[str], str]) -> None:
    for invoice in body["invoices"]:
        invoice["number"] = write(invoice["number"])
        if invoice["code"] is not None:
            invoice["code"] = write(invoice["code"])


def _in_groups(number: str, separator: str) -> str:
    return separator.join(number[start : start + 4] for start in range(0, len(number), 4))
