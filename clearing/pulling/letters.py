"""Dead letters: records that could not be taken in, each kept whole until it goes in after all or is laid aside."""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.vault import Vault
from clearing.pulling.taking import Answer, Counter, letter_place, problem_of, record_mac, take_records
from connectors.record import read_record
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, not_found

OPEN: Final = "open"
STATES: Final = (OPEN, "taken", "dismissed")


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One dead letter as stored, without its record."""

    tenant: str
    id: UUID
    source_id: UUID
    platform: str
    page_seq: int
    position: int
    code: str
    problem: str
    state: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None
    came_at: datetime
    client_id: str
    what: str


_ROWS: Final = (
    "select d.tenant, d.id, d.source_id, s.platform, d.page_seq, d.position, d.code, d.problem, d.state, d.decided_by, "
    "d.decided_at, d.reason, p.stored_at, s.client_id, s.what from dead_letter d "
    "cross join lateral (select * from pull_source where tenant = d.tenant and id = d.source_id offset 0) s "
    "cross join lateral (select stored_at from pull_page where tenant = d.tenant and source_id = d.source_id "
    "and seq = d.page_seq offset 0) p"
)
"""Each letter's source and page are looked up by their keys (``offset 0``)."""


_OF_PLATFORM: Final = "d.source_id in (select s.id from pull_source s where s.tenant = d.tenant and s.platform = %s)"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are listed; ``None`` is any."""

    platform: str | None
    source_id: UUID | None
    state: str | None

    def found(self) -> tuple[str, list[Any]]:
        """Conditions on a letter ``d``, each behind an ``and``, and their values."""
        conditions: list[tuple[str, Any]] = [
            (_OF_PLATFORM, self.platform),
            ("d.source_id = %s", self.source_id),
            ("d.state = %s", self.state),
        ]
        chosen = [(text, value) for text, value in conditions if value is not None]
        return "".join(f" and {text}" for text, _ in chosen), [value for _, value in chosen]


def listed(connection: Connection, wanted: Filter, after: UUID | None, limit: int) -> list[LetterRow]:
    """Letters in the caller's tenants, the oldest first."""
    where, values = wanted.found()
    # each tenant's own first ones, found in the order of an index: nothing is sorted but these
    rows = connection.exec_driver_sql(
        f"select f.* from unnest(bound_tenants()) t (bound) cross join lateral ({_ROWS} "  # noqa: S608 - our own words
        f"where d.tenant = t.bound{where} and (%s::uuid is null or d.id > %s) order by d.id limit %s) f "
        "order by f.id limit %s",
        (*values, after, after, limit, limit),
    )
    return [LetterRow(*row) for row in rows]


def letter_totals(connection: Connection, wanted: Filter, most: int | None = None) -> tuple[int, int]:
    """How many letters there are of these in the caller's tenants, and how many of them are open.

    Of ``most`` of them, where that is given.
    """
    where, values = wanted.found()
    count, still_open = connection.exec_driver_sql(
        "select count(*), count(*) filter (where state = 'open') from (select f.state "  # noqa: S608 - our own words
        "from unnest(bound_tenants()) t (bound) cross join lateral (select d.state from dead_letter d "
        f"where d.tenant = t.bound{where} limit %s) f limit %s) found",
        (*values, most, most),
    ).one()
    return count, still_open


def view(connection: Connection, letter_id: UUID, platform: str | None) -> LetterRow:
    """The letter.

    Raises:
        NotFound: there is none, or it is another platform's or tenant's.
    """
    row = connection.exec_driver_sql(
        f"{_ROWS} where d.id = %s and (%s::text is null or s.platform = %s)", (letter_id, platform, platform)
    ).one_or_none()
    if row is None:
        raise not_found("未接收记录", "dead letter")
    return LetterRow(*row)


def content(connection: Connection, vault: Vault, row: LetterRow) -> bytes:
    """The whole record as it came: for its own platform's eyes, it may hold account numbers."""
    sealed = connection.exec_driver_sql(
        "select record_sealed from dead_letter where tenant = %s and id = %s", (row.tenant, row.id)
    ).scalar_one()
    return b64decode(vault.sealer.unseal(bytes(sealed), letter_place(row.tenant, row.id)))


def replay(work: Work, vault: Vault, counter: Counter, actor: str, letter_id: UUID, corrected: bytes | None) -> Answer:
    """Take the record in now, as it came or corrected; the letter is then taken.

    Raises:
        NotFound: as for :func:`view`.
        Conflict: it is decided already.
        Problem: it still cannot be taken in; the letter stays open.
    """
    row = _open(work, letter_id, counter.platform)
    given = content(work.connection, vault, row) if corrected is None else corrected
    answer = take_records(work, vault, counter, [read_record(counter.platform, counter.what, given)], alone=True)[0]
    problem = problem_of(answer)
    if problem is not None:
        raise problem
    details: dict[str, Json] = {"corrected_mac": None if corrected is None else record_mac(vault, corrected).hex()}
    _decide(work, row, actor, "taken", None, details)
    return answer


def dismiss(work: Work, actor: str, letter_id: UUID, platform: str | None, reason: str) -> LetterRow:
    """Lay the record aside for good: it is kept, and never goes in.

    Raises:
        NotFound: as for :func:`view`.
        Conflict: it is decided already.
    """
    row = _open(work, letter_id, platform)
    _decide(work, row, actor, "dismissed", reason, {})
    return view(work.connection, letter_id, platform)


def open_letters(connection: Connection, source_id: UUID, after: UUID | None, limit: int) -> list[UUID]:
    """Open letters of a source, the oldest first."""
    rows = connection.exec_driver_sql(
        "select id from dead_letter where source_id = %s and state = 'open' and (%s::uuid is null or id > %s) "
        "order by id limit %s",
        (source_id, after, after, limit),
    )
    return list(rows.scalars())


def letter_json(row: LetterRow) -> dict[str, Json]:
    """The letter as an answer, without its record."""
    return {
        "id": str(row.id),
        "tenant": row.tenant,
        "platform": row.platform,
        "source_id": str(row.source_id),
        "page": row.page_seq,
        "position": row.position,
        "what": row.what,
        "code": row.code,
        "problem": json.loads(row.problem),
        "state": row.state,
        "came_at": plain(row.came_at),
        "decided_by": row.decided_by,
        "decided_at": plain(row.decided_at),
        "reason": row.reason,
    }


def content_json(record_bytes: bytes) -> dict[str, Json]:
    """The record as text, or in base64 where it is none."""
    try:
        return {"record": record_bytes.decode(), "record_base64": None}
    except UnicodeDecodeError:
        return {"record": None, "record_base64": b64encode(record_bytes).decode()}


def _open(work: Work, letter_id: UUID, platform: str | None) -> LetterRow:
    work.connection.exec_driver_sql("select 1 from dead_letter where id = %s for no key update", (letter_id,))
    row = view(work.connection, letter_id, platform)
    if row.state != OPEN:
        raise Conflict("dead_letter.decided", "此记录已处理。", "This record has been dealt with.")
    return row


def _decide(work: Work, row: LetterRow, actor: str, state: str, reason: str | None, details: dict[str, Json]) -> None:
    work.connection.exec_driver_sql(
        "update dead_letter set state = %s, decided_by = %s, decided_at = %s, reason = %s "
        "where tenant = %s and id = %s",
        (state, actor, work.at, reason, row.tenant, row.id),
    )
    change = Change(row.tenant, actor, f"dead_letter.{state}", row.id, OPEN, state, reason, details)
    record(work.connection, [change], work.at)
