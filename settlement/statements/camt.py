"""ISO 20022 ``camt.053`` (statement) and ``camt.054`` (notification): what left an account and what came back.

A statement proves itself: its opening balance and its booked entries give its closing balance, or it is refused.
An entry may hold many transactions (one booking for a whole batch); they have to add up to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lxml import etree

from settlement.statements.line import (
    CREDIT,
    DEBIT,
    MAX_LINES,
    Owner,
    StatementLine,
    amount_of,
    day_of,
    foreign,
    kept,
    malformed,
    reference_in,
    too_many_lines,
    unbalanced,
)
from settlement.statements.xml_events import Texts, elements, first_at, first_of, name_of, text_at, texts_below
from tenants.kernel.money import ZERO, Money

_KINDS: Final = {"DBIT": DEBIT, "CRDT": CREDIT}
_OPENING: Final = frozenset({"OPBD", "PRCD"})
_CLOSING: Final = "CLBD"
_CURRENCY: Final = "CNY"


@dataclass(slots=True)
class _Sums:
    """What one statement has said so far; every amount with its sign, money that came in being above zero."""

    opening: Money | None = None
    closing: Money | None = None
    booked: Money = ZERO
    within: Money = ZERO
    details: int = 0
    number: int = field(default=0)
    entry: Texts | None = None
    """What the entry says whose transactions are being read."""


def camt_lines(path: Path, message: str, owner: Owner) -> Iterator[StatementLine]:
    """The booked transactions of a ``camt.053`` or ``camt.054`` (``message``), in the order of the file.

    Raises:
        StatementRefused: not such a file, broken, cut off, of another account, or contradicting itself.
    """
    sums, accounts = _Sums(), 0
    names = ("Acct", "Bal", "TxDtls", "Ntry", "Stmt", "Ntfctn")
    for element in elements(path, message, *names):
        match name_of(element):
            case "Acct" if _is_of(element, "Stmt", "Ntfctn"):
                accounts += 1
                _require_account(element, owner)
            case "Bal":
                _balance(element, sums)
            case "TxDtls":
                yield from _transaction(element, sums, accounts)
            case "Ntry":
                yield from _entry(element, sums, accounts)
            case "Stmt" | "Ntfctn" if not _is_of(element, "Stmt", "Ntfctn"):
                _require_balance(sums, message)
                sums = _Sums(number=sums.number)
            case _:
                pass
    if not accounts:
        raise malformed("Acct")


def _is_of(element: etree._Element, *parents: str) -> bool:
    parent = element.getparent()
    return parent is not None and name_of(parent) in parents


def _require_account(element: etree._Element, owner: Owner) -> None:
    if first_at(element, "Id/Othr/Id", "Id/IBAN") != owner.account_number:
        raise foreign()
    if text_at(element, "Ccy") not in {None, _CURRENCY}:
        raise foreign()


def _balance(element: etree._Element, sums: _Sums) -> None:
    code = text_at(element, "Tp/CdOrPrtry/Cd")
    if code not in _OPENING and code != _CLOSING:
        return
    try:
        amount = Money.parse(text_at(element, "Amt") or "")
    except ValueError as error:
        raise malformed("Bal/Amt") from error
    signed = Money(-amount.fen) if text_at(element, "CdtDbtInd") == "DBIT" else amount
    if code == _CLOSING:
        sums.closing = signed
    else:
        sums.opening = signed


def _transaction(element: etree._Element, sums: _Sums, accounts: int) -> Iterator[StatementLine]:
    """One transaction within an entry, whose own amount and sign stand before it."""
    details = element.getparent()
    entry = None if details is None else details.getparent()
    if entry is None or name_of(entry) != "Ntry":
        return
    if not accounts:
        raise malformed("Acct")
    sums.details += 1
    if sums.entry is None:
        sums.entry = texts_below(entry, "NtryDtls")
    if not _is_booked(sums.entry):
        return
    line = _line(texts_below(element), sums.entry, entry, _next(sums), alone=sums.details == 1)
    if line.amount is not None:
        sums.within += line.amount
    yield line


def _entry(entry: etree._Element, sums: _Sums, accounts: int) -> Iterator[StatementLine]:
    """The end of an entry: it is counted, held against its transactions, and is a line itself where it has none."""
    if not accounts:
        raise malformed("Acct")
    texts = texts_below(entry, "NtryDtls")
    amount, fault = amount_of(texts.get("Amt"))
    kind = _KINDS.get(texts.get("CdtDbtInd") or "")
    if fault is not None or amount is None or kind is None:
        raise malformed("Ntry/Amt")
    details, within = sums.details, sums.within
    sums.details, sums.within, sums.entry = 0, ZERO, None
    if not _is_booked(texts):
        return
    sums.booked += amount if kind == CREDIT else Money(-amount.fen)
    if details > 1 and within != amount:
        raise unbalanced()
    if not details:
        yield _line(texts, texts, entry, _next(sums), alone=True)


def _is_booked(entry: Texts) -> bool:
    return first_of(entry, "Sts/Cd", "Sts/Prtry", "Sts") in {None, "BOOK"}


def _next(sums: _Sums) -> int:
    sums.number += 1
    if sums.number > MAX_LINES:
        raise too_many_lines()
    return sums.number


def _line(own: Texts, whole: Texts, entry: etree._Element, number: int, *, alone: bool) -> StatementLine:
    """The line of a transaction; where it is the first of its entry and says no amount, the entry's counts.

    ``own`` is what the transaction says, ``whole`` what its entry does.
    """
    said = first_of(own, "Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
    amount, fault = amount_of(said or (whole.get("Amt") if alone else None))
    kind = _KINDS.get(own.get("CdtDbtInd") or whole.get("CdtDbtInd") or "")
    reason = first_of(own, "RtrInf/Rsn/Cd", "RtrInf/AddtlInf", "AddtlTxInf") or text_at(entry, "AddtlNtryInf")
    parties = "RltdPties/"
    return StatementLine(
        line=number,
        kind=kind or CREDIT,
        reference=reference_in(own.get("Refs/EndToEndId")) or reference_in(first_of(own, "RmtInf/Ustrd", "AddtlTxInf")),
        amount=amount,
        name=kept(
            first_of(own, parties + "Cdtr/Pty/Nm", parties + "Cdtr/Nm")
            or (first_of(own, parties + "Dbtr/Pty/Nm", parties + "Dbtr/Nm") if kind == CREDIT else None)
        ),
        account_number=first_of(own, parties + "CdtrAcct/Id/Othr/Id", parties + "CdtrAcct/Id/IBAN")
        or (own.get(parties + "DbtrAcct/Id/Othr/Id") if kind == CREDIT else None),
        booked_on=day_of(first_of(whole, "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt")),
        bank_reference=kept(own.get("Refs/AcctSvcrRef") or whole.get("AcctSvcrRef")),
        reason=kept(reason),
        fault=fault or (None if kind else "direction.unknown"),
    )


def _require_balance(sums: _Sums, message: str) -> None:
    if message != "camt.053":
        return
    if sums.opening is None or sums.closing is None:
        raise malformed("Bal")
    if sums.opening + sums.booked != sums.closing:
        raise unbalanced()
