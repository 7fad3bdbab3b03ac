"""``/v1/similar-pairs``: claims that look like one spending, side by side, and what people decide about them."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.claims import reviewer
from clearing.api.frame import Answer, in_transaction, needs
from clearing.api.noun import Noun, PageSchema, cursor_id, page
from clearing.likeness.comparison import compared_json, pair_json
from clearing.likeness.holding import OUTCOMES, decide_pair
from clearing.likeness.pairs import STATES, list_pairs, view_pair
from tenants.kernel.database import Work

blueprint = Noun("similar-pairs", __name__, url_prefix="/v1/similar-pairs", description="疑似重复 / near duplicates")

READERS = ("reviews:write", "audit:read")


class PairQuerySchema(PageSchema):
    """The filters of the queue."""

    tenant = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))


class PairDecisionSchema(Schema):
    """What becomes of a pair."""

    outcome = fields.String(required=True, validate=validate.OneOf(sorted(OUTCOMES)))
    reason = fields.String(required=True, validate=validate.Length(1, 2000))


@blueprint.get("")
@needs(*READERS)
@blueprint.arguments(PairQuerySchema, location="query")
def list_similar_pairs(query: dict[str, Any]) -> Response:
    """List the pairs, the first found first; ``state=open`` is the reviewers' queue."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        pairs = list_pairs(work.connection, query.get("tenant"), query.get("state"), after, limit + 1)
        return Answer(page(pairs, limit, pair_json, lambda pair: str(pair.row.id)))

    return in_transaction(use_case)


@blueprint.get("/<uuid:pair_id>")
@needs(*READERS)
def get_pair(pair_id: UUID) -> Response:
    """One pair with both claims side by side.

    Of a claim of another tenant it tells the platform, the month and the reference, and compares nothing.
    """
    return in_transaction(lambda work: Answer(compared_json(work.connection, view_pair(work.connection, pair_id))))


@blueprint.post("/<uuid:pair_id>/resolution")
@needs("reviews:write")
@blueprint.arguments(PairDecisionSchema)
def decide_similar_pair(body: dict[str, Any], pair_id: UUID) -> Response:
    """Dismiss the pair, which then never comes back, or confirm it, which refuses the claim that it holds."""

    def use_case(work: Work) -> Answer:
        pair = decide_pair(work, reviewer(), pair_id, body["outcome"], body["reason"])
        return Answer(compared_json(work.connection, pair))

    return in_transaction(use_case)
