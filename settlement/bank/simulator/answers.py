"""The files with which the simulated bank answers: reports, statements and tables of the payments it made.

Written with other tools than the readers use, so that a mistake of one is not made by the other.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from xml.sax.saxutils import escape

from settlement.bank.simulator.books import Payment
from tenants.kernel.money import ZERO, Money, total

_ISO: Final = "urn:iso:std:iso:20022:tech:xsd:"
OPENING: Final = Money(1_000_000_000_00)
"""What lay on the account before: the bank lends nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement on the payer's account: ``is_credit`` where money came back."""

    payment: Payment
    is_credit: bool
    bank_reference: str


def entries_of(payments: Sequence[Payment]) -> list[Entry]:
    """What the payments did to the account; a doubled one left twice, a returned one left and came back."""
    return list(_entries(payments))


def _entries(payments: Sequence[Payment]) -> Iterator[Entry]:
    for number, payment in enumerate(payments, start=1):
        if payment.state == "rejected":
            continue
        reference = f"B{payment.message_id[-4:]}{number:08d}"
        yield Entry(payment, is_credit=False, bank_reference=reference)
        if payment.doubled:
            yield Entry(payment, is_credit=False, bank_reference=reference + "D")
        if payment.state == "returned":
            yield Entry(payment, is_credit=True, bank_reference=reference + "R")


def pain002(message_id: str, payments: Sequence[Payment], whole: str | None = None) -> bytes:
    """The report on a message: each payment rejected or settled; or the whole message by its group status."""
    rows = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{each.end_to_end_id}</OrgnlEndToEndId>"
        f"<TxSts>{'RJCT' if each.state == 'rejected' else 'ACSC'}</TxSts>"
        + ("<StsRsnInf><Rsn><Cd>AC01</Cd></Rsn></StsRsnInf>" if each.state == "rejected" else "")
        + f'<OrgnlTxRef><Amt><InstdAmt Ccy="CNY">{each.amount}</InstdAmt></Amt>'
        f"<Cdtr><Pty><Nm>{escape(each.name)}</Nm></Pty></Cdtr>"
        f"<CdtrAcct><Id><Othr><Id>{each.account_number}</Id></Othr></Id></CdtrAcct></OrgnlTxRef></TxInfAndSts>"
        for each in payments
    )
    group = "" if whole is None else f"<GrpSts>{whole}</GrpSts>"
    return _document(
        "pain.002.001.10",
        "<CstmrPmtStsRpt><GrpHdr><MsgId>R1</MsgId><CreDtTm>2024-10-11T12:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}"
        f"</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>{message_id}</OrgnlPmtInfId>{rows}"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt>",
    )


def camt053(account_number: str, entries: Sequence[Entry], day: date) -> bytes:
    """The statement of the account for the day."""
    closing = _closing(entries)
    return _document(
        "camt.053.001.08",
        f"<BkToCstmrStmt><GrpHdr><MsgId>S{day:%Y%m%d}</MsgId><CreDtTm>{day}T20:00:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>1</Id>{_account(account_number)}{_balance('OPBD', OPENING, day)}{_balance('CLBD', closing, day)}"
        f"{''.join(_camt_entry(each, day) for each in entries)}</Stmt></BkToCstmrStmt>",
    )


def camt054(account_number: str, entries: Sequence[Entry], day: date) -> bytes:
    """The notification of one batch: one debit for all payments, and each return by itself."""
    debits = [each for each in entries if not each.is_credit]
    credits_ = [each for each in entries if each.is_credit]
    booked = total(each.payment.amount for each in debits)
    whole = (
        f'<Ntry><Amt Ccy="CNY">{booked}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><NtryDtls><Btch><NbOfTxs>{len(debits)}</NbOfTxs></Btch>"
        f"{''.join(_details(each) for each in debits)}</NtryDtls></Ntry>"
    )
    return _document(
        "camt.054.001.08",
        f"<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>N{day:%Y%m%d}</MsgId><CreDtTm>{day}T20:00:00</CreDtTm></GrpHdr>"
        f"<Ntfctn><Id>1</Id>{_account(account_number)}{whole if debits else ''}"
        f"{''.join(_camt_entry(each, day) for each in credits_)}</Ntfctn></BkToCstmrDbtCdtNtfctn>",
    )


