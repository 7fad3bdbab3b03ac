"""Sending an order between tenants: through the same port as a batch's file, once, and never before it may be."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection

from settlement.agreements.agreement import find_agreement
from settlement.bank.connections import BankConnection, agent_of
from settlement.bank.sending import Submission, find_where, store_submission
from settlement.batches.batch import Batch, find_batch
from settlement.batches.paid_in import AGENT
from settlement.cycles.clearing_order import Order, find_order, hold_order
from settlement.cycles.order_file import ORDER_FILE, bank_of, order_file, require_sendable
from settlement.office import Office
from tenants.kernel.errors import not_found
from tenants.kernel.ids import new_id


def send_order(connection: Connection, order: Order, office: Office, actor: str, at: datetime) -> Submission:
    """Order that one order between tenants be sent to the bank that pays it; ordering it again changes nothing.

    Raises:
        Conflict: ``bank.not_configured``, ``order.ended``, ``order.decided``, ``order.not_paid_in``,
            ``order.no_agent``, ``key.revoked``.
    """
    hold_order(connection, order)
    found = find_where(connection, "tenant = %s and order_id = %s", (order.tenant, order.id))
    if found is not None:
        return found
    bank = require_sendable(connection, order, office)
    content = order_file(connection, order, office)
    digest = sha256(content).hexdigest()
    return store_submission(
        connection,
        Submission(
            order.tenant, new_id(), None, order.message_id, bank.method, ORDER_FILE, digest, actor, at, order.id
        ),
    )  # fmt: skip


def find_order_submission(connection: Connection, order: Order) -> Submission:
    """The submission of the order.

    Raises:
        NotFound: it was never ordered.
    """
    found = find_where(connection, "tenant = %s and order_id = %s", (order.tenant, order.id))
    if found is None:
        raise not_found("发送记录", "submission")
    return found


def bank_of_submission(
    connection: Connection, tenant: str, submission_id: UUID, office: Office
) -> BankConnection | None:
    """The way to the bank that a submission goes: its tenant's, or a settlement agent's; ``None`` where there is none.

    Raises:
        NotFound: there is no such submission.
    """
    found = find_where(connection, "id = %s", (submission_id,))
    if found is None:
        raise not_found("发送记录", "submission")
    if found.batch_id is not None:
        return bank_of_batch(connection, find_batch(connection, tenant, found.batch_id), office.banks)
    if found.order_id is None:
        raise ValueError("a submission is of a batch or of an order")
    return bank_of(connection, find_order(connection, tenant, found.order_id, office), office.banks)


def bank_of_batch(connection: Connection, batch: Batch, banks: Mapping[str, BankConnection]) -> BankConnection | None:
    """The way to the bank that pays the batch: its tenant's, or that of the settlement agent whose account pays."""
    if batch.form != AGENT or batch.agreement_id is None:
        return banks.get(batch.tenant)
    return banks.get(agent_of(find_agreement(connection, batch.tenant, batch.agreement_id).agreement_set))
