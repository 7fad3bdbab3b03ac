"""Quotas: per enterprise, scheme and year, what live claims and reservations take is what the account says (I7).

Each statement goes over all rows at once; the account's own sums are checked with the ledger.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from clearing.verification.amounts import fen_of
from clearing.verification.difference import Difference, differs
from clearing.verification.linkages import Committed
from clearing.verification.snapshot import Snapshot
from clearing.verification.terms import Policies
from tenants.kernel.money import Money

_TAKEN: Final = """
with recursive upheld as ( -- what of rewards and payments issued again is not paid
    select o.tenant, o.id, o.kind, o.scheme, o.quota_year, o.amount_fen - u.keeps_fen as fen from objection_upholding u
      join objection_upholding_decision d on d.tenant = u.tenant and d.upholding_id = u.id and d.outcome = 'approve'
      join obligation o on o.tenant = u.tenant and o.id = u.obligation_id
     where o.kind = 'incentive' or (o.kind = 'reissue' and u.outcome = 'withdrawn')),
given_up (tenant, id, fen) as (
    select tenant, id, fen from upheld where kind = 'reissue'
    union all
    select r.tenant, r.of_obligation, g.fen
      from given_up g join reissue r on r.tenant = g.tenant and r.obligation_id = g.id),
shared as (
    select * from unnest(%s::text[], %s::text[], %s::text[]) as s(tenant, version, cap)),
live as (
    select c.tenant, c.scheme || '/' || c.quota_year as year,
           coalesce(s.cap, c.scheme) || '/' || c.quota_year as capped, c.enterprise_uscc as uscc, c.award_fen as fen
      from claim c left join shared s on s.tenant = c.tenant and s.version = c.policy_version
     where c.state in ('on_hold', 'in_review', 'approved') and c.award_fen > 0
    union all
    select r.tenant, r.scheme || '/' || r.quota_year,
           coalesce((select split_part(t.debit, '/', 2) from ledger_transfer t where t.tenant = r.tenant
                      and t.subject_id = r.id and t.debit like 'quota/%%' limit 1), r.scheme) || '/' || r.quota_year,
           r.enterprise_uscc, r.amount_fen
      from reservation r where r.state = 'confirmed'
    union all -- what came back of a clawback is free again
    select c.tenant, c.scheme || '/' || c.quota_year, coalesce(s.cap, c.scheme) || '/' || c.quota_year,
           c.enterprise_uscc, -r.amount_fen
      from clawback_recovery r join clawback k on k.tenant = r.tenant and k.id = r.clawback_id
      join claim c on c.tenant = k.tenant and c.id = k.claim_id
      left join shared s on s.tenant = c.tenant and s.version = c.policy_version
    union all -- and what came back and is never paid
    select c.tenant, c.scheme || '/' || c.quota_year, coalesce(s.cap, c.scheme) || '/' || c.quota_year,
           c.enterprise_uscc, -g.fen
      from given_up g join claim c on c.tenant = g.tenant and c.id = g.id
      left join shared s on s.tenant = c.tenant and s.version = c.policy_version),
wanted as (
    select tenant, 'quota/' || capped || '/' || uscc as code, sum(fen) as fen from live group by 1, 2
    union all
    select tenant, 'budget/' || year, sum(fen) from (
        select tenant, year, fen from live
        union all
        select tenant, scheme || '/' || year, amount_fen from provider_reward
        union all
        select tenant, scheme || '/' || quota_year, -fen from upheld where kind = 'incentive'
        union all
        select g.tenant, o.scheme || '/' || o.quota_year, -g.fen from given_up g
          join obligation o on o.tenant = g.tenant and o.id = g.id and o.kind = 'incentive') spent group by 1, 2),
appropriated as (
    select tenant, case debit when 'treasury' then credit else debit end as code,
           sum(case debit when 'treasury' then amount_fen else -amount_fen end) as fen
      from ledger_transfer where debit = 'treasury' or credit = 'treasury' group by 1, 2),
held as (
    select a.tenant, a.code,
           a.debits_pending_fen + a.debits_posted_fen - a.credits_posted_fen + coalesce(p.fen, 0) as fen
      from ledger_account a left join appropriated p on p.tenant = a.tenant and p.code = a.code
     where a.code like 'quota/%%' or a.code like 'budget/%%')
select coalesce(w.tenant, h.tenant) as tenant, coalesce(w.code, h.code) as code, coalesce(w.fen, 0)::bigint as wanted,
       coalesce(h.fen, 0)::bigint as held
  from wanted w full join held h on h.tenant = w.tenant and h.code = w.code
 where coalesce(w.fen, 0) <> coalesce(h.fen, 0)
