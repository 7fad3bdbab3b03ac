"""Connectors: each reads one form of one platform into what the service takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.form_document import FormDocument, Target, form_document
from connectors.mapping import Mapped, map_form, placed_in_form
from connectors.reading import read_reservation, read_submission, read_support_record
from connectors.submission import ReservationRequest, Submission, SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Invalid

Read = Submission | ReservationRequest | SupportRecord

Rule = Callable[[Mapping[str, Any], Mapped], None]
"""What a form says that data cannot: looks at the form, completes what was mapped or notes a fault."""

READERS: Final[Mapping[Target, Callable[[Json], Read]]] = {
    "claim": read_submission,
    "reservation": read_reservation,
    "support_record": read_support_record,
}


@dataclass(frozen=True, slots=True)
class Connector:
    """Reads one form of one platform; ``rules`` run in their order after the document's fields were mapped."""

    platform: str
    document: FormDocument
    rules: tuple[Rule, ...] = ()

    def read(self, form: Json) -> Read:
        """What the form states.

        Raises:
            Invalid: with a pointer into the form for each fault.
        """
        mapped = self.mapped(form)
        try:
            read = READERS[self.document.makes](mapped.data)
        except Invalid as problem:
            told = placed_in_form(self.document, mapped, problem)
            known = {error.pointer for error in mapped.faults}
            more = tuple(error for error in told.errors if error.pointer not in known)
            raise _refused(mapped, more) from problem
        if mapped.faults:
            raise _refused(mapped)
        return read

    def mapped(self, form: Json) -> Mapped:
        """The form's canonical data, before it is read."""
        mapped = map_form(self.document, form)
        if isinstance(form, dict):
            for rule in self.rules:
                rule(form, mapped)
        return mapped


def connector(platform: str, form: str, *rules: Rule) -> Connector:
    """The connector of a platform's form."""
    return Connector(platform, form_document(form), rules)


def _refused(mapped: Mapped, more: tuple[Any, ...] = ()) -> Invalid:
    errors = (*mapped.faults, *more)
    count = len(errors)
    return Invalid(
        "form.invalid",
        f"表单有 {count} 处错误。",
        f"The form has {count} fault{'' if count == 1 else 's'}.",
        errors=errors,
    )


def text_at(form: Mapping[str, Any], *names: str) -> str | None:
    """The text at a place of the form, or ``None`` where there is none."""
    inner: Any = form
    for name in names:
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner.strip() or None if isinstance(inner, str) else None
