"""A year of generated claims over twenty policy versions: what was stored of each is enough to compute the same bytes.

Versions are approved one after the other, corrections that reach back among them; each claim is assessed by what is
known when it comes. Later, with every version known, each is computed again by what was known then, from the stored
texts alone; and once more in another process, whose hashes are seeded otherwise.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from random import Random
from typing import Final

import pytest

from clearing.claims.assessment import assess, result_bytes
from clearing.claims.facts import EarlierUse, Facts, KeyState, LinkedRegion, Standing
from clearing.claims.fingerprint import canonical_contract_number
from clearing.claims.stored import read_stored_facts, read_stored_submission
from clearing.demonstration.claims import generate
from connectors.reading import read_submission, submission_json
from connectors.submission import Submission
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.clock import shanghai_day
from tenants.kernel.money import Money
from tenants.kernel.rate import print_rate
from tenants.policy import UNSET, Policy, in_force
from tenants.policy_document import load_shipped, read_document

CLAIMS: Final = 100_000
SLICE: Final = 300
BASE: Final = 500
"""Submissions that are drawn; the others are these on other days, with other amounts and facts."""
SEED: Final = 20_241_126
BEGAN: Final = datetime(2024, 1, 2, 1, tzinfo=UTC)
YEAR: Final = timedelta(days=365)
RATES: Final = ("0.20", "0.35", "0.45")


@dataclass(frozen=True)
class Version:
    """One approved version, as text, and since when it is known."""

    text: str
    approved_at: datetime

    @property
    def policy(self) -> Policy:
        return read_document(self.text).policy


@dataclass(frozen=True)
class Stored:
    """What is stored of one assessment."""

    at: datetime
    submission: bytes
    facts: bytes
    result: bytes


@cache
def versions() -> tuple[Version, ...]:
    """Three or four of each of the six tenants' schemes: the shipped one, and later ones with other rates and caps."""
    found = []
    for number, document in enumerate(load_shipped()):
        found.append(Version(document.text, BEGAN - timedelta(days=1)))
        for step, day in enumerate((date(2024, 5, 1), date(2024, 9, 1))):
            found.append(Version(_later(document.text, day, RATES[(number + step) % 3]), _instant(day, -20)))
        if number < 2:
            text = _later(document.text, date(2024, 9, 1), "0.41")
            text = text.replace('scheme = "', 'correction = 1\nscheme = "', 1)
            found.append(Version(text, _instant(date(2024, 10, 15))))
    return tuple(found)


def _instant(day: date, days: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=days)


def _later(text: str, day: date, rate: str) -> str:
    policy = read_document(text).policy
    text = text.replace(f"value = {policy.effective_on}", f"value = {day}", 1)
    for zone in policy.zones:
        said = "unset" if zone.rate.value is UNSET else print_rate(zone.rate.value)
        text = text.replace(f'rate = {{ value = "{said}"', f'rate = {{ value = "{rate}"')
    return text


def year_of(count: int) -> Iterator[Stored]:
    """The claims of a year as they were assessed when they came."""
    rng = Random(SEED)
    drawn = [read_submission(given.body) for given in generate(SEED, BASE)]
    known: dict[str, list[tuple[datetime, Policy]]] = {}
    for version in versions():
        policy = version.policy
        known.setdefault(f"{policy.tenant}/{policy.scheme}", []).append((version.approved_at, policy))
    for number in range(count):
        at = BEGAN + YEAR * number // count
        claim = _varied(drawn[rng.randrange(len(drawn))], at, rng)
        facts = _facts(claim, rng)
        seen = [policy for approved_at, policy in known.get(f"{claim.tenant}/{claim.scheme}", ()) if approved_at <= at]
        governing = in_force(seen, shanghai_day(claim.submitted_at))
        stored = canonical_bytes(submission_json(claim, mask=True))
        yield Stored(at, stored, canonical_bytes(facts), result_bytes(assess(claim, governing, facts)))


