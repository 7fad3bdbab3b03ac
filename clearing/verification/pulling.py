"""Pulling: sources, their pages and their dead letters are as the chain tells, and the cursor runs on without a gap.

When a source is asked next, and how often in a row it failed, nothing else tells; whether that contradicts itself is
looked at.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any, Final

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.unsealing import OpenedSecrets

_SOURCES: Final = """
select s.*, g.source_id is not null as has_progress from pull_source s
  left join pull_progress g on g.tenant = s.tenant and g.source_id = s.id order by s.tenant, s.id
"""
_PAGES: Final = """
select p.*, lag(p.seq) over w as seq_before, lag(p.cursor_after) over w as cursor_passed
  from pull_page p window w as (partition by p.tenant, p.source_id order by p.seq) order by p.tenant, p.source_id, p.seq
"""
_LETTERS: Final = "select * from dead_letter order by tenant, source_id, page_seq, position"
_PROGRESS: Final = """
select g.* from pull_progress g left join pull_source s on s.tenant = g.tenant and s.id = g.source_id
 where s.id is null or g.failures < 0 or (g.failures > 0) <> (g.last_error is not null)
    or (g.polled_at is null and (g.failures > 0 or g.answered_at is not null))
    or g.answered_at < g.polled_at - interval '1 hour' * g.failures - interval '1 day'
    or (g.failures > 0 and (g.last_error is not json object or g.last_error::jsonb ->> 'code' is null))
