"""Runs of lines cut out of the files, read at a glance where they are spelt just as they are written.

``None`` means that a run is spelt another way, not that it is wrong: whoever asked then reads the whole file with
``tables`` and ``pain``, which read every spelling. What is read here reads the same there.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from settlement.offline.records import CLEARING_SYSTEM, MAX_NAME_CHARS, Record, remittance_of
from settlement.offline.tables import Columns, amount_text, unescaped, unguarded

Run = Callable[[bytes], Sequence[Record] | None]
"""Reads a run of lines."""

Spelling = Callable[[Sequence[Record], bytes], bool]
"""Whether a run is, byte for byte, what records look like: sooner told than by reading it. ``False`` says nothing."""

TRANSACTION_END: Final = b"</CdtTrfTxInf>\n"
ROW_END: Final = b"</row>"

_TRANSACTION = re.compile(
    r"<CdtTrfTxInf><PmtId><InstrId>([0-9a-f]{32})</InstrId><EndToEndId>([^<&\r]*)</EndToEndId></PmtId>"
    r'<Amt><InstdAmt Ccy="([A-Z]*)">([^<&\r]*)</InstdAmt></Amt><CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId>'
    rf"<Cd>{CLEARING_SYSTEM}</Cd></ClrSysId><MmbId>([^<&\r]*)</MmbId></ClrSysMmbId><Nm>([^<\r]*)</Nm></FinInstnId>"
    r"</CdtrAgt><Cdtr><Nm>([^<\r]*)</Nm></Cdtr><CdtrAcct><Id><Othr><Id>([^<&\r]*)</Id></Othr></Id></CdtrAcct>"
    r"<RmtInf><Ustrd>([^<\r]*)</Ustrd></RmtInf></CdtTrfTxInf>"
)
_TRANSACTION_FORM: Final = (
    "<CdtTrfTxInf><PmtId><InstrId>%s</InstrId><EndToEndId>%s</EndToEndId></PmtId>"
    '<Amt><InstdAmt Ccy="%s">%s</InstdAmt></Amt><CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId>'
    f"<Cd>{CLEARING_SYSTEM}</Cd></ClrSysId><MmbId>%s</MmbId></ClrSysMmbId><Nm>%s</Nm></FinInstnId>"
    "</CdtrAgt><Cdtr><Nm>%s</Nm></Cdtr><CdtrAcct><Id><Othr><Id>%s</Id></Othr></Id></CdtrAcct>"
    "<RmtInf><Ustrd>%s</Ustrd></RmtInf></CdtTrfTxInf>\n"
)
_SPECIAL: Final = re.compile(r"[&<>_\r\n\"]")
"""What is escaped, or could stand for markup: a text that holds it is read."""
_CELL: Final = r'<c r="[A-Z]{1,3}[0-9]{1,7}" s="[0-9]+"'
_TEXT_CELL: Final = _CELL + r' t="inlineStr"><is><t(?: xml:space="preserve")?>([^<\r]*)</t></is></c>'
_NUMBER_CELL: Final = _CELL + r"><v>([^<&\r]*)</v></c>"
_ANY_TEXT: Final = ' t="inlineStr"><is><t(?: xml:space="preserve")?>[^<]*</t></is></c>'
_TEXT_FORM: Final = ' t="inlineStr"><is><t>%s</t></is></c>'
_NUMBER_FORM: Final = "><v>%s</v></c>"
_NUMERIC: Final = frozenset({"sequence", "amount"})
_OTHER_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_NOT_XML: Final = bytes(set(range(0x20)) - set(b"\t\n\r"))
_NO_TEXTS: Final = ("\ufffe".encode(), "\uffff".encode(), b"]]>")
"""What no XML 1.0 text holds: the bytes of control characters, and texts."""


def table_run(columns: Columns, encoding: str) -> Run:
    """What reads lines of the CSV."""
    names, count = [column["field"] for column in columns], len(columns)
    plain = "utf-8" if encoding == "utf-8-sig" else encoding

    def read(data: bytes) -> list[Record] | None:
        try:
            text = data.decode(plain)
        except UnicodeDecodeError:
            return None
        lines = text.split("\r\n")
        if lines.pop() or "\ufeff" in text or text.count("\n") != len(lines) or text.count("\r") != len(lines):
            return None
        records, plainly = [], '""' not in text and "'" not in text
        if plainly:  # all that guards a cell is a tab at its end
            lines = text.replace('\t",', '",').replace('\t"\r\n', '"\r\n').split("\r\n")[:-1]
        for line in lines:
            cells = line[1:-1].split('","')
            if len(cells) != count or line.count('"') != 2 * count or line[:1] != '"' or line[-1:] != '"':
                try:
                    [cells] = csv.reader([line], strict=True)
                except (csv.Error, ValueError):
                    return None
                if len(cells) != count:
                    return None
            records.append(_record(names, cells if plainly else map(unguarded, cells)))
        return records

    return read


def sheet_run(columns: Columns) -> Run:
    """What reads rows of the workbook's first sheet."""
    names = [column["field"] for column in columns]
    cells = "".join([_NUMBER_CELL if name in _NUMERIC else _TEXT_CELL for name in names])
    row = re.compile(rf'<row r="[0-9]{{1,7}}">{cells}</row>')

    def read(data: bytes) -> list[Record] | None:
        texts = _texts(data)
        if texts is None:
            return None
        records, at, nothing_spelt = [], 0, "&" not in texts and "_x" not in texts
        while at < len(texts):
            found = row.match(texts, at)
            if found is None:
                return None
            values, at = found.groups(), found.end()
            records.append(_record(names, values if nothing_spelt else [unescaped(_text(each)) for each in values]))
        return records

    return read


