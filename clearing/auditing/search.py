"""Entries of a tenant's audit chain, the newest first, by person, action, object and time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json
from tenants.kernel.clock import SHANGHAI

WINDOW: Final = 20_000
"""How many entries one page looks through at most: a page may hold few and still have a next one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry must be; ``None`` leaves it open. ``action`` may end in a dot: then all that begin so."""

    actor: str | None = None
    action: str | None = None
    subject: UUID | None = None
    object: str | None = None
    on_from: date | None = None
    on_through: date | None = None

    def fits(self, said: Mapping[str, Any], at: datetime) -> bool:
        """Whether the entry is one of them."""
        action = str(said["action"])
        return (
            (self.actor is None or said["actor"] == self.actor)
            and (
                self.action is None
                or action == self.action
                or (self.action[-1:] == "." and action.startswith(self.action))
            )
            and (self.on_from is None or at >= _begin(self.on_from))
            and (self.on_through is None or at < _begin(self.on_through + timedelta(days=1)))
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the number behind which the next page goes on; ``None`` at the chain's beginning."""

    items: list[dict[str, Json]]
    next_before: int | None


def search(connection: Connection, tenant: str, wanted: Wanted, before: int | None, limit: int) -> Page:
    """At most ``limit`` entries before the number ``before``; each is what was chained, with its hash."""
    subject = _subject(connection, tenant, wanted)
    top = before if before is not None else _length(connection, tenant) + 1
    if wanted.object is not None and subject is None:
        return Page([], None)
    low = 1 if subject is not None else max(1, top - WINDOW)
    rows = connection.exec_driver_sql(
        "select seq, at, body, hash from audit_entry where tenant = %s and seq >= %s and seq < %s "
        "and (%s::uuid is null or subject_id = %s::uuid) order by seq desc",
        (tenant, low, top, subject, subject),
        execution_options={"stream_results": True, "max_row_buffer": limit},
    )
    items: list[dict[str, Json]] = []
    with rows:
        for _, at, body, digest in rows:
            if wanted.on_from is not None and at < _begin(wanted.on_from):
                return Page(items, None)
            said = json.loads(body)
            if wanted.fits(said, at):
                if len(items) == limit:
                    return Page(items, int(str(items[-1]["seq"])))
                items.append(said | {"hash": bytes(digest).hex()})
    return Page(items, low if low > 1 else None)


def _subject(connection: Connection, tenant: str, wanted: Wanted) -> UUID | None:
    """The id of the object: itself, or the one with this number among claims, batches and reservations."""
    if wanted.subject is not None or wanted.object is None:
        return wanted.subject
    found: UUID | None = connection.exec_driver_sql(
        "select id from claim where tenant = %s and claim_no = %s union all "
        "select id from batch where tenant = %s and batch_no = %s union all "
        "select id from reservation where tenant = %s and reservation_no = %s limit 1",
        (tenant, wanted.object) * 3,
    ).scalar_one_or_none()
    return found


def _length(connection: Connection, tenant: str) -> int:
    length: int | None = connection.exec_driver_sql(
        "select seq from audit_head where tenant = %s", (tenant,)
    ).scalar_one_or_none()
    return length or 0


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
