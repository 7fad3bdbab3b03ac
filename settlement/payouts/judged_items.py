"""What a crew does with the items of a batch: open, look at, hash, rehearse; pure, and with few imports.

What several items to one account share of a message is only their references, which are cut to the same length as one;
so each item is rehearsed by itself. A member of a crew imports this module before it starts, so that nothing here may
need a database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from settlement.formats.pain001 import MESSAGE_TAIL, message_head, schema_check, transaction
from settlement.formats.payout_batch import PayoutBatch
from settlement.payouts.instruction import Account, Item, item_leaf
from settlement.signatures.merkle import MerkleTree
from tenants.kernel.money import Money
from tenants.kernel.sealing import Sealer

ItemRow = tuple[int, str, int, str, str, bytes, str, str]
"""An item as it is read: line, claim id, amount in fen, claim number, then the account: name, sealed number, bank,
CNAPS."""
_Items = list[tuple[Item, Account]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a bank's message of the items begins with, the version of its schema, and the purpose of each payment."""

    batch: PayoutBatch
    pain_version: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What the items of a batch share: tenant, the batch's number, what opens its accounts, and what is rehearsed."""

    tenant: str
    batch_no: str
    sealer: Sealer
    rehearsal: Rehearsal | None


class Run(NamedTuple):
    """Some items that follow each other, and the position of the first."""

    first: int
    rows: list[ItemRow]


class Judged(NamedTuple):
    """The tree over a run of items, and what the official schema finds wrong with a message of them."""

    tree: MerkleTree
    faults: list[str]


def judging(setting: Setting) -> Callable[[Run], Judged]:
    """What judges the runs of one batch.

    Raises (each judgement):
        settlement.payouts.instruction.InstructionError: an item that no instruction can be made of.
        tenants.kernel.sealing.SealError: an account number that was changed or moved in the database.
    """
    tenant, number = setting.tenant, setting.batch_no
    opened = setting.sealer.opener("obligation", "account_sealed", tenant)
    rehearse = None if setting.rehearsal is None else _rehearsing(setting.rehearsal)

    def judge(run: Run) -> Judged:
        items = [
            (Item(position, claim_no, Money(fen)), Account(name, opened(claim_id, sealed), bank, cnaps))
            for position, (_, claim_id, fen, claim_no, name, sealed, bank, cnaps) in enumerate(run.rows, run.first)
        ]
        tree = MerkleTree.of([item_leaf(tenant, number, item, payee) for item, payee in items])
        return Judged(tree, [] if rehearse is None else rehearse(items))

    return judge


def _rehearsing(rehearsal: Rehearsal) -> Callable[[_Items], list[str]]:
    head, purpose = message_head(rehearsal.batch, rehearsal.pain_version), rehearsal.purpose
    faults, reference = schema_check(rehearsal.pain_version), rehearsal.batch.batch_id

    def rehearse(items: _Items) -> list[str]:
        made = [transaction(reference, payee, item.amount, purpose, (item.claim,)) for item, payee in items]
        return faults(b"".join([head, *made, MESSAGE_TAIL]))

    return rehearse
