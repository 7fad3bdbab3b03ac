"""Two releasers: above the tenant's limit a batch is released by two people, neither of whom made it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, UUID, uuid5

from sqlalchemy import Connection

from settlement.batches.batch import Batch, change_batch, record_step
from settlement.batches.release_record import FIRST, ONLY, SECOND, sign_release
from settlement.office import Office
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class FirstRelease:
    """Who released a batch first, and when."""

    released_by: str
    released_at: datetime

    def json(self) -> dict[str, Json]:
        """The release in the form of the API."""
        return {"released_by": self.released_by, "released_at": plain(self.released_at)}


def release_limit(connection: Connection, tenant: str) -> Money | None:
    """The sum up to which one releaser is enough; ``None`` where one always is."""
    fen = connection.exec_driver_sql("select limit_fen from release_limit where tenant = %s", (tenant,)).scalar()
    return None if fen is None else Money(fen)


def set_release_limit(connection: Connection, tenant: str, limit: Money, actor: str, at: datetime) -> None:
    """Set the sum up to which one releaser is enough, for every batch that is not released yet."""
    before = release_limit(connection, tenant)
    connection.exec_driver_sql(
        "insert into release_limit (tenant, limit_fen, set_by, set_at) values (%s, %s, %s, %s) on conflict (tenant) "
        "do update set limit_fen = excluded.limit_fen, set_by = excluded.set_by, set_at = excluded.set_at",
        (tenant, limit.fen, actor, at),
    )
    details: dict[str, Json] = {"before": None if before is None else str(before), "limit": str(limit)}
    record(connection, [Change(tenant, actor, "release_limit.set", limit_subject(tenant), details=details)], at)


def limit_subject(tenant: str) -> UUID:
    """The id under which the audit chain speaks of a tenant's limit."""
    return uuid5(NAMESPACE_OID, f"release-limit/{tenant}")


def first_release(connection: Connection, batch: Batch) -> FirstRelease | None:
    """The first of two releases, if there was one."""
    row = connection.exec_driver_sql(
        "select released_by, released_at from first_release where tenant = %s and batch_id = %s",
        (batch.tenant, batch.id),
    ).one_or_none()
    return None if row is None else FirstRelease(*row)


def waits_for_second(connection: Connection, batch: Batch, office: Office, actor: str, at: datetime) -> Batch | None:
    """The locked batch as it waits for another releaser; ``None`` where this release is enough.

    The first of two signs at once (see :mod:`settlement.batches.release_record`).
    """
    first = first_release(connection, batch)
    if first is not None:
        return batch if first.released_by == actor else None
    limit = release_limit(connection, batch.tenant)
    if limit is None or batch.total <= limit:
        return None
    connection.exec_driver_sql(
        "insert into first_release (tenant, batch_id, released_by, released_at) values (%s, %s, %s, %s)",
        (batch.tenant, batch.id, actor, at),
    )
    sign_release(connection, batch, FIRST, office, actor, at)
    waiting = change_batch(connection, batch, state=batch.state)
    record_step(connection, batch, waiting, "first_release", actor, at)
    return waiting


def sign_as_last(connection: Connection, batch: Batch, office: Office, actor: str, at: datetime) -> None:
    """Sign the batch as the releaser whose release takes effect: the only one, or the second."""
    turn = ONLY if first_release(connection, batch) is None else SECOND
    sign_release(connection, batch, turn, office, actor, at)
