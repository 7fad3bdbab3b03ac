"""Policy records to TOML and back, driven by the records' own types, so that no field can be forgotten.

A term is an inline table ``{ value = …, cite = "…" }``; amounts, rates and ratios are strings; days and instants are
TOML's own. Reading collects every fault with its place (RFC 6901); writing answers one text per record.
"""

import json
import types
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tenants.kernel.errors import FieldError, Text
from tenants.kernel.money import Money, MoneyError
from tenants.kernel.rate import RateError, parse_rate, print_rate
from tenants.policy import UNSET, Term, Unset

R = TypeVar("R")

MAX_TEXT: Final = 1_000
MAX_ENTRIES: Final = 500

_MESSAGES: Final = {
    "unknown_key": Text("没有这个键。", "There is no such key."),
    "missing": Text("缺少这个键。", "This key is missing."),
    "missing_citation": Text(
        "每个值都须注明依据：{ value = …, cite = “文号及条款” }。",
        'Every value needs its citation: { value = …, cite = "document and clause" }.',
    ),
    "not_a_table": Text("此处应为表。", "A table belongs here."),
    "not_a_list": Text("此处应为数组。", "An array belongs here."),
    "too_many": Text(f"数组超过 {MAX_ENTRIES} 项。", f"The array has more than {MAX_ENTRIES} entries."),
    "repeated": Text("数组中有重复项。", "The array holds the same entry twice."),
    "not_text": Text("此处应为非空的文字。", "A text that is not empty belongs here."),
    "not_clean_text": Text(
        "文字含控制字符、首尾空白或过长。", "The text is too long, or has control characters or outer spaces."
    ),
    "not_a_whole_number": Text("此处应为非负整数。", "A whole number, zero or more, belongs here."),
    "not_true_or_false": Text("此处应为 true 或 false。", "true or false belongs here."),
    "not_a_day": Text("此处应为日期，如 2024-01-01。", "A day such as 2024-01-01 belongs here."),
    "not_an_instant": Text(
        "此处应为带时区的时刻，如 2024-06-30T17:00:00+08:00。",
        "An instant with its offset, such as 2024-06-30T17:00:00+08:00, belongs here.",
    ),
    "not_money": Text(
        "金额须写成字符串，单位元，至多两位小数。", "An amount is a string in yuan with at most two decimals."
    ),
    "not_a_rate": Text("比例须写成字符串，如 “0.35” 或 “7:3”。", 'A proportion is a string such as "0.35" or "7:3".'),
    "not_a_choice": Text("此处只能取规定的值之一。", "Only one of the listed values belongs here."),
    "not_unset": Text("此处的值必须给出，不能写 unset。", "This value must be given; it cannot be unset."),
}


class _Fault(Enum):
    """Stands for a value that could not be read; its fault is on the list."""

    FAULT = "fault"


class Reading:
    """One pass over one document; ``faults`` grows as it goes."""

    def __init__(self) -> None:
        self.faults: list[FieldError] = []

    def fault(self, place: str, code: str) -> _Fault:
        """Note the fault and answer its stand-in."""
        self.faults.append(FieldError(place or "/", code, _MESSAGES[code]))
        return _Fault.FAULT

    def record(self, kind: type[R], data: object, place: str = "") -> R | None:
        """The table as a record of the type, or ``None`` where anything in it is at fault."""
        read = self._record(kind, data, place)
        return None if read is _Fault.FAULT else cast("R", read)

    def _record(self, kind: Any, data: object, place: str) -> object:  # noqa: ANN401 - a type from an annotation
        if not isinstance(data, dict):
            return self.fault(place, "not_a_table")
        known = _fields(kind)
        for key in data:
            if key not in known:
                self.fault(f"{place}/{_escape(str(key))}", "unknown_key")
        values = {name: self._field(field, hint, data, place) for name, (field, hint) in known.items()}
        if _Fault.FAULT in values.values() or any(key not in known for key in data):
            return _Fault.FAULT
        return kind(**values)

    def _field(self, field: "Field[Any]", hint: Any, data: Mapping[str, object], place: str) -> object:  # noqa: ANN401
        inner = f"{place}/{field.name}"
        if field.name in data:
            return self._value(hint, data[field.name], inner)
        return self.fault(inner, "missing") if field.default is MISSING else field.default

    def _value(self, hint: Any, data: object, place: str) -> object:  # noqa: ANN401
        origin = get_origin(hint)
        if origin is Term:
            return self._term(get_args(hint)[0], data, place)
        if origin is tuple:
            return self._list(get_args(hint)[0], data, place)
        if origin is Literal:
            return data if data in get_args(hint) else self.fault(place, "not_a_choice")
        if origin in {Union, types.UnionType}:
            return self._union(get_args(hint), data, place)
        if is_dataclass(hint):
            return self._record(hint, data, place)
        return _SCALARS[hint](self, data, place)

    def _union(self, choices: tuple[Any, ...], data: object, place: str) -> object:
        if Unset in choices and data == UNSET.value:
            return UNSET
        return self._value(next(each for each in choices if each not in {Unset, type(None)}), data, place)

    def _term(self, hint: Any, data: object, place: str) -> object:  # noqa: ANN401
        if not isinstance(data, dict) or "value" not in data or "cite" not in data:
            return self.fault(place, "missing_citation")
        for key in data.keys() - {"value", "cite", "note"}:
            self.fault(f"{place}/{_escape(str(key))}", "unknown_key")
        if data["value"] == UNSET.value and Unset not in get_args(hint):
            return self.fault(f"{place}/value", "not_unset")
        value = self._value(hint, data["value"], f"{place}/value")
        cite = _text(self, data["cite"], f"{place}/cite")
        note = _text(self, data["note"], f"{place}/note") if "note" in data else ""
        if _Fault.FAULT in (value, cite, note) or data.keys() - {"value", "cite", "note"}:
            return _Fault.FAULT
        return Term(value, cast("str", cite), cast("str", note))

    def _list(self, hint: Any, data: object, place: str) -> object:  # noqa: ANN401
        if not isinstance(data, list):
            return self.fault(place, "not_a_list")
        if len(data) > MAX_ENTRIES:
            return self.fault(place, "too_many")
        entries = [self._value(hint, each, f"{place}/{index}") for index, each in enumerate(data)]
        if _Fault.FAULT in entries:
            return _Fault.FAULT
        if len(set(entries)) != len(entries):
            return self.fault(place, "repeated")
        return tuple(entries)


