"""``/v1/claims/{id}/clawbacks``: money asked back, what came back of it, and who is banned for it."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun
from clearing.claims.clawbacks import Clawback, Order, claw_back, list_clawbacks, recover
from clearing.claims.records import view_claim
from connectors.fields import DayField, MoneyField
from connectors.leaf import TextField
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, Text
from tenants.kernel.money import Money

blueprint = Noun("clawbacks", __name__, url_prefix="/v1/claims", description="追回 / clawbacks")

MAX_REFERENCE_CHARACTERS = 100


class ClawbackOrderSchema(Schema):
    """What is asked back, and through which day the enterprise is banned, where it is."""

    amount = MoneyField()
    reason = TextField(MAX_REASON_CHARACTERS, about="追回理由 / why")
    sanction_until = DayField(optional=True)


class RecoverySchema(Schema):
    """What came back."""

    amount = MoneyField()
    bank_reference = TextField(MAX_REFERENCE_CHARACTERS, about="银行流水号 / the bank's reference")


class ClawbackSchema(Schema):
    """Money asked back, and what has come back of it."""

    id = fields.UUID()
    claim_id = fields.UUID()
    amount = text("追回金额（元） / amount asked back", examples=["408000.00"])
    recovered = text("已收回（元） / of which came back")
    outstanding = text("未收回（元） / of which did not yet")
    reason = text("理由 / why")
    sanction_until = text("惩戒截止日 / the enterprise is banned through", format="date")
    made_by = text("经办人 / who asked")
    made_at = instant("时刻 / when")


class ClawbackPageSchema(Schema):
    """A claim's clawbacks."""

    items = fields.List(fields.Nested(ClawbackSchema))
    next_cursor = text("总是 null / always null")


@blueprint.post("/<uuid:claim_id>/clawbacks")
@needs("reviews:write")
@blueprint.arguments(ClawbackOrderSchema)
@blueprint.response(201, ClawbackSchema)
def post_clawback(body: dict[str, Any], claim_id: UUID) -> Response:
    """Ask back what was paid of the claim, whole or in part; a claim asked back whole frees its identities."""
    order = Order(_above_zero(body["amount"]), body["reason"], body["sanction_until"])
    vault = current().vault
    return in_transaction(lambda work: _shown(claw_back(work, vault, claim_id, order, principal().subject), 201))


@blueprint.get("/<uuid:claim_id>/clawbacks")
@needs("reviews:write", "batches:write", "batches:release", "claims:read", "audit:read")
@blueprint.response(200, ClawbackPageSchema)
def get_clawbacks(claim_id: UUID) -> Response:
    """List the claim's clawbacks, the oldest first."""

    def use_case(work: Work) -> Answer:
        view_claim(work.connection, claim_id)
        found = list_clawbacks(work.connection, claim_id)
        return Answer({"items": [each.json() for each in found], "next_cursor": None})

    return in_transaction(use_case)


@blueprint.post("/<uuid:claim_id>/clawbacks/<uuid:clawback_id>/recoveries")
@needs("batches:write")
@blueprint.arguments(RecoverySchema)
@blueprint.response(201, ClawbackSchema)
def post_recovery(body: dict[str, Any], claim_id: UUID, clawback_id: UUID) -> Response:
    """Record what came back: it goes to the budget and the quota of the year that it was paid from."""
    amount, reference = _above_zero(body["amount"]), body["bank_reference"]

    def use_case(work: Work) -> Answer:
        return _shown(recover(work, claim_id, clawback_id, amount, reference, principal().subject), 201)

    return in_transaction(use_case)


def _shown(clawback: Clawback, status: int) -> Answer:
    return Answer(clawback.json(), status)


def _above_zero(amount: Money) -> Money:
    if not amount:
        said = Text("金额须大于零。", "The amount must be above zero.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/amount", "amount.zero", said),))
    return amount
