"""Banks' answers: the files as they came, their lines as they were classed, and what became of the instructions."""

import hashlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.notices import notice_differences
from clearing.verification.references import message_of
from clearing.verification.snapshot import WIDE_ROWS_AT_ONCE, Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets
from tenants.kernel.canonical import canonical_bytes, plain

_LINES: Final = """
select l.tenant, l.statement_id, s.lines_sha256, s.line_count, l.line, l.kind, l.line_class, l.status, l.reference,
       l.instruction_id, l.amount_fen, l.payee, l.account_tail, l.booked_on, l.bank_reference, l.reason, l.outcome,
       l.to_suspense, l.disagreements
  from bank_line l left join bank_statement s on s.tenant = l.tenant and s.id = l.statement_id
 order by l.tenant, l.statement_id, l.line
"""
_FIRST_OF_LINE: Final = 4
"""Behind these columns stands what a line's digest is made of."""
_EMPTY: Final = """
select s.tenant, s.id, s.line_count from bank_statement s
 where s.line_count > 0 and not exists (select 1 from bank_line l where l.tenant = s.tenant and l.statement_id = s.id)
"""
_PARTS: Final = """
select p.tenant, p.statement_id, p.part, p.sealed, s.sha256, s.size_bytes
  from bank_statement_part p left join bank_statement s on s.tenant = p.tenant and s.id = p.statement_id
 order by p.tenant, p.statement_id, p.part
"""
_NO_PARTS: Final = """
select s.tenant, s.id from bank_statement s
 where not exists (select 1 from bank_statement_part p where p.tenant = s.tenant and p.statement_id = s.id)
"""
_OUTCOMES: Final = """
select o.tenant, o.instruction_id, o.outcome, o.amount_fen, o.statement_id, o.line, o.call_id, o.resolution_id, o.at
  from instruction_outcome o
  left join instruction i on i.tenant = o.tenant and i.id = o.instruction_id
  left join bank_line l on l.tenant = o.tenant and l.statement_id = o.statement_id and l.line = o.line
  left join bank_statement s on s.tenant = o.tenant and s.id = o.statement_id
  left join bank_answer a on a.tenant = o.tenant and a.call_id = o.call_id
  left join bank_submission b on b.tenant = a.tenant and b.id = a.submission_id
 where i.id is null or o.amount_fen <> i.amount_fen or num_nulls(o.statement_id, o.call_id, o.resolution_id) <> 2
    or (o.line is not null
        and (l.instruction_id, l.outcome, coalesce(l.amount_fen, case l.kind when 'status' then o.amount_fen end))
            is distinct from (o.instruction_id, o.outcome, o.amount_fen))
    or (o.statement_id is not null and s.imported_at is distinct from o.at)
    or (o.call_id is not null and (a.outcome, b.batch_id, a.answered_at, o.outcome) is distinct from
                                  ('rejected', i.batch_id, o.at, 'rejected'))
    or (o.resolution_id is not null and not exists (
        select 1 from suspense_resolution r
          join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id and d.outcome = 'approve'
         where r.tenant = o.tenant and r.id = o.resolution_id and r.instruction_id = o.instruction_id
           and r.outcome = o.outcome and d.decided_at = o.at))
    or (o.statement_id is not null and o.line is null and (o.outcome <> 'rejected' or not exists (
        select 1 from bank_line w join batch b on b.tenant = w.tenant and b.batch_no = w.bank_reference
         where w.tenant = o.tenant and w.statement_id = o.statement_id and w.reference = '*' and b.id = i.batch_id)))
    or (o.outcome = 'returned' and not exists (select 1 from instruction_outcome p where p.tenant = o.tenant
        and p.instruction_id = o.instruction_id and p.outcome = 'paid'))
"""
_MISSING: Final = """
select l.tenant, l.instruction_id, l.outcome from bank_line l
 where l.outcome is not null and l.instruction_id is not null and not exists (
       select 1 from instruction_outcome o where o.tenant = l.tenant and o.instruction_id = l.instruction_id
          and o.outcome = l.outcome and o.statement_id = l.statement_id and o.line = l.line)
union all
select i.tenant, i.id, 'rejected' from bank_line l join batch b on b.tenant = l.tenant and b.batch_no = l.bank_reference
  join instruction i on i.tenant = b.tenant and i.batch_id = b.id
 where l.reference = '*' and not exists (
       select 1 from instruction_outcome o where o.tenant = i.tenant and o.instruction_id = i.id
          and o.outcome in ('paid', 'rejected'))
union all
select i.tenant, i.id, 'rejected' from bank_answer a
  join bank_submission s on s.tenant = a.tenant and s.id = a.submission_id
  join instruction i on i.tenant = s.tenant and i.batch_id = s.batch_id
 where a.outcome = 'rejected' and not exists (
       select 1 from instruction_outcome o where o.tenant = i.tenant and o.instruction_id = i.id
          and o.outcome in ('paid', 'rejected'))
"""
_TWICE: Final = """
select tenant, instruction_id, array_agg(outcome order by outcome) as outcomes from instruction_outcome
 where outcome in ('paid', 'rejected') group by tenant, instruction_id having count(*) > 1
"""
_SUSPENSE: Final = """
select coalesce(l.tenant, t.tenant) as tenant, t.id, l.statement_id, l.line,
       (l.statement_id, 'line ' || l.line, case l.kind when 'debit' then 'bank' else 'suspense' end,
        case l.kind when 'debit' then 'suspense' else 'bank' end, l.amount_fen, 'posted', s.imported_at)::text
       as expected,
       (t.subject_id, t.reason, t.debit, t.credit, t.amount_fen, t.kind, t.at)::text as found
  from (select * from bank_line where to_suspense) l
  left join bank_statement s on s.tenant = l.tenant and s.id = l.statement_id
  full join (select * from ledger_transfer t where 'suspense' in (debit, credit) and not exists (
             select 1 from suspense_resolution r where r.tenant = t.tenant and r.id = t.subject_id)) t
       on t.tenant = l.tenant and t.subject_id = l.statement_id and t.reason = 'line ' || l.line
 where (l.statement_id, case l.kind when 'debit' then 'bank' else 'suspense' end,
        case l.kind when 'debit' then 'suspense' else 'bank' end, l.amount_fen, 'posted', s.imported_at)
       is distinct from (t.subject_id, t.debit, t.credit, t.amount_fen, t.kind, t.at)
"""


