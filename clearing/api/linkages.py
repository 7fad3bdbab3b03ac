"""``/v1/tenants/{tenant}/linkages``: what linked regions (联动地区) commit themselves to, approved by the province."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, WholeNumber, cursor_id, page
from clearing.api.standing_form import CODE, SCHEME, YEARS
from clearing.tenancy import linkages
from clearing.tenancy.linkages import Commitment, Linkage
from clearing.tenancy.two_people import OUTCOMES
from connectors.fields import DayField, DivisionField, MoneyField
from connectors.leaf import CodeField, IntegerField, TextField
from tenants.kernel.database import Scope, Work, run

blueprint = Noun("linkages", __name__, url_prefix="/v1/tenants/<tenant>/linkages", description="联动承诺 / linkages")

READERS: Final = (
    "claims:read", "reviews:write", "policies:write", "policies:approve", "batches:write", "audit:read",
)  # fmt: skip
CITE_CHARACTERS: Final = 200
REASON_CHARACTERS: Final = 2_000
TENANT: Final = r"[a-z][a-z0-9-]{1,30}"


class CommitmentSchema(Schema):
    """What a region commits itself to for a year; ``province`` is the tenant whose awards it matches."""

    province = CodeField(TENANT, example="jiangsu")
    scheme = fields.String(load_default=None, allow_none=True, validate=validate.Regexp(rf"{SCHEME}\Z"))
    year = IntegerField(*YEARS)
    division = DivisionField()
    types = fields.List(CodeField(CODE), required=True, validate=validate.Length(1, 20))
    provincial_to_local = CodeField(
        r"[1-9][0-9]{0,5}:[1-9][0-9]{0,5}", example="7:3", about="省:地方，不低于政策 / at least the policy's"
    )
    cap = MoneyField(about="每家企业年度配套上限（元），不低于政策 / yearly cap an enterprise, at least the policy's")
    from_on = DayField(about="起始日，不早于今天 / first day, not before today")
    cite = TextField(CITE_CHARACTERS, about="承诺书文号与条款 / number and clause of the commitment")


class LinkageDecisionSchema(Schema):
    """Whether the province approves."""

    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, REASON_CHARACTERS))


class LinkageQuerySchema(PageSchema):
    """The filters of the list."""

    year = WholeNumber(load_default=None, validate=validate.Range(*YEARS))
    state = fields.String(load_default=None, validate=validate.OneOf(linkages.STATES))


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(LinkageQuerySchema, location="query")
def get_linkages(query: dict[str, Any], tenant: str) -> Response:
    """List the commitments behind the tenant's awards, and those that the tenant made, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        found = linkages.listed(work.connection, tenant, query["year"], query["state"], after, limit + 1)
        return Answer(page(found, limit, lambda each: each.json(), lambda each: str(each.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("")
@needs("policies:write")
@blueprint.arguments(CommitmentSchema)
@blueprint.response(201, description="the proposal; it counts from its day on once the province has approved it")
def post_linkage(body: dict[str, Any], tenant: str) -> Response:
    """Propose: as the linked tenant, or as the province for a region that is no tenant here."""

    def use_case(work: Work) -> Answer:
        made = proposed_by_caller(work, tenant, body)
        return Answer(made.json(), 201, {"Location": f"/v1/tenants/{tenant}/linkages/{made.id}"})

    return in_transaction(use_case, proposed_sides(tenant, body))


@blueprint.get("/<uuid:linkage_id>")
@needs(*READERS)
def get_linkage(tenant: str, linkage_id: UUID) -> Response:
    """One commitment."""
    return in_transaction(lambda work: Answer(linkages.view(work.connection, tenant, linkage_id).json()), (tenant,))


@blueprint.post("/<uuid:linkage_id>/decision")
@needs("policies:approve")
@blueprint.arguments(LinkageDecisionSchema)
def decide_linkage(body: dict[str, Any], tenant: str, linkage_id: UUID) -> Response:
    """Approve or reject, as the province; never by who proposed it."""

    def use_case(work: Work) -> Answer:
        return Answer(decided_by_caller(work, tenant, linkage_id, body).json())

    return in_transaction(use_case, sides_of(tenant, linkage_id), linkages.RACED)


def proposed_by_caller(work: Work, tenant: str, given: Mapping[str, Any]) -> Linkage:
    """Propose what :class:`CommitmentSchema` read; the transaction is bound to the ``proposed_sides``."""
    told = {name: value for name, value in given.items() if name != "province"}
    commitment = Commitment(**{**told, "types": tuple(told["types"])})
    demonstration = current().settings.demonstration
    return linkages.propose(
        work, principal().subject, tenant, given["province"], commitment, demonstration=demonstration
    )


def proposed_sides(tenant: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The tenants whose chains tell of the proposal."""
    return tuple(dict.fromkeys((tenant, given["province"])))


def decided_by_caller(work: Work, tenant: str, linkage_id: UUID, given: Mapping[str, Any]) -> Linkage:
    """Decide as :class:`LinkageDecisionSchema` read; the transaction is bound to ``sides_of`` the linkage."""
    return linkages.decide(work, principal().subject, tenant, linkage_id, given["outcome"], given["reason"])


def sides_of(tenant: str, linkage_id: UUID) -> tuple[str, ...]:
    """The tenants whose chains a step is written to."""
    service = current()

    def find(work: Work) -> Linkage:
        return linkages.view(work.connection, tenant, linkage_id)

    return run(service.engine, Scope((tenant,)), service.machine, find).sides
