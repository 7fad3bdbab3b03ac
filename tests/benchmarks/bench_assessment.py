"""Goal P4: one pure assessment against a hand-written function for the same policy, measured in one run.

    python -m tests.benchmarks.bench_assessment

Both are first proven to agree on every claim, good and bad; a difference ends the run without a figure.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Final

from clearing.claims.assessment import Assessment, assess, result_bytes
from clearing.claims.facts import Facts, LinkedRegion
from clearing.claims.fingerprint import canonical_contract_number
from clearing.claims.rules.finding import forget_written
from connectors.submission import Submission
from tenants.kernel.money import Money
from tests.benchmarks.baselines import asked
from tests.benchmarks.jiangsu_by_hand import ByHand, assess_by_hand
from tests.claims.claims_of_cases import Clerk, claim_of, policy_for

CLAIMS: Final = 500
ROUNDS: Final = 40
GOAL_MICROSECONDS: Final = 50
GOAL_RATIO: Final = 5

Sample = tuple[Submission, Facts]


def ordinary_claims(count: int) -> list[Sample]:
    """Passing claims of one invoice and five documents, each with other amounts, enterprises and quota taken."""
    north, south = claim_of("jiangsu_north_capped"), claim_of("jiangsu_south_rate")
    samples = []
    for number in range(count):
        source = north if number % 3 == 0 else south
        amount = Money(10_000_00 + number * 7_919)
        invoice = replace(source.invoices[0], number=f"2432{number:016d}", amount=amount, claimed=amount)
        claim = replace(
            source,
            external_id=f"bench-{number}",
            contract=replace(source.contract, number=f"KD-{number}", amount=amount),
            services=(replace(source.services[0], amount=amount),),
            invoices=(invoice,),
            receipts=(replace(source.receipts[0], serial=f"HD{number}", amount=amount, claimed=amount),),
        )
        samples.append((claim, facts_of(claim, number)))
    return samples


def facts_of(claim: Submission, number: int) -> Facts:
    """Facts as intake reads them for a first claim of its identities."""
    return Facts(
        contract_number=canonical_contract_number(claim.contract.number),
        quota_taken=Money(number * 100),
        budget_left=Money(10**11),
        linked_region=LinkedRegion("320300", ("tech_sme",)) if claim.enterprise.division == "320312" else None,
        keys=Clerk().keys_of(claim, "jssic"),
    )


def crooked(samples: list[Sample]) -> list[Sample]:
    """The same claims, each bent in one way that a rule must notice."""
    bent = []
    for number, (claim, facts) in enumerate(samples):
        for bend in BENDS:
            other = bend(claim)
            bent.append((other, replace(facts, quota_taken=Money(number * 41_000))))
    return bent


BENDS: Final[tuple[Callable[[Submission], Submission], ...]] = (
    lambda claim: replace(claim, mode="cross_redemption"),
    lambda claim: replace(claim, enterprise=replace(claim.enterprise, division="110105")),
    lambda claim: replace(claim, enterprise=replace(claim.enterprise, types=("none",))),
    lambda claim: replace(claim, enterprise=replace(claim.enterprise, types=("incubated",))),
    lambda claim: replace(claim, enterprise=replace(claim.enterprise, prior_year_revenue=Money(40_000_000_001))),
    lambda claim: replace(claim, provider=replace(claim.provider, kind="company", qualifications=())),
    lambda claim: replace(claim, provider=replace(claim.provider, kind="company", established_on=date(2023, 5, 1))),
    lambda claim: replace(claim, provider=replace(claim.provider, on_platform=False)),
    lambda claim: replace(claim, declarations=replace(claim.declarations, subcontracted=True)),
    lambda claim: replace(claim, services=(replace(claim.services[0], item="C9.9"),)),
    lambda claim: replace(claim, documents=claim.documents[1:]),
    lambda claim: replace(claim, receipts=(replace(claim.receipts[0], claimed=Money(1)),)),
    lambda claim: replace(claim, contract=replace(claim.contract, amount=Money(1))),
    lambda claim: replace(claim, invoices=(replace(claim.invoices[0], number="12345678"),)),
)


def difference(assessment: Assessment, by_hand: ByHand) -> bool:
    """Whether the two disagree in verdict or money."""
    matching = 0 if assessment.matching is None else assessment.matching.amount.fen
    figures = (assessment.base.fen, assessment.computed.fen, assessment.award.fen, matching)
    cut = {name: amount.fen for name, amount in assessment.cut.items()}
    theirs = (by_hand.base_fen, by_hand.computed_fen, by_hand.award_fen, by_hand.matching_fen)
    return (assessment.state, figures, cut) != (by_hand.state, theirs, by_hand.cut)


def microseconds(work: Callable[[Submission, Facts], object], samples: list[Sample]) -> float:
    """The mean processor time for one claim in one round over all of them: a pure function waits for nothing."""
    began = time.process_time_ns()
    for claim, facts in samples:
        work(claim, facts)
    return (time.process_time_ns() - began) / len(samples) / 1_000


def medians(works: tuple[Callable[[Submission, Facts], object], ...], samples: list[Sample]) -> tuple[float, ...]:
    """The median over rounds, the works taking turns, so that a busy machine slows all alike."""
    rounds: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        forget_written()
        for times, work in zip(rounds, works, strict=True):
            times.append(microseconds(work, samples))
    return tuple(statistics.median(times) for times in rounds)


def main() -> int:
    """Prove, measure, print."""
    samples = ordinary_claims(asked(CLAIMS))
    policy = policy_for(samples[0][0])
    if policy is None:
        raise LookupError("no policy is in force for the ordinary claims")
    bent = crooked(samples[:50])
    wrong = [
        claim.external_id
        for claim, facts in samples + bent
        if difference(assess(claim, policy, facts), assess_by_hand(claim, facts))
    ]
    if wrong:
        sys.stdout.write(f"the two disagree on {len(wrong)} claims, such as {wrong[0]}: no figure\n")
        return 1
    engine, by_hand, stored = medians(
        (
            lambda claim, facts: assess(claim, policy, facts),
            assess_by_hand,
            lambda claim, facts: result_bytes(assess(claim, policy, facts)),
        ),
        samples,
    )
    sys.stdout.write(
        f"P4  equal on {len(samples)} ordinary and {len(bent)} crooked claims\n"
        f"    assessment       {engine:6.1f} µs at the median (goal: {GOAL_MICROSECONDS})\n"
        f"    by hand          {by_hand:6.1f} µs\n"
        f"    ratio            {engine / by_hand:6.2f}    (goal: {GOAL_RATIO})\n"
        f"    with result and trace printed {stored:6.1f} µs (both languages, canonical bytes, none seen before)\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
