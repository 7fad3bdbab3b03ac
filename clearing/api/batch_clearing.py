"""What an agreement adds to a batch: the hold at an exposure limit, and the order that pays in to its agent."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema

from clearing.api.batch_acts import office
from clearing.api.batches import MAX_REASON_CHARACTERS, READERS
from clearing.api.cycles import OPERATOR
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun
from connectors.fields import MoneyField
from connectors.leaf import TextField
from settlement.batches.batch import find_batch, lock_batch
from settlement.batches.paid_in import pay_in_json, say_paid_in
from settlement.batches.two_releasers import release_limit, set_release_limit
from settlement.cycles.clearing_order import pay_in_of
from settlement.cycles.exposure import lift_hold, open_holds
from tenants.kernel.canonical import Json
from tenants.kernel.database import Work

blueprint = Noun(
    "batch_clearing", __name__, url_prefix="/v1/tenants/<tenant>", description="敞口与缴存 / exposure and pay-in"
)


class LiftSchema(Schema):
    """Why this batch may pass the limit."""

    reason = TextField(MAX_REASON_CHARACTERS)


class PaidInSchema(Schema):
    """How it is known that the pay-in arrived."""

    reason = TextField(MAX_REASON_CHARACTERS, about="依据，如到账回单编号 / such as the number of the bank's slip")


class LimitSchema(Schema):
    """The sum of a batch up to which one releaser is enough."""

    limit = MoneyField(zero=True, about="单人放行上限（元），超过须两人放行 / above it a batch takes two releasers")


@blueprint.get("/release-limit")
@needs(*READERS, "policies:write")
def get_release_limit(tenant: str) -> Response:
    """The sum up to which one releaser is enough; ``null`` where one always is."""

    def use_case(work: Work) -> Answer:
        limit = release_limit(work.connection, tenant)
        return Answer({"tenant": tenant, "limit": None if limit is None else str(limit)})

    return in_transaction(use_case, (tenant,))


@blueprint.put("/release-limit")
@needs("policies:write")
@blueprint.arguments(LimitSchema)
def put_release_limit(body: dict[str, Any], tenant: str) -> Response:
    """Set the sum above which a batch is released by two people."""

    def use_case(work: Work) -> Answer:
        set_release_limit(work.connection, tenant, body["limit"], principal().subject, work.at)
        return Answer({"tenant": tenant, "limit": str(body["limit"])})

    return in_transaction(use_case, (tenant,))


@blueprint.get("/exposure-holds")
@needs(*READERS)
def get_exposure_holds(tenant: str) -> Response:
    """The batches that wait at an exposure limit."""

    def use_case(work: Work) -> Answer:
        holds = open_holds(work.connection, tenant)
        return Answer({"items": [hold.json() for hold in holds], "next_cursor": None})

    return in_transaction(use_case, (tenant,))


@blueprint.post("/batches/<uuid:batch_id>/exposure-hold/lift")
@needs("batches:release")
@blueprint.arguments(LiftSchema)
def lift_exposure_hold(body: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """Let this batch pass the limit; only the approver whom the agreement names can. It is then released as ever."""

    def use_case(work: Work) -> Answer:
        batch = lock_batch(work.connection, tenant, batch_id)
        return Answer(lift_hold(work.connection, batch, body["reason"], principal().subject, work.at).json())

    return in_transaction(use_case, (tenant,))


@blueprint.get("/batches/<uuid:batch_id>/pay-in")
@needs("batches:write", "batches:release")
def get_pay_in(tenant: str, batch_id: UUID) -> Response:
    """The signed order that pays the batch's total in to its settlement agent; none before it is instructed."""

    def use_case(work: Work) -> Answer:
        return Answer(pay_in_of(work.connection, find_batch(work.connection, tenant, batch_id), office()).json())

    return in_transaction(use_case, (tenant,))


@blueprint.post("/batches/<uuid:batch_id>/pay-in/confirmation")
@needs(OPERATOR)
@blueprint.arguments(PaidInSchema)
def confirm_pay_in(body: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """Say that the agent got the batch's money, where no bank tells; only then is the batch sent."""
    return in_transaction(lambda work: Answer(pay_in_said_by_caller(work, tenant, batch_id, body["reason"])), (tenant,))


def pay_in_said_by_caller(work: Work, tenant: str, batch_id: UUID, reason: str) -> dict[str, Json]:
    """Say it, as the caller; the batch's pay-in as it then is."""
    batch = lock_batch(work.connection, tenant, batch_id)
    connected = tenant in current().banks
    say_paid_in(work.connection, batch, reason, principal().subject, work.at, connected=connected)
    return pay_in_json(work.connection, batch) or {}
