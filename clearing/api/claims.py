"""``/v1/claims``: submit, read, list, and what people decide about a claim."""

from typing import Any, Final
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate
from sqlalchemy.exc import IntegrityError

from clearing.api.claim_form import ClaimAnswerSchema, ClaimPageSchema
from clearing.api.frame import Answer, current, in_transaction, needs, principal, respond, shared_intake
from clearing.api.noun import JSON_TYPE, Noun, PageSchema, WholeNumber, cursor_id, json_body, load, page
from clearing.api.problems import wants_english
from clearing.api.taking import desk_of, other_tenants_id
from clearing.claims import listing
from clearing.claims.case import Desk, Outcome
from clearing.claims.intake import RACED, submit
from clearing.claims.listing import Filter, claim_history, traces_of
from clearing.claims.records import ClaimView, claim_json, etag_of, view_claim
from clearing.claims.review import OUTCOMES, RESOLUTIONS, Decision, Reviewer, resolve_hold, review, withdraw
from clearing.claims.review_chain import PROVIDER
from connectors.fields import DayField, MoneyField
from connectors.leaf import BooleanField
from connectors.reading import ClaimSchema, read_submission
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.database import Scope, Work, broken_constraint
from tenants.kernel.errors import Conflict, Forbidden, PreconditionFailed
from tenants.principal import Principal

blueprint = Noun("claims", __name__, url_prefix="/v1/claims", description="兑付申请 / claims")

MAX_CLAIM_BYTES = 256 * 1024
READERS = ("claims:read", "claims:write", "reviews:write", "audit:read")


class ClaimQuerySchema(PageSchema):
    """The filters of the list of claims."""

    tenant = fields.String()
    scheme = fields.String()
    mode = fields.String()
    state = fields.String(metadata={"description": "one state, or several with commas between"})
    platform = fields.String()
    enterprise = fields.String(metadata={"description": "USCC"})
    provider = fields.String(metadata={"description": "USCC"})
    quota_year = WholeNumber()
    external_id = fields.String()
    claim_no = fields.String()
    submitted_from = DayField(optional=True)
    submitted_through = DayField(optional=True)


class ReviewSchema(Schema):
    """One stage's decision."""

    stage = fields.String(required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    award = MoneyField(optional=True)
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=2000))


class ProviderConfirmationSchema(Schema):
    """Whether the provider stands by the claim's papers."""

    confirmed = BooleanField()
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=2000))


class ResolutionSchema(Schema):
    """What becomes of one hold."""

    outcome = fields.String(required=True, validate=validate.OneOf(RESOLUTIONS))
    reason = fields.String(required=True, validate=validate.Length(1, 2000))


class WithdrawalSchema(Schema):
    """Why a claim is withdrawn."""

    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=2000))


STORED: Final[dict[str, Any]] = {"content": {JSON_TYPE: {"schema": ClaimAnswerSchema}}}


@blueprint.post("")
@needs("claims:write")
@blueprint.doc(
    requestBody={"required": True, "content": {"application/json": {"schema": ClaimSchema}}},
    responses={
        "201": {"description": "stored", **STORED},
        "200": {"description": "stored before with the same content", **STORED},
    },
)
def submit_claim() -> Response:
    """Submit one claim, or a new revision of one that needs correction."""
    return take_claim(read_submission(json_body(MAX_CLAIM_BYTES)))


