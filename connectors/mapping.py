"""From a platform's form to the canonical data, and every fault back to its place in the form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from connectors.faults import Fault, explain
from connectors.form_document import FormDocument, FormField, Place
from connectors.spelling import SPELLINGS, ascii_width
from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.strict_json import pointer

Path = tuple[str | int, ...]
"""Where something stands: names and places in lists, from the outside in."""

_ROW: Final = "[]"


@dataclass(slots=True)
class Mapped:
    """What became of a form: canonical data, where each part of it came from, and what could not be read."""

    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Path] = field(default_factory=dict)
    faults: list[FieldError] = field(default_factory=list)

    def fault(self, at: Path, fault: str) -> None:
        """Note a fault at a place of the form."""
        self.faults.append(FieldError(pointer(at), *explain(fault)))

    def put(self, to: Path, value: Json, origin: Path) -> None:
        """Set a part of the canonical data."""
        inner: Any = self.data
        for here, following in pairwise(to):
            inner = _step(inner, here, [] if isinstance(following, int) else {})
        if isinstance(inner, list):
            inner.append(value)
        else:
            inner[to[-1]] = value
        self.origins[to] = origin


def map_form(document: FormDocument, form: Json) -> Mapped:
    """The form's canonical data; members that the document does not know are faults."""
    mapped = Mapped()
    for at, value in document.constants.items():
        mapped.put(at, value, ())  # type: ignore[arg-type]  # TOML's values that a document holds are JSON's too
    if not isinstance(form, dict):
        mapped.fault((), "object.expected")
        return mapped
    for one in document.fields:
        if _ROW in one.to:
            rows = 0 if one.to[-1] == _ROW else _row_count(form, one.form)
            _ensure_rows(mapped.data, one.to[: one.to.index(_ROW)], rows)
        _take(document, one, form, mapped)
    _refuse_unknown(form, _known(document), (), mapped)
    return mapped


def placed_in_form(document: FormDocument, mapped: Mapped, problem: Invalid) -> Invalid:
    """The problem with its pointers turned to the form's own places."""
    moved = tuple(
        FieldError(pointer(_origin(document, mapped, path_of(error.pointer))), error.code, error.message)
        for error in problem.errors
    )
    return Invalid(problem.code, problem.text.zh, problem.text.en, errors=moved)


def _take(document: FormDocument, one: FormField, form: dict[str, Any], mapped: Mapped) -> None:
    if not one.to:
        return
    for at, value, rows in _found(form, one.form, (), ()):
        if value is None or value in ("", []):
            continue
        try:
            spelled = _spelled(document, one, value)
        except Fault as fault:
            mapped.fault(at, str(fault))
            continue
        to = _filled(one.to, rows, mapped.data)
        mapped.put(to, spelled, at)
        for length in range(1, len(to)):
            if isinstance(to[length - 1], int):
                mapped.origins.setdefault(to[:length], _row_of(at))


def _row_of(at: Path) -> Path:
    """The innermost row that the place lies in, or the place itself."""
    for length in range(len(at), 0, -1):
        if isinstance(at[length - 1], int):
            return at[:length]
    return at


def _found(inner: Any, names: Place, at: Path, rows: tuple[int, ...]) -> list[tuple[Path, Any, tuple[int, ...]]]:  # noqa: ANN401 - any JSON
    """Every value at the place, with where it stands and the rows on the way."""
    if not names:
        return [(at, inner, rows)]
    name, *rest = names
    if name == _ROW:
        if not isinstance(inner, list):
            return []
        return [
            found
            for number, item in enumerate(inner)
            for found in _found(item, tuple(rest), (*at, number), (*rows, number))
        ]
    if not isinstance(inner, dict) or name not in inner:
        return []
    return _found(inner[name], tuple(rest), (*at, name), rows)


def _spelled(document: FormDocument, one: FormField, value: Json) -> Json:
    if one.labels is None:
        spelled = SPELLINGS[one.spelling](value)
        return {"kind": one.kind, **spelled} if one.kind is not None and isinstance(spelled, dict) else spelled
    table = document.labels[one.labels]
    if one.spelling == "label":
        return _labelled(table, value)
    several = value if isinstance(value, list) else str(value).replace("，", "、").replace(",", "、").split("、")
    return [_labelled(table, each) for each in several]


def _labelled(table: Mapping[str, str | bool], value: Json) -> Json:
    text = ascii_width(value)
    found = table.get(text) if isinstance(text, str) else None
    if found is None:
        found = next((code for label, code in table.items() if text in (code, ascii_width(label))), None)
    if found is None:
        raise Fault("label.unknown", "、".join(table))
    return found


def _filled(to: Place, rows: tuple[int, ...], data: Mapping[str, Any]) -> Path:
    """The canonical place: rows stay in step with the form's, and what ends in a list goes behind what is there."""
    if to[-1] == _ROW:
        inner: Any = data
        for name in to[:-1]:
            inner = inner[name]
        return (*to[:-1], len(inner))
    left = list(rows)
    return tuple(left.pop(0) if name == _ROW else name for name in to)


def _step(inner: Any, here: str | int, new: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(inner, list) and isinstance(here, int):
        while len(inner) <= here:
            inner.append({})
        return inner[here]
    return inner.setdefault(here, new)


def _ensure_rows(data: dict[str, Any], to: Place, rows: int) -> None:
    """The list is there, with at least so many rows: a row without any value is still a row, and at fault."""
    inner: Any = data
    for name in to[:-1]:
        inner = inner.setdefault(name, {})
    listed = inner.setdefault(to[-1], [])
    while len(listed) < rows:
        listed.append({})


def _row_count(form: Mapping[str, Any], at: Place) -> int:
    inner: Any = form
    for name in at[: at.index(_ROW)]:
        inner = inner.get(name) if isinstance(inner, dict) else None
    return len(inner) if isinstance(inner, list) else 0


Known = dict[str, "Known"]


def _known(document: FormDocument) -> Known:
    known: Known = {}
    for one in document.fields:
        inner = known
        for name in one.form:
            inner = inner.setdefault(name, {})
    return known


def _refuse_unknown(inner: Any, known: Known, at: Path, mapped: Mapped) -> None:  # noqa: ANN401 - any JSON
    """Name every member that the document does not know, and everything that is not nested as it says."""
    if not known or inner is None:
        return
    if _ROW in known:
        if not isinstance(inner, list):
            mapped.fault(at, "list.expected")
            return
        for number, item in enumerate(inner):
            _refuse_unknown(item, known[_ROW], (*at, number), mapped)
    elif not isinstance(inner, dict):
        mapped.fault(at, "object.expected")
    else:
        for name, value in inner.items():
            if name in known:
                _refuse_unknown(value, known[name], (*at, name), mapped)
            else:
                mapped.fault((*at, name), "field.unknown")


def path_of(text: str) -> Path:
    """The place that an RFC 6901 pointer names; digits are places in lists, for no field is named so."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _origin(document: FormDocument, mapped: Mapped, at: Path) -> Path:
    """Where in the form a canonical place came from, or would have come from."""
    if at in mapped.origins:
        return mapped.origins[at]
    pattern = tuple(_ROW if isinstance(part, int) else part for part in at)
    for one in document.fields:
        if one.to == pattern:
            rows = [part for part in at if isinstance(part, int)]
            return tuple(rows.pop(0) if name == _ROW and rows else name for name in one.form)
    for length in range(len(at) - 1, 0, -1):
        if at[:length] in mapped.origins:
            return mapped.origins[at[:length]]
    inside = next((one for one in document.fields if at and one.to[: len(pattern)] == pattern), None)
    return inside.form[:1] if inside is not None else at
