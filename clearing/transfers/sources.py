"""Files to be imported: each gives its records one by one and takes back those that were not taken."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Protocol, Self

from clearing.api.ndjson import Line, read_lines
from clearing.api.problems import problem_body
from clearing.transfers.lines import LINES_AT_ONCE, MAX_RECORD_BYTES, Item, Read, items_of
from connectors.reading import read_submission, read_support_record
from connectors.submission import SupportRecord
from connectors.worksheet.claims import CellFault, Entry, read_claims
from connectors.worksheet.heading import Heading
from connectors.worksheet.returned import ReturnedRows
from connectors.worksheet.support import stated_records
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Malformed, Problem
from tenants.principal import Principal
from tenants.tables.cells import Row
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.errors import TableError
from tenants.tables.xlsx_table import hidden_sheets, more_sheets, xlsx_rows

NDJSON_SUFFIXES: Final = (".ndjson", ".jsonl")


class Source(Protocol):
    """A file to be imported."""

    notes: list[str]
    """What an operator has to know of the file, in both languages."""

    def items(self) -> Iterator[Item]:
        """Every record."""
        ...

    def give_back(self, item: Item, problem: Problem) -> None:
        """Write the record to the file of those to be corrected, with what is wrong."""
        ...

    def position(self) -> int:
        """How many bytes of the file are read, or zero where that says nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NdjsonSource:
    """One JSON object a line; a line that was given back may be handed in again in its wrapping, corrected."""

    def __init__(self, path: Path, errors: Path, *, support: bool) -> None:
        self.notes: list[str] = []
        self.support = support
        self._file: IO[bytes] = path.open("rb")
        self._returned = ReturnedLines(errors)
        self._read: Read = read_support_record if support else read_submission
        self._lines = read_lines(self._file, MAX_RECORD_BYTES)

    def items(self) -> Iterator[Item]:
        """Every line that is not blank."""
        while some := list(islice(self._lines, LINES_AT_ONCE)):
            yield from self.stated(some)

    def lines(self, at_most: int, bytes_at_most: int) -> list[Line]:
        """The next lines that are not blank, as they stand in the file; none at its end."""
        some, begun = list[Line](), self.position()
        while len(some) < at_most and self.position() - begun <= bytes_at_most:
            more = list(islice(self._lines, min(LINES_AT_ONCE, at_most - len(some))))
            if not more:
                break
            some += more
        return some

    def stated(self, lines: Sequence[Line]) -> Iterator[Item]:
        """What the lines state."""
        return items_of(lines, self._read)

    def give_back(self, item: Item, problem: Problem) -> None:
        """A line with its number, the problem in Chinese, and the record as it came."""
        self._returned.add(item, problem)

    def position(self) -> int:
        """How many bytes are read."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._returned.close()


class WorksheetSource:
    """Claims of a CSV or XLSX file.

    Raises:
        TableError: the file or its heading is at fault.
    """

    def __init__(self, path: Path, errors: Path, encoding: str | None) -> None:
        self.notes: list[str] = []
        if path.suffix.lower() == ".xlsx":
            self._encoding = "utf-8"
            rows = xlsx_rows(path)
        else:
            self._encoding = encoding or encoding_of(path)
            rows = csv_rows(path, self._encoding)
        self._heading: Heading
        self._entries: Iterator[Entry]
        self._heading, self._entries = read_claims(rows)
        if path.suffix.lower() == ".xlsx":
            self._note_other_sheets(path)
        self._returned = ReturnedRows(errors, self._heading, self._encoding)

    def _note_other_sheets(self, path: Path) -> None:
        for titles, zh, en in (
            (hidden_sheets(path), "隐藏的工作表未读取", "hidden sheets are not read"),
            (more_sheets(path), "只读取第一张工作表，未读取", "only the first sheet is read, not"),
        ):
            if titles:
                self.notes.append(f"{zh}：{'、'.join(titles)} / {en}: {', '.join(titles)}")

    def items(self) -> Iterator[Item]:
        """Every claim, or what is wrong with its rows."""
        for entry in self._entries:
            yield Item(entry.rows[0].number, entry.claim or _Refused(entry.faults), entry.rows)

    def give_back(self, item: Item, problem: Problem) -> None:
        """The rows as they came, with what is wrong beside each."""
        rows: Sequence[Row] = item.came_as
        faults = problem.faults if isinstance(problem, _Refused) else _of_whole(rows[0].number, problem)
        self._returned.add(rows, faults)

    def position(self) -> int:
        """Nothing: a worksheet's bytes say little of its rows."""
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._returned.__exit__(kind, error, trace)


class SupportTableSource:
    """Support records of a CSV or XLSX file; what is refused is given back as lines of JSON.

    Raises:
        TableError: the file or its first row is at fault.
    """

    def __init__(self, path: Path, errors: Path, encoding: str | None, caller: Principal) -> None:
        self.notes: list[str] = []
        is_book = path.suffix.lower() == ".xlsx"
        rows = xlsx_rows(path) if is_book else csv_rows(path, encoding or encoding_of(path))
        tenant = caller.tenants[0] if len(caller.tenants) == 1 else None
        self._stated = stated_records(rows, str(caller.platform), tenant)
        self._returned = ReturnedLines(errors)

    def items(self) -> Iterator[Item]:
        """Every record, or what is wrong with its rows."""
        for stated in self._stated:
            yield Item(stated.number, stated.fault or self._read(stated.data), stated.data)

    def _read(self, data: Json) -> SupportRecord | Problem:
        try:
            return read_support_record(data)
        except Problem as problem:
            return problem

    def give_back(self, item: Item, problem: Problem) -> None:
        """The record with the number of its first row, and the problem in Chinese."""
        self._returned.add(item, problem)

    def position(self) -> int:
        """Nothing: a table's bytes say little of its rows."""
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._returned.close()


class ReturnedLines:
    """A file of lines to be corrected, made with the first of them, if any comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def add(self, item: Item, problem: Problem) -> None:
        """A line with its number, the problem in Chinese, and the record as it came."""
        if self._file is None:
            self._file = self._path.open("wb")
        told = {"line": item.number, "problem": problem_body(problem, english=False), "record": item.came_as}
        self._file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        """Close the file, where there is one."""
        if self._file is not None:
            self._file.close()


class _Refused(Malformed):
    """Rows with faults at their cells."""

    status = 422

    def __init__(self, faults: Sequence[CellFault]) -> None:
        said = "; ".join(f"{fault.at} {fault.message.en}" for fault in faults)
        super().__init__("rows.invalid", f"{len(faults)} 处错误。", said)
        self.faults = tuple(faults)


def _of_whole(row: int, problem: Problem) -> list[CellFault]:
    """What the service itself says of the claim, beside its first row."""
    errors = [CellFault(row, None, error.code, error.message) for error in problem.errors]
    return errors or [CellFault(row, None, problem.code, problem.text)]


def open_source(path: Path, errors: Path, encoding: str | None, *, support: bool, caller: Principal) -> Source:
    """The file, by the ending of its name; a table of support records belongs to the caller's one tenant.

    Raises:
        TableError: the ending is unknown, or the file or its heading is at fault.
    """
    ending = path.suffix.lower()
    if ending in NDJSON_SUFFIXES:
        return NdjsonSource(path, errors, support=support)
    if ending in (".csv", ".xlsx"):
        return (
            SupportTableSource(path, errors, encoding, caller) if support else WorksheetSource(path, errors, encoding)
        )
    known = "、".join((*NDJSON_SUFFIXES, ".csv", ".xlsx"))
    raise TableError(f"文件名须以 {known} 结尾。", f"The file's name ends in one of {known}.")
