"""``/v1/demo/clock``: the demonstration clock, read and moved forward; it exists in demonstration mode only."""

from datetime import datetime

from flask import Response
from marshmallow import Schema

from clearing.api.frame import Answer, current, in_transaction, needs
from clearing.api.noun import Noun
from clearing.demonstration_clock import move_forward
from connectors.fields import InstantField
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Work

blueprint = Noun("demo", __name__, url_prefix="/v1/demo", description="演示时钟 / demonstration clock")


class ClockSchema(Schema):
    """Where the clock is to go."""

    now = InstantField()


@blueprint.get("/clock")
@needs("clearing:operate")
def read_clock() -> Response:
    """The business time now."""
    return in_transaction(lambda work: Answer({"now": print_instant(work.at)}))


@blueprint.put("/clock")
@needs("clearing:operate")
@blueprint.arguments(ClockSchema)
def set_clock(body: dict[str, datetime]) -> Response:
    """Move the business time forward; it never goes back."""

    def use_case(work: Work) -> Answer:
        return Answer({"now": print_instant(move_forward(work.connection, body["now"], current().machine))})

    return in_transaction(use_case)
