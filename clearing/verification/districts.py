"""Districts of reviewers: as the audit chain tells them, set by others, and nothing outside them decided."""

from collections.abc import Iterator
from typing import Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot

_DISTRICTS: Final = """
select tenant, id, person, division, ground, set_by, set_at, ended_by, ended_at, end_reason from reviewer_district
"""
_DECIDED_OUTSIDE: Final = """
with decided as (
    select 'review' as what, 'person' as who, r.tenant, r.id, r.person, r.at, c.division
      from review r join claim c on c.tenant = r.tenant and c.id = r.claim_id
     union all
    select 'qualification', 'decided_by', tenant, id, decided_by, decided_at, division from qualification
     where decided_by is not null)
select r.what, r.who, r.tenant, r.id, r.person, r.division from decided r
  join lateral (
      select bool_or(starts_with(r.division, case when d.division like '%%0000' then left(d.division, 2)
                                                  when d.division like '%%00' then left(d.division, 4)
                                                  else d.division end)) as inside
        from reviewer_district d where d.tenant = r.tenant and d.person = r.person and d.set_at < r.at
         and (d.ended_at is null or d.ended_at > r.at)) b on not b.inside
"""


def district_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """What is wrong with any binding, and decisions that one should have prevented."""
    rows = {(row.tenant, row.id): row for row in snapshot.counted("districts", snapshot.stream(_DISTRICTS))}
    told = {key: entries for key, entries in settings.items() if entries[0].action.startswith("district.")}
    for key in sorted(rows.keys() | told.keys(), key=str):
        place = f"reviewer_district/{key[0]}/{key[1]}"
        if key not in rows or key not in told:
            yield differs("district.witness", place, key in told, key in rows)
            continue
        yield from _district(place, rows[key], told[key])
    for row in snapshot.rows(_DECIDED_OUTSIDE):
        yield differs(
            "district.decision", f"{row.what}/{row.tenant}/{row.id}/{row.who}", f"not of {row.division}", row.person
        )


def _district(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    first, last = entries[0], entries[-1]
    said = last.details["after"]
    for column in ("person", "division", "ground", "set_by", "ended_by", "end_reason"):
        if said.get(column) != getattr(row, column):
            yield differs("district.witness", f"{place}/{column}", said.get(column), getattr(row, column))
    if first.actor != row.set_by or not first.witnesses(row.set_at):
        yield differs("district.witness", f"{place}/set_at", (first.actor, first.at), row.set_at)
    ended = last if last.action == "district.ended" else None
    if (ended is None) != (row.ended_at is None) or (ended is not None and not ended.witnesses(row.ended_at)):
        yield differs("district.witness", f"{place}/ended_at", ended and ended.at, row.ended_at)
    for column in ("set_by", "ended_by"):
        if getattr(row, column) == row.person:
            yield differs("district.own", f"{place}/{column}", f"not {row.person}", row.person)
