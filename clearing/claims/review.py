"""What people and platforms decide about a claim: reviews (审核), holds, withdrawal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearing.claims import registry
from clearing.claims.approval import claim_notice, end_reserved, free, settle
from clearing.claims.districts import refuse_outside
from clearing.claims.freezing import SIMILAR_CODE
from clearing.claims.interests import refuse_interested, refuse_submitter
from clearing.claims.lowered import lowered_matching
from clearing.claims.quota import Accounts
from clearing.claims.records import ClaimRow, ClaimView, HoldRow, holds_of, lock_claim, view_claim, write_claims
from clearing.claims.review_chain import chain_of
from clearing.claims.suspicions import OTHER_STANDS, close_waiting
from clearing.claims.vault import Vault
from settlement import ledger
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Text, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows
from tenants.policy import Policy
from tenants.policy_store import approved_policies

OUTCOMES: Final = ("approve", "reject", "correct")
RESOLUTIONS: Final = ("clear", "reject")
WITHDRAWABLE: Final = frozenset({"needs_correction", "on_hold", "in_review", "approved"})
NEVER_CLEARED: Final[Mapping[str, Text]] = {
    "policy.incomplete": Text(
        "政策尚缺数值，启用补全的政策版本后将自动核定。",
        "The policy lacks a value; the claim is assessed when a version that sets it is activated.",
    ),
    "award.pro_rata": Text(
        "预算在年度分配时按比例分给全部申请，分配后自动核定。",
        "The year's budget is divided among all its claims; the claim is assessed when that is done.",
    ),
    "award.budget": Text(
        "预算不足，申请在候补中，尚未核定金额；预算补足后重新核定，或予以驳回。",
        "The budget does not suffice, so nothing is granted; the claim is assessed again when there is money.",
    ),
}
"""Holds that no reviewer can clear, and what clears them instead."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who decides: the acting client or person, and the natural person where one is known."""

    actor: str
    person: str | None
    demonstration: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """One stage's decision; ``award`` only where it is lowered."""

    stage: str
    outcome: str
    award: Money | None
    reason: str | None


def review(work: Work, vault: Vault, reviewer: Reviewer, claim_id: UUID, decision: Decision) -> ClaimView:
    """Decide the claim's next stage.

    Raises:
        NotFound: there is no such claim.
        Conflict: the claim is not in review, or another stage is next.
        Invalid: the award is raised or nothing, or a reason is missing.
        Forbidden: the same person decided an earlier stage, submitted the claim, or has an interest in a party.
    """
    row = lock_claim(work.connection, claim_id)
    _refuse_wrong_stage(row, decision)
    award = _award(row, decision)
    _refuse_same_person(work, row, reviewer)
    refuse_interested(work, row.tenant, reviewer.person, (row.enterprise_uscc, row.provider_uscc))
    refuse_outside(work, row.tenant, reviewer.person, row.division)
    refuse_submitter(work, row, reviewer.person)
    policy = _policy_of(work, row, reviewer)
    decided = replace(_DECIDE[decision.outcome](work, policy, row), award_fen=award.fen, changed_at=work.at)
    if award.fen < row.award_fen and decided.state in {"in_review", "approved"}:
        decided = _lower(work, policy, row, decided)
    if decided.state == "rejected":
        decided = replace(decided, award_fen=0, matching_fen=0)
        free(work, row, f"rejected at {decision.stage}")
    elif decided.state == "needs_correction":
        decided = replace(decided, award_fen=0, matching_fen=0)
        end_reserved(work, row.tenant, [row.id], "void", "sent back for correction")
    write_claims(work.connection, [decided])
    _write_review(work, row, reviewer, decision, award)
    if decided.state == "approved":
        settle(work, vault, row.tenant, [row.id])
    action = f"claim.review.{decision.outcome}"
    changed = _changed(reviewer.actor, action, row, decided, decision.reason, decision.stage)
    record(work.connection, [changed], work.at)
    return view_claim(work.connection, row.id)


def resolve_hold(work: Work, reviewer: Reviewer, claim_id: UUID, hold_id: UUID, outcome: str, reason: str) -> ClaimView:
    """Clear one hold, or reject the claim for it; with the last hold cleared the claim goes to its first stage.

    The cases in which the claim waits for this decision are decided with it.

    Raises:
        NotFound: there is no such claim or hold.
        Conflict: the hold is resolved, cannot be cleared by hand, or what it guards is still taken elsewhere.
        Forbidden: the person has an interest in a party.
    """
    row = lock_claim(work.connection, claim_id)
    hold = next((one for one in holds_of(work.connection, [row.id]) if one.id == hold_id), None)
    if hold is None:
        raise not_found("挂起事项", "hold")
    decided = Resolved(hold.code, outcome, reason)
    met = decided.sides_met(hold)
    changes = close_waiting(work, row.id, reviewer.actor, decided.code_cleared, decided.case_outcome, reason, met)
    _, change = decide_hold(work, reviewer, row, hold, decided)
    record(work.connection, [change, *changes], work.at)
    return view_claim(work.connection, row.id)


