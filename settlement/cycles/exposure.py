"""Exposure (敞口): what a tenant owes another and has not settled, the limit of it, and the hold on what would pass it.

The limit is the agreement's and is never raised by itself: a batch that would pass it waits until the one approver whom
the agreement names lifts the hold on this batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.agreements.agreement import Agreement
from settlement.batches.batch import Batch
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.errors import Conflict, Forbidden, not_found
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class ExposureHold:
    """One row of ``exposure_hold``: the batch would have made ``owed`` more than ``limit``."""

    tenant: str
    batch_id: UUID
    counterparty: str
    owed: Money
    limit: Money
    approver: str
    held_by: str
    held_at: datetime
    lifted_by: str | None = None
    lifted_at: datetime | None = None
    reason: str | None = None

    def json(self) -> dict[str, Json]:
        """The hold in the form of the API."""
        return {
            "batch_id": str(self.batch_id),
            "counterparty": self.counterparty,
            "owed": str(self.owed),
            "limit": str(self.limit),
            "approver": self.approver,
            "held_by": self.held_by,
            "held_at": plain(self.held_at),
            "lifted_by": self.lifted_by,
            "lifted_at": plain(self.lifted_at),
            "reason": self.reason,
        }


def exposure(connection: Connection, tenant: str, creditor: str) -> Money:
    """What the tenant owes the other and has not settled yet."""
    fen: int = connection.exec_driver_sql(
        "select coalesce(sum(d.amount_fen), 0)::bigint from clearing_due d join clearing_cycle c on c.id = d.cycle_id "
        "where d.tenant = %s and d.creditor = %s and c.state <> 'settled'",
        (tenant, creditor),
    ).scalar_one()
    return Money(fen)


def exposures(connection: Connection, tenants: Sequence[str]) -> dict[tuple[str, str], Money]:
    """What each tenant owes each other and has not settled yet, where either is one of these.

    Of closed windows the matrices are added up, of the open ones their debts.
    """
    mine = "(d.tenant = any(%s) or d.creditor = any(%s))"
    rows = connection.exec_driver_sql(
        "select tenant, creditor, sum(fen)::bigint from ("  # noqa: S608 - our own conditions
        "select d.tenant, d.creditor, d.gross_fen as fen from clearing_cycle c "
        f"join clearing_cell d on d.cycle_id = c.id where c.state in ('closed', 'confirmed') and {mine} union all "
        "select d.tenant, d.creditor, d.amount_fen from clearing_cycle c "
        f"join clearing_due d on d.cycle_id = c.id where c.state = 'open' and {mine}) owed group by 1, 2",
        (list(tenants), list(tenants), list(tenants), list(tenants)),
    )
    return {(tenant, creditor): Money(fen) for tenant, creditor, fen in rows}


def held_at_limit(connection: Connection, batch: Batch, agreement: Agreement, actor: str, at: datetime) -> bool:
    """Whether the batch has to wait; the hold is opened where it is not open yet. The window must be held open."""
    hold = find_hold(connection, batch.tenant, batch.id)
    if hold is not None:
        return hold.lifted_at is None
    limit, approver, creditor = agreement.exposure_limit, agreement.exposure_approver, agreement.other(batch.tenant)
    owed = exposure(connection, batch.tenant, creditor) + batch.total
    if limit is None or approver is None or owed <= limit:
        return False
    connection.exec_driver_sql(
        "insert into exposure_hold (tenant, batch_id, counterparty, owed_fen, limit_fen, approver, held_by, held_at) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s)",
        (batch.tenant, batch.id, creditor, owed.fen, limit.fen, approver, actor, at),
    )
    details: dict[str, Json] = {
        "batch_no": batch.batch_no, "counterparty": creditor, "owed": str(owed), "limit": str(limit),
        "approver": approver,
    }  # fmt: skip
    record(connection, [Change(batch.tenant, actor, "exposure.held", batch.id, details=details)], at)
    return True


def lift_hold(connection: Connection, batch: Batch, reason: str, actor: str, at: datetime) -> ExposureHold:
    """Let this one batch pass the limit; only the named approver can. The batch must be locked.

    Raises:
        NotFound: the batch is not held.
        Forbidden: ``exposure.approver``.
        Conflict: ``exposure.lifted``: another reason was given before.
    """
    hold = find_hold(connection, batch.tenant, batch.id)
    if hold is None:
        raise not_found("敞口暂停", "exposure hold")
    if actor != hold.approver:
        raise Forbidden(
            "exposure.approver",
            f"只有协议指定的批准人 {hold.approver} 可以放行超限批次。",
            f"Only {hold.approver}, whom the agreement names, lifts this hold.",
        )
    if hold.lifted_at is not None:
        if hold.reason == reason:
            return hold
        raise Conflict("exposure.lifted", "该暂停已解除。", "The hold was lifted already.")
    connection.exec_driver_sql(
        "update exposure_hold set lifted_by = %s, lifted_at = %s, reason = %s where tenant = %s and batch_id = %s",
        (actor, at, reason, batch.tenant, batch.id),
    )
    details: dict[str, Json] = {"batch_no": batch.batch_no, "counterparty": hold.counterparty}
    record(connection, [Change(batch.tenant, actor, "exposure.lifted", batch.id, reason=reason, details=details)], at)
    lifted = find_hold(connection, batch.tenant, batch.id)
    if lifted is None:
        raise RuntimeError("the hold is gone")
    return lifted


def find_hold(connection: Connection, tenant: str, batch_id: UUID) -> ExposureHold | None:
    """The batch's hold, whether lifted or not; ``None`` where it never was held."""
    row = connection.exec_driver_sql(
        f"select {_COLUMNS} from exposure_hold where tenant = %s and batch_id = %s",  # noqa: S608 - our own columns
        (tenant, batch_id),
    ).one_or_none()
    return None if row is None else _hold(row)


_COLUMNS: Final = (
    "tenant, batch_id, counterparty, owed_fen, limit_fen, approver, held_by, held_at, lifted_by, lifted_at, reason"
)


def _hold(row: Any) -> ExposureHold:  # noqa: ANN401 - a row of these columns
    tenant_of, of, counterparty, owed_fen, limit_fen, *rest = row
    return ExposureHold(tenant_of, of, counterparty, Money(owed_fen), Money(limit_fen), *rest)


def open_holds(connection: Connection, tenant: str) -> list[ExposureHold]:
    """The holds of the tenant that nobody has lifted: what finance has to be alarmed about."""
    return open_holds_of(connection, (tenant,))


def open_holds_of(connection: Connection, tenants: Sequence[str]) -> list[ExposureHold]:
    """The same of several tenants."""
    rows = connection.exec_driver_sql(
        f"select {_COLUMNS} from exposure_hold where tenant = any(%s) and lifted_at is null order by held_at",  # noqa: S608
        (list(tenants),),
    )
    return [_hold(row) for row in rows]
