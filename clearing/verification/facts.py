"""The facts behind an assessment: what can be known again from the submission, the chain and the trace."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid5

from clearing.verification.amounts import fen_of
from clearing.verification.context import Context
from clearing.verification.difference import Difference, differs
from clearing.verification.entries import SHANGHAI, Entry
from clearing.verification.identities import Spending, project_number
from clearing.verification.terms import rate_of
from tenants.kernel.money import Money

MEMBERS: Final = frozenset(
    {
        "contract_number", "quota_taken", "budget_left", "linked_region", "matching_taken", "keys", "reservation",
        "enterprise", "provider",
    }
)  # fmt: skip
KEY: Final = frozenset({"kind", "place", "counted", "taken", "claimed", "amount_conflict", "uses", "cancelled"})
NOTHING_ON_RECORD: Final = {
    "sanctioned_through": None,
    "qualified": None,
    "admitted": None,
    "on_platform": None,
    "trust_listed": False,
    "directory": None,
}
DIVISIONS: Final = UUID("b2b5b1f6-2a3d-4c86-8d58-6f3a1c0f5e21")
"""The name space of a year's divisions in the audit chain."""
DIVIDED: Final = "award.pro_rata"
"""The hold that a division answers."""
_LINKED_YEARS: Final = UUID("3f9a2b1c-7d54-4d0e-8b43-52f0b7a4c6d1")
"""The name space of a year's linked regions in the audit chain."""

IN_FORCE: Final = frozenset({"linked_regions.approved", "linked_regions.set"})
"""What makes a year's linked regions count: the approval; before two people were asked for, the setting."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assessed:
    """What one assessment was made of: the revision, its spendings, and its entry."""

    submission: Json
    spendings: list[Spending]
    entry: Entry


def facts_differences(
    place: str, facts: Json, result: Json, assessed: Assessed, context: Context
) -> Iterator[Difference]:
    """Facts that contradict what else is stored."""
    if facts.keys() - {"budget_share"} != MEMBERS or any(key.keys() != KEY for key in facts["keys"]):
        yield differs("facts.form", place, MEMBERS, set(facts))
        return
    submission = assessed.submission
    number = project_number(submission["contract"]["number"])
    if facts["contract_number"] != number:
        yield differs("facts.contract", f"{place}/contract_number", number, facts["contract_number"])
    yield from _keys(f"{place}/keys", facts["keys"], assessed)
    share = _share(submission, result, assessed.entry, context)
    if facts.get("budget_share") != share:
        yield differs("facts.share", f"{place}/budget_share", share, facts.get("budget_share"))
    yield from _linked(place, facts, result, assessed, context)
    for party in ("enterprise", "provider"):
        if submission[party]["uscc"] not in context.on_record and facts[party] != NOTHING_ON_RECORD:
            yield differs("facts.standing", f"{place}/{party}", NOTHING_ON_RECORD, facts[party])
    reservation = facts["reservation"]
    if reservation is not None and reservation["reservation_id"] != submission["reservation_id"]:
        wanted, found = submission["reservation_id"], reservation["reservation_id"]
        yield differs("facts.reservation", f"{place}/reservation", wanted, found)


def _linked(place: str, facts: Json, result: Json, assessed: Assessed, context: Context) -> Iterator[Difference]:
    found = facts["linked_region"]
    if result["quota_year"] is not None:
        expected = _linked_region(assessed.submission, int(result["quota_year"]), assessed.entry, context)
        told = found if found is None else found | {"terms": _terms(found.get("terms"))}
        if told != expected:
            yield differs("facts.linked_region", f"{place}/linked_region", expected, found)
    if found is None and facts["matching_taken"] != str(Money(0)):
        yield differs("facts.linked_region", f"{place}/matching_taken", Money(0), facts["matching_taken"])


def _terms(told: Json | None) -> Json | None:
    """What a region committed itself to, its share in the form in which the chain's is put."""
    return None if told is None else told | {"share": str(rate_of(told["share"]))}


def _share(submission: Json, result: Json, entry: Entry, context: Context) -> str | None:
    """What a division before this act gave the claim, where the act follows from one."""
    if entry.details.get("about") != DIVIDED:
        return None
    tenant = submission["tenant"]
    subject = uuid5(DIVISIONS, f"{tenant}/{submission['scheme']}/{result['quota_year']}")
    said = [each for each in context.settings.get((tenant, subject), ()) if each.seq < entry.seq]
    lines = said[-1].details["claims"] if said else []
    return next((line["share"] for line in lines if line["claim_no"] == entry.details.get("claim_no")), None)


def _keys(place: str, keys: list[Json], assessed: Assessed) -> Iterator[Difference]:
    expected = sorted((each.kind, each.place, each.claimed_fen) for each in assessed.spendings)
    found = sorted((key["kind"], key["place"], fen_of(key["claimed"])) for key in keys)
    if found != expected:
        yield differs("facts.keys", place, expected, found)
        return
    bounds = {(each.kind, each.place): each.stated_fen for each in assessed.spendings}
    for key in keys:
        bound = bounds[key["kind"], key["place"]]
        counted, taken = fen_of(key["counted"]), fen_of(key["taken"])
        alone = not key["uses"] and (
            taken != fen_of(key["cancelled"]) or key["amount_conflict"] or counted != (bound or 0)
        )
        if alone or (bound is not None and counted > bound):
            yield differs("facts.keys", f"{place}{key['place']}", bound, (counted, taken, key["amount_conflict"]))


def _linked_region(submission: Json, year: int, entry: Entry, context: Context) -> Json | None:
    """The linked region by what had been set when the claim came, as the chain tells it."""
    tenant, division = submission["tenant"], submission["enterprise"]["division"]
    entries = context.settings.get((tenant, _linked_year(tenant, year)), ())
    set_before = [each for each in entries if each.seq < entry.seq and each.action in IN_FORCE]
    regions = set_before[-1].details["after"]["regions"] if set_before else {}
    possible = [(len(_prefix(each)), "", {"division": each, "types": regions[each], "terms": None}) for each in regions]
    on = datetime.fromisoformat(submission["submitted_at"]).astimezone(SHANGHAI).date().isoformat()
    possible += [
        (len(_prefix(linkage.region["division"])), linkage.from_on, linkage.region)
        for linkage in context.linkages.get((tenant, submission["scheme"], year), ())
        if linkage.seq < entry.seq and linkage.from_on <= on
    ]
    holding = [each for each in possible if division.startswith(_prefix(each[2]["division"]))]
    return max(holding, key=lambda each: each[:2], default=(0, "", None))[2]


@lru_cache(maxsize=256)
def _linked_year(tenant: str, year: int) -> UUID:
    return uuid5(_LINKED_YEARS, f"{tenant}/{year}")


def _prefix(division: str) -> str:
    """What all divisions below one begin with: a province ends in four noughts, a city in two."""
    for noughts in ("0000", "00"):
        if division.endswith(noughts):
            return division.removesuffix(noughts)
    return division
