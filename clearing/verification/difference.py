"""A difference: one place where what is stored is not what it has to be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clearing.verification.meanings import MEANINGS
from tenants.kernel.canonical import plain
from tenants.kernel.errors import Text

SHOWN_CHARACTERS: Final = 200
"""How much of a value is shown; what is longer is cut, since a report is read by people."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What was checked (``subject``), where (``table/tenant/row/column``), what had to be there, and what is.

    Neither value ever holds an account number or a key.
    """

    subject: str
    place: str
    expected: str
    found: str
    text: Text


def differs(subject: str, place: str, expected: object, found: object) -> Difference:
    """The difference, with what the subject means in both languages."""
    return Difference(subject, place, shown(expected), shown(found), MEANINGS[subject])


def compared(subject: str, place: str, expected: Mapping[str, Any], found: Any) -> Iterator[Difference]:  # noqa: ANN401 - a row
    """One difference for each column of the row ``found`` that is not as expected."""
    for column, value in expected.items():
        stored = getattr(found, column)
        if stored != value:
            yield differs(subject, f"{place}/{column}", value, stored)


UNREADABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a row raises that holds something else than it should."""


def guarded(place: str, found: Iterable[Difference]) -> Iterator[Difference]:
    """The differences; where a row cannot even be read, that is the last of them."""
    try:
        yield from found
    except UNREADABLE as fault:
        yield differs("row.unreadable", place, "rows that can be read", f"{type(fault).__name__}: {fault}")


def shown(value: object) -> str:
    """The value as a person reads it in a report."""
    if isinstance(value, bytes | memoryview):
        text = bytes(value).hex()
    elif isinstance(value, frozenset | set):
        text = ", ".join(sorted(str(each) for each in value))
    else:
        try:
            text = str(plain(value))
        except TypeError:
            text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
