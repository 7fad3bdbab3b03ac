"""The items of a batch as they are sealed: the root over them, and whether a bank's message can be made of them.

Each item is opened, looked at and hashed by a crew, a run of items at a time; this process reads the rows and puts the
hashes together.
"""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.batches.progress import Tell
from settlement.office import Office
from settlement.payouts.judged_items import ItemRow, Rehearsal, Run, Setting, judging
from settlement.payouts.payments import look_up_by_index, prepare_for_whole_batch
from settlement.signatures.merkle import MerkleTree
from tenants.kernel.crew import in_order, members

ITEMS_AT_ONCE: Final = 1024
"""A power of two, so that the tree over a run of items is a subtree of the batch's."""
CREW_FROM: Final = 20_000
"""Fewer items are done by the time a crew is there."""

READ_AT_ONCE: Final = 8 * ITEMS_AT_ONCE
"""Each item's obligation is looked up by itself (``offset 0``): without statistics it might be joined the other way."""

_ITEMS: Final = (
    "select i.line, i.claim_id::text, i.amount_fen, o.claim_no, o.account_name, o.account_sealed, o.bank_name, o.cnaps "
    "from batch_item i cross join lateral (select * from obligation w where w.tenant = i.tenant and w.id = i.claim_id "
    "offset 0) o "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null and i.line > %s order by i.line limit %s"
)


def root_of(
    connection: Connection,
    batch: Batch,
    office: Office,
    tell: Tell,
    rehearsal: Rehearsal | None = None,
    crew: int | None = None,
) -> tuple[str, list[str]]:
    """The Merkle root over the batch's items in hexadecimal digits, and the first faults of the rehearsed message.

    ``crew``: how many processes look at the items; as many as pay, where it is not given.

    Raises:
        settlement.payouts.instruction.InstructionError: an item that no instruction can be made of.
        tenants.kernel.crew.CrewError: see there.
    """
    if crew is None:
        crew = members() if batch.item_count >= CREW_FROM else 0
    setting = Setting(batch.tenant, batch.batch_no, office.sealer, rehearsal)
    tree, faults = MerkleTree(), list[str]()
    for judged in in_order(judging, setting, _runs(connection, batch), crew):
        tree.append(judged.tree)
        faults = faults or judged.faults
        tell("seal" if rehearsal else "root", tree.size)
    return tree.root().hex(), faults


def _runs(connection: Connection, batch: Batch) -> Iterator[Run]:
    """The items that are in the batch in the order of their lines, looked up in the index a few thousand at a time."""
    look_up_by_index(connection)
    read, line = 0, 0
    while rows := _rows(connection, batch, line):
        for first in range(0, len(rows), ITEMS_AT_ONCE):
            yield Run(read + first + 1, rows[first : first + ITEMS_AT_ONCE])
        read, line = read + len(rows), rows[-1][0]
    prepare_for_whole_batch(connection)


def _rows(connection: Connection, batch: Batch, after_line: int) -> list[ItemRow]:
    """The next items, as the driver's own tuples: a row with names takes twice the time, and cannot be sent on."""
    result = connection.exec_driver_sql(_ITEMS, (batch.tenant, batch.id, after_line, READ_AT_ONCE))
    with result:
        return [*result.cursor.fetchall()]
