"""Strict marshmallow fields: each takes exactly one JSON form of its kind and says in two languages what is wrong.

marshmallow's own fields take numbers for words and words for numbers. Here each field carries a plain function that
reads one value, ``read``; the compiled reader uses the very same. Kinds of which few values occur remember them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from marshmallow import ValidationError, fields, missing

from connectors.faults import Fault
from tenants.kernel.texts import forbidden_character

REMEMBERED_CODES: Final = 1_024

T = TypeVar("T")

Read = Callable[[Any], T]
"""Reads one JSON value.

Raises:
    Fault: the value is not exactly of this kind.
    TypeError: it is an object or a list, which a function that remembers cannot take.
"""


class Leaf(fields.Field[T], Generic[T]):
    """A field for one value that is neither an object nor a list; required unless ``optional``.

    For an optional field ``null`` and absence are the same. ``form`` is what OpenAPI says of the kind.
    """

    def __init__(
        self,
        read: Read[T],
        form: Mapping[str, object],
        *,
        expected: str = "text.expected",
        optional: bool = False,
        data_key: str | None = None,
        about: str = "",
    ) -> None:
        super().__init__(
            required=not optional,
            allow_none=optional,
            load_default=None if optional else missing,
            data_key=data_key,
            metadata={**form, **({"description": about} if about else {})},
            error_messages={"required": "field.required", "null": "field.null"},
        )
        self.read = read
        self._expected = expected

    def _deserialize(
        self,
        value: Any,  # noqa: ANN401 - marshmallow's signature
        attr: str | None,  # noqa: ARG002
        data: Mapping[str, Any] | None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> T:
        if isinstance(value, (dict, list)):
            raise ValidationError(self._expected)
        try:
            return self.read(value)
        except Fault as fault:
            raise ValidationError(str(fault)) from None


class TextField(Leaf[str]):
    """Free text on one line, kept as sent; with ``invisible``, zero-width characters and the like may stand in it."""

    def __init__(self, longest: int, *, invisible: bool = False, optional: bool = False, about: str = "") -> None:
        form = {"type": "string", "minLength": 1, "maxLength": longest}
        super().__init__(_text_reader(longest, invisible=invisible), form, optional=optional, about=about)


def _text_reader(longest: int, *, invisible: bool) -> Read[str]:
    def read(value: object) -> str:
        if type(value) is not str:
            raise Fault("text.expected")
        if len(value) > longest:
            raise Fault("text.too_long", str(longest))
        if not value or value.isspace():
            raise Fault("text.blank")
        if not value.isprintable():
            if code := forbidden_character(value):
                raise Fault(code)
            if not invisible:
                _refuse_invisible(value)
        return value

    return read


def _refuse_invisible(text: str) -> None:
    for character in text:
        if unicodedata.category(character) in {"Cf", "Zl", "Zp"}:
            raise Fault("text.invisible_character", f"U+{ord(character):04X}")


class NumberTextField(Leaf[str]):
    """A number as people write it, of an invoice, a contract or a bank receipt: kept as sent, disguises and all.

    It is canonicalised where identities are made; at least one letter or digit stands in it.
    """

    def __init__(self, longest: int = 64, *, optional: bool = False, about: str = "") -> None:
        form = {"type": "string", "minLength": 1, "maxLength": longest}
        read_text = _text_reader(longest, invisible=True)

        def read(value: object) -> str:
            text = read_text(value)
            if not text[-1].isalnum() and not any(map(str.isalnum, text)):
                raise Fault("text.blank")
            return text

        super().__init__(read, form, optional=optional, about=about)


class PatternField(Leaf[str]):
    """A text of one fixed form; ``fault`` is the code of anything else."""

    def __init__(self, pattern: str, fault: str, *, optional: bool = False, about: str = "", example: str = "") -> None:
        form = {"type": "string", "pattern": f"^{pattern}$", **({"examples": [example]} if example else {})}
        super().__init__(self._reader(pattern, fault), form, optional=optional, about=about)

    @staticmethod
    def _reader(pattern: str, fault: str) -> Read[str]:
        match = re.compile(pattern, re.ASCII).fullmatch

        def read(value: object) -> str:
            if type(value) is not str:
                raise Fault("text.expected")
            if not match(value):
                raise Fault(fault)
            return value

        return read


class CodeField(PatternField):
    """A text of one fixed form of which few values occur."""

    def __init__(
        self,
        pattern: str,
        fault: str = "code.malformed",
        *,
        optional: bool = False,
        about: str = "",
        example: str = "",
    ) -> None:
        super().__init__(pattern, fault, optional=optional, about=about, example=example)
        self.read = lru_cache(REMEMBERED_CODES)(self.read)


class ChoiceField(Leaf[str]):
    """One of a fixed list of codes."""

    def __init__(self, choices: Iterable[str], *, about: str = "") -> None:
        listed = tuple(choices)

        @lru_cache(len(listed))
        def read(value: object) -> str:
            if type(value) is not str:
                raise Fault("text.expected")
            if value not in listed:
                raise Fault("choice.unknown", ", ".join(listed))
            return value

        super().__init__(read, {"type": "string", "enum": list(listed)}, about=about)


class BooleanField(Leaf[bool]):
    """``true`` or ``false``; no number, no word."""

    def __init__(self, *, optional: bool = False, about: str = "") -> None:
        super().__init__(_boolean, {"type": "boolean"}, expected="boolean.expected", optional=optional, about=about)


def _boolean(value: object) -> bool:
    if value is True or value is False:
        return value is True
    raise Fault("boolean.expected")


class IntegerField(Leaf[int]):
    """A whole JSON number within bounds."""

    def __init__(self, lowest: int, highest: int, *, data_key: str | None = None, about: str = "") -> None:
        def read(value: object) -> int:
            if type(value) is not int:
                raise Fault("integer.expected")
            if not lowest <= value <= highest:
                raise Fault("integer.out_of_range", f"{lowest}–{highest}")
            return value

        form = {"type": "integer", "minimum": lowest, "maximum": highest}
        super().__init__(read, form, expected="integer.expected", data_key=data_key, about=about)