def statement_differences(dossier: Dossier, row: Row, context: Context) -> Iterator[Difference]:
    """What is wrong with the row of one file, by the chain's word; its lines and parts are looked at apart."""
    place = f"bank_statement/{row.tenant}/{row.id}"
    if len(dossier.entries) != 1 or dossier.entries[0].action != "statement.imported":
        yield differs("statement.unwitnessed", place, "one entry of the audit chain", len(dossier.entries))
        return
    entry = dossier.entries[0]
    expected = {
        "format": entry.details.get("format"),
        "sha256": entry.details.get("sha256"),
        "size_bytes": entry.details.get("size"),
        "line_count": entry.details.get("lines"),
        "lines_sha256": entry.details.get("lines_sha256"),
        "imported_by": entry.actor,
    }
    yield from compared("statement.witness", place, expected, row)
    if not entry.witnesses(row.imported_at):
        yield differs("statement.witness", f"{place}/imported_at", entry.at, row.imported_at)
    batch = context.batches.get((row.tenant, row.batch_id))
    number = message_of(row.order_id) if row.order_id is not None else batch and batch.batch_no
    if number != entry.details.get("batch_no") or (row.batch_id is None) is (row.order_id is None):
        yield differs("statement.witness", f"{place}/batch_id", entry.details.get("batch_no"), number)
    yield from notice_differences(dossier, [])


def bank_line_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Lines that are not those that were imported: their number and digest stand in the chain."""
    rows = snapshot.counted("lines of bank statements", snapshot.stream(_LINES))
    for (tenant, statement_id), lines in groupby(rows, key=lambda row: (row.tenant, row.statement_id)):
        digest, count, said = hashlib.sha256(), 0, None
        for count, row in enumerate(lines, start=1):  # noqa: B007 - the last one is the number of lines
            digest.update(canonical_bytes([plain(value) for value in row[_FIRST_OF_LINE:]]) + b"\n")
            said = (row.line_count, row.lines_sha256)
        if said != (count, digest.hexdigest()):
            yield differs("statement.lines", f"bank_line/{tenant}/{statement_id}", said, (count, digest.hexdigest()))
    for row in snapshot.stream(_EMPTY):
        yield differs("statement.lines", f"bank_line/{row.tenant}/{row.id}", row.line_count, 0)


def bank_file_differences(snapshot: Snapshot, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """Files that are not those that came."""
    for row in snapshot.stream(_NO_PARTS):
        yield differs("statement.file", f"bank_statement_part/{row.tenant}/{row.id}", "the file", None)
    rows = snapshot.stream(_PARTS, rows_at_once=WIDE_ROWS_AT_ONCE)
    for (tenant, statement_id), parts in groupby(rows, key=lambda row: (row.tenant, row.statement_id)):
        place = f"bank_statement_part/{tenant}/{statement_id}"
        digest, size, said, opens = hashlib.sha256(), 0, None, True
        for number, row in enumerate(parts, start=1):
            said = (row.size_bytes, row.sha256)
            if row.part != number:
                yield differs("statement.file", f"{place}/part", number, row.part)
            content = None if secrets is None else _opened(secrets, row)
            opens = opens and content is not None
            digest.update(content or b"")
            size += len(content or b"")
        found = (size, digest.hexdigest())
        if said is None or said[1] is None or (secrets is not None and not (opens and said == found)):
            yield differs("statement.file", f"{place}/sealed", said, found)


def _opened(secrets: OpenedSecrets, row: Row) -> bytes | None:
    place = f"{row.statement_id}/{row.part}"
    text = secrets.field_value(bytes(row.sealed), "bank_statement_part", "sealed", row.tenant, place)
    try:
        return None if text is None else b64decode(text, validate=True)
    except Base64Error:
        return None


def outcome_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Outcomes that no line or answer of a bank says, and lines whose outcome is not there; each paid once (I9)."""
    for row in snapshot.stream(_OUTCOMES):
        place = f"instruction_outcome/{row.tenant}/{row.instruction_id}/{row.outcome}"
        found = (row.amount_fen, row.statement_id, row.line, row.call_id, row.resolution_id, row.at)
        yield differs("outcome.source", place, "what a line or answer of the bank says", found)
    for row in snapshot.stream(_MISSING):
        yield differs("outcome.missing", f"instruction_outcome/{row.tenant}/{row.instruction_id}", row.outcome, None)
    for row in snapshot.stream(_TWICE):
        yield differs("outcome.once", f"instruction_outcome/{row.tenant}/{row.instruction_id}", 1, row.outcomes)
    for row in snapshot.stream(_SUSPENSE):
        table, name = ("bank_line", f"{row.statement_id}/{row.line}") if row.id is None else ("ledger_transfer", row.id)
        yield differs("outcome.suspense", f"{table}/{row.tenant}/{name}", row.expected, row.found)
