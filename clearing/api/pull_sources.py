"""``/v1/pull-sources``: a platform's outlets that this service asks for what is new, and how each stands."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.pulling import sources
from clearing.pulling.pace import Pace
from clearing.pulling.replaying import Replayed, replay_all
from clearing.pulling.sources import MAX_TOKEN, MIN_TOKEN, Registration
from clearing.pulling.taking import problem_json
from clearing.webhooks.targets import TargetError, address_of, refused, target_of
from connectors.record import WHAT
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import FieldError, Forbidden, Invalid, Text

blueprint = Noun("pull-sources", __name__, url_prefix="/v1/pull-sources", description="主动拉取 / pulling")

READERS = ("claims:read", "claims:write", "clearing:operate", "audit:read")
OPERATORS = ("claims:write", "clearing:operate")
REPLAYED_AT_ONCE = 100
_PACE = Pace()
_TOKEN = {"description": "the bearer token by which the platform knows this service; sealed, never shown"}


def _token() -> fields.String:
    printable = validate.Regexp(r"[\x21-\x7e]*\Z", error="printable ASCII without spaces")
    return fields.String(required=True, validate=[validate.Length(MIN_TOKEN, MAX_TOKEN), printable], metadata=_TOKEN)


class SourceSchema(Schema):
    """An outlet of one tenant's claims, requests for quota or support records."""

    tenant = fields.String(required=True, metadata={"examples": ["jiangsu"]})
    what = fields.String(load_default="claims", validate=validate.OneOf(sorted(WHAT)))
    url = fields.String(required=True, validate=validate.Length(max=500), metadata={"format": "uri"})
    token = _token()
    every_seconds = fields.Integer(
        load_default=60,
        strict=True,
        validate=validate.Range(1, 86_400),
        metadata={"description": "how long after an answer it is asked again"},
    )


class TokenSchema(Schema):
    """Another token."""

    token = _token()


@blueprint.post("")
@needs("claims:write")
@blueprint.arguments(SourceSchema)
def register_source(body: dict[str, Any]) -> Response:
    """Have an outlet of the platform asked for what is new; its records go in in this client's name."""
    caller = principal()
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端可以登记。", "Only a platform's client may register.")
    if body["tenant"] not in caller.tenants:
        said = Text("没有这个区域，或本客户端不可向其提交。", "No such tenant, or this client may not submit for it.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/tenant", "tenant.unknown", said),))
    if body["what"] == "support_records" and not caller.may("support:write"):
        raise Forbidden("scope.missing", "需要权限 support:write。", "The scope support:write is needed.")
    target = target_of(body["url"], demonstration=current().settings.calls_loopback)
    try:
        address_of(target)
    except TargetError:
        raise refused("主机名没有公网地址。", "The host has no public address.") from None
    service, platform = current(), caller.platform
    wanted = Registration(body["tenant"], body["what"], body["url"], body["every_seconds"])

    def use_case(work: Work) -> Answer:
        row = sources.register(work, service.vault, caller, platform, wanted, body["token"], service.machine.now())
        return Answer(_json(row), 201, {"Location": f"/v1/pull-sources/{row.id}"})

    return in_transaction(use_case)


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
def list_sources(query: dict[str, Any]) -> Response:
    """The platform's sources, or for a person those of the tenants, the oldest first, and how each stands."""
    limit, after, platform = query["limit"], cursor_id(query["cursor"]), principal().platform

    def use_case(work: Work) -> Answer:
        rows = sources.listed(work.connection, platform, after, limit + 1)
        return Answer(page(rows, limit, _json, lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:source_id>")
@needs(*READERS)
def get_source(source_id: UUID) -> Response:
    """One source: its cursor, what came of its pages, its last error, and when it is asked next."""
    platform = principal().platform
    return in_transaction(lambda work: Answer(_json(sources.view(work.connection, source_id, platform))))


@blueprint.post("/<uuid:source_id>/disable")
@needs(*OPERATORS)
def disable_source(source_id: UUID) -> Response:
    """Ask it no more."""
    caller = principal()
    return in_transaction(lambda work: Answer(_json(sources.disable(work, caller.subject, source_id, caller.platform))))


@blueprint.post("/<uuid:source_id>/poll")
@needs(*OPERATORS)
def poll_source(source_id: UUID) -> Response:
    """Ask it at once, whatever it waits for."""
    caller, now = principal(), current().machine.now()
    return in_transaction(
        lambda work: Answer(_json(sources.ask_now(work, caller.subject, source_id, caller.platform, now)), 202)
    )


@blueprint.post("/<uuid:source_id>/token")
@needs("claims:write")
@blueprint.arguments(TokenSchema)
def set_source_token(body: dict[str, Any], source_id: UUID) -> Response:
    """Give this service another token for the outlet."""
    caller, vault = principal(), current().vault
    use_case = partial(sources.set_token, vault=vault, actor=caller.subject, row_id=source_id)
    return in_transaction(lambda work: Answer(_json(use_case(work, platform=caller.platform, token=body["token"]))))


@blueprint.post("/<uuid:source_id>/replay")
@needs(*OPERATORS)
def replay_source(source_id: UUID) -> Response:
    """Try the source's open dead letters again, the oldest first, at most a hundred; each by itself."""
    service, caller = current(), principal()
    scope = Scope(caller.tenants, caller.platform)
    run(service.engine, scope, service.machine, lambda w: sources.view(w.connection, source_id, caller.platform))
    done = list(replay_all(service, caller, source_id, REPLAYED_AT_ONCE))
    taken = sum(1 for one in done if one.problem is None)
    left: list[Json] = [_still_open(one) for one in done if one.problem is not None]
    return respond(Answer({"tried": len(done), "taken": taken, "still_open": left}))


def _still_open(one: Replayed) -> Json:
    return {"id": str(one.letter_id), "problem": None if one.problem is None else problem_json(one.problem)}


def _json(row: sources.SourceRow) -> dict[str, Json]:
    return sources.source_json(row, _PACE)
