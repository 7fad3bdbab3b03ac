"""``/v1/tenants/{tenant}/batches/{id}/settlement``: what became of a batch, and its signed statements (结算单)."""

from typing import Any, Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields, validate

from clearing.api.batches import MAX_REASON_CHARACTERS, READERS, blueprint
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from clearing.api.noun import PageSchema, WholeNumber
from connectors.leaf import TextField
from settlement.batches.batch import Batch, find_batch
from settlement.batches.batch_settlement import (
    find_settlement,
    list_settlements,
    settlement_lines,
    state_again,
    sums_of,
)
from tenants.kernel.database import Scope, Work, run

NDJSON: Final = "application/x-ndjson"
LINES_AT_ONCE: Final = 5_000
MAX_NUMBER: Final = 10_000


class BatchSumSchema(Schema):
    """How many instructions, and how much."""

    count = fields.Integer(metadata={"description": "指令笔数 / number of instructions"})
    amount = text("合计（元） / sum in yuan", examples=["408000.00"])


class BatchSumsSchema(Schema):
    """What a batch's instructions came to; the first four add up to its total."""

    paid = fields.Nested(BatchSumSchema)
    returned = fields.Nested(BatchSumSchema)
    rejected = fields.Nested(BatchSumSchema)
    open = fields.Nested(BatchSumSchema)
    reissued = fields.Nested(BatchSumSchema, metadata={"description": "退回或被拒后重新拨付 / issued again of these"})


class BatchSettlementSchema(BatchSumsSchema):
    """A signed statement of a batch."""

    number = fields.Integer(metadata={"description": "结算单序号 / number, from 1"})
    item_count = fields.Integer(metadata={"description": "封存的申请笔数 / sealed claims"})
    total = text("封存合计（元） / sealed total in yuan")
    lines_sha256 = text("明细的 SHA-256 / SHA-256 of its lines (…/settlement/lines)")
    previous_sha256 = text("上一结算单的 SHA-256 / of the statement before it; zeros for the first")
    sha256 = text("本结算单的 SHA-256 / SHA-256 of ``jws``")
    jws = text("结算单（JWS），可离线核验 / the statement, a compact JWS, verifiable offline")
    reason = text("未重新拨付的理由 / why what came back is not issued again")
    made_by = text("出具人 / who made it")
    made_at = instant("出具时刻 / when")


class BatchOutcomeSchema(Schema):
    """What became of a batch up to now, and its statements."""

    batch_no = text("批次号 / number")
    state = text("状态 / state")
    total = text("封存合计（元） / sealed total in yuan")
    now = fields.Nested(BatchSumsSchema)
    statements = fields.List(fields.Nested(BatchSettlementSchema))


class BatchAgainSchema(Schema):
    """Why what came back since is not issued again, where it is not."""

    reason = TextField(MAX_REASON_CHARACTERS, optional=True)


class BatchLinesQuerySchema(PageSchema):
    """Which statement."""

    class Meta:
        """The lines are one file."""

        exclude = ("limit", "cursor")

    number = WholeNumber(load_default=1, validate=validate.Range(1, MAX_NUMBER))


@blueprint.get("/<uuid:batch_id>/settlement")
@needs(*READERS)
@blueprint.response(200, BatchOutcomeSchema)
def get_settlement(tenant: str, batch_id: UUID) -> Response:
    """What became of the batch's instructions: the sums as of now, and its signed statements."""

    def use_case(work: Work) -> Answer:
        batch = find_batch(work.connection, tenant, batch_id)
        made = list_settlements(work.connection, batch)
        return Answer(
            {
                "batch_no": batch.batch_no,
                "state": batch.state,
                "total": str(batch.total),
                "now": sums_of(work.connection, batch, work.at).json(),
                "statements": [each.json() for each in made],
            }
        )

    return in_transaction(use_case, (tenant,))


@blueprint.post("/<uuid:batch_id>/settlement")
@needs("batches:write")
@blueprint.arguments(BatchAgainSchema)
@blueprint.response(201, BatchSettlementSchema)
def post_settlement(body: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """Sign the next statement of a closed batch of which something came back since; else answer the last one."""
    office, actor = current().office, principal().subject

    def use_case(work: Work) -> Answer:
        made = state_again(work.connection, tenant, batch_id, body["reason"], office, actor, work.at)
        return Answer(made.json(), 201)

    return in_transaction(use_case, (tenant,))


@blueprint.get("/<uuid:batch_id>/settlement/lines")
@needs(*READERS)
@blueprint.arguments(BatchLinesQuerySchema, location="query")
@blueprint.doc(responses={"200": {"description": "one line for each instruction", "content": {NDJSON: {}}}})
def get_settlement_lines(query: dict[str, Any], tenant: str, batch_id: UUID) -> Response:
    """Download the lines of a statement: JSON Lines whose SHA-256 the statement signs."""
    return lines_of(tenant, batch_id, query["number"])


def lines_of(tenant: str, batch_id: UUID, number: int) -> Response:
    """The lines of a statement as an attachment, written again part by part."""
    service, scope = current(), Scope((tenant,))

    def found(work: Work) -> tuple[Batch, Any]:
        batch = find_batch(work.connection, tenant, batch_id)
        return batch, find_settlement(work.connection, batch, number)

    batch, statement = run(service.engine, scope, service.machine, found)

    def parts() -> Any:  # noqa: ANN401 - an iterator of bytes
        after = 0
        while True:

            def some(work: Work, behind: int = after) -> list[bytes]:
                return list(settlement_lines(work.connection, batch, statement.made_at, behind, LINES_AT_ONCE))

            lines = run(service.engine, scope, service.machine, some)
            yield b"".join(lines)
            if len(lines) < LINES_AT_ONCE:
                return
            after += len(lines)

    response = Response(parts(), mimetype=NDJSON)
    name = f"{batch.batch_no}-settlement-{statement.number}.jsonl"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
