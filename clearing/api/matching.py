"""``/v1/tenants/{tenant}/matching``: what linked regions owe on top of a province's awards, and since when."""

from datetime import date
from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import READERS
from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, bad_query, page, read_cursor
from connectors.fields import DayField, MoneyField
from connectors.leaf import TextField
from settlement.matching import record_payment
from settlement.matching_list import WHICH, list_due, who_owes
from settlement.matching_recovery import Recovered, Recovery, recover
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work

blueprint = Noun("matching", __name__, url_prefix="/v1/tenants/<tenant>/matching", description="联动配套 / matching")

MAX_DOCUMENT_CHARACTERS: Final = 200


class MatchingQuerySchema(PageSchema):
    """Which matchings."""

    state = fields.String(load_default="open", validate=validate.OneOf(WHICH))
    division = fields.String(load_default=None, validate=validate.Regexp(r"[1-9][0-9]{5}\Z"))


class PaymentSchema(Schema):
    """That a linked region has paid, as it reports."""

    paid_on = DayField(about="支付日 / the day of the payment")
    document = TextField(MAX_DOCUMENT_CHARACTERS, about="支付凭证号 / number of the voucher")


class MatchingRecoverySchema(Schema):
    """What came back to a linked region."""

    amount = MoneyField(about="收回金额（元） / what came back")
    recovered_on = DayField(about="收回日 / the day on which it came back")
    document = TextField(MAX_DOCUMENT_CHARACTERS, about="收款凭证号 / number of the voucher")


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(MatchingQuerySchema, location="query")
def get_matching(query: dict[str, Any], tenant: str) -> Response:
    """List the matchings that the tenant's claims are owed, and those that the tenant owes, the longest due first."""
    limit, after = query["limit"], place_of(query["cursor"])

    def use_case(work: Work) -> Answer:
        today = shanghai_day(work.at)
        found = list_due(work.connection, tenant, today, query["state"], query["division"], after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(today), lambda each: f"{each.due_on} {each.claim_id}"))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/regions")
@needs(*READERS)
def get_regions(tenant: str) -> Response:
    """What each linked region owes, and how much of it is overdue."""

    def use_case(work: Work) -> Answer:
        regions = who_owes(work.connection, tenant, shanghai_day(work.at))
        return Answer({"items": [*regions], "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:claim_id>/payment")
@needs("batches:write")
@blueprint.arguments(PaymentSchema)
def post_payment(body: dict[str, Any], tenant: str, claim_id: UUID) -> Response:
    """Record the payment of a linked region that is no tenant here."""

    def use_case(work: Work) -> Answer:
        paid_by_caller(work, tenant, claim_id, body)
        return Answer({"claim_id": str(claim_id), "paid_on": body["paid_on"].isoformat(), "document": body["document"]})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:claim_id>/recovery")
@needs("batches:write")
@blueprint.arguments(MatchingRecoverySchema)
def recover_matching(body: dict[str, Any], tenant: str, claim_id: UUID) -> Response:
    """Record what came back of a matching that was paid on an award that was asked back."""
    return in_transaction(lambda work: Answer(recovered_by_caller(work, tenant, claim_id, body).json()), (tenant,))


def recovered_by_caller(work: Work, tenant: str, claim_id: UUID, body: dict[str, Any]) -> Recovered:
    """Record what came back, as the caller; ``body`` is what :class:`MatchingRecoverySchema` made."""
    return recover(work, tenant, claim_id, Recovery(**body), principal().subject)


def paid_by_caller(work: Work, tenant: str, claim_id: UUID, body: dict[str, Any]) -> None:
    """Record the payment that a linked region reports, as the caller."""
    record_payment(work.connection, tenant, claim_id, body["paid_on"], body["document"], principal().subject, work.at)


def place_of(cursor: str | None) -> tuple[date, UUID] | None:
    """The place in the list that the cursor names: the day and the claim of the row before."""
    key = read_cursor(cursor)
    if key is None:
        return None
    due_on, _, claim_id = key.partition(" ")
    try:
        return date.fromisoformat(due_on), UUID(claim_id)
    except ValueError as error:
        raise bad_query("cursor", "游标无效，请从第一页开始。", "The cursor is not valid.") from error
