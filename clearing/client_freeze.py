"""Freezing a client: its key is revoked, and what it submitted since an instant is held, claim by claim."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from clearing.api.frame import PRINCIPAL_CACHE_LIFE
from clearing.claims.key_freeze import Frozen, freeze_submitted, submitted_since
from clearing.service import Service
from tenants.credentials import revoke_client
from tenants.kernel.database import Scope, Work, run

LOOK_SECONDS: Final = 1
QUIET_LOOKS: Final = 3
"""A bulk request that was let in before goes on: looking ends when so many looks in a row find nothing new."""


def freeze_client(service: Service, client_id: str, since: datetime, actor: str, reason: str) -> list[Frozen]:
    """Revoke the client, wait until no process honours it, and freeze its claims; safe to run again.

    Each claim is frozen in a transaction of its own: thousands of them lock nobody out.
    """
    with service.engine.begin() as connection:
        revoked = revoke_client(connection, client_id, service.machine.now())
        tenants = tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())
    if revoked:
        time.sleep(PRINCIPAL_CACHE_LIFE.total_seconds())
    done: dict[UUID, Frozen] = {}
    quiet = 0
    while quiet < QUIET_LOOKS:
        fresh = [one for one in _submitted(service, tenants, client_id, since) if one[1] not in done]
        for tenant, claim_id in fresh:
            done[claim_id] = _freeze(service, tenant, claim_id, client_id, since, actor, reason)
        quiet = 0 if fresh else quiet + 1
        if revoked and quiet < QUIET_LOOKS:
            time.sleep(LOOK_SECONDS)
    return list(done.values())


def _submitted(
    service: Service, tenants: tuple[str, ...], client_id: str, since: datetime
) -> Sequence[tuple[str, UUID]]:
    return run(service.engine, Scope(tenants), service.machine, lambda work: submitted_since(work, client_id, since))


def _freeze(
    service: Service, tenant: str, claim_id: UUID, client_id: str, since: datetime, actor: str, reason: str
) -> Frozen:
    def use_case(work: Work) -> Frozen:
        return freeze_submitted(work, claim_id, client_id, since, actor, reason)

    return run(service.engine, Scope((tenant,)), service.machine, use_case)
