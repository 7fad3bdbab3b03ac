"""What a pair does: it holds the later claim until a person decides; one that is past a hold is an audit case.

A near duplicate never refuses a claim and frees nothing: quota, budget and registry keys stay as they were.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearing.claims.deciding import Verdict, resolve
from clearing.claims.freezing import Suspicion, freeze
from clearing.claims.records import ClaimRow, holds_of, lock_claim
from clearing.claims.review import Reviewer, resolve_hold
from clearing.claims.suspicions import (
    EARLIER,
    LATER,
    OPENED,
    OTHER_STANDS,
    SIMILAR,
    CaseRow,
    case_changes,
    case_write,
    close_waiting,
    find_case,
    opened,
)
from clearing.claims.suspicions import Side as CaseSide
from clearing.likeness.lines import explained
from clearing.likeness.pairs import CODE, DECIDED, FOUND, PairRow, PairView, add_pair, known_pairs, view_pair
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work, reach
from tenants.kernel.errors import Conflict, Forbidden
from tenants.kernel.ids import new_id
from tenants.kernel.statements import write_all

REASON: Final = "much like an earlier claim"
OUTCOMES: Final = {"dismiss": "clear", "confirm": "reject"}
"""What a person may decide, and what it is to the hold."""
_PAST: Final = {"dismiss": "dismissed", "confirm": "confirmed"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two claims."""

    tenant: str
    claim_id: UUID
    claim_no: str
    platform: str
    month: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Match:
    """Two claims that look alike, by their likeliest lines; likelihood in parts of a million."""

    later: Side
    later_position: int
    earlier: Side
    earlier_position: int
    parts: int
    levels: tuple[int, ...]
    model_sha256: str


def hold_later(work: Work, match: Match, actor: str) -> str | None:
    """Hold the later claim for the match, wherever it stands before the seal of its batch; later it is an audit case.

    Answers ``hold``, ``case``, or ``None`` where the claim has ended or the pair is known. Runs within the later
    claim's tenant and the earlier's, in whose registers the case stands; the other claim is not read again.
    """
    reach(work, {match.later.tenant, match.earlier.tenant})
    row = lock_claim(work.connection, match.later.claim_id)
    if known_pairs(work.connection, [row.id]) & {_key(match)}:
        return None
    frozen = freeze(work, row, Suspicion(CODE, REASON, _other_side(match)), actor)
    if frozen is None and row.state != "approved":
        return None
    held, changes = (row, []) if frozen is None else (frozen[0], [frozen[1]])
    pair = _pair(work, match, None if frozen is None else _newest_hold(work, held))
    add_pair(work.connection, pair)
    case = opened(SIMILAR, CODE, _holder(match.later, LATER), _holder(match.earlier, EARLIER), work.at)
    write_all(work.connection, [case_write([case])])
    told = case_changes(case, OPENED, actor, frozenset({case.later_tenant}))
    record(work.connection, [*changes, _change(held, pair, actor), *told], work.at)
    return "case" if frozen is None else "hold"


def _holder(side: Side, which: str) -> CaseSide:
    return CaseSide(which, side.tenant, "claim", side.claim_id, side.platform, side.month, None)


def _newest_hold(work: Work, row: ClaimRow) -> UUID:
    holds = [hold for hold in holds_of(work.connection, [row.id]) if hold.code == CODE and hold.resolved_at is None]
    return max(hold.id for hold in holds)


def _other_side(match: Match) -> dict[str, Json]:
    side = match.earlier
    return {"platform": side.platform, "month": side.month, "reference": str(side.claim_id)}


def _key(match: Match) -> tuple[UUID, UUID]:
    return match.later.claim_id, match.earlier.claim_id


def _pair(work: Work, match: Match, hold_id: UUID | None) -> PairRow:
    """The row; of another tenant's claim it keeps the platform, the month and the reference alone."""
    own = match.earlier.tenant == match.later.tenant
    return PairRow(
        tenant=match.later.tenant,
        id=new_id(),
        claim_id=match.later.claim_id,
        place=f"/invoices/{match.later_position}",
        other_reference=match.earlier.claim_id,
        other_platform=match.earlier.platform,
        other_month=match.earlier.month,
        other_place=f"/invoices/{match.earlier_position}" if own else None,
        probability_parts=match.parts if own else None,
        fields=explained(match.levels) if own else None,
        model_sha256=match.model_sha256,
        hold_id=hold_id,
        found_at=work.at,
    )


