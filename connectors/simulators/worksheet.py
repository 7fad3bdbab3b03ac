"""A region that has spreadsheets and nothing else: a template filled in, what comes back corrected, fed in again.

The files go in as they do there, by ``clearing import``; this is the person before them.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import openpyxl

from connectors.simulators.conduct import Form
from connectors.simulators.simulator import Case, Simulator
from connectors.worksheet.heading import RESULT_COLUMNS

NUMBER: Final = "申请编号"
HANDED_IN: Final = "已报送"
_SEVERAL: Final = ("企业类型", "入驻园区")
"""Columns that name several things in one cell."""
_NAMED: Final = re.compile(r"“([^”]+)”：")
"""How a fault names the column that it is in."""
Grid = list[list[str]]


class WorksheetOffice:
    """Fills in, corrects and keeps its accounts for a platform, whose simulator is told of what became of it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._waiting: list[Case] = []

    def fill_in(self, template: Path, forms: Iterable[Form], filled: Path) -> None:
        """Write the claims, as forms of the worksheet, below the template's heading, by its own titles."""
        grid = _read(template)
        titles = grid[0]
        for form in forms:
            number = str(form[NUMBER])
            self.simulator.cases[number] = Case(number, form, HANDED_IN)
            self._waiting.append(self.simulator.cases[number])
            grid += [[row.get(title, "") for title in titles] for row in rows_of(form)]
        _write(filled, grid)

    def correct(self, returned: Path, right: Mapping[str, str], corrected: Path) -> list[str]:
        """Set right each cell that a fault beside its row names, by what it should have been; the faults as they are.

        ``right``: the value for each column, by its title.
        """
        titles, *rows = _read(returned)
        beside = titles.index(RESULT_COLUMNS[1])
        for row in rows:
            for title in _NAMED.findall(row[beside]):
                row[titles.index(title)] = right[title]
        _write(corrected, [titles, *rows])
        return [row[beside] for row in rows if row[beside]]

    def look(self) -> list[str]:
        """Enter in the accounts what the service has by now; the numbers of what it has not."""
        found = {case.number: self.simulator.platform.find(case.number) for case in self._waiting}
        for case in self._waiting:
            claim = found[case.number]
            if claim is not None:
                self.simulator.enter(case, claim)
        self._waiting = [case for case in self._waiting if found[case.number] is None]
        return [case.number for case in self._waiting]


def rows_of(form: Form) -> list[dict[str, str]]:
    """The rows of one claim: the first holds everything that stands once, each list goes on below."""
    rows: list[dict[str, str]] = [{NUMBER: form[NUMBER]}]
    for name, value in form.items():
        if not isinstance(value, list):
            rows[0][name] = value
        elif name.endswith("文件"):
            rows[0][name] = ";".join(f"{one['文件名']}|{one['字节数']}|{one['SHA-256']}" for one in value)
        elif name in _SEVERAL:
            rows[0][name] = "、".join(value)
        else:
            for number, item in enumerate(value):
                if number >= len(rows):
                    rows.append({NUMBER: form[NUMBER]})
                rows[number] |= item
    return rows


def _read(path: Path) -> Grid:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    sheet: Any = openpyxl.load_workbook(path).worksheets[0]
    return [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]


def _write(path: Path, grid: Grid) -> None:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows(grid)
        return
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in grid:
        sheet.append([cell or None for cell in row])
    book.save(path)
