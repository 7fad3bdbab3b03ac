"""One change of state: its entry in the tenant's audit chain and its outbox row, written together (I14).

Entry ``n`` of a tenant is ``SHA-256(prefix || hash of entry n-1 || body)``; ``body`` is its RFC 8785 bytes.
The chain's head is locked last, just before commit, so that the lock is held for the shortest time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import Connection

from tenants.kernel.canonical import Json, canonical_bytes, sha256
from tenants.kernel.clock import print_instant
from tenants.kernel.ids import new_id
from tenants.kernel.statements import Query, Write, read, write_all

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
    write_all(connection, change_writes(connection, changes, at))


def lock_chains(connection: Connection, tenants: Iterable[str]) -> None:
    """Lock the chains' heads in their order before several records are made: no two writers wait in a circle."""
    connection.exec_driver_sql(
        "select 1 from audit_head where tenant = any(%s) order by tenant for no key update", (sorted(set(tenants)),)
    )


Heads = dict[str, tuple[int, bytes, datetime]]
"""Of each tenant's chain the number, the hash and the time of its last entry."""


def chain_heads(tenants: Iterable[str]) -> Query[Heads]:
    """The chains' heads, locked in their order: the last locks of a transaction, see :func:`appended`."""
    return Query(
        "select tenant, seq, hash, at from audit_head where tenant = any(%s) order by tenant for no key update",
        (sorted(set(tenants)),),
        lambda rows: {tenant: (seq, bytes(latest), latest_at) for tenant, seq, latest, latest_at in rows},
    )


def change_writes(connection: Connection, changes: Sequence[Change], at: datetime) -> tuple[Write, Write, Write]:
    """The rows that append the changes, to be written together with what changed; the chains' heads are locked now."""
    return appended(read(connection, chain_heads(change.tenant for change in changes)), changes, at)


def appended(heads: Heads, changes: Sequence[Change], at: datetime) -> tuple[Write, Write, Write]:
    """The rows that append the changes behind these heads, which are locked."""
    heads, printed = dict(heads), dict[datetime, str]()
    entries = []
    for change in changes:
        seq, latest, latest_at = heads[change.tenant]
        now = max(at, latest_at)
        said = printed.get(now) or printed.setdefault(now, print_instant(now))
        entry = _entry(change, seq + 1, latest, now, said)
        heads[change.tenant] = (seq + 1, entry[-1], now)
        entries.append(entry)
    jobs = [
        (new_id(), c.tenant, j.kind, j.platform, c.subject_id, canonical_bytes(dict(j.payload)), at, at)
        for c in changes
        for j in c.jobs
    ]
    moved = [(tenant, *head) for tenant, head in heads.items()]
    return (
        Write("audit_entry", _ENTRY, entries, kinds=("text", "bigint", "timestamptz", "text", "uuid", "text", "bytea")),
        Write("audit_head", ("tenant", "seq", "hash", "at"), moved, _MOVE),
        Write(
            "outbox",
            ("id", "tenant", "kind", "platform", "subject_id", "payload", "created_at", "next_attempt_at"),
            jobs,
            kinds=("uuid", "text", "text", "text", "uuid", "text", "timestamptz", "timestamptz"),
        ),
    )


_ENTRY: Final = ("tenant", "seq", "at", "action", "subject_id", "body", "hash")
_MOVE: Final = "on conflict (tenant) do update set seq = excluded.seq, hash = excluded.hash, at = excluded.at"


def chained(previous: bytes, body: bytes) -> bytes:
    """The hash of an entry with this body behind the entry with the hash ``previous``."""
    return sha256(CHAIN_PREFIX + previous + body)


def _entry(
    change: Change, seq: int, previous: bytes, at: datetime, said: str
) -> tuple[str, int, datetime, str, UUID, bytes, bytes]:
    body = orjson.dumps(  # texts and a number that counts, around what canonical_bytes has looked through
        {
            "seq": seq,
            "tenant": change.tenant,
            "at": said,
            "actor": change.actor,
            "action": change.action,
            "subject": str(change.subject_id),
            "from": change.from_state,
            "to": change.to_state,
            "reason": change.reason,
            "details": orjson.Fragment(canonical_bytes(dict(change.details))),
        },
        option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER,
    )
    return change.tenant, seq, at, change.action, change.subject_id, body, chained(previous, body)
