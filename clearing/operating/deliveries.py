"""Webhooks as operators see them: every platform's endpoints of some tenants, and what became of each message."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.webhooks.endpoints import EndpointRow
from tenants.kernel.canonical import Json, plain
from tenants.kernel.errors import not_found

STATES: Final = ("waiting", "delivered", "given_up")
_STATE: Final = {
    "waiting": "m.done_at is null",
    "delivered": "m.done_at is not null and not m.gave_up",
    "given_up": "m.gave_up",
}


@dataclass(frozen=True, slots=True)
class Backlog:
    """What of an endpoint's messages is not delivered."""

    waiting: int
    given_up: int


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message on its way, or at its end."""

    seq: int
    type: str
    subject_id: UUID
    queued_at: datetime
    next_attempt_at: datetime
    attempts: int
    last_answer: str | None
    done_at: datetime | None
    gave_up: bool

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        return "given_up" if self.gave_up else "waiting" if self.done_at is None else "delivered"

    def json(self) -> dict[str, Json]:
        """The message in the form of the API."""
        return {
            "seq": self.seq,
            "type": self.type,
            "subject_id": str(self.subject_id),
            "state": self.state,
            "queued_at": plain(self.queued_at),
            "next_attempt_at": plain(self.next_attempt_at) if self.done_at is None else None,
            "attempts": self.attempts,
            "last_answer": self.last_answer,
            "done_at": plain(self.done_at),
        }


_ENDPOINT: Final = ", ".join(field.name for field in fields(EndpointRow))


def list_endpoints(
    connection: Connection, tenants: Sequence[str], platform: str | None, after: UUID | None, limit: int | None
) -> list[EndpointRow]:
    """At most ``limit`` endpoints of the tenants behind ``after``, the oldest first."""
    rows = connection.exec_driver_sql(
        f"select {_ENDPOINT} from webhook_endpoint where tenant = any(%s) and (%s::text is null or platform = %s) "  # noqa: S608
        "and (%s::uuid is null or id > %s) order by id limit %s",
        (list(tenants), platform, platform, after, after, limit),
    )
    return [EndpointRow(*row) for row in rows]


def find_endpoint(connection: Connection, tenants: Sequence[str], endpoint_id: UUID) -> EndpointRow:
    """The endpoint.

    Raises:
        NotFound: the tenants have none such.
    """
    row = connection.exec_driver_sql(
        f"select {_ENDPOINT} from webhook_endpoint where tenant = any(%s) and id = %s",  # noqa: S608 - our own columns
        (list(tenants), endpoint_id),
    ).one_or_none()
    if row is None:
        raise not_found("推送地址", "webhook")
    return EndpointRow(*row)


def endpoint_totals(
    connection: Connection, tenants: Sequence[str], platform: str | None, most: int | None = None
) -> tuple[int, Backlog]:
    """How many endpoints there are of these, and what of all their messages is not delivered.

    Of ``most`` of them, where that is given.
    """
    rows = list_endpoints(connection, tenants, platform, None, most)
    each = backlogs(connection, [row.id for row in rows]).values()
    return len(rows), Backlog(sum(one.waiting for one in each), sum(one.given_up for one in each))


def backlogs(connection: Connection, endpoint_ids: Sequence[UUID]) -> dict[UUID, Backlog]:
    """What of each endpoint's messages waits or was given up, by the index of each; what is delivered is not read."""
    rows = connection.exec_driver_sql(
        "select e.id, (select count(*) from webhook_message m where m.tenant = e.tenant and m.endpoint_id = e.id "
        "and m.done_at is null), (select count(*) from webhook_message m where m.tenant = e.tenant "
        "and m.endpoint_id = e.id and m.gave_up) from webhook_endpoint e where e.id = any(%s)",
        (list(endpoint_ids),),
    )
    return {endpoint_id: Backlog(waiting, given_up) for endpoint_id, waiting, given_up in rows}


def message_totals(connection: Connection, endpoint: EndpointRow, state: str | None, most: int | None) -> tuple[int]:
    """How many messages :func:`list_messages` lists, counted up to ``most``."""
    count: int = connection.exec_driver_sql(
        "select count(*) from (select 1 from webhook_message m where m.tenant = %s and m.endpoint_id = %s "  # noqa: S608
        f"and {_STATE.get(state or '', 'true')} limit %s) found",
        (endpoint.tenant, endpoint.id, most),
    ).scalar_one()
    return (count,)


def list_messages(
    connection: Connection, endpoint: EndpointRow, state: str | None, before: int | None, limit: int
) -> list[MessageRow]:
    """At most ``limit`` messages of the endpoint, the newest first, those with a smaller number than ``before``."""
    condition = _STATE.get(state or "", "true")
    rows = connection.exec_driver_sql(
        "select m.seq, f.type, m.subject_id, m.queued_at, m.next_attempt_at, m.attempts, m.last_answer, m.done_at, "  # noqa: S608
        "m.gave_up from webhook_message m join platform_feed f on f.platform = %s and f.seq = m.seq "
        f"where m.tenant = %s and m.endpoint_id = %s and {condition} and (%s::bigint is null or m.seq < %s) "
        "order by m.seq desc limit %s",
        (endpoint.platform, endpoint.tenant, endpoint.id, before, before, limit),
    )
    return [MessageRow(*row) for row in rows]
