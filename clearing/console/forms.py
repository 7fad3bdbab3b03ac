"""Forms as the interface's JSON: texts without what a text may not hold, empty fields left out."""

from collections.abc import Sequence

from flask import request

from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.texts import TEXT_FAULTS, TextError, normal


def plain_form(*names: str, required: Sequence[str] = ()) -> dict[str, Json]:
    """The form's fields of these names; an empty one is absent, unless it is ``required`` and so found at fault.

    A line break is a space: what is stored is one line, as the interface takes it.

    Raises:
        Invalid: a text holds what no text may hold, such as a character that turns its direction; with its field.
    """
    given = {name: _line(name) for name in names}
    return {name: value for name, value in given.items() if value or name in required}


def _line(name: str) -> str:
    try:
        return normal(" ".join(request.form.get(name, "").split()))
    except TextError as error:
        text = TEXT_FAULTS[error.code]
        raise Invalid(error.code, text.zh, text.en, errors=(FieldError(f"/{name}", error.code, text),)) from error


def decision_form() -> dict[str, Json]:
    """What becomes of a proposed version: its number, outcome and reason."""
    version = request.form.get("version", "")
    return plain_form("outcome", "reason") | {"version": int(version) if version.isdecimal() else version}
