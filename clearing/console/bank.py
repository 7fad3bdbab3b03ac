"""A batch at the bank: its payment file sent, the bank's answers handed in, and what they came to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Response
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.batch_clearing import PaidInSchema, pay_in_said_by_caller
from clearing.api.frame import current, principal
from clearing.api.noun import PageSchema, load
from clearing.api.sending import sent_by_caller
from clearing.api.settlements import BatchAgainSchema, lines_of
from clearing.console.bank_file import let_files_be_large, taken_in
from clearing.console.export import Column
from clearing.console.forms import plain_form
from clearing.console.lists import Figure, Listing, shown
from clearing.console.screen import act, as_api, screen, within
from clearing.console.words import word
from settlement.bank.order_sending import bank_of_batch
from settlement.bank.sending import calls_of, find_submission, submission_json
from settlement.batches.batch import Batch, find_batch
from settlement.batches.batch_settlement import list_settlements, state_again, sums_of
from settlement.batches.paid_in import pay_in_json
from settlement.cycles.clearing_order import Order, pay_in_of
from settlement.matching_back import reach_linked
from settlement.statements.matching import CLASSES
from settlement.statements.reconciliation import Imported, import_statement
from settlement.statements.statement_records import class_totals, list_statements, statement_json, statement_totals
from tenants.kernel.database import Work
from tenants.kernel.errors import NotFound, Problem

Statement = dict[str, Any]

blueprint = screen("bank", "/batches/<tenant>/<uuid:batch_id>/bank")

let_files_be_large(blueprint, "console_bank.hand_in")


@blueprint.get("")
@as_api("batches.get_statements", "batches.get_sending", "batches.get_settlement")
def bank_page(tenant: str, batch_id: UUID) -> Response:
    """What was sent, what was answered."""
    return _page(tenant, batch_id)


@blueprint.post("/sending")
@as_api("batches.send_batch")
def send(tenant: str, batch_id: UUID) -> AnyResponse:
    """Send the payment file; ordering it again changes nothing."""
    return act(
        lambda: within(lambda work: sent_by_caller(work, tenant, batch_id), (tenant,)),
        lambda problem: _page(tenant, batch_id, problem),
        f"{_place(tenant, batch_id)}?done=bank-ordered",
    )


@blueprint.post("/pay-in")
@as_api("batch_clearing.confirm_pay_in")
def confirm_pay_in(tenant: str, batch_id: UUID) -> AnyResponse:
    """Say that the agent got the batch's money, where no bank tells."""

    def use_case(work: Work) -> None:
        reason = load(PaidInSchema(), plain_form("reason", required=("reason",)))["reason"]
        pay_in_said_by_caller(work, tenant, batch_id, reason)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, batch_id, problem),
        f"{_place(tenant, batch_id)}?done=pay-in-confirmed",
    )


@blueprint.post("/statements")
@as_api("batches.post_statement")
def hand_in(tenant: str, batch_id: UUID) -> AnyResponse:
    """Import a bank's answer; one that was imported before is shown again."""
    return act(
        lambda: taken_in(tenant, lambda work, path: bank_answered(work, tenant, batch_id, path)),
        lambda problem: _page(tenant, batch_id, problem),
        lambda done: statement_address(tenant, done),
    )


@blueprint.post("/settlement")
@as_api("batches.post_settlement")
def state(tenant: str, batch_id: UUID) -> AnyResponse:
    """Sign the next statement of a closed batch of which something came back since."""

    def use_case(work: Work) -> None:
        reason = load(BatchAgainSchema(), plain_form("reason"))["reason"]
        actor = principal().subject
        state_again(work.connection, tenant, batch_id, reason, current().office, actor, work.at)

    return act(
        lambda: within(use_case, (tenant,)),
        lambda problem: _page(tenant, batch_id, problem),
        f"{_place(tenant, batch_id)}?done=batch-stated",
    )


@blueprint.get("/settlement/<int(min=1, max=10000):number>/lines")
@as_api("batches.get_settlement_lines")
def statement_lines(tenant: str, batch_id: UUID, number: int) -> Response:
    """Download the lines of a statement, whose SHA-256 the statement signs."""
    return lines_of(tenant, batch_id, number)


