"""Forms as the interface's JSON: texts without what a text may not hold, empty fields left out."""

from collections.abc import Sequence

from flask import request

from tenants.kernel.canonical import Json


def plain_form(*names: str, required: Sequence[str] = ()) -> dict[str, Json]:
    """The form's fields of these names; an empty one is absent, unless it is ``required`` and so found at fault.

    A line break is a space: what is stored is one line, as the interface takes it.
    """
    given = {name: " ".join(request.form.get(name, "").split()) for name in names}
    return {name: value for name, value in given.items() if value or name in required}


def decision_form() -> dict[str, Json]:
    """What becomes of a proposed version: its number, outcome and reason."""
    version = request.form.get("version", "")
    return plain_form("outcome", "reason") | {"version": int(version) if version.isdecimal() else version}
