"""The register of suspected duplicates (疑似重复): one row a pair of holders, seen from both sides, decided once.

``hold``: a claim met a live key and waits; ``collision``: what is stated to be paid elsewhere met a claim that was here
before, which waits if it is unpaid; ``red_letter``: an invoice was cancelled after it was paid on, and nobody waits;
``similar``: a claim is much like an earlier one and waits if it is unpaid, see ``clearing.likeness``.
Of the other side a tenant learns platform, month and reference, and nothing else.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.records import HoldRow
from clearing.claims.registry import Holder, Locked
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, reach
from tenants.kernel.errors import not_found
from tenants.kernel.ids import new_id
from tenants.kernel.statements import Write

HOLD: Final = "hold"
COLLISION: Final = "collision"
RED_LETTER_CASE: Final = "red_letter"
SIMILAR: Final = "similar"
RED_LETTER_CODE: Final = "duplicate.red_letter"
COLLISION_CODE: Final = "duplicate.collision"
"""The code of the hold by which a collision freezes a claim."""
LATER: Final = "later"
EARLIER: Final = "earlier"
OTHER_STANDS: Final = "other_stands"
"""The side that does not wait stands."""
DUPLICATES: Final = "duplicate."
"""How the codes of suspected duplicates begin."""
CASE_DAYS: Final = 15
"""Days until a case should be decided."""
CASES_PER_HOLD: Final = 5
"""A spending in many hands is one suspicion, not one for each pair of them."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One row of ``duplicate_case``; the field names are the columns'."""

    id: UUID
    kind: str
    code: str
    opened_at: datetime
    due_on: date
    later_tenant: str
    later_kind: str
    later_id: UUID
    later_platform: str
    later_month: str
    later_owner: str | None
    earlier_tenant: str
    earlier_kind: str
    earlier_id: UUID
    earlier_platform: str
    earlier_month: str
    earlier_owner: str | None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolved_for: str | None = None
    outcome: str | None = None
    reason: str | None = None

    @property
    def tenants(self) -> frozenset[str]:
        """Whom the case concerns."""
        return frozenset({self.later_tenant, self.earlier_tenant})

    @property
    def waiting(self) -> str:
        """The side whose claim waits for the decision."""
        return LATER if self.kind in {HOLD, SIMILAR} else EARLIER

    def side(self, which: str) -> "Side":
        """One of the two sides."""
        return Side(which, *(getattr(self, f"{which}_{name}") for name in _SIDE))

    def sides_of(self, tenants: Iterable[str]) -> list[str]:
        """The sides that belong to any of the tenants, the later first."""
        known = set(tenants)
        return [which for which in (LATER, EARLIER) if self.side(which).tenant in known]


_SIDE: Final = ("tenant", "kind", "id", "platform", "month", "owner")


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a case: a claim or support record of a tenant, and who there has taken the case on."""

    which: str
    tenant: str
    kind: str
    id: UUID
    platform: str
    month: str
    owner: str | None

    @property
    def shown_to_others(self) -> dict[str, Json]:
        """All that the other side may learn of this one."""
        return {"platform": self.platform, "month": self.month, "reference": str(self.id)}


COLUMNS: Final = tuple(field.name for field in fields(CaseRow))
_LIST: Final = ", ".join(COLUMNS)


def opened(kind: str, code: str, later: Holder | Side, earlier: Holder | Side, at: datetime) -> CaseRow:
    """A case between two holders."""
    due_on, sides = shanghai_day(at) + timedelta(days=CASE_DAYS), list[Any]()
    for one in (later, earlier):
        holder_id = one.id if isinstance(one, Side) else one.holder_id
        sides += [one.tenant, one.kind, holder_id, one.platform, one.month, None]
    return CaseRow(new_id(), kind, code, at, due_on, *sides)


def hold_cases(work: Work, actor: str, opened_now: Iterable[HoldRow], locked: Locked) -> tuple[Write, list[Change]]:
    """The cases that those of the holds open that suspect a duplicate, with those who hold the claims' keys already.

    Raises:
        StartAgainError: one of those is another tenant's, see :func:`tenants.kernel.database.reach`.
    """
    holds = [hold for hold in opened_now if hold.code.startswith(DUPLICATES)]
    holders = locked.holders() if holds else {}
    rows = []
    for hold in holds:
        met = [holders[UUID(side["reference"])] for side in json.loads(hold.detail)["other_side"]]
        rows += [opened(HOLD, hold.code, holders[hold.claim_id], other, work.at) for other in met[:CASES_PER_HOLD]]
    reach(work, {tenant for row in rows for tenant in row.tenants})
    return case_write(rows), [
        change for row in rows for change in case_changes(row, OPENED, actor, frozenset({row.later_tenant}))
    ]


def case_write(rows: Sequence[CaseRow]) -> Write:
    """New cases as rows to be written."""
    return Write("duplicate_case", COLUMNS, [tuple(getattr(row, name) for name in COLUMNS) for row in rows])


def case_changes(row: CaseRow, action: str, actor: str, acting: frozenset[str]) -> list[Change]:
    """The act as each side's chain tells it: who did it, and why, only in those of ``acting``, whose side that is."""
    return [
        Change(
            tenant=tenant,
            actor=actor if tenant in acting else OTHER_SIDE,
            action=action,
            subject_id=row.id,
            from_state=None if action == OPENED else "open",
            to_state="open" if row.resolved_at is None else "resolved",
            reason=row.reason if tenant in acting else None,
            details=_details(row, tenant),
        )
        for tenant in sorted(row.tenants)
    ]


