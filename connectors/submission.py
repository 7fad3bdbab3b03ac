"""The canonical submission: a claim exactly as a platform states it, before anything is judged.

Every platform's wire format is mapped to these types; the fields are those of ``POST /v1/claims``. Amounts are
``Money``, days are in Asia/Shanghai. Texts keep what the platform sent (NFC); identities are canonicalised later,
in ``clearing.claims.fingerprint``, so that the disguise itself stays on record.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from tenants.kernel.money import Money
from tenants.kernel.rate import Rate


@dataclass(frozen=True, slots=True)
class TypeProof:
    """What proves an enterprise type: a registry ``number`` or the day a certificate was issued."""

    number: str | None = None
    issued_on: date | None = None


@dataclass(frozen=True, slots=True)
class Enterprise:
    """The buyer. ``division`` is the six-digit code (GB/T 2260) of its registration."""

    uscc: str
    name: str
    division: str
    types: tuple[str, ...]
    type_proofs: Mapping[str, TypeProof] = field(default_factory=dict)
    prior_year_revenue: Money | None = None
    established_on: date | None = None
    resident_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderQualification:
    """A qualification such as ``CMA`` or ``CNAS`` and its last valid day."""

    kind: str
    valid_through: date


@dataclass(frozen=True, slots=True)
class Provider:
    """The seller of the service. ``on_platform`` is the platform's own statement of its directory entry."""

    uscc: str
    name: str
    division: str
    kind: str
    established_on: date | None = None
    on_platform: bool = False
    qualifications: tuple[ProviderQualification, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """The one contract whose performed services are claimed."""

    number: str
    title: str
    signed_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One performed service; ``item`` is a code of the scheme's catalogue."""

    item: str
    name: str
    amount: Money
    completed_on: date
    instrument: str | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """A fiscal invoice: ``amount`` is its face total, ``claimed`` the part this claim uses."""

    number: str
    issued_on: date
    amount: Money
    claimed: Money
    code: str | None = None
    seller_uscc: str | None = None
    buyer_uscc: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A bank receipt: ``amount`` is its face total, ``claimed`` the part that paid for this claim."""

    serial: str
    paid_on: date
    amount: Money
    claimed: Money
    payer_account: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of evidence kept by the platform, known here by its digest (64 lower-case hex digits)."""

    kind: str
    sha256: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RelatedParty:
    """What the enterprise declares about its relation to the provider.

    ``common_shareholder_percent`` is in percent: ``50`` is a half.
    """

    direct_equity: bool
    same_legal_representative: bool
    common_shareholder_percent: Rate
    control: bool


@dataclass(frozen=True, slots=True)
class Declarations:
    """The enterprise's declarations, each a ground for exclusion where a scheme's source names it."""

    related_party: RelatedParty
    statutory_testing: bool
    publicly_funded: bool
    subcontracted: bool
    rd_related: bool


@dataclass(frozen=True, slots=True)
class Payee:
    """The account that an award is paid to; the number is a secret at rest and masked in answers."""

    account_name: str
    account_number: str
    bank_name: str
    cnaps: str


@dataclass(frozen=True, slots=True)
class Submission:
    """One request to be paid, as a platform submits it."""

    external_id: str
    tenant: str
    scheme: str
    mode: str
    submitted_at: datetime
    enterprise: Enterprise
    provider: Provider
    contract: Contract
    services: tuple[ServiceLine, ...]
    invoices: tuple[Invoice, ...]
    receipts: tuple[Receipt, ...]
    documents: tuple[Document, ...]
    declarations: Declarations
    payee: Payee
    reservation_id: UUID | None = None
    restores: UUID | None = None
    duplicate_explanation: str | None = None


@dataclass(frozen=True, slots=True)
class IntendedService:
    """One service of an intended contract; ``item`` is a code of the scheme's catalogue."""

    item: str
    name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A request to set quota aside for an intended contract (额度确认); ``amount`` asks for less than computed.

    Where ``services`` are named, only those of the catalogue count.
    """

    external_id: str
    tenant: str
    scheme: str
    mode: str
    requested_at: datetime
    enterprise: Enterprise
    provider: Provider
    contract: Contract
    amount: Money | None = None
    services: tuple[IntendedService, ...] = ()


@dataclass(frozen=True, slots=True)
class SupportKey:
    """One identity of spending that was supported elsewhere; ``provider_uscc`` completes a contract's."""

    kind: str
    value: str
    amount: Money | None = None
    provider_uscc: str | None = None


@dataclass(frozen=True, slots=True)
class SupportRecord:
    """A platform's statement that some spending was already subsidised and paid elsewhere (支持记录)."""

    platform: str
    external_id: str
    tenant: str
    enterprise_uscc: str
    keys: tuple[SupportKey, ...]
    supported_on: date
