"""One cell of a table: what it says as text, or why it says nothing sure."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from xlsxwriter.utility import xl_col_to_name  # type: ignore[import-untyped]

from tenants.kernel.errors import Text

EXACT_DIGITS: Final = 15
"""Significant digits that a spreadsheet keeps of a number."""
_SCIENTIFIC: Final = re.compile(r"[+-]?\d+(?:\.\d+)?[eE][+-]?\d{1,3}\Z", re.ASCII)
_FORMULA_IN_TEXT: Final = re.compile(r"=.")

MESSAGES: Final = {
    "cell.formula": Text(
        "单元格是公式，请改为填写结果（复制后“选择性粘贴—数值”）。",
        "The cell holds a formula; fill in its result (copy, then paste the value).",
    ),
    "cell.error": Text("单元格显示错误 {detail}。", "The cell shows the error {detail}."),
    "cell.merged": Text(
        "单元格在合并区域 {detail} 内，请取消合并并逐行填写。",
        "The cell lies in the merged range {detail}; unmerge it and fill in every row.",
    ),
    "cell.digits_lost": Text(
        "号码被存为数字（{detail}），超过 15 位的部分已丢失，请把单元格设为文本格式后重新填写。",
        "A number such as this was stored as a quantity ({detail}), of which digits beyond 15 are lost; "
        "format the cell as text and fill it in again.",
    ),
    "cell.day_as_number": Text(
        "日期被存为数字 {detail}，请设为日期格式，或写成 2024-08-05 的形式。",
        "The day was stored as the number {detail}; format the cell as a date, or write it as in 2024-08-05.",
    ),
    "cell.too_long": Text("单元格超过 {detail} 个字符。", "The cell has more than {detail} characters."),
    "row.too_many_cells": Text("本行的单元格多于表头。", "The row has more cells than the heading."),
    "row.unreadable": Text("本行无法读取：{detail}。", "The row cannot be read: {detail}."),
    "row.contradicts": Text("与同一申请第 {detail} 行的内容不同。", "It differs from row {detail} of the same claim."),
}
"""What can be wrong with a cell or a row, besides what can be wrong with the value that it states."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; ``fault`` is a code of ``MESSAGES``, with what its text names behind a bar."""

    text: str = ""
    fault: str | None = None
    is_number: bool = False
    is_day: bool = False

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return not self.text and self.fault is None


BLANK: Final = Cell()


@dataclass(frozen=True, slots=True)
class Row:
    """One row, with its number as the spreadsheet shows it, from one."""

    number: int
    cells: tuple[Cell, ...]
    fault: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands in it."""
        return self.fault is None and all(cell.is_blank for cell in self.cells)


def place(row: int, column: int) -> str:
    """``C12`` for the third column, counted from zero, of row 12."""
    return f"{xl_col_to_name(column)}{row}"


def said(fault: str) -> tuple[str, Text]:
    """Code and text of a cell's fault."""
    code, _, detail = fault.partition("|")
    text = MESSAGES[code]
    return code, Text(text.zh.format(detail=detail), text.en.format(detail=detail))


def text_cell(text: str) -> Cell:
    """A cell of a text file, or a text in a spreadsheet; white space around it says nothing."""
    stripped = text.strip()
    return Cell(stripped, "cell.formula" if _FORMULA_IN_TEXT.match(stripped) else None)


def number_cell(value: object) -> Cell:
    """A cell that holds a quantity, with as many digits as a spreadsheet keeps and shows."""
    if isinstance(value, bool):
        return Cell("是" if value else "否")
    shown = str(value) if isinstance(value, int) else format(value, f".{EXACT_DIGITS}g")
    return Cell(format(Decimal(shown), "f"), is_number=True)


def day_cell(value: date | time) -> Cell:
    """A cell that holds a day, with its time of day where it has one."""
    if isinstance(value, datetime):
        at_midnight = value.time() == time()
        return Cell(value.date().isoformat() if at_midnight else f"{value:%Y-%m-%d %H:%M:%S}", is_day=True)
    return Cell(value.isoformat(), is_day=True)


def doubt(cell: Cell, spelling: str) -> str | None:
    """Why the cell cannot be taken for a value that is spelled so, where the cell itself looked sound."""
    digits = len(cell.text.lstrip("-").partition(".")[0])
    if spelling in ("text", "code"):
        if _SCIENTIFIC.match(cell.text) or (cell.is_number and digits > EXACT_DIGITS):
            return f"cell.digits_lost|{cell.text}"
    elif spelling in ("day", "instant"):
        plain = cell.text.replace(".", "", 1)
        if cell.is_number or (plain.isascii() and plain.isdigit()):
            return f"cell.day_as_number|{cell.text}"
    return None
