"""Results of an assessment (核定): verdicts, award and trace. (The rules are added by the assessment's author.)"""

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.kernel.canonical import Json
from tenants.kernel.errors import Text
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """One rule that ran: what it read, what it said, and the clause behind it."""

    rule: str
    verdict: str
    cite: str
    inputs: Mapping[str, Json]
    output: Mapping[str, Json]
    message: Text


@dataclass(frozen=True, slots=True)
class Matching:
    """The linked region's own money on top of the award (联动配套)."""

    linked_region: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdict, award and trace of one revision of a claim under one policy version."""

    state: str
    policy_version: str | None
    quota_year: int | None
    base: Money
    rate: Rate | None
    computed: Money
    award: Money
    cut: Mapping[str, Money]
    matching: Matching | None
    deferred: Money
    trace: tuple[TraceEntry, ...]
    next_stage: str | None
