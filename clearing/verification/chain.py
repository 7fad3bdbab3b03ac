"""The audit chains: every entry follows from the one before, and every checkpoint ever signed is in them (I14, I15).

Entry ``n`` of a tenant is the SHA-256 of ``PREFIX``, the hash of entry ``n - 1`` and the body; the first follows 32
nought bytes.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import orjson

from clearing.verification.checkpoints import Checkpoint
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import Entry, entry_of
from clearing.verification.snapshot import Row, Snapshot

PREFIX: Final = b"clearing-audit-v1\n"
GENESIS: Final = bytes(32)
MEMBERS: Final = frozenset({"seq", "tenant", "at", "actor", "action", "subject", "from", "to", "reason", "details"})
KEPT: Final = (
    "instance.",
    "policy.", "key.", "payout_account.", "budget.", "linked_regions.", "standing.", "calendar.", "tenant.",
    "trust_list.", "interest.", "sample.", "linkage.", "district.",
    "agreement.", "cycle.", "exposure.", "obligations.", "order.", "remedy.", "pay_in.",
    "policy.", "key.", "payout_account.", "budget.", "linked_regions.", "standing.", "calendar.", "tenant.", "webhook.",
    "agreement.", "cycle.", "exposure.", "obligations.", "release_limit.", "matching.", "reward.",
    "client_key.", "pull.", "dead_letter.",
    "client_key.", "outbox.",
    "client_key.", "client_terms.",
    "policy.", "key.", "registry_key.", "payout_account.", "budget.", "linked_regions.", "standing.", "calendar.",
    "tenant.", "similarity.trained",
    "policy.", "key.", "payout_account.", "budget.", "linked_regions.", "standing.", "calendar.", "tenant.", "account.",
    "session.", "sign_in.", "account_proposal.", "invitation.",
)  # fmt: skip
"""Beginnings of the actions that set things up: these entries are few, and are kept for the checks that follow."""

Settings = Mapping[tuple[str, UUID], list[Entry]]
"""The kept entries by tenant and subject, in the order of the chain."""

_ENTRIES: Final = (
    "select tenant, seq, at, action, subject_id, body, hash, lag(at) over (partition by tenant order by seq) "
    "as previous_at from audit_entry order by tenant, seq"
)


class Chains:
    """One pass over all chains; afterwards ``settings`` holds the kept entries."""

    def __init__(self, snapshot: Snapshot, checkpoints: Mapping[str, list[Checkpoint]]) -> None:
        self._snapshot = snapshot
        self._checkpoints = checkpoints
        self.settings: defaultdict[tuple[str, UUID], list[Entry]] = defaultdict(list)

    def differences(self) -> Iterator[Difference]:
        """What is wrong with the chains, their heads, and the checkpoints against them."""
        heads = {row.tenant: row for row in self._snapshot.rows("select tenant, seq, hash, at from audit_head")}
        seen = set()
        rows = self._snapshot.counted("audit entries", self._snapshot.stream(_ENTRIES))
        for tenant, entries in groupby(rows, key=lambda row: row.tenant):
            seen.add(tenant)
            yield from self._chain(tenant, entries, heads.get(tenant))
        for tenant, head in heads.items():
            if tenant not in seen:
                yield from _head_differences(tenant, (0, GENESIS, None), head)
                yield from self._beyond(tenant, 0)
        for (tenant,) in self._snapshot.rows("select tenant from tenant order by tenant"):
            if tenant not in heads:
                yield differs("chain.head", f"audit_head/{tenant}", "one row", None)
        for tenant in self._checkpoints.keys() - heads.keys() - seen:
            yield from self._beyond(tenant, 0)

    def _chain(self, tenant: str, entries: Iterator[Row], head: Row | None) -> Iterator[Difference]:
        signed = {checkpoint.seq: checkpoint for checkpoint in self._checkpoints.get(tenant, ())}
        seq, previous, latest_at = 0, GENESIS, None
        for entry in entries:
            place = f"audit_entry/{tenant}/{entry.seq}"
            if entry.seq != seq + 1:
                yield differs("chain.gap", place, seq + 1, entry.seq)
            stored = bytes(entry.hash)
            computed = hashlib.sha256(PREFIX + previous + entry.body.encode()).digest()
            if computed != stored:
                yield differs("chain.hash", f"{place}/hash", computed, stored)
            yield from _body_differences(place, entry)
            if latest_at is not None and entry.at < latest_at:
                yield differs("chain.time", f"{place}/at", f"not before {latest_at}", entry.at)
            checkpoint = signed.get(entry.seq)
            if checkpoint is not None and (checkpoint.hash, checkpoint.at) != (stored, entry.at):
                yield differs("checkpoint.contradicted", checkpoint.place, checkpoint.hash, stored)
            if entry.action.startswith(KEPT):
                self.settings[tenant, entry.subject_id].append(entry_of(entry))
            seq, previous, latest_at = entry.seq, stored, entry.at
        yield from _head_differences(tenant, (seq, previous, latest_at), head)
        yield from self._beyond(tenant, seq)

    def _beyond(self, tenant: str, seq: int) -> Iterator[Difference]:
        """Checkpoints of entries that the chain does not have: it was cut, or an old backup was put back."""
        for checkpoint in self._checkpoints.get(tenant, ()):
            if checkpoint.seq > seq:
                yield differs("checkpoint.beyond", checkpoint.place, f"entry {checkpoint.seq}", f"{seq} entries")


def _body_differences(place: str, entry: Row) -> Iterator[Difference]:
    try:
        said = orjson.loads(entry.body)
        at = datetime.fromisoformat(said["at"])
    except (ValueError, KeyError, TypeError):
        yield differs("chain.body", f"{place}/body", "the ten members of an entry", entry.body)
        return
    if said.keys() != MEMBERS:
        yield differs("chain.body", f"{place}/body", MEMBERS, set(said))
        return
    columns: dict[str, tuple[Any, Any]] = {
        "tenant": (said["tenant"], entry.tenant),
        "seq": (said["seq"], entry.seq),
        "at": (at, entry.at),
        "action": (said["action"], entry.action),
        "subject_id": (said["subject"], str(entry.subject_id)),
    }
    for column, (expected, found) in columns.items():
        if expected != found:
            yield differs("chain.column", f"{place}/{column}", expected, found)


def _head_differences(tenant: str, last: tuple[int, bytes, datetime | None], head: Row | None) -> Iterator[Difference]:
    place = f"audit_head/{tenant}"
    if head is None:
        yield differs("chain.head", place, f"entry {last[0]}", None)
        return
    seq, digest, at = last
    if head.seq != seq:
        yield differs("chain.head", f"{place}/seq", seq, head.seq)
    if bytes(head.hash) != digest:
        yield differs("chain.head", f"{place}/hash", digest, head.hash)
    if at is not None and head.at != at:
        yield differs("chain.head", f"{place}/at", at, head.at)
