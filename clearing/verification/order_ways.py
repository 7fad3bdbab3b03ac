"""Orders between tenants at the bank: what was told, whose money it moved, what came back, and what became of that."""

import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.references import message_of, reference_of
from clearing.verification.snapshot import Row, Snapshot

_ORDERS: Final = "select tenant, id, cycle_id, kind, counterparty, amount_fen, replaces, reference from clearing_order"
_OUTCOMES: Final = """
select x.tenant, x.order_id, x.outcome, x.amount_fen, x.reference, x.statement_id, x.line, x.call_id, x.at,
       x.resolution_id, d.decided_at, o.replaces,
       (r.order_tenant, r.outcome, r.amount_fen, case r.kind when 'carry' then o.replaces else o.id end) is not distinct
       from (x.tenant, x.outcome, x.amount_fen, r.order_id) as explained,
       l.reference as l_reference, l.outcome as l_outcome, l.kind as l_kind, l.amount_fen as l_amount_fen,
       s.imported_at, a.outcome as a_outcome, a.answered_at, b.order_id as b_order_id,
       exists (select 1 from clearing_order_outcome p where p.tenant = x.tenant and p.order_id = x.order_id
                  and p.outcome = 'paid') as is_paid,
       array(select w.bank_reference from bank_line w where w.tenant = x.tenant and w.statement_id = x.statement_id
                and w.reference = '*') as wholes
  from clearing_order_outcome x
  left join bank_line l on l.tenant = x.tenant and l.statement_id = x.statement_id and l.line = x.line
  left join bank_statement s on s.tenant = x.tenant and s.id = x.statement_id
  left join bank_answer a on a.tenant = x.tenant and a.call_id = x.call_id
  left join bank_submission b on b.tenant = a.tenant and b.id = a.submission_id
  left join clearing_order o on o.tenant = x.tenant and o.id = x.order_id
  left join suspense_resolution r on r.tenant = x.tenant and r.id = x.resolution_id
  left join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id and d.outcome = 'approve'
 order by x.tenant, x.order_id, x.outcome
"""
_TOLD: Final = """
select l.tenant, o.id, l.outcome from bank_line l
  left join clearing_order o on o.tenant = l.tenant and o.reference = l.reference
 where l.outcome is not null and l.outcome <> 'received' and l.instruction_id is null and not exists (
       select 1 from clearing_order_outcome x where x.tenant = l.tenant and x.order_id = o.id and x.outcome = l.outcome
          and x.statement_id = l.statement_id and x.line = l.line)
union all
select s.tenant, s.order_id, 'rejected' from bank_answer a
  join bank_submission s on s.tenant = a.tenant and s.id = a.submission_id
 where s.order_id is not null and a.outcome = 'rejected' and not exists (
       select 1 from clearing_order_outcome x where x.tenant = s.tenant and x.order_id = s.order_id
          and x.outcome in ('paid', 'rejected'))
"""
_TWICE: Final = """
select tenant, order_id, array_agg(outcome order by outcome) as outcomes from clearing_order_outcome
 where outcome in ('paid', 'rejected') group by tenant, order_id having count(*) > 1
"""
_PARTS: Final = """
with owed as (
    select cycle_id, netting, tenant, creditor, scheme, quota_year, amount_fen from clearing_debt union all
    select cycle_id, netting, tenant, creditor, scheme, quota_year, amount_fen from clearing_carry),
seen as (
    select cycle_id, netting, tenant as side, creditor as other, scheme, quota_year, amount_fen as fen from owed
    union all
    select cycle_id, netting, creditor, tenant, scheme, quota_year, -amount_fen from owed where netting <> 'gross'),
pair as (select cycle_id, side, other, sum(fen) as fen from seen where netting = 'bilateral' group by 1, 2, 3),
first as (
    select o.tenant, o.id, d.scheme, d.quota_year, sum(d.fen)::bigint as fen
      from clearing_order o
      join seen d on d.cycle_id = o.cycle_id and d.side = o.tenant
       and case when o.kind = 'payment' then d.other = o.counterparty and (d.netting = 'gross' or (
                     d.netting = 'bilateral' and exists (select 1 from pair n where n.cycle_id = o.cycle_id
                         and n.side = o.tenant and n.other = o.counterparty and n.fen > 0)))
                else d.netting = 'multilateral' end
     where o.replaces is null group by 1, 2, 3, 4),
again as (
    select x.tenant, x.id, x.scheme, x.quota_year, sum(x.fen)::bigint as fen from (
        select o.tenant, o.id, p.scheme, p.quota_year, p.fen from clearing_order o
          join clearing_order_part p on p.tenant = o.tenant and p.order_id = o.replaces
        union all
        select o.tenant, o.id, k.scheme, k.quota_year,
               case when k.creditor = o.tenant then k.amount_fen else -k.amount_fen end
          from clearing_order o
          join clearing_order_end e on e.tenant = o.tenant and e.order_id = o.replaces
          join (select tenant, order_id, remedy_id as cause_id from clearing_remedy_decision where outcome = 'approve'
                union all select order_tenant, order_id, id from suspense_resolution where kind = 'carry') d
            on d.cause_id in (e.remedy_id, e.resolution_id)
          join clearing_carry k on k.order_tenant = d.tenant and k.order_id = d.order_id
           and o.tenant in (k.tenant, k.creditor)) x group by 1, 2, 3, 4),
wanted as (select * from first where fen <> 0 union all select * from again where fen <> 0)
select coalesce(w.tenant, p.tenant) as tenant, coalesce(w.id, p.order_id) as order_id,
       coalesce(w.scheme, p.scheme) as scheme, coalesce(w.quota_year, p.quota_year) as year, w.fen, p.fen as found
  from wanted w full join clearing_order_part p on p.tenant = w.tenant and p.order_id = w.id and p.scheme = w.scheme
   and p.quota_year = w.quota_year
 where w.fen is distinct from p.fen
"""
_MONEY: Final = """
with side as (
    select p.tenant as book, p.order_id, p.scheme || '/' || p.quota_year as year, p.fen, p.tenant
      from clearing_order_part p
    union all
    select o.counterparty, p.order_id, p.scheme || '/' || p.quota_year, -p.fen, p.tenant
      from clearing_order_part p join clearing_order o on o.tenant = p.tenant and o.id = p.order_id
     where o.counterparty is not null),
paid as (
    select s.book, s.order_id, case when s.fen > 0 then 'netted/' else 'settled/' end || s.year as debit,
           case when s.fen > 0 then 'settled/' else 'netted/' end || s.year as credit, abs(s.fen) as fen, x.outcome,
           x.at
      from side s join clearing_order_outcome x on x.tenant = s.tenant and x.order_id = s.order_id
     where x.outcome in ('paid', 'returned')),
carried as (
    select k.tenant as book, k.order_id, 'netted/' || k.scheme || '/' || k.quota_year as debit,
           'clearing/' || k.scheme || '/' || k.quota_year || '/' || k.creditor as credit, k.amount_fen as fen,
           k.posted_at as at from clearing_carry k
    union all
    select k.creditor, k.order_id, 'clearing/' || k.scheme || '/' || k.quota_year || '/' || k.tenant,
           'netted/' || k.scheme || '/' || k.quota_year, k.amount_fen, k.posted_at from clearing_carry k),
wanted as (
    select book, order_id, debit, credit, fen, 'paid' as reason, at, false as back from paid where outcome = 'paid'
    union all
    select book, order_id, credit, debit, fen, 'returned', at, true from paid where outcome = 'returned'
    union all
    select book, order_id, debit, credit, fen, 'carried', at, false from carried),
found as (
    select t.tenant as book, t.subject_id as order_id, t.debit, t.credit, t.amount_fen as fen, t.reason, t.at,
           t.reverses is not null as back, t.id
      from ledger_transfer t
     where t.kind = 'posted' and exists (select 1 from clearing_order o where o.id = t.subject_id))
select coalesce(w.book, f.book) as tenant, coalesce(w.order_id, f.order_id) as order_id, f.id,
       (w.debit, w.credit, w.fen, w.reason, w.at) as wanted, (f.debit, f.credit, f.fen, f.reason, f.at) as found
  from wanted w full join found f on f.book = w.book and f.order_id = w.order_id and f.debit = w.debit
   and f.credit = w.credit and f.reason = w.reason and f.back = w.back
 where (w.fen, w.at) is distinct from (f.fen, f.at)
"""
_FILES: Final = "select tenant, order_id, sha256, size_bytes, sealed from clearing_order_file"
_REMEDIES: Final = """
select tenant, id, order_id, came_back, kind, reason, proposed_by, proposed_at from clearing_remedy
"""
_DECISIONS: Final = """
select tenant, remedy_id, order_id, kind, proposed_by, outcome, reason, decided_by, decided_at
  from clearing_remedy_decision
"""
_ENDS: Final = """
select tenant, order_id, remedy_tenant, remedy_id, resolution_tenant, resolution_id, ended_at from clearing_order_end
"""
_CARRIES: Final = """
select k.tenant, k.id, k.creditor, k.cycle_id, k.netting, k.scheme, k.quota_year, k.amount_fen, k.order_tenant,
       k.order_id, k.posted_at, c.agreement_set, c.cycle_no from clearing_carry k
  left join clearing_cycle c on c.id = k.cycle_id
"""
_UNPAID: Final = """
select c.agreement_set, c.cycle_no, string_agg(o.id::text, ', ' order by o.id) as orders from clearing_cycle c
  join clearing_order o on o.cycle_id = c.id and o.created_at <= c.settled_at
 where c.state = 'settled' and (c.settled_by = 'system' or exists (
           select 1 from clearing_order q join clearing_order_outcome y on y.tenant = q.tenant and y.order_id = q.id
            where q.cycle_id = c.id and y.at <= c.settled_at))
   and not exists (select 1 from clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id
                      and e.ended_at <= c.settled_at)
   and not exists (select 1 from clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id
                      and x.outcome = 'paid' and x.at <= c.settled_at)
 group by 1, 2
"""

