"""The workers: do what the outbox says. A job and its mark of being done commit together, or neither does.

A worker may be killed at any instruction: the transaction it was in is rolled back, and the relay sends again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog
from dramatiq import Worker
from sqlalchemy import Connection

from clearing.broker import Queue, open_queue
from clearing.metrics import observe_job
from clearing.relay import LONGEST_WAIT, STUCK_ATTEMPTS, is_notice, open_kinds, wait_after
from clearing.service import Service
from clearing.stopping import until_told
from settlement.bank.connections import BankConnection, ConnectionsError
from settlement.bank.order_sending import bank_of_batch, bank_of_submission
from settlement.bank.sending import SEND_JOB, order_sending, send_once
from settlement.batches.batch import find_batch
from settlement.batches.paid_in import waits_for_pay_in
from settlement.batches.release import INSTRUCT_JOB
from tenants.kernel.database import Scope, Work, run

THREADS: Final = 4
NOTICES_AT_ONCE: Final = 1000
IDLE_MS: Final = 250
STOP_MS: Final = 2000
ERROR_CHARACTERS: Final = 500
_NOTICE_LOCK: Final = 4206_2026

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One job as stored: for which tenant, about what."""

    id: UUID
    tenant: str
    kind: str
    subject_id: UUID
    attempts: int


def _instruct(service: Service, work: Work, row: OutboxRow) -> None:
    # The formats of payment files are the worker's alone: a start waits for none of them.
    from settlement.batches.delivery import WORKER, instruct  # noqa: PLC0415 - see above

    def keep(use: Callable[[Connection], None]) -> None:
        run(service.engine, Scope((row.tenant,)), service.machine, lambda own: use(own.connection))

    instruct(work.connection, row.tenant, row.subject_id, service.office, work.at, keep)
    bank = bank_of_batch(work.connection, find_batch(work.connection, row.tenant, row.subject_id), service.banks)
    if bank is None or not bank.automatic or waits_for_pay_in(work.connection, row.tenant, row.subject_id):
        return  # an agent's batch goes once it is paid in: see settlement.bank.automatic
    if not service.demonstrates(work.connection) or bank.stays_here:
        order_sending(work.connection, row.tenant, row.subject_id, bank.method, WORKER, work.at)


def _send(service: Service, row: OutboxRow) -> bool:
    """The next call of the bank, by this process alone; ``False`` where another one is at it."""

    def way(work: Work) -> tuple[BankConnection | None, bool]:
        found = bank_of_submission(work.connection, row.tenant, row.subject_id, service.office)
        return found, service.demonstrates(work.connection)

    bank, demonstrates = run(service.engine, Scope((row.tenant,)), service.machine, way)
    if bank is None:
        raise ConnectionsError(f"{row.tenant}: no bank is configured")

    def do(use_case: Callable[[Work], Any]) -> Any:  # noqa: ANN401 - what the use case answers
        # a message that the bank rejects takes its matching out of the books of linked regions
        return run(service.engine, Scope(_everyone(service)), service.machine, use_case)

    with _alone(service, row.subject_id) as alone:
        if alone:
            send_once(do, row.subject_id, bank.port(demonstrates=demonstrates), service.office)
    return alone


@contextmanager
def _alone(service: Service, subject_id: UUID) -> Iterator[bool]:
    """Hold the subject for this process: the database lets go of it when the process is killed."""
    with service.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        number = int.from_bytes(subject_id.bytes[8:], signed=True)
        held: bool = connection.exec_driver_sql("select pg_try_advisory_lock(%s)", (number,)).scalar_one()
        try:
            yield held
        finally:
            if held:
                connection.exec_driver_sql("select pg_advisory_unlock(%s)", (number,))


JOBS: Final[Mapping[str, Callable[[Service, Work, OutboxRow], None]]] = {INSTRUCT_JOB: _instruct}
"""What a worker does for each kind within one transaction; a notice's kind is not here."""

CALLS: Final[Mapping[str, Callable[[Service, OutboxRow], bool]]] = {SEND_JOB: _send}
"""What a worker does outside the service, in transactions of its own; whether it was this worker that did it."""

JOB_KINDS: Final = frozenset(JOBS) | frozenset(CALLS)


class UnknownKindError(Exception):
    """An outbox row of a kind that this version knows nothing about."""


def do_job(service: Service, outbox_id: UUID) -> bool:
    """Do one job, unless it is done, not yet due or in another worker's hands; whether it was done now.

    A failure is recorded on the row and is due again later; nothing is raised for it.
    """
    row = _take(service, outbox_id)
    if row is None:
        return False

    def use_case(work: Work) -> bool:
        held = work.connection.exec_driver_sql(
            "select 1 from outbox where id = %s and done_at is null for update skip locked", (row.id,)
        ).first()
        if held is None:
            return False
        if row.kind not in CALLS:
            job = JOBS.get(row.kind)
            if job is None:
                raise UnknownKindError(row.kind)
            job(service, work, row)
        work.connection.exec_driver_sql(
            "update outbox set done_at = %s, last_error = null where id = %s", (work.at, row.id)
        )
        return True

    try:
        if row.kind in CALLS and not CALLS[row.kind](service, row):
            return False
        # instructing reaches into the books of linked regions
        tenants = _everyone(service) if row.kind == INSTRUCT_JOB else (row.tenant,)
        done = run(service.engine, Scope(tenants), service.machine, use_case)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs on the row, and the next attempt may pass
        _record_failure(service, row, error)
        return False
    if done:
        observe_job(row.kind, "done")
    return done


