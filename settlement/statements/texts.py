"""The text of a bank's file: UTF-8, with or without its mark, or GB18030; nothing is guessed beyond these two."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from settlement.statements.line import malformed

_PROBE_BYTES: Final = 2**20
UTF8: Final = "utf-8-sig"
GB18030: Final = "gb18030"


def decoded(content: bytes) -> str:
    """The whole text.

    Raises:
        StatementRefused: it is neither.
    """
    for encoding in (UTF8, GB18030):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise malformed("UTF-8 / GB18030")


@contextmanager
def opened_text(path: Path) -> Iterator[TextIOWrapper]:
    """The file as text, read as a stream.

    Raises:
        StatementRefused: it is neither; also later, while it is read.
    """
    with path.open("r", encoding=_encoding(path), newline="") as file:
        try:
            yield file
        except UnicodeDecodeError as fault:
            raise malformed("UTF-8 / GB18030") from fault


def _encoding(path: Path) -> str:
    """UTF-8 where all of the file is; read in parts, so that a large file is not held whole."""
    try:
        with path.open("r", encoding=UTF8, newline="") as file:
            while file.read(_PROBE_BYTES):
                pass
    except UnicodeDecodeError:
        return GB18030
    return UTF8