"""


def pull_differences(snapshot: Snapshot, settings: Settings, secrets: OpenedSecrets | None) -> Iterator[Difference]:
    """Sources, pages and letters that the chain does not know so, and what it knows that is not there."""
    seen = set()
    for row in snapshot.counted("pull sources", iter(snapshot.rows(_SOURCES))):
        seen.add((row.tenant, row.id))
        yield from _source(row, settings.get((row.tenant, row.id), []), secrets)
    for key, entries in settings.items():
        if entries[0].action.startswith("pull.") and key not in seen:
            yield differs("setting.absent", f"pull_source/{key[0]}/{key[1]}", "one row", None)
    for row in snapshot.rows(_PROGRESS):
        yield differs("pull.progress", f"pull_progress/{row.tenant}/{row.source_id}", "a sound row", tuple(row[2:]))
    said: dict[tuple[Any, ...], tuple[Entry, Any]] = {}
    yield from _pages(snapshot, settings, said)
    yield from _letters(snapshot, settings, said, secrets)


def _source(row: Row, entries: list[Entry], secrets: OpenedSecrets | None) -> Iterator[Difference]:
    place = f"pull_source/{row.tenant}/{row.id}"
    registered = next((entry for entry in entries if entry.action == "pull.registered"), None)
    if registered is None:
        yield differs("setting.unwitnessed", place, "an entry of the audit chain", None)
        return
    if not row.has_progress:
        yield differs("pull.progress", f"pull_progress/{row.tenant}/{row.id}", "one row", None)
    names = ("platform", "client_id", "what", "url", "every_seconds")
    expected = {name: registered.details.get(name) for name in names} | {"registered_by": registered.actor}
    yield from compared("setting.witness", place, expected, row)
    if not registered.witnesses(row.registered_at):
        yield differs("setting.witness", f"{place}/registered_at", registered.at, row.registered_at)
    disabled = next((entry for entry in entries if entry.action == "pull.disabled"), None)
    yield from compared("setting.witness", place, {"disabled_by": disabled and disabled.actor}, row)
    if (disabled is None) != (row.disabled_at is None) or (disabled and not disabled.witnesses(row.disabled_at)):
        yield differs("setting.witness", f"{place}/disabled_at", disabled and disabled.at, row.disabled_at)
    if secrets is not None:
        macs = [entry.details["token_mac"] for entry in entries if "token_mac" in entry.details]
        sealed = bytes(row.token_sealed)
        token = secrets.field_value(sealed, "pull_source", "token_sealed", row.tenant, str(row.id))
        if token is None or secrets.content_mac(b"pull-token\0" + token).hex() != macs[-1]:
            yield differs("setting.sealed", f"{place}/token_sealed", "the token that was last set", "another")


def _pages(snapshot: Snapshot, settings: Settings, said: dict[tuple[Any, ...], Any]) -> Iterator[Difference]:
    told = {
        (tenant, subject, entry.details.get("seq")): entry
        for (tenant, subject), entries in settings.items()
        for entry in entries
        if entry.action == "pull.stored"
    }
    for (tenant, subject, seq), entry in told.items():
        for letter in entry.details.get("letters", ()):
            said[tenant, letter["id"]] = (entry, letter | {"source_id": str(subject), "page_seq": seq})
    found = set()
    for row in snapshot.counted("pulled pages", iter(snapshot.rows(_PAGES))):
        place, key = f"pull_page/{row.tenant}/{row.source_id}/{row.seq}", (row.tenant, row.source_id, row.seq)
        found.add(key)
        known = told.get(key)
        if known is None:
            yield differs("pull.page", place, "an entry of the audit chain", None)
            continue
        names = ("cursor_before", "cursor_after", "records", "stored", "known", "refused")
        yield from compared("pull.page", place, {name: known.details.get(name) for name in names}, row)
        if not known.witnesses(row.stored_at):
            yield differs("pull.page", f"{place}/stored_at", known.at, row.stored_at)
        if row.seq != (row.seq_before or 0) + 1 or row.cursor_before != row.cursor_passed:
            yield differs("pull.cursor", f"{place}/cursor_before", row.cursor_passed, row.cursor_before)
        if row.records != row.stored + row.known + row.refused or row.refused != len(known.details["letters"]):
            yield differs("pull.page", f"{place}/records", len(known.details["letters"]), row.refused)
    for tenant, subject, seq in told.keys() - found:
        yield differs("pull.page", f"pull_page/{tenant}/{subject}/{seq}", "one row", None)


def _letters(
    snapshot: Snapshot, settings: Settings, said: dict[tuple[Any, ...], Any], secrets: OpenedSecrets | None
) -> Iterator[Difference]:
    found = set()
    for row in snapshot.counted("dead letters", iter(snapshot.rows(_LETTERS))):
        place, key = f"dead_letter/{row.tenant}/{row.id}", (row.tenant, str(row.id))
        found.add(key)
        if key not in said:
            yield differs("letter.witness", place, "an entry of the audit chain", None)
            continue
        yield from _letter(row, place, said[key][1], secrets)
        yield from _decision(row, place, settings.get((row.tenant, row.id), []))
    for tenant, letter in said.keys() - found:
        yield differs("letter.witness", f"dead_letter/{tenant}/{letter}", "one row", None)


def _letter(row: Row, place: str, told: Any, secrets: OpenedSecrets | None) -> Iterator[Difference]:  # noqa: ANN401
    have = {
        "source_id": str(row.source_id),
        "page_seq": row.page_seq,
        "position": row.position,
        "record_mac": bytes(row.record_mac).hex(),
        "problem_sha256": hashlib.sha256(row.problem.encode()).hexdigest(),
        "code": row.code,
    }
    for name, value in have.items():
        if told.get(name) != value:
            yield differs("letter.witness", f"{place}/{name}", told.get(name), value)
    if secrets is None:
        return
    sealed = bytes(row.record_sealed)
    opened = secrets.field_value(sealed, "dead_letter", "record_sealed", row.tenant, str(row.id))
    try:
        record = None if opened is None else base64.b64decode(opened, validate=True)
    except binascii.Error:
        record = None
    if record is None or secrets.content_mac(b"dead-letter\0" + record) != bytes(row.record_mac):
        yield differs("letter.sealed", f"{place}/record_sealed", "the record that came", "another")


def _decision(row: Row, place: str, entries: list[Entry]) -> Iterator[Difference]:
    decided = next((entry for entry in entries if entry.action.startswith("dead_letter.")), None)
    state = "open" if decided is None else decided.action.removeprefix("dead_letter.")
    expected = {
        "state": state,
        "decided_by": None if decided is None else decided.actor,
        "reason": None if decided is None else decided.reason,
    }
    yield from compared("letter.decision", place, expected, row)
    if (decided is None) != (row.decided_at is None) or (decided and not decided.witnesses(row.decided_at)):
        yield differs("letter.decision", f"{place}/decided_at", decided and decided.at, row.decided_at)
    if len(entries) > 1:
        yield differs("letter.decision", place, "one decision", len(entries))
