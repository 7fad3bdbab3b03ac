"""A claim's assessments: what is stored was hashed, and its figures follow from policy, submission and facts."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from clearing.verification.awards import (
    GRANTING,
    by_rule,
    committed,
    matching_left,
    quota_years,
    stated,
    states_of,
    worked_out,
)
from clearing.verification.claim_content import Revision, read_json
from clearing.verification.claim_history import ASSESSED, REASSESSED, SUBMITTED
from clearing.verification.context import Context
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.facts import Assessed, facts_differences
from clearing.verification.snapshot import Row
from clearing.verification.terms import Terms, rate_of
from tenants.kernel.money import Money

RESULT: Final = frozenset(
    {
        "state", "next_stage", "policy_version", "quota_year", "zone", "enterprise_type", "base", "rate", "computed",
        "award", "cut", "matching", "deferred", "waitlisted", "trace",
    }
)  # fmt: skip
ENTRY: Final = frozenset({"rule", "verdict", "cite", "inputs", "output", "message"})
FIGURES: Final = ("base_fen", "computed_fen", "award_fen", "matching_fen", "deferred_fen", "waitlisted", "cut")

Json = dict[str, Any]


class Award:
    """The last assessment of one claim, once its assessments were looked at."""

    def __init__(self) -> None:
        self.result: Json | None = None

    def differences(
        self, dossier: Dossier, claim: Row, revisions: list[Revision], context: Context
    ) -> Iterator[Difference]:
        """What is wrong with the assessments, and where the row says otherwise than the last."""
        entries = [entry for entry in dossier.entries if entry.action in ASSESSED]
        place = place_of("assessment", dossier.tenant, claim.claim_no)
        rows = dossier["assessment"]
        numbers = [(row.seq, row.revision) for row in rows]
        expected = list(enumerate(accumulate(entry.action in SUBMITTED for entry in entries), 1))
        if numbers != expected:
            yield differs("assessment.numbers", place, expected, numbers)
        of_entry = [revisions[number - 1] for _, number in expected if 0 < number <= len(revisions)]
        for row, entry, revision in zip(rows, entries, of_entry, strict=False):
            here = f"{place}/{row.seq}"
            yield from self._stored(here, row, entry)
            if self.result is not None and revision.submission is not None:
                assessed = Assessed(revision.submission, revision.spendings, entry)
                yield from _assessed(here, row, self.result, assessed, context)
        if self.result is not None:
            place = place_of("claim", dossier.tenant, claim.claim_no)
            terms = context.policies.get((dossier.tenant, claim.policy_version or ""))
            yield from _row_differences(place, self.result, read_json(rows[-1].facts), claim, terms)

    def _stored(self, place: str, row: Row, entry: Entry) -> Iterator[Difference]:
        digest = hashlib.sha256(row.result.encode()).digest()
        if digest != bytes(row.result_sha256):
            yield differs("assessment.hash", f"{place}/result_sha256", digest, row.result_sha256)
        if not entry.witnesses(row.at):
            yield differs("assessment.witness", f"{place}/at", entry.at, row.at)
        for column in ("facts", "result"):
            if entry.contradicts(column, getattr(row, column)):
                yield differs("assessment.anchor", f"{place}/{column}", entry.details[column], "another digest")
        reason = "submitted" if entry.action in SUBMITTED else entry.reason
        if row.reason != reason:
            yield differs("assessment.witness", f"{place}/reason", reason, row.reason)
        self.result = read_json(row.result)
        if self.result is None or self.result.keys() != RESULT:
            yield differs("assessment.form", f"{place}/result", "the result of an assessment", row.result)
            self.result = None
        elif any(each.keys() != ENTRY for each in self.result["trace"]):
            yield differs("assessment.form", f"{place}/result", "entries of a trace", "others")
            self.result = None


def _assessed(place: str, row: Row, result: Json, assessed: Assessed, context: Context) -> Iterator[Difference]:
    entry = assessed.entry
    said = {
        "policy_version": (result["policy_version"], row.policy_version),
        "result/policy_version": (entry.details.get("policy_version"), result["policy_version"]),
        "result/state": (_said_state(entry, result), result["state"]),
    }
    for name, (expected, found) in said.items():
        if expected != found:
            yield differs("assessment.row", f"{place}/{name}", expected, found)
    granted = result["award"] if result["state"] in GRANTING else str(Money(0))
    if entry.details.get("award") != granted:
        yield differs("assessment.award", f"{place}/result/award", entry.details.get("award"), granted)
    terms = context.policies.get((row.tenant, result["policy_version"] or ""))
    facts = read_json(row.facts)
    if facts is None:
        yield differs("assessment.form", f"{place}/facts", "canonical JSON", row.facts)
        return
    states = states_of(result, facts, terms)
    if result["state"] not in states:
        yield differs("assessment.state", f"{place}/result/state", states, result["state"])
    yield from facts_differences(f"{place}/facts", facts, result, assessed, context)
    if terms is not None:
        yield from _figures(place, result, assessed.submission, facts, terms)
    elif result["policy_version"] is not None:
        yield differs("assessment.policy", f"{place}/policy_version", "an approved version", row.policy_version)
    elif _has_figures(result):
        yield differs("assessment.figures", f"{place}/result", "no figures without a policy", "figures")


def _said_state(entry: Entry, result: Json) -> str | None:
    """The state that the entry tells; assessed again, a claim is held by what people had left open, and by no more."""
    if entry.action == REASSESSED and {entry.to_state, result["state"]} <= GRANTING:
        return str(result["state"])
    return entry.to_state


def _figures(place: str, result: Json, submission: Json, facts: Json, terms: Terms) -> Iterator[Difference]:
    enterprise = submission["enterprise"]
    zone = terms.zone(enterprise["division"], enterprise["resident_of"])
    first_stage = terms.stages(facts)[0] if result["state"] == "in_review" else None
    policy_on = datetime.fromisoformat(submission["submitted_at"]).astimezone(SHANGHAI).date()
    try:
        found, expected = stated(result), worked_out(submission, facts, result, terms)
    except (ValueError, KeyError, TypeError) as fault:
        yield differs("assessment.figures", f"{place}/result", "figures", type(fault).__name__)
        return
    for name in FIGURES:
        if getattr(expected, name) != getattr(found, name):
            shown = f"{place}/result/{name.removesuffix('_fen')}"
            yield differs("assessment.figures", shown, _shown(getattr(expected, name)), _shown(getattr(found, name)))
    said: Mapping[str, tuple[Any, Any]] = {
        "zone": (zone.code, result["zone"]),
        "rate": (zone.rate, None if result["rate"] is None else rate_of(result["rate"])),
        "next_stage": (first_stage, result["next_stage"]),
        "matching": (_linked(facts) if found.matching_fen else None, _region(result)),
    }
    for name, (wanted, there) in said.items():
        if wanted != there:
            yield differs("assessment.figures", f"{place}/result/{name}", wanted, there)
    if result["quota_year"] not in quota_years(submission, policy_on, terms):
        years = quota_years(submission, policy_on, terms)
        yield differs("assessment.figures", f"{place}/result/quota_year", years, result["quota_year"])
    yield from _spoken(f"{place}/result/trace", result, facts)


def _spoken(place: str, result: Json, facts: Json) -> Iterator[Difference]:
    """What the trace tells people of the figures has to be the figures."""
    trace = by_rule(result)
    wanted: tuple[tuple[str, str, str, Any], ...] = (
        ("award.rate", "output", "base", result["base"]),
        ("award.rate", "output", "computed", result["computed"]),
        ("award.rate", "inputs", "rate", result["rate"]),
        ("award.annual_cap", "inputs", "taken", facts["quota_taken"]),
        ("award.budget", "inputs", "left", facts["budget_left"]),
        ("matching", "inputs", "taken", facts["matching_taken"]),
        ("matching", "output", "matching", (result["matching"] or {}).get("amount")),
        ("window", "output", "year", result["quota_year"]),
        ("window", "output", "deferred", result["deferred"]),
        ("policy.in_force", "output", "version", result["policy_version"]),
    )
    for rule, side, name, value in wanted:
        said = trace.get(rule, {}).get(side, {})
        if name in said and value is not None and str(said[name]) != str(value):
            yield differs("assessment.trace", f"{place}/{rule}/{side}/{name}", value, said[name])


def _row_differences(
    place: str, result: Json, facts: Json | None, claim: Row, terms: Terms | None
) -> Iterator[Difference]:
    figures = stated(result)
    expected = {
        "policy_version": result["policy_version"],
        "quota_year": result["quota_year"],
        "base_fen": figures.base_fen,
        "computed_fen": figures.computed_fen,
    }
    yield from compared("claim.assessed", place, expected, claim)
    if claim.award_fen > figures.award_fen:
        yield differs("claim.raised", f"{place}/award_fen", Money(figures.award_fen), Money(claim.award_fen))
    matching_fen = 0
    if claim.state in GRANTING:
        zone = next((each for each in terms.zones if each.code == result["zone"]), None) if terms is not None else None
        own = zone if zone is None or facts is None else committed(zone, facts)
        matching_fen = matching_left(figures, claim.award_fen, own)
    if claim.matching_fen != matching_fen:
        yield differs("claim.matching", f"{place}/matching_fen", Money(matching_fen), Money(claim.matching_fen))


def _has_figures(result: Json) -> bool:
    found = stated(result)
    return any(getattr(found, name) for name in FIGURES) or result["rate"] is not None or result["state"] != "rejected"


def _linked(facts: Json) -> str | None:
    return None if facts["linked_region"] is None else str(facts["linked_region"]["division"])


def _region(result: Json) -> str | None:
    return None if result["matching"] is None else str(result["matching"]["linked_region"])


def _shown(value: Any) -> Any:  # noqa: ANN401 - fen, cuts or a truth
    if isinstance(value, dict):
        return {name: str(Money(fen)) for name, fen in value.items()}
    return value if isinstance(value, bool) else Money(value)
