"""The printable payment list (兑付清单): title, lines, totals in capital numerals, room for stamps and signatures."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import BinaryIO, Final, NamedTuple

from settlement.formats.amount_in_words import amount_in_words
from settlement.formats.payout_batch import PayoutBatch, claims_text, counted
from settlement.formats.pdf_pages import PdfPages, fitting, hexed, packed, printable, set_point, shown, text_width
from settlement.payouts.instruction import Instruction
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import Money

LINES_PER_PAGE: Final = 20
MAX_CLAIMS_CHARS: Final = 60

_WIDTH: Final = 842
_HEIGHT: Final = 595
_MARGIN: Final = 34
_TITLE_SIZE: Final = 15
_TEXT_SIZE: Final = 8
_LINE_HEIGHT: Final = 20
_HALF_LINE: Final = 9
_TABLE_TOP: Final = _HEIGHT - 92
_PAGE_NUMBER_LEFT: Final = _WIDTH - 130
_STAMPS: Final = ("制表 maker：", "复核 checker：", "签发 releaser：", "单位盖章 seal：")
_STAMP_WIDTH: Final = 195


class _Column(NamedTuple):
    heading: str
    left: int
    width: int


_NUMBER: Final = _Column("序号", 34, 30)
_PAYEE: Final = _Column("收款人", 66, 168)
_ACCOUNT: Final = _Column("收款账号", 238, 112)
_BANK: Final = _Column("开户银行及联行号", 354, 168)
_AMOUNT: Final = _Column("金额（元）", 526, 78)
_REFERENCE: Final = _Column("端到端标识及兑付申请", 612, 196)
_COLUMNS: Final = (_NUMBER, _PAYEE, _ACCOUNT, _BANK, _AMOUNT, _REFERENCE)


def _top(row: int) -> int:
    """The height of a row of the page, from 0."""
    return _TABLE_TOP - 16 - row * _LINE_HEIGHT


_ONE_LINE_ROW: Final = 8
"""How many texts a row has whose payee's name takes one line; with a longer name it has one more."""
_AMOUNT_PLACE: Final = -3
_AMOUNT_WIDTHS: Final = {
    len(amount): text_width(amount, _TEXT_SIZE) for amount in [f"{Money(10**place):,}" for place in range(2, 16)]
}
"""By the number of its characters: all digits are of one width, and commas stand in their places."""


@lru_cache(maxsize=1024)  # a page has few rows, and amounts few lengths
def _row_form(row: int, texts: int, amount_chars: int) -> str:
    """The operators of a row of the page, with a place for each of its texts."""

    def text(left: float, below: int = 0) -> str:
        return set_point(left, _top(row) - below * _HALF_LINE, _TEXT_SIZE) + "<%s> Tj"

    name = [text(_PAYEE.left, line) for line in range(1 + texts - _ONE_LINE_ROW)]
    bank = [text(_BANK.left), text(_BANK.left, 1)]
    amount = text(_AMOUNT.left + _AMOUNT.width - _AMOUNT_WIDTHS[amount_chars])
    reference = [text(_REFERENCE.left), text(_REFERENCE.left, 1)]
    return "\n".join([text(_NUMBER.left), *name, text(_ACCOUNT.left), *bank, amount, *reference])


