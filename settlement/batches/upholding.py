"""Upholding an objection (异议成立): one person says what becomes of the item on hold, another decides.

``withdrawn``: nothing of it is paid; ``lowered``: less of it is, by another obligation; ``returned``: a payment that
was issued again is back with what came back, so that its account is corrected anew. What each means for a kind of item
is in ``clearing.claims.upheld``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.held_items import HeldItem, lock_held, resolve
from settlement.second_person import APPROVE, require_second_person
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, FieldError, Invalid, Text
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import insert_rows

WITHDRAWN: Final = "withdrawn"
LOWERED: Final = "lowered"
RETURNED: Final = "returned"
ENDS: Final = {
    "matching": (WITHDRAWN, LOWERED),
    "incentive": (WITHDRAWN, LOWERED),
    "reissue": (WITHDRAWN, RETURNED),
    "home_region": (),
}
"""What an upheld objection may lead to, by the kind of the item."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one person found: how the item is to end, what is still paid of it, and why."""

    outcome: str
    keeps: Money
    reason: str


@dataclass(frozen=True, slots=True)
class Upholding:
    """A finding as it was proposed."""

    id: UUID
    objection_id: UUID
    obligation_id: UUID
    outcome: str
    keeps: Money
    reason: str
    proposed_by: str
    proposed_at: datetime

    def json(self) -> dict[str, Json]:
        """The finding in the form of the API."""
        return {
            "id": str(self.id),
            "obligation_id": str(self.obligation_id),
            "outcome": self.outcome,
            "keeps": str(self.keeps),
            "reason": self.reason,
            "proposed_by": self.proposed_by,
            "proposed_at": plain(self.proposed_at),
        }


End = Callable[[HeldItem, Upholding], UUID | None]
"""What ends an item as it was found, and answers the obligation that is owed instead."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the second person says, who it is and when."""

    outcome: str
    reason: str | None
    actor: str
    at: datetime


def propose(
    connection: Connection, tenant: str, obligation_id: UUID, finding: Finding, actor: str, at: datetime
) -> Upholding:
    """Propose to uphold the objection to an item on hold.

    Raises:
        NotFound, Conflict: as :func:`settlement.batches.held_items.lock_held`; ``item.other_region``: the funding
            region decides; ``upholding.open``: somebody proposed it already.
        Invalid: no such end for the kind of item, or no amount below what is owed.
    """
    item = lock_held(connection, tenant, obligation_id)
    _require_end(item, finding)
    if find_open(connection, tenant, item.objection_id) is not None:
        raise Conflict(
            "upholding.open",
            "该笔已有一项认定待另一人决定。",
            "There is a finding already, which waits for another person's decision.",
        )
    made = Upholding(
        new_id(), item.objection_id, obligation_id, finding.outcome, finding.keeps, finding.reason, actor, at
    )
    insert_rows(
        connection,
        "objection_upholding",
        (
            "tenant", "id", "objection_id", "obligation_id", "outcome", "keeps_fen", "reason", "proposed_by",
            "proposed_at",
        ),
        [
            (
                tenant, made.id, made.objection_id, obligation_id, made.outcome, made.keeps.fen, made.reason, actor, at,
            )
        ],
    )  # fmt: skip
    change = Change(
        tenant, actor, "item.upholding_proposed", obligation_id, "on_hold", "on_hold", made.reason, _details(item, made)
    )
    record(connection, [change], at)
    return made


def find_open(connection: Connection, tenant: str, objection_id: UUID) -> Upholding | None:
    """The finding on the objection that nobody has decided on, where there is one."""
    row = connection.exec_driver_sql(f"{_SELECT} and u.objection_id = %s", (tenant, objection_id)).one_or_none()
    if row is None:
        return None
    return Upholding(
        row.id, row.objection_id, row.obligation_id, row.outcome, Money(row.keeps_fen), row.reason, row.proposed_by,
        row.proposed_at,
    )  # fmt: skip


def decide(connection: Connection, tenant: str, obligation_id: UUID, said: Said, end: End) -> Upholding:
    """Decide on the open finding; where it is approved, ``end`` ends the item, and answers what is owed instead.

    Raises:
        NotFound, Conflict: as :func:`settlement.batches.held_items.lock_held`; ``upholding.none``: nothing is proposed.
        Forbidden: ``upholding.four_eyes``: who proposed it does not decide.
        Invalid: ``upholding.reason``: a refusal says why.
    """
    item = lock_held(connection, tenant, obligation_id)
    found = find_open(connection, tenant, item.objection_id)
    if found is None:
        raise Conflict(
            "upholding.none", "该笔没有待决定的认定，请先提出。", "Nothing is proposed for the item; propose it first."
        )
    words = Text("须由提出人以外的另一人决定。", "Somebody else than who proposed it has to decide.")
    require_second_person("upholding", words, found.proposed_by, said.actor, said.outcome, said.reason)
    instead = None
    if said.outcome == APPROVE:
        connection.exec_driver_sql(
            "update obligation set held_at = null where tenant = %s and id = %s", (tenant, obligation_id)
        )
        instead = end(item, found)
    insert_rows(
        connection,
        "objection_upholding_decision",
        (
            "tenant", "upholding_id", "objection_id", "obligation_id", "proposed_by", "outcome", "reason", "instead_id",
            "decided_by", "decided_at",
        ),
        [
            (
                tenant, found.id, found.objection_id, obligation_id, found.proposed_by, said.outcome, said.reason,
                instead, said.actor, said.at,
            )
        ],
    )  # fmt: skip
    details = _details(item, found) | {"instead": plain(instead), "said": said.reason}
    action, after = ("item.upheld", found.outcome) if said.outcome == APPROVE else ("item.upholding_refused", "on_hold")
    if said.outcome == APPROVE:
        resolve(connection, tenant, item, found.reason, said.actor, said.at, upholding_id=found.id)
    change = Change(tenant, said.actor, action, obligation_id, "on_hold", after, found.reason, details)
    record(connection, [change], said.at)
    return found


def _details(item: HeldItem, made: Upholding) -> dict[str, Json]:
    return {
        "claim_no": item.claim_no, "objection": str(made.objection_id), "upholding": str(made.id),
        "outcome": made.outcome, "keeps": str(made.keeps),
    }  # fmt: skip


def _require_end(item: HeldItem, finding: Finding) -> None:
    possible = ENDS[item.kind]
    if not possible:
        raise Conflict(
            "item.other_region",
            "该笔由本区域代垫，核定属于出资区域：请恢复拨付，由出资区域追回。",
            "It is paid for another region, whose award it is: let it be paid, and that region claws it back.",
        )
    if finding.outcome not in possible:
        listed = "、".join(possible)
        said = Text(f"该类款项只能：{listed}。", f"For this kind of item only: {', '.join(possible)}.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/outcome", "upholding.outcome", said),))
    lowered = finding.outcome == LOWERED
    if (finding.keeps > ZERO) != lowered or finding.keeps >= item.amount:
        said = Text(
            f"仅核减时填写仍拨付的金额，须大于零且低于 {item.amount:,} 元。",
            f"Only where it is lowered: what is still paid, above zero and below {item.amount:,}.",
        )
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/keeps", "upholding.keeps", said),))


_SELECT: Final = (
    "select u.id, u.objection_id, u.obligation_id, u.outcome, u.keeps_fen, u.reason, u.proposed_by, u.proposed_at "
    "from objection_upholding u where u.tenant = %s and not exists (select 1 from objection_upholding_decision d "
    "where d.tenant = u.tenant and d.upholding_id = u.id)"
)
