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


def _row_form(row: int, *, two_lines: bool) -> str:
    """The operators of a row of the page, with a place for each text; ``two_lines``: the payee's name takes two."""

    def text(column: _Column, below: int = 0) -> str:
        return set_point(column.left, _top(row) - below * _HALF_LINE, _TEXT_SIZE) + "<%s> Tj"

    amount = set_point(0, _top(row), _TEXT_SIZE).replace(" 0.0 ", " %.1f ", 1) + "<%s> Tj"
    name = [text(_PAYEE), text(_PAYEE, 1)] if two_lines else [text(_PAYEE)]
    bank = [text(_BANK), text(_BANK, 1)]
    return "\n".join([text(_NUMBER), *name, text(_ACCOUNT), *bank, amount, text(_REFERENCE), text(_REFERENCE, 1)])


_ROW_FORMS: Final = tuple(
    (_row_form(row, two_lines=False), _row_form(row, two_lines=True)) for row in range(LINES_PER_PAGE)
)
"""Made once for each row of a page."""


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
    operators = [*_head(batch, page, pages), *_rows(lines)]
    if page == pages:
        operators += _foot(batch)
    rules = [f"{_MARGIN} {height} m {_WIDTH - _MARGIN} {height} l S" for height in (_TABLE_TOP + 14, _TABLE_TOP - 4)]
    return packed("\n".join([*rules, "BT /F 1 Tf", *operators, "ET"]))


def _head(batch: PayoutBatch, page: int, pages: int) -> Iterator[str]:
    title = printable(batch.title)
    title = title[: fitting(title, _TITLE_SIZE, _WIDTH - 2 * _MARGIN)]
    yield shown((_WIDTH - text_width(title, _TITLE_SIZE)) / 2, _HEIGHT - 44, _TITLE_SIZE, title)
    yield _text(_MARGIN, _HEIGHT - 62, f"{batch.tenant_name}　批次 {batch.batch}　{_told(batch.created_at)}")
    yield _text(_PAGE_NUMBER_LEFT, _HEIGHT - 62, f"第 {page} 页 共 {pages} 页")
    for column in _COLUMNS:
        yield _text(column.left, _TABLE_TOP, column.heading)


def _rows(lines: Iterable[tuple[int, Instruction]]) -> Iterator[str]:
    for row, (number, each) in enumerate(lines):
        payee, amount = each.creditor, f"{each.amount:,}"
        name = printable(payee.account_name)
        whole = fitting(name, _TEXT_SIZE, _PAYEE.width)
        two_lines = whole < len(name)
        first, *rest = hexed(
            str(number),
            *([name[:whole], _cut(name[whole:], _PAYEE.width)] if two_lines else [name]),
            payee.account_number, payee.cnaps, amount, each.end_to_end_id,
            _cut(claims_text(each.claims, MAX_CLAIMS_CHARS), _REFERENCE.width),
        )  # fmt: skip
        *names, account, cnaps, spelt, reference, claims = rest
        left = _AMOUNT.left + _AMOUNT.width - text_width(amount, _TEXT_SIZE)
        texts = (first, *names, account, _bank(payee.bank_name), cnaps, left, spelt, reference, claims)
        yield _ROW_FORMS[row][two_lines] % texts


@lru_cache(maxsize=1024)  # many payees, few banks
def _bank(name: str) -> str:
    [text] = hexed(_cut(printable(name), _BANK.width))
    return text


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
