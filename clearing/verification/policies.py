"""Policy versions: each is what the audit chain tells of its life, and what was hashed, approved by another person."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta, timezone
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import Terms, parsed, read_terms

_VERSIONS: Final = """
select tenant, scheme, version, effective_on, document, content_sha256, demonstration, kind, correction, state, author,
       submitter, approver, recorded_at, submitted_at, approved_at, reason
  from policy_version order by tenant, scheme, version
"""


SHANGHAI: Final = timezone(timedelta(hours=8))
SHIPPED: Final = "shipped"
STEPS: Final[Mapping[str, tuple[frozenset[str | None], str]]] = {
    "policy.drafted": (frozenset({None, "draft", "rejected"}), "draft"),
    "policy.submitted": (frozenset({"draft"}), "submitted"),
    "policy.approved": (frozenset({"submitted"}), "approved"),
    "policy.corrected": (frozenset({"submitted"}), "approved"),
    "policy.rejected": (frozenset({"submitted"}), "rejected"),
}
"""From which states each act leads to which."""
DECISIONS: Final = frozenset({"policy.approved", "policy.corrected", "policy.rejected"})


class PolicyCheck:
    """One pass over all versions; afterwards ``terms`` holds what each approved one says."""

    def __init__(self, snapshot: Snapshot, settings: Settings) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self.terms: dict[tuple[str, str], Terms] = {}

    def differences(self) -> Iterator[Difference]:
        """What is wrong with the stored versions."""
        in_force: dict[tuple[str, str, date, bool, int], str] = {}
        named = set()
        for row in self._snapshot.rows(_VERSIONS):
            self._snapshot.tally["policy versions"] += 1
            place = f"policy_version/{row.tenant}/{row.version}"
            named.add((row.tenant, _subject(row.version)))
            yield from self._document(place, row)
            yield from self._life(place, row)
            day = (row.tenant, row.scheme, row.effective_on, row.demonstration, row.correction)
            if row.state == "approved" and in_force.setdefault(day, row.version) != row.version:
                yield differs("policy.one_in_force", place, in_force[day], row.version)
        for (tenant, subject), entries in self._settings.items():
            if entries[0].action.startswith("policy.") and (tenant, subject) not in named:
                version = entries[0].details.get("version", subject)
                yield differs("policy.absent", f"policy_version/{tenant}/{version}", "one row", None)

    def _document(self, place: str, row: Row) -> Iterator[Difference]:
        digest = hashlib.sha256(row.document.encode()).hexdigest()
        if digest != row.content_sha256:
            yield differs("policy.hash", f"{place}/content_sha256", digest, row.content_sha256)
        try:
            said = parsed(row.document)
            begins, shown, number = said["effective"]["value"], said.get("demonstration", False), _correction(said)
            name = f"{said['tenant']}/{said['scheme']}/{begins}{f'.{number}' if number else ''}"
            stated = {
                "tenant": said["tenant"],
                "scheme": said["scheme"],
                "effective_on": begins,
                "demonstration": shown,
                "correction": number,
                "version": f"{name}{'-demonstration' if shown else ''}",
            }
            terms = read_terms(row.version, row.document)
        except (ValueError, KeyError, TypeError) as fault:
            yield differs("policy.document", f"{place}/document", "a policy document", type(fault).__name__)
            return
        if row.state == "approved":
            self.terms[row.tenant, row.version] = replace(terms, approved_at=row.approved_at)
        yield from compared("policy.document", place, stated, row)

    def _life(self, place: str, row: Row) -> Iterator[Difference]:
        entries = self._settings.get((row.tenant, _subject(row.version)), [])
        if row.approver is not None and row.approver in {row.author, row.submitter}:
            yield differs("policy.four_eyes", f"{place}/approver", f"not {row.author}", row.approver)
        if not entries:
            yield differs("policy.unwitnessed", place, "an entry of the audit chain", None)
            return
        if row.kind == SHIPPED or entries[0].actor == SHIPPED:
            yield from _shipped(place, row, entries[0])
        else:
            yield from _steps(place, entries)
            yield from compared("policy.witness", place, _expected(entries), row)
            yield from _instants(place, row, entries)
        if entries[-1].to_state != row.state:
            yield differs("policy.state", f"{place}/state", entries[-1].to_state, row.state)


def _shipped(place: str, row: Row, approval: Entry) -> Iterator[Difference]:
    """What comes with the product is approved as it is stored."""
    expected = {
        "content_sha256": approval.details.get("content_sha256"),
        "approver": approval.details.get("approver"),
        "version": approval.details.get("version"),
        "kind": SHIPPED,
        "author": approval.actor,
        "submitter": None,
        "submitted_at": None,
        "reason": None,
    }
    yield from compared("policy.witness", place, expected, row)
    for column in ("recorded_at", "approved_at"):
        if not approval.witnesses(getattr(row, column)):
            yield differs("policy.witness", f"{place}/{column}", approval.at, getattr(row, column))


def _steps(place: str, entries: list[Entry]) -> Iterator[Difference]:
    state = None
    for entry in entries:
        froms, to = STEPS.get(entry.action, (frozenset(), ""))
        if entry.from_state not in froms or entry.to_state != to or entry.from_state != state:
            found = f"{entry.action}: {entry.from_state} → {entry.to_state}"
            yield differs("policy.step", f"{place}/entry/{entry.seq}", "a step that there is", found)
        state = entry.to_state


def _last(entries: list[Entry], actions: frozenset[str]) -> Entry | None:
    return next((entry for entry in reversed(entries) if entry.action in actions), None)


def _expected(entries: list[Entry]) -> dict[str, Any]:
    """What the row has to say by the last draft, and by what was done with it since."""
    drafted = _last(entries, frozenset({"policy.drafted"})) or entries[0]
    since = [entry for entry in entries if entry.seq > drafted.seq]
    submitted, decided = _last(since, frozenset({"policy.submitted"})), _last(since, DECISIONS)
    rejected = decided is not None and decided.action == "policy.rejected"
    return {
        "version": drafted.details.get("version"),
        "document": drafted.details.get("document"),
        "content_sha256": drafted.details.get("content_sha256"),
        "kind": drafted.details.get("kind"),
        "author": drafted.actor,
        "submitter": None if submitted is None else submitted.actor,
        "approver": None if decided is None else decided.actor,
        "reason": decided.reason if rejected and decided is not None else drafted.reason,
    }


def _instants(place: str, row: Row, entries: list[Entry]) -> Iterator[Difference]:
    """When it was drafted, submitted and approved; an ordinary version was approved before it began."""
    drafted = _last(entries, frozenset({"policy.drafted"})) or entries[0]
    since = [entry for entry in entries if entry.seq > drafted.seq]
    acts = {
        "recorded_at": drafted,
        "submitted_at": _last(since, frozenset({"policy.submitted"})),
        "approved_at": _last(since, DECISIONS - {"policy.rejected"}),
    }
    for column, act in acts.items():
        at = getattr(row, column)
        if (act is None) != (at is None) or (act is not None and not act.witnesses(at)):
            yield differs("policy.witness", f"{place}/{column}", act and act.at, at)
    approval = acts["approved_at"]
    if approval is None:
        return
    if (approval.action == "policy.corrected") != (row.kind == "retroactive"):
        yield differs("policy.step", f"{place}/entry/{approval.seq}", row.kind, approval.action)
    if approval.action == "policy.approved" and row.effective_on < approval.at.astimezone(SHANGHAI).date():
        yield differs("policy.ahead", f"{place}/effective_on", f"not before {approval.at}", row.effective_on)
    if approval.details.get("content_sha256") != row.content_sha256:
        said = approval.details.get("content_sha256")
        yield differs("policy.witness", f"{place}/content_sha256", said, row.content_sha256)


def _correction(said: Mapping[str, Any]) -> int:
    return int(said.get("correction", 0))


def _subject(version: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"policy/{version}")
