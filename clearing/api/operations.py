"""``/v1/operations``: how connectors stand, what waits and is stuck, clients with their keys and last requests."""

from typing import Any, Final
from uuid import UUID

from flask import Response, current_app
from marshmallow import Schema, fields, validate

from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page, read_cursor
from clearing.operating import clients, connectors, deliveries, jobs, receipts
from clearing.operating.requests import KEPT_FOR, KEPT_REQUESTS, RequestLog, curl_of
from clearing.webhooks import endpoints
from connectors.claim_schema import NAME_CHARACTERS
from connectors.fields import DayField
from tenants.client_keys import add_key, revoke_key
from tenants.kernel.database import Work
from tenants.kernel.errors import Invalid, not_found

blueprint = Noun("operations", __name__, url_prefix="/v1/operations", description="连接器运维 / operating")

OPERATOR: Final = "clearing:operate"
READERS: Final = (OPERATOR, "audit:read")
LARGEST_SEQ: Final = 2**53 - 1
_NAME: Final = validate.Length(1, NAME_CHARACTERS)


class JobQuerySchema(PageSchema):
    """The filters of the list of jobs."""

    tenant = fields.String(validate=_NAME)
    platform = fields.String(validate=_NAME)
    kind = fields.String(validate=_NAME)
    state = fields.String(validate=validate.OneOf(("open", "stuck")))


class ClientQuerySchema(PageSchema):
    """The filter of the list of clients."""

    platform = fields.String(load_default=None, validate=_NAME)


class EndpointQuerySchema(PageSchema):
    """The filter of the list of endpoints."""

    platform = fields.String(load_default=None, validate=_NAME)


class MessageQuerySchema(PageSchema):
    """The filter of an endpoint's messages."""

    state = fields.String(load_default=None, validate=validate.OneOf(deliveries.STATES))


class ReceiptQuerySchema(PageSchema):
    """The filters of the list of receipts."""

    tenant = fields.String(validate=_NAME)
    platform = fields.String(validate=_NAME)
    from_on = DayField(optional=True)
    through_on = DayField(optional=True)


class PublicKeySchema(Schema):
    """A public key (P-256, as JWK)."""

    kty = fields.String(required=True, validate=validate.Length(max=20))
    crv = fields.String(required=True, validate=validate.Length(max=20))
    x = fields.String(required=True, validate=validate.Length(max=100))
    y = fields.String(required=True, validate=validate.Length(max=100))


class ResendSchema(Schema):
    """From where to tell again."""

    after = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0, LARGEST_SEQ),
        metadata={"description": "seq of the last event that is not to be told again"},
    )


class RequestSchema(Schema):
    """A request of a client, as far as it is kept."""

    at = instant("时刻 / when")
    request_id = text("请求编号 / X-Request-Id")
    method = text("方法 / method")
    path = text("路径，不含信用代码 / path, without credit codes")
    query = text("查询参数，可能涉及企业的取值已隐去 / query; values that may name an enterprise are hidden")
    type = text("内容类型 / content type of the body")
    bytes = fields.Integer(metadata={"description": "字节数 / size of the body"})
    status = fields.Integer(metadata={"description": "状态码 / status"})
    code = text("问题代码 / code of the problem")
    milliseconds = fields.Integer(metadata={"description": "毫秒 / time taken"})
    curl = text("重做此请求的命令，不含密钥 / the request as a command; it holds no secret")


class RequestsSchema(Schema):
    """A client's last requests."""

    items = fields.List(fields.Nested(RequestSchema))
    kept_requests = fields.Integer(metadata={"description": "至多保留 / at most so many are kept"})
    kept_days = fields.Integer(metadata={"description": "至多保留的天数 / and so many days"})


@blueprint.get("/connectors")
@needs(*READERS)
def get_connectors() -> Response:
    """How every platform that submits for the caller's tenants stands."""

    def use_case(work: Work) -> Answer:
        return Answer({"items": [each.json() for each in standings(work)], "next_cursor": None})

    return in_transaction(use_case)


