"""Statements of batches: signed, chained, by the audit chain's word, and worked out anew from what the banks told."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier
from clearing.verification.signatures import SETTLEMENT, BadSignatureError, opened
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.canonical import canonical_bytes, plain
from tenants.kernel.money import Money

_FIRST: Final = "0" * 64
_SUMS: Final = ("paid", "returned", "rejected", "reissued")
_ROWS: Final = """
select tenant, batch_id, number, item_count, total_fen, paid_count, paid_fen, returned_count, returned_fen,
       rejected_count, rejected_fen, reissued_count, reissued_fen, lines_sha256, previous_sha256, jws, sha256, reason,
       made_by, made_at
  from batch_settlement order by tenant, batch_id, number
"""
_LINES: Final = """
select i.line, i.id, i.amount_fen, t.told_at,
       case when t.back then 'returned' when t.rejected then 'rejected' when t.paid then 'paid' else 'open'
       end as became,
       c.claims, c.again, c.again_fen
  from instruction i
  cross join lateral (
       select max(o.at) as told_at, count(*) filter (where o.outcome = 'returned') > 0 as back,
              count(*) filter (where o.outcome = 'rejected') > 0 as rejected,
              count(*) filter (where o.outcome = 'paid') > 0 as paid
         from instruction_outcome o where o.tenant = i.tenant and o.instruction_id = i.id
          and o.outcome in ('paid', 'rejected', 'returned') and o.at <= %s) t
  cross join lateral (
       select count(*) as claims, count(r.of_obligation) as again,
              coalesce(sum(b.amount_fen) filter (where r.of_obligation is not null), 0)::bigint as again_fen
         from instruction_claim k join obligation b on b.tenant = k.tenant and b.id = k.claim_id
         left join reissue r on r.tenant = k.tenant and r.of_obligation = k.claim_id and r.made_at <= %s
          and not exists (
              select 1 from objection_upholding u
                join objection_upholding_decision d on d.tenant = u.tenant and d.upholding_id = u.id
               where u.tenant = r.tenant and u.obligation_id = r.obligation_id and u.outcome = 'returned'
                 and d.outcome = 'approve' and d.decided_at <= %s)
        where k.tenant = i.tenant and k.instruction_id = i.id) c
 where i.tenant = %s and i.batch_id = %s order by i.line
"""
_SETTLED: Final = """
select b.tenant, b.id, b.batch_no, b.settled_at, b.state, d.told_at
  from batch b join lateral (
       select case when count(*) = count(o.at) then max(o.at) end as told_at
         from instruction i left join instruction_outcome o on o.tenant = i.tenant and o.instruction_id = i.id
          and o.outcome in ('paid', 'rejected') where i.tenant = b.tenant and i.batch_id = b.id) d on true
 where b.instructed_at is not null and b.settled_at is distinct from d.told_at
"""
_CLOSED: Final = """
select b.tenant, b.id, b.batch_no, b.state from batch b
 where (b.state = 'closed' and b.settled_at is not null) <> exists (
       select 1 from batch_settlement s where s.tenant = b.tenant and s.batch_id = b.id and s.number = 1)
