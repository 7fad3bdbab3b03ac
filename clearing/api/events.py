"""``/v1/events``: what happened to a platform's own claims, batches and payouts, in one gapless order."""

import json
from typing import Any, Final

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import DEFAULT_LIMIT, MAX_LIMIT, Noun
from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work
from tenants.kernel.errors import Forbidden

blueprint = Noun("events", __name__, url_prefix="/v1/events", description="平台事件 / events of a platform")

_EVENTS: Final = (
    "select f.seq, f.type, f.tenant, o.subject_id, f.at, f.payload, f.outbox_id from platform_feed f "
    "join outbox o on o.id = f.outbox_id "
    "where f.platform = %s and f.seq > %s and f.tenant = any(%s) order by f.seq limit %s"
)


class EventQuerySchema(Schema):
    """Where to go on reading."""

    after = fields.Integer(
        load_default=0, validate=validate.Range(0, 2**53 - 1), metadata={"description": "seq of the last event read"}
    )
    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MAX_LIMIT))


@blueprint.get("")
@blueprint.arguments(EventQuerySchema, location="query")
@needs("claims:read")
def list_events(query: dict[str, Any]) -> Response:
    """The platform's events after a number; read again with the last number to go on, safely as often as wanted.

    Raises:
        Forbidden: the caller is no platform's client.
    """
    caller = principal()
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端有事件。", "Only a platform's client has events.")
    given = (caller.platform, query["after"], list(caller.tenants), query["limit"] + 1)

    def use_case(work: Work) -> Answer:
        rows = work.connection.exec_driver_sql(_EVENTS, given).all()
        items: list[Json] = [_shown(row) for row in rows[: query["limit"]]]
        last = rows[len(items) - 1].seq if items else query["after"]
        return Answer({"items": items, "last": last, "more": len(rows) > len(items)})

    return in_transaction(use_case)


def _shown(row: Any) -> Json:  # noqa: ANN401 - a row of _EVENTS
    return {
        "seq": row.seq,
        "id": str(row.outbox_id),
        "type": row.type,
        "tenant": row.tenant,
        "subject_id": str(row.subject_id),
        "occurred_at": print_instant(row.at),
        "data": json.loads(row.payload),
    }
