"""A policy document as a form: its values with their clauses by name, and one value or clause changed in the text."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from flask_babel import gettext as _

from clearing.console.filters import day
from clearing.console.language import said
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.money import in_thousands
from tenants.policy_codes import code_words
from tenants.policy_lines import lines_of
from tenants.policy_words import WORDS

UNSET: Final = "unset"
VALUE: Final = "value:"
CITE: Final = "cite:"
WAS: Final = "was-"
"""How the form's fields are named: ``value:/zones/0/rate``, and with ``was-`` before it what stood there."""
_ELSEWHERE: Final = Text(
    "此项已不在文件的一行之中，请直接在文件中修改。", "It no longer stands on one line: change it in the text."
)
_BETWEEN: Final = re.compile(r"[、,，;；]\s*")
_ASSIGNED: Final = re.compile(r"(\s*[A-Za-z0-9_.\"-]+\s*=\s*)(.*)", re.DOTALL)
_WHOLE: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_YUAN: Final = re.compile(r"[0-9]{1,13}\.[0-9]{2}", re.ASCII)
_TOLD: Final = frozenset({"code", "zh", "en"})
"""Members of an entry that its label says."""
_YES: Final = frozenset({"是", "yes", "true"})
_NO: Final = frozenset({"否", "no", "false"})


@dataclass(frozen=True, slots=True)
class Term:
    """One value with its clause: where it stands, what people call it, how it is spelt, and whether a form changes it.

    ``pointer`` is its RFC 6901 place, ``place`` the same with entries by their code: ``zones[north].rate``. ``value``
    is what a form takes, ``read`` the same for a reader: with names for codes, and amounts with their thousands apart.
    """

    pointer: str
    place: str
    label: str
    value: str
    read: str
    cite: str
    note: str | None
    editable: bool


def terms_of(text: str) -> list[Term]:
    """Every value that stands with a clause, in the order of the document; of a text that is no TOML none."""
    try:
        return [*_terms(tomllib.loads(text), "", "", ())]
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        return []


def with_changes(text: str, given: Mapping[str, str]) -> str:
    """The text with those values and clauses changed that the form holds otherwise than it was shown.

    Raises:
        Invalid: ``term.elsewhere``: the text no longer holds the value on one line; it is changed in the text itself.
    """
    faults: list[FieldError] = []
    for name, now in given.items():
        kind, _colon, pointer = name.partition(":")
        if f"{kind}:" not in {VALUE, CITE} or now == given.get(f"{WAS}{name}", now):
            continue
        changed = _changed(text, pointer, kind, now.strip())
        if changed is None:
            words = Text(
                "此项已不在文件的一行之中，请直接在文件中修改。",
                "It no longer stands on one line: change it in the text.",
            )
            faults.append(FieldError(pointer, "term.elsewhere", words))
        else:
            text = changed
    if faults:
        words = Text("有的条目无法由表单改入文件。", "Some entries could not be changed in the text by the form.")
        raise Invalid("policy.form", words.zh, words.en, errors=tuple(faults))
    return text


def line_of(text: str, fault: FieldError) -> int | None:
    """The line of the text, from 1, that the fault names in its message."""
    found = re.match(r"第 ([0-9]+) 行", fault.message.zh) or re.search(r"at line ([0-9]+)", fault.message.en)
    number = None if found is None else int(found[1])
    return number if number is not None and number <= len(text.splitlines()) else None


def _changed(text: str, pointer: str, kind: str, now: str) -> str | None:
    lines, places = text.splitlines(), lines_of(text)
    number = places.get(pointer)
    found = None if number is None else _ASSIGNED.fullmatch(lines[number - 1])
    if number is None or found is None:
        return None
    try:
        entry = tomllib.loads(f"x = {found[2]}")["x"]
    except (tomllib.TOMLDecodeError, ValueError):
        return None
    if not isinstance(entry, dict) or kind not in entry:
        return None
    entry[kind] = _typed(entry[kind], now) if kind == "value" else now
    inside = ", ".join(f"{name} = {_toml(value)}" for name, value in entry.items())
    lines[number - 1] = f"{found[1]}{{ {inside} }}"
    return "\n".join(lines) + "\n"


