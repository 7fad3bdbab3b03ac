"""Worksheets made from generated claims, as people would fill them in."""

import csv
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from connectors.form_writing import write_form
from connectors.simulators.worksheet import rows_of
from connectors.worksheet.claims import CLAIMS, Entry, read_claims
from connectors.worksheet.heading import Heading, title_of
from tenants.tables.cells import Row
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.xlsx_table import xlsx_rows

TITLES = [title_of(field) for field in CLAIMS.document.fields]
Grid = list[list[Any]]


def grid_of(*bodies: dict[str, Any]) -> Grid:
    """The heading and the rows of the claims."""
    rows = [row for body in bodies for row in rows_of(write_form(CLAIMS.document, body))]
    return [TITLES, *([row.get(title, "") for title in TITLES] for row in rows)]


def write_csv(path: Path, grid: Grid, encoding: str = "utf-8-sig") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(grid)
    return path


def write_xlsx(path: Path, grid: Grid) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in grid:
        sheet.append([None if value == "" else value for value in row])
    book.save(path)
    return path


def read_file(path: Path) -> tuple[Heading, list[Entry]]:
    heading, entries = read_claims(iter(rows_in(path)))
    return heading, list(entries)


def rows_in(path: Path) -> list[Row]:
    return list(xlsx_rows(path) if path.suffix == ".xlsx" else csv_rows(path, encoding_of(path)))


def column(title: str) -> int:
    return TITLES.index(title)
