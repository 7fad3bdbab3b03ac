"""Rows of a CSV file in UTF-8 or GB18030, as a stream."""

import codecs
import csv
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import IO, Final, TextIO

from tenants.tables.bounds import Source
from tenants.tables.cells import Row, text_cell
from tenants.tables.errors import TableError

ENCODINGS: Final = ("utf-8", "gb18030")
MAX_CELL_CHARACTERS: Final = 32_767
"""As many as a spreadsheet's cell may have."""
MAX_LINE_CHARACTERS: Final = 2**20
_BLOCK_BYTES: Final = 1024 * 1024
_SAMPLE_CHARACTERS: Final = 64 * 1024
_DELIMITERS: Final = ",;\t"


def encoding_of(source: Source) -> str:
    """The first of ``ENCODINGS`` in which the whole file is text.

    Raises:
        TableError: it is text in neither.
    """
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with _opened(source) as file:
                while block := file.read(_BLOCK_BYTES):
                    if b"\0" in block:
                        raise _no_text()
                    decoder.decode(block)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise _no_text()


def _no_text() -> TableError:
    return TableError(
        "文件既不是 UTF-8 也不是 GB18030 文本，请另存为 CSV UTF-8。",
        "The file is text neither in UTF-8 nor in GB18030; save it as CSV UTF-8.",
    )


def csv_rows(source: Source, encoding: str, delimiter: str | None = None) -> Iterator[Row]:
    """The rows, blank ones included; the row's number is that of its first line; the delimiter is found out if need be.

    A row that cannot be read is one with a fault; reading goes on behind it where that is possible.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with _opened(source) as content, TextIOWrapper(content, name, newline="") as file:
        sample = file.read(_SAMPLE_CHARACTERS)
        file.seek(0)
        reader = csv.reader(_bounded(file), delimiter=delimiter or _delimiter(sample), strict=True)
        while True:
            number = reader.line_num + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, (), f"row.unreadable|{error}")
                continue
            yield Row(number, tuple(map(text_cell, values)))


def _opened(source: Source) -> IO[bytes]:
    """The file from its beginning; one that was open already stays so."""
    if isinstance(source, Path):
        return source.open("rb")
    source.seek(0)
    return BytesIO(source.read())


def _bounded(file: TextIO) -> Iterator[str]:
    """The file's lines, none of them longer than is read at once."""
    while line := file.readline(MAX_LINE_CHARACTERS + 1):
        if len(line) > MAX_LINE_CHARACTERS:
            raise TableError("CSV 有过长的行。", "The CSV has a line that is too long.")
        yield line


def _delimiter(sample: str) -> str:
    """The delimiter that stands most often in the first line that has any."""
    for line in sample.splitlines():
        counts = {one: line.count(one) for one in _DELIMITERS}
        if any(counts.values()):
            return max(_DELIMITERS, key=lambda one: counts[one])
    return ","
