"""``/v1/events``: what happened to a platform's own claims, batches and payouts, in one gapless order."""

import json
from typing import Any, Final

from flask import Response
from marshmallow import fields, validate

from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, page, read_cursor
from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work
from tenants.kernel.errors import Forbidden

blueprint = Noun("events", __name__, url_prefix="/v1/events", description="平台事件 / events of a platform")

LARGEST_SEQ: Final = 2**53 - 1

_EVENTS: Final = (
    "select f.seq, f.type, f.tenant, o.subject_id, f.at, f.payload, f.outbox_id from platform_feed f "
    "join outbox o on o.id = f.outbox_id "
    "where f.platform = %s and f.seq > %s and f.tenant = any(%s) order by f.seq limit %s"
)


class EventQuerySchema(PageSchema):
    """Where to go on reading: behind an event, or behind a page."""

    after = fields.Integer(
        load_default=0, validate=validate.Range(0, LARGEST_SEQ), metadata={"description": "seq of the last event read"}
    )


@blueprint.get("")
@needs("claims:read")
@blueprint.arguments(EventQuerySchema, location="query")
def list_events(query: dict[str, Any]) -> Response:
    """The platform's events after a number; read again with the last number to go on, safely as often as wanted.

    Raises:
        Forbidden: the caller is no platform's client.
    """
    caller = principal()
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端有事件。", "Only a platform's client has events.")
    limit, cursor = query["limit"], read_cursor(query["cursor"])
    after = query["after"] if cursor is None else _seq(cursor)
    given = (caller.platform, after, list(caller.tenants), limit + 1)

    def use_case(work: Work) -> Answer:
        rows = work.connection.exec_driver_sql(_EVENTS, given).all()
        return Answer(page(rows, limit, _shown, lambda row: str(row.seq)))

    return in_transaction(use_case)


def _seq(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) > LARGEST_SEQ:
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid; start from the first page.")
    return int(cursor)


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
