"""The signed instructions of a batch, each by itself and all together: order, ids, sums, sealed items.

They are read in runs, side by side with the runs of the other files, and judged by a crew where there are many.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from settlement.offline.agreement import Source, same_record
from settlement.offline.as_written import Run, Spelling
from settlement.offline.difference import Findings, Place
from settlement.offline.evidence import read_keys
from settlement.offline.listing import JSONL, Manifest
from settlement.offline.payouts import Checking, Fault, Payout, payout_lines
from settlement.offline.records import Record
from settlement.offline.roots import Leaves, leaf_digest, repeated
from settlement.offline.side_by_side import Cut, runs_of
from tenants.kernel.crew import in_order, members
from tenants.kernel.money import Money

MAX_LINE_BYTES: Final = 8 * 2**20
LINES_AT_ONCE: Final = 256
CREW_FROM: Final = 10_000
"""Fewer lines are judged by the time a crew is there."""

_LOW_DIGITS: Final = 16
"""The last ones of an id, in hexadecimal; where two ids have the same, all are looked at."""
_FROM_PAYLOAD: Final = ("account_number", "bank_name", "batch", "cnaps", "payee", "tenant")
_FROM_ITEM: Final = ("amount", "claim", "position")
"""The members of a sealed item, texts and one whole number: sorted, they are the canonical leaf of the batch's tree."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A file to be read side by side with the signed lines: how it is cut, and how its runs are read."""

    source: Source
    cut: Cut
    form: "Form"


class Form(NamedTuple):
    """How the runs of a file are read: what makes the reader, and what it is told; a function of a module."""

    name: str
    fields: Sequence[str]
    in_pain: bool
    reader: Callable[..., Run]
    told: tuple[Any, ...]
    spelling: Callable[..., Spelling]
    """What makes the quicker look, told the same."""


class _Setting(NamedTuple):
    jwks: Mapping[str, Any]
    shared: Mapping[str, Any]
    forms: tuple[Form, ...]


class _Piece(NamedTuple):
    """Numbered signed lines, and the same run of every other file, where it has one."""

    lines: list[tuple[int, bytes]]
    runs: tuple[bytes | None, ...]


class _Judged(NamedTuple):
    """What a piece comes to. ``faulty``: each line of it where one is faulty or out of order, else nothing."""

    lines: int
    fen: int
    first: tuple[int, str, int] | None
    """Number, instruction and first position of its first line that can be read."""
    last: int
    ids: bytes
    positions: bytes
    digests: bytes
    faulty: list[tuple[int, str | None, tuple[Fault, ...], int | None]]
    agree: tuple[bool, ...]


def check_payouts(
    path: Path, manifest: Manifest, jwks: Mapping[str, Any], beside: Sequence[Beside], findings: Findings
) -> set[str]:
    """Note what is wrong with the signed instructions, and whether they are the sealed batch.

    Answers the names of the other files that were read on the way and say the same in every line, and nothing else;
    whether any other one does has to be looked at.
    """
    leaves, numbers, count, fen, last = Leaves(), array("Q"), 0, 0, 0
    agree = [True] * len(beside)
    setting = _Setting(dict(jwks), manifest.shared, tuple(each.form for each in beside))
    crew = members() if manifest.content["count"] >= CREW_FROM else 0
    for judged in in_order(_judging, setting, _pieces(path, beside), crew):
        count, fen = count + judged.lines, fen + judged.fen
        leaves.extend(judged.positions, judged.digests)
        numbers.frombytes(judged.ids)
        agree = [so_far and now for so_far, now in zip(agree, judged.agree, strict=True)]
        if judged.faulty:
            last = _note_lines(judged, last, findings)
        elif judged.first is not None:
            number, instruction_id, first = judged.first
            if first <= last:
                _note_moved(Place(JSONL, number, instruction_id), findings)
            last = judged.last
    place = Place(JSONL)
    findings.expect(place, "count", manifest.content["count"], count)
    findings.expect(place, "total", manifest.content["total"], str(Money(fen)))
    findings.expect(place, "item_count", manifest.content["item_count"], len(leaves))
    twice = leaves.repeated()
    findings.expect(place, "batch_root", manifest.content["batch_root"], leaves.root().hex())
    if (position := twice) is not None:
        findings.add(place, "items.repeated", f"明细 {position} 出现两次。", f"Item {position} is paid twice.")
    if repeated(numbers) is not None:
        _name_repeated(path, findings)
    return {
        each.source.name for each, agrees in zip(beside, agree, strict=True) if agrees and count and each.cut.is_over()
    }


