"""A submission on its way to a claim: opened under a policy, drawn up with what it touches, assessed."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from clearing.claims.assessment import Assessment
from clearing.claims.facts import Facts, LinkedRegion
from clearing.claims.probes import Others
from clearing.claims.quota import Accounts
from clearing.claims.records import ClaimRow, ClaimView
from clearing.claims.registry import Holder, Key
from connectors.submission import Submission
from settlement.ledger import Transfer
from tenants.kernel.canonical import Json
from tenants.kernel.errors import Problem
from tenants.policy import Policy

TAKES_MONEY: Final = frozenset({"on_hold", "in_review", "approved"})
"""States in which a claim holds quota and budget."""
TAKES_KEYS: Final = TAKES_MONEY | {"needs_correction"}
"""States in which it holds its registry keys."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who submits, for which tenant, and in which mode the service runs."""

    tenant: str
    platform: str
    client_id: str
    actor: str
    may_import: bool
    demonstration: bool
    looks_per_hour: int | None = None
    """How many foreign keys the client may meet in one hour; without a limit where the service itself submits."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one submission: the claim (201 new or revised, 200 as it was), or why nothing was stored."""

    status: int
    view: ClaimView | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One submission on its way through the transaction, under the policy and quota year it falls in."""

    submission: Submission
    printed: dict[str, Json]
    """The submission as JSON, its account numbers in clear."""
    content_mac: bytes
    claim_id: UUID
    earlier: ClaimRow | None
    policy_on: date
    """The day on which it was submitted, in Asia/Shanghai."""
    policy: Policy | None
    year: int

    @property
    def revision(self) -> int:
        """The number of this revision, counted from one."""
        return 1 if self.earlier is None else self.earlier.revision + 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A case with the accounts and registry keys that it touches."""

    case: Case
    linked: LinkedRegion | None
    accounts: Accounts
    holder: Holder
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Assessed:
    """A case with its assessment, the facts behind it, and what it takes."""

    case: Case
    facts: Facts
    assessment: Assessment
    transfers: tuple[Transfer, ...]
    uses_reservation: bool
    holder: Holder
    others: Others
    """What it met of other tenants' keys."""
    written: tuple[bytes, bytes] | None = None
    """Facts and assessment as they are stored, where they were written out before."""
