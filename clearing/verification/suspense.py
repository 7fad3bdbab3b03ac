"""What lay in suspense: explanations by the chain's word, of two people, within what moved, and their money."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.entries import Entry
from clearing.verification.notices import notice_differences
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

_OUTCOMES: Final = {"suspense.approved": "approve", "suspense.refused": "refuse"}
_BOUNDS: Final = """
select p.tenant, p.statement_id, p.line, min(p.resolution_id::text) as resolution_id, l.amount_fen, l.kind,
       coalesce(sum(p.amount_fen) filter (where d.outcome = 'approve'), 0)::bigint as explained
  from suspense_part p left join suspense_decision d on d.tenant = p.tenant and d.resolution_id = p.resolution_id
  left join bank_line l on l.tenant = p.tenant and l.statement_id = p.statement_id and l.line = p.line and l.to_suspense
 group by p.tenant, p.statement_id, p.line, l.amount_fen, l.kind
having l.amount_fen is null or bool_or(p.kind <> l.kind)
    or coalesce(sum(p.amount_fen) filter (where d.outcome = 'approve'), 0) > l.amount_fen
"""
_BOOKED: Final = """
select r.tenant, r.id, r.instruction_id, r.outcome, d.decided_at, o.at, i.amount_fen as ordered_fen, r.amount_fen
  from suspense_resolution r
  join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id and d.outcome = 'approve'
  left join instruction_outcome o on o.tenant = r.tenant and o.instruction_id = r.instruction_id
   and o.outcome = r.outcome and o.resolution_id = r.id
  left join instruction i on i.tenant = r.tenant and i.id = r.instruction_id
 where r.kind = 'assign' and r.order_id is null
   and ((o.at = d.decided_at) is not true or (i.amount_fen = r.amount_fen) is not true)
"""
_BOOKED_ORDERS: Final = """
select r.tenant, r.id, r.order_tenant, r.order_id, r.outcome, r.amount_fen, d.decided_at,
       array(select (x.at, x.amount_fen)::text from clearing_order_outcome x
               join clearing_order o on o.tenant = x.tenant and o.id = x.order_id
              where x.tenant = r.tenant and x.resolution_id = r.id and x.outcome = r.outcome
                and r.order_id = case r.kind when 'carry' then o.replaces else o.id end
             union all
             select (q.received_at, q.amount_fen)::text from clearing_order_receipt q
              where q.tenant = r.tenant and q.resolution_id = r.id and r.outcome = 'received'
                and (q.order_tenant, q.order_id) = (r.order_tenant, r.order_id)) as found,
       (d.decided_at, r.amount_fen)::text as wanted
  from suspense_resolution r
  join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id and d.outcome = 'approve'
 where r.order_id is not null
"""


def suspense_bound_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Lines of which more is explained than moved, and assignments that nothing was booked of."""
    for row in snapshot.stream(_BOUNDS):
        place = f"suspense_part/{row.tenant}/{row.resolution_id}"
        yield differs("suspense.bound", place, f"at most {row.amount_fen} of a {row.kind}", row.explained)
    for row in snapshot.stream(_BOOKED):
        place = f"instruction_outcome/{row.tenant}/{row.instruction_id}/{row.outcome}"
        yield differs("suspense.booked", place, (row.decided_at, row.amount_fen), (row.at, row.ordered_fen))
    for row in snapshot.stream(_BOOKED_ORDERS):
        if row.found != [row.wanted]:
            place = f"clearing_order_outcome/{row.order_tenant}/{row.order_id}/{row.outcome}"
            yield differs("suspense.booked", place, row.wanted, row.found)


