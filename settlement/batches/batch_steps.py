"""The steps of a batch before its seal: cut, publish, take one claim out, cancel; and closing an empty one.

Each locks the batch, so that of two people who act at once exactly one does it. The same step again by the same person
answers the batch as it is; by another person it is a ``batch.state`` conflict.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.agreements.agreement import Agreement
from settlement.agreements.arrangement import arrangement
from settlement.batches.batch import (
    Batch,
    change_batch,
    insert_batch,
    lock_batch,
    next_number,
    record_step,
)
from settlement.batches.batch_states import CANCEL, CLOSE, OBJECT, PUBLISH, Step, already_done, require_start
from settlement.batches.progress import cut_teller
from settlement.batches.publicity import PublicityTerms
from settlement.payouts.payments import prepare_for_whole_batch
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Conflict
from tenants.kernel.ids import new_id
from tenants.kernel.workdays import publicity_through

CANCELLED: Final = "cancelled"


@dataclass(frozen=True, slots=True)
class CutOrder:
    """What a batch is to take: every open obligation of the scheme, mode and kind, approved up to the cut-off.

    ``by_application``: the cut-off is one for applications, see :mod:`settlement.batches.cut_offs`.

    ``kind``: ``None`` for approved claims, else a key of ``settlement.batches.obligation.KINDS``.
    ``counterparty``: of the cross-redemption claims, those whose providers are paid by the agreement with that side;
    ``None`` for all others.
    """

    tenant: str
    scheme: str
    mode: str
    cut_off_at: datetime
    kind: str | None = None
    counterparty: str | None = None
    by_application: bool = False

    @property
    def counted_by(self) -> str:
        """The instant of an obligation that is compared with the cut-off, as SQL."""
        return "coalesce(applied_at, approved_at)" if self.by_application else "approved_at"


def cut(connection: Connection, order: CutOrder, actor: str, at: datetime) -> Batch:
    """Make a batch of what is open, and fix its control totals; it may be empty.

    A cut-off that lies ahead is the present moment: what is approved later goes into the next batch.

    Raises:
        Conflict: ``agreement.none``: the counterparty's providers are paid directly.
    """
    prepare_for_whole_batch(connection)
    cut_teller(connection, order.tenant)("cut", 0)
    cut_off_at = min(order.cut_off_at, at)
    code = connection.exec_driver_sql("select code from tenant where tenant = %s", (order.tenant,)).scalar_one()
    year = shanghai_day(at).year
    which, values, agreement = wanted_obligations(connection, order, at)
    number = next_number(connection, order.tenant, "batch", year)
    empty = Batch(
        order.tenant, new_id(), f"BT-{code}-{year}-{number:04d}", order.scheme, order.mode, order.kind or order.mode,
        "cut", cut_off_at, 0, 0, actor, at, actor,
        form=None if agreement is None else agreement.form,
        counterparty=None if agreement is None else order.counterparty,
        agreement_id=None if agreement is None else agreement.id,
    )  # fmt: skip
    insert_batch(connection, empty)
    # one statement, so that each of a million rows is touched once
    count, total_fen, platforms = connection.exec_driver_sql(
        "with taken as ("  # noqa: S608 - our own conditions
        "update obligation o set batch_id = %s where tenant = %s and scheme = %s and mode = %s and batch_id is null "
        f"and released_at is null and held_at is null and {order.counted_by} <= %s "
        f"and kind is not distinct from %s{which} "
        "returning id, amount_fen, platform), "
        "placed as (insert into batch_item (tenant, batch_id, line, claim_id, amount_fen) "
        "select %s, %s, row_number() over (order by id), id, amount_fen from taken returning amount_fen) "
        "select count(*), coalesce(sum(amount_fen), 0)::bigint, "
        "array(select distinct platform from taken order by platform) from placed",
        (empty.id, order.tenant, order.scheme, order.mode, cut_off_at, order.kind, *values, order.tenant, empty.id),
    ).one()
    batch = change_batch(connection, empty, item_count=count, total_fen=total_fen)
    record_step(connection, None, batch, "cut", actor, at, told=platforms)
    return batch


def wanted_obligations(
    connection: Connection, order: CutOrder, at: datetime
) -> tuple[str, tuple[object, ...], Agreement | None]:
    """A condition more and its values: of cross-redemption claims, whose providers are paid this way."""
    if order.mode != "cross_redemption" or order.kind is not None:
        return "", (), None
    known = arrangement(connection, order.tenant, shanghai_day(at))
    side = (
        "(select g.side from unnest(%s::text[], %s::text[]) g(prefix, side) "
        "where starts_with(o.provider_division, g.prefix) order by length(g.prefix) desc limit 1)"
    )
    values = (list(known.prefixes), list(known.sides))
    if order.counterparty is not None:
        return f" and {side} = %s", (*values, order.counterparty), known.agreement_with(order.counterparty)
    if not known.paid_otherwise:
        return "", (), None
    return f" and coalesce({side} <> all(%s::text[]), true)", (*values, sorted(known.paid_otherwise)), None


def publish(
    connection: Connection, tenant: str, batch_id: UUID, terms: PublicityTerms, actor: str, at: datetime
) -> Batch:
    """Give public notice of the batch, from today through the last of the working days.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if already_done(batch, PUBLISH, actor):
        return batch
    require_start(batch, PUBLISH)
    prepare_for_whole_batch(connection)
    published_on = shanghai_day(at)
    publicity = publicity_through(published_on, terms.working_days, terms.calendar)
    published = change_batch(
        connection,
        batch,
        state=PUBLISH.ends,
        state_by=actor,
        published_by=actor,
        published_on=published_on,
        publicity_through_on=publicity.through_on,
        publicity_provisional=publicity.provisional,
        calendar_version=publicity.calendar_version,
        working_days=terms.working_days,
    )
    record_step(connection, batch, published, "published", actor, at)
    return published


