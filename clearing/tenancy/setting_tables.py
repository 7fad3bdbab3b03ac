"""What a region sets, from tables: trust lists, linked regions, calendars and budgets; each fault at its cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from clearing.tenancy.imports import lenient_day, words_of
from clearing.tenancy.linkages import Commitment
from clearing.tenancy.trust_lists import Listing
from connectors.claim_schema import NAME_CHARACTERS
from connectors.faults import Fault, explain
from connectors.fields import DayField, MoneyField, UsccField
from connectors.leaf import CodeField, TextField
from connectors.table_file import Column, Line, read_table, refuse
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.money import Money

T = TypeVar("T")

TRUST_COLUMNS: Final = (
    Column("uscc", ("统一社会信用代码",), required=True),
    Column("name", ("服务单位名称", "单位名称"), required=True),
    Column("from_on", ("起始日",), required=True),
    Column("through_on", ("截止日",), required=True),
)
REGION_COLUMNS: Final = (
    Column("division", ("区划代码",), required=True),
    Column("types", ("企业类型",), required=True),
)
CALENDAR_COLUMNS: Final = (
    Column("day", ("日期",), required=True),
    Column("kind", ("安排",), required=True),
)
BUDGET_COLUMNS: Final = (
    Column("scheme", ("券种",), required=True),
    Column("year", ("年度",), required=True),
    Column("amount", ("预算（元）", "预算"), required=True),
    Column("reason", ("理由",)),
)
LINKAGE_COLUMNS: Final = (
    Column("scheme", ("券种",), required=True),
    Column("year", ("年度",), required=True),
    Column("division", ("区划代码",), required=True),
    Column("types", ("企业类型",), required=True),
    Column("provincial_to_local", ("省地比例",), required=True),
    Column("cap", ("企业年度上限（元）", "企业年度上限"), required=True),
    Column("from_on", ("起始日",), required=True),
    Column("cite", ("承诺文号",), required=True),
)
DISTRICT_COLUMNS: Final = (
    Column("person", ("人员",), required=True),
    Column("division", ("区划代码",), required=True),
    Column("ground", ("依据",), required=True),
)
DAY_KINDS: Final = {"放假": "holidays", "上班": "workdays", "holiday": "holidays", "workday": "workdays"}

_uscc, _name = UsccField().read, TextField(NAME_CHARACTERS).read
_day, _money = lenient_day(DayField().read), MoneyField(zero=True).read
_division, _year = CodeField("[1-9][0-9]{5}").read, CodeField("20[0-9]{2}").read
_code = CodeField("[a-z][a-z0-9_]{0,47}").read
_scheme, _reason = CodeField("[a-z][a-z0-9-]{1,30}").read, TextField(200).read
_ratio, _cap = CodeField("[1-9][0-9]{0,5}:[1-9][0-9]{0,5}").read, MoneyField().read
_person = TextField(NAME_CHARACTERS).read


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """One year's appropriation of a scheme, and the row that says it."""

    line: Line
    scheme: str
    year: int
    amount: Money
    reason: str | None


def read_trust_list(content: bytes, cite: str) -> list[Listing]:
    """The whole list.

    Raises:
        Malformed: it is no table.
        Invalid: no document is named; or every faulty cell.
    """
    if not cite:
        said = Text("请写明依据（文号）。", "Name the document that it stands on.")
        raise Invalid("trust_list.invalid", said.zh, said.en, errors=(FieldError("/cite", "text.blank", said),))
    lines = read_table(content, TRUST_COLUMNS)
    rows = _read(lines, {"uscc": _uscc, "name": _name, "from_on": _day, "through_on": _day}, ("uscc",))
    faults = [
        line.fault(
            "through_on", "through_on.before_from_on", Text("截止日早于起始日。", "It lies before the first day.")
        )
        for line, row in zip(lines, rows, strict=True)
        if row["through_on"] < row["from_on"]
    ]
    if faults:
        raise refuse(faults)
    return [Listing(row["uscc"], row["name"], row["from_on"], row["through_on"]) for row in rows]


