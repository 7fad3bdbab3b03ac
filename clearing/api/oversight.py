"""Who may not decide about whom (回避), and samples of what passed without review (抽查)."""

from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.claims import districts, interests, sampling
from clearing.claims.review import Reviewer
from connectors.claim_schema import NAME_CHARACTERS
from connectors.fields import DayField, DivisionField, MoneyField, RateField, UsccField
from connectors.leaf import CodeField, TextField
from tenants.kernel.database import Work

blueprint = Noun("oversight", __name__, url_prefix="/v1/tenants/<tenant>", description="回避与抽查 / oversight")

READERS: Final = ("reviews:write", "policies:write", "policies:approve", "audit:read")
REASON_CHARACTERS: Final = 2_000


class InterestSchema(Schema):
    """Who has an interest in whom."""

    person = TextField(NAME_CHARACTERS, about="客户端所绑定的人员 / the person that clients are bound to")
    uscc = UsccField()
    ground = TextField(REASON_CHARACTERS)


class DistrictSchema(Schema):
    """Which division binds whom."""

    person = TextField(NAME_CHARACTERS, about="客户端或账号所绑定的人员 / whom clients and accounts are bound to")
    division = DivisionField()
    ground = TextField(REASON_CHARACTERS)


class DistrictQuerySchema(PageSchema):
    """The filters of the list."""

    person = fields.String(load_default=None, validate=validate.Length(1, NAME_CHARACTERS))
    state = fields.String(load_default=None, validate=validate.OneOf(districts.STATES))


class EndSchema(Schema):
    """Why a declaration ends."""

    reason = TextField(REASON_CHARACTERS)


class SampleSchema(Schema):
    """What is sampled; ``share`` only where the policy sets none."""

    scheme = CodeField(r"[a-z][a-z0-9-]{1,30}", example="provincial")
    from_on = DayField()
    through_on = DayField()
    share = RateField(1, optional=True, about="如 0.1 / such as 0.1")


class SampleDecisionSchema(Schema):
    """What became of one sampled claim; an unsound one is stopped or asked back, by default whole."""

    outcome = fields.String(required=True, validate=validate.OneOf(sampling.OUTCOMES))
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(1, REASON_CHARACTERS))
    amount = MoneyField(optional=True, about="追回金额，默认全部 / what is asked back, by default all")
    sanction_until = DayField(optional=True, about="惩戒截止日，默认按政策年限 / last day of the ban")


@blueprint.post("/interests")
@needs("reviews:write", "policies:write")
@blueprint.arguments(InterestSchema)
def declare_interest(body: dict[str, str], tenant: str) -> Response:
    """Declare that a person has an interest in a party; from then on the person decides nothing about it."""

    def use_case(work: Work) -> Answer:
        return Answer(interests.declare(work, principal().subject, tenant, body).json(), 201)

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.get("/interests")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
def list_interests(query: dict[str, Any], tenant: str) -> Response:
    """List the declarations, ended ones included, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = interests.listed(work.connection, tenant, after, limit + 1)
        return Answer(page(rows, limit, lambda row: row.json(), lambda row: str(row.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/interests/<uuid:interest_id>/end")
@needs("policies:write")
@blueprint.arguments(EndSchema)
def end_interest(body: dict[str, str], tenant: str, interest_id: UUID) -> Response:
    """End a declaration; the person concerned may not."""

    def use_case(work: Work) -> Answer:
        return Answer(interests.end(work, principal().subject, tenant, interest_id, body["reason"]).json())

    return in_transaction(use_case, (tenant,))


@blueprint.post("/districts")
@needs("policies:write")
@blueprint.arguments(DistrictSchema)
def bind_district(body: dict[str, str], tenant: str) -> Response:
    """Bind a reviewer to a division: from then on the person sees and decides only claims of its divisions."""

    def use_case(work: Work) -> Answer:
        return Answer(districts.bind(work, principal().subject, tenant, body).json(), 201)

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.get("/districts")
@needs(*READERS)
@blueprint.arguments(DistrictQuerySchema, location="query")
def list_districts(query: dict[str, Any], tenant: str) -> Response:
    """List whom which divisions bind, ended bindings included, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = districts.listed(work.connection, tenant, query, after, limit + 1)
        return Answer(page(rows, limit, lambda row: row.json(), lambda row: str(row.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/districts/<uuid:district_id>/end")
@needs("policies:write")
@blueprint.arguments(EndSchema)
def end_district(body: dict[str, str], tenant: str, district_id: UUID) -> Response:
    """End a binding; the person concerned may not."""

    def use_case(work: Work) -> Answer:
        return Answer(districts.end(work, principal().subject, tenant, district_id, body["reason"]).json())

    return in_transaction(use_case, (tenant,))


@blueprint.post("/samples")
@needs("reviews:write")
@blueprint.arguments(SampleSchema)
def draw_sample(body: dict[str, Any], tenant: str) -> Response:
    """Draw the sample of a period that is over, once; the seed is kept and shown."""
    period = sampling.Period(body["scheme"], body["from_on"], body["through_on"])
    demonstration = current().settings.demonstration

    def use_case(work: Work) -> Answer:
        made = sampling.draw(work, principal().subject, tenant, period, body["share"], demonstration=demonstration)
        return Answer(sampling.view(work.connection, tenant, made.id), 201)

    return in_transaction(use_case, (tenant,), RACED)


@blueprint.get("/samples")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
def list_samples(query: dict[str, Any], tenant: str) -> Response:
    """List the samples, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        rows = sampling.listed(work.connection, tenant, after, limit + 1)
        return Answer(page(rows, limit, lambda row: row.json(), lambda row: str(row.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/samples/<uuid:sample_id>")
@needs(*READERS)
def get_sample(tenant: str, sample_id: UUID) -> Response:
    """One sample with its claims and what became of each."""
    return in_transaction(lambda work: Answer(sampling.view(work.connection, tenant, sample_id)), (tenant,))


@blueprint.post("/samples/<uuid:sample_id>/items/<int(max=2147483647):line>/decision")
@needs("reviews:write")
@blueprint.arguments(SampleDecisionSchema)
def decide_sampled(body: dict[str, Any], tenant: str, sample_id: UUID, line: int) -> Response:
    """Say what became of one sampled claim."""
    caller, service = principal(), current()
    reviewer = Reviewer(caller.subject, caller.person, service.settings.demonstration)
    verdict, place = sampling.Verdict(**body), sampling.Line(tenant, sample_id, line)

    def use_case(work: Work) -> Answer:
        sampling.decide(work, service.vault, reviewer, place, verdict)
        return Answer(sampling.view(work.connection, tenant, sample_id))

    return in_transaction(use_case, (tenant,))


RACED: Final = frozenset({"interest_once", "reviewer_district_once", "sample_tenant_scheme_from_on_through_on_key"})
"""Constraints that only a race can break here."""
