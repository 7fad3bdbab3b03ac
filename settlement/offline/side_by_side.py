"""Cutting the files of a batch into runs of as many lines each, while every file is read once.

What stands around the lines (a message's head and tail, a sheet's) is kept and has to be well-formed by itself, so that
a file whose every run is read is read whole.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final, Protocol
from zipfile import ZipFile

from lxml import etree

from settlement.offline.as_written import ROW_END, TRANSACTION_END
from settlement.offline.tables import FAULTS, LINES_PART, refuse_bomb

MAX_LINE_BYTES: Final = 2**20
_READ_BYTES: Final = 2**18
_HEAD_LINES: Final = 3
_MESSAGE_BEGINS: Final = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_SHEET_BEGINS: Final = b'<?xml version="1.0" encoding="UTF-8"'
_SHEET_ROW: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}row"


class Cut(Protocol):
    """One file that is cut into runs of lines."""

    def take(self, count: int) -> bytes | None:
        """The next run of so many lines; ``None`` where the file has none such."""
        ...

    def is_over(self) -> bool:
        """Whether nothing follows but what has to, and all that stood around the lines is well-formed."""
        ...


class _Lines:
    """A text file with a line for each instruction, between a few lines before and at most one behind."""

    def __init__(self, path: Path, around: Callable[[bytes, bytes], bool], head_lines: int, end: bytes) -> None:
        self._file = path.open("rb")
        self._around, self._end = around, end
        self._head = b"".join([self._file.readline(MAX_LINE_BYTES) for _ in range(head_lines)])

    def take(self, count: int) -> bytes | None:
        lines = [self._file.readline(MAX_LINE_BYTES) for _ in range(count)]
        return b"".join(lines) if all(line.endswith(self._end) for line in lines) else None

    def is_over(self) -> bool:
        tail = self._file.read(MAX_LINE_BYTES)
        return not self._file.read(1) and self._around(self._head, tail)

    def close(self) -> None:
        self._file.close()


class _Rows:
    """The first sheet of a workbook, whose first row holds the headings."""

    def __init__(self, path: Path) -> None:
        self._book = ZipFile(path)
        try:
            refuse_bomb(self._book)
            self._sheet = self._book.open(LINES_PART)
            self._left = b""
            self._head = self._rows(1)
        except FAULTS:
            self._book.close()
            raise

    def take(self, count: int) -> bytes | None:
        with suppress(*FAULTS):
            return self._rows(count)
        return None

    def _rows(self, count: int) -> bytes | None:
        """The content up to the end of so many more rows."""
        pieces, found = [self._left], self._left.count(ROW_END)
        while found < count:
            piece = self._sheet.read(_READ_BYTES)
            if not piece or sum(map(len, pieces)) > MAX_LINE_BYTES * count:
                return None
            joined = pieces[-1][-len(ROW_END) + 1 :] + piece
            found += joined.count(ROW_END)
            pieces.append(piece)
        content = b"".join(pieces)
        ends = -1
        for _ in range(count):
            ends = content.index(ROW_END, ends + 1)
        ends += len(ROW_END)
        self._left = content[ends:]
        return content[:ends]

    def is_over(self) -> bool:
        with suppress(*FAULTS, etree.XMLSyntaxError):
            tail = self._left + self._sheet.read(MAX_LINE_BYTES)
            if self._sheet.read(1) or self._head is None or not _plain(self._head, _SHEET_BEGINS):
                return False
            rows = list(etree.fromstring(self._head + tail, _parser()).iter("{*}row"))
            return [(row.tag, row.prefix) for row in rows] == [(_SHEET_ROW, None)]
        return False

    def close(self) -> None:
        self._book.close()


@contextmanager
def cut_table(path: Path) -> Iterator[Cut]:
    """The CSV: one line of headings, and nothing behind its lines."""
    with _closing(_Lines(path, lambda head, tail: bool(head) and not tail, 1, b"\r\n")) as lines:
        yield lines


@contextmanager
def cut_message(path: Path, namespace: str) -> Iterator[Cut]:
    """The payment message, a transaction a line; ``namespace`` is that of its schema."""

    def around(head: bytes, tail: bytes) -> bool:
        with suppress(etree.XMLSyntaxError):
            if _plain(head, _MESSAGE_BEGINS) and (head + tail).count(b"xmlns") == 1:
                message = etree.fromstring(head + tail, _parser())
                return message.nsmap == {None: namespace} and next(message.iter("{*}CdtTrfTxInf"), None) is None
        return False

    with _closing(_Lines(path, around, _HEAD_LINES, TRANSACTION_END)) as lines:
        yield lines


@contextmanager
def cut_sheet(path: Path) -> Iterator[Cut]:
    """The first sheet of the workbook."""
    with _closing(_Rows(path)) as rows:
        yield rows


@contextmanager
def _closing(cut: "_Lines | _Rows") -> Iterator["_Lines | _Rows"]:
    try:
        yield cut
    finally:
        cut.close()


def runs_of(path: Path, size: int, longest: int) -> Iterator[list[tuple[int, bytes]]]:
    """The numbered lines of a file in runs; a line longer than ``longest`` bytes counts as several."""
    with path.open("rb") as file:
        lines = enumerate(iter(lambda: file.readline(longest), b""), start=1)
        while run := list(islice(lines, size)):
            yield run


def _plain(head: bytes, begins: bytes) -> bool:
    """Whether the head says what encoding follows, and nothing in it changes how that is read."""
    return head.startswith(begins) and b"<!" not in head


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
