"""Looks at what other tenants hold: each row is one that the chain of the tenant that looked has the digest of."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes, sha256

SEEN: Final = "seen"
_ORPHANS: Final = """
select p.tenant, p.id from registry_probe p
 where not exists (select 1 from claim c where c.id = p.seeker_id)
   and not exists (select 1 from support_record s where s.id = p.seeker_id)
"""
_COUNTS: Final = """
with met as (select client_id, date_trunc('hour', at, 'UTC') as hour_at, count(*) as probes from registry_probe
              group by client_id, date_trunc('hour', at, 'UTC'))
select coalesce(c.client_id, m.client_id) as client_id, coalesce(c.hour_at, m.hour_at) as hour_at,
       c.probes as counted, coalesce(m.probes, 0) as met
  from client_probes c full join met m on m.client_id = c.client_id and m.hour_at = c.hour_at
 where c.probes is distinct from coalesce(m.probes, 0)
"""


def probe_table_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Looks of nobody, and counts of a client's looks that are not those of the log."""
    for row in snapshot.rows(_ORPHANS):
        yield differs("probe.orphan", f"registry_probe/{row.tenant}/{row.id}/seeker_id", "a claim or record", None)
    for row in snapshot.rows(_COUNTS):
        yield differs("probe.count", f"client_probes/{row.client_id}/{row.hour_at}", row.met, row.counted)


def probe_differences(dossier: Dossier, acts: Sequence[tuple[Entry, str, str, str]]) -> Iterator[Difference]:
    """Looks of one subject; ``acts`` are its submissions: entry, platform, month and client of each."""
    by_at = {at: list(rows) for at, rows in groupby(dossier["registry_probe"], key=lambda row: row.at)}
    for entry, platform, month, client_id in acts:
        found = next((rows for at, rows in by_at.items() if entry.witnesses(at)), [])
        if found:
            by_at.pop(found[0].at)
        said = entry.details.get(SEEN)
        digest = _digest(found) if found else None
        if said != digest:
            place = f"registry_probe/{dossier.tenant}/{dossier.subject_id}"
            yield differs("probe.witness", place, said, digest)
        for row in found:
            wanted = {"platform": platform, "month": month, "client_id": client_id}
            for column, value in wanted.items():
                if getattr(row, column) != value:
                    yield differs("probe.row", f"{_place(dossier, row)}/{column}", value, getattr(row, column))
    for rows in by_at.values():
        for row in rows:
            yield differs("probe.witness", f"{_place(dossier, row)}/at", "the time of a submission", row.at)


def _digest(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda row: str(row.id))
    return sha256(canonical_bytes([[str(r.id), r.met_tenant, r.kind, str(r.holder_id)] for r in ordered])).hex()


def _place(dossier: Dossier, row: Row) -> str:
    return place_of("registry_probe", row.met_tenant, dossier.subject_id, row)
