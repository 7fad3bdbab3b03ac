"""Rehearsal (预演): what a version would have made of past claims, one by one, exactly; nothing is changed by it.

Each claim is assessed again with the facts that were known when it was assessed, except for the money: what the claims
before it would have taken more or less of quota, budget and matching is carried on to those after it, for as long as
they held it. What people decided stands: a claim that was refused, withdrawn or lowered later is so in both.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from clearing.claims.assessment import Assessment, assess, target_quota_year
from clearing.claims.case import TAKES_MONEY
from clearing.claims.facts import Facts
from clearing.claims.quota import Accounts
from connectors.submission import Submission
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import ZERO, Money
from tenants.policy import Policy

SUPERSEDED: Final = "superseded"
"""Stands for the state of an earlier assessment of a claim that was assessed again."""
ENDED: Final = frozenset({"rejected", "withdrawn", "needs_correction", "clawed_back", SUPERSEDED})
"""States in which an assessment holds no money."""


_MONTH: Final = len("2024-09")


@dataclass(frozen=True, slots=True)
class Figures:
    """What an assessment says in short; amounts in whole fen."""

    state: str
    award_fen: int
    matching_fen: int
    cut: Mapping[str, int]
    quota_year: int | None
    enterprise_type: str | None

    @property
    def taken_fen(self) -> int:
        """What it takes of quota and budget."""
        return self.award_fen if self.state in TAKES_MONEY else 0

    @property
    def matched_fen(self) -> int:
        """What it takes of the linked region's matching."""
        return self.matching_fen if self.state in TAKES_MONEY else 0


@dataclass(frozen=True, slots=True)
class Past:
    """One past assessment: what was submitted, what was known, what came of it, and how the claim stands now.

    Of a claim that was assessed again only the last counts; the others are there for the money that they held.
    ``changed_at``: when it came to be as it stands.
    """

    claim_id: UUID
    claim_no: str
    assessed_at: datetime
    submission: Submission
    facts: Facts
    before: Figures
    state_now: str
    award_now_fen: int
    changed_at: datetime
    lowered: tuple[tuple[datetime, int], ...] = ()
    """When reviewers lowered the award, and to what."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One past claim with what the version would have made of it."""

    past: Past
    after: Figures
    zone: str
    verdict: Assessment

    @property
    def counts(self) -> bool:
        """Whether it is its claim's last assessment."""
        return self.past.state_now != SUPERSEDED

    @property
    def changed(self) -> bool:
        """Whether state or money differ."""
        before, after = self.past.before, self.after
        return (
            before.award_fen != after.award_fen
            or before.state != after.state
            or before.matching_fen != after.matching_fen
        )

    @property
    def month(self) -> str:
        """The month of submission, ``YYYY-MM``, in Asia/Shanghai."""
        return shanghai_day(self.past.submission.submitted_at).isoformat()[:_MONTH]

    @property
    def standing_fen(self) -> tuple[int, int]:
        """What the claim holds now, and what it would hold: what people refused or lowered stays so."""
        past = self.past
        if past.state_now in ENDED and past.before.state in TAKES_MONEY:
            return 0, 0
        lowered = past.award_now_fen if past.lowered else None
        would = self.after.taken_fen if lowered is None else min(self.after.taken_fen, lowered)
        return (past.award_now_fen if past.state_now not in ENDED else 0), would


@dataclass(slots=True)
class _Account:
    """How much more (or less) than in fact is taken of one account, and what is taken of it in the rehearsal."""

    more_fen: int = 0
    taken_fen: int = 0
    later: list[tuple[datetime, int, int]] = field(default_factory=list)

    def at(self, instant: datetime) -> None:
        """Let what ended until then have ended."""
        while self.later and self.later[0][0] <= instant:
            _, more_fen, taken_fen = heappop(self.later)
            self.more_fen += more_fen
            self.taken_fen += taken_fen

    def add(self, more_fen: int, taken_fen: int) -> None:
        """Take so much more than in fact, and so much in all."""
        self.more_fen += more_fen
        self.taken_fen += taken_fen

    def end(self, instant: datetime, more_fen: int, taken_fen: int) -> None:
        """From then on take so much less."""
        if more_fen or taken_fen:
            heappush(self.later, (instant, -more_fen, -taken_fen))