"""

_MATCHED: Final = """
with wanted as (
    select c.tenant, c.scheme || '/' || c.quota_year as year, c.enterprise_uscc as uscc,
           sum(c.matching_fen - coalesce(d.freed_fen, 0) - coalesce((select sum(r.amount_fen) from matching_recovery r
               where r.tenant = c.tenant and r.claim_id = c.id), 0)) as fen
      from claim c left join matching_due d on d.tenant = c.tenant and d.claim_id = c.id
     where c.state in ('on_hold', 'in_review', 'approved') and c.matching_fen > 0 group by 1, 2, 3),
held as (
    select tenant, split_part(code, '/', 2) || '/' || split_part(code, '/', 3) as year,
           split_part(code, '/', 5) as uscc,
           sum(debits_pending_fen + debits_posted_fen - credits_posted_fen) as fen
      from ledger_account where code like 'matching/%%' group by 1, 2, 3)
select coalesce(w.tenant, h.tenant) as tenant, coalesce(w.year, h.year) as year, coalesce(w.uscc, h.uscc) as uscc,
       coalesce(w.fen, 0)::bigint as wanted, coalesce(h.fen, 0)::bigint as held
  from wanted w full join held h on h.tenant = w.tenant and h.year = w.year and h.uscc = w.uscc
 where coalesce(w.fen, 0) <> coalesce(h.fen, 0)
"""

_LIMITS: Final = """
select a.tenant, a.code, a.limit_fen, a.debits_pending_fen + a.debits_posted_fen - a.credits_posted_fen as taken
  from ledger_account a
 where (a.code like 'quota/%%' or a.code like 'matching/%%')
   and (a.tenant || ' ' || split_part(a.code, '/', 1) || ' ' || split_part(a.code, '/', 2) || ' '
        || coalesce(a.limit_fen::text, '-')) <> all (%s)
"""

_RUNNING: Final = """
select distinct sum(x.fen) over (order by x.at, x.id) as fen from (
    select t.id, t.at, case when t.kind = 'pending' or (t.kind = 'posted' and t.debit = %s) then t.amount_fen
                            when t.kind = 'void' or (t.kind = 'posted' and t.credit = %s) then -t.amount_fen
                            else 0 end as fen
      from ledger_transfer t where t.tenant = %s and (t.debit = %s or t.credit = %s)) x
"""


def quota_differences(
    snapshot: Snapshot, policies: Policies, linkages: Mapping[tuple[str, str, int], list[Committed]]
) -> Iterator[Difference]:
    """Accounts that hold something else than what claims and reservations take of them, or with another cap."""
    for row in snapshot.stream(_TAKEN, *_shared(policies)):
        place = f"ledger_account/{row.tenant}/{row.code}"
        yield differs("quota.taken", place, Money(row.wanted), Money(row.held))
    for row in snapshot.stream(_MATCHED):
        place = f"ledger_account/{row.tenant}/matching/{row.year}/{row.uscc}"
        yield differs("quota.matching", place, Money(row.wanted), Money(row.held))
    for row in list(snapshot.stream(_LIMITS, _caps(policies, linkages))):
        if not _was_taken(snapshot, row.tenant, row.code, row.limit_fen):
            place = f"ledger_account/{row.tenant}/{row.code}/limit_fen"
            yield differs("quota.cap", place, "a cap of the policy", row.limit_fen)


def _shared(policies: Policies) -> tuple[list[str], list[str], list[str]]:
    """Tenant, version and cap of every version whose annual cap is not its scheme's own."""
    found = [(tenant, version, terms.cap) for (tenant, version), terms in policies.items() if terms.cap != terms.scheme]
    return [each[0] for each in found], [each[1] for each in found], [each[2] for each in found]


def _caps(policies: Policies, linkages: Mapping[tuple[str, str, int], list[Committed]]) -> list[str]:
    """Every cap that an account may have: tenant, kind, scheme and limit."""
    caps = {
        f"{tenant} matching {scheme} {fen_of(each.region['terms']['cap'])}"
        for (tenant, scheme, _), commitments in linkages.items()
        for each in commitments
    }
    for (tenant, _), terms in policies.items():
        for zone in terms.zones:
            limits = (("quota", terms.cap, zone.annual_cap_fen), ("matching", terms.scheme, zone.matching_cap_fen))
            for kind, of, cap in limits:
                caps.add(f"{tenant} {kind} {of} {'-' if cap is None else cap}")
    return sorted(caps)


def _was_taken(snapshot: Snapshot, tenant: str, code: str, limit_fen: int | None) -> bool:
    """A cap is never lowered below what is taken: the limit may be what was taken at some time."""
    rows = snapshot.rows(_RUNNING, code, code, tenant, code, code)
    return limit_fen is not None and any(row.fen == limit_fen for row in rows)