def mt940(account_number: str, entries: Sequence[Entry], day: date) -> bytes:
    """The statement in the tags of SWIFT."""
    lines = [
        ":20:STMT", f":25:{account_number}", ":28C:1/1", f":60F:C{day:%y%m%d}CNY{_comma(OPENING)}",
    ]  # fmt: skip
    for each in entries:
        mark = "C" if each.is_credit else "D"
        lines.append(
            f":61:{day:%y%m%d}{day:%m%d}{mark}{_comma(each.payment.amount)}NTRFNONREF//{each.bank_reference[:16]}"
        )
        lines += [
            f":86:/EREF/{each.payment.end_to_end_id}/NAME/{each.payment.name}",
            f"/ACCT/{each.payment.account_number}" + ("/RSN/AC04" if each.is_credit else ""),
        ]
    lines += [f":62F:C{day:%y%m%d}CNY{_comma(_closing(entries))}", "-", ""]
    return "\r\n".join(lines).encode()


HEADINGS: Final = ("交易日期", "流水号", "付款账号", "收款账号", "收款户名", "交易金额", "交易状态", "附言", "失败原因")


def table_rows(account_number: str, payments: Sequence[Payment], day: date) -> list[tuple[str, ...]]:
    """The lines of an e-banking portal's result table, its headings first."""
    words = {"paid": "成功", "rejected": "失败", "returned": "退汇"}
    rows: list[tuple[str, ...]] = [HEADINGS]
    for number, each in enumerate(payments, start=1):
        reason = "" if each.state == "paid" else "账号户名不符"
        tail = (account_number, each.account_number, each.name, str(each.amount))
        if each.state == "returned":
            rows.append((day.isoformat(), f"T{number:08d}", *tail, words["paid"], each.end_to_end_id, ""))
        mark = "R" if each.state == "returned" else ""
        rows.append((day.isoformat(), f"T{number:08d}{mark}", *tail, words[each.state], each.end_to_end_id, reason))
    return rows


def csv_table(rows: Sequence[Sequence[str]], encoding: str = "gb18030") -> bytes:
    """The table as a CSV."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def xlsx_table(rows: Sequence[Sequence[str]]) -> bytes:
    """The table as a workbook, with a title above as banks print it."""
    import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415 - only where a workbook is wanted

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, "批量转账结果")
        for number, row in enumerate(rows, start=2):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)
    return out.getvalue()


def _closing(entries: Sequence[Entry]) -> Money:
    out = total(each.payment.amount for each in entries if not each.is_credit)
    back = total(each.payment.amount for each in entries if each.is_credit)
    return OPENING - out + back


def _document(message: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_ISO}{message}">{content}</Document>'.encode()


def _account(number: str) -> str:
    return f"<Acct><Id><Othr><Id>{number}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>"


def _balance(code: str, amount: Money, day: date) -> str:
    sign, size = ("DBIT", ZERO - amount) if amount < ZERO else ("CRDT", amount)
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{size}</Amt>'
        f"<CdtDbtInd>{sign}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _camt_entry(each: Entry, day: date) -> str:
    sign = "CRDT" if each.is_credit else "DBIT"
    return (
        f'<Ntry><Amt Ccy="CNY">{each.payment.amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{each.bank_reference}</AcctSvcrRef>"
        f"<NtryDtls>{_details(each)}</NtryDtls></Ntry>"
    )


def _details(each: Entry) -> str:
    back = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if each.is_credit else ""
    return (
        f"<TxDtls><Refs><AcctSvcrRef>{each.bank_reference}</AcctSvcrRef>"
        f"<EndToEndId>{each.payment.end_to_end_id}</EndToEndId></Refs>"
        f'<Amt Ccy="CNY">{each.payment.amount}</Amt>'
        f"<RltdPties><Cdtr><Pty><Nm>{escape(each.payment.name)}</Nm></Pty></Cdtr>"
        f"<CdtrAcct><Id><Othr><Id>{each.payment.account_number}</Id></Othr></Id></CdtrAcct></RltdPties>{back}</TxDtls>"
    )


def _comma(amount: Money) -> str:
    return str(amount).replace(".", ",")
