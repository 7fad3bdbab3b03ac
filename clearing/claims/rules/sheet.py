"""The working sheet (核定表) of one assessment: what the rules read and what they work out, in their order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from clearing.claims.facts import Facts
from clearing.claims.rules.finding import Finding
from clearing.claims.rules.quota_years import Windowed
from connectors.submission import Submission
from tenants.policy import Zone


@dataclass(slots=True)
class Sheet:
    """One claim under one policy; it never leaves the assessment.

    All figures are whole fen. ``proven`` are the enterprise's types that are eligible and proven, in the policy's
    order. ``base_said``: an earlier rule has already said why nothing is left of the base.
    """

    claim: Submission
    facts: Facts
    policy_on: date
    zone: Zone
    windowed: Windowed
    incomplete: bool = False
    proven: tuple[str, ...] = ()
    catalogue_fen: int = 0
    base_said: bool = False
    base_fen: int = 0
    computed_fen: int = 0
    award_fen: int = 0
    reservation_usable: bool = False
    waitlisted: bool = False
    matching_fen: int = 0
    cut: dict[str, int] = field(default_factory=dict)


Rule = Callable[[Sheet], tuple[Finding, ...]]
"""One rule made for one policy: reads the sheet, notes what it worked out, and answers its findings."""
