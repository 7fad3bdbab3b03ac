"""Sources: the outlets that are asked, registered with the token by which the platform knows this service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.vault import Vault
from clearing.pulling.pace import Pace, State
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place
from tenants.principal import Principal

MAX_LIVE: Final = 5
"""Live sources of one platform in one tenant."""
TABLE: Final = "pull_source"
MIN_TOKEN: Final = 16
MAX_TOKEN: Final = 500


@dataclass(frozen=True, slots=True)
class Registration:
    """What is to be asked."""

    tenant: str
    what: str
    url: str
    every_seconds: int


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source as stored, without its token, and how far it has come."""

    tenant: str
    id: UUID
    platform: str
    client_id: str
    what: str
    url: str
    every_seconds: int
    registered_by: str
    registered_at: datetime
    disabled_by: str | None
    disabled_at: datetime | None
    next_poll_at: datetime
    polled_at: datetime | None
    answered_at: datetime | None
    failures: int
    last_error: str | None
    pages: int
    cursor: str | None
    records: int
    stored: int
    known: int
    refused: int
    letters_open: int


_ROWS: Final = """
select s.tenant, s.id, s.platform, s.client_id, s.what, s.url, s.every_seconds, s.registered_by, s.registered_at,
       s.disabled_by, s.disabled_at, g.next_poll_at, g.polled_at, g.answered_at, g.failures, g.last_error,
       p.pages, (select cursor_after from pull_page l where l.tenant = s.tenant and l.source_id = s.id
                  order by l.seq desc limit 1) as cursor,
       p.records, p.stored, p.known, p.refused,
       (select count(*) from dead_letter d where d.tenant = s.tenant and d.source_id = s.id and d.state = 'open')
  from pull_source s join pull_progress g on g.tenant = s.tenant and g.source_id = s.id
  cross join lateral (
       select count(*) as pages, coalesce(sum(records), 0)::bigint as records,
              coalesce(sum(stored), 0)::bigint as stored, coalesce(sum(known), 0)::bigint as known,
              coalesce(sum(refused), 0)::bigint as refused
         from pull_page p where p.tenant = s.tenant and p.source_id = s.id) p
"""


def token_place(tenant: str, source_id: UUID) -> Place:
    """Where a source's token is sealed."""
    return Place(TABLE, "token_sealed", tenant, str(source_id))


def register(
    work: Work, vault: Vault, caller: Principal, platform: str, wanted: Registration, token: str, now: datetime
) -> SourceRow:
    """Store a new source of the platform; it is due at once. ``now`` is the machine's time.

    Raises:
        Conflict: ``pull_source.too_many``.
    """
    connection, tenant = work.connection, wanted.tenant
    connection.exec_driver_sql("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"pull/{tenant}/{platform}",))
    live: int = connection.exec_driver_sql(
        "select count(*) from pull_source where tenant = %s and platform = %s and disabled_at is null",
        (tenant, platform),
    ).scalar_one()
    if live >= MAX_LIVE:
        raise Conflict(
            "pull_source.too_many",
            f"同一区域最多 {MAX_LIVE} 个有效来源，请先停用一个。",
            f"A tenant has at most {MAX_LIVE} live sources of a platform; disable one first.",
        )
    source_id = new_id()
    connection.exec_driver_sql(
        "insert into pull_source (tenant, id, platform, client_id, what, url, token_sealed, every_seconds, "
        "registered_by, registered_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            tenant, source_id, platform, caller.client_id, wanted.what, wanted.url,
            vault.sealer.seal(token, token_place(tenant, source_id)), wanted.every_seconds, caller.subject, work.at,
        ),
    )  # fmt: skip
    connection.exec_driver_sql(
        "insert into pull_progress (tenant, source_id, next_poll_at) values (%s, %s, %s)", (tenant, source_id, now)
    )
    details: dict[str, Json] = {
        "platform": platform,
        "client_id": caller.client_id,
        "what": wanted.what,
        "url": wanted.url,
        "every_seconds": wanted.every_seconds,
        "token_mac": _token_mac(vault, token),
    }
    _tell(work, tenant, source_id, caller.subject, "pull.registered", details)
    return view(connection, source_id, platform)


def listed(connection: Connection, platform: str | None, after: UUID | None, limit: int) -> list[SourceRow]:
    """Sources in the caller's tenants, of its platform where it is one, the oldest first."""
    rows = connection.exec_driver_sql(
        f"{_ROWS} where (%s::text is null or s.platform = %s) and (%s::uuid is null or s.id > %s) "  # our own text
        "order by s.id limit %s",
        (platform, platform, after, after, limit),
    )
    return [SourceRow(*row) for row in rows]