@blueprint.get("/jobs")
@needs(*READERS)
@blueprint.arguments(JobQuerySchema, location="query")
def get_jobs(query: dict[str, Any]) -> Response:
    """List what the workers have still to do, the oldest first; ``state=stuck`` is what somebody has to look at."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = jobs.list_jobs(work.connection, principal().tenants, query, after, limit + 1)
        return Answer(page(rows, limit, jobs.JobRow.json, lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.post("/jobs/<uuid:job_id>/retry")
@needs(OPERATOR)
def retry_job(job_id: UUID) -> Response:
    """Let a job be tried again at once."""
    caller = principal()
    return in_transaction(lambda work: Answer(jobs.retry(work, caller.tenants, caller.subject, job_id).json()))


@blueprint.get("/clients")
@needs(*READERS)
@blueprint.arguments(ClientQuerySchema, location="query")
def get_clients(query: dict[str, Any]) -> Response:
    """List the clients that act for the caller's tenants only, with their public keys."""
    limit, after = query["limit"], read_cursor(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = clients.list_clients(work.connection, principal().tenants, query["platform"], after, limit + 1)
        keys = clients.keys_of(work.connection, [row.client_id for row in rows])
        return Answer(page(rows, limit, lambda row: row.json(keys[row.client_id]), lambda row: row.client_id))

    return in_transaction(use_case)


@blueprint.get("/clients/<client_id>")
@needs(*READERS)
def get_client(client_id: str) -> Response:
    """One client."""
    return in_transaction(lambda work: _client(work, client_id))


@blueprint.post("/clients/<client_id>/keys")
@needs(OPERATOR)
@blueprint.arguments(PublicKeySchema)
def add_client_key(body: dict[str, str], client_id: str) -> Response:
    """Let the client show itself with this key too; the old one holds until it is revoked."""

    def use_case(work: Work) -> Answer:
        add_key_as_caller(work, client_id, body)
        return Answer(_client(work, client_id).body, 201)

    return in_transaction(use_case)


@blueprint.post("/clients/<client_id>/keys/<kid>/revoke")
@needs(OPERATOR)
def revoke_client_key(client_id: str, kid: str) -> Response:
    """Refuse what is signed with the key from now on."""

    def use_case(work: Work) -> Answer:
        revoke_key_as_caller(work, client_id, kid)
        return _client(work, client_id)

    return in_transaction(use_case)


@blueprint.get("/clients/<client_id>/requests")
@needs(*READERS)
@blueprint.response(200, RequestsSchema)
def get_requests(client_id: str) -> Response:
    """The client's last requests, the newest first, as far as they are kept: neither bodies nor secrets are."""
    in_transaction(lambda work: _client(work, client_id))
    return in_transaction(lambda _: Answer(requests_json(client_id)))


@blueprint.get("/webhooks")
@needs(*READERS)
@blueprint.arguments(EndpointQuerySchema, location="query")
def get_endpoints(query: dict[str, Any]) -> Response:
    """List all platforms' endpoints of the caller's tenants, and what is not delivered there."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        tenants = principal().tenants
        rows = deliveries.list_endpoints(work.connection, tenants, query["platform"], after, limit + 1)
        behind = deliveries.backlogs(work.connection, [row.id for row in rows])
        return Answer(page(rows, limit, lambda row: endpoint_json(row, behind[row.id]), lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.get("/webhooks/<uuid:endpoint_id>/messages")
@needs(*READERS)
@blueprint.arguments(MessageQuerySchema, location="query")
def get_messages(query: dict[str, Any], endpoint_id: UUID) -> Response:
    """List an endpoint's messages, the newest first, with how often each was tried and what was answered last."""
    limit, before = query["limit"], seq_of(query["cursor"])

    def use_case(work: Work) -> Answer:
        endpoint = deliveries.find_endpoint(work.connection, principal().tenants, endpoint_id)
        rows = deliveries.list_messages(work.connection, endpoint, query["state"], before, limit + 1)
        return Answer(page(rows, limit, deliveries.MessageRow.json, lambda row: str(row.seq)))

    return in_transaction(use_case)


@blueprint.post("/webhooks/<uuid:endpoint_id>/resend")
@needs(OPERATOR)
@blueprint.arguments(ResendSchema)
def resend_events(body: dict[str, Any], endpoint_id: UUID) -> Response:
    """Tell everything behind an event again, with the ids that it had."""
    return in_transaction(lambda work: Answer({"messages": resend_as_caller(work, endpoint_id, body["after"])}))


@blueprint.get("/receipts")
@needs(*READERS)
@blueprint.arguments(ReceiptQuerySchema, location="query")
def get_receipts(query: dict[str, Any]) -> Response:
    """List the daily receipts, the newest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = receipts.list_receipts(work.connection, principal().tenants, query, after, limit + 1)
        return Answer(page(rows, limit, receipts.Receipt.json, lambda row: str(row.id)))

    return in_transaction(use_case)


def standings(work: Work) -> list[connectors.Standing]:
    """How the platforms stand, as far as the caller's tenants are concerned."""
    tenants = principal().tenants
    known = connectors.clients_of(work.connection, tenants)
    latest = request_log().latest([client_id for _, client_id, _, _ in known])
    return connectors.standings(work.connection, tenants, known, latest)


def add_key_as_caller(work: Work, client_id: str, jwk: dict[str, str]) -> str:
    """Add the key, as the caller, who acts for every tenant of the client."""
    clients.find_client_of(work.connection, principal().tenants, client_id)
    return add_key(work, client_id, jwk, principal().subject)


def revoke_key_as_caller(work: Work, client_id: str, kid: str) -> None:
    """Revoke the key, as the caller, who acts for every tenant of the client."""
    clients.find_client_of(work.connection, principal().tenants, client_id)
    revoke_key(work, client_id, kid, principal().subject)


def resend_as_caller(work: Work, endpoint_id: UUID, after: int) -> int:
    """Send everything behind the event again, as the caller; how many messages."""
    caller = principal()
    endpoint = deliveries.find_endpoint(work.connection, caller.tenants, endpoint_id)
    return endpoints.replay(work, caller, endpoint.platform, endpoint.id, after, current().machine.now())


def requests_json(client_id: str) -> dict[str, Any]:
    """The client's last requests in the form of the interface."""
    items = [{**entry, "curl": curl_of(entry)} for entry in request_log().of(client_id)]
    return {"items": items, "kept_requests": KEPT_REQUESTS, "kept_days": KEPT_FOR.days}


def endpoint_json(row: endpoints.EndpointRow, behind: deliveries.Backlog) -> dict[str, Any]:
    """The endpoint as operators see it."""
    shown = endpoints.endpoint_json(row, {})
    return {**shown, "platform": row.platform, "messages": {"waiting": behind.waiting, "given_up": behind.given_up}}


def request_log() -> RequestLog:
    """The application's request log."""
    found: RequestLog = current_app.extensions["clearing-requests"]
    return found


def seq_of(cursor: str | None) -> int | None:
    """The message behind which a page starts.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    if key is None:
        return None
    if not key.isascii() or not key.isdecimal() or int(key) > LARGEST_SEQ:
        raise Invalid("input.invalid", "游标无效，请从第一页开始。", "The cursor is not valid.")
    return int(key)


def _client(work: Work, client_id: str) -> Answer:
    if len(client_id) > NAME_CHARACTERS:
        raise not_found("客户端", "client")
    row = clients.find_client_of(work.connection, principal().tenants, client_id)
    return Answer(row.json(clients.keys_of(work.connection, [client_id])[client_id]))
