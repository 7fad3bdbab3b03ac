"""Activation: claims that wait for a value of the policy are assessed once a version that sets it is in force.

They are assessed in the order in which they came, each seeing what those before it took.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

from clearing.claims import registry
from clearing.claims.assessment import Assessment, annual_cap, assess, matching_cap, target_quota_year
from clearing.claims.facts import Facts, LinkedRegion
from clearing.claims.quota import Accounts, Purse, purse_query
from clearing.claims.reassessment import Again, file_again
from clearing.claims.records import ClaimRow, holds_of, lock_claims
from clearing.claims.stored import read_stored_facts, read_stored_submission
from clearing.claims.surroundings import Surroundings, read_surroundings, standing_query
from clearing.claims.vault import Vault
from connectors.submission import Submission
from settlement import ledger
from settlement.ledger import lock_limited
from tenants.kernel.clock import shanghai_day
from tenants.kernel.database import Before, Scope, Transact, Work, have_done
from tenants.kernel.money import Money
from tenants.kernel.statements import Query, read, read_all
from tenants.policy import UNSET, Policy
from tenants.policy_store import Policies, approved_policies

INCOMPLETE: Final = "policy.incomplete"
CLAIMS_AT_ONCE: Final = 500
ACTOR: Final = "service"
REASON: Final = "policy version in force"
ONE_FEN: Final = Money(1)
NOBODY: Final = UUID(int=0)
"""For transfers that are never made, of which only the accounts are wanted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claim on hold, its submission and stored facts, and the version that it can be assessed by now."""

    row: ClaimRow
    submission: Submission
    facts: Facts
    policy: Policy
    year: int


@dataclass(frozen=True, slots=True)
class Passed:
    """How many claims one pass looked at and assessed, and the last of them; ``None`` when there are no more."""

    assessed: int
    last: UUID | None


def assess_waiting(work: Work, vault: Vault, tenant: str, scheme: str, *, demonstration: bool) -> int:
    """Assess every claim of the scheme that a version now in force completes, in one transaction; how many."""
    return assess_by_passes(vault, tenant, scheme, lambda one: one(work), demonstration=demonstration)


def assess_some(
    work: Work, vault: Vault, tenant: str, scheme: str, after: UUID | None, *, demonstration: bool
) -> Passed:
    """Assess at most ``CLAIMS_AT_ONCE`` waiting claims behind the one with the id ``after``."""
    ids = _held(work, tenant, scheme, after)
    if not ids:
        return Passed(0, None)
    policies = approved_policies(work.connection, tenant, [scheme], demonstration=demonstration)
    waiting = read_waiting(work, ids, lambda row: _governing(work, policies, row))
    assessed = _assess_in_order(work, vault, tenant, waiting) if waiting else 0
    return Passed(assessed, ids[-1] if len(ids) == CLAIMS_AT_ONCE else None)


def waiting_schemes(work: Work) -> list[tuple[str, str]]:
    """The tenants and schemes that have claims waiting for a value of their policy."""
    rows = work.connection.exec_driver_sql(
        "select distinct c.tenant, c.scheme from hold h join claim c on c.tenant = h.tenant and c.id = h.claim_id "
        "where h.code = %s and h.resolved_at is null and c.state = 'on_hold' order by 1, 2",
        (INCOMPLETE,),
    )
    return [(tenant, scheme) for tenant, scheme in rows]


def schemes_held_up(tenant: str, schemes: Sequence[str]) -> Query[list[str]]:
    """Those of the schemes that have claims waiting for a value of their policy."""
    return Query(
        "select s from unnest(%s::text[]) s where exists (select 1 from hold h join claim c on c.tenant = h.tenant "
        "and c.id = h.claim_id where h.tenant = %s and h.code = 'policy.incomplete' and h.resolved_at is null "
        "and c.scheme = s and c.state = 'on_hold') order by s",
        (sorted(set(schemes)), tenant),
        lambda rows: [scheme for (scheme,) in rows],
    )


def assess_held_up(
    work: Work, vault: Vault, tenant: str, policies: Policies, schemes: Sequence[str], *, demonstration: bool
) -> None:
    """See that what waited for a version that is in force by now is assessed before a newcomer of its scheme comes.

    A version that was approved for a later day begins at midnight, whoever notices first. What waited is assessed in
    transactions of its own: the newcomer's would otherwise hold the audit chain before it locks its accounts.

    Raises:
        StartAgainError: it is still to be done, see :func:`tenants.kernel.database.have_done`.
    """
    for scheme in schemes:
        policy = policies.in_force(scheme, shanghai_day(work.at))
        if policy is None or any(UNSET in (zone.rate.value, zone.annual_cap.value) for zone in policy.zones):
            continue
        if _waits_for(work, tenant, scheme, policy.version):
            do = partial(assess_by_passes, vault, tenant, scheme, demonstration=demonstration)
            have_done(work, Before(f"waiting/{tenant}/{scheme}", Scope((tenant,)), do))


def assess_by_passes(vault: Vault, tenant: str, scheme: str, transact: Transact, *, demonstration: bool) -> int:
    """Assess every claim of the scheme that a version now in force completes, each pass by itself; how many."""
    assessed, after = 0, None
    while True:
        one_pass = partial(_pass, vault, tenant, scheme, after, demonstration=demonstration)
        passed: Passed = transact(one_pass)
        assessed += passed.assessed
        if passed.last is None:
            return assessed
        after = passed.last


def _pass(vault: Vault, tenant: str, scheme: str, after: UUID | None, work: Work, *, demonstration: bool) -> Passed:
    return assess_some(work, vault, tenant, scheme, after, demonstration=demonstration)


def _waits_for(work: Work, tenant: str, scheme: str, version: str) -> bool:
    """Whether a claim that waits for a value of its policy was last assessed by another version."""
    rows = work.connection.exec_driver_sql(
        "select 1 from hold h join claim c on c.tenant = h.tenant and c.id = h.claim_id where h.tenant = %s "
        "and h.code = %s and h.resolved_at is null and c.scheme = %s and c.state = 'on_hold' "
        "and c.policy_version is distinct from %s limit 1",
        (tenant, INCOMPLETE, scheme, version),
    )
    return rows.first() is not None


def _held(work: Work, tenant: str, scheme: str, after: UUID | None) -> list[UUID]:
    rows = work.connection.exec_driver_sql(
        "select c.id from claim c where c.tenant = %s and c.scheme = %s and c.state = 'on_hold' "
        "and (%s::uuid is null or c.id > %s) and exists (select 1 from hold h where h.tenant = c.tenant "
        "and h.claim_id = c.id and h.code = %s and h.resolved_at is null) order by c.id limit %s",
        (tenant, scheme, after, after, INCOMPLETE, CLAIMS_AT_ONCE),
    )
    return list(rows.scalars())


def read_waiting(work: Work, ids: Sequence[UUID], governing: Callable[[ClaimRow], Policy | None]) -> list[Waiting]:
    """The claims on hold that a version governs, locked, in the order in which they came."""
    by_id: dict[UUID, tuple[ClaimRow, Policy]] = {}
    for row in lock_claims(work.connection, ids):
        policy = governing(row)
        if row.state == "on_hold" and policy is not None:
            by_id[row.id] = (row, policy)
    rows: Any = work.connection.exec_driver_sql(
        "select r.claim_id, r.submission, a.facts from claim_revision r "
        "join claim c on c.tenant = r.tenant and c.id = r.claim_id and c.revision = r.revision "
        "join lateral (select facts from assessment a where a.tenant = c.tenant and a.claim_id = c.id "
        "order by a.seq desc limit 1) a on true where r.claim_id = any(%s) order by r.claim_id",
        (list(by_id),),
    )
    found = []
    for claim_id, submission, facts in rows:
        row, policy = by_id[claim_id]
        claim = read_stored_submission(submission)
        found.append(Waiting(row, claim, read_stored_facts(facts), policy, target_quota_year(policy, claim)))
    return found


def _governing(work: Work, policies: Policies, row: ClaimRow) -> Policy | None:
    """The version in force on the policy date, or else today's, where it is not the one that left the value unset."""
    days = (shanghai_day(row.submitted_at), shanghai_day(work.at))
    for policy in (policies.in_force(row.scheme, day) for day in days):
        if policy is not None and policy.version != row.policy_version:
            return policy
    return None


