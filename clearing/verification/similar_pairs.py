"""Near duplicates: each pair is the one that the later claim's chain digests, decided as the chain says.

Of another tenant's claim a pair keeps the platform, the month and the reference, and nothing of what speaks for it.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.claim_history import SIMILAR, SIMILAR_DECIDED
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes, sha256

SWEPT: Final = "similarity.swept"
TRAINED: Final = "similarity.trained"
DIGESTED: Final = (
    "tenant", "id", "claim_id", "place", "other_reference", "other_platform", "other_month", "other_place",
    "probability_parts", "fields", "model_sha256", "hold_id",
)  # fmt: skip
_MODELS: Final = "select id, content, sha256, pairs, trained_by, trained_at from similarity_model order by id"
_OTHERS: Final = """
select p.tenant, p.id, p.other_platform, p.other_month, c.tenant as other_tenant, c.platform, c.submitted_at,
       p.fields is null as bare
  from similar_pair p left join claim c on c.id = p.other_reference
"""
_CASES: Final = """
select c.later_tenant as tenant, c.id, c.resolved_at, c.outcome, p.id as pair_id,
       coalesce(p.outcome, case h.outcome when 'clear' then 'dismissed' when 'reject' then 'confirmed' end) as decided,
       case when p.id is null then 'a pair'
            when (c.resolved_at is not null) <> (coalesce(p.resolved_at, h.resolved_at) is not null) then 'as the pair'
            when c.outcome = 'distinct'
                 and coalesce(p.outcome, h.outcome) is distinct from case when p.outcome is null then 'clear'
                                                                          else 'dismissed' end then 'dismissed'
            when c.outcome = 'earlier_stands' and coalesce(p.outcome, h.outcome) in ('clear', 'dismissed')
            then 'confirmed' end as wrong
  from duplicate_case c
  left join similar_pair p on p.tenant = c.later_tenant and p.claim_id = c.later_id and p.other_reference = c.earlier_id
  left join hold h on h.tenant = p.tenant and h.id = p.hold_id
 where c.kind = 'similar'
"""


def pair_differences(dossier: Dossier, claim: Row) -> Iterator[Difference]:
    """Pairs of one later claim that the chain does not tell of, or tells of otherwise."""
    place = place_of("similar_pair", dossier.tenant, claim.claim_no)
    found = {str(row.id): row for row in dossier["similar_pair"]}
    told = {entry.details.get("pair"): entry for entry in dossier.entries if entry.action == SIMILAR}
    decided = {entry.details.get("pair"): entry for entry in dossier.entries if entry.action == SIMILAR_DECIDED}
    for name in told.keys() - found.keys():
        yield differs("similar.witness", f"{place}/{name}", "one row", None)
    for name, row in found.items():
        here, entry = f"{place}/{name}", told.get(name)
        digest = sha256(canonical_bytes({column: getattr(row, column) for column in DIGESTED})).hex()
        if entry is None or entry.details.get("pair_sha256") != digest:
            yield differs("similar.witness", here, entry and entry.details.get("pair_sha256"), digest)
        if entry is not None and not entry.witnesses(row.found_at):
            yield differs("similar.witness", f"{here}/found_at", entry.at, row.found_at)
        yield from _decided(here, row, decided.pop(name, None))
    for name in decided:
        yield differs("similar.witness", f"{place}/{name}", "one row", None)


def _decided(place: str, row: Row, entry: Entry | None) -> Iterator[Difference]:
    expected: dict[str, Any] = {
        "outcome": entry and entry.details.get("outcome"),
        "resolved_by": entry and entry.actor,
        "reason": entry and entry.reason,
    }
    yield from compared("similar.decided", place, expected, row)
    if (entry is None) != (row.resolved_at is None) or (entry is not None and not entry.witnesses(row.resolved_at)):
        yield differs("similar.decided", f"{place}/resolved_at", entry and entry.at, row.resolved_at)


def other_side_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Pairs whose other side is no claim, or is told of otherwise, or too widely."""
    for row in snapshot.rows(_OTHERS):
        place = f"similar_pair/{row.tenant}/{row.id}"
        if row.other_tenant is None:
            yield differs("similar.other", f"{place}/other_reference", "a claim", None)
            continue
        if row.other_platform != row.platform:
            yield differs("similar.other", f"{place}/other_platform", row.platform, row.other_platform)
        if row.other_tenant != row.tenant and not row.bare:
            yield differs("similar.wide", f"{place}/fields", None, "another tenant's claim compared")
        if not _is_month(row.submitted_at, row.other_month):
            yield differs("similar.other", f"{place}/other_month", f"{row.submitted_at:%Y-%m}", row.other_month)


def similar_case_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Cases of claims that look alike without their pair, or decided otherwise than it."""
    for row in snapshot.rows(_CASES):
        if row.wrong is not None:
            found = (row.pair_id, row.decided, row.outcome)
            yield differs("similar.case", f"duplicate_case/{row.tenant}/{row.id}", row.wrong, found)


def _is_month(submitted_at: datetime, month: str) -> bool:
    """A claim that was corrected since may have been submitted in an earlier month when the pair was found."""
    return month <= f"{submitted_at.astimezone(SHANGHAI):%Y-%m}"


def model_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Models that are not what every tenant's chain says was trained."""
    rows = snapshot.rows(_MODELS)
    tenants = [tenant for (tenant,) in snapshot.rows("select tenant from tenant order by tenant")]
    said = {key: found for key, found in settings.items() if found[0].action == TRAINED}
    known = {row.id for row in rows}
    for _, subject in sorted(said):
        if subject not in known:
            yield differs("similar.model", f"similarity_model/{subject}", "one row", None)
    for row in rows:
        place = f"similarity_model/{row.id}"
        digest = hashlib.sha256(row.content.encode()).hexdigest()
        if row.sha256 != digest:
            yield differs("similar.model", f"{place}/sha256", digest, row.sha256)
        for tenant in tenants:
            entry = next(iter(said.get((tenant, row.id), [])), None)
            if entry is None:
                yield differs("similar.model", place, f"an entry of {tenant}'s chain", None)
                continue
            expected = {"sha256": entry.details.get("model"), "pairs": entry.details.get("pairs")}
            yield from compared("similar.model", place, expected | {"trained_by": entry.actor}, row)
            if not entry.witnesses(row.trained_at):
                yield differs("similar.model", f"{place}/trained_at", entry.at, row.trained_at)


def is_sweep(dossier: Dossier) -> bool:
    """Whether the subject is a tenant's sweeps, of which the chain alone tells."""
    of_sweeps = dossier.subject_id == uuid5(NAMESPACE_OID, f"similarity/{dossier.tenant}")
    return of_sweeps and not any(dossier.rows.values()) and all(each.action == SWEPT for each in dossier.entries)
