"""What follows from an unsound claim: it is stopped before it is paid, or asked back once it is paid (追回财政资金)."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from clearing.claims.clawbacks import Order, claw_back, list_clawbacks
from clearing.claims.freezing import SAMPLE_CODE, Suspicion, freeze, is_sealed
from clearing.claims.records import lock_claim, view_claim
from clearing.claims.vault import Vault
from tenants.kernel.canonical import Json, plain
from tenants.kernel.change import record
from tenants.kernel.database import Work

STOPPED: Final = "stopped"
CLAWED_BACK: Final = "clawed_back"
DUE: Final = "due"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What was done; ``due``: it is in a sealed batch, and is asked back as soon as it is paid."""

    what: str | None
    clawback_id: UUID | None = None

    def json(self) -> dict[str, Json]:
        """As the audit chain keeps it."""
        return {"consequence": self.what, "clawback": plain(self.clawback_id)}


def follow_up(work: Work, vault: Vault, claim_id: UUID, order: Order, actor: str) -> Consequence:
    """Hold the claim where it is not sealed yet, ask back what was paid, or wait until it is paid.

    Raises:
        Conflict, Invalid: as :func:`clearing.claims.clawbacks.claw_back`.
    """
    row = lock_claim(work.connection, claim_id)
    state = view_claim(work.connection, claim_id).state_now
    if state == "paid":
        return Consequence(CLAWED_BACK, claw_back(work, vault, claim_id, order, actor).id)
    if state == "clawed_back":
        return Consequence(CLAWED_BACK, list_clawbacks(work.connection, claim_id)[-1].id)
    if is_sealed(work, row):
        return Consequence(DUE)
    frozen = freeze(work, row, Suspicion(SAMPLE_CODE, order.reason, {}), actor)
    if frozen is not None:
        record(work.connection, [frozen[1]], work.at)
    return Consequence(STOPPED)
