"""The heading of a worksheet: which column is which field, by its name or one of the names in use for it."""

import difflib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from connectors.form_document import FormDocument, FormField
from tenants.tables.cells import Row, place
from tenants.tables.errors import TableError

RESULT_COLUMNS: Final = ("处理结果", "错误", "原行号")
"""Written beside the rows that come back; read over when they are handed in again."""
LOOKED_AT_ROWS: Final = 20
"""The heading may stand below a title, but not further down."""
LEAST_COLUMNS: Final = 3
_ROW: Final = "[]"


@dataclass(frozen=True, slots=True)
class Heading:
    """Where each field stands; ``titles`` are all columns as they are written, the results' ones included."""

    row: int
    titles: tuple[str, ...]
    fields: Mapping[int, FormField]

    def column_of(self, field: FormField) -> int | None:
        """The field's column, from zero."""
        return next((column for column, one in self.fields.items() if one is field), None)


def title_of(field: FormField) -> str:
    """The column's name: the last of the form's names."""
    return next(name for name in reversed(field.form) if name != _ROW)


def find_heading(document: FormDocument, rows: Iterator[Row]) -> Heading:
    """Read on to the heading and past it.

    Raises:
        TableError: there is none, or it has unknown, repeated or missing columns, each named.
    """
    known = known_titles(document)
    for row in rows:
        if row.number > LOOKED_AT_ROWS:
            break
        titles = tuple(cell.text for cell in row.cells)
        if sum(_plain(title) in known for title in titles) >= LEAST_COLUMNS:
            return _heading(document, row, titles, known)
    raise TableError(
        f"前 {LOOKED_AT_ROWS} 行中没有表头，请使用下载的模板。",
        f"There is no heading in the first {LOOKED_AT_ROWS} rows; use the template.",
    )


@cache
def _known_titles(name: str, fields: tuple[FormField, ...]) -> Mapping[str, FormField]:
    del name
    return {_plain(title): field for field in fields for title in (title_of(field), *field.also)}


def known_titles(document: FormDocument) -> Mapping[str, FormField]:
    """Every name that a column may bear, in plain writing."""
    return _known_titles(document.name, document.fields)


def _plain(title: str) -> str:
    """A name without what people add to it: width, white space, and the mark of what must be filled in."""
    text = "".join(unicodedata.normalize("NFKC", title).split())
    return text.strip("*").removesuffix("(必填)")


def _heading(document: FormDocument, row: Row, titles: tuple[str, ...], known: Mapping[str, FormField]) -> Heading:
    fields: dict[int, FormField] = {}
    for column, title in enumerate(titles):
        if not title or title in RESULT_COLUMNS:
            continue
        field = known.get(_plain(title))
        if field is None:
            raise _unknown(title, place(row.number, column), known)
        if field in fields.values():
            raise TableError(
                f"{place(row.number, column)}：“{title}”列重复。",
                f"{place(row.number, column)}: the column {title} stands there twice.",
            )
        fields[column] = field
    missing = [title_of(one) for one in document.fields if not one.optional and one not in fields.values()]
    if missing:
        raise TableError(f"缺少列：{'、'.join(missing)}。", f"Columns are missing: {', '.join(missing)}.")
    return Heading(row.number, titles, fields)


def _unknown(title: str, at: str, known: Mapping[str, FormField]) -> TableError:
    near = [title_of(known[one]) for one in difflib.get_close_matches(_plain(title), known, n=1)]
    hint = (f"，是否为“{near[0]}”", f"; did you mean {near[0]}") if near else ("", "")
    return TableError(f"{at}：没有“{title}”这一列{hint[0]}。", f"{at}: there is no column {title}{hint[1]}.")
