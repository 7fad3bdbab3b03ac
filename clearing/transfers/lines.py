"""Lines of JSON and the records that they state."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from clearing.api.ndjson import Line
from connectors.submission import Submission, SupportRecord
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Malformed, Problem, TooLarge
from tenants.kernel.strict_json import decode, decode_lines

MAX_RECORD_BYTES: Final = 256 * 1024
LINES_AT_ONCE: Final = 100
"""Lines that are proven to be sound JSON together; where one is not, each of them is looked at by itself."""
_WRAPPED: Final = frozenset({"line", "problem", "record"})
"""What a returned line holds besides the record that was refused."""

Record = Submission | SupportRecord
Read = Callable[[Json], Record]
"""Makes a record of what a line says."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a file, or why it is none; ``number`` is its line or first row."""

    number: int
    record: Record | Problem
    came_as: Any = field(repr=False)


def items_of(lines: Sequence[Line], read: Read) -> Iterator[Item]:
    """What each of the lines states."""
    for begun in range(0, len(lines), LINES_AT_ONCE):
        some = lines[begun : begun + LINES_AT_ONCE]
        contents = [line.content for line in some if line.content is not None]
        decoded = decode_lines(contents) if len(contents) == len(some) else None
        for place, line in enumerate(some):
            yield _item(line, read) if decoded is None else _stated(line.number, decoded[place], read)


def _item(line: Line, read: Read) -> Item:
    came_as: Any = None
    try:
        if line.content is None:
            limit = MAX_RECORD_BYTES // 1024
            raise TooLarge("line.too_large", f"本行超过 {limit} KiB。", f"The line is over {limit} KiB.")
        came_as = line.content.decode(errors="replace").rstrip("\r")
        return _stated(line.number, decode(line.content.strip(), MAX_RECORD_BYTES), read)
    except Problem as problem:
        return Item(line.number, problem, came_as)


def _stated(number: int, came_as: Json, read: Read) -> Item:
    data = came_as
    try:
        if isinstance(data, dict) and data.keys() == _WRAPPED:
            came_as = data = data["record"]
            if isinstance(data, str):
                raise Malformed("json.syntax", "本行仍不是 JSON 对象。", "The line is still no JSON object.")
        return Item(number, read(data), came_as)
    except Problem as problem:
        return Item(number, problem, came_as)
