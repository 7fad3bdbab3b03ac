"""Pages of a platform's outlet: what one answer holds, each record as the bytes that came, and the cursor behind them.

Two forms, both this service's own, since no platform's interface is published:

* ``application/x-ndjson``: a record a line, and last a line ``{"next_cursor": "…", "more": true}`` without which the
  page is not whole. A line that cannot be read harms no other.
* ``application/json``: ``{"records": [ … ], "next_cursor": "…", "more": false}``.

Texts are UTF-8, or GB18030 where the content type says so (``charset=gb18030``, ``gbk`` or ``gb2312``).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

from tenants.kernel.errors import Text

MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
MAX_RECORDS: Final = 500
"""Records that are asked for, and taken, at once: what one transaction takes in."""
MAX_CURSOR: Final = 500
NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
_CHINESE: Final = frozenset({"gb18030", "gbk", "gb2312"})
_SPACE: Final = " \t\r\n"
_MEMBERS: Final = frozenset({"records", "next_cursor", "more"})

PAGE_FAULTS: Final = {
    "page.media_type": Text(f"须为 {NDJSON} 或 {JSON}。", f"It has to be {NDJSON} or {JSON}."),
    "page.charset": Text("字符集须为 UTF-8 或 GB18030。", "The character set has to be UTF-8 or GB18030."),
    "page.encoding": Text("内容与所称的字符集不符。", "The content is not in the character set that it names."),
    "page.not_json": Text("不是有效的 JSON。", "It is not valid JSON."),
    "page.truncated": Text(
        "页面不完整：最后一行不是 next_cursor 与 more。", "The page is not whole: its last line is not its end."
    ),
    "page.members": Text(
        "须有且只有 records、next_cursor、more。", "It has records, next_cursor and more, and nothing else."
    ),
    "page.cursor": Text(
        f"next_cursor 须为 1 至 {MAX_CURSOR} 个可打印字符，空页可为 null。",
        f"next_cursor has 1 to {MAX_CURSOR} printable characters; an empty page may have null.",
    ),
    "page.too_many": Text(f"一页最多 {MAX_RECORDS} 条。", f"A page has at most {MAX_RECORDS} records."),
    "page.cursor_stuck": Text(
        "有记录而游标没有前进。", "There are records, or more of them, and the cursor has not moved on."
    ),
    "page.cursor_back": Text("游标回到了已经读过的位置。", "The cursor has gone back to where it was before."),
}
"""What can be wrong with a page as a whole."""


class PageError(ValueError):
    """The page cannot be taken; ``code`` is a key of ``PAGE_FAULTS``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
        self.text = PAGE_FAULTS[code]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its records as they came (UTF-8 where they could be read), and where the next one begins."""

    records: tuple[bytes, ...]
    next_cursor: str | None
    more: bool


def read_page(content_type: str, body: bytes) -> Page:
    """The page in the body.

    Raises:
        PageError: it is no page, or not a whole one.
    """
    kind, charset = _kind(content_type)
    if kind == NDJSON:
        page = _of_lines(body, charset)
    elif kind == JSON:
        page = _of_object(body, charset)
    else:
        raise PageError("page.media_type")
    if len(page.records) > MAX_RECORDS:
        raise PageError("page.too_many")
    return page


def moved_on(page: Page, cursor: str | None) -> bool:
    """Whether the page leads on from the cursor; an empty one need not.

    Raises:
        PageError: it has records or promises more, and stays where it is.
    """
    if page.next_cursor is not None and page.next_cursor != cursor:
        return True
    if page.records or page.more:
        raise PageError("page.cursor_stuck")
    return False


def _kind(content_type: str) -> tuple[str, str]:
    header = Message()
    header["Content-Type"] = content_type
    charset = str(header.get_param("charset", "utf-8")).lower()
    if charset in _CHINESE:
        return header.get_content_type(), "gb18030"
    if charset not in {"utf-8", "utf8"}:
        raise PageError("page.charset")
    return header.get_content_type(), "utf-8"


def _of_lines(body: bytes, charset: str) -> Page:
    lines = [line.strip() for line in body.split(b"\n")]
    lines = [line for line in lines if line]
    try:
        end = json.loads(lines[-1].decode(charset)) if lines else None
    except ValueError:
        end = None
    if not isinstance(end, dict) or end.keys() != {"next_cursor", "more"}:
        raise PageError("page.truncated")
    return Page(tuple(_as_utf8(line, charset) for line in lines[:-1]), *_end(end))


def _as_utf8(line: bytes, charset: str) -> bytes:
    """The line in UTF-8; as it came where it is not in its character set."""
    try:
        return line.decode(charset).encode()
    except UnicodeDecodeError:
        return line


def _of_object(body: bytes, charset: str) -> Page:
    try:
        text = body.decode(charset)
    except UnicodeDecodeError:
        raise PageError("page.encoding") from None
    try:
        members = dict(_members(text))
    except (ValueError, IndexError, RecursionError):
        raise PageError("page.not_json") from None
    if members.keys() != _MEMBERS or not isinstance(members["records"], tuple):
        raise PageError("page.members")
    return Page(members["records"], *_end(members))


def _end(said: Any) -> tuple[str | None, bool]:  # noqa: ANN401 - any JSON object
    cursor, more = said["next_cursor"], said["more"]
    if not isinstance(more, bool):
        raise PageError("page.members")
    if cursor is not None and not (isinstance(cursor, str) and 1 <= len(cursor) <= MAX_CURSOR and cursor.isprintable()):
        raise PageError("page.cursor")
    return cursor, more


def _members(text: str) -> Iterator[tuple[str, Any]]:
    """The members of the outermost object; its list ``records`` as a tuple of the very texts of its items.

    Raises:
        ValueError: it is no JSON object, or a name stands twice.
        IndexError: it ends too early.
    """
    reader, at, seen = json.JSONDecoder(), _expect(text, 0, "{"), set[str]()
    while True:
        name, at = reader.raw_decode(text, _skip(text, at))
        if not isinstance(name, str) or name in seen:
            raise ValueError("a member's name")
        seen.add(name)
        at = _expect(text, at, ":")
        if name == "records" and text[at] == "[":
            items, at = _items(reader, text, at)
            yield name, items
        else:
            value, at = reader.raw_decode(text, at)
            yield name, value
        at = _skip(text, at)
        if text[at] == "}":
            break
        at = _expect(text, at, ",")
    if _skip(text, at + 1) != len(text):
        raise ValueError("something follows")


def _items(reader: json.JSONDecoder, text: str, at: int) -> tuple[tuple[bytes, ...], int]:
    found, at = [], _skip(text, at + 1)
    while text[at] != "]":
        _, end = reader.raw_decode(text, at)
        found.append(text[at:end].encode("utf-8", "surrogatepass"))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
            if text[at] == "]":
                raise ValueError("a comma before the end")
        elif text[at] != "]":
            raise ValueError("neither comma nor end")
    return tuple(found), at + 1


def _expect(text: str, at: int, character: str) -> int:
    at = _skip(text, at)
    if text[at] != character:
        raise ValueError(character)
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
