"""``/v1/tenants/{tenant}/clearing-orders``: orders between tenants at the bank: sent, told of, and remedied."""

from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batch_acts import office
from clearing.api.batches import MAX_REASON_CHARACTERS
from clearing.api.cycles import OPERATOR, operated
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import Noun
from clearing.api.reissues import DecisionSchema
from clearing.api.sending import SubmissionSchema
from clearing.api.statements import BANK_FILE, StatementReportSchema, received, report_of
from connectors.leaf import TextField
from settlement.bank.order_sending import find_order_submission, send_order
from settlement.bank.sending import Submission, calls_of, submission_json
from settlement.cycles.clearing_order import find_order
from settlement.cycles.cycle import find_cycle
from settlement.cycles.order_file import bank_of, order_file
from settlement.cycles.order_outcomes import outcomes_of
from settlement.cycles.order_receipts import missing_json, missing_word
from settlement.cycles.order_remedies import CANCEL, REMEDIES, Remedy, decide, find_remedy, propose, remedies_of_order
from settlement.statements.reconciliation import Imported, import_order_statement
from settlement.statements.statement_records import find_order_statement
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Forbidden, NotFound, not_found

blueprint = Noun(
    "clearing-orders",
    __name__,
    url_prefix="/v1/tenants/<tenant>/clearing-orders",
    description="清算指令与银行 / orders between tenants at the bank",
)

READERS = ("batches:write", "batches:release")


class RemedyOrderSchema(Schema):
    """What is to become of an order that came back, and why."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(REMEDIES),
        metadata={"description": "replace 重新下达 / ordered anew; cancel 取消并转入下一窗口 / owed again"},
    )
    reason = TextField(MAX_REASON_CHARACTERS, about="理由 / why")


class RemedySchema(Schema):
    """A proposed remedy, with its decision where there is one."""

    id = fields.UUID()
    tenant = text("区域 / tenant")
    order_id = fields.UUID()
    came_back = text("被拒或退回 / rejected or returned", enum=["rejected", "returned"])
    kind = text("处理 / remedy", enum=list(REMEDIES))
    reason = text("理由 / why")
    proposed_by = text("提出人 / who proposed it")
    proposed_at = instant("提出时刻 / when")
    outcome = text("决定 / decision", enum=["approve", "refuse"])
    decided_by = text("决定人 / who decided")
    decided_at = instant("决定时刻 / when")
    decision_reason = text("决定理由 / why")


@blueprint.get("/<uuid:order_id>")
@needs(*READERS)
def get_order(tenant: str, order_id: UUID) -> Response:
    """One order: its state, every call of the bank, what the bank told, and its remedies."""
    return in_transaction(lambda work: Answer(shown_order(work, tenant, order_id)), (tenant,))


@blueprint.get("/<uuid:order_id>/file")
@needs(*READERS)
@blueprint.doc(responses={"200": {"description": "the file, as an attachment", "content": {"application/xml": {}}}})
def get_order_file(tenant: str, order_id: UUID) -> Response:
    """Download the order's payment file (pain.001): where no bank is connected, finance hands it in itself."""
    return attached_order_file(tenant, order_id)


def attached_order_file(tenant: str, order_id: UUID) -> Response:
    """The order's payment file as an attachment."""

    def use_case(work: Work) -> tuple[str, bytes]:
        order = find_order(work.connection, tenant, order_id, office())
        return order.message_id, order_file(work.connection, order, office())

    service = current()
    name, content = run(service.engine, Scope((tenant,)), service.machine, use_case)
    response = Response(content, mimetype="application/xml")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.xml"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@blueprint.post("/<uuid:order_id>/sending")
@needs("batches:release")
@blueprint.response(202, SubmissionSchema)
def send_clearing_order(tenant: str, order_id: UUID) -> Response:
    """Send the order to the bank that pays it; ordering it again changes nothing."""

    def use_case(work: Work) -> Answer:
        made = order_sent_by_caller(work, tenant, order_id)
        return Answer(submission_json(made, calls_of(work.connection, made)), 202)

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:order_id>/statements")
@needs("batches:write")
@blueprint.doc(**BANK_FILE)
@blueprint.response(201, StatementReportSchema)
def post_order_statement(tenant: str, order_id: UUID) -> Response:
    """Import the bank's answer about the account that the order is paid from; the cycle's last word settles it."""
    with received() as path:

        def use_case(work: Work) -> Answer:
            taken = order_imported_by_caller(work, tenant, order_id, path)
            return Answer(report_of(work, taken.statement), 200 if taken.before else 201)

        return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:order_id>/statements/<uuid:statement_id>")
