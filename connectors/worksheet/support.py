"""Support records as a table: a row is one key of a record, and rows of one record stand below each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.tables.cells import EXACT_DIGITS, Cell, Row, place, said
from tenants.tables.errors import TableError

COLUMNS: Final = {
    "external_id": ("外部编号", "业务编号", "编号"),
    "tenant": ("区域",),
    "enterprise_uscc": ("统一社会信用代码", "企业统一社会信用代码"),
    "supported_on": ("支持日期", "拨付日期"),
    "kind": ("类型", "标识类型"),
    "value": ("标识", "发票号码", "标识号码"),
    "code": ("发票代码",),
    "amount": ("金额", "支持金额"),
    "provider_uscc": ("服务单位统一社会信用代码", "服务机构统一社会信用代码"),
}
"""What each column may be called besides its own name."""
NEEDED: Final = ("external_id", "enterprise_uscc", "supported_on", "value")
KINDS: Final = {
    "发票": "invoice", "红字发票": "red_letter", "合同": "contract", "回单": "receipt", "银行回单": "receipt",
    "文件": "document",
}  # fmt: skip
DEFAULT_KIND: Final = "invoice"
MAX_KEYS: Final = 500

_NAMES: Final = {alias: name for name, aliases in COLUMNS.items() for alias in (name, *aliases)}
_OF_RECORD: Final = ("external_id", "tenant", "enterprise_uscc", "supported_on")


@dataclass(frozen=True, slots=True)
class Stated:
    """One record as JSON data, or why a row is none; ``number`` is its first row's."""

    number: int
    data: Json
    fault: Invalid | None = None


def stated_records(rows: Iterator[Row], platform: str, tenant: str | None) -> Iterator[Stated]:
    """The records of a table, as a platform would send them; ``tenant`` where a row names none.

    Raises:
        TableError: the first row does not name the columns that are needed, or names one twice.
    """
    filled = (row for row in rows if not row.is_blank)
    names = _names(next(filled, None))
    waiting: dict[str, Any] | None = None
    begun = 0
    for row in filled:
        fault = _fault(row, len(names))
        cells = {} if fault else {name: cell.text for name, cell in zip(names, row.cells, strict=False) if name}
        given: dict[str, str] = {name: text for name, text in cells.items() if text}
        head = _head(given, platform, tenant)
        if waiting is not None and (fault or head != waiting | {"keys": []} or len(waiting["keys"]) >= MAX_KEYS):
            yield Stated(begun, waiting)
            waiting = None
        if fault:
            yield Stated(row.number, None, fault)
        elif waiting is None:
            waiting, begun = head | {"keys": [_key(given)]}, row.number
        else:
            waiting["keys"].append(_key(given))
    if waiting is not None:
        yield Stated(begun, waiting)


def _names(row: Row | None) -> list[str]:
    """The field of each column, empty for one that is not ours."""
    names = [] if row is None else [_NAMES.get(cell.text.strip(), "") for cell in row.cells]
    known = [name for name in names if name]
    missing = [name for name in NEEDED if name not in known]
    if missing:
        titles = "、".join(COLUMNS[name][0] for name in missing)
        raise TableError(f"表头缺少列：{titles}。", f"The first row lacks columns: {', '.join(missing)}.")
    if len(set(known)) < len(known):
        raise TableError("表头有重复的列。", "The first row names a column twice.")
    return names


def _fault(row: Row, width: int) -> Invalid | None:
    """What makes the row unreadable, cell by cell: numbers that lost digits, formulas, cells without a column."""
    if row.fault:
        found = [("", row.fault)]
    else:
        found = [
            (place(row.number, at), fault)
            for at, cell in enumerate(row.cells[:width])
            if (fault := _cell_fault(cell)) is not None
        ]
        if not found and any(not cell.is_blank for cell in row.cells[width:]):
            found = [("", "row.too_many_cells")]
    if not found:
        return None
    errors = tuple(_at(at, *said(fault)) for at, fault in found)
    first = errors[0].message
    return Invalid("support_record.invalid", first.zh, first.en, errors=errors)


def _at(address: str, code: str, text: Text) -> FieldError:
    """The fault at its cell, which the message names too."""
    if not address:
        return FieldError("", code, text)
    return FieldError(f"/{address}", code, Text(f"单元格 {address}：{text.zh}", f"Cell {address}: {text.en}"))


def _cell_fault(cell: Cell) -> str | None:
    """What makes the cell unreadable; a long number is a text, or it has lost its last digits."""
    if cell.fault is None and cell.is_number and sum(map(str.isdigit, cell.text)) > EXACT_DIGITS:
        return f"cell.digits_lost|{cell.text}"
    return cell.fault


def _head(cells: dict[str, str], platform: str, tenant: str | None) -> dict[str, Any]:
    head: dict[str, Any] = {"platform": platform, "tenant": tenant, "keys": []}
    return head | {name: cells[name] for name in _OF_RECORD if name in cells}


def _key(cells: dict[str, str]) -> dict[str, Json]:
    kind = cells.get("kind", DEFAULT_KIND)
    code, value = cells.get("code", ""), cells.get("value", "")
    key: dict[str, Json] = {"kind": KINDS.get(kind, kind), "value": f"{code} {value}".strip()}
    if "amount" in cells:
        key["amount"] = cells["amount"].replace(",", "")
    if "provider_uscc" in cells:
        key["provider_uscc"] = cells["provider_uscc"]
    return key
