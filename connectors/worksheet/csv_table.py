"""Rows of a CSV file in UTF-8 or GB18030, as a stream."""

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.worksheet.cells import Row, text_cell
from connectors.worksheet.errors import WorksheetError

ENCODINGS: Final = ("utf-8", "gb18030")
MAX_CELL_CHARACTERS: Final = 32_767
"""As many as a spreadsheet's cell may have."""
_BLOCK_BYTES: Final = 1024 * 1024
_SAMPLE_CHARACTERS: Final = 64 * 1024
_DELIMITERS: Final = ",;\t"


def encoding_of(path: Path) -> str:
    """The first of ``ENCODINGS`` in which the whole file is text.

    Raises:
        WorksheetError: it is text in neither.
    """
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise WorksheetError(
        "文件既不是 UTF-8 也不是 GB18030 文本，请另存为 CSV UTF-8。",
        "The file is text neither in UTF-8 nor in GB18030; save it as CSV UTF-8.",
    )


def csv_rows(path: Path, encoding: str) -> Iterator[Row]:
    """The rows, blank ones included; the row's number is that of its first line.

    A row that cannot be read is one with a fault; reading goes on behind it where that is possible.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=name, newline="") as file:
        delimiter = _delimiter(file.read(_SAMPLE_CHARACTERS))
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
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


def _delimiter(sample: str) -> str:
    """The delimiter that stands most often in the first line that has any."""
    for line in sample.splitlines():
        counts = {one: line.count(one) for one in _DELIMITERS}
        if any(counts.values()):
            return max(_DELIMITERS, key=lambda one: counts[one])
    return ","
