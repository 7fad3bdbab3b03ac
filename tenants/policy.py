"""Policy (政策版本): one version's terms, frozen, each value with the clause it stands on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Final, Generic, Literal, TypeVar

from tenants.catalogue import EvidenceNeed, Exclusion, ServiceItem
from tenants.kernel.money import Money
from tenants.kernel.rate import Rate

T = TypeVar("T")


class Unset(Enum):
    """A value that the source leaves to somebody who has not set it yet; nothing is computed with it."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET

Mode = Literal["common_use", "cross_redemption"]
BudgetRule = Literal["partial", "waitlist", "reject", "pro_rata"]
Proof = Literal[
    "registry_number_of_year", "registry_number", "certificate", "certificate_or_number", "documents", "residence"
]
RelationGround = Literal["direct_equity", "same_legal_representative", "common_shareholder", "control"]
ANYWHERE: Final = "*"
"""In place of divisions: registered anywhere in the country."""


@dataclass(frozen=True, slots=True)
class Term(Generic[T]):
    """A value, the document and clause that say it (``cite``), and what a reader should know of it (``note``)."""

    value: T
    cite: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class EnterpriseType:
    """A type of enterprise that the scheme supports, and its proof.

    ``certificate_years``: a certificate proves for so many years from its day of issue. ``documents``: the kinds that
    prove together. ``needs_review``: admitted only after the local bureau's review.
    """

    code: str
    zh: str
    en: str
    proof: Proof
    cite: str
    certificate_years: int | None = None
    documents: tuple[str, ...] = ()
    needs_review: bool = True


