"""The items of a batch as they are sealed: the root over them, and whether a bank's message can be made of them.

Each item is opened, looked at and hashed by a crew, a run of items at a time; this process reads the rows and puts the
hashes together. What several items to one account share of a message is only their references, which are cut to the
same length as one; so each item is rehearsed by itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from settlement.batches.obligation import account_opener
from settlement.batches.progress import Tell
from settlement.formats.pain001 import MESSAGE_TAIL, message_head, schema_check, transaction
from settlement.formats.payout_batch import PayoutBatch
from settlement.office import Office
from settlement.payouts.instruction import Account, Item, item_leaf
from settlement.payouts.payments import look_up_by_index, prepare_for_whole_batch
from settlement.signatures.merkle import MerkleTree
from tenants.kernel.crew import in_order, members
from tenants.kernel.money import Money
from tenants.kernel.sealing import Sealer

ITEMS_AT_ONCE: Final = 1024
"""A power of two, so that the tree over a run of items is a subtree of the batch's."""
CREW_FROM: Final = 40_000
"""Fewer items are done by the time a crew is there."""

READ_AT_ONCE: Final = 8 * ITEMS_AT_ONCE
"""Each item's obligation is looked up by itself (``offset 0``): without statistics it might be joined the other way."""

_ITEMS: Final = (
    "select i.line, i.claim_id::text, i.amount_fen, o.claim_no, o.account_name, o.account_sealed, o.bank_name, o.cnaps "
    "from batch_item i cross join lateral (select * from obligation w where w.tenant = i.tenant and w.id = i.claim_id "
    "offset 0) o "
    "where i.tenant = %s and i.batch_id = %s and i.removed_at is null and i.line > %s order by i.line limit %s"
)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a bank's message of the items begins with, the version of its schema, and the purpose of each payment."""

    batch: PayoutBatch
    pain_version: str
    purpose: str


@dataclass(frozen=True, slots=True)
class _Setting:
    tenant: str
    batch_no: str
    sealer: Sealer
    rehearsal: Rehearsal | None


class _Run(NamedTuple):
    """Some rows of ``_ITEMS`` that follow each other, and the position of the first."""

    first: int
    rows: list[tuple[Any, ...]]


class _Judged(NamedTuple):
    """The tree over a run of items, and what the official schema finds wrong with a message of them."""

    tree: MerkleTree
    faults: list[str]


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
    setting = _Setting(batch.tenant, batch.batch_no, office.sealer, rehearsal)
    tree, faults = MerkleTree(), list[str]()
    for judged in in_order(_judging, setting, _runs(connection, batch), crew):
        tree.append(judged.tree)
        faults = faults or judged.faults
        tell("seal" if rehearsal else "root", tree.size)
    return tree.root().hex(), faults


def _runs(connection: Connection, batch: Batch) -> Iterator[_Run]:
    """The items that are in the batch in the order of their lines, looked up in the index a few thousand at a time."""
    look_up_by_index(connection)
    read, line = 0, 0
    while rows := connection.exec_driver_sql(_ITEMS, (batch.tenant, batch.id, line, READ_AT_ONCE)).all():
        for first in range(0, len(rows), ITEMS_AT_ONCE):
            yield _Run(read + first + 1, [tuple(row) for row in rows[first : first + ITEMS_AT_ONCE]])
        read, line = read + len(rows), rows[-1].line
    prepare_for_whole_batch(connection)


def _judging(setting: _Setting) -> Callable[[_Run], _Judged]:
    tenant, number = setting.tenant, setting.batch_no
    opened = account_opener(setting.sealer, tenant)
    rehearse = None if setting.rehearsal is None else _rehearsing(setting.rehearsal)

    def judge(run: _Run) -> _Judged:
        items = [
            (Item(position, claim_no, Money(fen)), Account(name, opened(claim_id, sealed), bank, cnaps))
            for position, (_, claim_id, fen, claim_no, name, sealed, bank, cnaps) in enumerate(run.rows, run.first)
        ]
        tree = MerkleTree.of([item_leaf(tenant, number, item, payee) for item, payee in items])
        return _Judged(tree, [] if rehearse is None else rehearse(items))

    return judge


def _rehearsing(rehearsal: Rehearsal) -> Callable[[list[tuple[Item, Account]]], list[str]]:
    head, purpose = message_head(rehearsal.batch, rehearsal.pain_version), rehearsal.purpose
    faults, reference = schema_check(rehearsal.pain_version), rehearsal.batch.batch_id

    def rehearse(items: list[tuple[Item, Account]]) -> list[str]:
        made = [transaction(reference, payee, item.amount, purpose, (item.claim,)) for item, payee in items]
        return faults(head + "".join(made).encode() + MESSAGE_TAIL)

    return rehearse
