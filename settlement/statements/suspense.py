"""Out of suspense (待查): what moved at the bank without an explanation is explained by one person, booked by another.

Four explanations: the movements paid an instruction or an order between tenants, or gave it back (``assign``); they
paid another amount of such an order, and the difference is carried (``carry``; both of orders in
``settlement.statements.order_explanations``); they undo each other (``reversed``); or they have nothing to do with what
was ordered (``unrelated``). No line explains more than moved on it, and what is assigned is a whole amount, from one
line or several; the database sees to both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement import ledger
from settlement.batches.settling import hold_batches, settle_decided
from settlement.office import Office
from settlement.payouts.outcomes import Outcome, book
from settlement.second_person import APPROVE, REFUSE, require_second_person
from settlement.statements.line import DEBIT
from settlement.statements.matching import PAID, RETURNED
from settlement.statements.order_explanations import (
    ASSIGN,
    CARRY,
    book_order,
    explain_order,
    require_order_bookable,
)
from settlement.statements.suspense_records import (
    Part,
    Resolution,
    SuspenseLine,
    find_resolution,
    insert_resolution,
    lines_named,
)
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, lock_chains, record
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money, total
from tenants.kernel.sealing import Sealer
from tenants.kernel.statements import insert_rows

REVERSED: Final = "reversed"
UNRELATED: Final = "unrelated"
KINDS: Final = (ASSIGN, CARRY, REVERSED, UNRELATED)


@dataclass(frozen=True, slots=True)
class Movement:
    """A line in suspense, or part of it; without an amount, all of it that is not explained yet."""

    statement_id: UUID
    line: int
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person says of movements: their ``kind``, the instruction or order that they were, and why."""

    kind: str
    movements: Sequence[Movement]
    instruction_id: UUID | None
    reason: str
    order_id: UUID | None = None
    charge: Money = ZERO
    """What banks took of an order between tenants for themselves."""


def propose(connection: Connection, tenant: str, said: Explanation, actor: str, at: datetime) -> Resolution:
    """Propose an explanation; nothing is booked before another person approves it.

    Raises:
        NotFound: there is no such line in suspense, or no such instruction.
        Invalid: ``suspense.instruction``, ``suspense.charge``, ``suspense.repeated``.
        Conflict: ``suspense.exceeded``, ``suspense.amount``, ``suspense.outcome``, ``suspense.not_carried``,
            ``suspense.nothing_to_carry``.
    """
    _require_named(said)
    lines = _lines(connection, tenant, said.movements)
    parts = [
        Part(number, line.statement_id, line.line, line.kind, line.left if movement.amount is None else movement.amount)
        for number, (movement, line) in enumerate(zip(said.movements, lines, strict=True), start=1)
    ]
    _require_left(parts, lines)
    made = _explained(connection, tenant, said, parts, actor, at)
    insert_resolution(connection, tenant, made)
    record(connection, [Change(tenant, actor, "suspense.proposed", made.id, None, "proposed", said.reason,
                               details=_details(made))], at)  # fmt: skip
    return find_resolution(connection, tenant, made.id)


def decide(
    connection: Connection,
    tenant: str,
    resolution_id: UUID,
    outcome: str,
    reason: str | None,
    actor: str,
    at: datetime,
    office: Office,
) -> Resolution:
    """Approve and book a proposed explanation, or refuse it, by somebody else; the same again changes nothing.

    The transaction has to be bound to the tenants that match the awards too: see :mod:`settlement.matching_back`.

    Raises:
        NotFound: there is no such proposal.
        Forbidden: ``suspense.four_eyes``.
        Conflict: ``suspense.decided``, ``suspense.exceeded``, ``suspense.outcome``: something else came between.
        Invalid: ``suspense.reason``: a refusal says why.
        tenants.kernel.database.StartAgainError: a statement of the instruction's batch was made meanwhile.
    """
    _one_at_a_time(connection, tenant)
    found = find_resolution(connection, tenant, resolution_id)
    if (found.decision, found.decided_by) == (outcome, actor):
        return found
    if found.decision is not None:
        raise Conflict("suspense.decided", "该待查说明已有决定。", "The explanation is decided already.")
    said = Text("待查说明须由另一人复核。", "Somebody else has to decide on it.")
    require_second_person("suspense", said, found.proposed_by, actor, outcome, reason)
    batch_id = None
    if outcome == APPROVE:
        batch_id = _require_bookable(connection, tenant, found, office, at)
    insert_rows(
        connection,
        "suspense_decision",
        ("tenant", "resolution_id", "proposed_by", "outcome", "reason", "decided_by", "decided_at"),
        [(tenant, resolution_id, found.proposed_by, outcome, reason, actor, at)],
    )
    told = [] if outcome == REFUSE else _booked(connection, tenant, found, office, actor, at)
    after = "approved" if outcome == APPROVE else "refused"
    change = Change(tenant, actor, f"suspense.{after}", found.id, "proposed", after, reason, details=_details(found))
    record(connection, [change, *told], at)
    if batch_id is not None:
        settle_decided(connection, tenant, [batch_id], at)
    return find_resolution(connection, tenant, resolution_id)


