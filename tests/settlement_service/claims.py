"""Claims as intake leaves them, so that handover and objections have something real to work on."""

import secrets
from uuid import UUID

from clearing.claims.approval import settle
from clearing.claims.handover import revision_place
from clearing.claims.quota import Accounts
from clearing.claims.records import ClaimRow, write_claims
from clearing.claims.vault import Vault
from settlement import ledger
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.database import Work
from tenants.kernel.ids import new_id
from tenants.kernel.money import ZERO, Money

ACCOUNT_NUMBER = "6222000012345678"
PLATFORM = "jssic"


def approved_claim(
    work: Work, vault: Vault, tenant: str, amount: str, mode: str = "common_use", cap: str | None = None
) -> UUID:
    """A claim with its revision and reservations, approved and handed over."""
    claim_id, award = new_id(), Money.parse(amount)
    row = ClaimRow(
        tenant=tenant,
        id=claim_id,
        claim_no=f"CL-TT-2024-{secrets.randbelow(10**6):06d}",
        platform=PLATFORM,
        external_id=secrets.token_hex(8),
        scheme="provincial",
        mode=mode,
        state="approved",
        next_stage=None,
        revision=1,
        content_mac=bytes(32),
        policy_version="jiangsu/provincial/2024-01-01",
        quota_year=2024,
        enterprise_uscc="91320300MA1TEST00X",
        enterprise_name="徐州测试科技有限公司",
        provider_uscc="12320000TEST00000A",
        provider_name="测试<大学>",
        division="320312",
        base_fen=award.fen,
        computed_fen=award.fen,
        award_fen=award.fen,
        matching_fen=0,
        correction_due_on=None,
        reservation_id=None,
        submitted_at=work.at,
        received_at=work.at,
        changed_at=work.at,
    )
    write_claims(work.connection, [row])
    _write_revision(work, vault, row)
    _reserve(work, row, cap)
    settle(work, vault, tenant, [claim_id])
    return claim_id


def _write_revision(work: Work, vault: Vault, row: ClaimRow) -> None:
    payee = {
        "account_name": row.enterprise_name,
        "account_number": "****5678",
        "bank_name": "中国工商银行",
        "cnaps": "102301000017",
    }
    sealed = canonical_bytes({"payee": ACCOUNT_NUMBER, "payers": []}).decode()
    work.connection.exec_driver_sql(
        "insert into claim_revision (tenant, claim_id, revision, submission, sealed, client_id, received_at) "
        "values (%s, %s, 1, %s, %s, 'client', %s)",
        (
            row.tenant,
            row.id,
            canonical_bytes({"payee": payee}).decode(),
            vault.sealer.seal(sealed, revision_place(row.tenant, row.id, 1)),
            work.at,
        ),
    )
    work.connection.exec_driver_sql(
        "insert into assessment (tenant, claim_id, seq, revision, facts, result, result_sha256, reason, at) "
        "values (%s, %s, 1, 1, '{}', %s, %s, 'submitted', %s)",
        (row.tenant, row.id, canonical_bytes({"trace": [], "matching": None}).decode(), bytes(32), work.at),
    )


def _reserve(work: Work, row: ClaimRow, cap: str | None) -> None:
    accounts = Accounts(row.scheme, 2024, row.enterprise_uscc, None, cap)
    transfers = accounts.reserve(Money(row.award_fen), ZERO, row.id)
    ledger.open_accounts(work.connection, row.tenant, {transfer.debit: True for transfer in transfers})
    ledger.open_accounts(work.connection, row.tenant, {transfer.credit: False for transfer in transfers})
    ledger.append(work.connection, row.tenant, transfers, work.at)
