"""What a platform is told of its claim when the claim's state changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tenants.kernel.canonical import Json
from tenants.kernel.clock import print_instant
from tenants.kernel.money import Money

CLAIM_EVENTS: Final = frozenset(
    f"claim.{state}"
    for state in (
        "received",
        "assessed",
        "needs_correction",
        "rejected",
        "on_hold",
        "in_review",
        "approved",
        "batched",
        "in_publicity",
        "payable",
        "instructed",
        "paid",
        "returned",
        "withdrawn",
        "clawed_back",
    )
)
"""Event types of a claim: one for each state that it can enter."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event of one claim; ``award`` is zero until something is granted."""

    notice_id: UUID
    type: str
    occurred_at: datetime
    claim_id: UUID
    claim_no: str
    external_id: str
    state: str
    award: Money

    def __post_init__(self) -> None:
        if self.type not in CLAIM_EVENTS:
            raise ValueError(f"no such event: {self.type}")


def notice_json(notice: Notice) -> dict[str, Json]:
    """The notice as it is sent: nothing of other claims, other tenants or accounts."""
    return {
        "id": str(notice.notice_id),
        "type": notice.type,
        "occurred_at": print_instant(notice.occurred_at),
        "claim_id": str(notice.claim_id),
        "claim_no": notice.claim_no,
        "external_id": notice.external_id,
        "state": notice.state,
        "award": str(notice.award),
    }
