"""Lines of a policy document: where in the text the place of a fault stands, so that its author finds it."""

import re
from collections import defaultdict
from typing import Final

from tenants.kernel.errors import FieldError, Text

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\" -]+?)\s*\]\]?\s*(?:#.*)?")
QUOTED: Final = ' "'
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\"-]+(?:\s*\.\s*[A-Za-z0-9_\"-]+)*)\s*=")


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each table, array entry and key that begins a line, by its RFC 6901 pointer."""
    places: dict[str, int] = {}
    entries: dict[str, int] = defaultdict(int)
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header is not None:
            table = _table(header[1] == "[[", [part.strip(QUOTED) for part in header[2].split(".")], entries)
            places.setdefault(table, number)
            if header[1] == "[[":
                places.setdefault(table.rpartition("/")[0], number)
        elif key is not None:
            place = table
            for part in key[1].split("."):
                place = f"{place}/{part.strip(QUOTED)}"
                places.setdefault(place, number)
    return places


def _table(of_array: bool, parts: list[str], entries: dict[str, int]) -> str:  # noqa: FBT001 - which brackets
    """The pointer of a header's table; an array of tables gets its next entry."""
    place = ""
    for position, part in enumerate(parts):
        place = f"{place}/{part}"
        last = position == len(parts) - 1
        if last and of_array:
            entries[place] += 1
        if entries.get(place):
            place = f"{place}/{entries[place] - 1}"
    return place


def with_line(fault: FieldError, lines: dict[str, int], under: str) -> FieldError:
    """The fault placed ``under`` the member that holds the document, its message beginning with the line.

    A place that has no line of its own, such as a missing key, has that of the table around it.
    """
    place = fault.pointer.rstrip("/")
    within = place
    while within and within not in lines:
        within = within.rpartition("/")[0]
    placed = f"{under}{place}"
    line = lines.get(within)
    if line is None:
        return FieldError(placed, fault.code, fault.message)
    said = Text(f"第 {line} 行：{fault.message.zh}", f"Line {line}: {fault.message.en}")
    return FieldError(placed, fault.code, said)
