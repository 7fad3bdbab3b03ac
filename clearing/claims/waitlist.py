"""The waitlist (候补): claims that a budget did not suffice for are next, in their order, when money returns.

While any claim waits for a budget, nothing of it is left for claims that come later: nobody overtakes.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from clearing.claims.activation import facts_of, lock_accounts, read_waiting
from clearing.claims.assessment import assess
from clearing.claims.reassessment import Again, file_again
from clearing.claims.records import holds_of
from clearing.claims.vault import Vault
from settlement import ledger
from tenants.kernel.database import Work
from tenants.kernel.statements import Query
from tenants.policy_store import approved_policies

WAITING: Final = "award.budget"
"""The code of the hold that a waiting claim has."""
CLAIMS_AT_ONCE: Final = 100
ACTOR: Final = "service"
REASON: Final = "budget available"


def queues(tenant: str, budgets: Collection[str]) -> Query[frozenset[str]]:
    """Which of the budget accounts have claims waiting for them."""
    return Query(
        "select distinct 'budget/' || c.scheme || '/' || c.quota_year from hold h "
        "join claim c on c.tenant = h.tenant and c.id = h.claim_id where h.tenant = %s and h.code = 'award.budget' "
        "and h.resolved_at is null and c.state = 'on_hold' and 'budget/' || c.scheme || '/' || c.quota_year = any(%s)",
        (tenant, sorted(budgets)),
        _codes,
    )


def _codes(rows: Sequence[Any]) -> frozenset[str]:
    return frozenset(code for (code,) in rows)


def waiting_budgets(work: Work) -> list[tuple[str, str, int]]:
    """Tenant, scheme and quota year of every budget that claims wait for."""
    rows = work.connection.exec_driver_sql(
        "select distinct c.tenant, c.scheme, c.quota_year from hold h "
        "join claim c on c.tenant = h.tenant and c.id = h.claim_id "
        "where h.code = %s and h.resolved_at is null and c.state = 'on_hold' order by 1, 2, 3",
        (WAITING,),
    )
    return [(tenant, scheme, year) for tenant, scheme, year in rows]


def promote(work: Work, vault: Vault, budget: tuple[str, str, int], *, demonstration: bool) -> int:
    """Assess the first waiting claims again, by their own version, until one still has to wait; how many were decided.

    ``budget`` is tenant, scheme and quota year.
    """
    tenant, scheme, year = budget
    if not _has_money(work, budget):
        return 0
    policies = approved_policies(work.connection, tenant, [scheme], demonstration=demonstration)
    waiting = read_waiting(
        work,
        _first(work, tenant, scheme, year),
        lambda row: None if row.policy_version is None else policies.version(scheme, row.policy_version),
    )
    if not waiting:
        return 0
    around, accounts, purse = lock_accounts(work, tenant, waiting)
    holds = holds_of(work.connection, [one.row.id for one in waiting])
    decided = 0
    for one, own in zip(waiting, accounts, strict=True):
        facts = facts_of(around, purse, own, one)
        verdict = assess(one.submission, one.policy, facts)
        if verdict.waitlisted:
            break
        of_claim = tuple(hold for hold in holds if hold.claim_id == one.row.id)
        again = Again(one.row, of_claim, one.policy, facts, verdict, own, WAITING, REASON)
        row = file_again(work, vault, ACTOR, again)
        if row is not None:
            decided += 1
            purse.draw(again.reserved(row))
    return decided


def _has_money(work: Work, budget: tuple[str, str, int]) -> bool:
    """Whether anything is left, read without a lock: a pass that finds nothing costs nothing."""
    tenant, scheme, year = budget
    sums = ledger.sums_of(work.connection, tenant, ledger.budget_account(scheme, year))
    return sums.limit is None or sums.limit > sums.taken


def _first(work: Work, tenant: str, scheme: str, year: int) -> list[UUID]:
    """The claims that wait for the budget, in the order in which they came."""
    rows = work.connection.exec_driver_sql(
        "select c.id from claim c where c.tenant = %s and c.scheme = %s and c.quota_year = %s and c.state = 'on_hold' "
        "and exists (select 1 from hold h where h.tenant = c.tenant and h.claim_id = c.id and h.code = %s "
        "and h.resolved_at is null) order by c.id limit %s",
        (tenant, scheme, year, WAITING, CLAIMS_AT_ONCE),
    )
    return list(rows.scalars())