def recomputed(stored: Stored, policies: dict[str, list[tuple[datetime, Policy]]]) -> bytes:
    """The result by the stored texts alone, and by what was known then."""
    claim, facts = read_stored_submission(stored.submission), read_stored_facts(stored.facts)
    seen = [policy for at, policy in policies.get(f"{claim.tenant}/{claim.scheme}", ()) if at <= stored.at]
    return result_bytes(assess(claim, in_force(seen, shanghai_day(claim.submitted_at)), facts))


def reread() -> dict[str, list[tuple[datetime, Policy]]]:
    """Every version, read from its text anew, the last first."""
    policies: dict[str, list[tuple[datetime, Policy]]] = {}
    for version in reversed(versions()):
        policy = version.policy
        policies.setdefault(f"{policy.tenant}/{policy.scheme}", []).append((version.approved_at, policy))
    return policies


def _varied(claim: Submission, at: datetime, rng: Random) -> Submission:
    fen = rng.randrange(1, 90_000_000)
    invoice = replace(
        claim.invoices[0], amount=Money(fen), claimed=Money(fen), issued_on=shanghai_day(at) - timedelta(days=9)
    )
    receipt = replace(claim.receipts[0], amount=Money(fen), claimed=Money(fen))
    service = replace(claim.services[0], amount=Money(rng.randrange(1, 90_000_000)))
    return replace(
        claim,
        submitted_at=at,
        services=(service, *claim.services[1:]),
        invoices=(invoice,),
        receipts=(receipt,),
        contract=replace(claim.contract, amount=Money(fen + rng.randrange(3) - 1)),
    )


def _facts(claim: Submission, rng: Random) -> Facts:
    use = EarlierUse(rng.random() < 0.5, rng.random() < 0.5, "delta", "2024-03", "r")
    key = KeyState("invoice", "/invoices/0", Money(9), Money(0), Money(9), rng.random() < 0.1, (use,))
    return Facts(
        contract_number=canonical_contract_number(claim.contract.number),
        quota_taken=Money(rng.choice((0, 1, 9_999_999, 30_000_001))),
        budget_left=rng.choice((None, Money(-5), Money(0), Money(2_000_000), Money(10**11))),
        linked_region=rng.choice((None, LinkedRegion("320300", ("tech_sme", "high_tech")))),
        matching_taken=Money(rng.randrange(6_000_001)),
        keys=(key,) if rng.random() < 0.2 else (),
        enterprise=Standing(sanctioned_through=rng.choice((None, None, None, date(2024, 6, 30)))),
        provider=Standing(admitted=rng.choice((None, None, True, False)), trust_listed=rng.random() < 0.1),
    )


def digest_of(count: int) -> str:
    """One digest over all stored and recomputed results; a difference raises."""
    policies, whole = reread(), sha256()
    for number, stored in enumerate(year_of(count)):
        again = recomputed(stored, policies)
        if again != stored.result:
            raise AssertionError(f"claim {number} differs: {stored.result!r} and {again!r}")
        whole.update(again)
    return whole.hexdigest()


def digest_elsewhere(count: int) -> str:
    """The same in another process."""
    script = f"from tests.claims.test_recomputation_campaign import digest_of; print(digest_of({count}))"
    environment = os.environ | {"PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    return done.stdout.decode().strip()


def test_there_are_twenty_versions_and_every_tenant_has_some() -> None:
    named = [version.policy.version for version in versions()]
    assert len(named) == len(set(named)) == 20
    assert {name.partition("/")[0] for name in named} == {each.policy.tenant for each in load_shipped()}


def test_a_slice_of_the_year_comes_out_the_same_here_and_in_another_process() -> None:
    assert digest_of(SLICE) == digest_elsewhere(SLICE)


def test_the_year_goes_through_every_state_and_every_version() -> None:
    states, seen = set(), set()
    for stored in year_of(4 * SLICE):
        result = stored.result.decode()
        states.add(result.partition('"state":"')[2].partition('"')[0])
        seen.add(result.partition('"policy_version":"')[2].partition('"')[0])
    assert states >= {"rejected", "on_hold", "in_review", "needs_correction"}
    assert len(seen) == 20


@pytest.mark.long
def test_a_year_of_100_000_claims_comes_out_the_same_here_and_in_another_process() -> None:
    assert digest_of(CLAIMS) == digest_elsewhere(CLAIMS)
