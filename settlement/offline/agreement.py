"""Whether two files say the same, line by line; and if not, which line was changed, dropped, repeated or moved.

While the files agree, both are read once side by side and nothing is kept. Where they part, the second reading keeps
one small entry for each line.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from settlement.offline.difference import MAX_DIFFERENCES, Findings, Place
from settlement.offline.records import Line, Record, as_shown, instruction_of

KEY: Final = "end_to_end_id"
"""The field that every file has and no two payments share."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file whose lines can be read as often as needed, and the fields that it shows."""

    name: str
    lines: Callable[[], Iterator[Line]]
    fields: Sequence[str]
    in_pain: bool = False

    def shows(self, record: Record) -> dict[str, str]:
        """What this file has to show of another file's record."""
        return as_shown(record, self.fields, in_pain=self.in_pain)


def compare(reference: Source, others: Sequence[Source], findings: Findings) -> list[Source]:
    """Note every line of the others that is not as ``reference`` has it; the files that do not agree."""
    apart: set[str] = set()
    for expected, *found in zip_longest(reference.lines(), *(other.lines() for other in others)):
        for other, line in zip(others, found, strict=True):
            if other.name not in apart and not _same(other, expected, line):
                apart.add(other.name)
    parted = [other for other in others if other.name in apart]
    for other in parted:
        _explain(reference, other, findings)
    return parted


def _same(other: Source, expected: Line | None, found: Line | None) -> bool:
    if expected is None or found is None or expected.record is None or found.record is None:
        return expected is found
    return same_record(other.fields, expected.record, found.record, in_pain=other.in_pain)


def same_record(fields: Sequence[str], expected: Record, found: Record, *, in_pain: bool) -> bool:
    """Whether a file with these fields shows in ``found`` what it has to show of ``expected``."""
    shown = as_shown(expected, fields, in_pain=in_pain)
    return shown == found or all(found.get(name) == value for name, value in shown.items())


@dataclass(slots=True)
class _Reading:
    """What one reading of the other file showed, beside the reference's places."""

    places: dict[str, int] = field(default_factory=dict)
    """Key to the place among the reference's lines, from 0."""
    prints: list[int] = field(default_factory=list)
    """A short print of what each of the reference's lines has to look like."""
    common: frozenset[str] = frozenset()
    """The fields that both files show."""
    first_lines: dict[str, int] = field(default_factory=dict)
    """Key to the first line of the other file that has it."""
    order: list[tuple[int, str]] = field(default_factory=list)
    """Place and key of the known lines, in the other file's order."""
    changed: dict[str, Line] = field(default_factory=dict)
    strangers: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    """Lines of no known key, by the known key before them (empty at the start)."""


def _explain(reference: Source, other: Source, findings: Findings) -> None:
    before = len(findings.listed) + findings.unlisted
    reading = _Reading()
    for line in reference.lines():
        if line.record is not None:
            shown = other.shows(line.record)
            reading.places.setdefault(line.record[KEY], len(reading.prints))
            reading.prints.append(_print(shown))
            reading.common = frozenset(shown)
    _read_other(other, reading, findings)
    _name_moved(other, reading, findings)
    _name_rest(reference, other, reading, findings)
    if len(findings.listed) + findings.unlisted == before:
        findings.add(
            Place(other.name),
            "lines.differ",
            f"与 {reference.name} 的行不一致。",
            f"Its lines are not those of {reference.name}.",
        )


def _read_other(other: Source, reading: _Reading, findings: Findings) -> None:
    previous = ""
    for line in other.lines():
        key = "" if line.record is None else line.record[KEY]
        place = reading.places.get(key)
        if line.record is None or place is None:
            reading.strangers[previous].append(line)
            continue
        previous = key
        if (first := reading.first_lines.get(key)) is not None:
            findings.add(
                Place(other.name, line.number, instruction_of(key)),
                "line.repeated",
                f"与第 {first} 行重复。",
                f"It repeats line {first}.",
            )
            continue
        reading.first_lines[key] = line.number
        reading.order.append((place, key))
        shown = {name: text for name, text in line.record.items() if name in reading.common}
        if _print(shown) != reading.prints[place] and len(reading.changed) < MAX_DIFFERENCES:
            reading.changed[key] = line


def _name_moved(other: Source, reading: _Reading, findings: Findings) -> None:
    places = [place for place, _ in reading.order]
    kept = _longest_ascent(places)
    for index, (place, key) in enumerate(reading.order):
        if index not in kept:
            findings.add(
                Place(other.name, reading.first_lines[key], instruction_of(key)),
                "line.moved",
                f"顺序不对：应为第 {place + 1} 笔。",
                f"It is out of order: it should be payment {place + 1}.",
            )


def _name_rest(reference: Source, other: Source, reading: _Reading, findings: Findings) -> None:
    """Name what changed, what is missing, and what came in, by a last look at the reference."""
    previous = ""
    for line in reference.lines():
        if line.record is None:
            continue
        key = line.record[KEY]
        if key in reading.first_lines:
            previous = key
            if key in reading.changed:
                _name_changes(reference, other, line.record, reading.changed.pop(key), findings)
        elif in_its_place := reading.strangers.get(previous):
            _name_changes(reference, other, line.record, in_its_place.pop(0), findings)
        else:
            findings.add(
                Place(other.name, None, instruction_of(key)),
                "line.missing",
                f"缺少 {reference.name} 第 {line.number} 行的这笔付款。",
                f"This payment, line {line.number} of {reference.name}, is missing.",
            )
    for strangers in reading.strangers.values():
        for line in strangers:
            _name_stranger(reference, other, line, findings)


def _name_stranger(reference: Source, other: Source, line: Line, findings: Findings) -> None:
    if line.record is None:
        findings.add(Place(other.name, line.number), "line.unreadable", *line.fault)
        return
    findings.add(
        Place(other.name, line.number, instruction_of(line.record[KEY])),
        "line.unknown",
        f"{reference.name} 中没有这笔付款。",
        f"There is no such payment in {reference.name}.",
    )


def _name_changes(reference: Source, other: Source, expected: Record, line: Line, findings: Findings) -> None:
    place = Place(other.name, line.number, instruction_of(expected[KEY]))
    if line.record is None:
        findings.add(place, "line.unreadable", *line.fault)
        return
    for name, value in other.shows(expected).items():
        if line.record.get(name) != value:
            found = line.record.get(name)
            findings.add(
                place,
                "line.changed",
                f"{name} 应为“{value}”（见 {reference.name}），实为“{found}”。",
                f"{name} should be “{value}” (by {reference.name}), is “{found}”.",
            )


def _print(record: Record) -> int:
    return hash(tuple(sorted(record.items())))


def _longest_ascent(places: Sequence[int]) -> set[int]:
    """The indices of a longest ascending subsequence: the lines that stayed where they were."""
    ends: list[int] = []
    """For each length, the index at which an ascent of that length ends lowest."""
    tops: list[int] = []
    before = [-1] * len(places)
    for index, place in enumerate(places):
        length = bisect_left(tops, place)
        if length:
            before[index] = ends[length - 1]
        if length == len(tops):
            tops.append(place)
            ends.append(index)
        else:
            tops[length], ends[length] = place, index
    kept: set[int] = set()
    index = ends[-1] if ends else -1
    while index >= 0:
        kept.add(index)
        index = before[index]
    return kept
