"""How each connector stands: its clients, its last contact, what waits for it, and what of it needs somebody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from clearing.operating.deliveries import Backlog, backlogs, list_endpoints
from clearing.relay import STUCK_ATTEMPTS
from tenants.kernel.canonical import Json, plain
from tenants.profile import load_tenants

MOST_ENDPOINTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """How one platform stands, as far as the tenants are concerned."""

    platform: str
    tenants: tuple[str, ...]
    clients_live: int
    client_ids: tuple[str, ...]
    contact_at: datetime | None
    contact_status: int | None
    told_at: datetime | None
    jobs_open: int
    jobs_stuck: int
    oldest_at: datetime | None
    webhooks: int
    messages: Backlog

    @property
    def state(self) -> str:
        """``trouble`` where somebody has to look, ``silent`` where it never came, else ``fine``."""
        if self.jobs_stuck or self.messages.given_up:
            return "trouble"
        return "silent" if self.contact_at is None else "fine"

    def json(self) -> dict[str, Json]:
        """The standing in the form of the API."""
        return {
            "platform": self.platform,
            "tenants": list(self.tenants),
            "state": self.state,
            "clients_live": self.clients_live,
            "contact_at": plain(self.contact_at),
            "contact_status": self.contact_status,
            "told_at": plain(self.told_at),
            "jobs": {"open": self.jobs_open, "stuck": self.jobs_stuck, "oldest_at": plain(self.oldest_at)},
            "webhooks": self.webhooks,
            "messages": {"waiting": self.messages.waiting, "given_up": self.messages.given_up},
        }


def clients_of(connection: Connection, tenants: Sequence[str]) -> list[tuple[str, str, bool, datetime | None]]:
    """Platform, id, whether it holds, and its last token, of the platforms' clients that act for these tenants only."""
    rows = connection.exec_driver_sql(
        "select c.platform, c.client_id, c.revoked_at is null, (select max(t.issued_at) from access_token t "
        "where t.client_id = c.client_id) from client c where c.platform is not null and c.tenants <@ %s::text[] "
        "order by c.client_id",
        (list(tenants),),
    )
    return [(platform, client_id, live, token_at) for platform, client_id, live, token_at in rows]


def standings(
    connection: Connection,
    tenants: Sequence[str],
    clients: Sequence[tuple[str, str, bool, datetime | None]],
    latest: Mapping[str, Mapping[str, Any]],
) -> list[Standing]:
    """Every platform that may submit for any of the tenants; ``latest`` is each client's last request."""
    waiting = _waiting(connection, tenants)
    endpoints = list_endpoints(connection, tenants, None, None, MOST_ENDPOINTS)
    behind = backlogs(connection, [row.id for row in endpoints])
    platforms: dict[str, list[str]] = {}
    for profile in load_tenants():
        for one in profile.platforms if profile.tenant in tenants else ():
            platforms.setdefault(one.code, []).append(profile.tenant)
    told = _told(connection, sorted(platforms))
    found = []
    for platform, served in sorted(platforms.items()):
        own = [client for client in clients if client[0] == platform]
        at, status = _contact(own, latest)
        mine = [row for row in endpoints if row.platform == platform and row.disabled_at is None]
        backlog = Backlog(sum(behind[row.id].waiting for row in mine), sum(behind[row.id].given_up for row in mine))
        jobs_open, stuck, oldest = waiting.get(platform, (0, 0, None))
        found.append(
            Standing(
                platform, tuple(served), sum(live for _, _, live, _ in own), tuple(one[1] for one in own), at, status,
                told.get(platform), jobs_open, stuck, oldest, len(mine), backlog,
            )
        )  # fmt: skip
    return found


def _contact(
    clients: Sequence[tuple[str, str, bool, datetime | None]], latest: Mapping[str, Mapping[str, Any]]
) -> tuple[datetime | None, int | None]:
    """When any of the clients was last heard of and what it was answered; a token says when, and not the rest."""
    heard: list[tuple[datetime, int | None]] = [(at, None) for _, _, _, at in clients if at is not None]
    for _, client_id, _, _ in clients:
        entry = latest.get(client_id)
        if entry is not None:
            status = entry.get("status")
            heard.append((datetime.fromisoformat(str(entry["at"])), status if isinstance(status, int) else None))
    return max(heard, key=lambda one: one[0]) if heard else (None, None)


def _waiting(connection: Connection, tenants: Sequence[str]) -> dict[str, tuple[int, int, datetime]]:
    rows = connection.exec_driver_sql(
        "select platform, count(*), count(*) filter (where attempts >= %s), min(created_at) from outbox "
        "where done_at is null and platform is not null and tenant = any(%s) group by platform",
        (STUCK_ATTEMPTS, list(tenants)),
    )
    return {platform: (count, stuck, oldest) for platform, count, stuck, oldest in rows}


def _told(connection: Connection, platforms: Sequence[str]) -> dict[str, datetime]:
    """When each platform's feed last grew: one step in its index for each."""
    rows = connection.exec_driver_sql(
        "select p.platform, f.at from unnest(%s::text[]) p (platform) cross join lateral "
        "(select at from platform_feed where platform = p.platform order by seq desc limit 1) f",
        (list(platforms),),
    )
    return {platform: at for platform, at in rows}  # noqa: C416 - rows are no pairs to the type checker
