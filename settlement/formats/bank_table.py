"""Bank tables: which column holds what, by a mapping per tenant, and the CSV.

A spreadsheet that opens the CSV must run nothing and lose no digit: what it would take for a formula gets an
apostrophe in front, what it would take for a number or a date (and is none) gets a tab behind. Both are undone by
taking one of them away again; a text that itself starts with an apostrophe gets one more.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from settlement.formats.amount_in_words import amount_in_words
from settlement.formats.payout_batch import PayoutBatch, claims_text, counted
from settlement.payouts.instruction import CURRENCY, Instruction, printed_id

UTF8: Final = "utf-8-sig"
GB18030: Final = "gb18030"
ENCODINGS: Final = (UTF8, GB18030)
"""UTF-8 with a byte order mark, which spreadsheets need, or the national standard; both hold every character."""
MAX_CLAIMS_CHARS: Final = 1_000

REQUIRED: Final = frozenset({"end_to_end_id", "payee", "account_number", "amount"})
"""Without these a line can neither be paid nor found again."""
NUMERIC: Final = frozenset({"sequence", "amount"})
"""The fields that are numbers; every other field is text, however much it looks like one."""

_Value = Callable[[int, Instruction], str]

FIELDS: Final[Mapping[str, _Value]] = {
    "sequence": lambda number, _: str(number),
    "instruction_id": lambda _, each: printed_id(each.instruction_id),
    "end_to_end_id": lambda _, each: each.end_to_end_id,
    "payee": lambda _, each: each.creditor.account_name,
    "account_number": lambda _, each: each.creditor.account_number,
    "bank_name": lambda _, each: each.creditor.bank_name,
    "cnaps": lambda _, each: each.creditor.cnaps,
    "amount": lambda _, each: str(each.amount),
    "amount_in_words": lambda _, each: amount_in_words(each.amount),
    "currency": lambda _, __: CURRENCY,
    "purpose": lambda _, each: each.purpose,
    "claims": lambda _, each: claims_text(each.claims, MAX_CLAIMS_CHARS),
    "batch": lambda _, each: each.batch,
    "payer": lambda _, each: each.debtor.account_name,
    "payer_account_number": lambda _, each: each.debtor.account_number,
    "payer_bank_name": lambda _, each: each.debtor.bank_name,
    "valid_through": lambda _, each: each.valid_through_on.isoformat(),
}
"""What a column may hold: a function of the line's number and its instruction."""

_RUN_BY_SPREADSHEETS: Final = frozenset("=+-@＝＋－＠")
_LIKE_A_NUMBER = re.compile(r"[0-9][0-9.,:/eE+% -]*", re.ASCII)
_DIGITS: Final = frozenset("0123456789")
_SPACES: Final = frozenset([chr(code) for code in range(0x3001) if chr(code).isspace()])
_HARMFUL_STARTS: Final = _RUN_BY_SPREADSHEETS | _DIGITS | _SPACES | {"'"}
"""Few texts start so: what starts otherwise is neither a formula nor a number."""


