"""The outbox and the platforms' feeds: nothing is stuck, nothing is lost, no feed has a gap (I22, I23).

What each row has to say is checked with the subject that it tells of.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import orjson

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, differs
from clearing.verification.snapshot import Snapshot

STUCK_ATTEMPTS: Final = 8
RETRIED: Final = "outbox.retried"
DEADLINE: Final = timedelta(minutes=10)
"""How long after its time a row may wait before it counts as stuck; a jump of the demonstration clock is no waiting."""

_STUCK: Final = """
with now as (
    select coalesce(c.demonstration_at + greatest(clock_timestamp() - c.set_at, interval '0'), clock_timestamp()) as at,
           c.demonstration_at as begun
      from (select 1) always left join service_clock c on true)
select o.tenant, o.id, o.kind, o.attempts, o.created_at, o.next_attempt_at, o.last_error
  from outbox o, now
 where o.done_at is null and (o.attempts >= %s or greatest(o.next_attempt_at, now.begun) + %s < now.at)
"""
_FORM: Final = """
select o.tenant, o.id, 'created_at' as what, o.next_attempt_at::text as found from outbox o
 where o.next_attempt_at < o.created_at or (o.attempts = 0 and o.next_attempt_at <> o.created_at)
union all
select o.tenant, o.id, 'done_at', o.done_at::text from outbox o where o.done_at < o.created_at
union all
select o.tenant, o.id, 'attempts', o.attempts::text from outbox o
 where o.attempts < 0 or (o.attempts > 0 and o.platform is not null and o.done_at is not null)
    or (o.attempts = 0 and o.platform is null and o.done_at is not null)
    or (o.attempts = 0 and o.last_error is not null)
union all
select o.tenant, o.id, 'last_error', o.last_error from outbox o where o.done_at is not null and o.last_error is not null
"""
_FED: Final = """
select coalesce(f.platform, o.platform) as platform, f.seq, o.id, o.done_at, o.tenant,
       (f.platform, f.tenant, f.type, f.payload, f.at) as found,
       (o.platform, o.tenant, o.kind, o.payload, o.created_at) as expected
  from platform_feed f full join (select * from outbox where platform is not null) o on o.id = f.outbox_id
 where o.id is null
    or (f.outbox_id is null) <> (o.done_at is null)
    or (f.platform, f.tenant, f.type, f.payload, f.at) is distinct from
       (o.platform, o.tenant, o.kind, o.payload, o.created_at) and f.outbox_id is not null
"""
_GAPS: Final = """
select platform, count(*) as given, min(seq) as first, max(seq) as last from platform_feed group by platform
having min(seq) <> 1 or max(seq) <> count(*)
"""
_KEYS: Final = """
select client_id, key, request_sha256, status, headers, body, created_at,
       not exists (select 1 from client c where c.client_id = k.client_id and c.created_at > k.created_at) as known
  from idempotency_key k order by client_id, key
"""
_JOBS: Final = "select tenant, id, kind from outbox where id = any(%s)"
_HEADERS: Final = frozenset({"Content-Type", "Location", "ETag", "Retry-After"})
_DIGEST_BYTES: Final = 32
_STATUSES: Final = range(200, 500)
REFUSED: Final = 400
"""From here on an answer is a problem, which repeats its status."""


def outbox_differences(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """What is stuck, malformed, not delivered as it was written, or said to be tried again and not there."""
    yield from _retried(snapshot, settings)
    snapshot.tally["outbox rows"] += snapshot.rows("select count(*) as n from outbox")[0].n
    for row in snapshot.stream(_STUCK, STUCK_ATTEMPTS, DEADLINE):
        found = f"{row.kind}, {row.attempts} attempts, due {row.next_attempt_at}: {row.last_error}"
        yield differs("outbox.stuck", f"outbox/{row.tenant}/{row.id}/done_at", "done", found)
    for row in snapshot.stream(_FORM):
        yield differs("outbox.form", f"outbox/{row.tenant}/{row.id}/{row.what}", "a sound row", row.found)
    for row in snapshot.stream(_FED):
        told, written = (None if row.seq is None else row.found), (None if row.id is None else row.expected)
        yield differs("feed.row", f"platform_feed/{row.platform}/{row.seq or row.id}", written, told)
    for row in snapshot.rows(_GAPS):
        found = f"{row.given} rows, {row.first} to {row.last}"
        yield differs("feed.gap", f"platform_feed/{row.platform}", f"1 to {row.given}", found)


def _retried(snapshot: Snapshot, settings: Settings) -> Iterator[Difference]:
    """Each job that somebody had tried again is there, and of that kind."""
    told = {key: entries for key, entries in settings.items() if entries[0].action == RETRIED}
    ids = [subject for _, subject in told]
    there = {(row.tenant, row.id): row for row in snapshot.rows(_JOBS, ids)}
    for (tenant, subject), entries in told.items():
        place, row = f"outbox/{tenant}/{subject}", there.get((tenant, subject))
        if row is None:
            yield differs("setting.absent", place, "one row", None)
            continue
        for entry in entries:
            if entry.details.get("kind") != row.kind:
                yield differs("setting.witness", f"{place}/kind", entry.details.get("kind"), row.kind)


def idempotency_differences(snapshot: Snapshot) -> Iterator[Difference]:
    """Stored answers that could not be given again."""
    for row in snapshot.counted("idempotency keys", snapshot.stream(_KEYS)):
        place = f"idempotency_key/{row.client_id}/{row.key}"
        if not row.known:
            yield differs("idempotency.client", f"{place}/client_id", "a client of that time", row.client_id)
        if len(row.request_sha256) != _DIGEST_BYTES:
            yield differs("idempotency.form", f"{place}/request_sha256", "32 bytes", row.request_sha256)
        if row.status is None or row.status not in _STATUSES:
            yield differs("idempotency.form", f"{place}/status", "an answer that was given", row.status)
        if not _is_object(row.headers) or not orjson.loads(row.headers).keys() <= _HEADERS:
            yield differs("idempotency.form", f"{place}/headers", _HEADERS, row.headers)
        if row.body is None or not _is_object(bytes(row.body)):
            yield differs("idempotency.form", f"{place}/body", "a JSON object", row.body)
        elif row.status is not None and row.status >= REFUSED and orjson.loads(row.body).get("status") != row.status:
            yield differs("idempotency.form", f"{place}/status", orjson.loads(row.body).get("status"), row.status)


def _is_object(text: str | bytes | None) -> bool:
    try:
        return text is not None and isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
