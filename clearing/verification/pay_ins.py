"""Batches that a settlement agent pays: nothing of them was sent before their total was paid in, by somebody's word."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Snapshot

_WORDS: Final = """
select p.tenant, p.batch_id, p.order_id, p.reason, p.said_by, p.said_at, b.released_by, o.batch_id as o_batch_id
  from agent_paid_in p left join batch b on b.tenant = p.tenant and b.id = p.batch_id
  left join clearing_order o on o.tenant = p.tenant and o.id = p.order_id and o.kind = 'agent_pay_in'
"""
_SENT_FIRST: Final = """
select s.tenant, s.id, b.batch_no, s.ordered_at from bank_submission s
  join batch b on b.tenant = s.tenant and b.id = s.batch_id and b.form = 'agent'
 where not exists (select 1 from agent_paid_in p where p.tenant = b.tenant and p.batch_id = b.id
                      and p.said_at <= s.ordered_at)
   and not exists (select 1 from clearing_order o
                     join clearing_order_outcome x on x.tenant = o.tenant and x.order_id = o.id and x.outcome = 'paid'
                    where o.tenant = b.tenant and o.batch_id = b.id and x.at <= s.ordered_at)
"""


def pay_in_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Words that nobody gave, and batches that were sent before one."""
    said = {key: entry for key, entries in settings.items() for entry in entries if entry.action == "pay_in.confirmed"}
    for row in snapshot.counted("confirmed pay-ins", snapshot.stream(_WORDS)):
        place, entry = f"agent_paid_in/{row.tenant}/{row.batch_id}", said.pop((row.tenant, row.batch_id), None)
        if entry is None:
            yield differs("pay_in.witness", place, "an entry of the audit chain", None)
            continue
        expected = {
            "order_id": UUID(entry.details["order"]), "reason": entry.reason, "said_by": entry.actor,
            "o_batch_id": row.batch_id,
        }  # fmt: skip
        yield from compared("pay_in.witness", place, expected, row)
        if not entry.witnesses(row.said_at):
            yield differs("pay_in.witness", f"{place}/said_at", entry.at, row.said_at)
        if row.said_by == row.released_by:
            yield differs("pay_in.people", f"{place}/said_by", "another than who released", row.said_by)
    for tenant, batch_id in said:
        yield differs("pay_in.witness", f"agent_paid_in/{tenant}/{batch_id}", "one row", None)
    for row in snapshot.rows(_SENT_FIRST):
        place = f"bank_submission/{row.tenant}/{row.id}/ordered_at"
        yield differs("pay_in.sent_first", place, f"after {row.batch_no} was paid in", row.ordered_at)
