"""What every file of a batch carries alike: who pays, the control totals, the order of the lines."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from settlement.payouts.instruction import (
    Account,
    Instruction,
    InstructionError,
    require_amount,
    require_batch,
    require_text,
)
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class PayoutBatch:
    """What all instructions of a batch have in common, and the control totals that every file carries.

    ``count`` counts instructions, ``item_count`` sealed items; ``tenant_name`` and ``title`` are for people.

    Raises:
        InstructionError: as for :class:`Instruction`, or a batch without instructions.
    """

    tenant: str
    tenant_name: str
    title: str
    batch: str
    batch_id: UUID
    batch_root: str
    debtor: Account
    count: int
    item_count: int
    total: Money
    created_at: datetime
    execution_on: date
    sandbox: bool = False
    """Whether nothing of it is to be paid: a sandbox made it."""

    def __post_init__(self) -> None:
        require_batch(self.batch, self.batch_root, self.created_at)
        require_text("tenant_name", self.tenant_name)
        require_text("title", self.title)
        if not 1 <= self.count <= self.item_count:
            raise InstructionError("count: at least one instruction, and an item for each")
        require_amount(self.total)

    @property
    def shared(self) -> tuple[object, ...]:
        """The values that each of its instructions repeats."""
        return (self.tenant, self.batch, self.batch_id, self.batch_root, self.debtor, self.created_at)


class TotalsError(InstructionError):
    """The instructions do not add up to the batch's control totals, or one belongs to another batch."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a number of a batch's first instructions come to: how many, their items and sum, the last first item."""

    number: int = 0
    items: int = 0
    fen: int = 0
    position: int = 0

    def with_more(self, instructions: Sequence[Instruction]) -> "Tally":
        """The tally with the instructions that follow."""
        return Tally(
            self.number + len(instructions),
            self.items + sum([len(each.items) for each in instructions]),
            self.fen + sum([each.amount.fen for each in instructions]),
            instructions[-1].items[0].position,
        )


def counted(
    batch: PayoutBatch, instructions: Iterable[Instruction], tally: Tally | None = None
) -> Iterator[tuple[int, Instruction]]:
    """The instructions with their number from 1, passed on one by one while they are counted and summed.

    Every file is written through this, so that no file can carry other totals than the batch. ``tally``: what those
    before these came to, where these are not the first.

    Raises:
        TotalsError: an instruction of another batch or out of order; at the end, another count or sum.
    """
    shared, before = batch.shared, tally or Tally()
    number, items, fen, position = before.number, before.items, before.fen, before.position
    for number, each in enumerate(instructions, start=before.number + 1):
        same = (each.tenant, each.batch, each.batch_id, each.batch_root, each.debtor, each.created_at)
        if same != shared:
            raise TotalsError(f"instruction {each.instruction_id} belongs to another batch than {batch.batch}")
        if each.items[0].position <= position:
            raise TotalsError(f"instruction {each.instruction_id} is out of the order of its items")
        position = each.items[0].position
        items += len(each.items)
        fen += each.amount.fen
        yield number, each
    if (number, items, fen) != (batch.count, batch.item_count, batch.total.fen):
        raise TotalsError(
            f"{number} instructions, {items} items, {Money(fen)} yuan, but the batch has "
            f"{batch.count}, {batch.item_count}, {batch.total}"
        )


def claims_text(claims: tuple[str, ...], limit_chars: int) -> str:
    """The references in one line of at most ``limit_chars``; those that do not fit are counted (``等12笔``)."""
    whole = " ".join(claims)
    if len(whole) <= limit_chars:
        return whole
    tail = f" 等{len(claims)}笔"
    shown, length = [], len(tail)
    for claim in claims:
        length += len(claim) + 1
        if length > limit_chars + 1:
            break
        shown.append(claim)
    return (" ".join(shown) + tail).strip()