def statement_address(tenant: str, imported: Imported) -> str:
    """Where the statement that was handed in is shown."""
    statement = imported.statement
    done = "statement-known" if imported.before else "statement-imported"
    return f"/console/batches/{tenant}/{statement.batch_id}/bank/statements/{statement.id}?done={done}"


def bank_answered(work: Work, tenant: str, batch_id: UUID, path: Path) -> Imported:
    """Import the bank's answer in the file, as the caller."""
    reach_linked(work, tenant)
    return import_statement(work.connection, tenant, batch_id, path, principal().subject, work.at, current().office)


def _page(tenant: str, batch_id: UUID, problem: Problem | None = None) -> Response:
    def use_case(work: Work) -> dict[str, Any]:
        batch = find_batch(work.connection, tenant, batch_id)
        return {
            "batch": batch,
            "sums": sums_of(work.connection, batch, work.at).json() if batch.instructed_at is not None else None,
            "settlements": list_settlements(work.connection, batch),
            "submission": _submission(work, tenant, batch_id),
            "pay_in": pay_in_json(work.connection, batch),
            "order": _pay_in_order(work, batch),
            "connected": bank_of_batch(work.connection, batch, current().banks) is not None,
        }

    found = within(use_case, (tenant,))
    return shown("bank.html", _statements(found["batch"]).page(), problem, tenant=tenant, **found)


def _pay_in_order(work: Work, batch: Batch) -> Order | None:
    """The order that pays the batch in to its agent."""
    try:
        return pay_in_of(work.connection, batch, current().office)
    except NotFound:
        return None


@blueprint.get("/export.<any(csv,xlsx):form>")
@as_api("batches.get_statements")
def export_statements(tenant: str, batch_id: UUID, form: str) -> Response:
    """The bank's files of the batch, all of them, as a file."""
    return _statements(within(lambda work: find_batch(work.connection, tenant, batch_id), (tenant,))).export(form)


def _statements(batch: Batch) -> Listing[Statement, UUID]:
    def read(work: Work, _query: Mapping[str, Any], after: UUID | None, limit: int) -> list[Statement]:
        rows = list_statements(work.connection, batch.tenant, batch.id, after, limit)
        return [dict(statement_json(each, class_totals(work.connection, each))) for each in rows]

    return Listing(
        name=f"{batch.batch_no}-statements",
        schema=PageSchema,
        read=read,
        totals=lambda work, _query, most: statement_totals(work.connection, batch.tenant, batch.id, most),
        key=lambda each: UUID(str(each["id"])),
        columns=_columns,
        figures=lambda: (Figure(_("行数"), lambda each: int(each["lines"])),),
        tenants=(batch.tenant,),
    )


def _columns() -> tuple[Column[Statement], ...]:
    def of_class(each: Statement, name: str, what: str) -> str:
        return str(each["classes"].get(name, {}).get(what, "0" if what == "count" else "0.00"))

    return (
        Column(_("导入时间"), lambda each: str(each["imported_at"])),
        Column(_("导入人"), lambda each: str(each["imported_by"])),
        Column(_("格式"), lambda each: str(each["format"])),
        Column(_("行数"), lambda each: str(each["lines"])),
        *(
            Column(f"{word('line_class', name)} · {title}", lambda each, n=name, w=what: of_class(each, n, w))  # type: ignore[misc]
            for name in CLASSES
            for what, title in (("count", _("行数")), ("amount", _("金额（元）")))
        ),
        Column("SHA-256", lambda each: str(each["sha256"])),
    )


def _submission(work: Work, tenant: str, batch_id: UUID) -> dict[str, Any] | None:
    try:
        found = find_submission(work.connection, tenant, batch_id)
    except NotFound:
        return None
    return submission_json(found, calls_of(work.connection, found))


def _place(tenant: str, batch_id: UUID) -> str:
    return f"/console/batches/{tenant}/{batch_id}/bank"
