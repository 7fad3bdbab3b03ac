"""Policy versions: each document is what was hashed, approved by another person than its author, once a day."""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry, witness
from clearing.verification.snapshot import Row, Snapshot
from clearing.verification.terms import Terms, parsed, read_terms

_VERSIONS: Final = """
select tenant, scheme, version, effective_on, document, content_sha256, demonstration, state, author, approver,
       recorded_at, approved_at
  from policy_version order by tenant, scheme, version
"""


class PolicyCheck:
    """One pass over all versions; afterwards ``terms`` holds what each approved one says."""

    def __init__(self, snapshot: Snapshot, settings: Settings) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self.terms: dict[tuple[str, str], Terms] = {}

    def differences(self) -> Iterator[Difference]:
        """What is wrong with the stored versions."""
        in_force: dict[tuple[str, str, date, bool], str] = {}
        named = set()
        for row in self._snapshot.rows(_VERSIONS):
            self._snapshot.tally["policy versions"] += 1
            place = f"policy_version/{row.tenant}/{row.version}"
            named.add((row.tenant, _subject(row.version)))
            yield from self._document(place, row)
            yield from self._approval(place, row)
            day = (row.tenant, row.scheme, row.effective_on, row.demonstration)
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
            begins, shown = said["effective"]["value"], said.get("demonstration", False)
            stated = {
                "tenant": said["tenant"],
                "scheme": said["scheme"],
                "effective_on": begins,
                "demonstration": shown,
                "version": f"{said['tenant']}/{said['scheme']}/{begins}{'-demonstration' if shown else ''}",
            }
            self.terms[row.tenant, row.version] = read_terms(row.version, row.document)
        except (ValueError, KeyError, TypeError) as fault:
            yield differs("policy.document", f"{place}/document", "a policy document", type(fault).__name__)
            return
        yield from compared("policy.document", place, stated, row)

    def _approval(self, place: str, row: Row) -> Iterator[Difference]:
        entries = self._settings.get((row.tenant, _subject(row.version)), [])
        if row.approver is not None and row.approver == row.author:
            yield differs("policy.four_eyes", f"{place}/approver", f"not {row.author}", row.approver)
        if not entries:
            yield differs("policy.unwitnessed", place, "an entry of the audit chain", None)
            return
        last = entries[-1]
        if last.to_state != row.state:
            yield differs("policy.state", f"{place}/state", last.to_state, row.state)
        approvals = [entry for entry in entries if entry.action == "policy.approved"]
        if approvals:
            yield from self._approved(place, row, approvals[-1])
        if witness(entries, row.recorded_at) is None:
            yield differs("policy.witness", f"{place}/recorded_at", entries[0].at, row.recorded_at)

    def _approved(self, place: str, row: Row, approval: Entry) -> Iterator[Difference]:
        said = approval.details
        expected = {
            "content_sha256": said.get("content_sha256"),
            "approver": said.get("approver"),
            "version": said.get("version"),
        }
        yield from compared("policy.witness", place, expected, row)
        if approval.actor != row.author:
            yield differs("policy.witness", f"{place}/author", approval.actor, row.author)
        if not approval.witnesses(row.approved_at):
            yield differs("policy.witness", f"{place}/approved_at", approval.at, row.approved_at)


def _subject(version: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"policy/{version}")
