"""Templates to download, in Chinese: every column as text, choices as lists, and a sheet that explains each column."""

import csv
import io
from typing import Final

from xlsxwriter import Workbook  # type: ignore[import-untyped]

from connectors.form_document import FormDocument, FormField
from connectors.worksheet.heading import title_of

ROWS_WITH_CHOICES: Final = 20_000
LIST_CHARACTERS: Final = 255
"""As long as a list of choices may be in a workbook."""
_COLUMN_CHARACTERS: Final = 18
_EXPLAINED: Final = ("列名", "必填", "填写内容", "示例", "也可写作", "依据")


def template_csv(document: FormDocument) -> bytes:
    """The heading alone, in UTF-8 with a byte order mark, by which spreadsheets know it."""
    text = io.StringIO()
    csv.writer(text).writerow([title_of(one) for one in document.fields])
    return text.getvalue().encode("utf-8-sig")


def template_xlsx(document: FormDocument) -> bytes:
    """A workbook with the heading, and a sheet that explains it."""
    out = io.BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False}) as book:
        heading = book.add_format({"bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "border": 1})
        text = book.add_format({"num_format": "@"})
        sheet, notes = book.add_worksheet("申请"), book.add_worksheet("填写说明")
        sheet.freeze_panes(1, 1)
        notes.write_row(0, 0, _EXPLAINED, heading)
        for column, one in enumerate(document.fields):
            sheet.set_column(column, column, _COLUMN_CHARACTERS, text)
            sheet.write_string(0, column, title_of(one), heading)
            choices = _choices(document, one)
            if choices and one.spelling == "label" and len(",".join(choices)) <= LIST_CHARACTERS:
                rule = {"validate": "list", "source": choices, "error_message": "请从列表中选择"}
                sheet.data_validation(1, column, ROWS_WITH_CHOICES, column, rule)
            notes.write_row(column + 1, 0, _explained(document, one))
        notes.set_column(0, len(_EXPLAINED) - 1, _COLUMN_CHARACTERS * 2)
    return out.getvalue()


def _choices(document: FormDocument, one: FormField) -> list[str]:
    if one.spelling == "yes_or_no":
        return ["是", "否"]
    return [] if one.labels is None else list(document.labels[one.labels])


def _explained(document: FormDocument, one: FormField) -> tuple[str, ...]:
    choices = _choices(document, one)
    what = "、".join(choices) if choices else _WHAT.get(one.spelling, "文字")
    source, _, where = one.source.partition(" ")
    ground = "本系统所定" if source == "ours" else f"{document.sources[source]} {where}"
    return title_of(one), "否" if one.optional else "是", what, one.example, "、".join(one.also), ground


_WHAT: Final = {
    "amount": "元，最多两位小数",
    "amount_in_wan": "万元，最多六位小数",
    "day": "日期，如 2024-08-05",
    "instant": "时间，如 2024-08-29 10:00",
    "percent": "百分数，如 33.4",
    "division": "省 市 区县，或六位代码",
    "file": "文件名|字节数|SHA-256，多个文件以分号隔开",
}
