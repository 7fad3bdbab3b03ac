"""What receivers' banks tell of payments between tenants: each arrival by a line or an explanation, in both chains."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from clearing.verification.amounts import fen_of
from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import Entry
from clearing.verification.references import reference_of
from clearing.verification.snapshot import Row, Snapshot

_RECEIPTS: Final = """
select q.tenant, q.order_tenant, q.order_id, q.reference, q.amount_fen, q.statement_id, q.line, q.resolution_id,
       q.received_at, o.amount_fen as o_amount_fen, o.counterparty, s.imported_at, d.decided_at,
       (l.reference, l.outcome, l.amount_fen) is not distinct from (q.reference, 'received', q.amount_fen) as told,
       (r.order_tenant, r.order_id, r.outcome) is not distinct from (q.order_tenant, q.order_id, 'received')
       as explained
  from clearing_order_receipt q
  left join clearing_order o on o.tenant = q.order_tenant and o.id = q.order_id
  left join bank_line l on l.tenant = q.tenant and l.statement_id = q.statement_id and l.line = q.line
  left join bank_statement s on s.tenant = q.tenant and s.id = q.statement_id
  left join suspense_resolution r on r.tenant = q.tenant and r.id = q.resolution_id
  left join suspense_decision d on d.tenant = r.tenant and d.resolution_id = r.id and d.outcome = 'approve'
 order by q.tenant, q.order_id
"""
_TOLD: Final = """
select l.tenant, l.statement_id, l.line from bank_line l where l.outcome = 'received' and not exists (
       select 1 from clearing_order_receipt q where q.tenant = l.tenant and q.statement_id = l.statement_id
          and q.line = l.line)
"""


def order_receipt_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Arrivals that nobody told of, and words of which nothing came."""
    said = {key: entry for key, entries in settings.items() for entry in entries if entry.action == "order.received"}
    for row in snapshot.counted("arrivals of orders", snapshot.stream(_RECEIPTS)):
        place = f"clearing_order_receipt/{row.tenant}/{row.order_id}"
        wanted = (row.o_amount_fen, row.counterparty, reference_of(row.order_id))
        found = (row.amount_fen, row.tenant, row.reference)
        if wanted != found:
            yield differs("order.received", place, wanted, found)
        if not _sourced(row):
            source = (row.statement_id, row.line, row.resolution_id, row.received_at)
            yield differs("order.received", place, "what a line or two people say", source)
        for side in (row.tenant, row.order_tenant):
            entry = said.pop((side, row.order_id), None)
            if entry is None or not entry.witnesses(row.received_at) or _named(entry) != _row(row, side):
                yield differs("order.witness", place, entry and _named(entry), _row(row, side))
    for tenant, order_id in said:
        yield differs("order.witness", f"clearing_order_receipt/{tenant}/{order_id}", "one row", None)
    for row in snapshot.rows(_TOLD):
        place = f"clearing_order_receipt/{row.tenant}/{row.statement_id}/{row.line}"
        yield differs("order.received", place, "one row", None)


def _sourced(row: Row) -> bool:
    if row.resolution_id is not None:
        return bool(
            row.explained and row.statement_id is None and row.line is None and row.decided_at == row.received_at
        )
    return bool(row.told and row.imported_at == row.received_at)


def _row(row: Row, side: str) -> tuple[object, ...]:
    own = side == row.tenant
    source = (row.statement_id, row.line, row.resolution_id) if own else (None, None, None)
    return row.order_tenant, row.tenant, row.amount_fen, *source


def _named(entry: Entry) -> tuple[object, ...]:
    said = entry.details
    statement, resolution = said.get("statement"), said.get("resolution")
    return (
        said.get("tenant"), said.get("receiver"), fen_of(said["amount"]),
        None if statement is None else UUID(statement), said.get("line"),
        None if resolution is None else UUID(resolution),
    )  # fmt: skip
