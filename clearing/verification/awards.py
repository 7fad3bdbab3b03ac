"""An award worked out anew: from the policy's figures, what the submission states, and what was left by the facts.

``computed`` is base × rate, rounded down; then each cut in its order: the claim's cap, the reservation, what is left of
the year's cap, what is left of the budget. The matching follows from the award.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

from clearing.verification.amounts import fen_of
from clearing.verification.terms import Terms, Zone, rate_of
from tenants.kernel.money import Money

_GRAVITY: Final = {"pass": 0, "info": 0, "hold": 1, "correct": 2, "reject": 3}
_STATES: Final = {1: "on_hold", 2: "needs_correction", 3: "rejected"}
GRANTING: Final = frozenset({"on_hold", "in_review", "approved"})
"""States in which an award is reserved or owed."""
_PAST: Final = ("window.late", "window.closed")

Json = Mapping[str, Any]


@dataclass(slots=True)
class Worked:
    """The figures of one assessment as they have to be, in fen."""

    base_fen: int = 0
    computed_fen: int = 0
    award_fen: int = 0
    matching_fen: int = 0
    deferred_fen: int = 0
    waitlisted: bool = False
    cut: dict[str, int] = field(default_factory=dict)

    def cap(self, name: str, bound_fen: int) -> None:
        """Cut the award to the bound, and note by how much."""
        if self.award_fen > bound_fen:
            self.cut[name] = self.award_fen - bound_fen
            self.award_fen = bound_fen


def by_rule(result: Json) -> dict[str, Json]:
    """The trace by its rules; of a rule that spoke more than once the last."""
    return {entry["rule"]: entry for entry in result["trace"]}


def states_of(result: Json, facts: Json, terms: Terms | None) -> frozenset[str]:
    """The states that the gravest verdict allows."""
    gravest = max(map(_GRAVITY.__getitem__, {entry["verdict"] for entry in result["trace"]}), default=0)
    if gravest:
        return frozenset({_STATES[gravest]})
    return frozenset({"in_review"} if terms is None or terms.stages(facts) else {"approved"})


def worked_out(submission: Json, facts: Json, result: Json, terms: Terms) -> Worked:
    """The figures that the policy and the facts give; of a refusal no award and no matching."""
    enterprise, trace = submission["enterprise"], by_rule(result)
    zone = committed(terms.zone(enterprise["division"], enterprise["resident_of"]), facts)
    in_year, later = _invoices(submission, result, trace, terms)
    listed = [line for line in submission["services"] if line["item"] in terms.items]
    worked = Worked(base_fen=min(sum(fen_of(line["amount"]) for line in listed), in_year), deferred_fen=later)
    if "policy.incomplete" in trace or zone.rate is None:
        return worked
    worked.computed_fen = worked.award_fen = _computed(worked.base_fen, listed, zone.rate, terms)
    if terms.claim_cap_fen is not None:
        worked.cap("claim_cap", terms.claim_cap_fen)
    if "amount" in trace.get("award.reservation", {}).get("inputs", {}):
        worked.cap("reservation", fen_of(facts["reservation"]["amount"]))
    if zone.annual_cap_fen is not None:
        worked.cap("annual_cap", max(zone.annual_cap_fen - fen_of(facts["quota_taken"]), 0))
    if terms.budget_rule == "pro_rata":
        _divided(worked, facts.get("budget_share"))
    elif facts["budget_left"] is not None:
        _within_budget(worked, max(fen_of(facts["budget_left"]), 0), terms.budget_rule)
    worked.matching_fen = min(_matching(worked.award_fen, facts, trace, zone), worked.base_fen - worked.award_fen)
    if result["state"] == "rejected":
        worked.award_fen = worked.matching_fen = 0
    return worked


def _computed(base_fen: int, listed: list[Json], rate: Fraction, terms: Terms) -> int:
    """The first part in full and the rest at the rate that the services' classes make together, rounded down once."""
    if not terms.class_rates and not terms.full_support_fen:
        return _part(base_fen, rate)
    services_fen = sum(fen_of(line["amount"]) for line in listed)
    weighed = sum(fen_of(line["amount"]) * terms.class_rates.get(line["item"], rate) for line in listed)
    full_fen = min(base_fen, terms.full_support_fen)
    return full_fen + int((base_fen - full_fen) * weighed / (services_fen or 1))


def _divided(worked: Worked, share: str | None) -> None:
    """Nothing until the year's budget is divided, then not above the claim's share."""
    worked.cap("budget", 0 if share is None else fen_of(share))
    worked.waitlisted = share is None


def _within_budget(worked: Worked, left_fen: int, rule: str) -> None:
    if worked.award_fen > left_fen:
        worked.cap("budget", left_fen if rule == "partial" else 0)
        worked.waitlisted = rule == "waitlist"


def _matching(award_fen: int, facts: Json, trace: Mapping[str, Json], zone: Zone) -> int:
    if facts["linked_region"] is None or zone.local_share is None or zone.matching_cap_fen is None:
        return 0
    if "award" not in trace.get("matching", {}).get("inputs", {}):
        return 0  # none of the enterprise's proven types is matched
    left_fen = max(zone.matching_cap_fen - fen_of(facts["matching_taken"]), 0)
    return min(_part(award_fen, zone.local_share), left_fen)


def committed(zone: Zone, facts: Json) -> Zone:
    """The zone with the ratio and cap that the linked region committed itself to, where it did."""
    own = (facts["linked_region"] or {}).get("terms")
    if own is None or zone.local_share is None:
        return zone
    return replace(zone, local_share=rate_of(own["share"]), matching_cap_fen=fen_of(own["cap"]))


def matching_left(figures: Worked, award_fen: int, zone: Zone | None) -> int:
    """The matching once reviewers have lowered the award: the zone's share of it, never above the first."""
    if award_fen == figures.award_fen or zone is None or zone.local_share is None:
        return figures.matching_fen
    return min(figures.matching_fen, _part(award_fen, zone.local_share))


def _invoices(submission: Json, result: Json, trace: Mapping[str, Json], terms: Terms) -> tuple[int, int]:
    """The claimed parts of the invoices in the quota year, and in later years."""
    if any(rule in trace for rule in _PAST):
        return 0, 0
    if not terms.by_invoice_date:
        return sum(fen_of(invoice["claimed_amount"]) for invoice in submission["invoices"]), 0
    in_year = later = 0
    for invoice in submission["invoices"]:
        year = terms.quota_year(date.fromisoformat(invoice["issued_on"]))
        if year == result["quota_year"]:
            in_year += fen_of(invoice["claimed_amount"])
        elif year > result["quota_year"]:
            later += fen_of(invoice["claimed_amount"])
    return in_year, later


def quota_years(submission: Json, policy_on: date, terms: Terms) -> frozenset[int]:
    """The quota years that the claim can belong to."""
    if not terms.by_invoice_date or not submission["invoices"]:
        return frozenset({terms.quota_year(policy_on)})
    return frozenset(terms.quota_year(date.fromisoformat(each["issued_on"])) for each in submission["invoices"])


def stated(result: Json) -> Worked:
    """The figures of a result as it states them."""
    matching = result["matching"]
    return Worked(
        base_fen=fen_of(result["base"]),
        computed_fen=fen_of(result["computed"]),
        award_fen=fen_of(result["award"]),
        matching_fen=0 if matching is None else fen_of(matching["amount"]),
        deferred_fen=fen_of(result["deferred"]),
        waitlisted=result["waitlisted"],
        cut={name: fen_of(amount) for name, amount in result["cut"].items()},
    )


def _part(fen: int, rate: Fraction) -> int:
    return Money(fen).share(rate).fen
