"""``/v1/reservations``: quota for an intended contract (额度确认)."""

from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate
from sqlalchemy.exc import IntegrityError

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import MAX_BODY_BYTES, Noun, PageSchema, WholeNumber, cursor_id, json_body, load, page
from clearing.api.standing_form import YEARS
from clearing.claims.reservation_list import STATES, listed
from clearing.claims.reservations import (
    Lower,
    ReservationRow,
    cancel,
    confirm,
    other_content,
    reservation_json,
    reserve,
    view,
)
from connectors.claim_schema import ReservationSchema
from connectors.fields import MoneyField, UsccField
from connectors.leaf import TextField
from connectors.submission import ReservationRequest
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work, broken_constraint
from tenants.kernel.errors import Conflict, FieldError, Forbidden, Invalid, Text
from tenants.principal import Principal

blueprint = Noun("reservations", __name__, url_prefix="/v1/reservations", description="额度确认 / reservations")

RACED = frozenset({"reservation_platform_external_id_key"})
READERS = ("claims:read", "claims:write", "reviews:write", "audit:read")


REASON_CHARACTERS = 2_000


class ConfirmationSchema(Schema):
    """Less than is computed, and why."""

    amount = MoneyField(optional=True)
    reason = TextField(REASON_CHARACTERS, optional=True)


class ReservationQuerySchema(PageSchema):
    """The filters of the list."""

    tenant = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(STATES))
    enterprise = UsccField(optional=True)
    quota_year = WholeNumber(load_default=None, validate=validate.Range(*YEARS))


@blueprint.post("")
@needs("claims:write")
@blueprint.arguments(ReservationSchema)
def request_reservation(given: ReservationRequest) -> Response:
    """Ask for quota; the policy computes the amount, the center confirms it."""
    return take_request(given)


def take_request(given: ReservationRequest) -> Response:
    """Take the request for quota that this request makes, in whatever form it came.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: the tenant is unknown or not among the caller's.
        Conflict: the external id came before with other content.
    """
    caller, platform = principal(), own_platform(principal(), given)
    demonstration = current().settings.demonstration

    def use_case(work: Work) -> Answer:
        row, is_new = reserve(work, platform, caller.subject, given, demonstration=demonstration)
        return _shown(row, work, 201 if is_new else 200)

    try:
        return in_transaction(use_case, raced=RACED)
    except IntegrityError as error:
        raise taken_id(error) from error


def own_platform(caller: Principal, given: ReservationRequest) -> str:
    """The caller's platform, in whose name the request goes in.

    Raises:
        Forbidden: the caller is no platform's client.
        Invalid: the tenant is unknown or not among the caller's.
    """
    if caller.platform is None:
        raise Forbidden("platform.missing", "只有平台的客户端可以提交。", "Only a platform's client may submit.")
    if given.tenant not in caller.tenants:
        said = Text("没有这个区域，或本客户端不可向其提交。", "No such tenant, or this client may not submit for it.")
        raise Invalid("reservation.invalid", said.zh, said.en, errors=(FieldError("/tenant", "tenant.unknown", said),))
    return caller.platform


def taken_id(error: IntegrityError) -> Conflict:
    """The answer where the external id is another request's, which the caller may not see.

    Raises:
        sqlalchemy.exc.IntegrityError: it is something else.
    """
    if broken_constraint(error) not in RACED:
        raise error
    return other_content()


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(ReservationQuerySchema, location="query")
def list_reservations(query: dict[str, Any]) -> Response:
    """List reservations, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = listed(work.connection, {**query, "platform": principal().platform}, after, limit + 1)
        today = shanghai_day(work.at)
        return Answer(page(rows, limit, lambda row: reservation_json(row, today), lambda row: str(row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:reservation_id>")
@needs(*READERS)
def get_reservation(reservation_id: UUID) -> Response:
    """One reservation."""
    return in_transaction(lambda work: _shown(view(work.connection, reservation_id, principal().platform), work))


@blueprint.post("/<uuid:reservation_id>/confirm")
@needs("reviews:write")
@blueprint.doc(
    requestBody={
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"amount": {"type": "string"}, "reason": {"type": "string"}},
                    "additionalProperties": False,
                },
                "example": {"amount": "2000.00", "reason": "部分服务不在目录内"},
            }
        },
    }
)
def confirm_reservation(reservation_id: UUID) -> Response:
    """Confirm the amount, or less with a reason: quota and budget are set aside, the rest is free at once."""
    body = load(ConfirmationSchema(), json_body(MAX_BODY_BYTES)) if request.get_data() else {"amount": None}
    demonstration = current().settings.demonstration
    lower = None if body["amount"] is None else Lower(body["amount"], body["reason"])

    def use_case(work: Work) -> Answer:
        return _shown(confirm(work, principal().subject, reservation_id, lower, demonstration=demonstration), work)

    return in_transaction(use_case)


@blueprint.post("/<uuid:reservation_id>/cancel")
@needs("claims:write", "reviews:write")
def cancel_reservation(reservation_id: UUID) -> Response:
    """Give the reservation up: what it set aside is free at once."""
    return in_transaction(
        lambda work: _shown(cancel(work, principal().subject, reservation_id, principal().platform), work)
    )


def _shown(row: ReservationRow, work: Work, status: int = 200) -> Answer:
    return Answer(reservation_json(row, shanghai_day(work.at)), status, {"Location": f"/v1/reservations/{row.id}"})