def lock_accounts(work: Work, tenant: str, waiting: Sequence[Waiting]) -> tuple[Surroundings, list[Accounts], Purse]:
    """Lock what the claims touch, in the order of the house: their accounts, their keys, budgets."""
    claims = [one.submission for one in waiting]
    standings = read(work.connection, standing_query(tenant, claims, sorted({one.year for one in waiting})))
    around = read_surroundings(work.connection, tenant, [], standings)
    accounts = [_accounts(around, one) for one in waiting]
    caps = [
        cap
        for one, own in zip(waiting, accounts, strict=True)
        for cap in own.caps(
            annual_cap(one.policy, one.submission), matching_cap(one.policy, one.submission, _linked(around, one))
        )
    ]
    own_states = read(work.connection, purse_query(tenant, caps))
    registry.lock_keys_of(work.connection, [one.row.id for one in waiting])
    drawn = [one for own in accounts for one in own.reserve(ONE_FEN, ONE_FEN, NOBODY)]
    budget_codes = {own.budget for own in accounts}
    *_, budgets = read_all(work.connection, *ledger.ready(tenant, drawn), lock_limited(tenant, budget_codes))
    return around, accounts, Purse(own_states, budgets)


def _assess_in_order(work: Work, vault: Vault, tenant: str, waiting: Sequence[Waiting]) -> int:
    around, accounts, purse = lock_accounts(work, tenant, waiting)
    holds = holds_of(work.connection, [one.row.id for one in waiting])
    assessed = 0
    for one, own in zip(waiting, accounts, strict=True):
        facts = facts_of(around, purse, own, one)
        verdict = assess(one.submission, one.policy, facts)
        if any(ruling.rule == INCOMPLETE for ruling, _ in verdict.findings):
            continue
        of_claim = tuple(hold for hold in holds if hold.claim_id == one.row.id)
        again = Again(one.row, of_claim, one.policy, facts, verdict, own, INCOMPLETE, _reason(verdict))
        decided = file_again(work, vault, ACTOR, again)
        if decided is not None:
            assessed += 1
            purse.draw(again.reserved(decided))
    return assessed


def _reason(verdict: Assessment) -> str:
    return f"{REASON}: {verdict.policy_version}"


def _accounts(around: Surroundings, one: Waiting) -> Accounts:
    linked = _linked(around, one)
    region = None if linked is None else linked.division
    return Accounts(one.row.scheme, one.year, one.submission.enterprise.uscc, region, one.policy.cap)


def _linked(around: Surroundings, one: Waiting) -> LinkedRegion | None:
    claim = one.submission
    return around.linked_region(one.year, claim.enterprise.division, claim.scheme, shanghai_day(claim.submitted_at))


def facts_of(around: Surroundings, purse: Purse, accounts: Accounts, one: Waiting) -> Facts:
    """What was known of the spending when the claim came, with the money and the standing of now."""
    claim, on = one.submission, shanghai_day(one.submission.submitted_at)
    return replace(
        one.facts,
        quota_taken=purse.taken(accounts.quota),
        budget_left=purse.left(accounts.budget),
        linked_region=_linked(around, one),
        matching_taken=purse.taken(accounts.matching),
        enterprise=around.enterprise(claim.enterprise.uscc, claim.scheme, one.year, on),
        provider=around.provider(claim.provider.uscc, claim.scheme, on),
    )
