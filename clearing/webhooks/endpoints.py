"""A platform's endpoints: registered with a secret that is shown once, disabled, replayed from an event on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from connectors.webhook_signature import new_secret
from tenants.kernel.canonical import Json, plain, sha256
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.sealing import Place, Sealer
from tenants.principal import Principal

MAX_LIVE: Final = 5
"""Live endpoints of one platform in one tenant."""
TABLE: Final = "webhook_endpoint"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint as stored, without its secret."""

    tenant: str
    id: UUID
    platform: str
    url: str
    starts_after_seq: int
    fed_through_seq: int
    registered_by: str
    registered_at: datetime
    disabled_by: str | None
    disabled_at: datetime | None


_COLUMNS: Final = ", ".join(field.name for field in fields(EndpointRow))


def secret_place(tenant: str, endpoint_id: UUID) -> Place:
    """Where an endpoint's secret is sealed."""
    return Place(TABLE, "secret_sealed", tenant, str(endpoint_id))


def register(
    work: Work, sealer: Sealer, caller: Principal, platform: str, tenant: str, url: str
) -> tuple[EndpointRow, str]:
    """Store a new endpoint of the platform for one tenant; the secret is shown now and never again.

    Raises:
        Conflict: ``webhook.too_many``.
    """
    connection = work.connection
    # whoever registers for this platform and tenant at the same moment waits here
    connection.exec_driver_sql(
        "select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"webhook/{tenant}/{platform}",)
    )
    live: int = connection.exec_driver_sql(
        "select count(*) from webhook_endpoint where tenant = %s and platform = %s and disabled_at is null",
        (tenant, platform),
    ).scalar_one()
    if live >= MAX_LIVE:
        raise Conflict(
            "webhook.too_many",
            f"同一区域最多 {MAX_LIVE} 个有效地址，请先停用一个。",
            f"A tenant has at most {MAX_LIVE} live endpoints of a platform; disable one first.",
        )
    latest: int = connection.exec_driver_sql(
        "select coalesce(max(seq), 0) from platform_feed where platform = %s", (platform,)
    ).scalar_one()
    secret, endpoint_id = new_secret(), new_id()
    row = EndpointRow(tenant, endpoint_id, platform, url, latest, latest, caller.subject, work.at, None, None)
    sealed = sealer.seal(secret, secret_place(tenant, endpoint_id))
    connection.exec_driver_sql(
        "insert into webhook_endpoint (tenant, id, platform, url, secret_sealed, starts_after_seq, fed_through_seq, "
        "registered_by, registered_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (tenant, endpoint_id, platform, url, sealed, latest, latest, caller.subject, work.at),
    )
    details: dict[str, Json] = {
        "platform": platform,
        "url": url,
        "secret_sha256": sha256(secret.encode()).hex(),
        "starts_after_seq": latest,
    }
    _record(work, row, caller.subject, "webhook.registered", None, "live", details)
    return row, secret


def listed(connection: Connection, platform: str, after: UUID | None, limit: int) -> list[EndpointRow]:
    """The platform's endpoints in the caller's tenants, the oldest first."""
    rows = connection.exec_driver_sql(
        f"select {_COLUMNS} from webhook_endpoint where platform = %s "  # noqa: S608 - our own columns
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (platform, after, after, limit),
    )
    return [EndpointRow(*row) for row in rows]


def view(connection: Connection, platform: str, endpoint_id: UUID) -> EndpointRow:
    """The platform's endpoint.

    Raises:
        NotFound: there is none, or it is another platform's or tenant's.
    """
    row = connection.exec_driver_sql(
        f"select {_COLUMNS} from webhook_endpoint where platform = %s and id = %s "  # noqa: S608 - our own columns
        "for no key update",
        (platform, endpoint_id),
    ).one_or_none()
    if row is None:
        raise not_found("推送地址", "webhook")
    return EndpointRow(*row)


def disable(work: Work, caller: Principal, platform: str, endpoint_id: UUID) -> EndpointRow:
    """Tell this endpoint nothing more; done before, it stays as it is.

    Raises:
        NotFound: as for :func:`view`.
    """
    row = view(work.connection, platform, endpoint_id)
    if row.disabled_at is not None:
        return row
    work.connection.exec_driver_sql(
        "update webhook_endpoint set disabled_by = %s, disabled_at = %s where tenant = %s and id = %s",
        (caller.subject, work.at, row.tenant, row.id),
    )
    _record(work, row, caller.subject, "webhook.disabled", "live", "disabled", {})
    return view(work.connection, platform, endpoint_id)


def replay(work: Work, caller: Principal, platform: str, endpoint_id: UUID, after: int, now: datetime) -> int:
    """Send everything behind this event again, in its order, with the ids that it had; how many messages.

    ``now`` is the machine's time, by which messages are due.

    Raises:
        NotFound: as for :func:`view`.
        Conflict: the endpoint is disabled.
    """
    row = view(work.connection, platform, endpoint_id)
    if row.disabled_at is not None:
        raise Conflict("webhook.disabled", "此地址已停用。", "This endpoint is disabled.")
    count = work.connection.exec_driver_sql(
        "update webhook_message set queued_at = %s, next_attempt_at = %s, attempts = 0, last_answer = null, "
        "done_at = null, gave_up = false where tenant = %s and endpoint_id = %s and seq > %s and done_at is not null",
        (now, now, row.tenant, row.id, after),
    ).rowcount
    _record(work, row, caller.subject, "webhook.replayed", "live", "live", {"after": after, "messages": count})
    return count


def counts(connection: Connection, endpoint_ids: Sequence[UUID]) -> Mapping[UUID, dict[str, Json]]:
    """What became of each endpoint's messages so far."""
    rows = connection.exec_driver_sql(
        "select endpoint_id, count(*) filter (where done_at is null), "
        "count(*) filter (where done_at is not null and not gave_up), count(*) filter (where gave_up), "
        "max(attempts) filter (where done_at is null), "
        "(array_agg(last_answer order by next_attempt_at desc) filter (where done_at is null and attempts > 0))[1] "
        "from webhook_message where endpoint_id = any(%s) group by endpoint_id",
        (list(endpoint_ids),),
    )
    return {
        endpoint: {"waiting": waiting, "delivered": told, "given_up": gave_up, "attempts": tried, "last_answer": answer}
        for endpoint, waiting, told, gave_up, tried, answer in rows
    }


def endpoint_json(row: EndpointRow, counted: Mapping[UUID, dict[str, Json]]) -> dict[str, Json]:
    """The endpoint as an answer."""
    nothing: dict[str, Json] = {"waiting": 0, "delivered": 0, "given_up": 0, "attempts": None, "last_answer": None}
    return {
        "id": str(row.id),
        "tenant": row.tenant,
        "url": row.url,
        "state": "live" if row.disabled_at is None else "disabled",
        "starts_after": row.starts_after_seq,
        "fed_through": row.fed_through_seq,
        "registered_at": plain(row.registered_at),
        "disabled_at": plain(row.disabled_at),
        "messages": counted.get(row.id, nothing),
    }


def _record(
    work: Work,
    row: EndpointRow,
    actor: str,
    action: str,
    from_state: str | None,
    to_state: str,
    details: Mapping[str, Json],
) -> None:
    change = Change(row.tenant, actor, action, row.id, from_state, to_state, details=details)
    record(work.connection, [change], work.at)