@dataclass(frozen=True, slots=True)
class EnterpriseTerms:
    """Who may apply. ``types`` stand in the order in which the service proposes them."""

    divisions: Term[tuple[str, ...]]
    requires_qualification: Term[bool]
    types: tuple[EnterpriseType, ...]
    revenue_ceiling: Term[Money] | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the region with its own figures: by division prefix, or by residence such as ``jinchuang_valley``.

    The zone without members is the rest of the region. ``provincial_to_local`` is the matching ratio, province first.
    ``provider_divisions`` widen the scheme's own for enterprises of the zone.
    """

    code: str
    zh: str
    en: str
    cite: str
    rate: Term[Rate | Unset]
    annual_cap: Term[Money | Unset]
    divisions: tuple[str, ...] = ()
    residences: tuple[str, ...] = ()
    provincial_to_local: Term[Rate] | None = None
    matching_cap: Term[Money] | None = None
    provider_divisions: Term[tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class ProviderTerms:
    """Who may sell. ``direct_kinds`` are admitted without age and without stating a qualification.

    ``directory``: ``required``, or ``or_proof`` where an order off the platform (线下下单) is allowed with proof.
    """

    divisions: Term[tuple[str, ...]]
    directory: Term[Literal["required", "or_proof"]]
    minimum_age_years: Term[int]
    direct_kinds: Term[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RelatedParty:
    """Relations between enterprise and provider that exclude; ``shareholder_percent`` of both is too much."""

    grounds: Term[tuple[RelationGround, ...]]
    shareholder_percent: Term[Rate]


@dataclass(frozen=True, slots=True)
class CutOffs:
    """The last instants, batch by batch, at which claims of one quota year are taken."""

    year: int
    at: tuple[datetime, ...]
    cite: str


@dataclass(frozen=True, slots=True)
class QuotaYear:
    """Which year a claim belongs to, by which date, and until when it may be submitted.

    ``starts`` (``MM-DD``): quota year Y begins on that day, of Y itself if it is 1 January, else of the year before.
    """

    basis: Term[Literal["policy_date", "invoice_date"]]
    starts: Term[str]
    cut_offs: tuple[CutOffs, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """How an award is bounded besides the annual cap.

    ``budget_rule``: what happens to a claim that the budget does not suffice for; with ``pro_rata`` all claims of a
    year wait until its budget is divided among them. ``full_support_through``: the first so much of a claim's base is
    supported in full, the rest at the rate. ``shared_cap``: the name of an annual cap that several schemes share;
    without it the cap is the scheme's own.
    """

    rounding: Term[Literal["down"]]
    budget_rule: Term[BudgetRule]
    claim_cap: Term[Money] | None = None
    full_support_through: Term[Money] | None = None
    shared_cap: Term[str] | None = None


@dataclass(frozen=True, slots=True)
class ServiceClass:
    """Service items with a rate of their own, in every zone; items of no class have the zone's."""

    code: str
    zh: str
    en: str
    cite: str
    items: tuple[str, ...]
    rate: Term[Rate]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The group of schemes whose subsidies exclude each other."""

    exclusion_group: Term[str]


@dataclass(frozen=True, slots=True)
class ReviewTerms:
    """Who looks at a claim: ``chain`` of stage codes, first stage first.

    ``provider_confirmation``: the provider confirms on the platform before submission. ``trust_list``: for listed
    providers their confirmation replaces review (服务承诺制). ``correction_days``: calendar days for a correction.
    ``trusted_chain``: the stages of a listed provider's claims; without it they are approved at once. The stage
    ``provider`` is the provider's own confirmation, given through its platform. ``sample_share``: which part of the
    claims that passed without review is looked at afterwards.
    """

    chain: Term[tuple[str, ...]]
    provider_confirmation: Term[bool]
    trust_list: Term[bool]
    correction_days: Term[int]
    trusted_chain: Term[tuple[str, ...]] | None = None
    sample_share: Term[Rate] | None = None


@dataclass(frozen=True, slots=True)
class PayoutTerms:
    """When and how money goes out. ``agent``: a settlement agent may pay across regions."""

    publicity_days: Term[int]
    agent: Term[bool]
    rhythm: Term[Literal["monthly", "batch"]] | None = None
    within_months: Term[int] | None = None
    matching_due_months: Term[int] | None = None


@dataclass(frozen=True, slots=True)
class Funder:
    """A purse that bears part of each award; while a share is unset the first funder bears all."""

    code: str
    zh: str
    en: str
    share: Term[Rate | Unset]


@dataclass(frozen=True, slots=True)
class Reward:
    """A provider's yearly reward: up to ``rate`` of what vouchers supported, not above ``cap`` per legal entity."""

    rate: Term[Rate]
    cap: Term[Money]


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one scheme's terms; see ``tenants.policy_document`` for its text."""

    tenant: str
    scheme: str
    effective: Term[date]
    source: str
    zh: str
    en: str
    modes: Term[tuple[Mode, ...]]
    enterprise: EnterpriseTerms
    zones: tuple[Zone, ...]
    provider: ProviderTerms
    services: tuple[ServiceItem, ...]
    related_party: RelatedParty
    exclusions: tuple[Exclusion, ...]
    evidence: tuple[EvidenceNeed, ...]
    quota_year: QuotaYear
    limits: Limits
    duplicates: Duplicates
    reservation_modes: Term[tuple[Mode, ...]]
    review: ReviewTerms
    payout: PayoutTerms
    funders: tuple[Funder, ...]
    sanction_years: Term[int | Unset]
    reward: Reward | None = None
    demonstration: bool = False
    service_classes: tuple[ServiceClass, ...] = ()
    correction: int = 0
    """Which correction of the version of that day this is; the first version has none."""

    def __hash__(self) -> int:
        return hash((self.tenant, self.scheme, self.effective.value, self.demonstration, self.correction))

    @property
    def version(self) -> str:
        """The version's name, such as ``jiangsu/provincial/2024-01-01``; a correction is numbered behind a point."""
        name = f"{self.tenant}/{self.scheme}/{self.effective.value}"
        name = f"{name}.{self.correction}" if self.correction else name
        return f"{name}-demonstration" if self.demonstration else name

    @property
    def effective_on(self) -> date:
        """The first day on which the version applies."""
        return self.effective.value

    @property
    def publicity_days(self) -> int:
        """Working days of public notice (公示) before a batch is paid."""
        return self.payout.publicity_days.value

    @property
    def review_chain(self) -> tuple[str, ...]:
        """The stages of review (审核), first stage first."""
        return self.review.chain.value

    @property
    def trusted_chain(self) -> tuple[str, ...]:
        """The stages for listed providers; none: approved at once."""
        return () if self.review.trusted_chain is None else self.review.trusted_chain.value

    @property
    def cap(self) -> str:
        """The name of the annual cap that claims draw on: the scheme's own, or one that schemes share."""
        return self.scheme if self.limits.shared_cap is None else self.limits.shared_cap.value

    @property
    def exclusion_group(self) -> str:
        """The group of schemes within which each fen of an invoice is supported once."""
        return self.duplicates.exclusion_group.value

    def zone(self, division: str, residences: Iterable[str]) -> Zone:
        """The enterprise's zone: by residence, else by division, else the rest, which every version has."""
        lived_in = frozenset(residences)
        for zone in self.zones:
            if not lived_in.isdisjoint(zone.residences):
                return zone
        for zone in self.zones:
            if zone.divisions and division.startswith(zone.divisions):
                return zone
        return next(zone for zone in self.zones if not zone.divisions and not zone.residences)


def in_force(policies: Iterable[Policy], on: date) -> Policy | None:
    """The version in force on the day: the latest that had begun, of the versions of one scheme.

    Where a demonstration begins on the same day as a version of law, the law is in force; of a version and its
    corrections the last.
    """
    begun = [policy for policy in policies if policy.effective_on <= on]
    return max(
        begun, key=lambda policy: (policy.effective_on, not policy.demonstration, policy.correction), default=None
    )


def lies_in(division: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a division code (GB/T 2260) lies under one of the prefixes; ``("*",)`` is the whole country."""
    return prefixes == (ANYWHERE,) or division.startswith(prefixes)