def _note_lines(judged: _Judged, last: int, findings: Findings) -> int:
    """Note what is wrong with the lines of a piece; the first position of its last line that can be read."""
    for number, instruction_id, faults, first in judged.faulty:
        place = Place(JSONL, number, instruction_id)
        for fault in faults:
            findings.add(place, *fault)
        if first is not None:
            if first <= last:
                _note_moved(place, findings)
            last = first
    return last


def _note_moved(place: Place, findings: Findings) -> None:
    findings.add(place, "line.moved", "不按明细顺序排列。", "It is out of the order of its items.")


def _pieces(path: Path, beside: Sequence[Beside]) -> Iterator[_Piece]:
    for lines in runs_of(path, LINES_AT_ONCE, MAX_LINE_BYTES):
        yield _Piece(lines, tuple([each.cut.take(len(lines)) for each in beside]))


def _judging(setting: _Setting) -> Callable[[_Piece], _Judged]:
    checking = Checking(read_keys(setting.jwks), setting.shared)
    forms = [(form, form.reader(*form.told), form.spelling(*form.told)) for form in setting.forms]

    def judge(piece: _Piece) -> _Judged:
        payouts = [checking.check(number, raw) for number, raw in piece.lines]
        expected = [each.record for each in payouts]
        faultless = [each.order.record for each in payouts if each.order is not None]
        agree = [
            (len(faultless) == len(payouts) and run is not None and _is_spelt(spelt, faultless, run))
            or _agrees(expected, form, read, run)
            for (form, read, spelt), run in zip(forms, piece.runs, strict=True)
        ]
        return _judged(payouts, tuple(agree))

    return judge


def _judged(payouts: Sequence[Payout], agree: tuple[bool, ...]) -> _Judged:
    ids, positions, digests, fen = array("Q"), array("Q"), list[bytes](), 0
    firsts: list[int | None] = []
    for payout in payouts:
        if payout.order is not None:
            firsts.append(payout.order.positions[0])
            fen += payout.order.fen
            ids.append(_low_digits(payout.order.record["instruction_id"]))
            positions.extend(payout.order.positions)
            digests += payout.order.digests
            continue
        if payout.payload is None:
            firsts.append(None)
            continue
        firsts.append(int(payout.payload["items"][0]["position"]))
        fen += Money.parse(payout.payload["amount"]).fen
        ids.append(_low_digits(payout.payload["instruction_id"]))
        shared = {name: payout.payload[name] for name in _FROM_PAYLOAD}
        for item in payout.payload["items"]:
            positions.append(item["position"])
            leaf = shared | {name: item[name] for name in _FROM_ITEM}
            digests.append(leaf_digest(orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)))
    known = [first for first in firsts if first is not None]
    clean = not any(payout.faults for payout in payouts) and all(one < other for one, other in pairwise(known))
    lines = [(each.number, each.instruction_id, each.faults, at) for each, at in zip(payouts, firsts, strict=True)]
    first = next(((number, str(name), at) for number, name, _, at in lines if at is not None), None)
    last = known[-1] if known else 0
    faulty = [] if clean else lines
    return _Judged(len(payouts), fen, first, last, ids.tobytes(), positions.tobytes(), b"".join(digests), faulty, agree)


def _low_digits(instruction_id: str) -> int:
    return int(instruction_id.replace("-", "")[-_LOW_DIGITS:], 16)


def _is_spelt(spelt: Spelling, records: Sequence[Record], run: bytes) -> bool:
    with suppress(KeyError, ValueError):  # a field that no record has, or claims that are none
        return spelt(records, run)
    return False


def _agrees(expected: Sequence[Record | None], form: Form, read: Run, run: bytes | None) -> bool:
    """Whether the run of another file says what the signed lines say, as far as that can be told at a glance."""
    records = None if run is None else read(run)
    if records is None or len(records) != len(expected):
        return False
    if not form.in_pain and len(form.fields) > 1:
        with suppress(KeyError, TypeError):  # a field that is only here, or a line that cannot be read
            told = itemgetter(*form.fields)
            return list(map(told, expected)) == list(map(told, records))  # type: ignore[arg-type]
    return all(
        record is not None and same_record(form.fields, record, found, in_pain=form.in_pain)
        for record, found in zip(expected, records, strict=True)
    )


def _name_repeated(path: Path, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for line in payout_lines(path):
        if line.record is None:
            continue
        instruction_id = line.record["instruction_id"]
        if (first := seen.setdefault(instruction_id, line.number)) != line.number:
            findings.add(
                Place(JSONL, line.number, instruction_id),
                "line.repeated",
                f"与第 {first} 行重复。",
                f"It repeats line {first}.",
            )
