"""The blind registry: each head's fen and total follow from its holdings, and no fen is taken twice (I4).

Whose keys a holder has to hold is checked with the claim and with the support record.
"""

from collections.abc import Iterator
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

_HEADS: Final = """
with held as (
    select digest, exclusion_group, count(*) as holders,
           coalesce(sum(claimed_fen) filter (where status = 'taken'), 0)::bigint as taken,
           min(stated_fen) filter (where status = 'taken') as total
      from registry_holding group by digest, exclusion_group)
select coalesce(k.digest, h.digest) as digest, coalesce(k.exclusion_group, h.exclusion_group) as exclusion_group,
       k.kind, k.taken_fen, k.total_fen, coalesce(h.taken, 0) as taken, h.total
  from registry_key k full join held h on h.digest = k.digest and h.exclusion_group = k.exclusion_group
 where k.digest is null
    or k.taken_fen <> coalesce(h.taken, 0)
    or k.total_fen is distinct from h.total
    or (h.total is not null and h.taken > h.total)
    or length(k.digest) <> 16
    or k.key_version not in (select version from registry_key_version where state <> 'retired')
"""


def registry_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Heads that do not follow from their holdings."""
    counted = snapshot.rows(
        "select (select count(*) from registry_key) as k, (select count(*) from registry_holding) as h"
    )
    snapshot.tally["registry keys"] += counted[0].k
    snapshot.tally["registry holdings"] += counted[0].h
    for row in snapshot.stream(_HEADS):
        place = f"registry_key/{bytes(row.digest).hex()}/{row.exclusion_group}"
        if row.kind is None:
            yield differs("registry.head", place, "a head for its holdings", None)
            continue
        if row.taken_fen != row.taken:
            yield differs("registry.taken", f"{place}/taken_fen", row.taken, row.taken_fen)
        if row.total_fen != row.total:
            yield differs("registry.total", f"{place}/total_fen", row.total, row.total_fen)
        if row.total is not None and row.taken > row.total:
            yield differs("registry.twice", place, f"at most {row.total}", row.taken)
        if row.taken_fen == row.taken and row.total_fen == row.total and not _exceeds(row):
            yield differs("registry.head", place, "16 bytes under a key version that stands", bytes(row.digest))


def _exceeds(row: object) -> bool:
    total, taken = getattr(row, "total", None), getattr(row, "taken", 0)
    return total is not None and taken > total
