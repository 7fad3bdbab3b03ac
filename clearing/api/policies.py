"""``/v1/tenants/{tenant}/schemes/{scheme}/policies``: versions of a scheme's policy, from draft to approval."""

from typing import Any, Final

from flask import Response, request
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond
from clearing.api.noun import Noun, json_body, load
from clearing.tenancy import policy_life
from clearing.tenancy.approving import approve_version
from clearing.tenancy.policies import diff, list_versions, read_version
from clearing.tenancy.policy_life import KINDS, Draft, Place
from clearing.tenancy.rehearsing import Wanted, read_only, read_set, rehearse
from connectors.fields import DayField
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, run
from tenants.policy_document import MAX_DOCUMENT_BYTES

blueprint = Noun(
    "policies",
    __name__,
    url_prefix="/v1/tenants/<tenant>/schemes/<scheme>/policies",
    description="政策版本 / policy versions",
)

READERS: Final = ("claims:read", "reviews:write", "policies:write", "policies:approve", "batches:write", "audit:read")
DRAFT_READERS: Final = ("policies:write", "policies:approve", "audit:read")
"""Who sees what is not approved."""
MAX_DRAFT_BYTES: Final = 2 * MAX_DOCUMENT_BYTES
"""A document within JSON, its line ends and quotation marks escaped."""
MAX_REASON: Final = 2_000
MAX_SET: Final = 1_000
MAX_SET_BYTES: Final = 4 * 1024 * 1024
"""Of an uploaded set: claims, and bytes."""
MAX_CHANGED: Final = 10_000
"""Changed claims that one answer names; the sums are of all."""


class DraftSchema(Schema):
    """A version to be drafted."""

    effective_on = DayField()
    document = fields.String(required=True, metadata={"description": "政策文件（TOML） / the policy document (TOML)"})
    kind = fields.String(load_default=KINDS[0], validate=validate.OneOf(KINDS))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, MAX_REASON))


class AgainstSchema(Schema):
    """With which version another is compared."""

    against = fields.String(load_default=None)


class SimulationSchema(Schema):
    """Over which claims a version is replayed, and how many changed ones are answered."""

    submitted_from = DayField(optional=True)
    submitted_through = DayField(optional=True)
    governed_only = fields.Boolean(
        load_default=False, metadata={"description": "only claims that the version would have governed"}
    )
    claims = fields.List(fields.Raw(), load_default=None, allow_none=True, validate=validate.Length(1, MAX_SET))
    limit = fields.Integer(load_default=1_000, strict=True, validate=validate.Range(0, MAX_CHANGED))


class RejectionSchema(Schema):
    """Why a version is rejected."""

    reason = fields.String(required=True, validate=validate.Length(1, MAX_REASON))


@blueprint.get("")
@needs(*READERS)
def get_policies(tenant: str, scheme: str) -> Response:
    """The scheme's policy versions, the earliest first."""
    unapproved = principal().may(*DRAFT_READERS)

    def use_case(work: Work) -> Answer:
        items = list_versions(work.connection, tenant, scheme, unapproved=unapproved)
        return Answer({"items": items, "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<path:version>")
@needs(*READERS)
def get_policy(tenant: str, scheme: str, version: str) -> Response:
    """One version with its document, word for word."""
    unapproved = principal().may(*DRAFT_READERS)
    return in_transaction(
        lambda work: _shown(read_version(work.connection, tenant, scheme, version, unapproved=unapproved)), (tenant,)
    )


@blueprint.post("")
@needs("policies:write")
@blueprint.doc(
    requestBody={"required": True, "content": {"application/json": {"schema": DraftSchema}}},
    responses={"201": {"description": "drafted"}},
)
def post_policy(tenant: str, scheme: str) -> Response:
    """Draft a version, or write an earlier draft (or a rejected version) of the same day and number anew."""
    body = load(DraftSchema(), json_body(MAX_DRAFT_BYTES, documents=frozenset({"document"})))
    given = Draft(body["effective_on"], body["document"], body["kind"], body["reason"])
    actor = principal().subject
    return in_transaction(lambda work: _shown(policy_life.draft(work, tenant, scheme, given, actor), 201), (tenant,))


@blueprint.post("/<version>/submit")
@needs("policies:write")
def submit_policy(tenant: str, scheme: str, version: str) -> Response:
    """Hand the draft to an approver; its text stands from now on."""
    actor, where = principal().subject, _place(tenant, scheme, version)
    return in_transaction(lambda work: _shown(policy_life.submit(work, where, actor)), (tenant,))


@blueprint.post("/<version>/approve")
@needs("policies:approve")
def approve_policy(tenant: str, scheme: str, version: str) -> Response:
    """Approve what another person submitted; what waits for a value that it sets is assessed at once.

    A retroactive version is approved with the report of what it would have changed, which stays in the audit chain and
    changes no claim. With ``If-Match`` only the text that the approver has read.
    """
    actor, where, service = principal().subject, _place(tenant, scheme, version), current()
    demonstration = service.settings.demonstration

    def use_case(work: Work) -> Answer:
        return _shown(approve_version(work, service.vault, where, actor, demonstration=demonstration))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<version>/reject")
@needs("policies:approve")
@blueprint.arguments(RejectionSchema)
def reject_policy(body: dict[str, Any], tenant: str, scheme: str, version: str) -> Response:
    """Reject what another person submitted, with the reason; it may be drafted anew."""
    actor, where = principal().subject, _place(tenant, scheme, version)
    return in_transaction(lambda work: _shown(policy_life.reject(work, where, actor, body["reason"])), (tenant,))


@blueprint.get("/<version>/diff")
@needs(*READERS)
@blueprint.arguments(AgainstSchema, location="query")
def get_diff(query: dict[str, Any], tenant: str, scheme: str, version: str) -> Response:
    """What the version says otherwise than another (``against``), in words, each with both clauses.

    Without ``against``: than the version before it.
    """
    unapproved = principal().may(*DRAFT_READERS)

    def use_case(work: Work) -> Answer:
        return Answer(diff(work.connection, tenant, scheme, version, query["against"], unapproved=unapproved))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<version>/simulate")
@needs("policies:write", "policies:approve")
@blueprint.doc(requestBody={"required": False, "content": {"application/json": {"schema": SimulationSchema}}})
def simulate_policy(tenant: str, scheme: str, version: str) -> Response:
    """Replay the version over past claims (all, or those of a period), or over an uploaded set; it changes nothing."""
    body = load(SimulationSchema(), json_body(MAX_SET_BYTES) if request.get_data() else {})
    wanted = Wanted(body.get("submitted_from"), body.get("submitted_through"), body["governed_only"], body["limit"])
    claims = None if body["claims"] is None else read_set(body["claims"], tenant, scheme)
    service = current()

    def use_case(work: Work) -> Answer:
        demonstration = service.settings.demonstration
        return Answer(rehearse(work, Place(tenant, scheme, version), wanted, claims, demonstration=demonstration))

    return respond(run(read_only(service.engine), Scope((tenant,)), service.machine, use_case))


def _place(tenant: str, scheme: str, version: str) -> Place:
    """The version of the path; with ``If-Match`` only with the text of that digest, of several tags with none."""
    tags = list(request.if_match.as_set())
    digest = None if not tags else str(tags[0]) if len(tags) == 1 else ""
    return Place(tenant, scheme, version, digest)


def _shown(version: dict[str, Json], status: int = 200) -> Answer:
    return Answer(version, status, {"ETag": f'"{version["content_sha256"]}"'})