def _booked(
    connection: Connection, tenant: str, found: Resolution, office: Office, actor: str, at: datetime
) -> list[Change]:
    """Book what was approved; what the chains of both sides of an order are to say, which are held."""
    _book(connection, tenant, found, at, office.sealer)
    told = [] if found.order_id is None else book_order(connection, tenant, found, office, actor, at)
    lock_chains(connection, {tenant, *(each.tenant for each in told)})
    return told


def _require_named(said: Explanation) -> None:
    """An instruction or an order where something is assigned, an order where something is carried; nothing else."""
    named = (said.instruction_id is not None) + (said.order_id is not None)
    if named != (said.kind in {ASSIGN, CARRY}) or (said.kind == CARRY and said.order_id is None):
        raise _faulty(
            "/instruction_id",
            "suspense.instruction",
            "归属时须填写一条拨付指令或清算指令，结转时须填写清算指令，其他说明不填。",
            "Name one instruction or one clearing order when assigning, an order when carrying, and none otherwise.",
        )
    if said.charge and (said.kind != ASSIGN or said.order_id is None):
        raise _faulty(
            "/charge",
            "suspense.charge",
            "手续费仅在归属清算指令时填写。",
            "Charges are named when a clearing order is assigned.",
        )


def _lines(connection: Connection, tenant: str, movements: Sequence[Movement]) -> list[SuspenseLine]:
    keys = [(movement.statement_id, movement.line) for movement in movements]
    for number, key in enumerate(keys):
        if key in keys[:number]:
            raise _faulty(f"/lines/{number}", "suspense.repeated", "同一行重复。", "The line is named twice.")
    found = lines_named(connection, tenant, keys)
    if len(found) != len(keys):
        raise not_found("待查记录", "line in suspense")
    return [found[key] for key in keys]


def _require_left(parts: Sequence[Part], lines: Sequence[SuspenseLine]) -> None:
    for part, line in zip(parts, lines, strict=True):
        if part.amount > line.left or not part.amount.fen:
            raise Conflict(
                "suspense.exceeded",
                f"第 {line.line} 行待查余额为 {line.left:,} 元，不能说明 {part.amount:,} 元。",
                f"Of line {line.line}, {line.left:,} yuan are unexplained: {part.amount:,} cannot be explained.",
            )


def _explained(
    connection: Connection, tenant: str, said: Explanation, parts: list[Part], actor: str, at: datetime
) -> Resolution:
    """The explanation, whose sums have to fit its kind."""
    debits = total(part.amount for part in parts if part.kind == DEBIT)
    credits_ = total(part.amount for part in parts if part.kind != DEBIT)
    amount = debits + credits_
    outcome: str | None = None
    order_tenant: str | None = None
    if said.kind == REVERSED:
        amount = debits
        if debits != credits_:
            raise _amounts(debits, credits_)
    if said.order_id is not None:
        explained = explain_order(connection, tenant, said.order_id, said.kind, parts, said.charge)
        order_tenant, outcome, amount = explained.order_tenant, explained.outcome, explained.amount
    elif said.kind == ASSIGN:
        outcome = RETURNED if parts[0].kind != DEBIT else PAID
        ordered = _instruction(connection, tenant, said.instruction_id)
        amount = Money(ordered.amount_fen)
        if (debits, credits_) != ((amount, Money(0)) if outcome == PAID else (Money(0), amount)):
            raise _amounts(amount, debits + credits_)
        _require_outcome(connection, tenant, ordered.id, outcome)
    return Resolution(
        new_id(), said.kind, said.instruction_id, order_tenant, said.order_id, outcome, amount, said.charge,
        said.reason, actor, at, None, None, None, None, tuple(parts),
    )  # fmt: skip


