"""Collisions: what a platform states to be paid elsewhere meets claims that are here.

The unpaid ones are frozen, and each gets a case between both sides, in the transaction that stores the statement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from clearing.claims import registry
from clearing.claims.freezing import Suspicion, freeze, is_sealed
from clearing.claims.records import ClaimRow, lock_claims
from clearing.claims.registry import RED_LETTER, Holder, Key, Locked
from clearing.claims.sending_back import SENT_BACK, send_back
from clearing.claims.suspicions import (
    COLLISION,
    COLLISION_CODE,
    OPENED,
    OTHER_SIDE,
    RED_LETTER_CASE,
    RED_LETTER_CODE,
    CaseRow,
    case_changes,
    case_write,
    opened,
)
from settlement import ledger
from tenants.kernel.change import Change
from tenants.kernel.database import StartAgainError, Work, reach
from tenants.kernel.statements import Write

REASON = "the same spending is stated to be supported elsewhere"
_LIVE = frozenset({"on_hold", "in_review", "approved"})


def lock_claims_met(work: Work, keys: Iterable[Key], tenants: Iterable[str]) -> dict[UUID, ClaimRow]:
    """Lock the claims that hold any of the keys, before the keys themselves are locked.

    ``tenants`` are those whose statements are being stored.

    Raises:
        StartAgainError: some are other tenants', see :func:`tenants.kernel.database.reach`.
    """
    met = registry.claims_on(work.connection, [digest for key in keys for _, digest in key.digests])
    if not met:
        return {}
    reach(work, {*tenants, *(tenant for _, tenant in met)}, every_platform=True)
    claims = {row.id: row for row in lock_claims(work.connection, [claim_id for claim_id, _ in met])}
    for tenant in sorted({row.tenant for row in claims.values()}):
        ledger.lock_caps(work.connection, tenant, [row.id for row in claims.values() if row.tenant == tenant])
    return claims


@dataclass(slots=True)
class Collisions:
    """The collisions of one transaction: whom they freeze, and the cases that they open."""

    work: Work
    actor: str
    claims: dict[UUID, ClaimRow]
    cases: list[CaseRow] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    _seen: dict[UUID, ClaimRow] = field(default_factory=dict)
    _pairs: set[tuple[UUID, UUID, str]] = field(default_factory=set)

    def meet(self, locked: Locked, holder: Holder, keys: Iterable[Key]) -> None:
        """Let a statement meet the claims on its keys, before it takes them.

        Raises:
            StartAgainError: a claim has come since the claims were locked, and cannot be locked now.
        """
        met: dict[UUID, Holder] = {}
        for key in keys:
            others = self._others(locked, key, holder)
            if holder.scheme == RED_LETTER:
                own = locked.of_enterprise(key, holder)
                cancelled = {known: one for known, one in others.items() if known in own}
                others = {known: one for known, one in others.items() if known not in cancelled}
                self._cancel(locked, key, holder, cancelled)
            live = {holder_id: one for holder_id, one in others.items() if self.claims[holder_id].state in _LIVE}
            met |= live
            unpaid = frozenset(one for one in live if not is_sealed(self.work, self.claims[one]))
            if unpaid:
                registry.contend(self.work.connection, locked.give_way(key, holder, unpaid))
        for claim_id, other in met.items():
            case = opened(COLLISION, COLLISION_CODE, holder, other, self.work.at)
            self._freeze(claim_id, case)
            self._open(case)

    def _others(self, locked: Locked, key: Key, holder: Holder) -> dict[UUID, Holder]:
        others = {one.holder_id: one for one in locked.holders_of(key, holder) if one.kind == "claim"}
        come = {known: one for known, one in others.items() if known not in self.claims}
        if come:
            self._lock(come)
        return others

    def _lock(self, come: Mapping[UUID, Holder]) -> None:
        """Lock claims that came while we locked: at once or not at all, for their keys are ours already."""
        reach(self.work, {holder.tenant for holder in come.values()}, every_platform=True)
        rows = lock_claims(self.work.connection, list(come), waiting=False)
        if len(rows) < len(come) or any(row.state == "approved" for row in rows):
            raise StartAgainError  # somebody is at it, or its accounts have to be locked first
        self.claims |= {row.id: row for row in rows}

    def _cancel(self, locked: Locked, key: Key, holder: Holder, claims: Mapping[UUID, Holder]) -> None:
        """A red-letter invoice: unpaid claims on what it cancels are sent back with free keys; a paid one is a case.

        Where what is cancelled is not claimed, nothing happens to those who claim the rest.
        """
        for claim_id in sorted(claims):
            row = self.claims[claim_id]
            if locked.fits(key, holder):
                return
            if row.state in SENT_BACK and not is_sealed(self.work, row):
                self.changes += send_back(self.work, row, OTHER_SIDE if row.tenant != holder.tenant else self.actor)
                locked.drop(claim_id)
        others = [one for one in locked.holders_of(key, holder) if one.scheme != RED_LETTER]
        paid = [one for one in others if one.holder_id in claims or one.kind == "support"]
        if not locked.fits(key, holder):
            for other in paid:
                self._open(opened(RED_LETTER_CASE, RED_LETTER_CODE, holder, other, self.work.at))

    def _open(self, case: CaseRow) -> None:
        """Open the case, once for a pair of holders however many of their keys meet."""
        if (case.later_id, case.earlier_id, case.code) in self._pairs:
            return
        self._pairs.add((case.later_id, case.earlier_id, case.code))
        self.cases.append(case)
        self.changes += case_changes(case, OPENED, self.actor, frozenset({case.later_tenant}))

    def _freeze(self, claim_id: UUID, case: CaseRow) -> None:
        """Freeze the claim where it is unpaid, once however many statements meet it."""
        if claim_id in self._seen:
            return
        row = self.claims[claim_id]
        suspicion = Suspicion(COLLISION_CODE, REASON, case.side("later").shown_to_others)
        actor = self.actor if row.tenant == case.later_tenant else OTHER_SIDE
        frozen = freeze(self.work, row, suspicion, actor)
        self._seen[claim_id] = row if frozen is None else frozen[0]
        if frozen is not None:
            self.changes.append(frozen[1])

    @property
    def write(self) -> Write:
        """The cases as rows to be written."""
        return case_write(self.cases)
