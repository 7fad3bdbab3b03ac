"""The rules in their fixed order (``assessment.md``), made for one policy at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from clearing.claims.rules import (
    award,
    duplicates,
    evidence,
    exclusions,
    matching,
    parties,
    provider,
    reservation,
    services,
    terms,
    totals,
    window,
)
from clearing.claims.rules.quota_years import Windowing, windowing
from clearing.claims.rules.sheet import Rule
from tenants.policy import Policy

POLICIES_KEPT: Final = 256
"""Policies whose rules stay ready; a rehearsal runs over some twenty."""

RULES: Final[tuple[Callable[[Policy], Rule], ...]] = (
    terms.in_force,  # 1
    terms.complete,
    terms.mode,  # 2
    parties.sanction,  # 3
    parties.region,  # 4
    parties.enterprise_type,  # 5
    parties.revenue,  # 6
    parties.qualification,  # 7
    provider.provider_region,  # 8
    provider.provider_admission,  # 9
    exclusions.related_party,  # 10
    exclusions.exclusions,  # 11
    services.catalogue,  # 12
    evidence.complete,  # 13
    evidence.invoice_code,
    evidence.dates,  # 14
    totals.receipts,  # 15
    totals.contract,  # 16
    window.window,  # 17
    duplicates.duplicates,  # 18
    reservation.reservation,  # 19
    award.rate,  # 20
    award.claim_cap,  # 21
    reservation.reserved_amount,  # 22
    award.annual_cap,  # 23
    award.budget,  # 24
    matching.matching,  # 25
)


@dataclass(frozen=True, slots=True)
class Compiled:
    """One policy's rules, ready to run over any claim."""

    version: str
    rules: tuple[Rule, ...]
    windowing: Windowing
    first_stage: str
    trust_list: bool
    trusted_stage: str | None
    """The first stage of a listed provider's claim; ``None``: it is approved at once."""


@lru_cache(maxsize=POLICIES_KEPT)
def compiled(policy: Policy) -> Compiled:
    """The policy's tables worked out once."""
    return Compiled(
        version=policy.version,
        rules=tuple(rule(policy) for rule in RULES),
        windowing=windowing(policy),
        first_stage=policy.review_chain[0],
        trust_list=policy.review.trust_list.value,
        trusted_stage=next(iter(policy.trusted_chain), None),
    )
