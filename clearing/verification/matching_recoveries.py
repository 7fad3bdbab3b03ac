"""Matching that came back to linked regions: as both chains tell it, within what was asked back, in both books."""

from collections.abc import Iterator
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import plain

_RECOVERIES: Final = """
select r.tenant, r.id, r.claim_id, r.linked, r.amount_fen, r.recovered_on, r.document, r.recorded_by, r.recorded_at
  from matching_recovery r order by r.tenant, r.claim_id, r.recorded_at, r.id
"""
_DUE: Final = """
select d.tenant, d.claim_id, d.linked, d.division, d.recover_fen, d.paid_on, o.scheme, o.quota_year
  from matching_due d join obligation o on o.tenant = d.tenant and o.id = d.claim_id order by 1, 2
"""
_MOVED: Final = """
select t.tenant, t.id, t.subject_id, t.debit, t.credit, t.amount_fen, t.at, t.reason, t.kind from ledger_transfer t
 where t.debit like 'matching-paid/%%' or t.debit like 'matching-recover%%' or t.credit like 'matching-recover%%'
 order by t.tenant, t.id
"""
_RECOVERED: Final = "matching.recovered"

Moved = tuple[Entry, str, str, int, str]
"""What an entry moved: debit, the beginning of credit, amount and reason."""


def recovery_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with any recovery, and with what became a receivable."""
    rows: dict[tuple[str, UUID], dict[UUID, Row]] = {}
    for row in snapshot.counted("matchings recovered", snapshot.stream(_RECOVERIES)):
        rows.setdefault((row.tenant, row.claim_id), {})[row.id] = row
    moved: dict[tuple[str, UUID], list[Row]] = {}
    for row in snapshot.rows(_MOVED):
        moved.setdefault((row.tenant, row.subject_id), []).append(row)
    for due in snapshot.rows(_DUE):
        yield from _of_one(due, rows.pop((due.tenant, due.claim_id), {}), moved, context)
    for found in rows.values():
        for row in found.values():
            yield differs("matching.recovered", f"matching_recovery/{row.tenant}/{row.id}", "a matching", None)
    for (tenant, _), found_rows in moved.items():
        place = f"ledger_transfer/{tenant}/{found_rows[0].id}"
        yield differs("matching.recovered", place, "a matching that was asked back", None)


def _of_one(
    due: Row, found: dict[UUID, Row], moved: dict[tuple[str, UUID], list[Row]], context: Context
) -> Iterator[Difference]:
    subject = uuid5(NAMESPACE_OID, f"matching/{due.tenant}/{due.claim_id}")
    told = list(context.settings.get((due.tenant, subject), ()))
    said = {UUID(entry.details["recovery"]): entry for entry in told if entry.action == _RECOVERED}
    for recovery_id in sorted(said.keys() | found.keys()):
        yield from _row(
            f"matching_recovery/{due.tenant}/{recovery_id}", due, found.get(recovery_id), said.get(recovery_id)
        )
    if sum(row.amount_fen for row in found.values()) > (0 if due.paid_on is None else due.recover_fen):
        place = f"matching_recovery/{due.tenant}/{next(iter(found))}/amount_fen"
        yield differs("matching.recovered", place, f"at most {due.recover_fen}", sorted(found))
    year = f"{due.scheme}/{due.quota_year}"
    theirs: list[Moved] = []
    ours: list[Moved] = []
    booked_fen = came_fen = 0
    for entry in told:
        details = entry.details
        if entry.action == _RECOVERED:
            fen, document = fen_of(details["amount"]), details["document"]
            ours.append((entry, f"matching-paid/{year}/{due.division}", "matching/", fen, document))
            came_fen += fen
            credit = "matching-recoverable" if came_fen <= booked_fen else "matching-expense"
            theirs.append((entry, f"matching-recovered/{year}", f"{credit}/{year}", fen, document))
        elif entry.action == "matching.taken_back" and details.get("receivable"):
            booked_fen += fen_of(details["amount"])
            sides = (f"matching-recoverable/{year}", f"matching-expense/{year}")
            theirs.append((entry, *sides, fen_of(details["amount"]), "matching taken back"))
    yield from _books(due.tenant, ours, moved.pop((due.tenant, subject), []))
    if due.linked is not None:
        yield from _books(due.linked, theirs, moved.pop((due.linked, subject), []))
        other = [dict(e.details) for e in context.settings.get((due.linked, subject), ()) if e.action == _RECOVERED]
        if other != [dict(entry.details) for entry in told if entry.action == _RECOVERED]:
            place = f"audit_entry/{due.linked}/{subject}"
            yield differs("matching.recovered", place, sorted(map(str, said)), other)


def _row(place: str, due: Row, row: Row | None, entry: Entry | None) -> Iterator[Difference]:
    if row is None or entry is None:
        yield differs("matching.recovered", place, entry and entry.details, row)
        return
    expected = {
        "linked": due.linked, "amount_fen": fen_of(entry.details["amount"]), "document": entry.details["document"],
        "recorded_by": entry.actor,
    }  # fmt: skip
    yield from compared("matching.recovered", place, expected, row)
    if entry.details["recovered_on"] != plain(row.recovered_on):
        yield differs("matching.recovered", f"{place}/recovered_on", entry.details["recovered_on"], row.recovered_on)
    if not entry.witnesses(row.recorded_at):
        yield differs("matching.recovered", f"{place}/recorded_at", entry.at, row.recorded_at)


def _books(tenant: str, expected: list[Moved], transfers: list[Row]) -> Iterator[Difference]:
    """Each act moved its amount, at its time."""
    for (entry, debit, credit, fen, reason), found in zip(expected, transfers, strict=False):
        right = (
            (found.debit, found.amount_fen, found.reason, found.kind) == (debit, fen, reason, "posted")
            and found.credit.startswith(credit) and entry.witnesses(found.at)
        )  # fmt: skip
        if not right:
            place = f"ledger_transfer/{tenant}/{found.id}"
            yield differs(
                "matching.recovered", place, (debit, credit, fen), (found.debit, found.credit, found.amount_fen)
            )
    if len(expected) != len(transfers):
        place = f"ledger_transfer/{tenant}/{transfers[-1].id if transfers else ''}"
        yield differs("matching.recovered", place, len(expected), len(transfers))
