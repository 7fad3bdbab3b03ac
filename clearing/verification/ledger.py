"""The ledger: well-formed transfers, sums as the accounts keep them, limits, and balances that fit what is owed.

Everything here is one statement over all rows; what each single claim holds is checked with the claim.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

ACCOUNTS: Final[Mapping[str, tuple[str, bool]]] = {
    "treasury": ("treasury", False),
    "budget": ("budget/[a-z][a-z0-9-]*/[0-9]{4}", True),
    "quota": ("quota/[a-z][a-z0-9-]*/[0-9]{4}/[0-9A-Z]{18}", True),
    "quota-used": ("quota-used/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "obligations": ("obligations/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "in-transit": ("in-transit/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "clearing": ("clearing/[a-z][a-z0-9-]*/[0-9]{4}/[a-z][a-z0-9-]{1,30}", False),
    "netted": ("netted/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "settled": ("settled/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "agent": ("agent/[a-z][a-z0-9-]*/[0-9]{4}/BT-[A-Z]{2,5}-[0-9]{4}-[0-9]{4,}", True),
    "paid": ("paid/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "clawback": ("clawback/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "returned": ("returned/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "bank": ("bank", False),
    "suspense": ("suspense", False),
    "unrelated": ("unrelated", False),
    "charges": ("charges", False),
    "matching": ("matching/[a-z][a-z0-9-]*/[0-9]{4}/[0-9]{6}/[0-9A-Z]{18}", True),
    "matching-paid": ("matching-paid/[a-z][a-z0-9-]*/[0-9]{4}/[0-9]{6}", False),
    "matching-expense": ("matching-expense/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "matching-recoverable": ("matching-recoverable/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "matching-recovered": ("matching-recovered/[a-z][a-z0-9-]*/[0-9]{4}", False),
    "matching-waiting": ("matching-waiting/[a-z][a-z0-9-]*/[0-9]{4}/[0-9]{6}", False),
    "matching-payable": ("matching-payable/[a-z][a-z0-9-]*/[0-9]{4}/[0-9]{6}", False),
}
"""What an account's kind (the first part of its code) looks like, and whether it keeps its sums beside it."""

FLOWS: Final = (
    ("quota", "quota-used", "pending"),
    ("budget", "obligations", "pending"),
    ("matching", "matching-payable", "pending"),
    ("obligations", "in-transit", "posted"),
    ("budget", "obligations", "posted"),
    ("matching-payable", "matching-paid", "posted"),
    ("matching-payable", "matching", "posted"),
    ("matching-payable", "matching-waiting", "posted"),
    ("matching-waiting", "matching-payable", "posted"),
    ("matching-waiting", "matching", "posted"),
    ("matching-expense", "obligations", "posted"),
    ("matching-paid", "matching", "posted"),
    ("matching-recoverable", "matching-expense", "posted"),
    ("matching-recovered", "matching-recoverable", "posted"),
    ("matching-recovered", "matching-expense", "posted"),
    ("obligations", "clearing", "posted"),
    ("clearing", "obligations", "posted"),
    ("clearing", "netted", "posted"),
    ("netted", "clearing", "posted"),
    ("netted", "settled", "posted"),
    ("settled", "netted", "posted"),
    ("obligations", "agent", "posted"),
    ("agent", "in-transit", "posted"),
    ("in-transit", "paid", "posted"),
    ("in-transit", "returned", "posted"),
    ("returned", "obligations", "posted"),
    ("returned", "budget", "posted"),
    ("paid", "clawback", "posted"),
    ("clawback", "budget", "posted"),
    ("quota-used", "quota", "posted"),
    ("bank", "suspense", "posted"),
    ("suspense", "bank", "posted"),
    ("suspense", "unrelated", "posted"),
    ("bank", "charges", "posted"),
    ("unrelated", "suspense", "posted"),
    ("treasury", "budget", "posted"),
    ("budget", "treasury", "posted"),
)
"""From which kind of account money goes to which, and whether it waits before it is posted."""

_KIND: Final = "split_part({0}, '/', 1)"
_YEAR: Final = "split_part({0}, '/', 2) || '/' || split_part({0}, '/', 3)"

