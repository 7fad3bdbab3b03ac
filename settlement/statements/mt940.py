"""SWIFT MT940: a statement in lines of tags, read by the library ``mt-940``; its balances have to fit its entries."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from settlement.statements.line import (
    CREDIT,
    DEBIT,
    Owner,
    StatementLine,
    amount_of,
    foreign,
    kept,
    malformed,
    reference_in,
    refused,
    unbalanced,
)
from settlement.statements.texts import decoded

MAX_BYTES: Final = 16 * 2**20
"""The library holds the whole file; larger statements come as camt."""
_NAMES: Final = ("/NAME/", "?32", "NAME+")
_ACCOUNTS: Final = ("/ACCT/", "?31", "IBAN+", "ACCT+")
_TAGS: Final = ("/", "?", "+")
_DEBITS: Final = frozenset({"D", "RC"})


def mt940_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The statement's entries in their order.

    Raises:
        StatementRefused: not such a file, cut off, of another account, or its balances do not fit.
    """
    if path.stat().st_size > MAX_BYTES:
        raise refused(
            "too_large", "MT940 文件超过 16 MiB，请改用 camt.053。", "MT940 takes at most 16 MiB; use camt.053."
        )
    text = decoded(path.read_bytes())
    lines = (line for block in _blocks(text) for line in _statement(block, owner))
    for number, line in enumerate(lines, start=1):
        yield replace(line, line=number)


def _blocks(text: str) -> list[str]:
    """One text for each statement: the library gives the header of the last one to all."""
    begins = [at for at in range(len(text)) if text.startswith(":20:", at) and (at == 0 or text[at - 1] in "\r\n")]
    if not begins:
        raise malformed(":20:")
    return [text[begin:end] for begin, end in zip(begins, [*begins[1:], len(text)], strict=True)]


def _statement(block: str, owner: Owner) -> Iterator[StatementLine]:
    import mt940  # noqa: PLC0415 - a start waits for no format of a bank

    try:
        found = mt940.parse(block)
        head, entries = dict(found.data), [dict(entry.data) for entry in found]
    except Exception as fault:
        raise malformed(f"MT940: {type(fault).__name__}") from fault
    if head.get("account_identification", "").strip().split("/")[-1] != owner.account_number:
        raise foreign()
    opening = head.get("final_opening_balance") or head.get("intermediate_opening_balance")
    closing = head.get("final_closing_balance") or head.get("intermediate_closing_balance")
    if opening is None or closing is None:
        raise malformed(":60F: / :62F:")
    total = Decimal(0)
    for entry in entries:
        amount = _signed(entry)
        total += amount
        yield _line(entry, amount)
    if opening.amount.amount + total != closing.amount.amount:
        raise unbalanced()


def _signed(entry: dict[str, Any]) -> Decimal:
    """What the entry adds to the balance; a reversed credit takes away, though the library says otherwise."""
    size = abs(Decimal(entry["amount"].amount))
    return -size if entry["status"] in _DEBITS else size


def _line(entry: dict[str, Any], signed: Decimal) -> StatementLine:
    details = str(entry.get("transaction_details") or "")
    joined = details.replace("\n", "")
    amount, fault = amount_of(str(abs(signed)))
    booked: Any = entry.get("entry_date") or entry.get("date")
    return StatementLine(
        line=0,
        kind=DEBIT if signed < 0 else CREDIT,
        reference=reference_in(joined) or reference_in(entry.get("customer_reference")),
        amount=amount,
        name=kept(_field(joined, _NAMES)),
        account_number=_field(joined, _ACCOUNTS),
        booked_on=date(booked.year, booked.month, booked.day),
        bank_reference=kept(entry.get("bank_reference")),
        reason=kept(_field(joined, ("/RSN/", "?34", "RSN+"))),
        fault=fault,
    )


def _field(details: str, tags: tuple[str, ...]) -> str | None:
    """The value behind the first of the tags, up to the next tag of its kind."""
    for tag in tags:
        _, found, rest = details.partition(tag)
        if found:
            mark = next(each for each in _TAGS if each in tag)
            value = rest.split(mark)[0] if mark != "+" else rest.split("+")[0].rsplit(" ", 1)[0]
            return value.strip() or None
    return None
