"""``/v1/claims/{id}/explanation`` and ``/recomputation``: an award told to people, and proven again."""

import json
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema

from clearing.api.claims import READERS
from clearing.api.frame import Answer, current, in_transaction, needs
from clearing.api.noun import Noun
from clearing.claims.explanation import Lowered, explain
from clearing.claims.records import view_claim
from clearing.tenancy.recomputation import end_of, recompute_one
from connectors.fields import DayField
from tenants.kernel.database import Work
from tenants.kernel.money import Money

blueprint = Noun("explanations", __name__, url_prefix="/v1/claims", description="核定说明 / awards explained")


class KnownOnSchema(Schema):
    """As of which day."""

    known_on = DayField(optional=True, about="截至该日（北京时间）的核定 / the assessment made by the end of this day")


@blueprint.get("/<uuid:claim_id>/explanation")
@needs(*READERS)
def get_explanation(claim_id: UUID) -> Response:
    """The steps of the award in Chinese and English, each with its clause and numbers; and the same as data."""

    def use_case(work: Work) -> Answer:
        row = view_claim(work.connection, claim_id).row
        result = work.connection.exec_driver_sql(
            "select result from assessment where tenant = %s and claim_id = %s order by seq desc limit 1",
            (row.tenant, claim_id),
        ).scalar_one()
        reviews = work.connection.exec_driver_sql(
            "select stage, award_fen, reason from review where tenant = %s and claim_id = %s and revision = %s "
            "and outcome = 'approve' order by at, id",
            (row.tenant, claim_id, row.revision),
        )
        said = json.loads(result)
        told = explain(said, _lowered(said, reviews.all()))
        return Answer({"claim_id": str(claim_id), "claim_no": row.claim_no, "revision": row.revision, **told})

    return in_transaction(use_case)


@blueprint.get("/<uuid:claim_id>/recomputation")
@needs(*READERS)
@blueprint.arguments(KnownOnSchema, location="query")
def get_recomputation(query: dict[str, Any], claim_id: UUID) -> Response:
    """The assessment made by the day (or the last) computed again by what was known then, compared byte for byte."""
    known_on, demonstration = query.get("known_on"), current().settings.demonstration

    def use_case(work: Work) -> Answer:
        view_claim(work.connection, claim_id)
        known_at = None if known_on is None else end_of(known_on)
        return Answer(recompute_one(work.connection, claim_id, known_at, demonstration=demonstration))

    return in_transaction(use_case)


def _lowered(result: dict[str, Any], reviews: Any) -> list[Lowered]:  # noqa: ANN401 - rows of the driver
    award, found = Money.parse(result["award"]).fen, []
    for stage, award_fen, reason in reviews:
        if award_fen < award:
            award = award_fen
            found.append(Lowered(stage, Money(award_fen), reason or ""))
    return found