def write_payment_list(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction]) -> None:
    """Write the PDF, A4 across; the same batch gives the same bytes.

    A name that does not fit into two lines ends in an ellipsis: the list is for people, the other files for machines.

    Raises:
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    document = payment_list(out, batch)
    lines = counted(batch, instructions)
    for page in range(1, pages_of(batch) + 1):
        document.add(page_content(batch, page, islice(lines, LINES_PER_PAGE)))
    for _ in lines:  # a line more than the batch has, or too few, is what ``counted`` raises for
        pass
    document.close()


def payment_list(out: BinaryIO, batch: PayoutBatch) -> PdfPages:
    """The document, open for its pages."""
    return PdfPages(out, _WIDTH, _HEIGHT, batch.title, batch.tenant_name, batch.created_at)


def pages_of(batch: PayoutBatch) -> int:
    """How many pages the list has."""
    return -(-batch.count // LINES_PER_PAGE)


def page_content(batch: PayoutBatch, page: int, lines: Iterable[tuple[int, Instruction]]) -> bytes:
    """What stands on the page (from 1) that shows these lines, packed as the document takes it."""
    pages = pages_of(batch)
    above, below = _head(batch)
    operators = [*above, _text(_PAGE_NUMBER_LEFT, _HEIGHT - 62, f"第 {page} 页 共 {pages} 页"), *below, *_rows(lines)]
    if page == pages:
        operators += _foot(batch)
    rules = [f"{_MARGIN} {height} m {_WIDTH - _MARGIN} {height} l S" for height in (_TABLE_TOP + 14, _TABLE_TOP - 4)]
    return packed("\n".join([*rules, "BT /F 1 Tf", *operators, "ET"]))


@lru_cache(maxsize=16)  # each page of a batch asks
def _head(batch: PayoutBatch) -> tuple[list[str], list[str]]:
    """What stands above the lines, before and behind the page's number."""
    title = printable(batch.title)
    title = title[: fitting(title, _TITLE_SIZE, _WIDTH - 2 * _MARGIN)]
    before = [
        shown((_WIDTH - text_width(title, _TITLE_SIZE)) / 2, _HEIGHT - 44, _TITLE_SIZE, title),
        _text(_MARGIN, _HEIGHT - 62, f"{batch.tenant_name}　批次 {batch.batch}　{_told(batch.created_at)}"),
    ]
    return before, [_text(column.left, _TABLE_TOP, column.heading) for column in _COLUMNS]


def _rows(lines: Iterable[tuple[int, Instruction]]) -> Iterator[str]:
    rows = [_row(number, each) for number, each in lines]
    texts = iter(hexed([text for row in rows for text in row]))
    for place, row in enumerate(rows):
        yield _row_form(place, len(row), len(row[_AMOUNT_PLACE])) % tuple(islice(texts, len(row)))


def _row(number: int, instruction: Instruction) -> list[str]:
    """The texts of a row, in the order of its form."""
    payee = instruction.creditor
    name = printable(payee.account_name)
    whole = fitting(name, _TEXT_SIZE, _PAYEE.width)
    return [
        str(number), *([name] if whole == len(name) else [name[:whole], _cut(name[whole:], _PAYEE.width)]),
        payee.account_number, _bank(payee.bank_name), payee.cnaps, f"{instruction.amount:,}",
        instruction.end_to_end_id, _cut(claims_text(instruction.claims, MAX_CLAIMS_CHARS), _REFERENCE.width),
    ]  # fmt: skip


@lru_cache(maxsize=1024)  # many payees, few banks
def _bank(name: str) -> str:
    return _cut(printable(name), _BANK.width)


def _foot(batch: PayoutBatch) -> Iterator[str]:
    height, payer = _MARGIN + 46, batch.debtor
    total = f"合计 total：{batch.count} 笔　{batch.total:,} 元　人民币（大写）{amount_in_words(batch.total)}"
    yield _text(_MARGIN, height, total)
    source = f"付款人 payer：{payer.account_name}　{payer.account_number}　{payer.bank_name}"
    yield _text(_MARGIN, height - 12, source)
    yield _text(_MARGIN, height - 24, f"默克尔根 batch root：{batch.batch_root}")
    for place, stamp in enumerate(_STAMPS):
        yield _text(_MARGIN + place * _STAMP_WIDTH, height - 42, stamp)


def _told(at: datetime) -> str:
    """An instant as people read it, in Asia/Shanghai."""
    there = at.astimezone(SHANGHAI)
    return f"{there.year}年{there.month}月{there.day}日 {there:%H:%M:%S}"


def _cut(text: str, width: int) -> str:
    """A printable text on one line of the width."""
    whole = fitting(text, _TEXT_SIZE, width)
    return text if whole == len(text) else text[: whole - 1] + "…"


def _text(left: float, height: float, text: str) -> str:
    return shown(left, height, _TEXT_SIZE, printable(text))
