"""Approval: what was reserved becomes owed and is handed to settlement. Refusal: all of it is free again."""

from collections.abc import Sequence
from uuid import UUID

from clearing.claims import registry
from clearing.claims.handover import hand_over
from clearing.claims.records import ClaimRow
from clearing.claims.vault import Vault
from settlement import ledger
from settlement.obligation import take_back
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
