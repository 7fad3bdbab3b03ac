"""Support records of a file made ready by a process beside this one, while this one stores those before them (P3).

Only bytes go to it and only columns come back. It has the caller's name and the registry's keys, and no way to the
database: what it makes is refused there if it no longer holds, and is then made anew as for a small file. The same goes
for whatever is not plainly new and sound: a run that is not made ready costs time, and nothing else.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple, cast

import structlog

from clearing.api.ndjson import Line
from clearing.claims.keyring import Keyring
from clearing.claims.support_columns import Ready, make_ready
from clearing.transfers.lines import items_of
from connectors.reading import read_support_record
from connectors.submission import SupportRecord
from tenants.kernel.crew import CrewError, in_order
from tenants.kernel.errors import Unavailable

CREW: Final = 1
"""More would wait for the process that stores, on as many processors as this has to run on."""

_log = structlog.get_logger()


class Piece(NamedTuple):
    """A run of lines, and the versions of the registry's key that are written; a line that is too long is empty."""

    versions: tuple[int, ...]
    lines: bytes


class Made(NamedTuple):
    """Records made ready, and the places of the lines that are none of the caller's, or none at all."""

    ready: Ready
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """For whom records are made ready, and the keys."""

    platform: str | None
    tenants: tuple[str, ...]
    keyring: Keyring = field(repr=False)


def piece_of(lines: Iterable[Line], versions: tuple[int, ...]) -> Piece:
    """The lines as they travel."""
    return Piece(versions, b"\n".join([line.content or b"" for line in lines]))


def preparing(setting: Setting) -> Callable[[Piece | None], Made | None]:
    """Makes runs of lines ready; ``None`` where one is not, for whatever reason."""

    def make(piece: Piece | None) -> Made | None:
        if piece is None:
            return None
        records, left = list[SupportRecord](), list[int]()
        lines = [Line(place, content or None) for place, content in enumerate(piece.lines.split(b"\n"))]
        for item in items_of(lines, read_support_record):
            one = item.record
            if isinstance(one, SupportRecord) and one.platform == setting.platform and one.tenant in setting.tenants:
                records.append(one)
            else:
                left.append(item.number)
        try:
            ready = make_ready(setting.keyring, piece.versions, records)
        except Unavailable:
            return None
        return None if ready is None else Made(ready, tuple(left))

    return make


def made_ready(
    runs: Iterable[list[Line]], piece: Callable[[list[Line]], Piece | None], setting: Setting
) -> Generator[tuple[list[Line], Made | None], None, None]:
    """Each run of lines, and the same made ready where ``piece`` gave it away and it could be.

    Should the other process end, the rest is not made ready.
    """
    waiting, left = deque[list[Line]](), iter(runs)

    def given() -> Iterator[Piece | None]:
        for run in left:
            waiting.append(run)
            yield piece(run)

    with closing(cast("Any", in_order(preparing, setting, given(), CREW))) as answers:
        try:
            for made in answers:
                yield waiting.popleft(), made
        except CrewError as error:
            _log.warning("import_helper_lost", error=str(error))
    for run in chain(list(waiting), left):
        yield run, None
