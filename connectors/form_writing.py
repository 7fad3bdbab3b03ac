"""Canonical data in the words of a platform's form: what its platform would have on its screens.

For the simulators and for worked examples; reading what is written here gives the same data again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from connectors.form_document import FormDocument, FormField, Place
from tenants.kernel.canonical import Json

_ROW: Final = "[]"
_ENDINGS: Final[Mapping[str, str]] = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}
_FEN_IN_WAN_DIGITS: Final = 6


def write_form(document: FormDocument, data: Mapping[str, Any]) -> dict[str, Any]:
    """The form that states the data; fields that only a connector's rules fill are left to the caller."""
    form: dict[str, Any] = {}
    papers: dict[str, list[Any]] = {}
    for paper in data.get("documents") or ():
        papers.setdefault(paper["kind"], []).append(paper)
    for one in document.fields:
        if one.kind is not None:
            _write_files(form, one, papers)
        elif one.to:
            _write_value(document, form, one, data)
    return form


def _write_value(document: FormDocument, form: dict[str, Any], one: FormField, data: Mapping[str, Any]) -> None:
    if _ROW not in one.to:
        value = _at(data, one.to)
        if value not in (None, [], {}):
            _put(form, one.form, _said(document, one, value))
        return
    split = one.to.index(_ROW)
    for number, row in enumerate(_at(data, one.to[:split]) or ()):
        value = _at(row, one.to[split + 1 :])
        if value is not None:
            _put(form, one.form, _said(document, one, value), number)


def _write_files(form: dict[str, Any], one: FormField, papers: dict[str, list[Any]]) -> None:
    """Each file to the first place of its kind that is free; a list takes all that are left."""
    waiting = papers.get(str(one.kind), [])
    if not waiting:
        return
    if one.form[-1] == _ROW:
        for number, paper in enumerate(waiting):
            _put(form, one.form, _file(paper), number)
        waiting.clear()
    elif _ROW in one.form:
        rows = _at(form, one.form[: one.form.index(_ROW)]) or ()
        for number in range(min(len(rows), len(waiting))):
            _put(form, one.form, _file(waiting.pop(0)), number)
    else:
        _put(form, one.form, _file(waiting.pop(0)))


def _file(paper: Mapping[str, Any]) -> Json:
    name = f"{paper['kind']}.{_ENDINGS[paper['media_type']]}"
    return {"文件名": name, "字节数": paper["bytes"], "SHA-256": paper["sha256"]}


def _said(document: FormDocument, one: FormField, value: Any) -> Json:  # noqa: ANN401 - any JSON
    if one.labels is not None:
        labels = {code: label for label, code in document.labels[one.labels].items()}
        return [labels[each] for each in value] if isinstance(value, list) else labels[value]
    return _SAID.get(one.spelling, _as_it_is)(value)


def _as_it_is(value: Any) -> Json:  # noqa: ANN401 - any JSON
    said: Json = value
    return said


def _in_wan(value: str) -> str:
    yuan, _, decimals = value.partition(".")
    fen = (yuan + decimals.ljust(2, "0")).rjust(_FEN_IN_WAN_DIGITS + 1, "0")
    return f"{fen[:-_FEN_IN_WAN_DIGITS]}.{fen[-_FEN_IN_WAN_DIGITS:]}".rstrip("0").rstrip(".")


_SAID: Final[Mapping[str, Callable[[Any], Json]]] = {
    "amount": lambda value: f"¥{value}",
    "amount_in_wan": _in_wan,
    "percent": lambda value: f"{value}%",
    "yes_or_no": lambda value: "是" if value else "否",
}


def _at(inner: Any, names: Place) -> Any:  # noqa: ANN401 - any JSON
    for name in names:
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner


def _put(form: dict[str, Any], at: Place, value: Json, row: int = 0) -> None:
    inner: Any = form
    for name, following in zip(at, (*at[1:], None), strict=True):
        if name == _ROW:
            while len(inner) <= row:
                inner.append({} if following is not None else None)
            if following is None:
                inner[row] = value
            inner = inner[row]
        elif following is None:
            inner[name] = value
        else:
            inner = inner.setdefault(name, [] if following == _ROW else {})
