"""Settling (结算): a batch is settled in the very transaction in which the bank's last word about it is booked."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.batches.batch import change_batch, lock_batch, record_step
from settlement.batches.batch_states import SETTLE
from tenants.kernel.database import StartAgainError

SYSTEM: Final = "system"
"""Who settles, books or sends: no person; it follows from what the bank told, or from what was agreed."""


def hold_batches(connection: Connection, tenant: str, batch_ids: Iterable[UUID], at: datetime) -> None:
    """Lock the batches before anything more is booked of them, so that no statement of theirs is made meanwhile.

    Raises:
        StartAgainError: a statement of one was made after this transaction began; what it says stays true, so what is
            booked now has to be later.
    """
    wanted = sorted(set(batch_ids))
    if not wanted:
        return
    connection.exec_driver_sql(
        "select 1 from batch where tenant = %s and id = any(%s) order by id for no key update", (tenant, wanted)
    )
    if connection.exec_driver_sql(
        "select 1 from batch_settlement where tenant = %s and batch_id = any(%s) and made_at >= %s limit 1",
        (tenant, wanted, at),
    ).first():
        raise StartAgainError


def settle_decided(connection: Connection, tenant: str, batch_ids: Iterable[UUID], at: datetime) -> None:
    """Settle those of the instructed batches of whose every instruction the bank has told: paid or rejected.

    What is paid may come back later; the batch is settled all the same, and its claims are ``returned``.
    """
    decided = connection.exec_driver_sql(
        # each instruction's outcome by its key, as in ``settlement.statements.expectations``
        "select b.id from batch b where b.tenant = %s and b.id = any(%s) and b.state = 'instructed' and not exists ("
        "select 1 from instruction i left join lateral (select 1 as known from instruction_outcome "
        "where tenant is not distinct from i.tenant and instruction_id = i.id and outcome in ('paid', 'rejected') "
        "offset 0) o on true where i.tenant = b.tenant and i.batch_id = b.id and o.known is null) order by b.id",
        (tenant, sorted(set(batch_ids))),
    )
    for batch_id in decided.scalars().all():
        batch = lock_batch(connection, tenant, batch_id)
        settled = change_batch(connection, batch, state=SETTLE.ends, state_by=SYSTEM, settled_at=at)
        record_step(connection, batch, settled, SETTLE.ends, SYSTEM, at)
