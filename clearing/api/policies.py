"""``/v1/tenants/{tenant}/schemes/{scheme}/policies``: versions of a scheme's policy, from draft to approval."""

from typing import Any, Final

from flask import Response, request
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, json_body, load
from clearing.claims.activation import assess_waiting
from clearing.tenancy import policy_life
from clearing.tenancy.policies import list_versions, read_version
from clearing.tenancy.policy_life import KINDS, Draft, Place
from connectors.fields import DayField
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
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


class DraftSchema(Schema):
    """A version to be drafted."""

    effective_on = DayField()
    document = fields.String(required=True, metadata={"description": "政策文件（TOML） / the policy document (TOML)"})
    kind = fields.String(load_default=KINDS[0], validate=validate.OneOf(KINDS))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, MAX_REASON))


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

    With ``If-Match`` only the text that the approver has read.
    """
    actor, where, service = principal().subject, _place(tenant, scheme, version), current()

    def use_case(work: Work) -> Answer:
        approved = policy_life.approve(work, where, actor)
        assessed = 0
        if str(approved["effective_on"]) <= shanghai_day(work.at).isoformat():
            demonstration = service.settings.demonstration
            assessed = assess_waiting(work, service.vault, tenant, scheme, demonstration=demonstration)
        return _shown(approved | {"assessed_claims": assessed})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<version>/reject")
@needs("policies:approve")
@blueprint.arguments(RejectionSchema)
def reject_policy(body: dict[str, Any], tenant: str, scheme: str, version: str) -> Response:
    """Reject what another person submitted, with the reason; it may be drafted anew."""
    actor, where = principal().subject, _place(tenant, scheme, version)
    return in_transaction(lambda work: _shown(policy_life.reject(work, where, actor, body["reason"])), (tenant,))


def _place(tenant: str, scheme: str, version: str) -> Place:
    """The version of the path; with ``If-Match`` only with the text of that digest, of several tags with none."""
    tags = list(request.if_match.as_set())
    digest = None if not tags else str(tags[0]) if len(tags) == 1 else ""
    return Place(tenant, scheme, version, digest)


def _shown(version: dict[str, Json], status: int = 200) -> Answer:
    return Answer(version, status, {"ETag": f'"{version["content_sha256"]}"'})
