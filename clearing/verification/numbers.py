"""Numbers that people use: each series counts from one without gaps, up to what it says it has given out."""

from collections.abc import Iterator
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

_NUMBERED: Final = """
with numbered as (
    select 'claim' as series, tenant, regexp_match(claim_no, '^CL-([A-Z]{2,5})-([0-9]{4})-([0-9]{6,})$') as parts,
           claim_no as number from claim
    union all
    select 'reward', tenant, regexp_match(claim_no, '^RW-([A-Z]{2,5})-([0-9]{4})-([0-9]{4,})$'), claim_no
      from obligation o where kind = 'incentive' and not exists (
           select 1 from objection_upholding_decision d where d.tenant = o.tenant and d.instead_id = o.id)
    union all
    select 'batch', tenant, regexp_match(batch_no, '^BT-([A-Z]{2,5})-([0-9]{4})-([0-9]{4,})$'), batch_no from batch
    union all
    select 'reservation', tenant, regexp_match(reservation_no, '^RS-([A-Z]{2,5})-([0-9]{4})-([0-9]{6,})$'),
           reservation_no from reservation),
sums as (
    select series, tenant, parts[2]::integer as year, count(*) as given, count(distinct parts[3]::bigint) as different,
           min(parts[3]::bigint) as first, max(parts[3]::bigint) as last, min(parts[1]) as code, max(parts[1]) as other
      from numbered where parts is not null group by 1, 2, 3)
select coalesce(s.series, n.series) as series, coalesce(s.tenant, n.tenant) as tenant, coalesce(s.year, n.year) as year,
       s.given, s.different, s.first, s.last, n.latest, s.code, s.other, t.code as own, null as number
  from sums s full join (select * from number_series where series not in ('seal', 'manifest')) n
       on n.tenant = s.tenant and n.series = s.series and n.year = s.year
  left join tenant t on t.tenant = coalesce(s.tenant, n.tenant)
 where (s.first, s.last, s.different, s.given) is distinct from (1, n.latest, n.latest, n.latest)
    or (s.code, s.other) is distinct from (t.code, t.code)
union all
select series, tenant, null, null, null, null, null, null, null, null, null, number from numbered where parts is null
"""


def number_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Numbers of another form, of another tenant's code, and series with gaps or repetitions."""
    for row in snapshot.stream(_NUMBERED):
        if row.number is not None:
            yield differs("number.form", f"{row.series}/{row.tenant}/{row.number}", "the series' own form", row.number)
            continue
        if (row.first, row.last, row.different, row.given) != (1, row.latest, row.latest, row.latest):
            found = f"{row.given} given, {row.different} different, {row.first} to {row.last}"
            place = f"number_series/{row.tenant}/{row.series}/{row.year}/latest"
            yield differs("number.series", place, f"1 to {row.latest}", found)
        if row.code is not None and {row.code, row.other} != {row.own}:
            yield differs("tenant.code", f"tenant/{row.tenant}/code", row.own, f"{row.series}: {row.code}, {row.other}")
