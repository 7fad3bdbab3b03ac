"""``/v1/cases``: suspected duplicates (疑似重复), each seen from the caller's own side."""

from datetime import date
from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.claims import reviewer
from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.claims.case_list import Wanted
from clearing.claims.case_list import list_cases as cases_wanted
from clearing.claims.deciding import OUTCOMES, Verdict, assign, hold_own_side
from clearing.claims.suspicions import CaseRow, case_json, find_case
from clearing.likeness import holding
from connectors.claim_schema import NAME_CHARACTERS, TITLE_CHARACTERS
from connectors.leaf import TextField
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Work
from tenants.kernel.errors import not_found

blueprint = Noun("cases", __name__, url_prefix="/v1/cases", description="疑似重复 / suspected duplicates")

READERS: Final = ("reviews:write", "audit:read")
KINDS: Final = ("hold", "collision", "red_letter", "similar")


class CaseQuerySchema(PageSchema):
    """The filters of the list."""

    tenant = fields.String(load_default=None)
    state = fields.String(load_default=None, validate=validate.OneOf(("open", "resolved")))
    kind = fields.String(load_default=None, validate=validate.OneOf(KINDS))
    owner = fields.String(load_default=None, validate=validate.Length(1, NAME_CHARACTERS))
    overdue = fields.Boolean(load_default=None, truthy={"true"}, falsy={"false"})
    subject = fields.UUID(load_default=None, metadata={"description": "申请或支持记录 / a claim or support record"})


class AssignmentSchema(Schema):
    """Who takes the case on; ``null`` gives it back."""

    owner = TextField(NAME_CHARACTERS, optional=True)


class CaseResolutionSchema(Schema):
    """What is decided, and why."""

    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES))
    reason = TextField(TITLE_CHARACTERS)


class CaseHoldSchema(Schema):
    """Why the own side is frozen."""

    reason = TextField(TITLE_CHARACTERS)


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(CaseQuerySchema, location="query")
def list_cases(query: dict[str, Any]) -> Response:
    """List cases, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        today = shanghai_day(work.at)
        wanted = wanted_cases(query, today)
        rows = cases_wanted(work.connection, wanted, after, limit + 1)
        return Answer(page(rows, limit, lambda row: case_json(row, wanted.tenants, today), lambda row: str(row.id)))

    return in_transaction(use_case)


def wanted_cases(query: dict[str, Any], today: date) -> Wanted:
    """What the query asks for, of the caller's tenants."""
    return Wanted(
        tenants=tuple(one for one in principal().tenants if query["tenant"] in {None, one}),
        state=query["state"],
        kind=query["kind"],
        owner=query["owner"],
        overdue_on=today if query["overdue"] else None,
        subject_id=query["subject"],
    )


@blueprint.get("/<uuid:case_id>")
@needs(*READERS)
def get_case(case_id: UUID) -> Response:
    """One case, from the caller's side."""

    def use_case(work: Work) -> Answer:
        row = find_case(work.connection, case_id)
        return _shown(row, shanghai_day(work.at))

    return in_transaction(use_case)


@blueprint.post("/<uuid:case_id>/assignment")
@needs("reviews:write")
@blueprint.arguments(AssignmentSchema)
def assign_case(body: dict[str, Any], case_id: UUID) -> Response:
    """Say who of the own side decides the case."""
    caller = principal()

    def use_case(work: Work) -> Answer:
        return _shown(assign(work, caller.subject, caller.tenants, case_id, body["owner"]), shanghai_day(work.at))

    return in_transaction(use_case)


@blueprint.post("/<uuid:case_id>/hold")
@needs("reviews:write")
@blueprint.arguments(CaseHoldSchema)
def freeze_own_side(body: dict[str, Any], case_id: UUID) -> Response:
    """Freeze the own unpaid claim until the case is decided."""
    caller = principal()

    def use_case(work: Work) -> Answer:
        return _shown(
            hold_own_side(work, caller.subject, caller.tenants, case_id, body["reason"]), shanghai_day(work.at)
        )

    return in_transaction(use_case)


@blueprint.post("/<uuid:case_id>/resolution")
@needs("reviews:write")
@blueprint.arguments(CaseResolutionSchema)
def resolve_case(body: dict[str, Any], case_id: UUID) -> Response:
    """Decide the case for both sides."""
    caller = principal()

    def use_case(work: Work) -> Answer:
        verdict = Verdict(body["outcome"], body["reason"])
        return _shown(holding.resolve_case(work, reviewer(), caller.tenants, case_id, verdict), shanghai_day(work.at))

    return in_transaction(use_case)


def _shown(row: CaseRow, today: date) -> Answer:
    tenants = principal().tenants
    if not row.sides_of(tenants):
        raise not_found("疑似重复", "case")
    return Answer(case_json(row, tenants, today))
