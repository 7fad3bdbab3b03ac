"""A policy version's terms, as far as claims and batches are checked by them, read from the stored document."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from clearing.verification.amounts import fen_of

DOCUMENTS_KEPT: Final = 64
"""Parsed documents kept; parsing takes milliseconds, and a version's text never changes."""
RATES_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the region with its own figures; ``None`` where the policy leaves one unset or has none."""

    code: str
    divisions: tuple[str, ...]
    residences: frozenset[str]
    rate: Fraction | None
    annual_cap_fen: int | None
    local_share: Fraction | None
    """What the linked region adds to each fen of an award."""
    matching_cap_fen: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the checks of claims and batches need of one version."""

    version: str
    scheme: str
    effective_on: date
    demonstration: bool
    zones: tuple[Zone, ...]
    exclusion_group: str
    correction: int
    review_chain: tuple[str, ...]
    cap: str
    """The name of the annual cap: the scheme's own, or one that schemes share."""
    trust_list: bool
    trusted_chain: tuple[str, ...]
    """The stages for providers on the trust list; none: approved at once."""
    correction_days: int
    publicity_days: int
    matching_months: int
    """After how many months a linked region's matching is due; three where the version does not say."""
    reward: tuple[tuple[int, int], int] | None
    """A provider's yearly reward: its share of the services as a fraction, and its cap in fen."""
    claim_cap_fen: int | None
    full_support_fen: int
    """The first so much of a claim's base is supported in full."""
    class_rates: Mapping[str, Fraction]
    """The rate of each service item that has one of its own."""
    budget_rule: str
    items: frozenset[str]
    """The codes of the service catalogue."""
    by_invoice_date: bool
    """Whether the quota year follows from the invoices, and not from the day of submission."""
    year_starts: tuple[int, int]
    """Month and day on which a quota year begins: of the year before, unless it is 1 January."""
    by_cut_offs: bool = False
    """Whether it publishes cut-offs for applications, which its batches go by."""
    approved_at: datetime | None = None
    """Since when it is known; ``None`` where it is not approved."""

    def stages(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """The stages of a claim that its assessment by these facts let pass."""
        trusted = self.trust_list and facts["provider"]["trust_listed"]
        return self.trusted_chain if trusted else self.review_chain

    def quota_year(self, on: date) -> int:
        """The quota year that the day lies in."""
        return on.year + (self.year_starts != (1, 1) and (on.month, on.day) >= self.year_starts)

    def zone(self, division: str, residences: Sequence[str]) -> Zone:
        """The enterprise's zone: where it resides, else where it is registered, else the rest of the region."""
        for zone in self.zones:
            if not zone.residences.isdisjoint(residences):
                return zone
        for zone in self.zones:
            if zone.divisions and division.startswith(zone.divisions):
                return zone
        return next(zone for zone in self.zones if not zone.divisions and not zone.residences)


Policies = Mapping[tuple[str, str], Terms]
"""By tenant and version."""


def in_force(policies: Policies, tenant: str, scheme: str, on: date, known_at: datetime) -> Terms | None:
    """The latest version that had begun on the day, of those approved by ``known_at``.

    Of a demonstration and a law of one day the law; of a version and its corrections the last.
    """
    begun = [
        terms
        for (of, _), terms in policies.items()
        if (of, terms.scheme) == (tenant, scheme)
        and terms.effective_on <= on
        and terms.approved_at is not None
        and terms.approved_at <= known_at
    ]
    return max(begun, key=lambda terms: (terms.effective_on, not terms.demonstration, terms.correction), default=None)


def goes_by_cut_offs(policies: Policies, tenant: str, scheme: str, known_at: datetime) -> bool:
    """Whether a version of the scheme that was approved by ``known_at`` publishes cut-offs for applications."""
    return any(
        of == tenant and terms.scheme == scheme and terms.by_cut_offs and terms.approved_at <= known_at
        for (of, _), terms in policies.items()
        if terms.approved_at is not None
    )


@lru_cache(maxsize=DOCUMENTS_KEPT)
def parsed(document: str) -> Mapping[str, Any]:
    """The document's tables.

    Raises:
        ValueError: it is no TOML.
    """
    return tomllib.loads(document)


@lru_cache(maxsize=RATES_KEPT)
def rate_of(printed: str) -> Fraction:
    """A rate or ratio as it is printed: ``0.35``, ``7/3`` or ``7:3``.

    Raises:
        ValueError: it is neither.
    """
    return Fraction(printed.replace(":", "/").replace(" ", ""))


def read_terms(version: str, document: str) -> Terms:
    """The terms that the document states.

    Raises:
        KeyError, TypeError, ValueError: it is no policy document.
    """
    said = parsed(document)
    limits, review, year = said["limits"], said["review"], said["quota_year"]
    cap = limits.get("claim_cap")
    return Terms(
        version=version,
        scheme=said["scheme"],
        effective_on=said["effective"]["value"],
        demonstration=said.get("demonstration", False),
        zones=tuple(map(_zone, said["zones"])),
        correction=said.get("correction", 0),
        exclusion_group=said["duplicates"]["exclusion_group"]["value"],
        review_chain=tuple(review["chain"]["value"]),
        cap=said["limits"].get("shared_cap", {}).get("value", said["scheme"]),
        trust_list=review["trust_list"]["value"],
        trusted_chain=tuple(review.get("trusted_chain", {}).get("value", ())),
        correction_days=review["correction_days"]["value"],
        publicity_days=said["payout"]["publicity_days"]["value"],
        matching_months=(said["payout"].get("matching_due_months") or {"value": 3})["value"],
        reward=_reward(said.get("reward")),
        claim_cap_fen=None if cap is None else fen_of(cap["value"]),
        full_support_fen=fen_of(limits.get("full_support_through", {}).get("value", "0.00")),
        class_rates={
            item: rate_of(each["rate"]["value"]) for each in said.get("service_classes", ()) for item in each["items"]
        },
        budget_rule=limits["budget_rule"]["value"],
        items=frozenset(service["code"] for service in said["services"]),
        by_invoice_date=year["basis"]["value"] == "invoice_date",
        by_cut_offs=bool(year.get("cut_offs")),
        year_starts=(int(year["starts"]["value"][:2]), int(year["starts"]["value"][3:])),
    )


def _zone(given: Mapping[str, Any]) -> Zone:
    ratio = _set(given, "provincial_to_local")
    rate, cap, matching_cap = (_set(given, name) for name in ("rate", "annual_cap", "matching_cap"))
    return Zone(
        code=given["code"],
        divisions=tuple(given.get("divisions", ())),
        residences=frozenset(given.get("residences", ())),
        rate=None if rate is None else rate_of(rate),
        annual_cap_fen=None if cap is None else fen_of(cap),
        local_share=None if ratio is None else 1 / rate_of(ratio),
        matching_cap_fen=None if matching_cap is None else fen_of(matching_cap),
    )


def _set(given: Mapping[str, Any], name: str) -> str | None:
    """The term's value, unless it is unset or absent."""
    value = given.get(name, {}).get("value", "unset")
    return None if value == "unset" else str(value)


def _reward(said: Mapping[str, Any] | None) -> tuple[tuple[int, int], int] | None:
    if said is None:
        return None
    share = Fraction(said["rate"]["value"])
    return (share.numerator, share.denominator), fen_of(said["cap"]["value"])
