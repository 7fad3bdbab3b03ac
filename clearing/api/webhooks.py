"""``/v1/webhooks``: where a platform is told of its claims, and telling it again."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.webhooks import endpoints
from clearing.webhooks.targets import TargetError, address_of, refused, target_of
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Forbidden, Invalid, Text

blueprint = Noun("webhooks", __name__, url_prefix="/v1/webhooks", description="事件推送 / webhooks")

LARGEST_SEQ = 2**53 - 1
_NO_PLATFORM = ""
"""Has no endpoint: to whoever is no platform, each is absent."""


class RegistrationSchema(Schema):
    """Where to tell of one tenant's claims."""

    tenant = fields.String(required=True, metadata={"examples": ["jiangsu"]})
    url = fields.String(required=True, validate=validate.Length(max=500), metadata={"format": "uri"})


class ReplaySchema(Schema):
    """From where to tell again."""

    after = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0, LARGEST_SEQ),
        metadata={"description": "seq of the last event that is not to be told again"},
    )


@blueprint.post("")
@needs("claims:write")
@blueprint.arguments(RegistrationSchema)
def register_webhook(body: dict[str, Any]) -> Response:
    """Register an endpoint; its secret (Standard Webhooks) is in this answer and in no other."""
    caller, platform = principal(), _platform()
    if body["tenant"] not in caller.tenants:
        said = Text("没有这个区域，或本客户端不可向其提交。", "No such tenant, or this client may not submit for it.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/tenant", "tenant.unknown", said),))
    target = target_of(body["url"], demonstration=current().settings.calls_loopback)
    try:
        address_of(target)
    except TargetError:
        raise refused("主机名没有公网地址。", "The host has no public address.") from None

    def use_case(work: Work) -> Answer:
        sealer = current().vault.sealer
        row, secret = endpoints.register(work, sealer, caller, platform, body["tenant"], body["url"])
        return Answer(endpoints.endpoint_json(row, {}) | {"secret": secret}, 201)

    # stored under no Idempotency-Key: that would keep the secret in clear
    service = current()
    return respond(run(service.engine, Scope(caller.tenants, platform), service.machine, use_case))


@blueprint.get("")
@needs("claims:read", "claims:write")
@blueprint.arguments(PageSchema, location="query")
def list_webhooks(query: dict[str, Any]) -> Response:
    """The platform's endpoints, the oldest first, and what became of their messages."""
    platform, limit, after = _platform(), query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = endpoints.listed(work.connection, platform, after, limit + 1)
        counted = endpoints.counts(work.connection, [row.id for row in rows])
        return Answer(page(rows, limit, lambda row: endpoints.endpoint_json(row, counted), lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:endpoint_id>")
@needs("claims:read", "claims:write")
def get_webhook(endpoint_id: UUID) -> Response:
    """One endpoint."""
    platform = principal().platform or _NO_PLATFORM
    return in_transaction(lambda work: Answer(_shown(work, endpoints.view(work.connection, platform, endpoint_id))))


@blueprint.post("/<uuid:endpoint_id>/disable")
@needs("claims:write")
def disable_webhook(endpoint_id: UUID) -> Response:
    """Tell this endpoint nothing more."""
    caller = principal()
    platform = caller.platform or _NO_PLATFORM
    return in_transaction(lambda work: Answer(_shown(work, endpoints.disable(work, caller, platform, endpoint_id))))


@blueprint.post("/<uuid:endpoint_id>/replay")
@needs("claims:write")
@blueprint.arguments(ReplaySchema)
def replay_webhook(body: dict[str, Any], endpoint_id: UUID) -> Response:
    """Tell everything behind an event again, with the ids that it had."""
    caller = principal()
    platform = caller.platform or _NO_PLATFORM

    def use_case(work: Work) -> Answer:
        now = current().machine.now()
        count = endpoints.replay(work, caller, platform, endpoint_id, body["after"], now)
        return Answer({"messages": count})

    return in_transaction(use_case)


def _shown(work: Work, row: endpoints.EndpointRow) -> dict[str, Json]:
    return endpoints.endpoint_json(row, endpoints.counts(work.connection, [row.id]))


def _platform() -> str:
    platform = principal().platform
    if platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端有事件。", "Only a platform's client has events.")
    return platform
