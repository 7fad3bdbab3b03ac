"""A settlement batch (兑付批次) as stored: read, locked, listed, changed; its items and totals."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection

from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, Job, record
from tenants.kernel.errors import not_found
from tenants.kernel.money import Money

PAYEE_KIND: Final = {"common_use": "enterprise", "cross_redemption": "provider"}
"""Who gets the money, by mode."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One row of ``batch``; the field names are the columns'."""

    tenant: str
    id: UUID
    batch_no: str
    scheme: str
    mode: str
    kind: str
    state: str
    cut_off_at: datetime
    item_count: int
    total_fen: int
    cut_by: str
    cut_at: datetime
    state_by: str
    published_by: str | None = None
    published_on: date | None = None
    publicity_through_on: date | None = None
    publicity_provisional: bool | None = None
    calendar_version: str | None = None
    working_days: int | None = None
    sealed_by: str | None = None
    sealed_at: datetime | None = None
    seal_no: int | None = None
    merkle_root: str | None = None
    previous_seal: str | None = None
    seal_jws: str | None = None
    seal_sha256: str | None = None
    released_by: str | None = None
    released_at: datetime | None = None
    instructed_at: datetime | None = None
    manifest_no: int | None = None
    manifest_sha256: str | None = None
    settled_at: datetime | None = None
    form: str | None = None
    counterparty: str | None = None
    agreement_id: UUID | None = None
    version: int = 1

    @property
    def total(self) -> Money:
        """The sum of its items."""
        return Money(self.total_fen)


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One claim in a batch as people may see it; ``removed_at`` where an objection took it out."""

    line: int
    claim_id: UUID
    claim_no: str
    enterprise_name: str
    provider_name: str
    payee_name: str
    amount: Money
    removed_at: datetime | None
    removed_reason: str | None


RESTATED: Final = frozenset({"objection", "freeze", "first_release", "dated"})
"""Steps that leave the state as it was: totals without one claim, a first releaser, a last day of a newer calendar."""

COLUMNS: Final = tuple(field.name for field in fields(Batch))
_LIST: Final = ", ".join(COLUMNS)


def insert_batch(connection: Connection, batch: Batch) -> None:
    """Store a new batch."""
    places = ", ".join(["%s"] * len(COLUMNS))
    connection.exec_driver_sql(
        f"insert into batch ({_LIST}) values ({places})",  # noqa: S608 - our own columns
        tuple(getattr(batch, column) for column in COLUMNS),
    )


def find_batch(connection: Connection, tenant: str, batch_id: UUID) -> Batch:
    """The batch.

    Raises:
        NotFound: the tenant has none with this id.
    """
    return _one(connection, "tenant = %s and id = %s", (tenant, batch_id))


def find_batch_by_number(connection: Connection, tenant: str, batch_no: str) -> Batch:
    """The batch with the number that people use.

    Raises:
        NotFound: the tenant has none.
    """
    return _one(connection, "tenant = %s and batch_no = %s", (tenant, batch_no))


def lock_batch(connection: Connection, tenant: str, batch_id: UUID) -> Batch:
    """The batch, locked until the transaction ends: of two people who act at once, one sees what the other did.

    Raises:
        NotFound: the tenant has none with this id.
    """
    return _one(connection, "tenant = %s and id = %s for no key update", (tenant, batch_id))


def list_batches(
    connection: Connection, tenant: str, filters: dict[str, str], after: UUID | None, limit: int
) -> list[Batch]:
    """At most ``limit`` batches behind ``after``, newest first; ``filters``: any of state, scheme, mode."""
    where, values = ["tenant = %s"], [tenant]
    for column in ("state", "scheme", "mode"):
        if column in filters:
            where.append(f"{column} = %s")
            values.append(filters[column])
    if after is not None:
        where.append("id < %s::uuid")
        values.append(str(after))
    rows = connection.exec_driver_sql(
        f"select {_LIST} from batch where {' and '.join(where)} order by id desc limit %s",  # noqa: S608 - ours
        (*values, limit),
    )
    return [Batch(*row) for row in rows]


def published_batches(connection: Connection, day: date, limit: int) -> list[Batch]:
    """The bound tenants' batches that are in publicity on the day, newest first."""
    rows = connection.exec_driver_sql(
        f"select {_LIST} from batch where state = 'in_publicity' and publicity_through_on >= %s "  # noqa: S608 - ours
        "order by published_on desc, batch_no limit %s",
        (day, limit),
    )
    return [Batch(*row) for row in rows]