"""


def stated_differences(dossier: Dossier) -> Iterator[Difference]:
    """Statements of one batch that are not those of the chain; the first was made when the batch was closed."""
    rows = dossier["batch_settlement"]
    entries = [entry for entry in dossier.entries if entry.action == "settlement.stated"]
    place = f"batch_settlement/{dossier.tenant}/{dossier.subject_id}"
    if len(rows) != len(entries):
        yield differs("settlement.witness", place, len(entries), len(rows))
    for row, entry in zip(rows, entries, strict=False):
        expected = {
            "number": entry.details.get("number"),
            "sha256": entry.details.get("sha256"),
            "lines_sha256": entry.details.get("lines_sha256"),
            "reason": entry.reason,
            "made_by": entry.actor,
        }
        yield from compared("settlement.witness", f"{place}/{row.number}", expected, row)
        if not entry.witnesses(row.made_at):
            yield differs("settlement.witness", f"{place}/{row.number}/made_at", entry.at, row.made_at)


def settlement_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """Batches settled too soon or not at all, closed without a statement, and statements that are not true."""
    for row in snapshot.stream(_SETTLED):
        place = f"batch/{row.tenant}/{row.batch_no}/settled_at"
        yield differs("settlement.settled", place, row.told_at, row.settled_at)
    for row in snapshot.stream(_CLOSED):
        yield differs(
            "settlement.closed", f"batch_settlement/{row.tenant}/{row.id}", "one of a closed batch", row.state
        )
    before: Row | None = None
    for row in snapshot.counted("statements of batches", iter(snapshot.rows(_ROWS))):
        again = before is not None and (before.tenant, before.batch_id) == (row.tenant, row.batch_id)
        number, previous = (before.number + 1, before.sha256) if again and before is not None else (1, _FIRST)
        place = f"batch_settlement/{row.tenant}/{row.batch_id}/{row.number}"
        yield from compared("settlement.chain", place, {"number": number, "previous_sha256": previous}, row)
        batch = context.batches.get((row.tenant, row.batch_id))
        if batch is None:
            yield differs("settlement.closed", place, "a batch", None)
        else:
            yield from _recomputed(snapshot, place, row, batch)
            yield from _signed(place, row, batch, context)
        before = row


def _recomputed(snapshot: Snapshot, place: str, row: Row, batch: Row) -> Iterator[Difference]:
    """Sums and lines as of the statement's instant."""
    sums, digest = {name: [0, 0] for name in (*_SUMS, "open")}, hashlib.sha256()
    for line in snapshot.stream(_LINES, row.made_at, row.made_at, row.made_at, row.tenant, row.batch_id):
        said = {
            "line": line.line, "instruction_id": line.id, "amount": Money(line.amount_fen), "outcome": line.became,
            "told_at": line.told_at,
        }  # fmt: skip
        digest.update(canonical_bytes(said) + b"\n")
        sums[line.became][0] += 1
        sums[line.became][1] += line.amount_fen
        if line.became in {"returned", "rejected"}:
            sums["reissued"][0] += line.again == line.claims
            sums["reissued"][1] += line.again_fen
    expected: dict[str, Any] = {"lines_sha256": digest.hexdigest()}
    for name in _SUMS:
        expected |= {f"{name}_count": sums[name][0], f"{name}_fen": sums[name][1]}
    expected |= {"item_count": batch.item_count, "total_fen": batch.total_fen}
    yield from compared("settlement.sums", place, expected, row)
    stated = sum(sums[name][1] for name in ("paid", "returned", "rejected"))
    if sums["open"][0] or stated != batch.total_fen:
        yield differs("settlement.sums", f"{place}/total_fen", Money(batch.total_fen), Money(stated))


def _signed(place: str, row: Row, batch: Row, context: Context) -> Iterator[Difference]:
    digest = hashlib.sha256(row.jws.encode()).hexdigest()
    if digest != row.sha256:
        yield differs("settlement.signature", f"{place}/sha256", digest, row.sha256)
    try:
        payload, key = opened(row.jws, SETTLEMENT, context.keys)
        said: dict[str, Any] = orjson.loads(payload)
    except (BadSignatureError, ValueError) as fault:
        yield differs("settlement.signature", f"{place}/jws", "a statement of the tenant's payout key", str(fault))
        return
    refusal = key.refusal(row.tenant, row.made_at)
    if refusal is not None:
        yield differs("settlement.signature", f"{place}/jws", said.get("kid"), refusal)
    expected: dict[str, Any] = {
        "batch": batch.batch_no, "batch_id": str(batch.id), "tenant": batch.tenant, "scheme": batch.scheme,
        "mode": batch.mode, "kind": batch.kind, "number": row.number, "previous_sha256": row.previous_sha256,
        "batch_root": batch.merkle_root, "seal_sha256": batch.seal_sha256, "manifest_sha256": batch.manifest_sha256,
        "item_count": row.item_count, "total": str(Money(row.total_fen)), "open": {"count": 0, "amount": "0.00"},
        "lines_sha256": row.lines_sha256, "reason": row.reason, "made_at": plain(row.made_at), "kid": key.kid,
    }  # fmt: skip
    for name in _SUMS:
        amount = str(Money(getattr(row, f"{name}_fen")))
        expected[name] = {"count": getattr(row, f"{name}_count"), "amount": amount}
    for name in expected.keys() | said.keys():
        if said.get(name) != expected.get(name):
            yield differs("settlement.content", f"{place}/jws", f"{name}: {expected.get(name)}", said.get(name))
