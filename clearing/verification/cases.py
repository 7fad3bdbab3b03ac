"""Suspected duplicates: each side of a case is what its tenant's audit chain tells of it, from opening to decision."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.snapshot import Row

DAYS: Final = 15
SIDES: Final = ("later", "earlier")
ELSEWHERE: Final = "other-side"
"""Who acted, where that was somebody of the other side."""

_OPENED, _ASSIGNED, _RESOLVED = "case.opened", "case.assigned", "case.resolved"
_STEPS: Final = {_OPENED: (None, "open"), _ASSIGNED: ("open", "open"), _RESOLVED: ("open", "resolved")}
_KINDS: Final = frozenset({"hold", "collision", "red_letter", "similar"})
_OUTCOMES: Final = frozenset({"distinct", "later_stands", "earlier_stands", "ended"})


def case_differences(dossier: Dossier, row: Row) -> Iterator[Difference]:
    """What is wrong with a case as this tenant's chain tells it."""
    place = f"duplicate_case/{dossier.tenant}/{row.id}"
    entries = dossier.entries
    if not entries:
        yield differs("case.unwitnessed", place, "entries of the audit chain", None)
        return
    yield from _steps(place, entries)
    first, last = entries[0], entries[-1]
    yield from compared("case.witness", place, _expected(dossier.tenant, row, last), row)
    if not first.witnesses(row.opened_at):
        yield differs("case.witness", f"{place}/opened_at", first.at, row.opened_at)
    day = row.opened_at.astimezone(SHANGHAI).date() + timedelta(days=DAYS)
    if row.due_on != day:
        yield differs("case.witness", f"{place}/due_on", day, row.due_on)
    if row.kind not in _KINDS:
        yield differs("case.witness", f"{place}/kind", _KINDS, row.kind)
    yield from _decision(place, row, last, _own_sides(dossier.tenant, row))


def _own_sides(tenant: str, row: Row) -> list[str]:
    return [which for which in SIDES if getattr(row, f"{which}_tenant") == tenant]


def _steps(place: str, entries: list[Entry]) -> Iterator[Difference]:
    for position, entry in enumerate(entries):
        step = _STEPS.get(entry.action)
        if step != (entry.from_state, entry.to_state) or (entry.action == _OPENED) != (position == 0):
            found = f"{entry.action}: {entry.from_state} → {entry.to_state}"
            yield differs("case.step", f"{place}/entry/{entry.seq}", "a step that there is", found)


def _expected(tenant: str, row: Row, last: Entry) -> dict[str, Any]:
    """The columns that the newest entry tells: of the own side all, of the other what may be known of it."""
    columns: dict[str, Any] = {name: last.details.get(name) for name in ("kind", "code")}
    for which in SIDES:
        said = last.details.get(which)
        side = said if isinstance(said, dict) else {}
        columns |= {f"{which}_platform": side.get("platform"), f"{which}_month": side.get("month")}
        if side.get("reference") != str(getattr(row, f"{which}_id")):
            columns[f"{which}_id"] = side.get("reference")
        if which in _own_sides(tenant, row):
            columns |= {f"{which}_kind": side.get("kind"), f"{which}_owner": side.get("owner")}
    return columns


def _decision(place: str, row: Row, last: Entry, own: list[str]) -> Iterator[Difference]:
    decided = last.action == _RESOLVED
    expected = {name: last.details.get(name) if decided else None for name in ("resolved_for", "outcome")}
    if not decided or row.resolved_for in own or last.actor != ELSEWHERE:
        expected |= {"resolved_by": last.actor if decided else None, "reason": last.reason if decided else None}
    yield from compared("case.witness", place, expected, row)
    if decided != (row.resolved_at is not None) or (decided and not last.witnesses(row.resolved_at)):
        yield differs("case.witness", f"{place}/resolved_at", last.at if decided else None, row.resolved_at)
    if decided and row.outcome not in _OUTCOMES:
        yield differs("case.witness", f"{place}/outcome", _OUTCOMES, row.outcome)
