"""``/v1/tenants/{tenant}/batches/{id}/statements``: the bank's answers, imported and held against what was ordered."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from flask import Response, request
from marshmallow import Schema, fields, validate

from clearing.api.batches import READERS, blueprint, line_of
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal, streamed
from clearing.api.noun import IDENTITY, PageSchema, body_source, cursor_id, page, read_cursor, too_large
from settlement.batches.batch import find_batch
from settlement.matching_back import reach_linked
from settlement.statements.matching import CLASSES
from settlement.statements.reading import FORMATS
from settlement.statements.reconciliation import import_statement
from settlement.statements.statement_records import (
    BankStatement,
    class_totals,
    find_statement,
    line_json,
    list_lines,
    list_statements,
    statement_json,
)
from tenants.kernel.database import Work
from tenants.kernel.errors import UnsupportedMediaType

FIRST_LINES: Final = 100
_CHUNK_BYTES: Final = 2**18


class ClassTotalSchema(Schema):
    """The lines of one class."""

    count = fields.Integer(metadata={"description": "笔数 / number of lines"})
    amount = text("合计（元） / sum in yuan", examples=["408000.00"])
    to_suspense = text("转入待查（元） / of which wait in suspense")


class StatementSchema(Schema):
    """A bank's answer as it was imported."""

    id = fields.UUID()
    batch_id = fields.UUID(metadata={"description": "在哪个批次导入 / the batch at which it was handed in"})
    order_id = fields.UUID(metadata={"description": "或在哪个清算指令导入 / or the order between tenants"})
    format = text("格式 / format", enum=list(FORMATS))
    sha256 = text("SHA-256, hexadecimal")
    bytes = fields.Integer(metadata={"description": "大小（字节） / size in bytes"})
    lines = fields.Integer(metadata={"description": "行数 / number of lines"})
    classes = fields.Dict(fields.String(), fields.Nested(ClassTotalSchema), metadata={"description": "分类 / by class"})
    imported_by = text("导入人 / who imported it")
    imported_at = instant("导入时刻 / when")


class DisagreementSchema(Schema):
    """One field that is not as ordered."""

    field = text("字段 / field")
    expected = text("应为 / as ordered")
    found = text("实为 / as the bank says")


class LineSchema(Schema):
    """One line of a bank's answer."""

    line = fields.Integer(metadata={"description": "行号 / line"})
    kind = text("状态、借记或贷记 / what the line is", enum=["status", "debit", "credit"])
    class_ = fields.String(data_key="class", metadata={"description": "分类 / class", "enum": list(CLASSES)})
    status = text("银行状态 / the bank's status")
    end_to_end_id = text("端到端标识 / end-to-end id")
    instruction_id = fields.UUID()
    amount = text("金额（元） / amount in yuan")
    payee = text("收款人 / payee")
    account_number = text("收款账号（末四位） / last four digits of the account")
    booked_on = text("记账日 / booked on", format="date")
    bank_reference = text("银行流水号 / the bank's reference")
    reason = text("原因 / reason")
    outcome = text("指令结果 / what became of the instruction")
    to_suspense = fields.Boolean(metadata={"description": "是否待查 / whether its money waits in suspense"})
    differences = fields.List(fields.Nested(DisagreementSchema))