def _escape(key: str) -> str:
    return key[:MAX_TEXT].replace("~", "~0").replace("/", "~1")


@cache
def _fields(kind: Any) -> "dict[str, tuple[Field[Any], Any]]":  # noqa: ANN401
    hints = get_type_hints(kind)
    return {field.name: (field, hints[field.name]) for field in fields(kind)}


def _text(reading: Reading, data: object, place: str) -> object:
    if not isinstance(data, str) or not data:
        return reading.fault(place, "not_text")
    clean = len(data) <= MAX_TEXT and data == data.strip() and data.isprintable()
    return unicodedata.normalize("NFC", data) if clean else reading.fault(place, "not_clean_text")


def _whole(reading: Reading, data: object, place: str) -> object:
    return data if type(data) is int and data >= 0 else reading.fault(place, "not_a_whole_number")


def _truth(reading: Reading, data: object, place: str) -> object:
    return data if isinstance(data, bool) else reading.fault(place, "not_true_or_false")


def _day(reading: Reading, data: object, place: str) -> object:
    return data if type(data) is date else reading.fault(place, "not_a_day")


def _instant(reading: Reading, data: object, place: str) -> object:
    aware = isinstance(data, datetime) and data.tzinfo is not None
    return data if aware else reading.fault(place, "not_an_instant")


def _money(reading: Reading, data: object, place: str) -> object:
    try:
        return Money.parse(data) if isinstance(data, str) else reading.fault(place, "not_money")
    except MoneyError:
        return reading.fault(place, "not_money")


def _rate(reading: Reading, data: object, place: str) -> object:
    try:
        return parse_rate(data) if isinstance(data, str) else reading.fault(place, "not_a_rate")
    except RateError:
        return reading.fault(place, "not_a_rate")


_SCALARS: Final[dict[Any, Callable[[Reading, object, str], object]]] = {
    str: _text,
    int: _whole,
    bool: _truth,
    date: _day,
    datetime: _instant,
    Money: _money,
    Fraction: _rate,
}


def print_record(record: object) -> str:
    """The record as TOML, keys in the record's own order, defaults left out: equal records give equal bytes."""
    lines: list[str] = []
    _print_table(record, "", lines)
    return "\n".join(lines) + "\n"


def _print_table(record: Any, path: str, lines: list[str]) -> None:  # noqa: ANN401 - any of the policy's records
    inner: list[tuple[str, object]] = []
    kind: Any = type(record)
    for name, (field, _) in _fields(kind).items():
        value = getattr(record, name)
        if field.default is not MISSING and value == field.default:
            continue
        if _is_table(value) or (isinstance(value, tuple) and value and _is_table(value[0])):
            inner.append((name, value))
        else:
            lines.append(f"{name} = {_print_value(value)}")
    for name, value in inner:
        here = f"{path}.{name}" if path else name
        for each in value if isinstance(value, tuple) else (value,):
            lines.extend(["", f"[[{here}]]" if isinstance(value, tuple) else f"[{here}]"])
            _print_table(each, here, lines)


def _is_table(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, Term)


def _print_value(value: object) -> str:
    if isinstance(value, Term):
        note = f", note = {_print_value(value.note)}" if value.note else ""
        return f"{{ value = {_print_value(value.value)}, cite = {_print_value(value.cite)}{note} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(_print_value(each) for each in value)}]"
    return _PRINTERS[type(value)](value)


_PRINTERS: Final[dict[type, Callable[[Any], str]]] = {
    Unset: lambda value: f'"{value.value}"',
    bool: lambda value: "true" if value else "false",
    int: str,
    str: lambda value: json.dumps(value, ensure_ascii=False),
    Money: lambda value: f'"{value}"',
    Fraction: lambda value: f'"{print_rate(value)}"',
    date: date.isoformat,
    datetime: datetime.isoformat,
}
