"""Sending back (退回补正): a claim whose invoice was cancelled by a red-letter invoice starts again with free keys."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from clearing.claims.approval import claim_notice, free
from clearing.claims.freezing import is_batched
from clearing.claims.records import ClaimRow, holds_of, write_claims
from clearing.claims.suspicions import close_waiting
from settlement.batches.batch_states import FREEZE
from settlement.batches.batch_steps import take_out
from tenants.kernel.change import Change, lock_chains
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.money import ZERO
from tenants.policy_store import approved_policies

SENT_BACK: Final = frozenset({"needs_correction", "on_hold", "in_review", "approved"})
ACTION: Final = "claim.red_letter"
REASON: Final = "an invoice of the claim was cancelled by a red-letter invoice"
DEFAULT_CORRECTION_DAYS: Final = 30
"""Where no policy governs the claim."""


def send_back(work: Work, row: ClaimRow, actor: str) -> list[Change]:
    """Send the locked, unpaid claim back for a re-issued invoice; quota, budget and keys are free at once.

    The changes are to be recorded; the claim's platform is told.
    """
    changes = close_waiting(work, row.id, actor, None, "ended", REASON)
    if row.state == "approved" and is_batched(work, row):
        lock_chains(work.connection, work.scope.tenants)
        take_out(work.connection, row.tenant, row.id, REASON, actor, work.at, FREEZE)
    free(work, row, "red-lettered")
    holds = [hold.id for hold in holds_of(work.connection, [row.id]) if hold.resolved_at is None]
    work.connection.exec_driver_sql(
        "update hold set resolved_at = %s, resolved_by = %s, outcome = 'superseded', reason = %s "
        "where tenant = %s and id = any(%s)",
        (work.at, actor, REASON, row.tenant, holds),
    )
    due_on = shanghai_day(work.at + timedelta(days=_days(work, row)))
    after = replace(
        row, state="needs_correction", next_stage=None, award_fen=0, matching_fen=0, changed_at=work.at,
        correction_due_on=due_on,
    )  # fmt: skip
    write_claims(work.connection, [after])
    sent = Change(
        tenant=row.tenant,
        actor=actor,
        action=ACTION,
        subject_id=row.id,
        from_state=row.state,
        to_state=after.state,
        reason=REASON,
        details={"claim_no": row.claim_no, "award": str(ZERO)},
        jobs=(claim_notice(after),),
    )
    return [sent, *changes]


def _days(work: Work, row: ClaimRow) -> int:
    if row.policy_version is None:
        return DEFAULT_CORRECTION_DAYS
    policies = approved_policies(work.connection, row.tenant, [row.scheme], demonstration=True)
    return policies.version(row.scheme, row.policy_version).review.correction_days.value
