"""The courier: puts what is new in the platforms' feeds on its way, and tries each message until it is answered.

Several couriers do no harm: a message is leased before it is sent, and one whose courier was killed is due again when
its lease ends. It may then come twice; its id is the same. Times here are the machine's: a demonstration clock that
jumps makes no message old.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from clearing.metrics import observe_job
from clearing.service import Service
from clearing.webhooks.endpoints import secret_place
from clearing.webhooks.targets import DEADLINE_SECONDS, TargetError, post, target_of
from connectors.webhook_signature import signed_headers
from tenants.instance import HEADER
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.clock import print_instant
from tenants.kernel.database import Scope, Work, run
from tenants.kernel.errors import Invalid

LONGEST_TRIED: Final = timedelta(days=3)
LONGEST_WAIT: Final = timedelta(hours=1)
LEASE: Final = timedelta(seconds=3 * DEADLINE_SECONDS)
"""How long a message is in one courier's hands."""
FEED_AT_ONCE: Final = 1000
MESSAGES_AT_ONCE: Final = 16
"""Of one endpoint in one round, so that a slow one holds up no other for long."""
ROUNDS: Final = 20
"""In a row, before the scheduler looks whether it shall end."""
THREADS: Final = 16
_ANSWER_CHARACTERS: Final = 200
_DOUBLINGS: Final = 16
_OK: Final = range(200, 300)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way."""

    tenant: str
    endpoint_id: UUID
    seq: int
    subject_id: UUID
    queued_at: datetime
    attempts: int
    url: str
    secret_sealed: bytes
    event_id: UUID
    type: str
    at: datetime
    payload: str


def wait_after(attempts: int, first_wait: timedelta) -> timedelta:
    """How long after the attempt with this number the next one is due: each twice as long, at most an hour."""
    return min(first_wait * (1 << min(attempts - 1, _DOUBLINGS)), LONGEST_WAIT)


class Courier:
    """Delivers the messages of all tenants."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._threads = ThreadPoolExecutor(THREADS, "webhook")

    def round(self) -> int:
        """Queue what is new, send what is due and record what was answered; how many messages were sent."""
        scope = self._scope()
        while run(self._service.engine, scope, self._service.machine, self._queue) >= FEED_AT_ONCE:
            continue
        leased = run(self._service.engine, scope, self._service.machine, self._lease)
        for message, answer in zip(leased, self._threads.map(self._send, leased), strict=True):
            self._record(scope, message, answer)
        return len(leased)

    def rounds(self) -> int:
        """Rounds until nothing is due, at most ``ROUNDS``; how many messages were sent."""
        sent = 0
        for _ in range(ROUNDS):
            count = self.round()
            sent += count
            if not count:
                break
        return sent

    def _scope(self) -> Scope:
        with self._service.engine.connect() as connection:
            return Scope(tuple(connection.exec_driver_sql("select tenant from tenant order by tenant").scalars()))

    def _queue(self, work: Work) -> int:
        now = self._service.machine.now()
        return int(work.connection.exec_driver_sql(_QUEUE, (FEED_AT_ONCE, now, now)).scalar_one() or 0)

    def _lease(self, work: Work) -> list[Message]:
        now = self._service.machine.now()
        rows = work.connection.exec_driver_sql(_LEASE, (now, MESSAGES_AT_ONCE, now + LEASE))
        return [Message(*row) for row in rows]

    def _send(self, message: Message) -> int | str:
        """The status of the answer, or why there is none."""
        settings = self._service.settings
        body = canonical_bytes(
            {
                **({"environment": settings.mark} if settings.sandbox else {}),
                "type": message.type,
                "timestamp": print_instant(message.at),
                "id": str(message.event_id),
                "seq": message.seq,
                "tenant": message.tenant,
                "subject_id": str(message.subject_id),
                "data": json.loads(message.payload),
            }
        )
        place = secret_place(message.tenant, message.endpoint_id)
        secret = self._service.vault.sealer.unseal(bytes(message.secret_sealed), place)
        now = self._service.machine.now()
        headers = signed_headers(secret, str(message.event_id), body, now)
        headers |= {"Content-Type": "application/json", HEADER: settings.mark}
        try:
            target = target_of(message.url, demonstration=settings.calls_loopback)
            return post(target, body, headers)
        except (TargetError, Invalid) as error:
            return str(error)

    def _record(self, scope: Scope, message: Message, answer: int | str) -> None:
        now = self._service.machine.now()
        told = isinstance(answer, int) and answer in _OK
        gave_up = not told and now - message.queued_at >= LONGEST_TRIED
        observe_job("webhook", "done" if told else "failed")
        if gave_up:
            _log.error("webhook_given_up", endpoint=str(message.endpoint_id), seq=message.seq, answer=str(answer))
        given: tuple[Any, ...] = (
            str(answer)[:_ANSWER_CHARACTERS],
            now if told or gave_up else None,
            gave_up,
            now + wait_after(message.attempts, timedelta(milliseconds=self._service.settings.webhook_wait_ms)),
            message.tenant,
            message.endpoint_id,
            message.seq,
            message.attempts,
        )
        run(
            self._service.engine,
            scope,
            self._service.machine,
            lambda work: work.connection.exec_driver_sql(_RECORD, given).rowcount,
        )


