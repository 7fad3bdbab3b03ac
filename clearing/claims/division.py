"""Division (按比例分配，兑完为止): a year's budget is divided among all claims that wait for it, to the fen.

What is due to a claim is its award before the budget, in the order in which the claims came; where the budget does not
suffice each gets its part by the largest remainder. The act names every claim's due amount and share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

from clearing.claims.activation import Waiting, facts_of, lock_accounts, read_waiting
from clearing.claims.assessment import assess
from clearing.claims.quota import Accounts, Purse
from clearing.claims.reassessment import Again, file_again
from clearing.claims.records import holds_of
from clearing.claims.surroundings import Surroundings
from clearing.claims.vault import Vault
from settlement import ledger
from tenants.kernel.canonical import Json
from tenants.kernel.change import Change, record
from tenants.kernel.database import Work
from tenants.kernel.errors import Conflict
from tenants.kernel.money import Money, divide, total
from tenants.policy import Policy
from tenants.policy_store import Policies, approved_policies

UNDIVIDED: Final = "award.pro_rata"
ACTION: Final = "budget.divided"
REASON: Final = "budget divided"
MAX_CLAIMS: Final = 20_000
"""Claims of one division, which is one transaction."""
_DIVISIONS: Final = UUID("b2b5b1f6-2a3d-4c86-8d58-6f3a1c0f5e21")


@dataclass(frozen=True, slots=True)
class Order:
    """Which year's budget is divided, and by whom."""

    tenant: str
    scheme: str
    year: int
    actor: str


def division_id(tenant: str, scheme: str, year: int) -> UUID:
    """What names a year's divisions in the audit chain (UUIDv5)."""
    return uuid5(_DIVISIONS, f"{tenant}/{scheme}/{year}")


def divide_budget(work: Work, vault: Vault, order: Order, *, demonstration: bool) -> dict[str, Json]:
    """Divide what is left of the year's budget among the claims that wait for it, and assess each with its share.

    Raises:
        Conflict: no budget was set, or no claim waits for it.
    """
    policies = approved_policies(work.connection, order.tenant, [order.scheme], demonstration=demonstration)
    waiting = _waiting(work, policies, order)
    if not waiting:
        raise Conflict("division.nothing", "没有等待分配的申请。", "No claim waits for a division.")
    around, accounts, purse = lock_accounts(work, order.tenant, waiting)
    pot = purse.left(ledger.budget_account(order.scheme, order.year))
    if pot is None:
        raise Conflict("division.no_budget", "该年度没有登记预算。", "No budget of the year is on record.")
    dues = _dues(around, waiting, accounts, purse)
    shares = divide(max(pot, Money(0)), dues)
    report = _report(order, pot, waiting, dues, shares)
    change = Change(
        order.tenant,
        order.actor,
        ACTION,
        division_id(order.tenant, order.scheme, order.year),
        reason=f"{order.scheme}/{order.year}",
        details=report,
    )
    record(work.connection, [change], work.at)
    _assess_all(work, vault, order, (around, accounts, purse), list(zip(waiting, shares, strict=True)))
    return report


def _waiting(work: Work, policies: Policies, order: Order) -> list[Waiting]:
    """The claims that wait for the division, locked, in the order in which they came."""
    rows = work.connection.exec_driver_sql(
        "select c.id from claim c where c.tenant = %s and c.scheme = %s and c.quota_year = %s and c.state = 'on_hold' "
        "and exists (select 1 from hold h where h.tenant = c.tenant and h.claim_id = c.id and h.code = %s "
        "and h.resolved_at is null) order by c.id limit %s",
        (order.tenant, order.scheme, order.year, UNDIVIDED, MAX_CLAIMS),
    )
    ids = list(rows.scalars())

    def governing(row_version: str | None) -> Policy | None:
        return None if row_version is None else policies.version(order.scheme, row_version)

    return read_waiting(work, ids, lambda row: governing(row.policy_version))


def _dues(around: Surroundings, waiting: Sequence[Waiting], accounts: Sequence[Accounts], purse: Purse) -> list[Money]:
    """What each claim would be awarded if the budget sufficed for all, each seeing what those before it would take."""
    drawn: dict[str, int] = {}
    dues = []
    for one, own in zip(waiting, accounts, strict=True):
        facts = facts_of(around, purse, own, one)
        taken = Money(facts.quota_taken.fen + drawn.get(own.quota, 0))
        verdict = assess(one.submission, one.policy, replace(facts, quota_taken=taken, budget_share=None))
        due = verdict.cut.get("budget", Money(0)) if verdict.state == "on_hold" else Money(0)
        drawn[own.quota] = drawn.get(own.quota, 0) + due.fen
        dues.append(due)
    return dues


def _report(
    order: Order, pot: Money, waiting: Sequence[Waiting], dues: Sequence[Money], shares: Sequence[Money]
) -> dict[str, Json]:
    return {
        "scheme": order.scheme,
        "year": order.year,
        "pot": str(pot),
        "due": str(total(dues)),
        "shared": str(total(shares)),
        "claims": [
            {"claim_no": one.row.claim_no, "due": str(due), "share": str(share)}
            for one, due, share in zip(waiting, dues, shares, strict=True)
        ],
    }


def _assess_all(
    work: Work,
    vault: Vault,
    order: Order,
    locked: tuple[Surroundings, Sequence[Accounts], Purse],
    shared: Sequence[tuple[Waiting, Money]],
) -> None:
    around, accounts, purse = locked
    holds = holds_of(work.connection, [one.row.id for one, _ in shared])
    for (one, share), own in zip(shared, accounts, strict=True):
        facts = replace(facts_of(around, purse, own, one), budget_share=share)
        verdict = assess(one.submission, one.policy, facts)
        of_claim = tuple(hold for hold in holds if hold.claim_id == one.row.id)
        again = Again(one.row, of_claim, one.policy, facts, verdict, own, UNDIVIDED, REASON)
        decided = file_again(work, vault, order.actor, again)
        if decided is None:
            raise Conflict(
                "division.contended",
                f"申请 {one.row.claim_no} 的票据仍被另一笔申请占用，请先处理。",
                f"What {one.row.claim_no} claims is still held by another claim; decide that one first.",
            )
        purse.draw(again.reserved(decided))
