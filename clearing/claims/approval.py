"""Approval: what was reserved becomes owed and is handed to settlement. Refusal: all of it is free again."""

from collections.abc import Sequence
from uuid import UUID

from clearing.claims import registry
from clearing.claims.handover import hand_over
from clearing.claims.records import ClaimRow
from clearing.claims.vault import Vault
from settlement import ledger
from settlement.batches.obligation import take_back
from tenants.kernel.change import Job
from tenants.kernel.database import Work
from tenants.kernel.money import Money


def settle(work: Work, vault: Vault, tenant: str, claim_ids: Sequence[UUID]) -> None:
    """Post what the approved claims have reserved, and open an obligation for each."""
    end_reserved(work, tenant, claim_ids, "post", "claim approved")
    hand_over(work.connection, vault, tenant, claim_ids, work.at)


def free(work: Work, row: ClaimRow, reason: str) -> None:
    """Free a claim's quota, budget and keys at once, and take its obligation back where it has one."""
    take_back(work.connection, row.tenant, row.id, work.at)
    ledger.lock_caps(work.connection, row.tenant, [row.id])
    registry.release(work.connection, [row.id])
    ledger.give_back(work.connection, row.tenant, [row.id], reason, work.at)


def reserve_again(work: Work, row: ClaimRow, reason: str) -> None:
    """Turn what the claim owes back into what it reserves: an obligation that is held is no obligation.

    The pending transfers are made anew as they first were, so that a review may lower or post them.
    """
    standing = ledger.standing_transfers(work.connection, row.tenant, [row.id])
    first = work.connection.exec_driver_sql(
        "select id, reason from ledger_transfer where tenant = %s and id = any(%s)",
        (row.tenant, [transfer.pending_id for transfer in standing]),
    )
    reasons: dict[UUID | None, str] = {pending_id: reason for pending_id, reason in first}  # noqa: C416 - rows are typed so
    ledger.lock_accounts(work.connection, row.tenant, {t.debit for t in standing} | {t.credit for t in standing})
    again = [
        ledger.pending(t.debit, t.credit, t.amount, reasons.get(t.pending_id, t.reason), t.subject_id) for t in standing
    ]
    reversals = [ledger.reversal(transfer, reason) for transfer in standing]
    ledger.append(work.connection, row.tenant, reversals + again, work.at)


def end_reserved(work: Work, tenant: str, claim_ids: Sequence[UUID], kind: str, reason: str) -> None:
    """Post or void everything that the claims have pending."""
    transfers = [
        ledger.ended(transfer, kind, reason) for transfer in ledger.open_transfers(work.connection, tenant, claim_ids)
    ]
    ledger.lock_accounts(work.connection, tenant, [transfer.debit for transfer in transfers])
    ledger.append(work.connection, tenant, transfers, work.at)


def claim_notice(row: ClaimRow) -> Job:
    """The outbox row that tells the claim's platform of the state it now has."""
    return Job(
        kind=f"claim.{row.state}",
        platform=row.platform,
        payload={
            "claim_id": str(row.id),
            "claim_no": row.claim_no,
            "external_id": row.external_id,
            "tenant": row.tenant,
            "revision": row.revision,
            "state": row.state,
            "award": str(Money(row.award_fen)),
        },
    )