@needs(*READERS)
@blueprint.response(200, StatementReportSchema)
def get_order_statement(tenant: str, order_id: UUID, statement_id: UUID) -> Response:
    """One of the bank's answers that were handed in at the order."""

    def use_case(work: Work) -> Answer:
        return Answer(report_of(work, find_order_statement(work.connection, tenant, order_id, statement_id)))

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:order_id>/remedies")
@needs("batches:write")
@blueprint.arguments(RemedyOrderSchema)
@blueprint.response(201, RemedySchema)
def post_remedy(body: dict[str, Any], tenant: str, order_id: UUID) -> Response:
    """Propose that an order that came back be ordered anew, or cancelled and owed again in the open window."""
    return in_transaction(
        lambda work: Answer(remedy_proposed_by_caller(work, tenant, order_id, body).json(), 201), (tenant,)
    )


@blueprint.post("/<uuid:order_id>/remedies/<uuid:remedy_id>/decision")
@needs("batches:release", OPERATOR)
@blueprint.arguments(DecisionSchema)
@blueprint.response(200, RemedySchema)
def decide_remedy(body: dict[str, Any], tenant: str, order_id: UUID, remedy_id: UUID) -> Response:
    """Approve or refuse a remedy, by another person; a cancellation takes an operator who acts for every region."""
    return in_transaction(
        lambda work: Answer(remedy_decided_by_caller(work, tenant, order_id, remedy_id, body).json()), (tenant,)
    )


def shown_order(work: Work, tenant: str, order_id: UUID) -> dict[str, Json]:
    """The order in the form of the API, with all that is known of it."""
    order = find_order(work.connection, tenant, order_id, office())
    try:
        submission: Submission | None = find_order_submission(work.connection, order)
    except NotFound:
        submission = None
    return {
        **order.json(),
        "missing": missing_json(missing_word(work.connection, order, shanghai_day(work.at))),
        "sending": None if submission is None else submission_json(submission, calls_of(work.connection, submission)),
        "outcomes": outcomes_of(work.connection, order),
        "remedies": [each.json() for each in remedies_of_order(work.connection, order)],
    }


def order_sent_by_caller(work: Work, tenant: str, order_id: UUID) -> Submission:
    """Order the sending, as the caller."""
    order = find_order(work.connection, tenant, order_id, office())
    current().require_way(work.connection, bank_of(work.connection, order, current().banks))
    return send_order(work.connection, order, office(), principal().subject, work.at)


def order_imported_by_caller(work: Work, tenant: str, order_id: UUID, path: Path) -> Imported:
    """Import the file at the path, as the caller."""
    return import_order_statement(work.connection, tenant, order_id, path, principal().subject, work.at, office())


def remedy_proposed_by_caller(work: Work, tenant: str, order_id: UUID, body: dict[str, Any]) -> Remedy:
    """Propose a remedy, as the caller; ``body`` is what :class:`RemedyOrderSchema` made."""
    return propose(
        work.connection, tenant, order_id, body["kind"], body["reason"], office(), principal().subject, work.at
    )


def remedy_decided_by_caller(work: Work, tenant: str, order_id: UUID, remedy_id: UUID, body: dict[str, Any]) -> Remedy:
    """Decide on a remedy, as the caller.

    Raises:
        NotFound: the order has no such remedy.
        Forbidden: ``scope.missing``: a release is for finance, a cancellation for the operator of every region.
    """
    found = find_remedy(work.connection, tenant, remedy_id)
    if found.order_id != order_id:
        raise not_found("处理方案", "remedy")
    order = find_order(work.connection, tenant, order_id, office())
    if found.kind == CANCEL and order.cycle_id is not None:
        if not principal().may(OPERATOR):
            raise Forbidden(
                "scope.missing",
                "取消清算指令会改动多个区域的账簿，须由清算运营人员决定。",
                "A cancellation changes several regions' books: the operator of the cycle decides on it.",
            )
        operated(work, find_cycle(work.connection, order.cycle_id).agreement_set)
    return decide(
        work.connection, tenant, remedy_id, body["outcome"], body["reason"], office(), principal().subject, work.at
    )