_MALFORMED: Final = f"""
select t.tenant, t.id, t.kind, t.debit, t.credit, t.amount_fen, t.pending_id, t.reverses
  from ledger_transfer t
 where t.amount_fen <= 0 or t.debit = t.credit or t.kind not in ('pending', 'post', 'void', 'posted')
    or (t.pending_id is not null) <> (t.kind in ('post', 'void')) or (t.reverses is not null and t.kind <> 'posted')
    or t.is_pending <> (t.kind = 'pending')
    or (t.of_pending is true) <> (t.kind in ('post', 'void'))
    or (t.debit <> 'treasury' and t.credit <> 'treasury' and {_YEAR.format("t.debit")} <> {_YEAR.format("t.credit")})
"""  # noqa: S608 - our own text

_ENDS: Final = """
select e.tenant, e.id, e.debit, e.credit, e.amount_fen, e.subject_id, e.at,
       p.kind as p_kind, p.debit as p_debit, p.credit as p_credit, p.amount_fen as p_amount_fen,
       p.subject_id as p_subject_id, p.at as p_at
  from ledger_transfer e left join ledger_transfer p on p.tenant = e.tenant and p.id = e.pending_id
 where e.pending_id is not null
   and (p.kind, p.debit, p.credit, p.amount_fen, p.subject_id) is distinct from
       ('pending', e.debit, e.credit, e.amount_fen, e.subject_id)
"""

_REVERSALS: Final = """
select r.tenant, r.id, r.debit, r.credit, r.amount_fen, r.subject_id,
       o.kind as o_kind, o.debit as o_debit, o.credit as o_credit, o.amount_fen as o_amount_fen,
       o.subject_id as o_subject_id
  from ledger_transfer r left join ledger_transfer o on o.tenant = r.tenant and o.id = r.reverses
 where r.reverses is not null
   and ((o.debit, o.credit, o.amount_fen, o.subject_id) is distinct from (r.credit, r.debit, r.amount_fen, r.subject_id)
        or o.kind not in ('post', 'posted') or o.reverses is not null)
"""

_TWICE: Final = """
select tenant, pending_id as id, count(*) as times from ledger_transfer where pending_id is not null
 group by tenant, pending_id having count(*) > 1
union all
select tenant, reverses, count(*) from ledger_transfer where reverses is not null
 group by tenant, reverses having count(*) > 1
"""

_FLOWS: Final = f"""
select t.tenant, (array_agg(t.id order by t.id))[1] as id, {_KIND.format("t.debit")} as from_kind,
       {_KIND.format("t.credit")} as to_kind, t.kind, count(*) as times
  from ledger_transfer t
 where t.kind in ('pending', 'posted') and t.reverses is null
 group by 1, 3, 4, 5
"""  # noqa: S608 - our own text

_SUMS: Final = """
with moved as (
    select x.tenant, x.code, sum(x.pending) as pending, sum(x.debits) as debits, sum(x.credits) as credits
      from (select tenant, debit as code,
                   case kind when 'pending' then amount_fen when 'posted' then 0 else -amount_fen end as pending,
                   case when kind in ('post', 'posted') then amount_fen else 0 end as debits, 0 as credits
              from ledger_transfer
            union all
            select tenant, credit, 0, 0, amount_fen from ledger_transfer where kind in ('post', 'posted')) x
     group by x.tenant, x.code)
select coalesce(a.tenant, m.tenant) as tenant, coalesce(a.code, m.code) as code, a.counted, a.limit_fen,
       a.debits_pending_fen, a.debits_posted_fen, a.credits_posted_fen,
       coalesce(m.pending, 0)::bigint as pending, coalesce(m.debits, 0)::bigint as debits,
       coalesce(m.credits, 0)::bigint as credits
  from ledger_account a full join moved m on m.tenant = a.tenant and m.code = a.code
 where a.code is null
    or (a.counted and (a.debits_pending_fen, a.debits_posted_fen, a.credits_posted_fen) is distinct from
                      (coalesce(m.pending, 0), coalesce(m.debits, 0), coalesce(m.credits, 0)))
    or (not a.counted and (a.debits_pending_fen, a.debits_posted_fen, a.credits_posted_fen) <> (0, 0, 0))
    or coalesce(m.pending, 0) < 0
    or (a.limit_fen is not null
        and coalesce(m.pending, 0) + coalesce(m.debits, 0) - coalesce(m.credits, 0) > a.limit_fen)
"""