OPENED: Final = "case.opened"
RESOLVED: Final = "case.resolved"
OTHER_SIDE: Final = "other-side"
"""Who acted, in the chain of a tenant that does not learn who that was."""


def _details(row: CaseRow, tenant: str) -> dict[str, Json]:
    """What the tenant's chain says of the case: its own side whole, the other as far as it may be known."""
    sides: dict[str, Json] = {}
    for which in (LATER, EARLIER):
        side = row.side(which)
        own: dict[str, Json] = {"kind": side.kind, "owner": side.owner} if side.tenant == tenant else {}
        sides[which] = {**side.shown_to_others, **own}
    told = {"resolved_for": row.resolved_for, "outcome": row.outcome} if row.resolved_at is not None else {}
    return {"kind": row.kind, "code": row.code, "due_on": plain(row.due_on), **sides, **told}


def lock_case(work: Work, case_id: UUID) -> CaseRow:
    """The case, locked.

    Raises:
        NotFound: there is none, or none of its sides belongs to the bound tenants.
    """
    rows = work.connection.exec_driver_sql(
        f"select {_LIST} from duplicate_case where id = %s for no key update",  # noqa: S608 - our own columns
        (case_id,),
    ).all()
    if not rows:
        raise not_found("疑似重复", "case")
    return CaseRow(*rows[0])


def find_case(connection: Connection, case_id: UUID) -> CaseRow:
    """The case as it is.

    Raises:
        NotFound: as for :func:`lock_case`.
    """
    rows = connection.exec_driver_sql(f"select {_LIST} from duplicate_case where id = %s", (case_id,)).all()  # noqa: S608 - our own columns
    if not rows:
        raise not_found("疑似重复", "case")
    return CaseRow(*rows[0])


def open_cases(connection: Connection, holder_id: UUID) -> list[CaseRow]:
    """The open cases of a claim or support record, locked in their order."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from duplicate_case where resolved_at is null and id in ("  # noqa: S608 - our own columns
        "select id from duplicate_case where later_id = %s and resolved_at is null union all "
        "select id from duplicate_case where earlier_id = %s and resolved_at is null) order by id for no key update",
        (holder_id, holder_id),
    )
    return [CaseRow(*row) for row in rows]


def close_waiting(
    work: Work,
    claim_id: UUID,
    actor: str,
    code: str | None,
    outcome: str,
    reason: str | None,
    others: frozenset[UUID] | None = None,
) -> list[Change]:
    """Decide the open cases in which the locked claim waits, those of one code or all; the changes are to be recorded.

    ``others``: only those whose other side is among these.

    Raises:
        StartAgainError: another tenant is concerned, see :func:`tenants.kernel.database.reach`.
    """
    changes: list[Change] = []
    cases = [row for row in open_cases(work.connection, claim_id) if row.side(row.waiting).id == claim_id]
    cases = [row for row in cases if code in {None, row.code}]
    cases = [
        row for row in cases if others is None or row.side(EARLIER if row.waiting == LATER else LATER).id in others
    ]
    reach(work, {tenant for row in cases for tenant in row.tenants})
    for row in cases:
        said = outcome if outcome != OTHER_STANDS else f"{EARLIER if row.waiting == LATER else LATER}_stands"
        decided = resolved(row, work.at, actor, row.waiting, said, reason)
        write_resolution(work.connection, decided)
        changes += case_changes(decided, RESOLVED, actor, frozenset({row.side(row.waiting).tenant}))
    return changes


def write_owner(connection: Connection, row: CaseRow) -> None:
    """Store who has taken the case on, on both sides."""
    connection.exec_driver_sql(
        "update duplicate_case set later_owner = %s, earlier_owner = %s where id = %s",
        (row.later_owner, row.earlier_owner, row.id),
    )


def write_resolution(connection: Connection, row: CaseRow) -> None:
    """Store how the case was decided."""
    connection.exec_driver_sql(
        "update duplicate_case set resolved_at = %s, resolved_by = %s, resolved_for = %s, outcome = %s, reason = %s "
        "where id = %s",
        (row.resolved_at, row.resolved_by, row.resolved_for, row.outcome, row.reason, row.id),
    )


def resolved(row: CaseRow, at: datetime, actor: str, which: str, outcome: str, reason: str | None) -> CaseRow:
    """The case, decided by the side's tenant."""
    return replace(row, resolved_at=at, resolved_by=actor, resolved_for=which, outcome=outcome, reason=reason)


def case_json(row: CaseRow, tenants: Iterable[str], today: date) -> dict[str, Json]:
    """The case as one of the tenants may see it; where both sides are theirs, from the later one."""
    which = row.sides_of(tenants)[0]
    own, other = row.side(which), row.side(EARLIER if which == LATER else LATER)
    decided_here = row.resolved_for is not None and row.side(row.resolved_for).tenant == own.tenant
    return {
        "id": str(row.id),
        "kind": row.kind,
        "code": row.code,
        "state": "resolved" if row.resolved_at is not None else "open" if own.owner is None else "assigned",
        "opened_at": plain(row.opened_at),
        "due_on": plain(row.due_on),
        "overdue": row.resolved_at is None and row.due_on < today,
        "tenant": own.tenant,
        "side": own.which,
        "waits": row.waiting == own.which,
        "subject": {"kind": own.kind, "id": str(own.id), "platform": own.platform, "month": own.month},
        "owner": own.owner,
        "other_side": other.shown_to_others,
        "resolved_at": plain(row.resolved_at),
        "resolved_by": row.resolved_by if decided_here else None,
        "decided_here": None if row.resolved_for is None else decided_here,
        "outcome": row.outcome,
        "reason": row.reason if decided_here else None,
    }
