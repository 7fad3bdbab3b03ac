"""A platform's form as data: which of its fields is which of the canonical submission's, and which source says so."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from connectors.spelling import SPELLINGS

FORMS: Final = Path(__file__).parent / "forms"
OURS: Final = "ours"
"""The source of what no published document states: it is this service's own choice."""

Target = Literal["claim", "reservation", "support_record"]
Place = tuple[str, ...]
"""Names from the outside in; ``[]`` after a name stands for any of its rows."""


class FormDocumentError(ValueError):
    """A form document is at fault; the message names the file and the place."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form. ``to`` is empty where the field is known and not taken over, with the reason why."""

    form: Place
    to: Place
    spelling: str
    labels: str | None
    kind: str | None
    optional: bool
    source: str
    also: tuple[str, ...]
    """Other names of a column, for worksheets."""
    example: str
    note: str


@dataclass(frozen=True, slots=True)
class FormDocument:
    """One form of one platform."""

    platform: str
    name: str
    zh: str
    en: str
    makes: Target
    sources: Mapping[str, str]
    constants: Mapping[Place, object]
    labels: Mapping[str, Mapping[str, str | bool]]
    fields: tuple[FormField, ...]


def place(text: str) -> Place:
    """``发票[].发票编号`` as a place."""
    return tuple(
        part
        for name in text.split(".")
        for part in ((name.removesuffix("[]"), "[]") if name.endswith("[]") else (name,))
        if part
    )


def printed(at: Place) -> str:
    """A place as people read it."""
    return ".".join(at).replace(".[]", "[]")


@cache
def form_document(name: str) -> FormDocument:
    """The form with this name, such as ``jssic.order``.

    Raises:
        FormDocumentError: its file is at fault.
    """
    path = FORMS / f"{name}.toml"
    return read_document(name, path.read_text(encoding="utf-8"))


def all_documents() -> tuple[FormDocument, ...]:
    """Every form, by name."""
    return tuple(form_document(path.name.removesuffix(".toml")) for path in sorted(FORMS.glob("*.toml")))


def read_document(name: str, text: str) -> FormDocument:
    """The form that the TOML text describes.

    Raises:
        FormDocumentError: it is at fault.
    """
    try:
        data = tomllib.loads(text)
        document = FormDocument(
            platform=data["platform"],
            name=name,
            zh=data["zh"],
            en=data["en"],
            makes=data["makes"],
            sources=data["sources"],
            constants={place(at): value for at, value in data.get("constants", {}).items()},
            labels=data.get("labels", {}),
            fields=tuple(_field(one) for one in data["fields"])
            + tuple(_not_taken(form, one) for one in data.get("not_taken", ()) for form in one["forms"]),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise FormDocumentError(f"{name}: {error!r}") from error
    for field in document.fields:
        _check(document, field)
    return document


_FIELD_KEYS: Final = frozenset({"form", "to", "as", "labels", "kind", "optional", "source", "also", "example", "note"})


def _field(data: Mapping[str, Any]) -> FormField:
    if surplus := data.keys() - _FIELD_KEYS:
        raise KeyError(f"{data.get('form')}: {', '.join(sorted(surplus))}")
    return FormField(
        form=place(data["form"]),
        to=place(data.get("to", "")),
        spelling=data.get("as", "text"),
        labels=data.get("labels"),
        kind=data.get("kind"),
        optional=data.get("optional", False),
        source=data["source"],
        also=tuple(data.get("also", ())),
        example=data.get("example", ""),
        note=data.get("note", ""),
    )


def _not_taken(form: str, data: Mapping[str, Any]) -> FormField:
    return _field({"form": form, "optional": True, "source": data["source"], "note": data["note"]})


def _check(document: FormDocument, field: FormField) -> None:
    where = f"{document.name}: {printed(field.form)}"
    source = field.source.split(" ", 1)[0]
    if source != OURS and source not in document.sources:
        raise FormDocumentError(f"{where}: no such source: {source}")
    if (field.labels is not None) != (field.spelling in ("label", "labels")):
        raise FormDocumentError(f"{where}: labels go with the spellings label and labels")
    if field.labels is None and field.spelling not in SPELLINGS:
        raise FormDocumentError(f"{where}: no such spelling: {field.spelling}")
    if field.labels is not None and field.labels not in document.labels:
        raise FormDocumentError(f"{where}: no such list of labels: {field.labels}")
    if not field.to and not field.note:
        raise FormDocumentError(f"{where}: a field that is not taken over says why")
    if (field.kind is not None) != (field.spelling == "file"):
        raise FormDocumentError(f"{where}: a file has its kind")
