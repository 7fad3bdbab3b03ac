"""Interests and samples: as the audit chain tells them; and each sample is what its seed draws."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, Final
from uuid import UUID

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain
from tenants.kernel.money import Money

_INTERESTS: Final = """
select tenant, id, person, uscc, ground, declared_by, declared_at, ended_by, ended_at, end_reason from interest
"""
_SAMPLES: Final = """
select tenant, id, scheme, from_on, through_on, share, cite, seed, population, size, drawn_by, drawn_at from sample
"""
_ITEMS: Final = """
select i.tenant, i.sample_id, i.line, i.claim_id, i.outcome, i.reason, i.decided_by, i.decided_at, i.consequence,
       i.clawback_id, i.asked_fen, i.sanction_until, c.claim_no, k.claim_id as clawed_claim
  from sample_item i left join claim c on c.tenant = i.tenant and c.id = i.claim_id
  left join clawback k on k.tenant = i.tenant and k.id = i.clawback_id
 order by i.tenant, i.sample_id, i.line
"""
_PASSED: Final = """
select c.id from claim c join obligation o on o.tenant = c.tenant and o.id = c.id
 where c.tenant = %s and c.scheme = %s and o.released_at is null and o.approved_at >= %s and o.approved_at < %s
   and o.approved_at <= %s and not exists (select 1 from review r where r.tenant = c.tenant and r.claim_id = c.id
       and r.revision = c.revision and r.stage <> 'provider')
