"""Webhooks: endpoints are as the chain tells, and each has exactly the messages that its platform's feed gives.

How often a message was tried, and when, nothing else tells; whether that contradicts itself is looked at.
"""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets

TRIED_FOR: Final = timedelta(days=3)
DEADLINE: Final = TRIED_FOR + timedelta(hours=3)
"""When a message of a live endpoint must have been answered or given up, by the machine's clock."""

_ENDPOINTS: Final = """
select e.tenant, e.id, e.platform, e.url, e.secret_sealed, e.starts_after_seq, e.fed_through_seq, e.registered_by,
       e.registered_at, e.disabled_by, e.disabled_at,
       (select coalesce(max(f.seq), 0) from platform_feed f where f.platform = e.platform) as latest_seq
  from webhook_endpoint e order by e.tenant, e.id
"""
_MESSAGES: Final = """
select coalesce(m.tenant, w.tenant) as tenant, coalesce(m.endpoint_id, w.id) as endpoint_id,
       coalesce(m.seq, w.seq) as seq, m.subject_id as found, w.subject_id as expected
  from webhook_message m full join (
       select e.tenant, e.id, f.seq, o.subject_id from webhook_endpoint e
         join platform_feed f on f.platform = e.platform and f.tenant = e.tenant
              and f.seq > e.starts_after_seq and f.seq <= e.fed_through_seq
         join outbox o on o.id = f.outbox_id) w
    on w.tenant = m.tenant and w.id = m.endpoint_id and w.seq = m.seq
 where m.subject_id is distinct from w.subject_id
"""
_FORM: Final = """
select tenant, endpoint_id, seq, queued_at, next_attempt_at, attempts, last_answer, done_at, gave_up
  from webhook_message
 where next_attempt_at < queued_at or attempts < 0 or done_at < queued_at
    or (attempts = 0 and (next_attempt_at <> queued_at or last_answer is not null or done_at is not null or gave_up))
    or (done_at is not null and (last_answer is null or gave_up = (last_answer ~ '^2[0-9][0-9]$')))
    or (gave_up and (done_at is null or done_at < queued_at + %s))
"""
_LATE: Final = """
select m.tenant, m.endpoint_id, m.seq, m.queued_at from webhook_message m
  join webhook_endpoint e on e.tenant = m.tenant and e.id = m.endpoint_id and e.disabled_at is null
 where m.done_at is null and m.queued_at + %s < clock_timestamp()
"""


def webhook_differences(snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """Endpoints that the chain does not know so, and messages that are missing, too many, or contradict themselves."""
    seen = set()
    for row in snapshot.counted("webhook endpoints", iter(snapshot.rows(_ENDPOINTS))):
        seen.add((row.tenant, row.id))
        yield from _endpoint(row, settings, secrets)
    for (tenant, subject), entries in settings.items():
        if entries[0].action.startswith("webhook.") and (tenant, subject) not in seen:
            yield differs("setting.absent", f"webhook_endpoint/{tenant}/{subject}", "one row", None)
    for row in snapshot.stream(_MESSAGES):
        place = f"webhook_message/{row.tenant}/{row.endpoint_id}/{row.seq}"
        yield differs("webhook.message", place, row.expected, row.found)
    for row in snapshot.stream(_FORM, TRIED_FOR):
        place = f"webhook_message/{row.tenant}/{row.endpoint_id}/{row.seq}"
        yield differs("webhook.form", place, "a sound row", tuple(row[3:]))
    for row in snapshot.stream(_LATE, DEADLINE):
        place = f"webhook_message/{row.tenant}/{row.endpoint_id}/{row.seq}"
        yield differs("webhook.late", place, f"answered or given up within {DEADLINE}", row.queued_at)


def _endpoint(row: Row, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    place = f"webhook_endpoint/{row.tenant}/{row.id}"
    entries = settings.get((row.tenant, row.id), [])
    registered = next((entry for entry in entries if entry.action == "webhook.registered"), None)
    if registered is None:
        yield differs("setting.unwitnessed", place, "an entry of the audit chain", None)
        return
    said = registered.details
    expected = {name: said.get(name) for name in ("platform", "url", "starts_after_seq")}
    yield from compared("setting.witness", place, expected | {"registered_by": registered.actor}, row)
    if not registered.witnesses(row.registered_at):
        yield differs("setting.witness", f"{place}/registered_at", registered.at, row.registered_at)
    disabled = next((entry for entry in entries if entry.action == "webhook.disabled"), None)
    by = None if disabled is None else disabled.actor
    yield from compared("setting.witness", place, {"disabled_by": by}, row)
    if disabled is None if row.disabled_at is not None else disabled is not None:
        yield differs("setting.witness", f"{place}/disabled_at", disabled and disabled.at, row.disabled_at)
    elif disabled is not None and not disabled.witnesses(row.disabled_at):
        yield differs("setting.witness", f"{place}/disabled_at", disabled.at, row.disabled_at)
    if not row.starts_after_seq <= row.fed_through_seq <= row.latest_seq:
        within = f"{row.starts_after_seq} to {row.latest_seq}"
        yield differs("webhook.cursor", f"{place}/fed_through_seq", within, row.fed_through_seq)
    if secrets is not None:
        sealed = bytes(row.secret_sealed)
        secret = secrets.field_value(sealed, "webhook_endpoint", "secret_sealed", row.tenant, str(row.id))
        if secret is None or hashlib.sha256(secret).hexdigest() != said.get("secret_sha256"):
            yield differs("setting.sealed", f"{place}/secret_sealed", "the secret of the registration", "another")
