"""Characters that no text may hold, wherever it comes from."""

import re
import unicodedata
from typing import Final

from tenants.kernel.errors import Text

MAX_COMBINING_MARKS: Final = 30
"""Marks in a row in stream-safe text (UAX #15 §13); normalising longer runs takes quadratic time."""

_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NONCHARACTER: Final = "\ufdd0-\ufdef" + "".join(
    chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
)
_FORBIDDEN: Final = re.compile(
    f"(?P<control_character>[\x00-\x1f\x7f-\x9f])|(?P<bidi_control>[{_BIDI}])"
    f"|(?P<lone_surrogate>[\ud800-\udfff])|(?P<noncharacter>[{_NONCHARACTER}])"
)

TEXT_FAULTS: Final = {
    "text.control_character": Text(
        "文本中含有控制字符（包括换行和制表符）。", "A text holds a control character (line breaks and tabs included)."
    ),
    "text.bidi_control": Text("文本中含有双向排版控制字符。", "A text holds a bidirectional control character."),
    "text.lone_surrogate": Text("文本中含有不成对的代理码。", "A text holds an unpaired surrogate."),
    "text.noncharacter": Text("文本中含有 Unicode 非字符。", "A text holds a Unicode noncharacter."),
    "text.combining_marks": Text(
        f"文本中连续的组合符号超过 {MAX_COMBINING_MARKS} 个。",
        f"A text holds more than {MAX_COMBINING_MARKS} combining marks in a row.",
    ),
}
"""What each code of :func:`forbidden_character` and :func:`normal` means."""


class TextError(ValueError):
    """The text may not be stored; ``code`` is a key of ``TEXT_FAULTS``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def forbidden_character(text: str) -> str | None:
    """The code of the first forbidden character in ``text``, or ``None``.

    Forbidden are control characters, which XML and databases refuse; bidirectional controls, with which a text shows
    other than it is; lone surrogates and noncharacters, which are no text at all.
    """
    if text.isprintable():
        return None
    found = _FORBIDDEN.search(text)
    return None if found is None else f"text.{found.lastgroup}"


def normal(text: str) -> str:
    """``text`` in NFC.

    Raises:
        TextError: it holds a forbidden character or too many combining marks in a row.
    """
    if code := forbidden_character(text):
        raise TextError(code)
    if text.isascii():
        return text
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks > MAX_COMBINING_MARKS:
            raise TextError("text.combining_marks")
    return unicodedata.normalize("NFC", text)
