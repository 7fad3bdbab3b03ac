"""What a tenant administrator reads and sets: budgets, linked regions; and the enterprises' quotas."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import MAX_BODY_BYTES, Noun, PageSchema, WholeNumber, bad_query, json_body, page, read_cursor
from clearing.claims import matching_due
from clearing.claims.division import Order, divide_budget
from clearing.tenancy import budgets, linked_regions, quotas
from connectors.fields import DayField, MoneyField, UsccField
from tenants.kernel.change import Change, record
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work

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


class MatchingQuerySchema(PageSchema):
    """Which obligations of linked regions."""

    due_before = DayField(optional=True)
    linked_region = fields.String(load_default=None, validate=validate.Regexp(r"[1-9][0-9]{5}\Z"))


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

    def use_case(work: Work) -> Answer:
        before = budgets.read_budget(work.connection, tenant, scheme, year)
        budgets.appropriate(work.connection, tenant, scheme, year, body["amount"], work.at)
        after = budgets.read_budget(work.connection, tenant, scheme, year)
        subject = budgets.budget_id(tenant, scheme, year)
        _record(work, tenant, "budget.set", subject, {"before": before, "after": after}, body["reason"])
        return Answer(after)

    return in_transaction(use_case, (tenant,))


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
    """The year's linked regions, and the enterprise types that each matches."""
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
    """Replace the year's linked regions: ``{"regions": {division: [type, …]}}``, or that mapping alone."""
    regions = linked_regions.parse(json_body(MAX_BODY_BYTES))

    def use_case(work: Work) -> Answer:
        before = linked_regions.read(work.connection, tenant, year)
        linked_regions.replace(work.connection, tenant, year, regions, principal().subject, work.at)
        after = linked_regions.read(work.connection, tenant, year)
        subject = linked_regions.year_id(tenant, year)
        _record(work, tenant, "linked_regions.set", subject, {"before": before, "after": after}, None)
        return Answer(after)

    return in_transaction(use_case, (tenant,))


@blueprint.get("/tenants/<tenant>/matching-obligations")
@needs(*READERS)
@blueprint.arguments(MatchingQuerySchema, location="query")
def get_matching(query: dict[str, Any], tenant: str) -> Response:
    """What linked regions owe on top of awards that were paid: of this tenant's awards, and what it owes itself."""
    limit, after = query["limit"], matching_cursor(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = matching_due.listed(work.connection, tenant, query, after, limit + 1)
        today = shanghai_day(work.at)
        shown = page(
            rows,
            limit,
            lambda one: matching_due.matching_json(one, tenant, today),
            lambda one: f"{one.due_on}/{one.claim_id}",
        )
        return Answer(shown)

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


def matching_cursor(cursor: str | None) -> tuple[date, UUID] | None:
    """The due day and claim behind which a page starts.

    Raises:
        Invalid: the cursor is not one of ours.
    """
    key = read_cursor(cursor)
    if key is None:
        return None
    day, _, claim_id = key.partition("/")
    try:
        return date.fromisoformat(day), UUID(claim_id)
    except ValueError as error:
        raise bad_query(
            "cursor", "游标无效，请从第一页开始。", "The cursor is not valid; start from the first page."
        ) from error


def _record(work: Work, tenant: str, action: str, subject: UUID, details: dict[str, Any], reason: str | None) -> None:
    change = Change(tenant, principal().subject, action, subject, reason=reason, details=details)
    record(work.connection, [change], work.at)
