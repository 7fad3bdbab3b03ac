"""``/v1/tenants/{tenant}/batches/{id}/sending``: a batch's payment file on its way to the bank."""

from typing import Final
from uuid import UUID

from flask import Response
from marshmallow import Schema, fields

from clearing.api.batches import READERS, blueprint
from clearing.api.described import instant, text
from clearing.api.frame import Answer, current, in_transaction, needs, principal
from settlement.bank.order_sending import bank_of_batch
from settlement.bank.sending import Submission, calls_of, find_submission, order_sending, submission_json
from settlement.batches.batch import find_batch
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict

OUTCOMES: Final = ("accepted", "rejected", "delivered", "pending", "absent", "silent")


class CallSchema(Schema):
    """One call of the bank; without an outcome, nothing is known of it yet."""

    seq = fields.Integer(metadata={"description": "次序 / order"})
    kind = text("发送或查询 / what was called", enum=["submit", "inquiry"])
    made_at = instant("调用时刻 / when")
    outcome = text("银行答复 / the bank's answer", enum=list(OUTCOMES))
    detail = text("银行原话 / the bank's words")
    answered_at = instant("答复时刻 / when it answered")


class SubmissionSchema(Schema):
    """A payment file sent to the bank, once for ever."""

    id = fields.UUID()
    batch_id = fields.UUID(metadata={"description": "批次 / the batch whose file it is"})
    order_id = fields.UUID(metadata={"description": "或清算指令 / or the order between tenants"})
    message_id = text("报文编号 / message id", examples=["BT-JS-2024-0001"])
    method = text("发送方式 / how", enum=["folder", "http", "simulator"])
    file = text("文件名 / file name")
    file_sha256 = text("SHA-256, hexadecimal")
    state = text("状态 / state", enum=["prepared", "sent", "unknown", "accepted", "rejected"])
    ordered_by = text("下令人 / who ordered it")
    ordered_at = instant("下令时刻 / when")
    calls = fields.List(fields.Nested(CallSchema), metadata={"description": "每一次调用 / every call"})


@blueprint.post("/<uuid:batch_id>/sending")
@needs("batches:release")
@blueprint.response(202, SubmissionSchema)
def send_batch(tenant: str, batch_id: UUID) -> Response:
    """Send the batch's payment file to the bank that pays it; ordering it again changes nothing."""
    return in_transaction(lambda work: _shown(work, sent_by_caller(work, tenant, batch_id), 202), (tenant,))


def sent_by_caller(work: Work, tenant: str, batch_id: UUID) -> Submission:
    """Order the sending, as the caller.

    Raises:
        Conflict: ``bank.not_configured``, ``bank.demonstration``, ``batch.not_paid_in``.
    """
    bank = bank_of_batch(work.connection, find_batch(work.connection, tenant, batch_id), current().banks)
    current().require_way(work.connection, bank)
    if bank is None:
        raise Conflict(
            "bank.not_configured",
            "该区域没有配置银行通道，请下载拨付文件自行提交。",
            "No bank is configured for this tenant; download the payment file and hand it in yourselves.",
        )
    return order_sending(work.connection, tenant, batch_id, bank.method, principal().subject, work.at)


@blueprint.get("/<uuid:batch_id>/sending")
@needs(*READERS)
@blueprint.response(200, SubmissionSchema)
def get_sending(tenant: str, batch_id: UUID) -> Response:
    """What was sent to the bank, every call of it and every answer."""
    return in_transaction(lambda work: _shown(work, find_submission(work.connection, tenant, batch_id), 200), (tenant,))


def _shown(work: Work, submission: Submission, status: int) -> Answer:
    return Answer(submission_json(submission, calls_of(work.connection, submission)), status)