class MappingError(ValueError):
    """The mapping lacks a required field, repeats one, or names one that does not exist."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the heading that the bank or tenant wants, and a key of ``FIELDS``."""

    heading: str
    field: str


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The columns of a table, in order. ``keeps_digits`` says whether the CSV guards number-like text with a tab.

    Raises:
        MappingError: see there.
    """

    code: str
    columns: tuple[Column, ...]
    keeps_digits: bool = True

    def __post_init__(self) -> None:
        fields = [column.field for column in self.columns]
        if unknown := set(fields) - set(FIELDS):
            raise MappingError(f"there is no field {min(unknown)}")
        if missing := REQUIRED - set(fields):
            raise MappingError(f"the field {min(missing)} is required")
        if len(set(fields)) < len(fields):
            raise MappingError("a field stands in two columns")
        if any(not column.heading.strip() or column.heading[0] in _RUN_BY_SPREADSHEETS for column in self.columns):
            raise MappingError("a heading is blank or would be run as a formula")

    @property
    def fields(self) -> tuple[str, ...]:
        """The field of each column, as the manifest states it."""
        return tuple(column.field for column in self.columns)


def _mapping(code: str, **headings: str) -> ColumnMapping:
    return ColumnMapping(code, tuple(Column(heading, field) for field, heading in headings.items()))


PRESETS: Final[Mapping[str, ColumnMapping]] = {
    mapping.code: mapping
    for mapping in (
        _mapping(
            "generic",
            sequence="序号 sequence",
            end_to_end_id="端到端标识 end_to_end_id",
            payee="收款人 payee",
            account_number="收款账号 account_number",
            bank_name="开户银行 bank_name",
            cnaps="联行号 cnaps",
            amount="金额（元） amount",
            currency="币种 currency",
            purpose="用途 purpose",
            claims="兑付申请 claims",
            batch="批次 batch",
            instruction_id="指令编号 instruction_id",
        ),
        _mapping(
            "e-banking",
            sequence="序号",
            payer_account_number="付款账号",
            account_number="收款账号",
            payee="收款户名",
            bank_name="收款行名称",
            cnaps="收款行联行号",
            amount="转账金额",
            currency="币种",
            purpose="用途",
            end_to_end_id="附言",
        ),
        _mapping(
            "treasury",
            sequence="序号",
            payer="付款人全称",
            payer_account_number="付款人账号",
            payer_bank_name="付款人开户银行",
            payee="收款人全称",
            account_number="收款人账号",
            bank_name="收款人开户银行",
            cnaps="收款人开户行行号",
            amount="支付金额",
            amount_in_words="支付金额（大写）",
            purpose="资金用途",
            claims="兑付申请编号",
            end_to_end_id="备注",
        ),
    )
}
"""Mappings to start from: our own, the batch transfer of e-banking portals, the treasury's payment list."""


def write_csv(
    out: BinaryIO,
    batch: PayoutBatch,
    instructions: Iterable[Instruction],
    mapping: ColumnMapping,
    encoding: str = UTF8,
) -> None:
    """Write the table (RFC 4180, every cell quoted): a line of headings, one line for each instruction.

    Raises:
        ValueError: an encoding that is not in ``ENCODINGS``.
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    out.write(table_head(mapping, encoding))
    values, lines = row_values(mapping), table_lines(mapping, encoding)
    out.writelines(lines([values(number, each)]) for number, each in counted(batch, instructions))


def table_head(mapping: ColumnMapping, encoding: str) -> bytes:
    """The line of headings, with the byte order mark before it where the encoding has one.

    Raises:
        ValueError: an encoding that is not in ``ENCODINGS``.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"a bank table is not written in {encoding}")
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([column.heading for column in mapping.columns])
    return text.getvalue().encode(encoding)


Row = list[str]
"""The values of one instruction, one for each column, as text."""


def row_values(mapping: ColumnMapping) -> Callable[[int, Instruction], Row]:
    """What makes the values of a numbered instruction."""
    values = [FIELDS[field] for field in mapping.fields]
    return lambda number, each: [value(number, each) for value in values]


def table_lines(mapping: ColumnMapping, encoding: str) -> Callable[[Iterable[Row]], bytes]:
    """What makes the lines of rows, as they follow each other in the table."""
    plain = "utf-8" if encoding == UTF8 else encoding  # the mark stands before the headings alone
    texts = [place for place, field in enumerate(mapping.fields) if field not in NUMERIC]

    def line(row: Row) -> str:
        cells = row.copy()
        for place in texts:
            if cells[place][:1] in _HARMFUL_STARTS:
                cells[place] = _guarded(cells[place], mapping.keeps_digits)
        joined = '","'.join(cells)
        if joined.count('"') != 2 * len(cells) - 2:
            joined = '","'.join([cell.replace('"', '""') for cell in cells])
        return f'"{joined}"\r\n'

    return lambda rows: "".join([line(row) for row in rows]).encode(plain)


def _guarded(text: str, keeps_digits: bool) -> str:  # noqa: FBT001 - the mapping's own flag
    """A text whose start is harmful, as a spreadsheet may read it."""
    if text[0] in _DIGITS:
        return f"{text}\t" if keeps_digits and _LIKE_A_NUMBER.fullmatch(text) else text
    return f"'{text}" if text.lstrip()[:1] in _RUN_BY_SPREADSHEETS or text[0] == "'" else text
