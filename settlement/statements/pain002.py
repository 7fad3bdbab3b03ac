"""ISO 20022 ``pain.002``: what the bank says of a message and of its transactions. No money moves by it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lxml import etree

from settlement.statements.line import (
    ACCEPTED,
    REJECTED,
    STATUS,
    Owner,
    StatementLine,
    amount_of,
    foreign,
    kept,
    malformed,
    reference_in,
)
from settlement.statements.xml_events import elements, first_at, text_at

WHOLE: Final = "*"
"""The reference of a line that speaks of every transaction of the message."""

_MEANING: Final = {
    "RJCT": REJECTED,
    "ACTC": ACCEPTED, "ACCP": ACCEPTED, "ACSP": ACCEPTED, "ACSC": ACCEPTED, "ACCC": ACCEPTED, "ACWC": ACCEPTED,
    "ACWP": ACCEPTED, "PDNG": ACCEPTED, "RCVD": ACCEPTED,
}  # fmt: skip
"""Settled (``ACSC``) is accepted too: that money has left is for a statement to say."""


def pain002_lines(path: Path, owner: Owner) -> Iterator[StatementLine]:
    """The report's transactions; a whole message that was rejected is one line with the reference ``*``.

    Raises:
        StatementRefused: not such a report, broken, or about a message that the tenant never made.
    """
    message_id, number, whole = None, 0, None
    for element in elements(path, "pain.002", "OrgnlGrpInfAndSts", "TxInfAndSts"):
        if etree.QName(element).localname == "OrgnlGrpInfAndSts":
            message_id = text_at(element, "OrgnlMsgId")
            if message_id is None or not owner.knows(message_id):
                raise foreign()
            whole = text_at(element, "GrpSts")
            reason = first_at(element, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/AddtlInf")
            if whole == "RJCT":
                number += 1
                yield StatementLine(number, STATUS, REJECTED, WHOLE, bank_reference=message_id, reason=kept(reason))
            continue
        if message_id is None:
            raise malformed("OrgnlGrpInfAndSts")
        if whole != "RJCT":
            number += 1
            yield _line(number, element)
    if message_id is None:
        raise malformed("OrgnlGrpInfAndSts")


def _line(number: int, element: etree._Element) -> StatementLine:
    status = _MEANING.get(text_at(element, "TxSts") or "")
    said = first_at(element, "OrgnlTxRef/Amt/InstdAmt", "OrgnlTxRef/IntrBkSttlmAmt")
    amount, fault = (None, None) if said is None else amount_of(said)
    return StatementLine(
        line=number,
        kind=STATUS,
        status=status,
        reference=reference_in(text_at(element, "OrgnlEndToEndId")),
        amount=amount,
        name=kept(first_at(element, "OrgnlTxRef/Cdtr/Pty/Nm", "OrgnlTxRef/Cdtr/Nm")),
        account_number=first_at(element, "OrgnlTxRef/CdtrAcct/Id/Othr/Id", "OrgnlTxRef/CdtrAcct/Id/IBAN"),
        bank_reference=kept(text_at(element, "AcctSvcrRef")),
        reason=kept(first_at(element, "StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry", "StsRsnInf/AddtlInf")),
        fault=fault or (None if status is not None else "status.unknown"),
    )