_QUEUE: Final = """
with live as (
    select tenant, id, platform, fed_through_seq from webhook_endpoint
     where disabled_at is null order by tenant, id for no key update skip locked),
seen as (
    select l.tenant, l.id, f.seq, f.outbox_id, f.tenant as of_tenant from live l cross join lateral (
        select seq, outbox_id, tenant from platform_feed where platform = l.platform and seq > l.fed_through_seq
         order by seq limit %s) f),
queued as (
    insert into webhook_message (tenant, endpoint_id, seq, subject_id, queued_at, next_attempt_at)
    select s.tenant, s.id, s.seq, o.subject_id, %s, %s from seen s join outbox o on o.id = s.outbox_id
     where s.of_tenant = s.tenant),
latest as (select tenant, id, max(seq) as seq, count(*) as seen from seen group by tenant, id),
moved as (
    update webhook_endpoint e set fed_through_seq = l.seq from latest l where e.tenant = l.tenant and e.id = l.id)
select max(seen) from latest
"""
_LEASE: Final = """
with due as (
    select m.tenant, m.endpoint_id, m.seq from webhook_endpoint e cross join lateral (
        select m.tenant, m.endpoint_id, m.seq from webhook_message m
         where m.tenant = e.tenant and m.endpoint_id = e.id and m.done_at is null and m.next_attempt_at <= %s
           and not exists (
               select 1 from webhook_message earlier
                where earlier.tenant = m.tenant and earlier.endpoint_id = m.endpoint_id
                  and earlier.subject_id = m.subject_id and earlier.seq < m.seq and earlier.done_at is null)
         order by m.next_attempt_at, m.seq limit %s for update skip locked) m
     where e.disabled_at is null),
leased as (
    update webhook_message m set attempts = m.attempts + 1, next_attempt_at = %s from due d
     where (m.tenant, m.endpoint_id, m.seq) = (d.tenant, d.endpoint_id, d.seq)
    returning m.tenant, m.endpoint_id, m.seq, m.subject_id, m.queued_at, m.attempts)
select l.tenant, l.endpoint_id, l.seq, l.subject_id, l.queued_at, l.attempts, e.url, e.secret_sealed, f.outbox_id,
       f.type, f.at, f.payload
  from leased l
  join webhook_endpoint e on e.tenant = l.tenant and e.id = l.endpoint_id
  join platform_feed f on f.platform = e.platform and f.seq = l.seq
 order by l.seq
"""
_RECORD: Final = (
    "update webhook_message set last_answer = %s, done_at = %s, gave_up = %s, next_attempt_at = %s "
    # a message that was replayed meanwhile begins anew
    "where tenant = %s and endpoint_id = %s and seq = %s and attempts = %s and done_at is null"
)
