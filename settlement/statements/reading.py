"""Which kind of file it is, told by its beginning and never by its name, and its lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from settlement.statements.camt import camt_lines
from settlement.statements.line import Owner, StatementLine, refused
from settlement.statements.mt940 import mt940_lines
from settlement.statements.pain002 import pain002_lines
from settlement.statements.table import csv_lines, xlsx_lines
from settlement.statements.xml_events import root_tag

PAIN002: Final = "pain.002"
CAMT053: Final = "camt.053"
CAMT054: Final = "camt.054"
MT940: Final = "mt940"
CSV: Final = "csv"
XLSX: Final = "xlsx"
FORMATS: Final = (PAIN002, CAMT053, CAMT054, MT940, CSV, XLSX)

_HEAD_BYTES: Final = 4096
_MARK: Final = b"\xef\xbb\xbf"


def format_of(path: Path) -> str:
    """The format.

    Raises:
        StatementRefused: ``statement.empty``, ``statement.format``, or it is broken.
    """
    with path.open("rb") as source:
        head = source.read(_HEAD_BYTES).removeprefix(_MARK).lstrip()
    if not head:
        raise refused("empty", "文件是空的。", "The file is empty.")
    if head.startswith(b"PK\x03\x04"):
        return XLSX
    if head.startswith(b"<"):
        root = root_tag(path)
        for known in (PAIN002, CAMT053, CAMT054):
            if root.startswith(known + "."):
                return known
        raise _unknown()
    if head.startswith((b"{1:", b":20:")) or b"\n:20:" in head:
        return MT940
    if b"\0" in head:
        raise _unknown()
    return CSV


def read_lines(path: Path, kind: str, owner: Owner) -> Iterator[StatementLine]:
    """The file's lines as a stream; a file that is refused may be so at its end only.

    Raises:
        StatementRefused: see the formats' modules.
    """
    match kind:
        case "pain.002":
            return pain002_lines(path, owner)
        case "camt.053" | "camt.054":
            return camt_lines(path, kind, owner)
        case "mt940":
            return mt940_lines(path, owner)
        case "xlsx":
            return xlsx_lines(path, owner)
        case _:
            return csv_lines(path, owner)


def _unknown() -> Exception:
    return refused(
        "format",
        "不认识的文件格式；可接受 pain.002、camt.053、camt.054、MT940、CSV、XLSX。",
        "A format that is not known here: pain.002, camt.053, camt.054, MT940, CSV or XLSX are taken.",
    )