def read_linkages(content: bytes) -> list[tuple[Line, Commitment]]:
    """What regions commit themselves to, each with the row that says it.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell.
    """
    lines = read_table(content, LINKAGE_COLUMNS)
    reads: dict[str, Callable[[str], Any]] = {
        "scheme": _scheme, "year": _year, "division": _division, "types": _types, "provincial_to_local": _ratio,
        "cap": _cap, "from_on": _day, "cite": _reason,
    }  # fmt: skip
    rows = _read(lines, reads, ("scheme", "year", "division", "from_on"))
    return [
        (line, Commitment(**{**row, "year": int(row["year"]), "types": tuple(row["types"])}))
        for line, row in zip(lines, rows, strict=True)
    ]


def read_districts(content: bytes) -> list[tuple[Line, dict[str, str]]]:
    """Whom which division binds and on what ground, each with the row that says it.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell.
    """
    lines = read_table(content, DISTRICT_COLUMNS)
    rows = _read(lines, {"person": _person, "division": _division, "ground": _reason}, ("person", "division"))
    return list(zip(lines, rows, strict=True))


def read_regions(content: bytes) -> dict[str, list[str]]:
    """A year's linked regions: the types that each division matches.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell.
    """
    lines = read_table(content, REGION_COLUMNS)
    return {
        row["division"]: row["types"] for row in _read(lines, {"division": _division, "types": _types}, ("division",))
    }


def read_calendar(content: bytes) -> dict[str, list[date]]:
    """A year's ``holidays`` and make-up ``workdays``.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell.
    """
    lines = read_table(content, CALENDAR_COLUMNS)
    days: dict[str, list[date]] = {"holidays": [], "workdays": []}
    for row in _read(lines, {"day": _day, "kind": _day_kind}, ("day",)):
        days[row["kind"]].append(row["day"])
    return days


def read_budgets(content: bytes) -> list[BudgetLine]:
    """Appropriations by scheme and year.

    Raises:
        Malformed: it is no table.
        Invalid: with each faulty cell.
    """
    lines = read_table(content, BUDGET_COLUMNS)
    reads = {"scheme": _scheme, "year": _year, "amount": _money, "reason": _reason}
    rows = _read(lines, reads, ("scheme", "year"))
    return [
        BudgetLine(line, row["scheme"], int(row["year"]), row["amount"], row["reason"])
        for line, row in zip(lines, rows, strict=True)
    ]


def _read(lines: Sequence[Line], reads: dict[str, Callable[[str], Any]], key: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the lines say, if all of them say it well and of each key once; what may be empty is ``None``."""
    rows: list[dict[str, Any]] = []
    faults: list[FieldError] = []
    seen: dict[tuple[Any, ...], int] = {}
    for line in lines:
        row: dict[str, Any] = {}
        for name, read in reads.items():
            text = line.text(name)
            try:
                row[name] = _taken(read, text, may_lack=name == "reason")
            except Fault as fault:
                faults.append(line.fault(name, *explain(str(fault))))
        if len(row) == len(reads):
            named = tuple(row[name] for name in key)
            if named in seen:
                said = Text(f"与第 {seen[named]} 行重复。", f"It stands in row {seen[named]} already.")
                faults.append(line.fault(key[0], "row.repeated", said))
            seen.setdefault(named, line.number)
        rows.append(row)
    if faults:
        raise refuse(faults)
    return rows


def _taken(read: Callable[[str], T], text: str | None, *, may_lack: bool) -> T | None:
    if text is None and not may_lack:
        raise Fault("text.blank")
    return None if text is None else read(text)


def _types(text: str) -> list[str]:
    return [_code(word) for word in words_of(text.replace(",", "、").replace("，", "、"))]


def _day_kind(text: str) -> str:
    if text not in DAY_KINDS:
        raise Fault("choice.unknown", "放假、上班")
    return DAY_KINDS[text]
