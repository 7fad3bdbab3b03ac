"""What a run of instructions is in every file of its batch, made at one go: pure, so that a crew can make it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from settlement.formats.bank_table import PRESETS, UTF8, ColumnMapping, row_values, table_lines
from settlement.formats.pain001 import transactions
from settlement.formats.payment_list import LINES_PER_PAGE, page_content
from settlement.formats.payout_batch import PayoutBatch, Tally, counted
from settlement.formats.payouts import signing_input
from settlement.formats.workbook import sheet_rows
from settlement.payouts.instruction import Instruction, Values, of_values, printed_id, values_of

LINES_AT_ONCE: Final = 10 * LINES_PER_PAGE
"""In one piece: whole pages of the printed list, small enough that many pieces are under way at once."""


@dataclass(frozen=True, slots=True)
class FileChoices:
    """What a tenant chooses about its files; see the writers for the values."""

    pain_version: str = "09"
    mapping: ColumnMapping = PRESETS["generic"]
    csv_encoding: str = UTF8


@dataclass(frozen=True, slots=True)
class Setting:
    """What all pieces of a batch have in common. ``protected`` is the header of the key that signs."""

    batch: PayoutBatch
    choices: FileChoices
    protected: str


class Piece(NamedTuple):
    """A run of instructions, the first of which is the first line of a page, and what they come to with those before.

    ``first`` is the number of the first, from 1.
    """

    first: int
    instructions: list[Instruction]
    tally: Tally

    def __reduce__(self) -> tuple[Callable[[int, Values, Tally], "Piece"], tuple[int, Values, Tally]]:
        return _piece, (self.first, values_of(self.instructions), self.tally)


def _piece(first: int, values: Values, tally: Tally) -> Piece:
    return Piece(first, of_values(values), tally)


class Rendered(NamedTuple):
    """What a piece is in each file; of each signed line, the instruction's id and what is to be signed."""

    tally: Tally
    pain: bytes
    table: bytes
    sheet: bytes
    pages: list[bytes]
    signing: list[tuple[str, bytes]]


def pieces_of(batch: PayoutBatch, instructions: Iterable[Instruction], tally: Tally) -> Iterator[Piece]:
    """The instructions behind those that ``tally`` counts, in pieces.

    Raises:
        TotalsError: see :func:`counted`.
    """
    lines = counted(batch, instructions, tally)
    while some := list(islice(lines, LINES_AT_ONCE)):
        each = [instruction for _, instruction in some]
        tally = tally.with_more(each)
        yield Piece(some[0][0], each, tally)


def rendering(setting: Setting) -> Callable[[Piece], Rendered]:
    """What renders the pieces of one batch."""
    batch, chosen = setting.batch, setting.choices
    values, lines = row_values(chosen.mapping), table_lines(chosen.mapping, chosen.csv_encoding)
    rows = sheet_rows(batch, chosen.mapping)

    def render(piece: Piece) -> Rendered:
        numbered = list(enumerate(piece.instructions, start=piece.first))
        table = [values(number, each) for number, each in numbered]
        pages = [
            page_content(batch, number // LINES_PER_PAGE + 1, numbered[at : at + LINES_PER_PAGE])
            for at, number in enumerate(range(piece.first, piece.first + len(numbered)))
            if not at % LINES_PER_PAGE
        ]
        return Rendered(
            piece.tally,
            transactions(piece.instructions),
            lines(table),
            rows(piece.first, table),
            pages,
            [(printed_id(each.instruction_id), signing_input(each, setting.protected)) for each in piece.instructions],
        )

    return render