_ACCOUNTS: Final = f"""
with form (kind, pattern, counted) as (values {", ".join(["(%s, %s, %s)"] * len(ACCOUNTS))})
select a.tenant, a.code, a.counted, f.counted as expected
  from ledger_account a left join form f on f.kind = {_KIND.format("a.code")} and a.code ~ ('^(?:' || f.pattern || ')$')
 where f.kind is null or f.counted <> a.counted or (a.limit_fen is not null and not a.counted)
"""  # noqa: S608 - our own text


def ledger_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """What is wrong with the transfers and accounts."""
    counted = snapshot.rows(
        "select (select count(*) from ledger_transfer) as t, (select count(*) from ledger_account) as a"
    )
    snapshot.tally["ledger transfers"] += counted[0].t
    snapshot.tally["ledger accounts"] += counted[0].a
    for row in snapshot.stream(_MALFORMED):
        found = (row.kind, row.debit, row.credit, row.amount_fen, row.pending_id, row.reverses)
        yield differs("ledger.form", f"ledger_transfer/{row.tenant}/{row.id}", "a well-formed transfer", found)
    yield from _pairs(snapshot)
    yield from _flows(snapshot)
    yield from _accounts(snapshot)


def _pairs(snapshot: Snapshot) -> Iterator[Difference]:
    for row in snapshot.stream(_ENDS):
        expected = (row.p_kind, row.p_debit, row.p_credit, row.p_amount_fen, row.p_subject_id)
        found = ("pending", row.debit, row.credit, row.amount_fen, row.subject_id)
        yield differs("ledger.ends", f"ledger_transfer/{row.tenant}/{row.id}", expected, found)
    for row in snapshot.stream(_REVERSALS):
        expected = (row.o_kind, row.o_credit, row.o_debit, row.o_amount_fen, row.o_subject_id)
        found = ("posted", row.debit, row.credit, row.amount_fen, row.subject_id)
        yield differs("ledger.reverses", f"ledger_transfer/{row.tenant}/{row.id}", expected, found)
    for row in snapshot.stream(_TWICE):
        yield differs("ledger.once", f"ledger_transfer/{row.tenant}/{row.id}", 1, row.times)


def _flows(snapshot: Snapshot) -> Iterator[Difference]:
    for row in snapshot.rows(_FLOWS):
        flow = (row.from_kind, row.to_kind, row.kind)
        if flow not in FLOWS:
            place = f"ledger_transfer/{row.tenant}/{row.id}"
            yield differs("ledger.flow", place, "a known flow", f"{' → '.join(flow)} ({row.times} ×)")


def _accounts(snapshot: Snapshot) -> Iterator[Difference]:
    forms = [value for kind, (pattern, counted) in ACCOUNTS.items() for value in (kind, pattern, counted)]
    for row in snapshot.stream(_ACCOUNTS, *forms):
        place = f"ledger_account/{row.tenant}/{row.code}/counted"
        yield differs("ledger.account", place, "no such account" if row.expected is None else row.expected, row.counted)
    for row in snapshot.stream(_SUMS):
        place = f"ledger_account/{row.tenant}/{row.code}"
        if row.counted is None:
            yield differs("ledger.account", place, "an open account", None)
            continue
        sums = (row.pending, row.debits, row.credits) if row.counted else (0, 0, 0)
        stored = (row.debits_pending_fen, row.debits_posted_fen, row.credits_posted_fen)
        for column, expected, found in zip(
            ("debits_pending_fen", "debits_posted_fen", "credits_posted_fen"), sums, stored, strict=True
        ):
            if expected != found:
                yield differs("ledger.sum", f"{place}/{column}", expected, found)
        if row.pending < 0:
            yield differs("ledger.sum", f"{place}/debits_pending_fen", "not below zero", row.pending)
        taken = row.pending + row.debits - row.credits
        if row.limit_fen is not None and taken > row.limit_fen:
            yield differs("ledger.limit", f"{place}/limit_fen", f"at least {taken}", row.limit_fen)