def _require_bookable(
    connection: Connection, tenant: str, found: Resolution, office: Office, at: datetime
) -> UUID | None:
    """What was proposed may still be booked; the locked batch of its instruction."""
    if found.order_id is not None:
        require_order_bookable(connection, tenant, found, office)
    lines = lines_named(connection, tenant, [(part.statement_id, part.line) for part in found.parts])
    _require_left(found.parts, [lines[part.statement_id, part.line] for part in found.parts])
    if found.instruction_id is None or found.outcome is None:
        return None
    batch_id: UUID = _instruction(connection, tenant, found.instruction_id).batch_id
    hold_batches(connection, tenant, [batch_id], at)
    _require_outcome(connection, tenant, found.instruction_id, found.outcome)
    return batch_id


def _instruction(connection: Connection, tenant: str, instruction_id: UUID | None) -> Any:  # noqa: ANN401 - a row
    row = connection.exec_driver_sql(
        "select i.id, i.batch_id, i.amount_fen from instruction i "
        "join batch b on b.tenant = i.tenant and b.id = i.batch_id and b.instructed_at is not null "
        "where i.tenant = %s and i.id = %s",
        (tenant, instruction_id),
    ).one_or_none()
    if row is None:
        raise not_found("拨付指令", "instruction")
    return row


def _require_outcome(connection: Connection, tenant: str, instruction_id: UUID, outcome: str) -> None:
    """Only what nothing is decided of was paid, and only what was paid comes back, each once (I9)."""
    known = set(
        connection.exec_driver_sql(
            "select outcome from instruction_outcome where tenant = %s and instruction_id = %s "
            "and outcome <> 'accepted'",
            (tenant, instruction_id),
        ).scalars()
    )
    if known != (set() if outcome == PAID else {PAID}):
        raise Conflict(
            "suspense.outcome",
            "该指令的结果已定，或尚未支付，不能归属这笔款项。",
            "The instruction's outcome is decided, or it was never paid: this movement cannot be its.",
        )


def _book(connection: Connection, tenant: str, found: Resolution, at: datetime, sealer: Sealer) -> None:
    """Take the parts out of suspense, and book what they were."""
    other = ledger.UNRELATED if found.kind == UNRELATED else ledger.BANK
    transfers = []
    for part in found.parts:
        sides = (ledger.SUSPENSE, other) if part.kind == DEBIT else (other, ledger.SUSPENSE)
        transfers.append(ledger.posted(*sides, part.amount, f"part {part.part}", found.id))
    codes = {ledger.SUSPENSE: False, other: False}
    if found.charge:
        transfers.append(ledger.posted(ledger.BANK, ledger.CHARGES, found.charge, "charge", found.id))
        codes[ledger.CHARGES] = False
    ledger.open_accounts(connection, tenant, codes)
    ledger.append(connection, tenant, transfers, at)
    if found.instruction_id is not None and found.outcome is not None:
        outcome = Outcome(found.instruction_id, found.outcome, found.amount, None)
        book(connection, tenant, [outcome], sealer, at, resolution_id=found.id)


def _details(found: Resolution) -> dict[str, Json]:
    """What the chain says of an explanation."""
    order: dict[str, Json] = {
        "order": str(found.order_id), "order_tenant": found.order_tenant, "charge": str(found.charge),
    }  # fmt: skip
    return (order if found.order_id is not None else {}) | {
        "kind": found.kind,
        "instruction": None if found.instruction_id is None else str(found.instruction_id),
        "outcome": found.outcome,
        "amount": str(found.amount),
        "parts": [part.json() for part in found.parts],
    }


def _one_at_a_time(connection: Connection, tenant: str) -> None:
    """Explanations and imports of one tenant wait for each other."""
    connection.exec_driver_sql("select 1 from payout_account where tenant = %s for no key update", (tenant,))


def _amounts(expected: Money, found: Money) -> Conflict:
    return Conflict(
        "suspense.amount",
        f"金额不符：应为 {expected:,} 元，所选款项合计 {found:,} 元；差额须先查明。",
        f"The amounts differ: {expected:,} yuan are wanted, the movements come to {found:,}.",
    )


def _faulty(pointer: str, code: str, zh: str, en: str) -> Invalid:
    return Invalid("input.invalid", zh, en, errors=(FieldError(pointer, code, Text(zh, en)),))
