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

    def fits(self, said: Mapping[str, Any]) -> bool:
        """Whether an entry of these days and this object is one of them."""
        action = str(said["action"])
        return (self.actor is None or said["actor"] == self.actor) and (
            self.action is None or action == self.action or (self.action[-1:] == "." and action.startswith(self.action))
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the number behind which the next page goes on; ``None`` at the chain's beginning."""

    items: list[dict[str, Json]]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """How many entries there are; of the ``looked`` newest of the days only, where that is not ``None``."""

    count: int
    looked: int | None = None


def search(connection: Connection, tenant: str, wanted: Wanted, before: int | None, limit: int) -> Page:
    """At most ``limit`` entries before the number ``before``; each is what was chained, with its hash."""
    subject = _subject(connection, tenant, wanted)
    first, last = _of_the_days(connection, tenant, wanted)
    if wanted.object is not None and subject is None:
        return Page([], None)
    top = last + 1 if before is None else min(before, last + 1)
    low = first if subject is not None else max(first, top - WINDOW)
    rows = connection.exec_driver_sql(
        "select body, hash from audit_entry where tenant = %s and seq >= %s and seq < %s "  # noqa: S608 - our own words
        f"{'' if subject is None else 'and subject_id = %s '}order by seq desc",
        (tenant, low, top) if subject is None else (tenant, low, top, subject),
        execution_options={"stream_results": True, "max_row_buffer": limit},
    )
    items: list[dict[str, Json]] = []
    with rows:
        for body, digest in rows:
            said = json.loads(body)
            if wanted.fits(said):
                if len(items) == limit:
                    return Page(items, int(str(items[-1]["seq"])))
                items.append(said | {"hash": bytes(digest).hex()})
    return Page(items, low if low > first else None)


def found_by(connection: Connection, tenant: str, wanted: Wanted, most: int | None) -> Found:
    """How many entries :func:`search` finds in all: at most ``most``, and then among the newest ``WINDOW`` only.

    Days alone are counted by their numbers, an object's entries by its index: neither looks through any. With ``None``
    the whole of the days is looked through.
    """
    subject = _subject(connection, tenant, wanted)
    first, last = _of_the_days(connection, tenant, wanted)
    if last < first or (wanted.object is not None and subject is None):
        return Found(0)
    if subject is None and wanted.actor is None and wanted.action is None:
        return Found(last - first + 1)
    low = first if subject is not None or most is None else max(first, last - WINDOW + 1)
    begins = wanted.action is not None and wanted.action.endswith(".")
    asked = {
        "subject_id = %s": subject,
        "starts_with(action, %s)" if begins else "action = %s": wanted.action,
        "body::json ->> 'actor' = %s": wanted.actor,
    }
    conditions = [condition for condition, value in asked.items() if value is not None]
    count = connection.exec_driver_sql(
        "select count(*) from (select 1 from audit_entry where tenant = %s and seq >= %s and seq <= %s "  # noqa: S608 - ours
        f"and {' and '.join(conditions)} limit %s) found",
        (tenant, low, last, *(value for value in asked.values() if value is not None), most),
    ).scalar_one()
    return Found(count, last - low + 1 if low > first else None)


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


def _of_the_days(connection: Connection, tenant: str, wanted: Wanted) -> tuple[int, int]:
    """The numbers of the first and the last entry of the wanted days."""
    first, last = 1, _length(connection, tenant)
    if wanted.on_from is not None:
        first = _first_from(connection, tenant, _begin(wanted.on_from), last)
    if wanted.on_through is not None:
        last = _first_from(connection, tenant, _begin(wanted.on_through + timedelta(days=1)), last) - 1
    return first, last


def _first_from(connection: Connection, tenant: str, at: datetime, length: int) -> int:
    """The number of the first entry at this instant or later, one behind the chain where there is none.

    Instants never go back along a chain, so that some twenty entries are looked at, however long it is.
    """
    low, high = 1, length + 1
    while low < high:
        middle = (low + high) // 2
        instant = connection.exec_driver_sql(
            "select at from audit_entry where tenant = %s and seq = %s", (tenant, middle)
        ).scalar_one()
        low, high = (low, middle) if instant >= at else (middle + 1, high)
    return low


def _length(connection: Connection, tenant: str) -> int:
    length: int | None = connection.exec_driver_sql(
        "select seq from audit_head where tenant = %s", (tenant,)
    ).scalar_one_or_none()
    return length or 0


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