class Rehearsal:
    """Past claims, given in the order in which they were assessed, under one version."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._accounts: dict[str, _Account] = defaultdict(_Account)

    def take(self, past: Past) -> Rehearsed:
        """What the version would have made of the next claim."""
        policy, claim, facts = self.policy, past.submission, past.facts
        year = target_quota_year(policy, claim)
        linked = facts.linked_region
        region = None if linked is None else linked.division
        accounts = Accounts(claim.scheme, year, claim.enterprise.uscc, region, policy.cap)
        same_year = year == past.before.quota_year
        quota, budget = self._open(accounts.quota, past), self._open(accounts.budget, past)
        matching = None if accounts.matching is None else self._open(accounts.matching, past)
        if not same_year:
            facts = replace(
                facts,
                quota_taken=Money(quota.taken_fen),
                budget_left=None,
                matching_taken=ZERO if matching is None else Money(matching.taken_fen),
            )
        elif quota.more_fen or budget.more_fen or (matching is not None and matching.more_fen):
            left = facts.budget_left
            facts = replace(
                facts,
                quota_taken=Money(facts.quota_taken.fen + quota.more_fen),
                budget_left=None if left is None else Money(left.fen - budget.more_fen),
                matching_taken=facts.matching_taken
                if matching is None
                else Money(facts.matching_taken.fen + matching.more_fen),
            )
        verdict = assess(claim, policy, facts)
        after = figures_of(verdict)
        self._carry_on(accounts, past, after)
        return Rehearsed(past, after, verdict.zone or "", verdict)

    def _open(self, code: str, past: Past) -> _Account:
        account = self._accounts[code]
        account.at(past.assessed_at)
        return account

    def _carry_on(self, accounts: Accounts, past: Past, after: Figures) -> None:
        """Take what the claim would have taken from its accounts, and give back what it in fact took from its own."""
        before = past.before
        if _takes_as_before(past, accounts, after):
            self._accounts[accounts.quota].taken_fen += after.taken_fen
            self._accounts[accounts.budget].taken_fen += after.taken_fen
            if accounts.matching is not None:
                self._accounts[accounts.matching].taken_fen += after.matched_fen
            return
        own = accounts
        if before.quota_year != accounts.year and before.quota_year is not None:
            own = replace(accounts, year=before.quota_year)
        for code, was, fen, lower in (
            (own.quota, True, before.taken_fen, True),
            (own.budget, True, before.taken_fen, True),
            (own.matching, True, before.matched_fen, False),
            (accounts.quota, False, after.taken_fen, True),
            (accounts.budget, False, after.taken_fen, True),
            (accounts.matching, False, after.matched_fen, False),
        ):
            if code is not None and fen:
                self._take(code, past, fen, was=was, lower=lower)

    def _take(self, code: str, past: Past, fen: int, *, was: bool, lower: bool) -> None:
        """Count the amount from now until it was given back; ``was``: what in fact was taken, which the facts hold."""
        account, sign = self._accounts[code], -1 if was else 1
        kept_fen = fen
        account.add(sign * fen, 0 if was else fen)
        for at, award_fen in past.lowered if lower else ():
            if award_fen < kept_fen:
                account.end(at, sign * (kept_fen - award_fen), 0 if was else kept_fen - award_fen)
                kept_fen = award_fen
        if past.state_now in ENDED and past.before.state in TAKES_MONEY:
            account.end(past.changed_at, sign * kept_fen, 0 if was else kept_fen)


def _takes_as_before(past: Past, accounts: Accounts, after: Figures) -> bool:
    """Whether it takes the same from the same accounts, and still holds it."""
    before = past.before
    return (
        before.quota_year == accounts.year
        and (before.taken_fen, before.matched_fen) == (after.taken_fen, after.matched_fen)
        and past.state_now not in ENDED
        and not past.lowered
    )


def figures_of(verdict: Assessment) -> Figures:
    """The assessment in short."""
    return Figures(
        state=verdict.state,
        award_fen=verdict.award.fen,
        matching_fen=0 if verdict.matching is None else verdict.matching.amount.fen,
        cut={name: amount.fen for name, amount in verdict.cut.items()},
        quota_year=verdict.quota_year,
        enterprise_type=verdict.enterprise_type,
    )
