"""What an assessment needs to know beyond the claim and the policy, read once inside the claim's transaction.

These are values: rows are turned into them by ``clearing.claims.records``. They are stored with the assessment, so
that it can be computed again to the same bytes.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final
from uuid import UUID

import orjson

from tenants.kernel.canonical import printed_part
from tenants.kernel.money import ZERO, Money
from tenants.kernel.rate import Rate

STANDINGS_KEPT: Final = 4_096
"""Of most parties nothing is on record, and of the others the same for every claim."""


@dataclass(frozen=True, slots=True)
class EarlierUse:
    """A live use of one of this claim's keys by another claim or support record.

    ``month`` (``YYYY-MM``), ``platform`` and ``reference`` are all that one tenant may learn of another.
    """

    same_enterprise: bool
    same_programme: bool
    """Same tenant, scheme and platform as this claim."""
    platform: str
    month: str
    reference: str


@dataclass(frozen=True, slots=True)
class KeyState:
    """The registry's word on one identity in the claim, read under its lock.

    ``kind`` is ``invoice``, ``receipt``, ``contract`` or ``document`` (service reports and invoice images). ``place``
    is the RFC 6901 pointer of the invoice, receipt, document or contract. For invoices and receipts ``counted`` is the
    smallest face total stated so far (this claim's included), ``taken`` what other live claims use of it, and
    ``claimed`` what this claim uses, all its mentions together. ``cancelled`` is the part of ``taken`` that red-letter
    invoices have cancelled, which is no use by anybody. For the contract ``taken`` is what other live claims of
    the same programme have invoiced under it, and ``counted`` the smallest amount stated for it, or zero where that is
    not kept.
    """

    kind: str
    place: str
    counted: Money
    taken: Money
    claimed: Money
    amount_conflict: bool
    uses: tuple[EarlierUse, ...] = ()
    cancelled: Money = ZERO


@dataclass(frozen=True, slots=True)
class LinkedTerms:
    """What a linked region committed itself to: so much for each provincial yuan, up to ``cap`` an enterprise."""

    share: Rate
    cap: Money
    cite: str


@dataclass(frozen=True, slots=True)
class LinkedRegion:
    """The linked region (联动地区) that holds the enterprise's division in the quota year, and the types it matches.

    Without ``terms`` of its own the policy's ratio and cap count.
    """

    division: str
    types: tuple[str, ...]
    terms: LinkedTerms | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """Quota set aside for an intended contract (额度确认); in cross-redemption ``amount`` is the face value."""

    reservation_id: UUID
    state: str
    expires_on: date
    enterprise_uscc: str
    provider_uscc: str
    contract_number: str
    """Canonical, as ``clearing.claims.fingerprint`` writes it; so is the claim's own in ``Facts``."""
    amount: Money


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """What the scheme's directory says of an admitted provider; it goes before what the platform states.

    ``qualifications`` are pairs of a kind such as ``CMA`` and its last valid day.
    """

    kind: str
    established_on: date | None
    qualifications: tuple[tuple[str, date], ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is on record about an enterprise or provider in this tenant on the policy date."""

    sanctioned_through: date | None = None
    qualified: bool | None = None
    """``None``: nothing decided for the quota year; ``False``: refused, withdrawn or run out."""
    admitted: bool | None = None
    """``None``: no admission on record; the platform's own statement stands."""
    on_platform: bool | None = None
    trust_listed: bool = False
    directory: DirectoryEntry | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything outside the claim and the policy that one assessment reads.

    ``contract_number`` is the claim's own, canonical. ``quota_taken`` and ``matching_taken`` are what other claims and
    reservations of the enterprise hold of this scheme and quota year; what the claim's own reservation set aside is
    still free. ``budget_left`` is ``None`` where the year has no appropriation on record, and nothing
    while claims that came before wait for the budget. ``budget_share`` is what the
    claim got when a year's budget was divided in proportion; ``None`` before, and where no budget is divided.
    """

    contract_number: str
    quota_taken: Money = ZERO
    budget_left: Money | None = None
    linked_region: LinkedRegion | None = None
    matching_taken: Money = ZERO
    keys: tuple[KeyState, ...] = ()
    reservation: Reservation | None = None
    enterprise: Standing = Standing()
    provider: Standing = Standing()
    budget_share: Money | None = None


def facts_bytes(facts: Facts) -> bytes:
    """The canonical bytes (RFC 8785) of the facts: what :func:`tenants.kernel.canonical.canonical_bytes` makes of them.

    Their types leave no room for a float, a great integer or a key of the sender's, so nothing of that is looked for.
    """
    left, share = facts.budget_left, facts.budget_share
    members = {
        "budget_left": None if left is None else str(left),
        "budget_share": None if share is None else str(share),
        "contract_number": facts.contract_number,
        "enterprise": orjson.Fragment(_standing_bytes(facts.enterprise)),
        "keys": [_key_json(key) for key in facts.keys],
        "linked_region": facts.linked_region,
        "matching_taken": str(facts.matching_taken),
        "provider": orjson.Fragment(_standing_bytes(facts.provider)),
        "quota_taken": str(facts.quota_taken),
        "reservation": facts.reservation,
    }
    return orjson.dumps(members, printed_part, _OPTIONS)


def _key_json(key: KeyState) -> dict[str, object]:
    return {
        "amount_conflict": key.amount_conflict,
        "cancelled": str(key.cancelled),
        "claimed": str(key.claimed),
        "counted": str(key.counted),
        "kind": key.kind,
        "place": key.place,
        "taken": str(key.taken),
        "uses": key.uses,
    }


@lru_cache(maxsize=STANDINGS_KEPT)
def _standing_bytes(standing: Standing) -> bytes:
    return orjson.dumps(standing, printed_part, _OPTIONS)


_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATACLASS
