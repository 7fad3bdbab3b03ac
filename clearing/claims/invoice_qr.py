"""The text of the QR code on an invoice, as a scanner reads it and a platform may send it for the number.

Its fields are divided by commas: ``01``, kind, code (of a legacy invoice), number, amount, day of issue, check code,
checksum. The amount of a fully digital invoice (数电票) is its face total; that of a legacy one is without the tax.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

from tenants.kernel.money import Money

_FORM: Final = re.compile(
    r"01,(?P<kind>\d{2}),(?:(?P<code>\d{10}|\d{12}),(?P<short>\d{8})|,(?P<whole>\d{20})),"
    r"(?P<amount>(?:0|[1-9]\d{0,11})(?:\.\d{1,2})?),(?P<day>\d{8}),\d{0,20},[0-9A-Z]{0,16},?",
    re.ASCII,
)
_COMMAS: Final = frozenset(",，﹐︐")
_BLANK: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class InvoiceQr:
    """What the code says; ``with_tax``: whether ``amount`` is the face total."""

    code: str | None
    number: str
    amount: Money
    issued_on: date
    with_tax: bool

    def differs(self, issued_on: date, face: Money) -> bool:
        """Whether an invoice of this day and face total is another one than the code's."""
        amount_differs = face != self.amount if self.with_tax else face < self.amount
        return amount_differs or issued_on != self.issued_on


def read_invoice_qr(text: str) -> InvoiceQr | None:
    """What a QR code's text says; ``None`` where it is no such text."""
    if _COMMAS.isdisjoint(text):
        return None
    said = _FORM.fullmatch(_BLANK.sub("", unicodedata.normalize("NFKC", text)))
    if said is None:
        return None
    try:
        issued_on = date.fromisoformat(said["day"])
    except ValueError:
        return None
    number = said["short"] or said["whole"]
    return InvoiceQr(said["code"], number, Money.parse(said["amount"]), issued_on, with_tax=said["code"] is None)