def _typed(before: Any, now: str) -> Any:  # noqa: ANN401 - TOML's data
    """What was typed, as what stood there before; what it cannot be is a text, which the document's check refuses."""
    if now == UNSET:
        return UNSET
    if isinstance(before, bool):
        return True if now.lower() in _YES else False if now.lower() in _NO else now
    if isinstance(before, list):
        parts = [part for part in _BETWEEN.split(now) if part]
        return [_typed(before[0], part) for part in parts] if before else parts
    if _WHOLE.fullmatch(now) and (isinstance(before, int) or before == UNSET):
        return int(now)
    if isinstance(before, date):
        try:
            return type(before).fromisoformat(now)
        except ValueError:
            return now
    return now


def _toml(value: Any) -> str:  # noqa: ANN401 - TOML's data
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(_toml(inner) for inner in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


def _terms(table: Any, pointer: str, place: str, words: Sequence[str]) -> Iterator[Term]:  # noqa: ANN401 - TOML's data
    if isinstance(table, dict):
        if isinstance(table.get("cite"), str):
            yield _term(table, pointer, place, words)
        for name, inner in table.items():
            called = WORDS.get(name)
            label = name if called is None else said(called)
            yield from _terms(inner, f"{pointer}/{name}", f"{place}.{name}" if place else name, (*words, label))
    elif isinstance(table, list):
        for number, inner in enumerate(table):
            code = inner.get("code", number + 1) if isinstance(inner, dict) else number + 1
            name = (
                said(Text(str(inner.get("zh", code)), str(inner.get("en", code)))) if isinstance(inner, dict) else code
            )
            yield from _terms(inner, f"{pointer}/{number}", f"{place}[{code}]", (*words, str(name)))


def _called(entry: Any, number: int) -> tuple[str, str]:  # noqa: ANN401 - TOML's data
    """An entry's code, or its number where it has none, and what people call it."""
    if not isinstance(entry, dict):
        return str(number), str(number)
    code = str(entry.get("code", number))
    return code, said(Text(str(entry.get("zh", code)), str(entry.get("en", code))))


def _term(table: dict[str, Any], pointer: str, place: str, words: Sequence[str]) -> Term:
    rest = {
        name: value for name, value in table.items() if name not in {"cite", "note"} and not isinstance(value, dict)
    }
    value = rest.get("value", rest)
    editable = "value" in rest and not any(isinstance(each, dict | list) for each in _each(value))
    note = table.get("note")
    return Term(
        pointer,
        place,
        " · ".join(words),
        _spelt(value),
        _read(value),
        table["cite"],
        None if note is None else str(note),
        editable,
    )


def _each(value: Any) -> list[Any]:  # noqa: ANN401 - TOML's data
    return value if isinstance(value, list) else []


def _read(value: Any) -> str:  # noqa: ANN401 - TOML's data
    if isinstance(value, dict):
        told = ((name, inner) for name, inner in value.items() if name not in _TOLD and inner != [])
        return "；".join(f"{said(WORDS.get(name, Text(name, name)))}：{_read(inner)}" for name, inner in told)
    if isinstance(value, list):
        return "、".join(_read(inner) for inner in value if not isinstance(inner, dict | list))
    if isinstance(value, date) and not isinstance(value, datetime):
        return day(value)
    if isinstance(value, str):
        return in_thousands(value) if _YUAN.fullmatch(value) else said(code_words(value))
    return _spelt(value)


def _spelt(value: Any) -> str:  # noqa: ANN401 - TOML's data
    if isinstance(value, dict):
        return "；".join(
            f"{name}={_spelt(inner)}" for name, inner in value.items() if not isinstance(inner, list) or inner
        )
    if isinstance(value, bool):
        return str(_("是") if value else _("否"))
    if isinstance(value, list):
        return "、".join(_spelt(inner) for inner in value if not isinstance(inner, dict | list))
    return str(value)
