"""Where claims meet settlement: each approved claim is handed over as an obligation, a value that knows no claim."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.vault import Vault
from settlement.batches.obligation import Obligation, open_obligations
from settlement.payouts.instruction import Account
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.money import Money
from tenants.kernel.sealing import Place

_PAYEE: Final = b"payee-account\x00"


def hand_over(connection: Connection, vault: Vault, tenant: str, claim_ids: Sequence[UUID], at: datetime) -> None:
    """Open an obligation for each of the claims, which were just approved and name the account to be paid.

    Raises:
        Conflict: ``obligation.open``: one of them is waiting to be paid already.
    """
    rows = connection.exec_driver_sql(
        "select c.id, c.claim_no, c.platform, c.scheme, c.mode, c.quota_year, c.enterprise_name, c.provider_name, "
        "c.provider_uscc, c.award_fen, c.revision, c.submitted_at, r.submission::json -> 'payee' as payee, r.sealed, "
        "r.submission::json -> 'provider' ->> 'division' as provider_division "
        "from claim c join claim_revision r "
        "on r.tenant = c.tenant and r.claim_id = c.id and r.revision = c.revision "
        "where c.tenant = %s and c.id = any(%s) order by c.id",
        (tenant, list(claim_ids)),
    ).all()
    open_obligations(connection, tenant, [_obligation(vault, tenant, row) for row in rows], vault.sealer, at)


def payee_digest(vault: Vault, payee: Account) -> bytes:
    """The keyed digest by which claims paid to one account are found to be so."""
    return vault.content_mac(_PAYEE + canonical_bytes(payee.payload()))


def revision_place(tenant: str, claim_id: UUID, revision: int) -> Place:
    """Where a revision's account numbers are sealed."""
    return Place("claim_revision", "sealed", tenant, f"{claim_id}/{revision}")


def _obligation(vault: Vault, tenant: str, row: Any) -> Obligation:  # noqa: ANN401 - a row of the query above
    numbers = json.loads(vault.sealer.unseal(bytes(row.sealed), revision_place(tenant, row.id, row.revision)))
    payee = Account(row.payee["account_name"], numbers["payee"], row.payee["bank_name"], row.payee["cnaps"])
    return Obligation(
        claim_id=row.id,
        claim_no=row.claim_no,
        platform=row.platform,
        scheme=row.scheme,
        mode=row.mode,
        quota_year=row.quota_year,
        enterprise_name=row.enterprise_name,
        provider_name=row.provider_name,
        provider_uscc=row.provider_uscc,
        payee_name=row.enterprise_name if row.mode == "common_use" else row.provider_name,
        payee=payee,
        payee_digest=payee_digest(vault, payee),
        amount=Money(row.award_fen),
        provider_division=row.provider_division,
        applied_at=row.submitted_at,
    )
