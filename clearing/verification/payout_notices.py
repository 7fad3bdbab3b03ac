"""What platforms were told of payments: one event for each outcome of each claim's payment, and nothing else (I23)."""

from collections.abc import Iterator
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

# From the first obligation of each chain downwards; a reward is of no claim, and another tenant's claim keeps its id.
_TOLD: Final = """
with recursive chain (tenant, id, first_id, payment) as (
    select o.tenant, o.id, o.id, 1 from obligation o
     where not exists (select 1 from reissue r where r.tenant = o.tenant and r.obligation_id = o.id)
    union all
    select r.tenant, r.obligation_id, c.first_id, c.payment + 1
      from chain c join reissue r on r.tenant = c.tenant and r.of_obligation = c.id),
events as (
    select x.tenant, 'payout.' || x.outcome as kind, k.claim_id as obligation_id, k.instruction_id, i.batch_id, x.at
      from instruction_outcome x
      join instruction_claim k on k.tenant = x.tenant and k.instruction_id = x.instruction_id
      join instruction i on i.tenant = x.tenant and i.id = x.instruction_id
     where x.outcome <> 'accepted'
    union all
    select r.tenant, 'payout.reissued', r.obligation_id, null, null, r.made_at from reissue r
    union all -- an upheld objection ended it
    select u.tenant, 'payout.' || u.outcome, u.obligation_id, null, null, d.decided_at
      from objection_upholding u join objection_upholding_decision d on d.tenant = u.tenant and d.upholding_id = u.id
     where d.outcome = 'approve' and u.outcome in ('withdrawn', 'returned')),
worded as (
    select e.tenant, e.kind, o.platform, coalesce(f.origin_id, f.id) as subject_id, e.at,
           format('{"amount":"%s","batch_id":%s,"batch_no":%s,"claim_id":"%s","claim_no":"%s",'
                  '"instruction_id":%s,"kind":"%s","payment":%s,"tenant":"%s"}',
                  trim(to_char(o.amount_fen / 100.0, '9999999999999990.00')),
                  coalesce('"' || e.batch_id || '"', 'null'), coalesce('"' || b.batch_no || '"', 'null'),
                  coalesce(f.origin_id, f.id), o.claim_no, coalesce('"' || e.instruction_id || '"', 'null'),
                  coalesce(f.kind, f.mode), c.payment, e.tenant) as payload
      from events e
      join chain c on c.tenant = e.tenant and c.id = e.obligation_id
      join obligation o on o.tenant = e.tenant and o.id = e.obligation_id
      join obligation f on f.tenant = c.tenant and f.id = c.first_id
      left join batch b on b.tenant = e.tenant and b.id = e.batch_id
     where f.kind is distinct from 'incentive'),
expected as (
    select *, row_number() over (partition by tenant, kind, platform, subject_id, payload, at) as time from worded),
found as (
    select id, tenant, kind, platform, subject_id, payload, created_at as at,
           row_number() over (partition by tenant, kind, platform, subject_id, payload, created_at order by id) as time
      from outbox where kind in
           ('payout.paid', 'payout.returned', 'payout.rejected', 'payout.reissued', 'payout.withdrawn'))
select coalesce(e.tenant, f.tenant) as tenant, coalesce(e.subject_id, f.subject_id) as subject_id, f.id,
       case when e.tenant is not null then (e.kind, e.platform, e.payload, e.at)::text end as expected,
       case when f.tenant is not null then (f.kind, f.platform, f.payload, f.at)::text end as found
  from expected e full join found f using (tenant, kind, platform, subject_id, payload, at, time)
 where e.tenant is null or f.tenant is null
"""


def payout_notice_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Payments that no platform was told of, and events of payments that were not."""
    for row in snapshot.stream(_TOLD):
        name = row.id or row.subject_id
        yield differs("outbox.payout", f"outbox/{row.tenant}/{name}", row.expected, row.found)
