"""The printable payment list (兑付清单): title, lines, totals in capital numerals, a block for stamps and signatures.

Pages are written as PDF text operators, because reportlab's own text calls take ten times as long per line. The
Chinese font is the reader's (``STSong-Light`` of every PDF reader); no font file is needed or embedded.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO, Final, NamedTuple

from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from settlement.amount_in_words import amount_in_words
from settlement.formats.payout_batch import PayoutBatch, claims_text, counted
from settlement.instruction import Instruction
from tenants.kernel.clock import print_instant

FONT: Final = "STSong-Light"
LINES_PER_PAGE: Final = 20
MAX_CLAIMS_CHARS: Final = 60

_WIDTH, _HEIGHT = landscape(A4)
_MARGIN: Final = 34
_TITLE_SIZE: Final = 15
_TEXT_SIZE: Final = 8
_LINE_HEIGHT: Final = 20
_HALF_LINE: Final = 9
_TABLE_TOP: Final = _HEIGHT - 92
_LAST_OF_BASIC_PLANE: Final = "\uffff"
_STAMPS: Final = ("制表 maker：", "复核 checker：", "签发 releaser：", "单位盖章 seal：")


class _Column(NamedTuple):
    heading: str
    left: int
    width: int
    to_the_right: bool = False


_COLUMNS: Final = (
    _Column("序号", 34, 30),
    _Column("收款人", 66, 168),
    _Column("收款账号", 238, 112),
    _Column("开户银行及联行号", 354, 168),
    _Column("金额（元）", 526, 78, to_the_right=True),
    _Column("端到端标识及兑付申请", 612, 196),
)


def write_payment_list(out: BinaryIO, batch: PayoutBatch, instructions: Iterable[Instruction]) -> None:
    """Write the PDF; the same batch gives the same bytes.

    The font reaches the basic plane only: a rarer character is printed as its code point, such as ``[U+20BB7]``.

    Raises:
        TotalsError: the instructions are not those of the batch; what was written is then to be thrown away.
    """
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    canvas = Canvas(out, pagesize=(_WIDTH, _HEIGHT), pageCompression=1, invariant=1)
    canvas.setTitle(batch.title)
    canvas.setAuthor(batch.tenant_name)
    canvas.setSubject(f"{batch.batch} {print_instant(batch.created_at)}")
    lines = counted(batch, instructions)
    pages = -(-batch.count // LINES_PER_PAGE)
    for page in range(1, pages + 1):
        operators = [*_head(batch, page, pages), *_rows(islice(lines, LINES_PER_PAGE))]
        if page == pages:
            operators += _foot(batch)
        _show(canvas, operators)
    for _ in lines:  # whoever asks for more than the batch has is told so by ``counted``
        pass
    canvas.save()


def _show(canvas: Canvas, operators: list[str]) -> None:
    canvas.setFont(FONT, _TEXT_SIZE)
    for height in (_TABLE_TOP + 14, _TABLE_TOP - 4):
        canvas.line(_MARGIN, height, _WIDTH - _MARGIN, height)
    canvas.addLiteral("BT " + " ".join(operators) + " ET")
    canvas.showPage()


def _head(batch: PayoutBatch, page: int, pages: int) -> Iterator[str]:
    title = printable(batch.title)
    yield f"1.8 0 0 1.8 {(_WIDTH - _TITLE_SIZE * len(title)) / 2:.1f} {_HEIGHT - 44:.1f} Tm {_shown(title)}"
    yield _text(_MARGIN, _HEIGHT - 62, f"{batch.tenant_name}　批次 {batch.batch}　{print_instant(batch.created_at)}")
    yield _text(_WIDTH - 130, _HEIGHT - 62, f"第 {page} 页 共 {pages} 页")
    for column in _COLUMNS:
        yield _cell(column, _TABLE_TOP, column.heading)


def _rows(lines: Iterable[tuple[int, Instruction]]) -> Iterator[str]:
    top = _TABLE_TOP - 16
    for number, each in lines:
        payee = each.creditor
        second = top - _HALF_LINE
        name, more = _broken(payee.account_name, _COLUMNS[1].width)
        bank, _ = _broken(payee.bank_name, _COLUMNS[3].width)
        yield _cell(_COLUMNS[0], top, str(number))
        yield _cell(_COLUMNS[1], top, name)
        if more:
            yield _cell(_COLUMNS[1], second, more)
        yield _cell(_COLUMNS[2], top, payee.account_number)
        yield _cell(_COLUMNS[3], top, bank)
        yield _cell(_COLUMNS[3], second, payee.cnaps)
        yield _cell(_COLUMNS[4], top, str(each.amount))
        yield _cell(_COLUMNS[5], top, each.end_to_end_id)
        yield _cell(_COLUMNS[5], second, _broken(claims_text(each.claims, MAX_CLAIMS_CHARS), _COLUMNS[5].width)[0])
        top -= _LINE_HEIGHT


def _foot(batch: PayoutBatch) -> Iterator[str]:
    height = _MARGIN + 46
    payer = batch.debtor
    yield _text(
        _MARGIN,
        height,
        f"合计 total：{batch.count} 笔　{batch.total} 元　人民币（大写）{amount_in_words(batch.total)}",
    )
    yield _text(_MARGIN, height - 12, f"付款人 payer：{payer.account_name}　{payer.account_number}　{payer.bank_name}")
    yield _text(_MARGIN, height - 24, f"默克尔根 batch root：{batch.batch_root}")
    for place, stamp in enumerate(_STAMPS):
        yield _text(_MARGIN + place * 195, height - 42, stamp)


def _cell(column: _Column, height: float, text: str) -> str:
    if column.to_the_right:
        return _text(column.left + column.width - _width(text), height, text)
    return _text(column.left, height, text)


def _text(left: float, height: float, text: str) -> str:
    return f"1 0 0 1 {left:.1f} {height:.1f} Tm {_shown(text)}"


def _shown(text: str) -> str:
    return f"<{printable(text).encode('utf-16-be').hex()}> Tj"


def printable(text: str) -> str:
    """The text with every character that the font's encoding cannot hold as its code point in brackets."""
    if max(text) <= _LAST_OF_BASIC_PLANE:
        return text
    return "".join(each if each <= _LAST_OF_BASIC_PLANE else f"[U+{ord(each):X}]" for each in text)


def _width(text: str) -> float:
    return pdfmetrics.stringWidth(text, FONT, _TEXT_SIZE)


def _broken(text: str, width: int) -> tuple[str, str]:
    """The text in up to two lines of the width; what still does not fit ends in an ellipsis."""
    text = printable(text)
    if len(text) * _TEXT_SIZE <= width:
        return text, ""
    first = _fitting(text, width)
    rest = text[first:]
    second = _fitting(rest, width)
    return text[:first], rest if second == len(rest) else rest[: second - 1] + "…"


def _fitting(text: str, width: int) -> int:
    """How many characters from the start fit into the width."""
    used = 0.0
    for index, character in enumerate(text):
        used += _width(character)
        if used > width:
            return index
    return len(text)