def _everyone(service: Service) -> tuple[str, ...]:
    with service.engine.connect() as connection:
        return tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars())


def deliver_notices(service: Service) -> int:
    """Put every notice that is due into its platform's feed, ``NOTICES_AT_ONCE`` a transaction; how many."""
    delivered = 0
    while True:
        count = run(service.engine, Scope(()), service.machine, _deliver_some)
        delivered += count
        observe_job("notice", "done", count)
        if count < NOTICES_AT_ONCE:
            return delivered


def run_worker(service: Service) -> None:
    """Work until SIGTERM or SIGINT; a job that is not done soon after is left to another worker."""
    ended = until_told()
    worker = Worker(queue_of(service).broker, worker_threads=THREADS, worker_timeout=IDLE_MS)
    worker.start()
    ended.wait()
    worker.stop(timeout=STOP_MS)


def queue_of(service: Service) -> Queue:
    """The queue of this service, both to send to and to work from."""

    def job(outbox_id: UUID) -> None:
        do_job(service, outbox_id)

    def notices() -> None:
        deliver_notices(service)

    return open_queue(service.settings.redis_url, job, notices)


def _take(service: Service, outbox_id: UUID) -> OutboxRow | None:
    """Count the attempt before it begins, so that one which kills its worker is counted too."""

    def use_case(work: Work) -> OutboxRow | None:
        row: Any = work.connection.exec_driver_sql(
            "select id, tenant, kind, subject_id, attempts + 1 as attempt from outbox "
            "where id = %s and done_at is null and next_attempt_at <= %s for update skip locked",
            (outbox_id, work.at),
        ).one_or_none()
        if row is None:
            return None
        work.connection.exec_driver_sql(
            "update outbox set attempts = %s, next_attempt_at = %s where id = %s",
            (row.attempt, work.at + wait_after(row.attempt), row.id),
        )
        return OutboxRow(row.id, row.tenant, row.kind, row.subject_id, row.attempt)

    return run(service.engine, Scope(()), service.machine, use_case)


def _record_failure(service: Service, row: OutboxRow, error: Exception) -> None:
    observe_job(row.kind, "failed")
    stuck = row.attempts >= STUCK_ATTEMPTS or isinstance(error, UnknownKindError)
    attempts = max(row.attempts, STUCK_ATTEMPTS) if stuck else row.attempts
    said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
    write = _log.error if stuck else _log.warning
    write(
        "job_failed",
        job=str(row.id),
        kind=row.kind,
        tenant=row.tenant,
        attempt=row.attempts,
        stuck=stuck,
        exc_info=error,
    )

    def use_case(work: Work) -> None:
        work.connection.exec_driver_sql(
            "update outbox set attempts = greatest(attempts, %s), last_error = %s where id = %s and done_at is null",
            (attempts, said, row.id),
        )

    run(service.engine, Scope(()), service.machine, use_case)


def _deliver_some(work: Work) -> int:
    connection = work.connection
    if not connection.exec_driver_sql("select pg_try_advisory_xact_lock(%s)", (_NOTICE_LOCK,)).scalar_one():
        return 0  # another worker is at it and takes these too
    kinds = [kind for kind in open_kinds(connection) if is_notice(kind, JOB_KINDS)]
    if not kinds:
        return 0
    given = (kinds, work.at, NOTICES_AT_ONCE, NOTICES_AT_ONCE, work.at, STUCK_ATTEMPTS, work.at + LONGEST_WAIT)
    return connection.exec_driver_sql(_DELIVER, given).rowcount


_DELIVER: Final = (
    "with due as (select o.* from unnest(%s::text[]) k (kind) cross join lateral ("
    "select id, platform, tenant, kind, payload, created_at from outbox where done_at is null and kind = k.kind "
    "and next_attempt_at <= %s order by next_attempt_at limit %s) o order by o.created_at, o.id limit %s), "
    "latest as (select p.platform, (select coalesce(max(f.seq), 0) from platform_feed f where f.platform = p.platform) "
    "as seq from (select distinct platform from due) p), "
    "fed as (insert into platform_feed (platform, seq, outbox_id, tenant, type, payload, at) "
    "select d.platform, l.seq + row_number() over (partition by d.platform order by d.created_at, d.id), "
    "d.id, d.tenant, d.kind, d.payload, d.created_at from due d join latest l using (platform)) "
    # a notice to nobody cannot be delivered, and is never dropped: it is stuck
    "update outbox o set done_at = case when o.platform is not null then %s::timestamptz end, "
    "attempts = case when o.platform is null then %s else o.attempts end, "
    "next_attempt_at = case when o.platform is null then %s else o.next_attempt_at end, "
    "last_error = case when o.platform is null then 'a notice without a platform' end from due where o.id = due.id"
)
