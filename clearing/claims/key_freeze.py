"""A stolen key: every unpaid claim that a client submitted since an instant waits until a person has looked at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearing.claims.freezing import KEY_CODE, Suspicion, freeze, is_sealed
from clearing.claims.records import lock_claim
from tenants.kernel.change import record
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work

FROZEN: Final = "frozen"
ALREADY: Final = "frozen_before"
SEALED: Final = "sealed"
ENDED: Final = "holds_no_money"
"""Rejected, withdrawn or in correction: there is nothing to stop."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What became of one claim; one that is ``sealed`` can only be clawed back."""

    tenant: str
    claim_no: str
    outcome: str


def submitted_since(work: Work, client_id: str, since: datetime) -> Sequence[tuple[str, UUID]]:
    """Tenant and id of every claim of which the client submitted a revision at or after the instant."""
    rows = work.connection.exec_driver_sql(
        "select distinct tenant, claim_id from claim_revision where client_id = %s and received_at >= %s order by 1, 2",
        (client_id, since),
    )
    return [(tenant, claim_id) for tenant, claim_id in rows]


def freeze_submitted(work: Work, claim_id: UUID, client_id: str, since: datetime, actor: str, reason: str) -> Frozen:
    """Freeze one of the client's claims, wherever it stands before the seal; done before, nothing changes.

    Raises:
        NotFound: there is no such claim within the bound tenants.
    """
    row = lock_claim(work.connection, claim_id)
    held = work.connection.exec_driver_sql(
        "select 1 from hold where tenant = %s and claim_id = %s and code = %s and resolved_at is null",
        (row.tenant, row.id, KEY_CODE),
    ).first()
    if held is not None:
        return Frozen(row.tenant, row.claim_no, ALREADY)
    if is_sealed(work, row):
        return Frozen(row.tenant, row.claim_no, SEALED)
    told = {"client_id": client_id, "since": print_instant(since)}
    done = freeze(work, row, Suspicion(KEY_CODE, reason, dict(told)), actor)
    if done is None:
        return Frozen(row.tenant, row.claim_no, ENDED)
    record(work.connection, [done[1]], work.at)
    return Frozen(row.tenant, row.claim_no, FROZEN)
