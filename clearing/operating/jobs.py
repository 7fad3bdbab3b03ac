"""What the workers have still to do, of some tenants; what is stuck is looked at and tried again at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.relay import STUCK_ATTEMPTS
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, not_found

RETRIED: Final = "outbox.retried"
ERROR_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of ``outbox`` that is not done; the field names are the columns'."""

    id: UUID
    tenant: str
    kind: str
    platform: str | None
    subject_id: UUID
    created_at: datetime
    next_attempt_at: datetime
    attempts: int
    last_error: str | None

    @property
    def stuck(self) -> bool:
        """Whether it was tried so often that somebody has to look."""
        return self.attempts >= STUCK_ATTEMPTS

    def json(self) -> dict[str, Json]:
        """The job in the form of the API."""
        return {
            "id": str(self.id),
            "tenant": self.tenant,
            "kind": self.kind,
            "platform": self.platform,
            "subject_id": str(self.subject_id),
            "created_at": plain(self.created_at),
            "next_attempt_at": plain(self.next_attempt_at),
            "attempts": self.attempts,
            "stuck": self.stuck,
            "last_error": None if self.last_error is None else self.last_error[:ERROR_CHARACTERS],
        }


_LIST: Final = ", ".join(field.name for field in fields(JobRow))
_FILTERS: Final = {"kind": "kind = %s", "platform": "platform = %s", "tenant": "tenant = %s"}
_OPEN: Final = "done_at is null and tenant = any(%s)"


def list_jobs(
    connection: Connection, tenants: Sequence[str], filters: Mapping[str, str], after: UUID | None, limit: int
) -> list[JobRow]:
    """At most ``limit`` open jobs behind ``after``, the oldest first; ``filters``: kind, platform, tenant, state."""
    where, values = _wanted(tenants, filters)
    rows = connection.exec_driver_sql(
        f"select {_LIST} from outbox where {where} and (%s::uuid is null or id > %s) order by id limit %s",  # noqa: S608
        (*values, after, after, limit),
    )
    return [JobRow(*row) for row in rows]


def job_totals(
    connection: Connection, tenants: Sequence[str], filters: Mapping[str, str], most: int | None = None
) -> tuple[int, int]:
    """How many open jobs there are of these, and how many of them are stuck; of ``most``, where that is given."""
    where, values = _wanted(tenants, filters)
    count, stuck = connection.exec_driver_sql(
        "select count(*), count(*) filter (where attempts >= %s) from ("  # noqa: S608 - our own conditions
        f"select attempts from outbox where {where} limit %s) found",
        (STUCK_ATTEMPTS, *values, most),
    ).one()
    return count, stuck


def retry(work: Work, tenants: Sequence[str], actor: str, job_id: UUID) -> JobRow:
    """Let the job be tried at once; how often it was tried before stays known.

    Raises:
        NotFound: no open job of the tenants has this id.
        Conflict: ``job.untried``: it is due anyway.
    """
    row = work.connection.exec_driver_sql(
        f"select {_LIST} from outbox where id = %s and {_OPEN} for no key update",  # noqa: S608 - our own columns
        (job_id, list(tenants)),
    ).one_or_none()
    if row is None:
        raise not_found("任务", "job")
    job = JobRow(*row)
    if job.attempts == 0:
        raise Conflict("job.untried", "该任务尚未尝试过，会自动处理。", "The job was not tried yet; it is due anyway.")
    work.connection.exec_driver_sql(
        "update outbox set next_attempt_at = greatest(created_at, %s) where id = %s", (work.at, job_id)
    )
    details: dict[str, Json] = {"kind": job.kind, "attempts": job.attempts}
    record(work.connection, [Change(job.tenant, actor, RETRIED, job.id, "open", "open", details=details)], work.at)
    return job


def _wanted(tenants: Sequence[str], filters: Mapping[str, str]) -> tuple[str, list[object]]:
    named = [name for name in _FILTERS if filters.get(name)]
    where = [_OPEN, *(_FILTERS[name] for name in named)]
    values: list[object] = [list(tenants), *(filters[name] for name in named)]
    if filters.get("state") == "stuck":
        where.append("attempts >= %s")
        values.append(STUCK_ATTEMPTS)
    return " and ".join(where), values
