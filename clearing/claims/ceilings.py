"""The ceiling that a tenant sets on what one client may claim of it in a day: so much harm a stolen key can do.

What counts is what the client submitted and the service stored, revision by revision, whatever became of it: the sum
that the day's receipt tells. The database counts it in the intake's own transaction, and refuses what would pass.
"""

from datetime import datetime
from typing import Final

from connectors.submission import Submission
from tenants.kernel.clock import shanghai_day
from tenants.kernel.errors import Forbidden, Problem
from tenants.kernel.money import ZERO, Money, total
from tenants.kernel.statements import Query

DAY_PASSED: Final = "client_day_within_ceiling"
"""The constraint that another transaction of the same client can make one pass."""


class DayLeft:
    """What a client may still claim of a tenant today; without a ceiling, anything."""

    def __init__(self, ceiling: Money | None, claimed: Money) -> None:
        self._ceiling, self._claimed = ceiling, claimed

    def take(self, claim: Submission) -> Problem | None:
        """Count the claim, or say why it is over the ceiling; one that claims nothing passes none."""
        wanted = total(invoice.claimed for invoice in claim.invoices)
        if self._ceiling is not None and wanted > ZERO and self._claimed + wanted > self._ceiling:
            return Forbidden(
                "client.ceiling_exceeded",
                f"超过本客户端每日限额 {self._ceiling:,} 元：今日已提交 {self._claimed:,} 元，本件 {wanted:,} 元；"
                "请于次日提交，或请区域管理员调整限额。",
                f"Over this client's daily ceiling of {self._ceiling:,} yuan: {self._claimed:,} today, {wanted:,} in "
                "this claim. Submit it tomorrow, or ask the tenant's administrator.",
            )
        self._claimed += wanted
        return None


def day_left(tenant: str, client_id: str, at: datetime) -> Query[DayLeft]:
    """What is left of the client's day, as committed until now."""
    return Query(
        "select t.ceiling_fen, coalesce(d.claimed_fen, 0) from client_terms t left join client_day d "
        "on d.tenant = t.tenant and d.client_id = t.client_id and d.day_on = %s "
        "where t.client_id = %s and t.tenant = %s and t.ceiling_fen is not null",
        (shanghai_day(at), client_id, tenant),
        lambda rows: DayLeft(Money(rows[0][0]), Money(rows[0][1])) if rows else DayLeft(None, ZERO),
    )
