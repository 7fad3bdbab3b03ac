"""A claim's states, as the audit chain tells them: each follows from the one before, and the last is the row's."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from clearing.verification.difference import Difference, compared, differs
from clearing.verification.dossiers import Dossier, place_of
from clearing.verification.entries import Entry
from clearing.verification.snapshot import Row
from tenants.kernel.money import Money

_ASSESSED: Final = frozenset({"rejected", "needs_correction", "on_hold", "in_review", "approved"})
_LIVE: Final = frozenset({"needs_correction", "on_hold", "in_review", "approved"})
SUBMITTED: Final = ("claim.submitted", "claim.corrected")
REASSESSED: Final = "claim.reassessed"
ASSESSED: Final = (*SUBMITTED, REASSESSED)
"""Acts that leave an assessment."""
OVERDUE: Final = "claim.correction_overdue"

_Step = tuple[frozenset[str | None], frozenset[str | None]]

STEPS: Final[Mapping[str, _Step]] = {
    "claim.submitted": (frozenset({None}), frozenset(_ASSESSED)),
    "claim.corrected": (frozenset({"needs_correction"}), frozenset(_ASSESSED)),
    "claim.review.approve": (frozenset({"in_review"}), frozenset({"in_review", "approved"})),
    "claim.review.reject": (frozenset({"in_review"}), frozenset({"rejected"})),
    "claim.review.correct": (frozenset({"in_review"}), frozenset({"needs_correction"})),
    REASSESSED: (frozenset({"on_hold"}), frozenset(_ASSESSED)),
    "hold.clear": (frozenset({"on_hold"}), frozenset({"on_hold", "in_review"})),
    "hold.reject": (frozenset({"on_hold"}), frozenset({"rejected"})),
    "claim.withdrawn": (frozenset(_LIVE), frozenset({"withdrawn"})),
    "claim.objection": (frozenset({"approved"}), frozenset({"on_hold"})),
    "claim.frozen": (frozenset({"in_review", "on_hold", "approved"}), frozenset({"on_hold"})),
    OVERDUE: (frozenset({"needs_correction"}), frozenset({"needs_correction"})),
}
"""From which states each act leads to which."""


def history_differences(dossier: Dossier, claim: Row) -> Iterator[Difference]:
    """Where the entries do not make one history, or the row is not at its end."""
    entries, place = dossier.entries, place_of("claim", dossier.tenant, claim.claim_no)
    if not entries:
        yield differs("claim.unwitnessed", place, "entries of the audit chain", None)
        return
    yield from _steps(place, entries)
    first = entries[0]
    last_change = next((each for each in reversed(entries) if each.action != OVERDUE), first)
    expected = {
        "state": entries[-1].to_state,
        "claim_no": first.details.get("claim_no"),
        "platform": first.details.get("platform"),
        "external_id": first.details.get("external_id"),
        "revision": sum(entry.action in SUBMITTED for entry in entries),
    }
    yield from compared("claim.history", place, expected, claim)
    if not last_change.witnesses(claim.changed_at):
        yield differs("claim.witness", f"{place}/changed_at", last_change.at, claim.changed_at)
    if not first.witnesses(claim.received_at):
        yield differs("claim.witness", f"{place}/received_at", first.at, claim.received_at)
    awarded = dossier.awards[entries[-1].seq]
    if awarded is not None and awarded != claim.award_fen:
        yield differs("claim.award", f"{place}/award_fen", Money(awarded), Money(claim.award_fen))


def _steps(place: str, entries: list[Entry]) -> Iterator[Difference]:
    for entry in entries:
        froms, tos = STEPS.get(entry.action, (frozenset(), frozenset()))
        if entry.from_state not in froms or entry.to_state not in tos:
            found = f"{entry.action}: {entry.from_state} → {entry.to_state}"
            yield differs("claim.step", f"{place}/entry/{entry.seq}", "a step that there is", found)
    for before, after in pairwise(entries):
        if after.from_state != before.to_state:
            yield differs("claim.step", f"{place}/entry/{after.seq}", before.to_state, after.from_state)