@dataclass(frozen=True, slots=True)
class Resolved:
    """How a hold with this code is resolved: ``clear`` or ``reject``, and why."""

    code: str
    outcome: str
    reason: str

    @property
    def code_cleared(self) -> str | None:
        """The code whose cases are decided with it; ``None``: every case of the claim that ends with it."""
        return self.code if self.outcome == "clear" else None

    def sides_met(self, hold: HoldRow) -> frozenset[UUID] | None:
        """Of a claim that is like several earlier ones each pair is decided by itself; ``None``: whoever was met."""
        if self.code_cleared != SIMILAR_CODE:
            return None
        return frozenset(UUID(side["reference"]) for side in json.loads(hold.detail)["other_side"])

    @property
    def case_outcome(self) -> str:
        """What becomes of those cases: no duplicate, or the other side stands."""
        return "distinct" if self.outcome == "clear" else OTHER_STANDS


def decide_hold(
    work: Work, reviewer: Reviewer, row: ClaimRow, hold: HoldRow, decided: Resolved
) -> tuple[ClaimRow, Change]:
    """Decide one hold of a locked claim; the change is still to be recorded.

    Raises:
        Conflict, Forbidden: as for :func:`resolve_hold`.
    """
    refuse_interested(work, row.tenant, reviewer.person, (row.enterprise_uscc, row.provider_uscc))
    refuse_outside(work, row.tenant, reviewer.person, row.division)
    if hold.resolved_at is not None or row.state != "on_hold":
        raise Conflict("hold.resolved", "该挂起事项已处理。", "This hold has been resolved.")
    if decided.outcome == "clear" and hold.code in NEVER_CLEARED:
        raise Conflict("hold.not_clearable", NEVER_CLEARED[hold.code].zh, NEVER_CLEARED[hold.code].en)
    holds = holds_of(work.connection, [row.id])
    open_after = [one for one in holds if one.resolved_at is None and one.id != hold.id]
    _close_holds(work, row, [hold.id], decided.outcome, reviewer.actor, decided.reason)
    after = replace(row, changed_at=work.at)
    if decided.outcome == "reject":
        _close_holds(work, row, [one.id for one in open_after], "superseded", reviewer.actor, decided.reason)
        after = replace(after, state="rejected", next_stage=None, award_fen=0, matching_fen=0)
        free(work, row, "hold rejected")
    elif not open_after:
        after = _unhold(work, reviewer, row, after)
    write_claims(work.connection, [after])
    return after, _changed(reviewer.actor, f"hold.{decided.outcome}", row, after, decided.reason, hold.code)


def withdraw(work: Work, actor: str, claim_id: UUID, reason: str | None) -> ClaimView:
    """Withdraw the claim; quota, budget and keys are free at once.

    Raises:
        NotFound: there is no such claim.
        Conflict: it is in a batch, or ended already.
    """
    row = lock_claim(work.connection, claim_id)
    view = view_claim(work.connection, row.id)
    if view.state_now == "withdrawn":
        return view
    if view.state_now not in WITHDRAWABLE:
        raise Conflict(
            "claim.not_withdrawable",
            f"申请当前状态为 {view.state_now}，不能撤回。",
            f"The claim is {view.state_now} and cannot be withdrawn.",
        )
    changes = close_waiting(work, row.id, actor, None, "ended", reason)
    open_holds = [hold.id for hold in view.holds if hold.resolved_at is None]
    _close_holds(work, row, open_holds, "withdrawn", actor, reason or "withdrawn")
    free(work, row, "withdrawn")
    decided = replace(
        row, state="withdrawn", next_stage=None, award_fen=0, matching_fen=0, changed_at=work.at, correction_due_on=None
    )
    write_claims(work.connection, [decided])
    record(work.connection, [_changed(actor, "claim.withdrawn", row, decided, reason, None), *changes], work.at)
    return view_claim(work.connection, row.id)


def _refuse_wrong_stage(row: ClaimRow, decision: Decision) -> None:
    if row.state != "in_review":
        raise Conflict(
            "claim.state", f"申请当前状态为 {row.state}，不在审核中。", f"The claim is {row.state}, not in review."
        )
    if row.next_stage != decision.stage:
        raise Conflict(
            "review.stage", f"下一审核环节是 {row.next_stage}。", f"The next stage of review is {row.next_stage}."
        )


def _award(row: ClaimRow, decision: Decision) -> Money:
    """The award that the decision leaves; only ever lowered, and then with a reason."""
    award = Money(row.award_fen) if decision.award is None or decision.outcome != "approve" else decision.award
    faults = []
    if award.fen > row.award_fen:
        faults.append(FieldError("/award", "award.raised", Text("核定金额只能调低。", "An award may only be lowered.")))
    if award.fen == 0:
        said = Text("核定金额须大于零；不予支持请驳回。", "An award is above zero; reject the claim instead.")
        faults.append(FieldError("/award", "award.nothing", said))
    if not decision.reason and (decision.outcome != "approve" or award.fen != row.award_fen):
        faults.append(FieldError("/reason", "reason.missing", Text("请填写理由。", "A reason is needed.")))
    if faults:
        raise Invalid("review.invalid", "审核内容有误。", "The review has faults.", errors=tuple(faults))
    return award