_CAUSES: Final = ("remedy", "resolution")
"""What two people decided, by which an order may end."""

Told = dict[tuple[str, UUID], list[Entry]]
"""Entries by tenant and subject."""
Carried = tuple[UUID, Entry, dict[str, Any]]
"""The order that ended, the entry that says so, and one sum of it."""


def order_way_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any order on its way through a bank."""
    orders = {(row.tenant, row.id): row for row in snapshot.rows(_ORDERS)}
    told: Told = {
        key: entries for key, entries in context.settings.items() if entries[0].action.startswith(("order.", "remedy."))
    }
    for key, order in orders.items():
        if order.reference != reference_of(order.id):
            place = f"clearing_order/{key[0]}/{order.id}/reference"
            yield differs("order.due", place, reference_of(order.id), order.reference)
    yield from _outcomes(snapshot, orders, told)
    for row in snapshot.rows(_PARTS):
        place = f"clearing_order_part/{row.tenant}/{row.order_id}/{row.scheme}/{row.year}"
        yield differs("order.parts", place, row.fen, row.found)
    for row in snapshot.rows(_MONEY):
        yield differs("order.money", f"ledger_transfer/{row.tenant}/{row.id or row.order_id}", row.wanted, row.found)
    yield from _files(snapshot, orders, context)
    yield from _remedies(snapshot, told)
    yield from _ends(snapshot, orders, told)
    yield from _carries(snapshot, told)
    for row in snapshot.rows(_UNPAID):
        place = f"clearing_cycle/{row.agreement_set}/{row.cycle_no}/settled_at"
        yield differs("order.unpaid", place, "every order that stood paid", row.orders)


def _outcomes(snapshot: Snapshot, orders: dict[tuple[str, UUID], Row], told: Told) -> Iterator[Difference]:
    said = {
        (tenant, subject, entry.action.removeprefix("order.")): entry
        for (tenant, subject), entries in told.items()
        for entry in entries
        if entry.action in {"order.accepted", "order.rejected", "order.paid", "order.returned"}
    }
    own: set[tuple[str, UUID, str]] = set()
    for row in snapshot.counted("outcomes of orders", snapshot.stream(_OUTCOMES)):
        place = f"clearing_order_outcome/{row.tenant}/{row.order_id}/{row.outcome}"
        order = orders.get((row.tenant, row.order_id))
        if order is None or (row.amount_fen, row.reference) != (order.amount_fen, reference_of(order.id)):
            yield differs("order.outcome", place, order and order.amount_fen, (row.amount_fen, row.reference))
            continue
        if not _sourced(row):
            found = (row.statement_id, row.line, row.call_id, row.at)
            yield differs("order.outcome", place, "what a line or answer of the bank says", found)
        for side in filter(None, (order.tenant, order.counterparty)):
            own.add((side, row.order_id, row.outcome))
            yield from _witnessed(place, row, side, said.get((side, row.order_id, row.outcome)))
    for tenant, subject, outcome in said.keys() - own:
        yield differs("order.witness", f"clearing_order_outcome/{tenant}/{subject}/{outcome}", "one row", None)
    for row in snapshot.rows(_TOLD):
        yield differs("order.outcome", f"clearing_order_outcome/{row.tenant}/{row.id}", row.outcome, None)
    for row in snapshot.rows(_TWICE):
        yield differs("order.outcome", f"clearing_order_outcome/{row.tenant}/{row.order_id}", 1, row.outcomes)


def _witnessed(place: str, row: Row, side: str, entry: Entry | None) -> Iterator[Difference]:
    if entry is None or not entry.witnesses(row.at) or fen_of(entry.details["amount"]) != row.amount_fen:
        yield differs("order.witness", place, entry and entry.at, row.at)
        return
    source = (row.statement_id, row.line, row.call_id, row.resolution_id)
    if side == row.tenant and _named(entry) != source:
        yield differs("order.witness", place, _named(entry), source)


def _named(entry: Entry) -> tuple[UUID | None, int | None, UUID | None, UUID | None]:
    said = entry.details
    return _uuid(said.get("statement")), said.get("line"), _uuid(said.get("call")), _uuid(said.get("resolution"))


def _sourced(row: Row) -> bool:
    """Whether the line, the whole report or the answer that it names says it, at its instant."""
    if row.outcome == "returned" and not row.is_paid:
        return False
    if row.call_id is not None:
        answered = (row.a_outcome, row.b_order_id, row.answered_at)
        return row.statement_id is None and row.outcome == "rejected" and answered == ("rejected", row.order_id, row.at)
    if row.resolution_id is not None:
        return bool(row.explained and row.statement_id is None and row.decided_at == row.at)
    if row.statement_id is None or row.imported_at != row.at:
        return False
    if row.line is None:
        return row.outcome == "rejected" and message_of(row.order_id) in row.wholes
    amount = row.l_amount_fen if row.l_amount_fen is not None or row.l_kind != "status" else row.amount_fen
    return bool((row.l_reference, row.l_outcome, amount) == (row.reference, row.outcome, row.amount_fen))


def _files(snapshot: Snapshot, orders: dict[tuple[str, UUID], Row], context: Context) -> Iterator[Difference]:
    for row in snapshot.rows(_FILES):
        place = f"clearing_order_file/{row.tenant}/{row.order_id}"
        if (row.tenant, row.order_id) not in orders:
            yield differs("order.file", place, "an order", None)
        if context.secrets is None:
            continue
        text = context.secrets.field_value(
            bytes(row.sealed), "clearing_order_file", "sealed", row.tenant, str(row.order_id)
        )
        try:
            content = b64decode(text or b"", validate=True)
        except Base64Error:
            content = b""
        found = (len(content), hashlib.sha256(content).hexdigest())
        if found != (row.size_bytes, row.sha256) or reference_of(row.order_id).encode() not in content:
            yield differs("order.file", f"{place}/sealed", (row.size_bytes, row.sha256), found)


def _remedies(snapshot: Snapshot, told: Told) -> Iterator[Difference]:
    proposed = {key: each[0] for key, each in told.items() if each[0].action == "remedy.proposed"}
    decided = {key: each[1] for key, each in told.items() if key in proposed and len(each) > 1}
    for row in snapshot.counted("remedies of orders", snapshot.stream(_REMEDIES)):
        place, entry = f"clearing_remedy/{row.tenant}/{row.id}", proposed.pop((row.tenant, row.id), None)
        if entry is None:
            yield differs("order.remedy", place, "an entry of the audit chain", None)
            continue
        expected = {
            "order_id": UUID(entry.details["order"]), "came_back": entry.details["came_back"],
            "kind": entry.details["kind"], "reason": entry.reason, "proposed_by": entry.actor,
        }  # fmt: skip
        yield from compared("order.remedy", place, expected, row)
        if not entry.witnesses(row.proposed_at):
            yield differs("order.remedy", f"{place}/proposed_at", entry.at, row.proposed_at)
    for tenant, subject in proposed:
        yield differs("order.remedy", f"clearing_remedy/{tenant}/{subject}", "one row", None)
    for row in snapshot.rows(_DECISIONS):
        place, entry = (
            f"clearing_remedy_decision/{row.tenant}/{row.remedy_id}",
            decided.pop((row.tenant, row.remedy_id), None),
        )
        if entry is None:
            yield differs("order.remedy", place, "an entry of the audit chain", None)
            continue
        first = told[row.tenant, row.remedy_id][0]
        expected = {
            "order_id": UUID(entry.details["order"]), "kind": entry.details["kind"], "proposed_by": first.actor,
            "outcome": {"remedy.approved": "approve", "remedy.refused": "refuse"}.get(entry.action),
            "reason": entry.reason, "decided_by": entry.actor,
        }  # fmt: skip
        yield from compared("order.remedy", place, expected, row)
        if not entry.witnesses(row.decided_at):
            yield differs("order.remedy", f"{place}/decided_at", entry.at, row.decided_at)
        if row.decided_by == row.proposed_by:
            yield differs("order.remedy", f"{place}/decided_by", "another person", row.decided_by)
    for tenant, subject in decided:
        yield differs("order.remedy", f"clearing_remedy_decision/{tenant}/{subject}", "one row", None)


def _ends(snapshot: Snapshot, orders: dict[tuple[str, UUID], Row], told: Told) -> Iterator[Difference]:
    """Each order that ended did so by an approved remedy, as its chain says, which names the order made instead."""
    successors = {(row.tenant, row.replaces): row.id for row in orders.values() if row.replaces is not None}
    ended = {
        key: entry
        for key, each in told.items()
        for entry in each
        if entry.action in {"order.replaced", "order.cancelled"}
    }
    for row in snapshot.rows(_ENDS):
        place, entry = f"clearing_order_end/{row.tenant}/{row.order_id}", ended.pop((row.tenant, row.order_id), None)
        if entry is None:
            yield differs("order.end", place, "an entry of the audit chain", None)
            continue
        said = {f"{cause}_tenant": entry.details.get(f"{cause}_tenant") for cause in _CAUSES}
        said |= {f"{cause}_id": _uuid(entry.details.get(cause)) for cause in _CAUSES}
        yield from compared("order.end", place, said, row)
        if not entry.witnesses(row.ended_at):
            yield differs("order.end", f"{place}/ended_at", entry.at, row.ended_at)
        made, successor = entry.details.get("made"), successors.pop((row.tenant, row.order_id), None)
        if made != (None if successor is None else str(successor)):
            yield differs("order.end", f"clearing_order/{row.tenant}/{successor or made}/replaces", made, successor)
    for tenant, subject in ended:
        yield differs("order.end", f"clearing_order_end/{tenant}/{subject}", "one row", None)
    for (tenant, _), successor in successors.items():
        yield differs("order.end", f"clearing_order/{tenant}/{successor}/replaces", "an order that ended", None)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _carries(snapshot: Snapshot, told: Told) -> Iterator[Difference]:
    """What was carried is in both chains as it is in the row."""
    said: defaultdict[tuple[str, UUID], list[Carried]] = defaultdict(list)
    for (tenant, subject), entries in told.items():
        for entry in (each for each in entries if each.action == "order.carried"):
            for one in entry.details["owed"]:
                said[tenant, UUID(one["id"])].append((subject, entry, one))
    for row in snapshot.rows(_CARRIES):
        for side in (row.tenant, row.creditor):
            yield from _carried(row, side, said.pop((side, row.id), []))
    for tenant, carried in said:
        yield differs("order.carry", f"clearing_carry/{tenant}/{carried}", "one row", None)


def _carried(row: Row, side: str, found: list[Carried]) -> Iterator[Difference]:
    place = f"clearing_carry/{row.tenant}/{row.id}"
    if len(found) != 1:
        yield differs("order.carry", place, "an entry in each chain", (side, len(found)))
        return
    [(subject, entry, one)] = found
    expected = {
        "tenant": one["tenant"], "creditor": one["creditor"], "netting": entry.details["netting"],
        "scheme": one["scheme"], "quota_year": one["quota_year"], "amount_fen": fen_of(one["amount"]),
        "order_tenant": entry.details["order_tenant"], "order_id": subject,
    }  # fmt: skip
    yield from compared("order.carry", place, expected, row)
    window = None if row.cycle_no is None else f"CY-{row.agreement_set}-{row.cycle_no:04d}"
    if window != entry.details["window"]:
        yield differs("order.carry", f"{place}/cycle_id", entry.details["window"], window)
    if not entry.witnesses(row.posted_at):
        yield differs("order.carry", f"{place}/posted_at", entry.at, row.posted_at)
