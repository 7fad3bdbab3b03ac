"""Claims from the rows of a worksheet: adjacent rows with one number are one claim; faults go back to their cells."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from connectors.connector import Connector, connector
from connectors.form_document import FormField
from connectors.mapping import Path, path_of
from connectors.submission import Submission
from connectors.worksheet.heading import Heading, find_heading
from tenants.kernel.errors import Invalid, Text
from tenants.tables.cells import BLANK, Row, doubt, place, said

CLAIMS: Final = connector("worksheet", "worksheet.claim")
MAX_ROWS_A_CLAIM: Final = 500
_ROW: Final = "[]"
_FILE_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class CellFault:
    """One fault, at one cell; ``column`` counts from zero and is ``None`` where the whole row is at fault."""

    row: int
    column: int | None
    code: str
    message: Text

    @property
    def at(self) -> str:
        """The cell as a spreadsheet names it."""
        return str(self.row) if self.column is None else place(self.row, self.column)


@dataclass(frozen=True, slots=True)
class Entry:
    """What adjacent rows state: a claim, or every fault of theirs."""

    rows: tuple[Row, ...]
    claim: Submission | None
    faults: tuple[CellFault, ...]


def read_claims(rows: Iterator[Row], of: Connector = CLAIMS) -> tuple[Heading, Iterator[Entry]]:
    """The heading, and the claims below it as they are read.

    Raises:
        TableError: the heading is at fault.
    """
    heading = find_heading(of.document, rows)
    key = heading.column_of(next(one for one in of.document.fields if one.to == ("external_id",)))
    filled = (row for row in rows if not row.is_blank)
    return heading, (entry for group in _groups(filled, key) for entry in (_Reading(of, heading, group).entry(),))


def _groups(rows: Iterator[Row], key: int | None) -> Iterator[tuple[Row, ...]]:
    """Adjacent rows with the same number; a row without one, or that is at fault, stands alone."""

    def group_of(numbered: tuple[int, Row]) -> tuple[str, int]:
        count, row = numbered
        text = row.cells[key].text if key is not None and key < len(row.cells) and row.fault is None else ""
        return (text, 0) if text else ("", count)

    for _, group in groupby(enumerate(rows, 1), group_of):
        taken: list[Row] = []
        for _, row in group:
            taken.append(row)
            if len(taken) == MAX_ROWS_A_CLAIM:
                yield tuple(taken)
                taken = []
        if taken:
            yield tuple(taken)


@dataclass(slots=True)
class _Reading:
    """The rows of one claim on their way to its form."""

    connector: Connector
    heading: Heading
    rows: tuple[Row, ...]
    form: dict[str, Any] = field(default_factory=dict)
    cells: dict[Path, tuple[int, int]] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)

    def entry(self) -> Entry:
        for row in self.rows:
            self._take(row)
        claim: Submission | None = None
        try:
            read = self.connector.read(self.form)
            claim = read if isinstance(read, Submission) else None
        except Invalid as problem:
            self._place(problem)
        return Entry(self.rows, None if self.faults else claim, tuple(self.faults))

    def _take(self, row: Row) -> None:
        if row.fault is not None:
            self._fault(row, None, row.fault)
            return
        for column in range(max(self.heading.fields) + 1, len(row.cells)):
            if not row.cells[column].is_blank and not self._title(column):
                self._fault(row, column, "row.too_many_cells")
        begun: dict[str, int] = {}
        for column, one in self.heading.fields.items():
            cell = row.cells[column] if column < len(row.cells) else BLANK
            if cell.is_blank:
                continue
            found = cell.fault or (None if one.labels else doubt(cell, one.spelling))
            at = self._path(one, row, begun)
            self.cells.setdefault(at, (row.number, column))
            if found is not None:
                self._fault(row, column, found)
            else:
                self._put(one, at, cell.text, row, column)

    def _title(self, column: int) -> str:
        return self.heading.titles[column] if column < len(self.heading.titles) else ""

    def _path(self, one: FormField, row: Row, begun: dict[str, int]) -> Path:
        """Where the cell stands in the form: the row's own place in each list of which it fills in anything."""
        if len(one.form) == 1 or one.kind is not None:
            return one.form[:1]
        listed = self.form.setdefault(one.form[0], [])
        if one.form[0] not in begun:
            begun[one.form[0]] = len(listed)
            listed.append({})
            self.cells[one.form[0], len(listed) - 1] = (row.number, self._first_column(one.form[0]))
        return one.form[0], begun[one.form[0]], one.form[-1]

    def _first_column(self, name: str) -> int:
        return next(column for column, one in self.heading.fields.items() if one.form[0] == name)

    def _put(self, one: FormField, at: Path, text: str, row: Row, column: int) -> None:
        if one.kind is not None:
            listed = self.form.setdefault(one.form[0], [])
            for file in _files(text):
                self.cells[one.form[0], len(listed)] = (row.number, column)
                listed.append(file)
        elif len(at) > 1:
            self.form[str(at[0])][at[1]][at[-1]] = text
        elif self.form.setdefault(one.form[0], text) != text:
            self._fault(row, column, f"row.contradicts|{self.cells[at][0]}")

    def _fault(self, row: Row, column: int | None, fault: str) -> None:
        self.faults.append(CellFault(row.number, column, *said(fault)))

    def _place(self, problem: Invalid) -> None:
        """The connector's faults at their cells, but for those at cells whose own fault is named already."""
        named = {(fault.row, fault.column) for fault in self.faults}
        for error in problem.errors:
            row, column = self._cell_of(path_of(error.pointer))
            if (row, column) not in named and not any(fault.column is None for fault in self.faults):
                self.faults.append(CellFault(row, column, error.code, error.message))

    def _cell_of(self, at: Path) -> tuple[int, int]:
        """The cell of a place in the form; of one that nobody filled in, the column in the first row it belongs to."""
        if at in self.cells:
            return self.cells[at]
        row = next((self.cells[at[:length]][0] for length in range(len(at), 0, -1) if at[:length] in self.cells), None)
        pattern = tuple(_ROW if isinstance(part, int) else part for part in at)
        column = next((c for c, one in self.heading.fields.items() if one.form == pattern), None)
        if column is None:
            column = next((c for c, one in self.heading.fields.items() if at and one.form[0] == at[0]), 0)
        return self.rows[0].number if row is None else row, column


def _files(text: str) -> list[Any]:
    """Files written as ``合同.pdf|183221|<SHA-256>``, several with a semicolon or a line break between."""
    found: list[Any] = []
    for one in text.replace("；", ";").replace("\n", ";").split(";"):
        parts = [part.strip() for part in one.replace("｜", "|").split("|")]
        if len(parts) == _FILE_PARTS and parts[1].isascii() and parts[1].isdigit():
            found.append({"文件名": parts[0], "字节数": int(parts[1]), "SHA-256": parts[2]})
        elif one.strip():
            found.append(one.strip())
    return found
