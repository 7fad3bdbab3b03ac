"""What came back and is not issued again: the list that finance works through, claims and other obligations alike."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from settlement.payouts.outcomes import SURPLUS
from settlement.payouts.reissue import UNDONE
from tenants.kernel.canonical import Json, plain
from tenants.kernel.money import Money


@dataclass(frozen=True, slots=True)
class CameBack:
    """One obligation whose payment was returned or rejected, and how far its re-issue has come.

    ``correction``: ``none``, ``proposed``, ``cooling_off`` or ``ready``; ``surplus``: how often it was paid too much.
    """

    obligation_id: UUID
    claim_no: str
    kind: str | None
    scheme: str
    mode: str
    amount: Money
    batch_no: str
    instruction_id: UUID
    outcome: str
    at: datetime
    cooling_through_on: date | None
    proposed: bool
    surplus: int

    def correction(self, on: date) -> str:
        """How far the correction of the payee's account has come on the day."""
        if self.cooling_through_on is None:
            return "proposed" if self.proposed else "none"
        return "ready" if on > self.cooling_through_on else "cooling_off"

    def json(self, on: date) -> dict[str, Json]:
        """The obligation in the form of the API."""
        return {
            "obligation_id": str(self.obligation_id),
            "claim_no": self.claim_no,
            "kind": self.kind or self.mode,
            "scheme": self.scheme,
            "mode": self.mode,
            "amount": str(self.amount),
            "batch_no": self.batch_no,
            "instruction_id": str(self.instruction_id),
            "outcome": self.outcome,
            "at": plain(self.at),
            "correction": self.correction(on),
            "cooling_through": plain(self.cooling_through_on),
            "paid_twice": self.surplus > 0,
        }


_LIST: Final = (
    "select o.id, o.claim_no, o.kind, o.scheme, o.mode, o.amount_fen, b.batch_no, i.id as instruction_id, x.outcome, "  # noqa: S608
    "x.at, (select d.cooling_through_on from account_correction k join account_correction_decision d "
    "on d.tenant = k.tenant and d.correction_id = k.id and d.outcome = 'approve' "
    "where k.tenant = o.tenant and k.obligation_id = o.id and not exists (select 1 from reissue r "
    "where r.tenant = k.tenant and r.correction_id = k.id) order by d.decided_at desc limit 1) as cooling_through_on, "
    "exists (select 1 from account_correction k where k.tenant = o.tenant and k.obligation_id = o.id and not exists ("
    "select 1 from account_correction_decision d where d.tenant = k.tenant and d.correction_id = k.id)) as proposed, "
    f"{SURPLUS} as surplus from instruction_outcome x "
    "join instruction i on i.tenant = x.tenant and i.id = x.instruction_id "
    "join instruction_claim c on c.tenant = i.tenant and c.instruction_id = i.id "
    "join obligation o on o.tenant = c.tenant and o.id = c.claim_id "
    "join batch b on b.tenant = i.tenant and b.id = i.batch_id "
    "where x.tenant = %s and x.outcome in ('returned', 'rejected') and o.id > %s and not exists ("
    f"select 1 from reissue r where r.tenant = o.tenant and r.of_obligation = o.id and not {UNDONE}) "
    "order by o.id limit %s"
)


def list_came_back(connection: Connection, tenant: str, after: UUID | None, limit: int) -> list[CameBack]:
    """At most ``limit`` obligations behind ``after`` that came back and are not issued again, by their ids."""
    rows = connection.exec_driver_sql(_LIST, (tenant, after or UUID(int=0), limit))
    return [
        CameBack(
            row.id, row.claim_no, row.kind, row.scheme, row.mode, Money(row.amount_fen), row.batch_no,
            row.instruction_id, row.outcome, row.at, row.cooling_through_on, row.proposed, row.surplus,
        )
        for row in rows
    ]  # fmt: skip