def take_out(
    connection: Connection,
    tenant: str,
    claim_id: UUID,
    reason: str,
    actor: str,
    at: datetime,
    step: Step = OBJECT,
    *,
    held: bool = False,
) -> Batch:
    """Take one claim out of its batch in publicity, back to its owner, and restate the batch's totals.

    With ``FREEZE`` for a step, out of one that was only cut as well. What has no claim to go back to is ``held``.

    Raises:
        Conflict: ``claim.not_in_publicity``.
    """
    batch = _lock_batch_of(connection, tenant, claim_id)
    if batch is None or batch.state not in step.starts:
        raise not_in_publicity()
    taken = connection.exec_driver_sql(
        "update batch_item set removed_at = %s, removed_reason = %s "
        "where tenant = %s and batch_id = %s and claim_id = %s and removed_at is null returning line, amount_fen",
        (at, reason, tenant, batch.id, claim_id),
    ).one_or_none()
    if taken is None:
        raise not_in_publicity()
    connection.exec_driver_sql(
        f"update obligation set batch_id = null, {'held_at' if held else 'released_at'} = %s "  # noqa: S608 - ours
        "where tenant = %s and id = %s",
        (at, tenant, claim_id),
    )
    restated = change_batch(
        connection, batch, item_count=batch.item_count - 1, total_fen=batch.total_fen - taken.amount_fen
    )
    record_step(connection, batch, restated, step.name, actor, at, reason=reason)
    return restated


def cancel(connection: Connection, tenant: str, batch_id: UUID, reason: str | None, actor: str, at: datetime) -> Batch:
    """Dissolve a batch that is not sealed; what it held is open again for the next batch.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if already_done(batch, CANCEL, actor):
        return batch
    require_start(batch, CANCEL)
    prepare_for_whole_batch(connection)
    cancelled = change_batch(connection, batch, state=CANCEL.ends, state_by=actor)
    connection.exec_driver_sql(
        "update batch_item set removed_at = %s, removed_reason = %s "
        "where tenant = %s and batch_id = %s and removed_at is null",
        (at, CANCELLED, tenant, batch_id),
    )
    connection.exec_driver_sql(
        "update obligation set batch_id = null where tenant = %s and batch_id = %s", (tenant, batch_id)
    )
    record_step(connection, batch, cancelled, "cancelled", actor, at, reason=reason)
    return cancelled


def close(connection: Connection, tenant: str, batch_id: UUID, actor: str, at: datetime) -> Batch:
    """Close a batch that holds nothing.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.state``, or ``batch.not_empty``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    if already_done(batch, CLOSE, actor):
        return batch
    require_start(batch, CLOSE)
    if batch.item_count:
        raise Conflict(
            "batch.not_empty",
            f"批次 {batch.batch_no} 含 {batch.item_count} 笔，只有空批次可以直接关闭。",
            f"Batch {batch.batch_no} holds {batch.item_count} claims; only an empty one is closed without being paid.",
        )
    closed = change_batch(connection, batch, state=CLOSE.ends, state_by=actor)
    record_step(connection, batch, closed, "closed", actor, at)
    return closed


def _lock_batch_of(connection: Connection, tenant: str, claim_id: UUID) -> Batch | None:
    row = connection.exec_driver_sql(
        "select batch_id from obligation where tenant = %s and id = %s and batch_id is not null", (tenant, claim_id)
    ).one_or_none()
    return None if row is None else lock_batch(connection, tenant, row.batch_id)


def not_in_publicity() -> Conflict:
    """The answer to an objection to a claim that is in no public notice now."""
    return Conflict(
        "claim.not_in_publicity",
        "该申请不在公示期内，不能提出异议。",
        "The claim is not in publicity, so no objection can be made.",
    )