def _change(row: ClaimRow, pair: PairRow, actor: str) -> Change:
    """The pair as the chain tells it; what it did to the claim, the claim's own entry tells."""
    return Change(
        tenant=row.tenant,
        actor=actor,
        action=FOUND,
        subject_id=row.id,
        from_state=row.state,
        to_state=row.state,
        details={"claim_no": row.claim_no, "pair": str(pair.id), "pair_sha256": pair.digest()},
    )


def decide_pair(work: Work, reviewer: Reviewer, pair_id: UUID, outcome: str, reason: str) -> PairView:
    """Dismiss the pair, which never comes back, or confirm it: its hold is cleared, or its claim refused by the person.

    Raises:
        NotFound: there is no such pair.
        Conflict: it is decided.
    """
    pair = view_pair(work.connection, pair_id)
    if pair.state != "open":
        raise Conflict("similar_pair.decided", "该疑似重复已处理。", "This pair has been decided.")
    if pair.row.hold_id is not None:
        resolve_hold(work, reviewer, pair.row.claim_id, pair.row.hold_id, OUTCOMES[outcome], reason)
        return view_pair(work.connection, pair_id)
    row = lock_claim(work.connection, pair.row.claim_id)
    said = {"dismiss": "distinct", "confirm": OTHER_STANDS}[outcome]
    others = frozenset({pair.row.other_reference})
    closed = close_waiting(work, row.id, reviewer.actor, CODE, said, reason, others)
    done = work.connection.exec_driver_sql(
        "update similar_pair set resolved_at = %s, resolved_by = %s, outcome = %s, reason = %s "
        "where tenant = %s and id = %s and outcome is null",
        (work.at, reviewer.actor, _PAST[outcome], reason, pair.row.tenant, pair_id),
    )
    if done.rowcount != 1:
        raise Conflict("similar_pair.decided", "该疑似重复已处理。", "This pair has been decided.")
    change = Change(
        tenant=row.tenant,
        actor=reviewer.actor,
        action=DECIDED,
        subject_id=row.id,
        from_state=row.state,
        to_state=row.state,
        reason=reason,
        details={"claim_no": row.claim_no, "pair": str(pair_id), "outcome": _PAST[outcome]},
    )
    record(work.connection, [change, *closed], work.at)
    return view_pair(work.connection, pair_id)


def resolve_case(work: Work, reviewer: Reviewer, tenants: Iterable[str], case_id: UUID, verdict: Verdict) -> CaseRow:
    """Decide a case of the register; that of two claims that look alike by its pair, whose other face it is.

    Raises:
        NotFound, Forbidden, Conflict: as for :func:`clearing.claims.deciding.resolve`; ``case.earlier_is_no_copy``.
    """
    row = find_case(work.connection, case_id)
    allowed = frozenset(tenants)
    if row.kind != SIMILAR or not row.sides_of(allowed) or row.resolved_at is not None:
        return resolve(work, reviewer, allowed, case_id, verdict)
    if verdict.outcome == "later_stands":
        raise Conflict(
            "case.earlier_is_no_copy",
            "近似重复只能认定为两笔支出，或认定后到的一方为重复；先到的一方不由此处理。",
            "Of two claims that look alike the later one is a duplicate, or they are two spendings.",
        )
    if row.later_tenant not in allowed:
        raise Forbidden(
            "case.other_side_decides",
            "后到的申请由对方区域决定。",
            "The other region decides about its own, later claim.",
        )
    pair_id = work.connection.exec_driver_sql(
        "select id from similar_pair where tenant = %s and claim_id = %s and other_reference = %s",
        (row.later_tenant, row.later_id, row.earlier_id),
    ).scalar_one()
    decide_pair(work, reviewer, pair_id, "dismiss" if verdict.refused is None else "confirm", verdict.reason)
    return find_case(work.connection, case_id)
