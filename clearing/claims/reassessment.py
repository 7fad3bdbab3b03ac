"""Re-assessment: a claim on hold is assessed again, by another version or with other facts, as an act of its own.

Every assessment is kept; the audit chain tells what was before and after. What a person has decided stands: a hold that
was cleared is not opened again, one that is open stays open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from clearing.claims import registry
from clearing.claims.approval import claim_notice, free, settle
from clearing.claims.assessment import Assessment, result_bytes
from clearing.claims.case import TAKES_MONEY
from clearing.claims.facts import Facts
from clearing.claims.filing import ASSESSMENT_COLUMNS, hold_rows_of, hold_write, next_seq
from clearing.claims.quota import Accounts
from clearing.claims.records import ClaimRow, HoldRow, claim_write
from clearing.claims.vault import Vault
from settlement import ledger
from settlement.ledger import Transfer
from tenants.kernel.canonical import canonical_bytes, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO, Money
from tenants.kernel.statements import Write, write_all
from tenants.policy import Policy

REASSESSED: Final = "claim.reassessed"


@dataclass(frozen=True, slots=True)
class Again:
    """One claim with its new assessment: the row and holds as they were, what the assessment read, and the act's words.

    ``settles`` is the code of the hold that the new assessment answers, whatever it says.
    """

    row: ClaimRow
    holds: tuple[HoldRow, ...]
    policy: Policy
    facts: Facts
    assessment: Assessment
    accounts: Accounts
    settles: str
    reason: str

    def reserved(self, decided: ClaimRow) -> list[Transfer]:
        """What the claim takes in the state that was decided."""
        if decided.state not in TAKES_MONEY:
            return []
        matching = ZERO if self.assessment.matching is None else self.assessment.matching.amount
        return self.accounts.reserve(self.assessment.award, matching, decided.id)


def file_again(work: Work, vault: Vault, actor: str, again: Again) -> ClaimRow | None:
    """Write the new assessment with all that follows; ``None``, with nothing written, where fen are still contended.

    The claim holds no money before: what it was on hold for granted none. The caller has locked what it draws on, and
    opened its accounts, before the first of such acts.
    """
    row, holds = again.row, again.holds
    open_before = [hold for hold in holds if hold.resolved_at is None and hold.code != again.settles]
    known = {(hold.code, hold.place) for hold in holds if hold.code != again.settles}
    new = [
        hold
        for hold in hold_rows_of(work.at, row.id, again.assessment)
        if hold.code == again.settles or (hold.code, hold.place) not in known
    ]
    decided = _decided(work, again, still_held=bool(open_before or new))
    if decided.state in {"in_review", "approved"} and not registry.take_contended(work.connection, row.id):
        return None
    stays = decided.state == "on_hold"
    _close(work, actor, again, [] if stays else open_before)
    if decided.state == "rejected":
        free(work, row, "rejected")
    write_all(
        work.connection,
        (
            claim_write([decided]),
            _assessment(work, again),
            hold_write(row.tenant, new if stays else []),
            ledger.transfer_write(row.tenant, again.reserved(decided), work.at),
        ),
    )
    if decided.state == "approved":
        settle(work, vault, row.tenant, [row.id])
    record(work.connection, [_change(actor, again, decided)], work.at)
    return decided


def _decided(work: Work, again: Again, *, still_held: bool) -> ClaimRow:
    verdict, row = again.assessment, again.row
    state, stage = verdict.state, verdict.next_stage
    if state in TAKES_MONEY:
        if still_held:
            state, stage = "on_hold", None
        elif state == "on_hold":  # a person has cleared all that it is held for
            state, stage = "in_review", again.policy.review_chain[0]
    granted = state in TAKES_MONEY
    return replace(
        row,
        state=state,
        next_stage=stage,
        policy_version=verdict.policy_version,
        quota_year=verdict.quota_year,
        base_fen=verdict.base.fen,
        computed_fen=verdict.computed.fen,
        award_fen=verdict.award.fen if granted else 0,
        matching_fen=verdict.matching.amount.fen if granted and verdict.matching is not None else 0,
        correction_due_on=_due_on(work, again) if state == "needs_correction" else None,
        changed_at=work.at,
    )


def _due_on(work: Work, again: Again) -> date:
    return shanghai_day(work.at + timedelta(days=again.policy.review.correction_days.value))


def _close(work: Work, actor: str, again: Again, superseded: Sequence[HoldRow]) -> None:
    """Clear the hold that was answered; where the claim is on hold no more, supersede whatever else was open."""
    answered = [hold.id for hold in again.holds if hold.resolved_at is None and hold.code == again.settles]
    for outcome, hold_ids in (("clear", answered), ("superseded", [hold.id for hold in superseded])):
        if hold_ids:
            work.connection.exec_driver_sql(
                "update hold set resolved_at = %s, resolved_by = %s, outcome = %s, reason = %s "
                "where tenant = %s and id = any(%s)",
                (work.at, actor, outcome, again.reason, again.row.tenant, hold_ids),
            )


def _assessment(work: Work, again: Again) -> Write:
    row, result = again.row, result_bytes(again.assessment)
    seq = next_seq(work.connection, row.tenant, [row.id])[row.id]
    values = (
        row.tenant, row.id, seq, row.revision, again.assessment.policy_version, canonical_bytes(again.facts).decode(),
        result.decode(), sha256(result), again.reason, work.at,
    )  # fmt: skip
    return Write("assessment", ASSESSMENT_COLUMNS, [values])


def _change(actor: str, again: Again, decided: ClaimRow) -> Change:
    before = again.row
    return Change(
        tenant=before.tenant,
        actor=actor,
        action=REASSESSED,
        subject_id=before.id,
        from_state=before.state,
        to_state=decided.state,
        reason=again.reason,
        details={
            "claim_no": before.claim_no,
            "about": again.settles,
            "revision": before.revision,
            "policy_version_before": before.policy_version,
            "policy_version": decided.policy_version,
            "award_before": str(Money(before.award_fen)),
            "award": str(Money(decided.award_fen)),
        },
        jobs=(claim_notice(decided),),
    )