def sheet_spelling(columns: Columns) -> Spelling:
    """What holds rows of the first sheet against records; number and styles are those of the run's first row."""
    names = [column["field"] for column in columns]
    columns_named = [_letters(place) for place in range(len(names))]
    begins = re.compile(
        '<row r="([0-9]{1,7})">'
        + "".join(
            [
                f'<c r="{name}[0-9]{{1,7}}" s="([0-9]+)"' + ("><v>[^<]*</v></c>" if numeric else _ANY_TEXT)
                for name, numeric in zip(columns_named, [name in _NUMERIC for name in names], strict=True)
            ]
        )
    )
    parts = 2 * len(names) + 1

    def form(styles: Sequence[str]) -> str:
        cells = [
            f'<c r="{column}%s" s="{style}"' + (_NUMBER_FORM if name in _NUMERIC else _TEXT_FORM)
            for column, style, name in zip(columns_named, styles, names, strict=True)
        ]
        return f'<row r="%s">{"".join(cells)}</row>'

    def spelt(records: Sequence[Record], data: bytes) -> bool:
        texts = _texts(data)
        first = None if texts is None else begins.match(texts)
        if first is None:
            return False
        number, *styles = first.groups()
        row, rows = form(styles), []
        for place, record in enumerate(records, start=int(number)):
            values = [record[name] for name in names]
            filled = [str(place)] * parts
            filled[2::2] = values
            if _SPECIAL.search("".join(values)):
                return False
            rows.append(row % tuple(filled))
        return "".join(rows) == texts

    return spelt


def _letters(place: int) -> str:
    """How a sheet names the column at this place, from 0: A to Z, then AA."""
    before, last = divmod(place, 26)
    return ("" if not before else _letters(before - 1)) + chr(ord("A") + last)


def message_spelling() -> Spelling:
    """What holds transactions of the payment message against records."""
    return _are_transactions


def _are_transactions(records: Sequence[Record], data: bytes) -> bool:
    texts, lines = _texts(data), []
    for record in records:
        values = (
            record["instruction_id"].replace("-", ""), record["end_to_end_id"], record["currency"], record["amount"],
            record["cnaps"], record["bank_name"][:MAX_NAME_CHARS], record["payee"][:MAX_NAME_CHARS],
            record["account_number"], remittance_of(record),
        )  # fmt: skip
        if _SPECIAL.search("".join(values)):
            return False
        lines.append(_TRANSACTION_FORM % values)
    return "".join(lines) == texts


def message_run() -> Run:
    """What reads transactions of the payment message."""
    return _transactions


def _transactions(data: bytes) -> list[Record] | None:
    texts = _texts(data)
    if texts is None:
        return None
    records: list[Record] = []
    for line in texts.split("\n")[:-1]:
        found = _TRANSACTION.fullmatch(line)
        if found is None:
            return None
        number, reference, currency, amount, cnaps, bank, payee, account, remittance = found.groups()
        records.append(
            {
                "instruction_id": _printed(number), "end_to_end_id": reference, "amount": amount,
                "clearing_system": CLEARING_SYSTEM, "cnaps": cnaps, "bank_name": _text(bank), "payee": _text(payee),
                "account_number": account, "remittance": _text(remittance), "currency": currency, "shape": "",
            }
        )  # fmt: skip
    return records


def _record(names: Sequence[str], cells: Iterable[str]) -> Record:
    record = dict(zip(names, cells, strict=True))
    record["amount"] = amount_text(record["amount"])
    return record


def _texts(data: bytes) -> str | None:
    """The run as text, unless it holds what XML does not, or an entity that is never written."""
    if len(data.translate(None, _NOT_XML)) != len(data) or any(no_text in data for no_text in _NO_TEXTS):
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "&" in text and _OTHER_ENTITY.search(text) else text


def _printed(digits: str) -> str:
    """An id of 32 hexadecimal digits as the signed lines have it."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _text(content: str) -> str:
    if "&" not in content:
        return content
    return content.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
