"""Strict JSON (RFC 8259): what every body passes before anything else looks at it.

Two readers that accept the same texts and answer the same values. The quick one lets a compiled parser read, and then
proves that it lost nothing (duplicate keys, fractions, large integers); where it is not sure, the exact one reads
again and names the fault and its place.
"""

import json
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

import orjson

from tenants.kernel.canonical import Json
from tenants.kernel.errors import FieldError, Malformed, Text, TooLarge
from tenants.kernel.texts import TEXT_FAULTS, TextError, forbidden_character, normal

MAX_DEPTH: Final = 32
MAX_LIST: Final = 5_000
INTEGER_LIMIT: Final = 2**53
"""From here on a JSON number is not exact everywhere (RFC 7493 §2.2)."""
MAX_POINTER_PART: Final = 64
"""Characters of one key that an answer repeats."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_WHITE_SPACE: Final = " \t\r\n"
_MAX_INTEGER_CHARACTERS: Final = 17

_MESSAGES: Final = TEXT_FAULTS | {
    "json.too_large": Text("请求内容超过大小上限。", "The body is over its size limit."),
    "json.empty": Text("请求内容为空。", "The body is empty."),
    "json.byte_order_mark": Text("请去掉开头的字节顺序标记（BOM）。", "Remove the byte order mark at the start."),
    "json.not_utf8": Text("请求内容不是有效的 UTF-8 文本。", "The body is not valid UTF-8."),
    "json.syntax": Text("请求内容不是有效的 JSON。", "The body is not valid JSON."),
    "json.duplicate_key": Text("同一对象中字段名重复。", "The same key stands twice in one object."),
    "json.not_a_number": Text("不接受 NaN 和 Infinity。", "NaN and Infinity are not accepted."),
    "json.fraction": Text(
        '数字只能是整数；金额请用字符串，例如 "408000.00"。',
        'Numbers must be integers; send an amount as a string such as "408000.00".',
    ),
    "json.integer_too_large": Text("整数的绝对值须小于 2 的 53 次方。", "An integer must be below 2**53."),
    "json.too_deep": Text(f"嵌套超过 {MAX_DEPTH} 层。", f"It is nested more than {MAX_DEPTH} deep."),
    "json.list_too_long": Text(f"列表超过 {MAX_LIST} 项。", f"A list has more than {MAX_LIST} items."),
}


def decode(data: bytes, max_bytes: int, *, documents: frozenset[str] = frozenset()) -> Json:
    """The JSON value that ``data`` spells, its texts in NFC, its numbers whole.

    ``documents`` name members of the outermost object whose texts may have several lines; tabs in them become spaces.

    Raises:
        TooLarge: ``data`` is longer than ``max_bytes``.
        Malformed: anything that this module refuses; ``errors`` holds the place where it is known.
    """
    if len(data) > max_bytes:
        text = _MESSAGES["json.too_large"]
        raise TooLarge("json.too_large", text.zh, text.en)
    quick = _decode_quickly(data)
    return _decode_exactly(data, documents) if quick is None else quick[0]


def decode_lines(
    lines: Sequence[bytes], *, bounded: bool = True, members: Callable[[list[Any]], int] = lambda _: 0
) -> list[Json] | None:
    """The values of several texts, each as :func:`decode` reads it; ``None`` where only that can tell.

    What :func:`_decode_quickly` proves of one text is proven of all together: a dropped duplicate loses colons and
    nothing ever adds one, so that as many colons as before stand in all where they do in each. Not ``bounded``: the
    reader behind it takes neither a number nor a list in a list, and proves depth and lengths itself. ``members``: how
    many members the values' objects have at least; where that is as many as there are colons, none was lost, and
    nothing has to be written again.
    """
    whole = b"\n".join(lines)
    if b"\\" in whole:
        return None
    try:
        values: list[Json] = list(map(orjson.loads, lines))
        colons, is_ascii = whole.count(b":"), whole.isascii()
        is_whole = colons == members(values)
        written = b"" if is_whole and is_ascii else orjson.dumps(values)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if (not is_whole and colons != written.count(b":")) or (bounded and not _within_bounds(values)):
        return None
    if is_ascii:  # without a backslash, JSON has let through one control character
        return None if b"\x7f" in whole else values
    text = written.decode()
    if not unicodedata.is_normalized("NFC", text) or forbidden_character(text) is not None:
        return None
    return values


def pointer(path: tuple[str | int, ...]) -> str:
    """The RFC 6901 pointer of a place; a key that is too long to repeat is cut and ends in ``…``."""
    return "".join(f"/{_pointer_part(str(part))}" for part in path)


def _pointer_part(key: str) -> str:
    cut = key if len(key) <= MAX_POINTER_PART else key[:MAX_POINTER_PART] + "…"
    return cut.replace("~", "~0").replace("/", "~1")


def _decode_quickly(data: bytes) -> tuple[Json] | None:
    """The value, or ``None`` where only the exact reader can tell.

    A dropped duplicate takes at least its own colon with it, so the value written again has fewer of them. Written
    again, it also shows every text without escapes (but for quotes, backslashes and control characters) between
    quotes, which compose with nothing: the whole is in NFC where each text is.
    """
    try:
        value: Json = orjson.loads(data)
        written = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    colons = data.count(b":")
    if b"\\" in data:
        colons += data.lower().count(b"\\u003a")
        if b"\\" in written.replace(b"\\\\", b"").replace(b'\\"', b""):
            return None
    if colons != written.count(b":") or not _within_bounds([value]):
        return None
    text = written.decode()
    if not unicodedata.is_normalized("NFC", text) or forbidden_character(text) is not None:
        return None
    return (value,)


def _within_bounds(values: list[Json]) -> bool:
    """Whether depth, lists and numbers keep their bounds; level by level, so that no depth exhausts the stack."""
    level: list[Any] = values
    for containers_allowed in (True,) * MAX_DEPTH + (False,):
        inside: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:  # most of what there is
                continue
            if kind is dict or kind is list:
                if not containers_allowed or (kind is list and len(item) > MAX_LIST):
                    return False
                inside += item.values() if kind is dict else item
            elif kind is float or (kind is int and not -INTEGER_LIMIT < item < INTEGER_LIMIT):
                return False
        level = inside
        if not level:
            break
    return True


def _decode_exactly(data: bytes, documents: frozenset[str] = frozenset()) -> Json:
    if not data:
        _refuse("json.empty")
    if data.startswith(_BYTE_ORDER_MARK):
        _refuse("json.byte_order_mark")
    try:
        text = data.decode()
    except UnicodeDecodeError as fault:
        _refuse("json.not_utf8", f"（第 {fault.start + 1} 个字节）", f" (byte {fault.start + 1})")
    return _ExactReader(text, documents).document()


class _Refused:
    """Stands for a number that may not be read; ``code`` says why."""

    def __init__(self, code: str) -> None:
        self.code = code


def _whole(digits: str) -> int | _Refused:
    if len(digits) > _MAX_INTEGER_CHARACTERS or abs(int(digits)) >= INTEGER_LIMIT:
        return _Refused("json.integer_too_large")
    return int(digits)


_SCALARS: Final = json.JSONDecoder(
    strict=False,
    parse_int=_whole,
    parse_float=lambda _: _Refused("json.fraction"),
    parse_constant=lambda _: _Refused("json.not_a_number"),
)
"""Reads one text, number or word; raw control characters pass here and are named by :func:`normal`."""


class _ExactReader:
    """Reads one document and knows at each moment where it is."""

    def __init__(self, text: str, documents: frozenset[str]) -> None:
        self._text = text
        self._documents = documents
        self._at = 0
        self._path: list[str | int] = []

    def document(self) -> Json:
        value = self._value()
        if self._next():
            self._refuse_syntax()
        return value

    def _next(self) -> str:
        """The next character that is not white space, or the empty text at the end."""
        text, at = self._text, self._at
        while at < len(text) and text[at] in _WHITE_SPACE:
            at += 1
        self._at = at
        return text[at : at + 1]

    def _value(self) -> Json:
        first = self._next()
        if first in ("{", "["):
            if len(self._path) >= MAX_DEPTH:
                self._refuse("json.too_deep")
            self._at += 1
            return self._object() if first == "{" else self._list()
        return self._scalar()

    def _scalar(self) -> Json:
        try:
            value, self._at = _SCALARS.raw_decode(self._text, self._at)
        except json.JSONDecodeError as fault:
            self._at = fault.pos
            self._refuse_syntax()
        if isinstance(value, _Refused):
            self._refuse(value.code)
        if not isinstance(value, str):
            scalar: Json = value
            return scalar
        try:
            return self._normal(value)
        except TextError as fault:
            self._refuse(fault.code)

    def _normal(self, value: str) -> str:
        if len(self._path) == 1 and self._path[0] in self._documents:
            return "\n".join(normal(line.replace("\t", " ")) for line in value.replace("\r\n", "\n").split("\n"))
        return normal(value)

    def _object(self) -> dict[str, Json]:
        members: dict[str, Json] = {}
        while True:
            closing = self._next()
            if closing == "}" and not members:
                break
            if closing != '"':
                self._refuse_syntax()
            key = str(self._scalar())
            self._path.append(key)
            if key in members:
                self._refuse("json.duplicate_key")
            self._expect(":")
            members[key] = self._value()
            self._path.pop()
            if self._next() == "}":
                break
            self._expect(",")
        self._at += 1
        return members

    def _list(self) -> list[Json]:
        items: list[Json] = []
        while not (self._next() == "]" and not items):
            if len(items) >= MAX_LIST:
                self._refuse("json.list_too_long")
            self._path.append(len(items))
            items.append(self._value())
            self._path.pop()
            if self._next() == "]":
                break
            self._expect(",")
        self._at += 1
        return items

    def _expect(self, character: str) -> None:
        if self._next() != character:
            self._refuse_syntax()
        self._at += 1

    def _refuse_syntax(self) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - self._text.rfind("\n", 0, self._at)
        self._refuse("json.syntax", f"（第 {line} 行第 {column} 列）", f" (line {line}, column {column})")

    def _refuse(self, code: str, where_zh: str = "", where_en: str = "") -> NoReturn:
        _refuse(code, where_zh, where_en, tuple(self._path))


def _refuse(code: str, where_zh: str = "", where_en: str = "", path: tuple[str | int, ...] = ()) -> NoReturn:
    """Raise the problem; a detail of the place goes before the final full stop of either text."""
    text = _MESSAGES[code]
    placed = Text(f"{text.zh[:-1]}{where_zh}。", f"{text.en[:-1]}{where_en}.")
    raise Malformed(code, placed.zh, placed.en, errors=(FieldError(pointer(path), code, placed),))
