"""One change of state: its entry in the tenant's audit chain and its outbox row, written together (I14).

Entry ``n`` of a tenant is ``SHA-256(prefix || hash of entry n-1 || body)``; ``body`` is its RFC 8785 bytes.
The chain's head is locked last, just before commit, so that the lock is held for the shortest time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.database import insert_rows
from tenants.kernel.ids import new_id

CHAIN_PREFIX: Final = b"clearing-audit-v1\n"
GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Job:
    """Work to be done after the commit; ``platform`` where it is a notice to that platform."""

    kind: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what, from which state to which, and why."""

    tenant: str
    actor: str
    action: str
    subject_id: UUID
    from_state: str | None = None
    to_state: str | None = None
    reason: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
    jobs: tuple[Job, ...] = ()


def record(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    """Append the changes to their tenants' chains, in order, with their outbox rows."""
    for tenant in sorted({change.tenant for change in changes}):
        _append(connection, tenant, [change for change in changes if change.tenant == tenant], at)
    jobs = [(change, job) for change in changes for job in change.jobs]
    insert_rows(
        connection,
        "outbox",
        ("id", "tenant", "kind", "platform", "subject_id", "payload", "created_at", "next_attempt_at"),
        [
            (
                new_id(),
                c.tenant,
                j.kind,
                j.platform,
                c.subject_id,
                canonical_bytes(dict(j.payload)).decode(),
                at,
                at,
            )
            for c, j in jobs
        ],
    )


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of an entry with this body behind the entry with the hash ``previous``."""
    return sha256(CHAIN_PREFIX + previous + body)


def _append(connection: Connection, tenant: str, changes: list[Change], at: datetime) -> None:
    seq, latest, latest_at = connection.exec_driver_sql(
        "select seq, hash, at from audit_head where tenant = %s for no key update", (tenant,)
    ).one()
    at = max(at, latest_at)
    rows = []
    for change in changes:
        seq += 1
        body = canonical_bytes(
            {
                "seq": seq,
                "tenant": tenant,
                "at": at,
                "actor": change.actor,
                "action": change.action,
                "subject": change.subject_id,
                "from": change.from_state,
                "to": change.to_state,
                "reason": change.reason,
                "details": dict(change.details),
            }
        )
        latest = chained(bytes(latest), body)
        rows.append((tenant, seq, at, change.action, change.subject_id, body.decode(), latest))
    insert_rows(connection, "audit_entry", ("tenant", "seq", "at", "action", "subject_id", "body", "hash"), rows)
    connection.exec_driver_sql(
        "update audit_head set seq = %s, hash = %s, at = %s where tenant = %s", (seq, latest, at, tenant)
    )
