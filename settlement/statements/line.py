"""One line of a bank's answer, whatever file it stands in; and the refusal of a file as a whole."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from tenants.kernel.errors import Invalid, Text
from tenants.kernel.money import Money, MoneyError

STATUS: Final = "status"
"""What the bank says of an order; no money has moved."""
DEBIT: Final = "debit"
"""Money left the tenant's account."""
CREDIT: Final = "credit"
"""Money came into it."""

ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"

MAX_TEXT_CHARACTERS: Final = 140
MAX_LINES: Final = 2_000_000

_REFERENCE: Final = re.compile(r"(?<![A-Z2-7])[A-Z2-7]{26}(?![A-Z2-7])", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line. ``line`` counts from 1 in its file; what the file does not say is ``None``.

    ``reference`` is our end-to-end id; ``name`` and ``account_number`` are the payee's; ``bank_reference`` is the
    bank's own for the movement; ``fault`` says why the line cannot be read, which never stops the file.
    """

    line: int
    kind: str
    status: str | None = None
    reference: str | None = None
    amount: Money | None = None
    name: str | None = None
    account_number: str | None = None
    booked_on: date | None = None
    bank_reference: str | None = None
    reason: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose answer it has to be: the account that pays, and which message ids are the tenant's own."""

    account_number: str
    knows: Callable[[str], bool]


class StatementRefused(Invalid):
    """The file as a whole cannot be taken; nothing of it is stored."""


def refused(code: str, zh: str, en: str) -> StatementRefused:
    """The refusal with its code ``statement.…``."""
    return StatementRefused(f"statement.{code}", zh, en)


def malformed(detail: str | Text) -> StatementRefused:
    """The file is broken, cut off, or no such file at all; ``detail`` names the place, or says why."""
    said = Text(detail, detail) if isinstance(detail, str) else detail
    zh, en = said.zh.rstrip("。"), said.en.rstrip(".")
    return refused("malformed", f"对账文件无法读取或不完整：{zh}。", f"The file is broken or cut off: {en}.")


def foreign() -> StatementRefused:
    """The file tells of somebody else's account or messages."""
    return refused(
        "foreign",
        "对账文件属于另一账户或另一付款人，未导入任何内容。",
        "The file is about another account or payer; nothing of it was taken.",
    )


def unbalanced() -> StatementRefused:
    """The file's own sums contradict each other."""
    return refused(
        "unbalanced",
        "对账文件的笔数、合计或余额与明细不符，未导入任何内容。",
        "The file's own count, sum or balances do not fit its lines; nothing of it was taken.",
    )


def too_many_lines() -> StatementRefused:
    """The file has more lines than are read."""
    return refused("too_long", f"对账文件超过 {MAX_LINES} 行。", f"The file has more than {MAX_LINES} lines.")


def reference_in(text: str | None) -> str | None:
    """Our end-to-end id where exactly one stands in a text."""
    if not text:
        return None
    found = set(_REFERENCE.findall(text))
    return found.pop() if len(found) == 1 else None


def amount_of(text: str | None) -> tuple[Money | None, str | None]:
    """The amount above zero that is written there, or the fault."""
    try:
        amount = Money.parse((text or "").strip())
    except MoneyError:
        return None, "amount.invalid"
    return (amount, None) if amount else (None, "amount.invalid")


def day_of(text: str | None) -> date | None:
    """The day at the beginning of a date or instant; ``None`` where it is none."""
    try:
        return date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None


def kept(text: str | None) -> str | None:
    """A text as it is kept: printable, in one line, cut to what is kept; ``None`` where nothing is left."""
    if text is None:
        return None
    printable = text if text.isprintable() else "".join([c if c.isprintable() else " " for c in text])
    return " ".join(printable.split())[:MAX_TEXT_CHARACTERS] or None
