"""Deciding a suspected duplicate: what one side's tenant decides, decides the other side in the same transaction.

A tenant gives up its own side or finds two different spendings; it never refuses another tenant's claim.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from clearing.claims import registry
from clearing.claims.freezing import SUSPECTED_CODE, Suspicion, freeze, is_sealed
from clearing.claims.records import ClaimRow, holds_of, lock_claims
from clearing.claims.review import Resolved, Reviewer, decide_hold
from clearing.claims.suspicions import (
    EARLIER,
    LATER,
    OTHER_SIDE,
    RESOLVED,
    SIMILAR,
    CaseRow,
    Side,
    case_changes,
    close_waiting,
    find_case,
    lock_case,
    open_cases,
    resolved,
    write_owner,
    write_resolution,
)
from settlement import ledger
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work, reach
from tenants.kernel.errors import Conflict, Forbidden, not_found

OUTCOMES: Final = ("distinct", "later_stands", "earlier_stands")
SET_ASIDE: Final = "support_record.set_aside"
ASSIGNED: Final = "case.assigned"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody decides: that there are two spendings, or which side stands; and why."""

    outcome: str
    reason: str

    @property
    def refused(self) -> str | None:
        """The side that does not stand, if any."""
        return {"later_stands": EARLIER, "earlier_stands": LATER}.get(self.outcome)


def assign(work: Work, actor: str, tenants: Iterable[str], case_id: UUID, owner: str | None) -> CaseRow:
    """Say who of the own tenant decides the case; ``None`` gives it back. Every own side is assigned.

    Raises:
        NotFound: no side of such a case is the tenants'.
        Conflict: it is decided.
    """
    row = _own(lock_case(work, case_id), tenants)
    _refuse_decided(row)
    reach(work, row.tenants)
    own = row.sides_of(tenants)
    row = replace(
        row,
        later_owner=owner if LATER in own else row.later_owner,
        earlier_owner=owner if EARLIER in own else row.earlier_owner,
    )
    write_owner(work.connection, row)
    record(work.connection, case_changes(row, ASSIGNED, actor, _acting(row, tenants)), work.at)
    return row


def resolve(work: Work, reviewer: Reviewer, tenants: Iterable[str], case_id: UUID, verdict: Verdict) -> CaseRow:
    """Decide the case for both sides: who is refused is refused, who stands and waited for this goes on.

    Raises:
        NotFound: no side of such a case is the tenants'.
        Forbidden: the refused side is another tenant's.
        Conflict: the case is decided, or what a side would go on with is still held elsewhere.
    """
    allowed = frozenset(tenants)
    row = _own(find_case(work.connection, case_id), allowed)
    _refuse_decided(row)
    if verdict.refused is not None and row.side(verdict.refused).tenant not in allowed:
        raise Forbidden(
            "case.other_side_decides",
            "只能放弃本区域的一方；对方的申请由对方区域决定。",
            "Only the own side can be given up; the other region decides about its own claim.",
        )
    reach(work, row.tenants, every_platform=True)
    claims, row = _locked(work, row)
    _refuse_decided(row)
    which = next(one for one in row.sides_of(allowed) if verdict.refused in {None, one})
    decided = resolved(row, work.at, reviewer.actor, which, verdict.outcome, verdict.reason)
    write_resolution(work.connection, decided)
    changes = case_changes(decided, RESOLVED, reviewer.actor, _acting(row, allowed))
    order = [verdict.refused] if verdict.refused is not None else []
    for one in [*order, *(side for side in (LATER, EARLIER) if side not in order)]:
        side = row.side(one)
        hand = _Hand(work, reviewer if side.tenant in allowed else _unnamed(reviewer), row, verdict.reason)
        changes += hand.refuse(side, claims) if one == verdict.refused else hand.release(side, claims)
    record(work.connection, changes, work.at)
    return decided


def hold_own_side(work: Work, actor: str, tenants: Iterable[str], case_id: UUID, reason: str) -> CaseRow:
    """Freeze the own unpaid claim of a case that does not wait yet, until the case is decided.

    Raises:
        NotFound: no side of such a case is the tenants'.
        Conflict: the case is decided, or there is nothing to freeze: the side waits already, is paid, or is no claim.
    """
    row = _own(find_case(work.connection, case_id), tenants)
    _refuse_decided(row)
    if row.kind == SIMILAR:
        raise _nothing_to_hold()
    side = next((row.side(one) for one in row.sides_of(tenants) if one != row.waiting), None)
    claims = {} if side is None else {one.id: one for one in lock_claims(work.connection, [side.id])}
    row = lock_case(work, case_id)
    _refuse_decided(row)
    claim = None if side is None else claims.get(side.id)
    if side is None or claim is None or claim.state not in {"in_review", "approved"}:
        raise _nothing_to_hold()
    other = row.side(EARLIER if side.which == LATER else LATER)
    frozen = freeze(work, claim, Suspicion(SUSPECTED_CODE, reason, other.shown_to_others), actor)
    if frozen is None:
        raise _nothing_to_hold()
    record(work.connection, [frozen[1]], work.at)
    return row