"""
"""Claims of a period that stand, and that nobody reviewed but their provider."""


def oversight_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """What is wrong with interests and samples, and which of them are not there."""
    interests = {(row.tenant, row.id): row for row in snapshot.rows(_INTERESTS)}
    samples = {(row.tenant, row.id): row for row in snapshot.rows(_SAMPLES)}
    items: dict[tuple[str, UUID], list[Row]] = {}
    for row in snapshot.rows(_ITEMS):
        items.setdefault((row.tenant, row.sample_id), []).append(row)
    told = {key: entries for key, entries in settings.items() if entries[0].action.startswith(("interest.", "sample."))}
    for key in sorted(interests.keys() | samples.keys() | items.keys() | told.keys(), key=str):
        entries = told.get(key, [])
        table = next((name for name, rows in (("interest", interests), ("sample", samples)) if key in rows), None)
        if table is None or not entries or not entries[0].action.startswith(f"{table}."):
            named = table or ("sample_item" if key in items and not entries else entries[0].action.split(".")[0])
            yield differs("oversight.witness", f"{named}/{key[0]}/{key[1]}", bool(entries), table)
        elif table == "interest":
            yield from _interest(f"interest/{key[0]}/{key[1]}", interests[key], entries)
        else:
            yield from _sample(snapshot, samples[key], items.get(key, []), entries)


def _interest(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    first, last = entries[0], entries[-1]
    said = last.details["after"]
    for column in ("person", "uscc", "ground", "declared_by", "ended_by", "end_reason"):
        if said.get(column) != getattr(row, column):
            yield differs("oversight.witness", f"{place}/{column}", said.get(column), getattr(row, column))
    if first.actor != row.declared_by or not first.witnesses(row.declared_at):
        yield differs("oversight.witness", f"{place}/declared_at", (first.actor, first.at), row.declared_at)
    ended = last if last.action == "interest.ended" else None
    if (ended is None) != (row.ended_at is None) or (ended is not None and not ended.witnesses(row.ended_at)):
        yield differs("oversight.witness", f"{place}/ended_at", ended and ended.at, row.ended_at)
    if row.ended_by == row.person:
        yield differs("oversight.own", f"{place}/ended_by", f"not {row.person}", row.ended_by)


def _sample(snapshot: Snapshot, row: Row, items: list[Row], entries: list[Entry]) -> Iterator[Difference]:
    place, first = f"sample/{row.tenant}/{row.id}", entries[0]
    said = first.details["after"]
    for column in ("scheme", "from_on", "through_on", "share", "cite", "population", "size", "drawn_by"):
        if said.get(column) != plain(getattr(row, column)):
            yield differs("oversight.witness", f"{place}/{column}", said.get(column), getattr(row, column))
    if said.get("seed") != bytes(row.seed).hex():
        yield differs("oversight.witness", f"{place}/seed", said.get("seed"), row.seed)
    if not first.witnesses(row.drawn_at):
        yield differs("oversight.witness", f"{place}/drawn_at", first.at, row.drawn_at)
    where = f"sample_item/{row.tenant}/{row.id}"
    claims = [(item.line, str(item.claim_id)) for item in items]
    if claims != list(enumerate(said["claims"], 1)):
        yield differs("oversight.witness", f"{where}/claim_id", said["claims"], claims)
    yield from _drawn(snapshot, place, row, items)
    for item in items:
        about = [entry for entry in entries[1:] if int(entry.details["line"]) == item.line]
        yield from _decided(f"{where}/{item.line}", item, about[0] if about else None)
        yield from _consequence(f"{where}/{item.line}", item, about)


def _drawn(snapshot: Snapshot, place: str, row: Row, items: list[Row]) -> Iterator[Difference]:
    """The size follows from the share, and no claim that the seed puts before the last is left out."""
    share = Fraction(row.share)
    size = -(-row.population * share.numerator // share.denominator)
    if row.size != size or len(items) != size:
        yield differs("oversight.drawn", f"{place}/size", size, (row.size, len(items)))
    digests = [_digest(row, item.claim_id) for item in items]
    if digests != sorted(digests):
        yield differs("oversight.drawn", f"sample_item/{row.tenant}/{row.id}/line", "in the order of digests", "others")
    begins = datetime.combine(row.from_on, datetime.min.time(), SHANGHAI)
    ends = datetime.combine(row.through_on + timedelta(days=1), datetime.min.time(), SHANGHAI)
    passed = snapshot.rows(_PASSED, row.tenant, row.scheme, begins, ends, row.drawn_at)
    taken = {item.claim_id for item in items}
    left_out = [each.id for each in passed if each.id not in taken and digests and _digest(row, each.id) < digests[-1]]
    if left_out:
        yield differs("oversight.drawn", f"{place}/seed", "what the seed draws", f"without {left_out}")


def _digest(row: Row, claim_id: UUID) -> bytes:
    return hashlib.sha256(bytes(row.seed) + claim_id.bytes).digest()


def _consequence(place: str, item: Row, entries: list[Entry]) -> Iterator[Difference]:
    """What is unsound was stopped or asked back, as the chain tells, by a clawback of its own claim."""
    unsound = bool(entries) and entries[0].details.get("outcome") == "unsound"
    last = entries[-1].details if unsound else {}
    told = (last.get("consequence", "due" if unsound else None), last.get("clawback"))
    found = (item.consequence, plain(item.clawback_id))
    if told != found:
        yield differs("oversight.consequence", f"{place}/consequence", told, found)
    first = entries[0].details if entries else {}
    stated = {
        "asked_fen": (first.get("asked"), None if item.asked_fen is None else str(Money(item.asked_fen))),
        "sanction_until": (first.get("sanction_until"), plain(item.sanction_until)),
    }
    for column, (wanted, stands) in stated.items():
        if wanted != stands:
            yield differs("oversight.consequence", f"{place}/{column}", wanted, stands)
    if item.clawback_id is not None and item.clawed_claim != item.claim_id:
        yield differs("oversight.consequence", f"{place}/clawback_id", item.claim_id, item.clawed_claim)


def _decided(place: str, item: Row, entry: Entry | None) -> Iterator[Difference]:
    wanted: dict[str, Any] = {
        "outcome": entry and entry.details.get("outcome"),
        "reason": entry and entry.reason,
        "decided_by": entry and entry.actor,
    }
    for column, value in wanted.items():
        if getattr(item, column) != value:
            yield differs("oversight.witness", f"{place}/{column}", value, getattr(item, column))
    if (entry is None) != (item.decided_at is None) or (entry is not None and not entry.witnesses(item.decided_at)):
        yield differs("oversight.witness", f"{place}/decided_at", entry and entry.at, item.decided_at)
