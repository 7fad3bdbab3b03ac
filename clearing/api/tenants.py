"""What a tenant administrator reads and sets: budgets, linked regions; and the enterprises' quotas."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import MAX_BODY_BYTES, Noun, WholeNumber, json_body
from clearing.api.standing_form import TrustDecisionSchema
from clearing.claims.division import Order, divide_budget
from clearing.tenancy import budgets, linked_regions, quotas
from connectors.fields import MoneyField, UsccField
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work
from tenants.kernel.money import Money

blueprint = Noun("tenants", __name__, url_prefix="/v1", description="区域设置 / what a tenant sets")

READERS = ("claims:read", "reviews:write", "policies:write", "policies:approve", "batches:write", "audit:read")
YEARS = (2000, 2100)
YEAR = f"<int(min={YEARS[0]}, max={YEARS[1]}):year>"
SCHEME = "/tenants/<tenant>/schemes/<scheme>"


class BudgetSchema(Schema):
    """A year's appropriation."""

    amount = MoneyField(zero=True, about="年度预算总额（元） / the year's whole appropriation in yuan")
    reason = fields.String(load_default=None, allow_none=True)


class QuotaQuerySchema(Schema):
    """Whose quota, of which scheme and year."""

    tenant = fields.String(required=True)
    scheme = fields.String(required=True)
    enterprise = UsccField()
    year = WholeNumber(required=True, validate=validate.Range(*YEARS))


@blueprint.get(f"{SCHEME}/budgets/{YEAR}")
@needs(*READERS)
def get_budget(tenant: str, scheme: str, year: int) -> Response:
    """The year's appropriation, and what is left of it."""
    return in_transaction(lambda work: Answer(budgets.read_budget(work.connection, tenant, scheme, year)), (tenant,))


@blueprint.put(f"{SCHEME}/budgets/{YEAR}")
@needs("policies:write")
@blueprint.arguments(BudgetSchema)
def put_budget(body: dict[str, Any], tenant: str, scheme: str, year: int) -> Response:
    """Set the year's appropriation; never below what is committed."""
    return in_transaction(
        lambda work: Answer(set_budget(work, tenant, scheme, year, body["amount"], body["reason"])), (tenant,)
    )


@blueprint.post(f"{SCHEME}/budgets/{YEAR}/division")
@needs("policies:approve")
def post_division(tenant: str, scheme: str, year: int) -> Response:
    """Divide what is left of the year's budget among the claims that wait for it (兑完为止, largest remainder)."""
    service, order = current(), Order(tenant, scheme, year, principal().subject)

    def use_case(work: Work) -> Answer:
        demonstration = service.settings.demonstration
        return Answer(divide_budget(work, service.vault, order, demonstration=demonstration))

    return in_transaction(use_case, (tenant,))


@blueprint.get(f"/tenants/<tenant>/linked-regions/{YEAR}")
@needs(*READERS)
def get_linked_regions(tenant: str, year: int) -> Response:
    """The year's linked regions with the enterprise types that each matches, and those proposed."""
    return in_transaction(lambda work: Answer(linked_regions.read(work.connection, tenant, year)), (tenant,))


@blueprint.put(f"/tenants/<tenant>/linked-regions/{YEAR}")
@needs("policies:write")
@blueprint.doc(
    requestBody={
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": {"regions": {"320300": ["tech_sme"]}}}
        },
    }
)
def put_linked_regions(tenant: str, year: int) -> Response:
    """Propose the year's linked regions anew: ``{"regions": {division: [type, …]}}``, or that mapping alone.

    They count once another person has approved them.
    """
    regions = linked_regions.parse(json_body(MAX_BODY_BYTES))

    def use_case(work: Work) -> Answer:
        linked_regions.propose(work, principal().subject, tenant, year, regions)
        return Answer(linked_regions.read(work.connection, tenant, year))

    return in_transaction(use_case, (tenant,))


@blueprint.post(f"/tenants/<tenant>/linked-regions/{YEAR}/decision")
@needs("policies:approve")
@blueprint.arguments(TrustDecisionSchema)
def decide_linked_regions(body: dict[str, Any], tenant: str, year: int) -> Response:
    """Approve or reject the version that was proposed; never by who proposed it."""

    def use_case(work: Work) -> Answer:
        actor = principal().subject
        linked_regions.decide(work, actor, tenant, year, body["version"], body["outcome"], body["reason"])
        return Answer(linked_regions.read(work.connection, tenant, year))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/quotas")
@needs(*READERS)
@blueprint.arguments(QuotaQuerySchema, location="query")
def get_quota(query: dict[str, Any]) -> Response:
    """What an enterprise may still receive in a scheme and quota year."""
    demonstration = current().settings.demonstration

    def use_case(work: Work) -> Answer:
        return Answer(
            quotas.read(
                work, query["tenant"], query["scheme"], query["enterprise"], query["year"], demonstration=demonstration
            )
        )

    return in_transaction(use_case)


def set_budget(work: Work, tenant: str, scheme: str, year: int, amount: Money, reason: str | None) -> dict[str, Json]:
    """Make the amount the year's appropriation, as the caller; the budget as it then is."""
    return budgets.set_budget(work, principal().subject, tenant, scheme, year, amount, reason)
