"""Runs of lines cut out of the files, read at a glance where they are spelt just as they are written.

``None`` means that a run is spelt another way, not that it is wrong: whoever asked then reads the whole file with
``tables`` and ``pain``, which read every spelling. What is read here reads the same there.
"""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
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
).encode()
_SPECIAL: Final = bytes(range(0x20)) + b'&<>_"'
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

    def read(data: bytes) -> list[Record] | None:
        text = _lines(data, encoding)
        if text is None:
            return None
        plain, records = _without_guards(text), []
        for line in (text if plain is None else plain).split("\r\n")[:-1]:
            cells = line[1:-1].split('","')
            if len(cells) != count or line.count('"') != 2 * count or line[:1] != '"' or line[-1:] != '"':
                try:
                    [cells] = csv.reader([line], strict=True)
                except (csv.Error, ValueError):
                    return None
                if len(cells) != count:
                    return None
            records.append(_record(names, map(unguarded, cells) if plain is None else cells))
        return records

    return read


def table_spelling(columns: Columns, encoding: str) -> Spelling:
    """What holds lines of the CSV against records; all that may guard a cell is a tab at its end."""
    values_of, quotes = itemgetter(*[column["field"] for column in columns]), 2 * len(columns)

    def spelt(records: Sequence[Record], data: bytes) -> bool:
        text = _lines(data, encoding)
        plain = None if text is None else _without_guards(text)
        if plain is None or (plain.count("\n"), plain.count('"')) != (len(records), quotes * len(records)):
            return False  # a break or a quotation mark in a value would be one more
        return plain == "".join(['"' + '","'.join(values_of(record)) + '"\r\n' for record in records])

    return spelt


def _lines(data: bytes, encoding: str) -> str | None:
    """Lines of the CSV as text, unless a break stands elsewhere than at their ends, or a byte order mark anywhere."""
    try:
        text = data.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError:
        return None
    breaks = text.count("\r\n")
    if not text.endswith("\r\n") or "\ufeff" in text or text.count("\n") != breaks or text.count("\r") != breaks:
        return None
    return text


def _without_guards(text: str) -> str | None:
    """The lines without the tabs that guard cells, where nothing else does, and no tab stands before a cell."""
    if '""' in text or "'" in text or ',\t"' in text or '\n\t"' in text or text.startswith('\t"'):
        return None
    return text.replace('\t",', '",').replace('\t"\r\n', '"\r\n')


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
    columns_named, values_of = [_letters(place) for place in range(len(names))], itemgetter(*names)
    begins = re.compile(
        b'<row r="([0-9]{1,7})">'
        + "".join(
            [
                f'<c r="{name}[0-9]{{1,7}}" s="([0-9]+)"' + ("><v>[^<]*</v></c>" if numeric else _ANY_TEXT)
                for name, numeric in zip(columns_named, [name in _NUMERIC for name in names], strict=True)
            ]
        ).encode()
    )
    parts = 2 * len(names) + 1

    def form(styles: Sequence[bytes]) -> bytes:
        cells = [
            f'<c r="{column}%s" s="{style.decode()}"' + (_NUMBER_FORM if name in _NUMERIC else _TEXT_FORM)
            for column, style, name in zip(columns_named, styles, names, strict=True)
        ]
        return f'<row r="%s">{"".join(cells)}</row>'.encode()

    def spelt(records: Sequence[Record], data: bytes) -> bool:
        first = begins.match(data)
        if first is None:
            return False
        number, *styles = first.groups()
        row, rows, texts = form(styles), [], []
        for place, record in enumerate(records, start=int(number)):
            values = [value.encode() for value in values_of(record)]
            filled = [b"%d" % place] * parts
            filled[2::2] = values
            texts += values
            rows.append(row % tuple(filled))
        return b"".join(rows) == data and _nothing_special(texts)

    return spelt


def _letters(place: int) -> str:
    """How a sheet names the column at this place, from 0: A to Z, then AA."""
    before, last = divmod(place, 26)
    return ("" if not before else _letters(before - 1)) + chr(ord("A") + last)


def message_spelling() -> Spelling:
    """What holds transactions of the payment message against records."""
    return _are_transactions


def _are_transactions(records: Sequence[Record], data: bytes) -> bool:
    lines, texts = list[bytes](), list[bytes]()
    for record in records:
        values = [
            record["instruction_id"].replace("-", ""), record["end_to_end_id"], record["currency"], record["amount"],
            record["cnaps"], record["bank_name"][:MAX_NAME_CHARS], record["payee"][:MAX_NAME_CHARS],
            record["account_number"], remittance_of(record),
        ]  # fmt: skip
        encoded = [value.encode() for value in values]
        texts += encoded
        lines.append(_TRANSACTION_FORM % tuple(encoded))
    return b"".join(lines) == data and _nothing_special(texts)


def _nothing_special(texts: Sequence[bytes]) -> bool:
    """Whether texts stand in XML as they are, and hold nothing that it does not."""
    together = b"".join(texts)
    return len(together.translate(None, _SPECIAL)) == len(together) and not any(
        no_text in together for no_text in _NO_TEXTS
    )


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
