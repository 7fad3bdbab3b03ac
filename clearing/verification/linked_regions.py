"""Linked regions of a year: each version as the audit chain tells it, and approved by another than who proposed it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot

_LISTS: Final = """
select tenant, year, version, state, proposed_by, proposed_at, decided_by, decided_at, reason from linked_region_list
"""
_REGIONS: Final = "select tenant, year, version, division, types from linked_region"
_SET: Final = "linked_regions.set"
"""The act of one person, before two were asked for; what was set last then is version 0."""

Key = tuple[str, int, int]


def linked_region_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Lists that are not those of the chain, approved by who proposed them, or with other regions."""
    lists: dict[Key, Row] = {(row.tenant, row.year, row.version): row for row in snapshot.rows(_LISTS)}
    regions: dict[Key, dict[str, list[str]]] = {}
    for row in snapshot.rows(_REGIONS):
        regions.setdefault((row.tenant, row.year, row.version), {})[row.division] = row.types
    said = _told(settings)
    for key in sorted(lists.keys() | regions.keys() | said.keys()):
        place = "/".join(map(str, ("linked_region_list", *key)))
        row, told = lists.get(key), said.get(key)
        if row is None or told is None:
            if row is None and told is not None and key[2] == 0 and not told[-1].details["after"]["regions"]:
                continue  # set to none by one person: no row says so
            yield differs("setting.witness", place, told and told[-1].action, row)
            continue
        yield from _version(place, row, told)
        yield from _regions(key, told[-1].details["after"]["regions"], regions.get(key, {}))


def _told(settings: Settings) -> dict[Key, list[Entry]]:
    """The entries of each version."""
    found: dict[Key, list[Entry]] = {}
    for (tenant, _), entries in settings.items():
        for entry in entries:
            if not entry.action.startswith("linked_regions."):
                continue
            after = entry.details["after"]
            if entry.action == _SET:
                found[tenant, int(after["year"]), 0] = [entry]
            else:
                found.setdefault((tenant, int(after["year"]), int(after["version"])), []).append(entry)
    return found


def _version(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    first, last = entries[0], entries[-1]
    after = last.details["after"]
    if first.action == _SET:
        after = {"state": "approved", "proposed_by": first.actor}
    for column in ("state", "proposed_by", "decided_by", "reason"):
        if after.get(column) != getattr(row, column):
            yield differs("setting.witness", f"{place}/{column}", after.get(column), getattr(row, column))
    if first.actor != row.proposed_by or not first.witnesses(row.proposed_at):
        yield differs("setting.witness", f"{place}/proposed_at", (first.actor, first.at), row.proposed_at)
    decided = last if row.decided_at is not None else None
    if decided is not None and (decided.actor != row.decided_by or not decided.witnesses(row.decided_at)):
        yield differs("setting.witness", f"{place}/decided_at", (decided.actor, decided.at), row.decided_at)
    if first.action != _SET and (row.state in {"approved", "rejected"}) != (decided is not None):
        yield differs("setting.witness", f"{place}/decided_at", row.state, row.decided_at)
    if decided is not None and decided.actor == first.actor:
        yield differs("setting.four_eyes", f"{place}/decided_by", f"not {first.actor}", decided.actor)


def _regions(key: Key, said: Mapping[str, Any], found: Mapping[str, list[str]]) -> Iterator[Difference]:
    for division in sorted(said.keys() | found.keys()):
        if said.get(division) != found.get(division):
            place = "/".join(map(str, ("linked_region", *key, division)))
            yield differs("setting.witness", place, said.get(division), found.get(division))
