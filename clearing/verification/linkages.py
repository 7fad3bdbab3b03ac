"""Linkages: each row is what the chains of both sides tell, decided by another person than proposed it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import rate_of
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

_LINKAGES: Final = """
select tenant, id, scheme, year, division, types, provincial_to_local, cap_fen, from_on, cite, linked, state,
       proposed_by, proposed_at, decided_by, decided_at, reason,
       (select t.tenant from tenant t, unnest(t.divisions) d where t.tenant <> l.tenant and starts_with(l.division, d)
         order by length(d) desc limit 1) as governing
  from linkage l order by tenant, id
"""
_STEPS: Final = {"linkage.proposed": None, "linkage.approved": "proposed", "linkage.rejected": "proposed"}
"""From which state each act leads."""
_TOLD: Final = (
    "scheme", "year", "division", "provincial_to_local", "cite", "state", "proposed_by", "decided_by", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Committed:
    """What was approved by the province's entry ``seq``: from which day on, and the linked region as facts spell it."""

    seq: int
    from_on: str
    region: dict[str, Any]


def committed(settings: Settings) -> dict[tuple[str, str, int], list[Committed]]:
    """The approved commitments by province, scheme and year."""
    found: dict[tuple[str, str, int], list[Committed]] = {}
    for (tenant, _), entries in settings.items():
        for entry in entries:
            if entry.action == "linkage.approved" and entry.details["after"]["province"] == tenant:
                said = entry.details["after"]
                terms = {
                    "share": str(1 / rate_of(said["provincial_to_local"])), "cap": said["cap"],
                    "cite": said["cite"],
                }  # fmt: skip
                region = {"division": said["division"], "types": said["types"], "terms": terms}
                key = (tenant, said["scheme"], int(said["year"]))
                found.setdefault(key, []).append(Committed(entry.seq, said["from_on"], region))
    return found


def linkage_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Linkages that are not those of the chains, and those that are not there."""
    rows = {(row.tenant, row.id): row for row in snapshot.counted("linkages", snapshot.stream(_LINKAGES))}
    told = {key: entries for key, entries in settings.items() if entries[0].action.startswith("linkage.")}
    for (tenant, subject), entries in told.items():
        province = str(entries[0].details["after"]["province"])
        if (province, subject) not in rows:
            yield differs("linkage.witness", f"linkage/{province}/{subject}", entries[-1].action, f"no row ({tenant})")
    for key, row in rows.items():
        place = f"linkage/{row.tenant}/{row.id}"
        sides = [told.get((side, row.id), []) for side in (row.tenant, row.linked) if side is not None]
        if not all(sides):
            yield differs("linkage.witness", place, "entries in the chains of all sides", None)
            continue
        if any([_told(each) for each in side] != [_told(each) for each in sides[0]] for side in sides[1:]):
            yield differs("linkage.sides", place, [each.action for each in sides[0]], "another history")
        yield from _steps(place, told[key])
        yield from _row(place, row, told[key])


def _told(entry: Entry) -> tuple[Any, ...]:
    return entry.actor, entry.action, entry.from_state, entry.to_state, entry.reason, dict(entry.details)


def _steps(place: str, entries: list[Entry]) -> Iterator[Difference]:
    state = None
    for entry in entries:
        if entry.from_state != state or _STEPS.get(entry.action, "none") != state:
            yield differs("linkage.witness", f"{place}/state", state, f"{entry.from_state} → {entry.to_state}")
        state = entry.to_state


def _row(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    first, last = entries[0], entries[-1]
    said: Mapping[str, Any] = last.details["after"]
    yield from compared("linkage.witness", place, {name: said[name] for name in _TOLD}, row)
    shown = {
        "types": (said["types"], list(row.types)),
        "cap_fen": (said["cap"], str(Money(row.cap_fen))),
        "from_on": (said["from_on"], plain(row.from_on)),
        "linked": (said["linked_tenant"], row.linked),
    }
    for column, (wanted, found) in shown.items():
        if wanted != found:
            yield differs("linkage.witness", f"{place}/{column}", wanted, found)
    if row.linked != row.governing:
        yield differs("linkage.governing", f"{place}/linked", row.governing, row.linked)
    if first.actor != row.proposed_by or not first.witnesses(row.proposed_at):
        yield differs("linkage.witness", f"{place}/proposed_at", (first.actor, first.at), row.proposed_at)
    decided = None if last is first else last
    if (decided is None) != (row.decided_at is None) or (decided is not None and not decided.witnesses(row.decided_at)):
        yield differs("linkage.witness", f"{place}/decided_at", decided and decided.at, row.decided_at)
    if decided is None:
        return
    if decided.actor == first.actor:
        yield differs("linkage.four_eyes", f"{place}/decided_by", f"not {first.actor}", decided.actor)
    if row.state == "approved" and row.from_on < decided.at.astimezone(SHANGHAI).date():
        yield differs("linkage.witness", f"{place}/from_on", f"not before {decided.at}", row.from_on)
