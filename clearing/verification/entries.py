"""Entries of the audit chain as witnesses: what they say of a subject, and when."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import orjson

from clearing.verification.amounts import fen_of

SHANGHAI: Final = timezone(timedelta(hours=8))
COLUMNS: Final = "e.tenant, e.subject_id, e.seq, e.at, e.body, p.at as previous_at"
JOINED: Final = "audit_entry e left join audit_entry p on p.tenant = e.tenant and p.seq = e.seq - 1"
"""Each entry with the instant of the one before it in the chain."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one entry says. ``raised``: its instant is that of the entry before it, so it may have been raised to it."""

    seq: int
    at: datetime
    raised: bool
    actor: str
    action: str
    from_state: str | None
    to_state: str | None
    reason: str | None
    details: Mapping[str, Any]

    def witnesses(self, at: datetime | None) -> bool:
        """Whether the entry was made at the instant: at its own, or at an earlier one where it was raised."""
        return at is not None and (at == self.at or (self.raised and at < self.at))

    def instant_of(self, at: datetime | None) -> datetime:
        """The instant where the entry witnesses it, else the entry's own."""
        return at if at is not None and self.witnesses(at) else self.at

    def contradicts(self, name: str, text: str) -> bool:
        """Whether the entry holds the SHA-256 of another text under the name."""
        said = self.details.get(name)
        return said is not None and said != hashlib.sha256(text.encode()).hexdigest()

    @property
    def changes_state(self) -> bool:
        """Whether the entry leads from one state to another, or makes a new subject."""
        return self.to_state is not None and self.from_state != self.to_state


def entry_of(row: Any) -> Entry:  # noqa: ANN401 - a row of COLUMNS
    """The entry of a row; a body that is not one of ours says nothing."""
    try:
        said = orjson.loads(row.body)
    except orjson.JSONDecodeError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    details = said.get("details")
    return Entry(
        seq=row.seq,
        at=row.at,
        raised=row.previous_at is not None and row.previous_at >= row.at,
        actor=said.get("actor", ""),
        action=said.get("action", ""),
        from_state=said.get("from"),
        to_state=said.get("to"),
        reason=said.get("reason"),
        details=details if isinstance(details, dict) else {},
    )


def witness(entries: Iterable[Entry], at: datetime | None, *actions: str) -> Entry | None:
    """The first of the entries (of the actions, where any is named) that was made at the instant."""
    return next((entry for entry in entries if (not actions or entry.action in actions) and entry.witnesses(at)), None)


def awards_after(entries: Iterable[Entry]) -> dict[int, int | None]:
    """The award in fen after each entry, by its number; an entry that says none leaves it."""
    awards: dict[int, int | None] = {}
    award: int | None = None
    for entry in entries:
        said = entry.details.get("award")
        award = fen_of(said) if isinstance(said, str) else award
        awards[entry.seq] = award
    return awards
