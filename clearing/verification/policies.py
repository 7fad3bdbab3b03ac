"""Policy versions: each document is what was hashed, approved by another person than its author, once a day."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from clearing.verification.chain import Settings
from clearing.verification.difference import Difference, compared, differs
from clearing.verification.entries import Entry, witness
from clearing.verification.snapshot import Row, Snapshot
from tenants.kernel.money import Money

DOCUMENTS_KEPT: Final = 64
"""Parsed documents kept; parsing takes milliseconds, and a version's text never changes."""

_VERSIONS: Final = (
    "select tenant, scheme, version, effective_on, document, content_sha256, demonstration, state, author, approver, "
    "recorded_at, approved_at from policy_version order by tenant, scheme, version"
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the region with its own figures; ``None`` where the policy leaves one unset or has none."""

    code: str
    rate: Fraction | None
    annual_cap_fen: int | None
    provincial_to_local: Fraction | None
    matching_cap_fen: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the checks of claims and batches need of one version, read from its stored document."""

    version: str
    scheme: str
    effective_on: date
    demonstration: bool
    zones: Sequence[Mapping[str, Any]]
    exclusion_group: str
    review_chain: tuple[str, ...]
    trust_list: bool
    correction_days: int
    publicity_days: int
    claim_cap_fen: int | None
    budget_rule: str
    items: frozenset[str]
    """The codes of the service catalogue."""
    by_invoice_date: bool
    """Whether the quota year follows from the invoices, and not from the day of submission."""
    year_starts: tuple[int, int]
    """Month and day on which a quota year begins: of the year before, unless it is 1 January."""

    def quota_year(self, on: date) -> int:
        """The quota year that the day lies in."""
        return on.year + (self.year_starts != (1, 1) and (on.month, on.day) >= self.year_starts)

    def every_zone(self) -> tuple[Zone, ...]:
        """All parts of the region."""
        return tuple(_zone(given) for given in self.zones)

    @staticmethod
    def rate(printed: str) -> Fraction:
        """A rate or ratio as it is printed: ``0.35``, ``7/3`` or ``7:3``."""
        return _fraction(printed)

    def zone(self, division: str, residences: Sequence[str]) -> Zone:
        """The enterprise's zone: where it resides, else where it is registered, else the rest of the region."""
        for given in self.zones:
            if set(given.get("residences", ())) & set(residences):
                return _zone(given)
        for given in self.zones:
            if any(division.startswith(prefix) for prefix in given.get("divisions", ())):
                return _zone(given)
        rest = [given for given in self.zones if not given.get("divisions") and not given.get("residences")]
        return _zone(rest[0])


Policies = Mapping[tuple[str, str], Terms]
"""By tenant and version."""


def in_force(policies: Policies, tenant: str, scheme: str, on: date) -> Terms | None:
    """The latest version that had begun on the day; of a demonstration and a law of one day the law."""
    begun = [
        terms
        for (of, _), terms in policies.items()
        if (of, terms.scheme) == (tenant, scheme) and terms.effective_on <= on
    ]
    return max(begun, key=lambda terms: (terms.effective_on, not terms.demonstration), default=None)


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _parsed(document: str) -> Mapping[str, Any]:
    return tomllib.loads(document)


def read_terms(version: str, document: str) -> Terms:
    """The terms that the document states.

    Raises:
        KeyError, TypeError, ValueError: it is no policy document.
    """
    said = _parsed(document)
    limits, review = said["limits"], said["review"]
    cap = limits.get("claim_cap")
    return Terms(
        version=version,
        scheme=said["scheme"],
        effective_on=said["effective"]["value"],
        demonstration=said.get("demonstration", False),
        zones=tuple(said["zones"]),
        exclusion_group=said["duplicates"]["exclusion_group"]["value"],
        review_chain=tuple(review["chain"]["value"]),
        trust_list=review["trust_list"]["value"],
        correction_days=review["correction_days"]["value"],
        publicity_days=said["payout"]["publicity_days"]["value"],
        claim_cap_fen=None if cap is None else Money.parse(cap["value"]).fen,
        budget_rule=limits["budget_rule"]["value"],
        items=frozenset(service["code"] for service in said["services"]),
        by_invoice_date=said["quota_year"]["basis"]["value"] == "invoice_date",
        year_starts=(int(said["quota_year"]["starts"]["value"][:2]), int(said["quota_year"]["starts"]["value"][3:])),
    )


def _fraction(printed: str) -> Fraction:
    return Fraction(printed.replace(":", "/").replace(" ", ""))


def _zone(given: Mapping[str, Any]) -> Zone:
    return Zone(
        code=given["code"],
        rate=_read(given, "rate", _fraction),
        annual_cap_fen=_read(given, "annual_cap", _fen),
        provincial_to_local=_read(given, "provincial_to_local", _fraction),
        matching_cap_fen=_read(given, "matching_cap", _fen),
    )


def _read(given: Mapping[str, Any], name: str, kind: Any) -> Any:  # noqa: ANN401 - the one or the other reader
    value = given.get(name, {}).get("value", "unset")
    return None if value == "unset" else kind(value)


def _fen(printed: str) -> int:
    return Money.parse(printed).fen


class PolicyCheck:
    """One pass over all versions; afterwards ``terms`` holds what each approved one says."""

    def __init__(self, snapshot: Snapshot, settings: Settings) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self.terms: dict[tuple[str, str], Terms] = {}

    def differences(self) -> Iterator[Difference]:
        """What is wrong with the stored versions."""
        in_force: dict[tuple[str, str, date, bool], str] = {}
        named = set()
        for row in self._snapshot.rows(_VERSIONS):
            self._snapshot.tally["policy versions"] += 1
            place = f"policy_version/{row.tenant}/{row.version}"
            named.add((row.tenant, _subject(row.version)))
            yield from self._document(place, row)
            yield from self._approval(place, row)
            day = (row.tenant, row.scheme, row.effective_on, row.demonstration)
            if row.state == "approved" and in_force.setdefault(day, row.version) != row.version:
                yield differs("policy.one_in_force", place, in_force[day], row.version)
        for (tenant, subject), entries in self._settings.items():
            if entries[0].action.startswith("policy.") and (tenant, subject) not in named:
                version = entries[0].details.get("version", subject)
                yield differs("policy.absent", f"policy_version/{tenant}/{version}", "one row", None)

    def _document(self, place: str, row: Row) -> Iterator[Difference]:
        digest = hashlib.sha256(row.document.encode()).hexdigest()
        if digest != row.content_sha256:
            yield differs("policy.hash", f"{place}/content_sha256", digest, row.content_sha256)
        try:
            said = _parsed(row.document)
            begins, shown = said["effective"]["value"], said.get("demonstration", False)
            stated = {
                "tenant": said["tenant"],
                "scheme": said["scheme"],
                "effective_on": begins,
                "demonstration": shown,
                "version": f"{said['tenant']}/{said['scheme']}/{begins}{'-demonstration' if shown else ''}",
            }
            self.terms[row.tenant, row.version] = read_terms(row.version, row.document)
        except (ValueError, KeyError, TypeError) as fault:
            yield differs("policy.document", f"{place}/document", "a policy document", type(fault).__name__)
            return
        yield from compared("policy.document", place, stated, row)

    def _approval(self, place: str, row: Row) -> Iterator[Difference]:
        entries = self._settings.get((row.tenant, _subject(row.version)), [])
        if row.approver is not None and row.approver == row.author:
            yield differs("policy.four_eyes", f"{place}/approver", f"not {row.author}", row.approver)
        if not entries:
            yield differs("policy.unwitnessed", place, "an entry of the audit chain", None)
            return
        last = entries[-1]
        if last.to_state != row.state:
            yield differs("policy.state", f"{place}/state", last.to_state, row.state)
        approvals = [entry for entry in entries if entry.action == "policy.approved"]
        if approvals:
            yield from self._approved(place, row, approvals[-1])
        if witness(entries, row.recorded_at) is None:
            yield differs("policy.witness", f"{place}/recorded_at", entries[0].at, row.recorded_at)

    def _approved(self, place: str, row: Row, approval: Entry) -> Iterator[Difference]:
        said = approval.details
        expected = {
            "content_sha256": said.get("content_sha256"),
            "approver": said.get("approver"),
            "version": said.get("version"),
        }
        yield from compared("policy.witness", place, expected, row)
        if approval.actor != row.author:
            yield differs("policy.witness", f"{place}/author", approval.actor, row.author)
        if not approval.witnesses(row.approved_at):
            yield differs("policy.witness", f"{place}/approved_at", approval.at, row.approved_at)


def _subject(version: str) -> UUID:
    return uuid5(NAMESPACE_OID, f"policy/{version}")
