"""Worksheets made from generated claims, as people would fill them in."""

import csv
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from connectors.form_writing import write_form
from connectors.worksheet.claims import CLAIMS, Entry, read_claims
from connectors.worksheet.heading import Heading, title_of
from tenants.tables.cells import Row
from tenants.tables.csv_table import csv_rows, encoding_of
from tenants.tables.xlsx_table import xlsx_rows

TITLES = [title_of(field) for field in CLAIMS.document.fields]
Grid = list[list[Any]]


def rows_of(body: dict[str, Any]) -> list[dict[str, str]]:
    """The rows of one claim: the first holds everything that stands once, each list goes on below."""
    form = write_form(CLAIMS.document, body)
    rows: list[dict[str, str]] = [{"申请编号": form["申请编号"]}]
    for name, value in form.items():
        if not isinstance(value, list):
            rows[0][name] = value
        elif name.endswith("文件"):
            rows[0][name] = ";".join(f"{one['文件名']}|{one['字节数']}|{one['SHA-256']}" for one in value)
        elif name in ("企业类型", "入驻园区"):
            rows[0][name] = "、".join(value)
        else:
            for number, item in enumerate(value):
                if number >= len(rows):
                    rows.append({"申请编号": form["申请编号"]})
                rows[number] |= item
    return rows


def grid_of(*bodies: dict[str, Any]) -> Grid:
    """The heading and the rows of the claims."""
    return [TITLES, *([row.get(title, "") for title in TITLES] for body in bodies for row in rows_of(body))]


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
