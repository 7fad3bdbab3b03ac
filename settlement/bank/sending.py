"""Sending (发送): a batch's payment file goes to the bank once, and a lost answer is asked after.

Every call is stored before it is made and its answer behind it. What was called and not answered is *unknown*: then
the bank is asked by end-to-end id, and only where it has nothing is the same file sent again, which the database
enforces (``bank_call_submits_once``, ``bank_call_cleared``). One call an attempt; the outbox brings the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from settlement.bank.call_states import AFTER, INQUIRY, PREPARED, SENT, SILENT, SUBMIT, UNKNOWN, state_after
from settlement.bank.port import ABSENT, ACCEPTED, DELIVERED, REJECTED, Answer, BankPort, BankSilentError, Message
from settlement.batches.batch import Batch, find_batch, lock_batch
from settlement.batches.batch_files import find_file, read_part
from settlement.batches.batch_states import STATES
from settlement.batches.paid_in import require_paid_in
from settlement.batches.settling import hold_batches, settle_decided
from settlement.cycles.clearing_order import find_order, hold_order
from settlement.cycles.order_file import order_file
from settlement.cycles.order_outcomes import reject_order
from settlement.formats.pain001 import PAIN001
from settlement.office import Office
from settlement.payouts.instruction import end_to_end_id
from settlement.payouts.outcomes import reject_message
from settlement.payouts.payments import prepare_for_whole_batch
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import Change, Job, lock_chains, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict, not_found
from tenants.kernel.ids import new_id
from tenants.kernel.money import Money
from tenants.kernel.statements import insert_rows

SEND_JOB: Final = "bank.send"
"""The kind of the outbox job whose worker calls :func:`send_once`; its subject is the submission."""
FINAL: Final = frozenset({ACCEPTED, REJECTED, DELIVERED})
IDS_AT_ONCE: Final = 1_000

T = TypeVar("T")
Do = Callable[[Callable[[Work], T]], T]
"""Runs a use case in a transaction of its own."""


class NotDecidedError(Exception):
    """The bank has not decided yet, or does not have the message: the next attempt goes on."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One row of ``bank_submission``; the field names are the columns'. It is of a batch, or of an order."""

    tenant: str
    id: UUID
    batch_id: UUID | None
    message_id: str
    method: str
    file_name: str
    file_sha256: str
    ordered_by: str
    ordered_at: datetime
    order_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the bank with its answer; ``outcome`` is ``None`` while nothing is known of it."""

    id: UUID
    seq: int
    kind: str
    cleared_by: UUID | None
    made_at: datetime
    outcome: str | None
    detail: str | None
    answered_at: datetime | None


_COLUMNS: Final = (
    "tenant", "id", "batch_id", "message_id", "method", "file_name", "file_sha256", "ordered_by", "ordered_at",
    "order_id",
)  # fmt: skip


def order_sending(
    connection: Connection, tenant: str, batch_id: UUID, method: str, actor: str, at: datetime
) -> Submission:
    """Order that the batch's payment file be sent; ordering it again changes nothing.

    Raises:
        NotFound: the tenant has no such batch.
        Conflict: ``batch.not_instructed``, ``batch.not_paid_in``.
    """
    batch = lock_batch(connection, tenant, batch_id)
    found = find_where(connection, "tenant = %s and batch_id = %s", (tenant, batch_id))
    if found is not None:
        return found
    if batch.instructed_at is None:
        raise Conflict(
            "batch.not_instructed",
            f"批次 {batch.batch_no} {STATES[batch.state].zh}，尚无可发送的拨付文件。",
            f"Batch {batch.batch_no} is {STATES[batch.state].en}: it has no payment file to send.",
        )
    require_paid_in(connection, batch)
    file = find_file(connection, tenant, batch_id, PAIN001)
    made = Submission(tenant, new_id(), batch_id, batch.batch_no, method, PAIN001, file.sha256, actor, at)
    return store_submission(connection, made)


def store_submission(connection: Connection, made: Submission) -> Submission:
    """Store what is to be sent, with the job that sends it."""
    insert_rows(connection, "bank_submission", _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    details: dict[str, Json] = {
        "batch_no": made.message_id, "file": made.file_name, "file_sha256": made.file_sha256, "method": made.method,
    }  # fmt: skip
    if made.order_id is not None:
        details["order"] = str(made.order_id)
    change = Change(
        made.tenant, made.ordered_by, "bank.ordered", made.id, None, PREPARED, details=details, jobs=(Job(SEND_JOB),)
    )
    record(connection, [change], made.ordered_at)
    return made


def find_submission(connection: Connection, tenant: str, batch_id: UUID) -> Submission:
    """The submission of the batch.

    Raises:
        NotFound: it was never ordered.
    """
    found = find_where(connection, "tenant = %s and batch_id = %s", (tenant, batch_id))
    if found is None:
        raise not_found("发送记录", "submission")
    return found


def calls_of(connection: Connection, submission: Submission) -> list[Call]:
    """Every call of the bank about the submission, in order."""
    rows = connection.exec_driver_sql(
        "select c.id, c.seq, c.kind, c.cleared_by, c.made_at, a.outcome, a.detail, a.answered_at "
        "from bank_call c left join bank_answer a on a.tenant = c.tenant and a.call_id = c.id "
        "where c.tenant = %s and c.submission_id = %s order by c.seq",
        (submission.tenant, submission.id),
    )
    return [Call(*row) for row in rows]


def state_of(calls: list[Call]) -> str:
    """``prepared``, ``sent``, ``unknown``, ``accepted`` or ``rejected``."""
    return state_after(calls[-1].kind, calls[-1].outcome) if calls else PREPARED


def submission_json(submission: Submission, calls: list[Call]) -> dict[str, Json]:
    """The submission in the form of the API."""
    return {
        "id": str(submission.id),
        "batch_id": None if submission.batch_id is None else str(submission.batch_id),
        "order_id": None if submission.order_id is None else str(submission.order_id),
        "message_id": submission.message_id,
        "method": submission.method,
        "file": submission.file_name,
        "file_sha256": submission.file_sha256,
        "state": state_of(calls),
        "ordered_by": submission.ordered_by,
        "ordered_at": plain(submission.ordered_at),
        "calls": [
            {
                "seq": call.seq,
                "kind": call.kind,
                "made_at": plain(call.made_at),
                "outcome": call.outcome,
                "detail": call.detail,
                "answered_at": plain(call.answered_at),
            }
            for call in calls
        ],
    }


def send_once(do: Do[Any], submission_id: UUID, port: BankPort, office: Office) -> None:
    """Make the next call about the submission, unless the bank has decided: submit, inquire, or submit again.

    One process at a time may be in here for a submission; what it had called when it was killed is inquired about.

    Raises:
        NotDecidedError: the next attempt has to go on.
        settlement.bank.port.BankSilentError: the bank did not answer; that is stored.
    """
    step = do(lambda work: _next_call(work.connection, submission_id, office, work.at))
    if step is None:
        return
    submission, call = step
    message = do(lambda work: _message(work.connection, submission, do, office))
    try:
        answer = port.submit(message) if call.kind == SUBMIT else port.inquire(message)
    except BankSilentError as silence:
        said = Answer(SILENT, str(silence))
        do(lambda work: _record_answer(work.connection, submission, call, said, office, work.at))
        raise
    do(lambda work: _record_answer(work.connection, submission, call, answer, office, work.at))
    if answer.outcome not in FINAL:
        raise NotDecidedError(f"{submission.message_id}: {answer.outcome}")


def _next_call(
    connection: Connection, submission_id: UUID, office: Office, at: datetime
) -> tuple[Submission, Call] | None:
    """Store the call that is due, so that it is known before it is made; ``None`` where the bank has decided."""
    submission = find_where(connection, "id = %s", (submission_id,))
    if submission is None:
        raise not_found("发送记录", "submission")
    _hold(connection, submission, office)
    calls = calls_of(connection, submission)
    if any(call.outcome in FINAL for call in calls):
        return None
    if calls and calls[-1].outcome is None:
        _record_answer(connection, submission, calls[-1], Answer(SILENT, "no answer was kept"), office, at)
        calls = calls_of(connection, submission)
    last = calls[-1] if calls else None
    absent = last is not None and last.outcome == ABSENT
    kind = SUBMIT if last is None or absent else INQUIRY
    cleared_by = last.id if last is not None and absent else None
    call = Call(new_id(), len(calls) + 1, kind, cleared_by, at, None, None, None)
    insert_rows(
        connection,
        "bank_call",
        ("tenant", "id", "submission_id", "seq", "kind", "cleared_by", "made_at"),
        [(submission.tenant, call.id, submission.id, call.seq, kind, cleared_by, at)],
    )
    before = state_of(calls)
    action, after = ("bank.submitted", SENT) if kind == SUBMIT else ("bank.inquired", before)
    _record(connection, submission, action, before, after, call, at)
    return submission, call


def _record_answer(
    connection: Connection, submission: Submission, call: Call, answer: Answer, office: Office, at: datetime
) -> None:
    """Store the answer; where the bank rejects the message, so is every instruction of it."""
    before = state_of([call])
    insert_rows(
        connection,
        "bank_answer",
        ("tenant", "call_id", "submission_id", "kind", "outcome", "detail", "answered_at"),
        [(submission.tenant, call.id, submission.id, call.kind, answer.outcome, answer.detail, at)],
    )
    changes: list[Change] = []
    if answer.outcome == REJECTED and submission.order_id is not None:
        _hold(connection, submission, office)
        changes = reject_order(connection, submission.tenant, submission.order_id, office, at, call_id=call.id)
        lock_chains(connection, {submission.tenant, *(change.tenant for change in changes)})
    elif answer.outcome == REJECTED and submission.batch_id is not None:
        prepare_for_whole_batch(connection)
        hold_batches(connection, submission.tenant, [submission.batch_id], at)
        reject_message(connection, submission.tenant, submission.batch_id, office.sealer, at, call_id=call.id)
        settle_decided(connection, submission.tenant, [submission.batch_id], at)
    after = AFTER.get(answer.outcome, UNKNOWN)
    _record(connection, submission, "bank.answered", before, after, call, at, answer)
    if changes:
        record(connection, changes, at)


def _hold(connection: Connection, submission: Submission, office: Office) -> None:
    """Hold what is sent, so that two never decide about it at once."""
    if submission.batch_id is not None:
        lock_batch(connection, submission.tenant, submission.batch_id)
    elif submission.order_id is not None:
        hold_order(connection, find_order(connection, submission.tenant, submission.order_id, office))


def _record(
    connection: Connection,
    submission: Submission,
    action: str,
    before: str,
    after: str,
    call: Call,
    at: datetime,
    answer: Answer | None = None,
) -> None:
    details: dict[str, Json] = {"batch_no": submission.message_id, "call": str(call.id), "seq": call.seq}
    if answer is not None:
        details |= {"outcome": answer.outcome, "detail": answer.detail}
    record(
        connection,
        [Change(submission.tenant, "system", action, submission.id, before, after, details=details)],
        at,
    )


def _message(connection: Connection, submission: Submission, do: Do[Any], office: Office) -> Message:
    if submission.order_id is not None:
        return _order_message(connection, submission, submission.order_id, office)
    if submission.batch_id is None:
        raise ValueError("a submission is of a batch or of an order")
    batch = find_batch(connection, submission.tenant, submission.batch_id)
    file = find_file(connection, submission.tenant, submission.batch_id, submission.file_name)
    count, fen = connection.exec_driver_sql(
        "select count(*), coalesce(sum(amount_fen), 0)::bigint from instruction where tenant = %s and batch_id = %s",
        (submission.tenant, submission.batch_id),
    ).one()

    def content() -> Iterator[bytes]:
        for number in range(1, file.parts + 1):
            yield do(partial(_part, batch, file.name, number, office))

    return Message(
        message_id=submission.message_id,
        sha256=submission.file_sha256,
        size_bytes=file.size_bytes,
        count=count,
        total=Money(fen),
        content=content,
        end_to_end_ids=lambda: _ids(do, batch),
    )


def _order_message(connection: Connection, submission: Submission, order_id: UUID, office: Office) -> Message:
    order = find_order(connection, submission.tenant, order_id, office)
    content = order_file(connection, order, office)
    return Message(
        message_id=submission.message_id,
        sha256=submission.file_sha256,
        size_bytes=len(content),
        count=1,
        total=order.amount,
        content=lambda: iter([content]),
        end_to_end_ids=lambda: iter([order.reference]),
    )


def _ids(do: Do[Any], batch: Batch) -> Iterator[str]:
    """The instructions' end-to-end ids in the order of their lines, a page in a transaction."""
    line = 0
    while True:
        rows = do(partial(_page, batch, line))
        for row in rows:
            yield end_to_end_id(row.id)
        if len(rows) < IDS_AT_ONCE:
            return
        line = rows[-1].line


def _part(batch: Batch, name: str, number: int, office: Office, work: Work) -> bytes:
    return read_part(work.connection, batch, name, number, office.sealer)


def _page(batch: Batch, after: int, work: Work) -> list[Any]:
    return list(
        work.connection.exec_driver_sql(
            "select id, line from instruction where tenant = %s and batch_id = %s and line > %s order by line limit %s",
            (batch.tenant, batch.id, after, IDS_AT_ONCE),
        )
    )


def find_where(connection: Connection, where: str, values: tuple[Any, ...]) -> Submission | None:
    """The submission that the condition, which is our own text, picks out; ``None`` where there is none."""
    row = connection.exec_driver_sql(
        f"select {', '.join(_COLUMNS)} from bank_submission where {where}",  # noqa: S608 - our own columns
        values,
    ).one_or_none()
    return None if row is None else Submission(*row)
