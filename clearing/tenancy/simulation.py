"""Simulation (预演): a version, draft or not, over past claims or an uploaded set; read only, in one snapshot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from clearing.claims.assessment import target_quota_year
from clearing.claims.facts import Facts
from clearing.claims.fingerprint import canonical_contract_number
from clearing.claims.past_claims import Span, past_keys, read_past
from clearing.claims.rehearsal import Figures, Past, Rehearsal, Rehearsed
from clearing.claims.rehearsal_report import Report, changed_json
from clearing.claims.surroundings import read_surroundings, standing_query
from clearing.tenancy.budgets import read_budget
from connectors.submission import Submission
from tenants.kernel.canonical import Json
from tenants.kernel.clock import shanghai_day
from tenants.kernel.statements import read
from tenants.policy import Policy
from tenants.policy_store import Policies

NOTHING: Final = Figures("absent", 0, 0, {}, None, None)
"""What an uploaded claim was before, where no version governs it."""
Seen = Callable[[dict[str, Json]], None]
"""Learns of each changed claim, however many there are."""
Told = Callable[[int, int], None]
"""Learns how many assessments were gone through, and how many there are."""
TELL_EVERY: Final = 500


@dataclass(frozen=True, slots=True)
class Simulated:
    """A rehearsal's report and, claim by claim, what changed; ``cut_off``: there are more than were to be kept."""

    report: dict[str, Json]
    changed: list[Json]
    cut_off: bool


def nobody(_done: int, _of: int) -> None:
    """For those who want no progress."""


def nothing(_changed: dict[str, Json]) -> None:
    """For those who want no more than are kept."""


def simulate(
    connection: Connection,
    policy: Policy,
    span: Span,
    *,
    kept: int,
    tell: Told = nobody,
    seen: Seen = nothing,
    governs: Callable[[Submission], bool] | None = None,
) -> Simulated:
    """Rehearse the version over the span's claims; ``governs`` leaves out those that it would not have governed.

    At most ``kept`` changed claims are kept; ``seen`` learns of every one.
    """
    rehearsal = Rehearsal(policy)
    keys = past_keys(connection, span)
    past = read_past(connection, span.tenant, keys)
    wanted = (one for one in past if governs is None or governs(one.submission))
    counted = _counted(wanted, len(keys), tell)
    return _added_up(connection, policy, (rehearsal.take(one) for one in counted), kept, seen)


def simulate_set(
    connection: Connection, policy: Policy, policies: Policies, claims: Sequence[Submission], *, kept: int
) -> Simulated:
    """Rehearse the version over claims that nobody submitted, as if they came one after the other to full purses.

    What they were *before* is what the versions in force make of them.
    """
    facts = _facts(connection, policy, claims)
    past = [_uploaded(number, claim, facts[number]) for number, claim in enumerate(claims)]
    in_force, draft = Rehearsal(policy), Rehearsal(policy)

    def rehearsed() -> Iterator[Rehearsed]:
        for one in past:
            governing = policies.in_force(one.submission.scheme, shanghai_day(one.assessed_at))
            before = NOTHING
            if governing is not None:
                in_force.policy = governing
                before = in_force.take(one).after
            would = draft.take(one)
            stands = replace(one, before=before, state_now=before.state, award_now_fen=before.taken_fen)
            yield replace(would, past=stands)

    return _added_up(connection, policy, rehearsed(), kept, nothing)


def _counted(past: Iterator[Past], total: int, tell: Told) -> Iterator[Past]:
    done = 0
    for done, one in enumerate(past, 1):
        yield one
        if done % TELL_EVERY == 0:
            tell(done, total)
    tell(total if done else 0, total)


def _added_up(
    connection: Connection, policy: Policy, rehearsed: Iterator[Rehearsed], kept: int, seen: Seen
) -> Simulated:
    report, changed, cut_off = Report(policy), list[Json](), False
    for one in rehearsed:
        known = report.changed
        report.add(one)
        if report.changed == known:
            continue
        if len(changed) < kept or seen is not nothing:
            shown = changed_json(one)
            seen(shown)
            changed += [shown] if len(changed) < kept else []
        cut_off = cut_off or len(changed) == kept < report.changed
    budgets = {year: read_budget(connection, policy.tenant, policy.scheme, year) for year in report.years}
    return Simulated(report.json(budgets), changed, cut_off)


def _facts(connection: Connection, policy: Policy, claims: Sequence[Submission]) -> list[Facts]:
    years = sorted({shanghai_day(c.submitted_at).year + n for c in claims for n in (0, 1)})
    standings = read(connection, standing_query(policy.tenant, claims, years))
    around = read_surroundings(connection, policy.tenant, [], standings)
    return [
        Facts(
            contract_number=canonical_contract_number(claim.contract.number),
            linked_region=around.linked_region(
                shanghai_day(claim.submitted_at).year,
                claim.enterprise.division,
                claim.scheme,
                shanghai_day(claim.submitted_at),
            ),
            enterprise=around.enterprise(
                claim.enterprise.uscc, claim.scheme, target_quota_year(policy, claim), shanghai_day(claim.submitted_at)
            ),
            provider=around.provider(claim.provider.uscc, claim.scheme, shanghai_day(claim.submitted_at)),
        )
        for claim in claims
    ]


def _uploaded(number: int, claim: Submission, facts: Facts) -> Past:
    """An uploaded claim, of which nothing was decided."""
    at = claim.submitted_at
    return Past(UUID(int=number), claim.external_id, at, claim, facts, NOTHING, NOTHING.state, 0, at)