def _refuse_same_person(work: Work, row: ClaimRow, reviewer: Reviewer) -> None:
    """One natural person never decides two stages of one revision; platforms' machine clients are no persons."""
    if reviewer.person is None:
        return
    before = work.connection.exec_driver_sql(
        "select 1 from review where tenant = %s and claim_id = %s and revision = %s and person = %s limit 1",
        (row.tenant, row.id, row.revision, reviewer.person),
    ).one_or_none()
    if before is not None:
        raise Forbidden(
            "review.four_eyes", "同一人不能审核两个环节。", "The same person may not decide two stages of a claim."
        )


def _policy_of(work: Work, row: ClaimRow, reviewer: Reviewer) -> Policy:
    policies = approved_policies(work.connection, row.tenant, [row.scheme], demonstration=reviewer.demonstration)
    return policies.version(row.scheme, str(row.policy_version))


def _approve(work: Work, policy: Policy, row: ClaimRow) -> ClaimRow:
    chain = chain_of(work, policy, row)
    following = chain[chain.index(str(row.next_stage)) + 1 :]
    if following:
        return replace(row, next_stage=following[0])
    return replace(row, state="approved", next_stage=None)


def _reject(work: Work, policy: Policy, row: ClaimRow) -> ClaimRow:  # noqa: ARG001 - one form for all outcomes
    return replace(row, state="rejected", next_stage=None)


def _correct(work: Work, policy: Policy, row: ClaimRow) -> ClaimRow:
    due_on = shanghai_day(work.at + timedelta(days=policy.review.correction_days.value))
    return replace(row, state="needs_correction", next_stage=None, correction_due_on=due_on)


_DECIDE: Final = {"approve": _approve, "reject": _reject, "correct": _correct}


def _lower(work: Work, policy: Policy, row: ClaimRow, decided: ClaimRow) -> ClaimRow:
    """Reserve the lower award, and the lower matching that follows from it, in place of the first."""
    award = Money(decided.award_fen)
    reserved = ledger.open_transfers(work.connection, row.tenant, [row.id])
    region = next((t.debit.split("/")[3] for t in reserved if t.reason == "matching"), None)
    matching = lowered_matching(work, policy, row, award)
    end_reserved(work, row.tenant, [row.id], "void", "award lowered")
    accounts = Accounts(row.scheme, row.quota_year or 0, row.enterprise_uscc, region, policy.cap)
    transfers = accounts.reserve(award, matching, row.id)
    ledger.append_ready(work.connection, row.tenant, transfers, work.at)
    return replace(decided, matching_fen=matching.fen)


def _unhold(work: Work, reviewer: Reviewer, row: ClaimRow, decided: ClaimRow) -> ClaimRow:
    """The last hold is cleared: contended keys are taken for good, and review begins."""
    if not registry.take_contended(work.connection, row.id):
        raise Conflict(
            "duplicate.still_taken",
            "同一发票或回单的金额仍被另一笔申请占用；请先处理那一笔。",
            "The invoice's or receipt's amount is still held by another claim; decide that one first.",
        )
    return replace(decided, state="in_review", next_stage=_policy_of(work, row, reviewer).review_chain[0])


def _close_holds(work: Work, row: ClaimRow, hold_ids: list[UUID], outcome: str, actor: str, reason: str) -> None:
    work.connection.exec_driver_sql(
        "update hold set resolved_at = %s, resolved_by = %s, outcome = %s, reason = %s "
        "where tenant = %s and id = any(%s) and resolved_at is null",
        (work.at, actor, outcome, reason, row.tenant, hold_ids),
    )


def _write_review(work: Work, row: ClaimRow, reviewer: Reviewer, decision: Decision, award: Money) -> None:
    insert_rows(
        work.connection,
        "review",
        ("tenant", "id", "claim_id", "revision", "stage", "outcome", "award_fen", "reason", "reviewer", "person", "at"),
        [
            (
                row.tenant, new_id(), row.id, row.revision, decision.stage, decision.outcome, award.fen,
                decision.reason, reviewer.actor, reviewer.person, work.at,
            )
        ],
    )  # fmt: skip


def _changed(
    actor: str, action: str, before: ClaimRow, after: ClaimRow, reason: str | None, about: str | None
) -> Change:
    return Change(
        tenant=before.tenant,
        actor=actor,
        action=action,
        subject_id=before.id,
        from_state=before.state,
        to_state=after.state,
        reason=reason,
        details={
            "claim_no": before.claim_no,
            "about": about,
            "award_before": str(Money(before.award_fen)),
            "award": str(Money(after.award_fen)),
        },
        jobs=(claim_notice(after),),
    )
