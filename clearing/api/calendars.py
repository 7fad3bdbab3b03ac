"""``/v1/tenants/{tenant}/calendar/{year}``: a year's holidays and make-up days as they were published."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.frame import Answer, in_transaction, needs, principal
from clearing.api.noun import Noun
from connectors.fields import DayField
from connectors.leaf import TextField
from settlement.calendars import load_year, read_year
from tenants.kernel.database import Work

blueprint = Noun(
    "calendars",
    __name__,
    url_prefix="/v1/tenants/<tenant>/calendar/<int(min=2000, max=2100):year>",
    description="工作日历 / working days",
)

READERS = ("claims:read", "reviews:write", "policies:write", "policies:approve", "batches:write", "audit:read")
MAX_DAYS = 200


class CalendarSchema(Schema):
    """The notice of a year."""

    cite = TextField(1000, about="国务院办公厅通知的文号 / the notice")
    holidays = fields.List(DayField(), required=True, validate=validate.Length(max=MAX_DAYS))
    workdays = fields.List(DayField(), required=True, validate=validate.Length(max=MAX_DAYS))


@blueprint.get("")
@needs(*READERS)
def get_calendar(tenant: str, year: int) -> Response:
    """The year as it counts now; provisional where nobody has published it."""
    return in_transaction(lambda work: Answer(read_year(work.connection, tenant, year)), (tenant,))


@blueprint.put("")
@needs("policies:write")
@blueprint.arguments(CalendarSchema)
def put_calendar(body: dict[str, Any], tenant: str, year: int) -> Response:
    """Load the year's notice; running publicity is counted again by it."""

    def use_case(work: Work) -> Answer:
        return Answer(load_year(work.connection, tenant, year, body, principal().subject, work.at))

    return in_transaction(use_case, (tenant,))