class LinePageSchema(Schema):
    """A page of lines."""

    items = fields.List(fields.Nested(LineSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class StatementReportSchema(StatementSchema):
    """The statement, with its first lines that need somebody's eye."""

    differences = fields.Nested(LinePageSchema)


class StatementPageSchema(Schema):
    """A page of statements."""

    items = fields.List(fields.Nested(StatementSchema))
    next_cursor = text("下一页游标，末页为 null / cursor of the next page; null on the last")


class LineQuerySchema(PageSchema):
    """The filter of the list of lines."""

    class_ = fields.String(data_key="class", validate=validate.OneOf(CLASSES))


BANK_FILE: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    "responses": {"201": {"description": "imported"}, "200": {"description": "the same file was imported before"}},
}
"""How a call that takes a bank's file in is described."""


@blueprint.post("/<uuid:batch_id>/statements")
@needs("batches:write")
@blueprint.doc(**BANK_FILE)
@blueprint.response(201, StatementReportSchema)
def post_statement(tenant: str, batch_id: UUID) -> Response:
    """Import a bank's answer: pain.002, camt.053, camt.054, MT940, CSV or XLSX, told by the file's own beginning."""
    office, actor = current().office, principal().subject
    with received() as path:

        def use_case(work: Work) -> Answer:
            reach_linked(work, tenant)
            taken = import_statement(work.connection, tenant, batch_id, path, actor, work.at, office)
            location = f"/v1/tenants/{tenant}/batches/{taken.statement.batch_id}/statements/{taken.statement.id}"
            status = 200 if taken.before else 201
            return Answer(report_of(work, taken.statement), status, {"Location": location})

        return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>/statements")
@needs(*READERS)
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, StatementPageSchema)
def get_statements(query: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """List the bank's answers that were handed in at the batch, the oldest first."""
    limit, after = query["limit"], cursor_id(query["cursor"])

    def use_case(work: Work) -> Answer:
        find_batch(work.connection, tenant, batch_id)
        found = list_statements(work.connection, tenant, batch_id, after, limit + 1)
        totals = {each.id: class_totals(work.connection, each) for each in found[:limit]}
        return Answer(page(found, limit, lambda each: statement_json(each, totals[each.id]), lambda each: str(each.id)))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>/statements/<uuid:statement_id>")
@needs(*READERS)
@blueprint.response(200, StatementReportSchema)
def get_statement(tenant: str, batch_id: UUID, statement_id: UUID) -> Response:
    """One of the bank's answers: its totals by class, and the first lines that need somebody's eye."""

    def use_case(work: Work) -> Answer:
        return Answer(report_of(work, find_statement(work.connection, tenant, batch_id, statement_id)))

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>/statements/<uuid:statement_id>/lines")
@needs(*READERS)
@blueprint.arguments(LineQuerySchema, location="query")
@blueprint.response(200, LinePageSchema)
def get_lines(query: dict[str, Any], tenant: str, batch_id: UUID, statement_id: UUID) -> Response:
    """List the lines of a bank's answer with their classes, all or those of one class."""
    limit, after = query["limit"], line_of(read_cursor(query["cursor"]))
    classes = [query["class_"]] if "class_" in query else None

    def use_case(work: Work) -> Answer:
        statement = find_statement(work.connection, tenant, batch_id, statement_id)
        lines = list_lines(work.connection, statement, classes, after, limit + 1)
        return Answer(page(lines, limit, line_json, lambda line: str(line.line)))

    return in_transaction(use_case, (tenant,))


def report_of(work: Work, statement: BankStatement) -> dict[str, Any]:
    """A statement in the form of the API, with its first lines that need somebody's eye."""
    totals = class_totals(work.connection, statement)
    others = [name for name in CLASSES if name != "matched"]
    lines = list_lines(work.connection, statement, others, 0, FIRST_LINES + 1)
    first = page(lines, FIRST_LINES, line_json, lambda line: str(line.line))
    return {**statement_json(statement, totals), "differences": first}


@contextmanager
def received() -> Iterator[Path]:
    """The request's body in a file that is gone afterwards; memory does not grow with it.

    Raises:
        TooLarge, UnsupportedMediaType: too many bytes, or compressed ones.
    """
    if request.headers.get("Content-Encoding", IDENTITY).lower() != IDENTITY:
        raise UnsupportedMediaType(
            "content_encoding.unsupported", "不接受压缩的内容。", "Compressed content is not accepted."
        )
    largest = current().settings.statement_bytes
    request.max_content_length = largest
    if (request.content_length or 0) > largest:
        raise too_large(largest)
    with tempfile.TemporaryDirectory(prefix="statement-") as folder:
        path = Path(folder) / "statement"
        digest = sha256()
        source = body_source()
        with path.open("wb") as file:
            while chunk := source.read(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
        streamed(digest.digest())
        yield path