@dataclass(frozen=True, slots=True)
class _Hand:
    """Carries the decision of one case out, on one side after the other."""

    work: Work
    reviewer: Reviewer
    case: CaseRow
    reason: str

    def refuse(self, side: Side, claims: dict[UUID, ClaimRow]) -> list[Change]:
        """Reject the side's unpaid claim, or let its support record block nothing any more; what is paid stays so."""
        if side.kind == "support":
            return self._set_aside(side)
        claim = claims.get(side.id)
        if claim is None or claim.state in {"rejected", "withdrawn", "clawed_back"} or is_sealed(self.work, claim):
            return []
        if claim.state == "needs_correction":
            raise Conflict(
                "case.claim_in_correction",
                "该申请正在补正，重新提交后再处理。",
                "The claim is being corrected; decide once it has been submitted again.",
            )
        other = self.case.side(EARLIER if side.which == LATER else LATER)
        changes: list[Change] = []
        if not self._codes(side, claim):
            suspicion = Suspicion(SUSPECTED_CODE, self.reason, other.shown_to_others)
            frozen = freeze(self.work, claim, suspicion, self.reviewer.actor)
            if frozen is None:
                raise RuntimeError("an unpaid claim that lives can be frozen")
            claim, change = frozen
            changes.append(change)
        code = self._codes(side, claim)[0]
        closed = close_waiting(self.work, claim.id, self.reviewer.actor, None, "other_stands", self.reason)
        return [*changes, *self._decide(claim, Resolved(code, "reject", self.reason)), *closed]

    def release(self, side: Side, claims: dict[UUID, ClaimRow]) -> list[Change]:
        """Clear what the side's claim waits for because of this case, unless another open case needs it too."""
        if side.kind == "support":
            registry.take_contended(self.work.connection, side.id)
            return []
        claim = claims.get(side.id)
        if claim is None or claim.state != "on_hold":
            return []
        waits_for = {case.code for case in open_cases(self.work.connection, claim.id) if _waits(case, claim.id)}
        changes: list[Change] = []
        for code in self._codes(side, claim):
            if code not in waits_for:
                changes += self._decide(claim, Resolved(code, "clear", self.reason))
        return changes

    def _codes(self, side: Side, claim: ClaimRow) -> list[str]:
        """The codes of the claim's open holds that are this case's."""
        of_case = {SUSPECTED_CODE} if side.which != self.case.waiting else {self.case.code}
        holds = holds_of(self.work.connection, [claim.id])
        return [hold.code for hold in holds if hold.resolved_at is None and hold.code in of_case][:1]

    def _decide(self, claim: ClaimRow, decided: Resolved) -> list[Change]:
        holds = holds_of(self.work.connection, [claim.id])
        hold = next(one for one in holds if one.resolved_at is None and one.code == decided.code)
        return [decide_hold(self.work, self.reviewer, claim, hold, decided)[1]]

    def _set_aside(self, side: Side) -> list[Change]:
        registry.release(self.work.connection, [side.id])
        return [
            Change(
                tenant=side.tenant,
                actor=self.reviewer.actor,
                action=SET_ASIDE,
                subject_id=side.id,
                from_state="live",
                to_state="set_aside",
                reason=self.reason,
            )
        ]


def _locked(work: Work, row: CaseRow) -> tuple[dict[UUID, ClaimRow], CaseRow]:
    """Lock everything that the decision may touch, in the order of the house: claims, caps, keys; and the case."""
    sides = (row.side(LATER), row.side(EARLIER))
    claims = {one.id: one for one in lock_claims(work.connection, [side.id for side in sides])}
    locked = lock_case(work, row.id)
    for tenant in sorted(row.tenants):
        ledger.lock_caps(work.connection, tenant, [one.id for one in claims.values() if one.tenant == tenant])
    registry.lock_keys_of(work.connection, [side.id for side in sides])
    return claims, locked


def _waits(case: CaseRow, claim_id: UUID) -> bool:
    return case.side(case.waiting).id == claim_id


def _own(row: CaseRow, tenants: Iterable[str]) -> CaseRow:
    if not row.sides_of(tenants):
        raise not_found("疑似重复", "case")
    return row


def _acting(row: CaseRow, tenants: Iterable[str]) -> frozenset[str]:
    return row.tenants & frozenset(tenants)


def _unnamed(reviewer: Reviewer) -> Reviewer:
    """The reviewer in the records of a tenant that does not learn who that was."""
    return replace(reviewer, actor=OTHER_SIDE, person=None)


def _refuse_decided(row: CaseRow) -> None:
    if row.resolved_at is not None:
        raise Conflict("case.resolved", "该疑似重复已处理。", "This case has been decided.")


def _nothing_to_hold() -> Conflict:
    return Conflict(
        "case.nothing_to_hold",
        "本方没有可以暂停的申请。",
        "There is no unpaid claim of the own side that could be frozen.",
    )
