"""Instructions: one for each payee of a released batch, for exactly its claims (I9, I12)."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.seals import ITEMS
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

_BY_PAYEE: Final = f"""
select l.position, l.claim_id, l.amount_fen, l.claim_no, l.account_name, l.account_sealed, l.bank_name, l.cnaps,
       min(l.position) over (partition by l.payee_digest) as first, c.instruction_id
  from ({ITEMS}) l left join instruction_claim c on c.tenant = %s and c.claim_id = l.claim_id
 order by first, l.position
"""  # noqa: S608 - our own text
_INSTRUCTIONS: Final = (
    "select tenant, id, batch_id, line, payee_claim_id, claim_count, amount_fen, created_at from instruction "
    "where tenant = %s and batch_id = %s order by line"
)
_STRAY: Final = """
select 'instruction' as what, i.tenant, i.id from instruction i
 where not exists (select 1 from batch b where b.tenant = i.tenant and b.id = i.batch_id and b.released_at is not null
                      and b.form is distinct from 'home_region')
union all
select 'instruction_claim', c.tenant, c.claim_id from instruction_claim c
 where not exists (select 1 from instruction i where i.tenant = c.tenant and i.id = c.instruction_id)
    or not exists (select 1 from batch_item t join instruction i on i.tenant = t.tenant and i.batch_id = t.batch_id
                    where t.tenant = c.tenant and t.claim_id = c.claim_id and t.removed_at is null
                      and i.id = c.instruction_id)
union all
select 'batch_item', i.tenant, i.batch_id from batch_item i
 where not exists (select 1 from obligation o where o.tenant = i.tenant and o.id = i.claim_id)
    or not exists (select 1 from batch b where b.tenant = i.tenant and b.id = i.batch_id)
"""


def payout_differences(snapshot: Snapshot, context: Context) -> Iterator[Difference]:
    """What is wrong with the instructions of all batches."""
    for row in snapshot.stream(_STRAY):
        yield differs("instruction.stray", f"{row.what}/{row.tenant}/{row.id}", "a row of a released batch", row.id)
    for batch in context.batches.values():
        if batch.released_at is not None and batch.form != "home_region":
            yield from _of_batch(snapshot, batch)


def payments(snapshot: Snapshot, batch: Row) -> Iterator[list[Row]]:
    """The items of each payee, the payees in the order of their first items."""
    rows = snapshot.stream(_BY_PAYEE, batch.tenant, batch.id, batch.tenant)
    for _, items in groupby(rows, key=lambda row: row.first):
        yield list(items)


def _of_batch(snapshot: Snapshot, batch: Row) -> Iterator[Difference]:
    stored = snapshot.counted("instructions", snapshot.stream(_INSTRUCTIONS, batch.tenant, batch.id))
    line = 0
    for line, items in enumerate(payments(snapshot, batch), start=1):
        row = next(stored, None)
        if row is None:
            yield differs("instruction.missing", f"instruction/{batch.tenant}/{batch.batch_no}/{line}", "one row", None)
            return
        expected: dict[str, Any] = {
            "line": line,
            "payee_claim_id": items[0].claim_id,
            "claim_count": len(items),
            "created_at": batch.released_at,
        }
        place = f"instruction/{batch.tenant}/{row.id}"
        yield from compared("instruction.row", place, expected, row)
        total = sum(item.amount_fen for item in items)
        if row.amount_fen != total:
            yield differs("instruction.row", f"{place}/amount_fen", Money(total), Money(row.amount_fen))
        for item in items:
            if item.instruction_id != row.id:
                where = f"instruction_claim/{batch.tenant}/{item.claim_id}/instruction_id"
                yield differs("instruction.claim", where, row.id, item.instruction_id)
    for row in stored:
        yield differs("instruction.surplus", f"instruction/{row.tenant}/{row.id}", f"{line} instructions", row.line)