def take_claim(claim: Submission) -> Response:
    """Take in the claim that this request submits, in whatever form it came."""
    caller = principal()
    desk = desk_for(caller, claim)
    if "Idempotency-Key" not in request.headers:
        return respond(_answer(shared_intake().take_in(Scope(caller.tenants, caller.platform), desk, claim)))

    def use_case(work: Work) -> Answer:
        return _answer(submit(work, current().vault, desk, [claim])[0])

    try:
        return in_transaction(use_case, raced=RACED)
    except IntegrityError as error:
        if broken_constraint(error) != "claim_external_id":
            raise
        raise other_tenants_id() from error


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(ClaimQuerySchema, location="query")
@blueprint.response(200, ClaimPageSchema)
def list_claims(query: dict[str, Any]) -> Response:
    """List claims, the oldest first, filtered by named parameters."""
    limit, after = query.pop("limit"), cursor_id(query.pop("cursor"))
    wanted = Filter.from_query(query)
    english = wants_english()

    def use_case(work: Work) -> Answer:
        views = listing.list_claims(work.connection, wanted, after, limit + 1)
        return Answer(page(views, limit, lambda view: claim_json(view, english=english), lambda view: str(view.row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:claim_id>")
@needs(*READERS)
@blueprint.response(200, ClaimAnswerSchema)
def get_claim(claim_id: UUID) -> Response:
    """One claim."""
    response = in_transaction(lambda work: shown(view_claim(work.connection, claim_id)))
    response.make_conditional(request)
    return response


@blueprint.get("/<uuid:claim_id>/trace")
@needs(*READERS)
def get_trace(claim_id: UUID) -> Response:
    """The assessment trace of every revision, in Chinese and English."""

    def use_case(work: Work) -> Answer:
        view = view_claim(work.connection, claim_id)
        return Answer(
            {"claim_id": str(claim_id), "claim_no": view.row.claim_no, "items": traces_of(work.connection, claim_id)}
        )

    return in_transaction(use_case)


@blueprint.get("/<uuid:claim_id>/history")
@needs(*READERS)
def get_history(claim_id: UUID) -> Response:
    """The audited events of the claim and of the batches it was in."""

    def use_case(work: Work) -> Answer:
        view = view_claim(work.connection, claim_id)
        return Answer({"claim_id": str(claim_id), "items": claim_history(work.connection, view.row)})

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/withdraw")
@needs("claims:write")
@blueprint.response(200, ClaimAnswerSchema)
def withdraw_claim(claim_id: UUID) -> Response:
    """Withdraw the claim, any time before it is in a batch."""
    body = load(WithdrawalSchema(), json_body(MAX_CLAIM_BYTES)) if request.get_data() else {"reason": None}
    caller = principal()

    def use_case(work: Work) -> Answer:
        check_if_match(work, claim_id)
        return shown(withdraw(work, caller.subject, claim_id, body["reason"]))

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/reviews")
@needs("reviews:write")
@blueprint.arguments(ReviewSchema)
@blueprint.response(200, ClaimAnswerSchema)
def review_claim(body: dict[str, Any], claim_id: UUID) -> Response:
    """Decide the claim's next stage of review."""
    if body["stage"] == PROVIDER:
        raise Forbidden(
            "review.provider_only",
            "该环节由服务机构通过平台确认。",
            "This stage is the provider's own.",
        )
    decision = Decision(body["stage"], body["outcome"], body.get("award"), body["reason"])

    def use_case(work: Work) -> Answer:
        check_if_match(work, claim_id)
        return shown(review(work, current().vault, reviewer(), claim_id, decision))

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/provider-confirmation")
@needs("claims:write")
@blueprint.arguments(ProviderConfirmationSchema)
@blueprint.response(200, ClaimAnswerSchema)
def confirm_by_provider(body: dict[str, Any], claim_id: UUID) -> Response:
    """The provider's word through the platform: it confirms the claim's papers, or sends them back with a reason."""
    decision = Decision(PROVIDER, "approve" if body["confirmed"] else "correct", None, body["reason"])

    def use_case(work: Work) -> Answer:
        view_claim(work.connection, claim_id)
        if principal().platform is None:
            raise Forbidden("platform.missing", "只有平台的客户端可以确认。", "Only a platform's client may confirm.")
        check_if_match(work, claim_id)
        return shown(review(work, current().vault, reviewer(), claim_id, decision))

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/holds/<uuid:hold_id>/resolution")
@needs("reviews:write")
@blueprint.arguments(ResolutionSchema)
@blueprint.response(200, ClaimAnswerSchema)
def resolve_claim_hold(body: dict[str, Any], claim_id: UUID, hold_id: UUID) -> Response:
    """Clear a hold, or reject the claim for it."""

    def use_case(work: Work) -> Answer:
        check_if_match(work, claim_id)
        return shown(resolve_hold(work, reviewer(), claim_id, hold_id, body["outcome"], body["reason"]))

    return in_transaction(use_case)


def desk_for(caller: Principal, claim: Submission) -> Desk:
    """The desk at which the caller submits the claim.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: the claim's tenant is unknown or not among the caller's; the answer is the same.
    """
    settings = current().settings
    return desk_of(caller, claim, demonstration=settings.demonstration, looks_per_hour=settings.looks_per_hour)


def reviewer() -> Reviewer:
    """The caller as a reviewer."""
    caller = principal()
    return Reviewer(caller.subject, caller.person, current().settings.demonstration)


def check_if_match(work: Work, claim_id: UUID) -> None:
    """Refuse a change of a claim that is no longer as the caller read it.

    Raises:
        PreconditionFailed: ``If-Match`` names another version.
    """
    if request.if_match and etag_of(view_claim(work.connection, claim_id)).strip('"') not in request.if_match:
        raise PreconditionFailed("claim.changed", "申请已被修改，请重新读取。", "The claim has changed; read it again.")


def shown(view: ClaimView) -> Answer:
    """The claim as an answer."""
    return Answer(claim_json(view, english=wants_english()), headers={"ETag": etag_of(view)})


def _answer(outcome: Outcome) -> Answer:
    if outcome.problem is not None or outcome.view is None:
        raise outcome.problem or Conflict("claim.absent", "申请未保存。", "The claim was not stored.")
    body: Json = claim_json(outcome.view, english=wants_english())
    headers = {"ETag": etag_of(outcome.view), "Location": f"/v1/claims/{outcome.view.row.id}"}
    return Answer(body, outcome.status, headers)