def change_batch(connection: Connection, batch: Batch, **values: Any) -> Batch:  # noqa: ANN401 - by column
    """Write the columns and count the version up; the batch as it then is. It must be locked."""
    assigned = ", ".join(f"{column} = %s" for column in values)
    connection.exec_driver_sql(
        f"update batch set {assigned}, version = version + 1 where tenant = %s and id = %s",  # noqa: S608 - ours
        (*values.values(), batch.tenant, batch.id),
    )
    return replace(batch, **values, version=batch.version + 1)


def list_items(
    connection: Connection, batch: Batch, after_line: int, limit: int, *, removed: bool = True
) -> list[BatchItem]:
    """At most ``limit`` items behind the line; with ``removed``, those that an objection took out too."""
    rows = connection.exec_driver_sql(
        "select i.line, i.claim_id, o.claim_no, o.enterprise_name, o.provider_name, o.payee_name, i.amount_fen, "
        "i.removed_at, i.removed_reason "
        "from batch_item i join obligation o on o.tenant = i.tenant and o.id = i.claim_id "
        "where i.tenant = %s and i.batch_id = %s and i.line > %s and (%s or i.removed_at is null) "
        "order by i.line limit %s",
        (batch.tenant, batch.id, after_line, removed, limit),
    )
    return [
        BatchItem(line, claim_id, claim_no, enterprise, provider, payee, Money(fen), removed_at, removed_reason)
        for line, claim_id, claim_no, enterprise, provider, payee, fen, removed_at, removed_reason in rows
    ]


def item_totals(connection: Connection, batch: Batch, most: int | None) -> tuple[int, Money]:
    """How many items :func:`list_items` lists, and the sum of those that no objection took out; of ``most``."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen) filter (where removed_at is null), 0)::bigint from ("
        "select amount_fen, removed_at from batch_item where tenant = %s and batch_id = %s limit %s) found",
        (batch.tenant, batch.id, most),
    ).one()
    return count, Money(fen)


def control_totals(connection: Connection, batch: Batch) -> tuple[int, int]:
    """Count and sum in fen of the items that are in the batch."""
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint from batch_item "
        "where tenant = %s and batch_id = %s and removed_at is null",
        (batch.tenant, batch.id),
    ).one()
    return count, fen


def next_number(connection: Connection, tenant: str, series: str, year: int = 0) -> int:
    """The series' next number; its row stays locked until the commit, so that numbers have no gaps."""
    number: int = connection.exec_driver_sql(
        "insert into number_series as s (tenant, series, year, latest) values (%s, %s, %s, 1) "
        "on conflict (tenant, series, year) do update set latest = s.latest + 1 returning latest",
        (tenant, series, year),
    ).scalar_one()
    return number


def record_step(
    connection: Connection,
    before: Batch | None,
    after: Batch,
    step: str,
    actor: str,
    at: datetime,
    *jobs: Job,
    reason: str | None = None,
    told: Sequence[str] | None = None,
) -> None:
    """Append the step to the audit chain (``batch.<step>``), with its totals and jobs.

    Each platform that had a claim in the batch when it was cut, ``told``, gets a notice of the batch's new state; the
    later steps tell those who were told of the cut.
    """
    payload: dict[str, Json] = {
        "batch_id": str(after.id), "batch_no": after.batch_no, "tenant": after.tenant, "scheme": after.scheme,
        "mode": after.mode, "state": after.state,
    }  # fmt: skip
    if told is None:
        told = [] if step in RESTATED else _told_of_cut(connection, after)
    notices = tuple(Job(f"batch.{after.state}", payload, platform) for platform in told)
    details: dict[str, Json] = {"batch_no": after.batch_no, "count": after.item_count, "total": str(after.total)}
    if after.kind != after.mode:
        details["kind"] = after.kind
    if after.agreement_id is not None:
        details |= {"form": after.form, "counterparty": after.counterparty, "agreement_id": str(after.agreement_id)}
    if before is not None and before.item_count != after.item_count:
        details |= {"count_before": before.item_count, "total_before": str(before.total)}
    state = None if before is None else before.state
    change = Change(after.tenant, actor, f"batch.{step}", after.id, state, after.state, reason, details, jobs + notices)
    record(connection, [change], at)


def _told_of_cut(connection: Connection, batch: Batch) -> list[str]:
    rows = connection.exec_driver_sql(
        "select platform from outbox where tenant = %s and subject_id = %s and kind = 'batch.cut' order by platform",
        (batch.tenant, batch.id),
    )
    return [platform for (platform,) in rows]


def _one(connection: Connection, where: str, values: tuple[Any, ...]) -> Batch:
    row = connection.exec_driver_sql(f"select {_LIST} from batch where {where}", values).one_or_none()  # noqa: S608
    if row is None:
        raise not_found("兑付批次", "batch")
    return Batch(*row)
