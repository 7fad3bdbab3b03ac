"""Qualifications, admissions and trust lists: each row is what the last entry about it says, decided by two people."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain

_TRUST_LISTS: Final = UUID("d3b0a0b7-3f54-4a39-9d6e-0f0d8e0a6c55")
"""The name space of tenants' trust lists in the audit chain."""

States = frozenset[str | None]
STEPS: Final[Mapping[str, Mapping[str, tuple[States, States]]]] = {
    "qualification": {
        "qualification.applied": (frozenset({None, "applied"}), frozenset({"applied", "admitted"})),
        "qualification.admitted": (frozenset({"applied"}), frozenset({"admitted"})),
        "qualification.refused": (frozenset({"applied"}), frozenset({"refused"})),
        "qualification.withdrawn": (frozenset({"admitted"}), frozenset({"withdrawn"})),
    },
    "admission": {
        "admission.entered": (frozenset({None, "applied"}), frozenset({"applied", "admitted"})),
        "admission.admitted": (frozenset({"applied"}), frozenset({"admitted"})),
        "admission.refused": (frozenset({"applied"}), frozenset({"refused"})),
        "admission.exited": (frozenset({"admitted"}), frozenset({"exited"})),
    },
}
"""From which states each act leads to which; an act that decides is another person's than the one before it."""
ENTERING: Final = frozenset({"qualification.applied", "admission.entered"})
AT_ONCE: Final = {"qualification": "at_once", "admission": "direct"}
"""The column that says that nobody had to decide."""
_VERSIONS: Final = """
select tenant, version, cite, state, proposed_by, proposed_at, decided_by, decided_at, reason
  from trust_list order by tenant, version
"""
_LISTINGS: Final = """
select tenant, version, uscc, name, from_on, through_on from trust_listing order by tenant, version, uscc
"""


def qualification_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:  # noqa: ARG001 - one form
    """What is wrong with one qualification."""
    return _standing(dossier, "qualification", row)


def admission_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:  # noqa: ARG001 - one form
    """What is wrong with one admission."""
    return _standing(dossier, "admission", row)


def _standing(dossier: Dossier, table: str, row: Row) -> Iterator[Difference]:
    place = f"{table}/{row.tenant}/{row.id}"
    entries = dossier.entries
    if not entries:
        yield differs("standing.witness", place, "entries of the audit chain", None)
        return
    yield from _steps(place, table, entries, row)
    last = entries[-1]
    said = last.details.get("after", {})
    if said.get("state") != last.to_state:
        yield differs("standing.witness", f"{place}/state", last.to_state, said.get("state"))
    yield from _row(place, said, row)
    entered = next(entry for entry in reversed([*entries]) if entry.action in ENTERING or entry is entries[0])
    yield from _made(f"{place}/entered_at", entered, row.entered_by, row.entered_at)
    if last.action not in ENTERING:
        yield from _made(f"{place}/decided_at", last, row.decided_by, row.decided_at)


def _row(place: str, said: Mapping[str, Any], row: Row) -> Iterator[Difference]:
    for column in row._fields:
        wanted, found = said.get(column), plain(getattr(row, column))
        if column == "division" and column not in said:
            wanted = row.uscc[2:8]  # entered before applications named it: the registering authority's
        if column in {"entered_at", "decided_at"}:
            continue  # an entry's own instant witnesses these
        if wanted != found:
            yield differs("standing.witness", f"{place}/{column}", wanted, found)


def _made(place: str, entry: Entry, actor: str | None, at: Any) -> Iterator[Difference]:  # noqa: ANN401 - of a row
    if entry.actor != actor or not entry.witnesses(at):
        yield differs("standing.witness", place, (entry.actor, entry.at), (actor, at))


def _steps(place: str, table: str, entries: list[Entry], row: Row) -> Iterator[Difference]:
    before: Entry | None = None
    for entry in entries:
        froms, tos = STEPS[table].get(entry.action, (frozenset(), frozenset()))
        if entry.from_state not in froms or entry.to_state not in tos:
            yield differs("standing.step", f"{place}/state", entry.action, f"{entry.from_state} → {entry.to_state}")
        if before is not None and entry.from_state != before.to_state:
            yield differs("standing.step", f"{place}/state", before.to_state, entry.from_state)
        entered_by = entry.details.get("after", {}).get("entered_by")
        if (entry.action in ENTERING) != (entered_by == entry.actor):
            yield differs("standing.four_eyes", f"{place}/decided_by", f"not {entered_by}", entry.actor)
        before = entry
    if row.state == "admitted" and entries[-1].action in ENTERING and not getattr(row, AT_ONCE[table]):
        yield differs("standing.four_eyes", f"{place}/decided_by", "a decision", row.decided_by)
    if table == "admission" and row.publicity_through_on is not None and row.from_on <= row.publicity_through_on:
        yield differs("standing.publicity", f"{place}/from_on", f"after {row.publicity_through_on}", row.from_on)


def trust_list_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Lists that are not those of the chain, approved by who proposed them, or with other providers."""
    found = {(row.tenant, row.version): row for row in snapshot.rows(_VERSIONS)}
    providers: dict[tuple[str, int], dict[str, Row]] = {}
    for row in snapshot.rows(_LISTINGS):
        providers.setdefault((row.tenant, row.version), {})[row.uscc] = row
    said: dict[tuple[str, int], list[Entry]] = {}
    for (tenant, subject), entries in settings.items():
        if subject == uuid5(_TRUST_LISTS, tenant):
            for entry in entries:
                said.setdefault((tenant, int(entry.details["after"]["version"])), []).append(entry)
    for key in sorted(found.keys() | providers.keys() | said.keys()):
        place = f"trust_list/{key[0]}/{key[1]}"
        version, told = found.get(key), said.get(key)
        if version is None or told is None:
            table = "trust_listing" if version is None and told is None else "trust_list"
            action = None if told is None else told[-1].action
            yield differs("standing.witness", f"{table}/{key[0]}/{key[1]}", action, version)
            continue
        yield from _version(place, version, told)
        yield from _providers(key, told[-1].details["after"]["providers"], providers.get(key, {}))


def _version(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    first, last = entries[0], entries[-1]
    after = last.details["after"]
    for column in ("cite", "state", "proposed_by", "decided_by", "reason"):
        if after.get(column) != getattr(row, column):
            yield differs("standing.witness", f"{place}/{column}", after.get(column), getattr(row, column))
    yield from _made(f"{place}/proposed_at", first, row.proposed_by, row.proposed_at)
    if row.state in {"approved", "rejected"}:
        yield from _made(f"{place}/decided_at", last, row.decided_by, row.decided_at)
        if last.actor == first.actor:
            yield differs("standing.four_eyes", f"{place}/decided_by", f"not {first.actor}", last.actor)
    elif row.decided_at is not None:
        yield differs("standing.witness", f"{place}/decided_at", None, row.decided_at)


def _providers(key: tuple[str, int], said: Mapping[str, Any], rows: Mapping[str, Row]) -> Iterator[Difference]:
    for uscc in sorted(said.keys() | rows.keys()):
        place = f"trust_listing/{key[0]}/{key[1]}/{uscc}"
        row, wanted = rows.get(uscc), said.get(uscc)
        if row is None or wanted is None:
            yield differs("standing.witness", place, wanted, row)
            continue
        listed = {"name": row.name, "from_on": _day(row.from_on), "through_on": _day(row.through_on)}
        for column, value in listed.items():
            if wanted.get(column) != value:
                yield differs("standing.witness", f"{place}/{column}", wanted.get(column), value)


def _day(day: date) -> str:
    return day.isoformat()
