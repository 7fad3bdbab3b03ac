"""The books (账): whatever the database keeps as a sum, added up again from its rows, for all tenants at once."""

from typing import Final

from sqlalchemy import Connection, Engine

SHOWN: Final = 20
CHECKS: Final = {
    "an account's sums are those of its transfers": """
        select a.tenant, a.code from ledger_account a
          left join lateral (
            select coalesce(sum(case when t.debit <> a.code then 0 when t.kind = 'pending' then t.amount_fen
                                     when t.kind in ('post', 'void') then -t.amount_fen else 0 end), 0) as pending,
                   coalesce(sum(t.amount_fen) filter (where t.debit = a.code and moves), 0) as debits,
                   coalesce(sum(t.amount_fen) filter (where t.credit = a.code and moves), 0) as credits
              from ledger_transfer t, lateral (select t.kind in ('post', 'posted') as moves) m
             where t.tenant = a.tenant and a.code in (t.debit, t.credit)) t on true
         where a.counted and (a.debits_pending_fen, a.debits_posted_fen, a.credits_posted_fen)
               is distinct from (t.pending, t.debits, t.credits)""",
    "nothing is taken beyond a limit": """
        select tenant, code from ledger_account
         where limit_fen is not null and debits_pending_fen + debits_posted_fen - credits_posted_fen > limit_fen""",
    "an identity's fen are those of its holders and lie within the smallest total": """
        select k.kind, encode(k.digest, 'hex') from registry_key k
          left join lateral (select coalesce(sum(h.claimed_fen), 0) as taken, min(h.stated_fen) as total
                               from registry_holding h
                              where h.digest = k.digest and h.exclusion_group = k.exclusion_group
                                and h.status = 'taken') h on true
         where k.taken_fen <> h.taken or k.total_fen is distinct from h.total or k.taken_fen > k.total_fen""",
    "a claim holds its award and matching while it lives, and nothing else": """
        select c.tenant, c.claim_no from claim c
          left join lateral (
            select coalesce(sum(p.amount_fen) filter (where p.reason = 'award'), 0) as award,
                   coalesce(sum(p.amount_fen) filter (where p.reason = 'quota'), 0) as quota,
                   coalesce(sum(p.amount_fen) filter (where p.reason = 'matching'), 0) as matching
              from ledger_transfer p
             where p.tenant = c.tenant and p.subject_id = c.id and p.kind = 'pending'
               and not exists (select 1 from ledger_transfer v where v.tenant = p.tenant and v.pending_id = p.id
                                 and (v.kind = 'void' or exists (
                                      select 1 from ledger_transfer r where r.tenant = v.tenant and r.reverses = v.id)))
          ) t on true
         where (c.award_fen, c.award_fen, c.matching_fen) is distinct from (t.award, t.quota, t.matching)""",
    "a claim that ended holds no key": """
        select c.tenant, c.claim_no from claim c join registry_holding h on h.holder_id = c.id
         where c.state in ('rejected', 'withdrawn')""",
    "a claim has every revision and an assessment of each": """
        select c.tenant, c.claim_no from claim c
         where (select count(*) from claim_revision r where r.tenant = c.tenant and r.claim_id = c.id) <> c.revision
            or (select count(*) from assessment a where a.tenant = c.tenant and a.claim_id = c.id) < c.revision""",
    "claims are numbered without gap": """
        select n.tenant, n.year::text from number_series n
         where n.series = 'claim' and n.latest <> (
               select count(*) from claim c
                where c.tenant = n.tenant and split_part(c.claim_no, '-', 3) = n.year::text)""",
    "the audit chain has no gap and ends at its head": """
        select h.tenant, h.seq::text from audit_head h
          left join lateral (select coalesce(max(e.seq), 0) as latest, count(*) as entries from audit_entry e
                              where e.tenant = h.tenant) e on true
          left join audit_entry l on l.tenant = h.tenant and l.seq = h.seq
         where h.seq <> e.latest or h.seq <> e.entries or h.hash <> coalesce(l.hash, h.hash)""",
    "an entry of the chain follows from the one before": """
        select e.tenant, e.seq::text from audit_entry e
          left join audit_entry b on b.tenant = e.tenant and b.seq = e.seq - 1
         where e.hash <> sha256('clearing-audit-v1\\012'::bytea || coalesce(b.hash, decode(repeat('00', 32), 'hex'))
                                || convert_to(e.body, 'UTF8'))""",
    "an approved claim is owed exactly once": """
        select c.tenant, c.claim_no from claim c
          left join obligation o on o.tenant = c.tenant and o.id = c.id and o.released_at is null
         where (c.state = 'approved') is distinct from (o.id is not null) or o.amount_fen <> c.award_fen""",
}
"""What must never be answered by a row."""


def faults(auditor: Engine) -> list[str]:
    """Every sum that is off, named; the auditor's role reads all tenants."""
    with auditor.connect() as connection:
        return [fault for what in CHECKS for fault in faults_of(connection, what)]


def faults_of(connection: Connection, what: str) -> list[str]:
    """What breaks one of the checks, at most ``SHOWN`` rows of it."""
    return [f"{what}: {tuple(row)}" for row in connection.exec_driver_sql(f"{CHECKS[what]} limit {SHOWN}")]


def deadlocks(auditor: Engine) -> int:
    """How many deadlocks the database has broken so far; sessions that ended are counted in."""
    with auditor.connect() as connection:
        connection.exec_driver_sql("select pg_stat_clear_snapshot()")
        count: int = connection.exec_driver_sql(
            "select deadlocks from pg_stat_database where datname = current_database()"
        ).scalar_one()
        return count