def resolution_differences(dossier: Dossier, row: Row, _context: Context) -> Iterator[Difference]:
    """What is wrong with one explanation, its parts, its decision and its money."""
    place = f"suspense_resolution/{row.tenant}/{row.id}"
    if not dossier.entries or dossier.entries[0].action != "suspense.proposed":
        yield differs("suspense.unwitnessed", place, "entries of the audit chain", None)
        return
    proposed, *decided = dossier.entries
    said = proposed.details
    expected: dict[str, Any] = {
        "kind": said.get("kind"),
        "instruction_id": None if said.get("instruction") is None else UUID(said["instruction"]),
        "order_tenant": said.get("order_tenant"),
        "order_id": None if said.get("order") is None else UUID(said["order"]),
        "charge_fen": fen_of(said.get("charge", "0.00")),
        "outcome": said.get("outcome"),
        "amount_fen": fen_of(said["amount"]),
        "reason": proposed.reason,
        "proposed_by": proposed.actor,
    }
    yield from compared("suspense.witness", place, expected, row)
    if not proposed.witnesses(row.proposed_at):
        yield differs("suspense.witness", f"{place}/proposed_at", proposed.at, row.proposed_at)
    yield from _parts(dossier, row, said["parts"])
    yield from _decision(dossier, row, decided)
    yield from _money(dossier, row)
    yield from notice_differences(dossier, [])


def _parts(dossier: Dossier, row: Row, said: list[dict[str, Any]]) -> Iterator[Difference]:
    place = f"suspense_part/{row.tenant}/{row.id}"
    rows = dossier["suspense_part"]
    if len(rows) != len(said):
        yield differs("suspense.parts", place, len(said), len(rows))
    for number, (found, one) in enumerate(zip(rows, said, strict=False), start=1):
        expected = {
            "part": number, "statement_id": UUID(one["statement_id"]), "line": one["line"], "kind": one["kind"],
            "amount_fen": fen_of(one["amount"]),
        }  # fmt: skip
        yield from compared("suspense.parts", f"{place}/{found.part}", expected, found)
    debits = sum(each.amount_fen for each in rows if each.kind == "debit")
    credits_ = sum(each.amount_fen for each in rows if each.kind != "debit")
    leaves = row.outcome == "paid" and (row.order_id is None or debits > 0)
    assigned = (row.amount_fen + row.charge_fen, 0) if leaves else (0, row.amount_fen - row.charge_fen)
    wanted = {
        "assign": assigned,
        "carry": (row.amount_fen, 0),
        "reversed": (row.amount_fen, row.amount_fen),
    }.get(row.kind, (row.amount_fen - credits_, credits_))
    if (debits, credits_) != wanted:
        yield differs("suspense.parts", f"{place}/amount_fen", wanted, (debits, credits_))


def _decision(dossier: Dossier, row: Row, decided: list[Entry]) -> Iterator[Difference]:
    place = f"suspense_decision/{row.tenant}/{row.id}"
    rows = dossier["suspense_decision"]
    if len(rows) != len(decided) or len(decided) > 1:
        yield differs("suspense.decision", place, [each.action for each in decided], len(rows))
    for found, entry in zip(rows, decided, strict=False):
        expected = {
            "proposed_by": row.proposed_by,
            "outcome": _OUTCOMES.get(entry.action),
            "reason": entry.reason,
            "decided_by": entry.actor,
        }
        yield from compared("suspense.decision", place, expected, found)
        if not entry.witnesses(found.decided_at):
            yield differs("suspense.decision", f"{place}/decided_at", entry.at, found.decided_at)
        if found.decided_by == row.proposed_by:
            yield differs("suspense.four_eyes", f"{place}/decided_by", "another person", found.decided_by)


def _money(dossier: Dossier, row: Row) -> Iterator[Difference]:
    """Approved parts, and nothing else, were taken out of suspense, each by one transfer."""
    approved = [each for each in dossier["suspense_decision"] if each.outcome == "approve"]
    other = "unrelated" if row.kind == "unrelated" else "bank"
    expected = sorted(
        (
            f"part {part.part}",
            *(("suspense", other) if part.kind == "debit" else (other, "suspense")),
            part.amount_fen,
            approved[0].decided_at,
        )
        for part in (dossier["suspense_part"] if approved else [])
    )
    if approved and row.charge_fen:
        expected = sorted([*expected, ("charge", "bank", "charges", row.charge_fen, approved[0].decided_at)])
    found = sorted(
        (each.reason, each.debit, each.credit, each.amount_fen, each.at)
        for each in dossier["ledger_transfer"]
        if each.kind == "posted" and each.reverses is None
    )
    if expected != found or len(found) != len(dossier["ledger_transfer"]):
        place = f"ledger_transfer/{row.tenant}/{row.id}"
        shown = [[(reason, str(Money(fen))) for reason, _, _, fen, _ in each] for each in (expected, found)]
        yield differs("suspense.money", place, *shown)
