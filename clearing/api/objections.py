"""``/v1/claims/{id}/objections``: a reviewer takes a claim out of its batch during publicity."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema

from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.claims import check_if_match, shown
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.notices import MAX_CONTACT_CHARACTERS
from clearing.api.noun import Noun
from clearing.claims.objections import Complaint, object_to_claim
from connectors.leaf import TextField
from tenants.kernel.database import Work

blueprint = Noun("objections", __name__, url_prefix="/v1/claims", description="异议 / objections")


class ReviewersObjectionSchema(Schema):
    """Why a claim must not be paid yet, and who said so."""

    reason = TextField(MAX_REASON_CHARACTERS, about="异议理由 / why")
    contact = TextField(MAX_CONTACT_CHARACTERS, optional=True, about="异议人联系方式，加密保存 / kept encrypted")


@blueprint.post("/<uuid:claim_id>/objections")
@needs("reviews:write")
@blueprint.arguments(ReviewersObjectionSchema)
def make_objection(body: dict[str, Any], claim_id: UUID) -> Response:
    """Take the claim out of its batch in publicity and hold it; the other claims of the batch go on."""
    complaint = Complaint(body["reason"], body["contact"])

    def use_case(work: Work) -> Answer:
        check_if_match(work, claim_id)
        return shown(object_to_claim(work, current().vault, claim_id, complaint, principal().subject))

    return in_transaction(use_case)
