"""Paid in first (先缴存后付款): what a settlement agent pays is not sent before the batch's total arrived there.

Told by the bank about the pay-in's order; where no bank was called about it and none has spoken, by a person who did
not release the batch. The database refuses to send anything before (``bank_submission_batch_paid_in``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import Batch
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Forbidden, Text, not_found
from tenants.kernel.statements import insert_rows

AGENT: Final = "agent"
"""The form of a batch that a settlement agent pays."""
FOR_BANKS: Final = frozenset({"pain.001.xml", "payouts.csv", "payouts.xlsx"})
"""The files of a batch that a bank takes and acts on; the others are there to be read and verified."""
_COLUMNS: Final = ("tenant", "batch_id", "order_id", "reason", "said_by", "said_at")


@dataclass(frozen=True, slots=True)
class PaidIn:
    """A person's word that a batch's pay-in has arrived with its agent."""

    order_id: UUID
    reason: str
    said_by: str
    said_at: datetime

    def json(self) -> dict[str, Json]:
        """The word in the form of the API."""
        return {"reason": self.reason, "said_by": self.said_by, "said_at": plain(self.said_at)}


def waits_for_pay_in(connection: Connection, tenant: str, batch_id: UUID) -> bool:
    """Whether an agent pays the batch and has not got its money: nothing of it is sent."""
    waits: bool = connection.exec_driver_sql("select waits_for_pay_in(%s, %s)", (tenant, batch_id)).scalar_one()
    return waits


def require_paid_in(connection: Connection, batch: Batch) -> None:
    """Refuse to send what is not paid in.

    Raises:
        Conflict: ``batch.not_paid_in``.
    """
    if waits_for_pay_in(connection, batch.tenant, batch.id):
        raise Conflict("batch.not_paid_in", WAITS.zh.format(batch.batch_no), WAITS.en.format(batch.batch_no))


WAITS: Final = Text(
    "批次 {} 由结算代理付款，缴存款尚未到账，不能送交银行：须先由银行告知缴存已付，或在未接银行时由运营人员确认到账。",
    "Batch {} is paid by its settlement agent, which has not got its money: it is sent once the bank tells that the "
    "pay-in is paid or, where no bank is connected, once the operator confirms that it arrived.",
)


def pay_in_json(connection: Connection, batch: Batch) -> dict[str, Json] | None:
    """Where the batch stands with its agent, in the form of the API; ``None`` where no agent pays it."""
    if batch.form != AGENT or batch.instructed_at is None:
        return None
    word = find_word(connection, batch)
    waits = waits_for_pay_in(connection, batch.tenant, batch.id)
    reason: dict[str, Json] = {"zh": WAITS.zh.format(batch.batch_no), "en": WAITS.en.format(batch.batch_no)}
    return {
        "state": "waiting" if waits else "paid_in",
        "reason": reason if waits else None,
        "confirmed": None if word is None else word.json(),
    }


def find_word(connection: Connection, batch: Batch) -> PaidIn | None:
    """The word that was given; ``None`` where there is none."""
    row = connection.exec_driver_sql(
        "select order_id, reason, said_by, said_at from agent_paid_in where tenant = %s and batch_id = %s",
        (batch.tenant, batch.id),
    ).one_or_none()
    return None if row is None else PaidIn(*row)


def say_paid_in(
    connection: Connection, batch: Batch, reason: str, actor: str, at: datetime, *, connected: bool
) -> PaidIn:
    """Say that the pay-in of the locked batch arrived; the same person's word again changes nothing.

    ``connected``: whether a bank is connected that pays it, whose word it then is.

    Raises:
        NotFound: no agent pays the batch, or it is not instructed yet.
        Conflict: ``pay_in.by_bank``, ``pay_in.said``.
        Forbidden: ``pay_in.four_eyes``.
    """
    known = find_word(connection, batch)
    if known is not None:
        if known.said_by == actor:
            return known
        raise Conflict("pay_in.said", "该批次的缴存已由他人确认到账。", "Somebody else has confirmed it already.")
    order = connection.exec_driver_sql(
        "select o.id, exists (select 1 from bank_submission s where s.tenant = o.tenant and s.order_id = o.id) "
        "or exists (select 1 from clearing_order_outcome x where x.tenant = o.tenant and x.order_id = o.id "
        "and x.outcome <> 'accepted') as by_bank from clearing_order o where o.tenant = %s and o.batch_id = %s "
        "and not exists (select 1 from clearing_order_end e where e.tenant = o.tenant and e.order_id = o.id)",
        (batch.tenant, batch.id),
    ).one_or_none()
    if order is None:
        raise not_found("缴存指令", "pay-in order")
    if order.by_bank or connected:
        raise Conflict(
            "pay_in.by_bank",
            f"批次 {batch.batch_no} 的缴存经银行办理，以银行回单为准，不能由人工确认。",
            f"The pay-in of batch {batch.batch_no} goes through a bank: its word counts, and no person's does.",
        )
    if batch.released_by == actor:
        raise Forbidden(
            "pay_in.four_eyes",
            "放行该批次的人不能确认缴存到账。",
            "Who released the batch does not confirm it.",
        )
    made = PaidIn(order.id, reason, actor, at)
    insert_rows(connection, "agent_paid_in", _COLUMNS, [(batch.tenant, batch.id, order.id, reason, actor, at)])
    details: dict[str, Json] = {"batch_no": batch.batch_no, "order": str(order.id)}
    record(connection, [Change(batch.tenant, actor, "pay_in.confirmed", batch.id, reason=reason, details=details)], at)
    return made
