"""A batch at the bank: its payment file sent, the bank's answers handed in, and what they came to."""

import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from clearing.api.frame import current, principal
from clearing.api.noun import DEFAULT_LIMIT, cursor_id, load, write_cursor
from clearing.api.sending import sent_by_caller
from clearing.api.settlements import BatchAgainSchema, lines_of
from clearing.api.statements import MAX_STATEMENT_BYTES
from clearing.console.forms import plain_form
from clearing.console.screen import act, as_api, screen, show, within
from settlement.bank.sending import calls_of, find_submission, submission_json
from settlement.batches.batch import find_batch
from settlement.batches.batch_settlement import list_settlements, state_again, sums_of
from settlement.matching_back import reach_linked
from settlement.statements.reconciliation import Imported, import_statement
from settlement.statements.statement_records import class_totals, list_statements, statement_json
from tenants.kernel.database import Work
from tenants.kernel.errors import FieldError, Invalid, NotFound, Problem, Text

blueprint = screen("bank", "/batches/<tenant>/<uuid:batch_id>/bank")

UPLOAD: Final = "console_bank.hand_in"
_CHUNK_BYTES: Final = 2**18


def _let_files_be_large() -> None:
    """A bank's file may be larger than any other form; said before the form is read."""
    if request.endpoint == UPLOAD:
        request.max_content_length = MAX_STATEMENT_BYTES


blueprint.before_request_funcs[None].insert(0, _let_files_be_large)


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


@blueprint.post("/statements")
@as_api("batches.post_statement")
def hand_in(tenant: str, batch_id: UUID) -> AnyResponse:
    """Import a bank's answer; one that was imported before is shown again."""

    def take_in() -> Imported:
        with tempfile.TemporaryDirectory(prefix="statement-") as folder:
            path = Path(folder) / "statement"
            keep_upload(path)
            return within(lambda work: _import(work, tenant, batch_id, path), (tenant,))

    def report(imported: Imported) -> str:
        statement = imported.statement
        done = "statement-known" if imported.before else "statement-imported"
        return f"/console/batches/{tenant}/{statement.batch_id}/bank/statements/{statement.id}?done={done}"

    return act(take_in, lambda problem: _page(tenant, batch_id, problem), report)


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


def _import(work: Work, tenant: str, batch_id: UUID, path: Path) -> Imported:
    reach_linked(work, tenant)
    return import_statement(work.connection, tenant, batch_id, path, principal().subject, work.at, current().office)


def keep_upload(path: Path) -> None:
    """Write the uploaded file to the path.

    Raises:
        Invalid: none was chosen, or an empty one.
    """
    file = request.files.get("file")
    size = 0
    if file is not None and file.filename:
        with path.open("wb") as kept:
            while chunk := file.stream.read(_CHUNK_BYTES):
                size += kept.write(chunk)
    if size == 0:
        said = Text("请选择银行提供的文件。", "Choose the file that the bank gave you.")
        raise Invalid("input.invalid", said.zh, said.en, errors=(FieldError("/file", "file.missing", said),))


def _page(tenant: str, batch_id: UUID, problem: Problem | None = None) -> Response:
    after = cursor_id(request.args.get("cursor"))

    def use_case(work: Work) -> dict[str, Any]:
        batch = find_batch(work.connection, tenant, batch_id)
        statements = list_statements(work.connection, tenant, batch_id, after, DEFAULT_LIMIT + 1)
        last = statements[DEFAULT_LIMIT - 1] if len(statements) > DEFAULT_LIMIT else None
        return {
            "batch": batch,
            "sums": sums_of(work.connection, batch, work.at).json() if batch.instructed_at is not None else None,
            "settlements": list_settlements(work.connection, batch),
            "submission": _submission(work, tenant, batch_id),
            "statements": [
                statement_json(each, class_totals(work.connection, each)) for each in statements[:DEFAULT_LIMIT]
            ],
            "next_cursor": None if last is None else write_cursor(str(last.id)),
        }

    status = HTTPStatus.OK if problem is None else problem.status
    connected = tenant in current().banks
    return show("bank.html", status, tenant=tenant, problem=problem, connected=connected, **within(use_case, (tenant,)))


def _submission(work: Work, tenant: str, batch_id: UUID) -> dict[str, Any] | None:
    try:
        found = find_submission(work.connection, tenant, batch_id)
    except NotFound:
        return None
    return submission_json(found, calls_of(work.connection, found))


def _place(tenant: str, batch_id: UUID) -> str:
    return f"/console/batches/{tenant}/{batch_id}/bank"
