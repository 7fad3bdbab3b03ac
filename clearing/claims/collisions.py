"""Collisions: what a platform states to be paid elsewhere meets claims that are here.

The unpaid ones are frozen, and each gets a case between both sides, in the transaction that stores the statement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from clearing.claims import registry
from clearing.claims.freezing import Suspicion, freeze, is_sealed
from clearing.claims.records import ClaimRow, lock_claims
from clearing.claims.registry import Holder, Key, Locked
from clearing.claims.suspicions import (
    COLLISION,
    COLLISION_CODE,
    OPENED,
    OTHER_SIDE,
    CaseRow,
    case_changes,
    case_write,
    opened,
)
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
    return {row.id: row for row in lock_claims(work.connection, [claim_id for claim_id, _ in met])}


@dataclass(slots=True)
class Collisions:
    """The collisions of one transaction: whom they freeze, and the cases that they open."""

    work: Work
    actor: str
    claims: Mapping[UUID, ClaimRow]
    cases: list[CaseRow] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    _seen: dict[UUID, ClaimRow] = field(default_factory=dict)

    def meet(self, locked: Locked, holder: Holder, keys: Iterable[Key]) -> None:
        """Let a statement meet the claims on its keys, before it takes them.

        Raises:
            StartAgainError: a claim has come since the claims were locked.
        """
        met: dict[UUID, Holder] = {}
        for key in keys:
            others = {one.holder_id: one for one in locked.holders_of(key, holder) if one.kind == "claim"}
            if not others.keys() <= self.claims.keys():
                raise StartAgainError
            live = {holder_id: one for holder_id, one in others.items() if self.claims[holder_id].state in _LIVE}
            met |= live
            unpaid = frozenset(one for one in live if not is_sealed(self.work, self.claims[one]))
            if unpaid:
                registry.contend(self.work.connection, locked.give_way(key, holder, unpaid))
        for claim_id, other in met.items():
            case = opened(COLLISION, COLLISION_CODE, holder, other, self.work.at)
            self.cases.append(case)
            self._freeze(claim_id, case)
            self.changes += case_changes(case, OPENED, self.actor, frozenset({holder.tenant}))

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