def source_totals(connection: Connection, platform: str | None, most: int | None) -> tuple[int]:
    """How many sources :func:`listed` lists, counted up to ``most``."""
    count: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from pull_source s where %s::text is null or s.platform = %s limit %s) found",
        (platform, platform, most),
    ).scalar_one()
    return (count,)


def view(connection: Connection, source_id: UUID, platform: str | None) -> SourceRow:
    """The source.

    Raises:
        NotFound: there is none, or it is another platform's or tenant's.
    """
    row = connection.exec_driver_sql(
        f"{_ROWS} where s.id = %s and (%s::text is null or s.platform = %s)",
        (source_id, platform, platform),
    ).one_or_none()
    if row is None:
        raise not_found("拉取来源", "pull source")
    return SourceRow(*row)


def disable(work: Work, actor: str, source_id: UUID, platform: str | None) -> SourceRow:
    """Ask it no more; done before, it stays as it is.

    Raises:
        NotFound: as for :func:`view`.
    """
    row = _locked(work, source_id, platform)
    if row.disabled_at is not None:
        return row
    work.connection.exec_driver_sql(
        "update pull_source set disabled_by = %s, disabled_at = %s where tenant = %s and id = %s",
        (actor, work.at, row.tenant, row.id),
    )
    _tell(work, row.tenant, row.id, actor, "pull.disabled", {})
    return view(work.connection, source_id, platform)


def set_token(work: Work, vault: Vault, actor: str, row_id: UUID, platform: str | None, token: str) -> SourceRow:
    """Give the source another token, for the next request.

    Raises:
        NotFound: as for :func:`view`.
        Conflict: the source is disabled.
    """
    row = _live(work, row_id, platform)
    sealed = vault.sealer.seal(token, token_place(row.tenant, row.id))
    work.connection.exec_driver_sql(
        "update pull_source set token_sealed = %s where tenant = %s and id = %s", (sealed, row.tenant, row.id)
    )
    _tell(work, row.tenant, row.id, actor, "pull.token_set", {"token_mac": _token_mac(vault, token)})
    return row


def ask_now(work: Work, actor: str, source_id: UUID, platform: str | None, now: datetime) -> SourceRow:
    """Have it asked at once, whatever it waits for; an open breaker tries once. ``now`` is the machine's time.

    Raises:
        NotFound: as for :func:`view`.
        Conflict: the source is disabled.
    """
    row = _live(work, source_id, platform)
    work.connection.exec_driver_sql(
        "update pull_progress set next_poll_at = %s where tenant = %s and source_id = %s", (now, row.tenant, row.id)
    )
    _tell(work, row.tenant, row.id, actor, "pull.asked", {})
    return view(work.connection, source_id, platform)


def source_json(row: SourceRow, pace: Pace) -> dict[str, Json]:
    """The source as an answer."""
    state = State.DISABLED if row.disabled_at is not None else pace.state_of(row.failures)
    return {
        "id": str(row.id),
        "tenant": row.tenant,
        "platform": row.platform,
        "client_id": row.client_id,
        "what": row.what,
        "url": row.url,
        "every_seconds": row.every_seconds,
        "state": state.value,
        "cursor": row.cursor,
        "pages": row.pages,
        "records": row.records,
        "stored": row.stored,
        "known": row.known,
        "refused": row.refused,
        "dead_letters_open": row.letters_open,
        "failures": row.failures,
        "last_error": None if row.last_error is None else json.loads(row.last_error),
        "registered_at": plain(row.registered_at),
        "disabled_at": plain(row.disabled_at),
        "polled_at": plain(row.polled_at),
        "answered_at": plain(row.answered_at),
        "next_poll_at": None if row.disabled_at is not None else plain(row.next_poll_at),
    }


def _locked(work: Work, source_id: UUID, platform: str | None) -> SourceRow:
    work.connection.exec_driver_sql("select 1 from pull_source where id = %s for no key update", (source_id,))
    return view(work.connection, source_id, platform)


def _live(work: Work, source_id: UUID, platform: str | None) -> SourceRow:
    row = _locked(work, source_id, platform)
    if row.disabled_at is not None:
        raise Conflict("pull_source.disabled", "此来源已停用。", "This source is disabled.")
    return row


def _token_mac(vault: Vault, token: str) -> str:
    """A keyed digest: a platform's token may be short enough to be guessed from a plain one."""
    return vault.content_mac(b"pull-token\x00" + token.encode()).hex()


def _tell(work: Work, tenant: str, source_id: UUID, actor: str, action: str, details: Mapping[str, Any]) -> None:
    record(work.connection, [Change(tenant, actor, action, source_id, details=details)], work.at)
