"""One realistic claim in the form of ``POST /v1/claims``."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

from clearing.demonstration.parties import Party, digits
from clearing.demonstration.programmes import Programme, Service
from tenants.kernel.clock import print_instant, shanghai_day
from tenants.kernel.money import FEN_PER_YUAN, Money

Body = dict[str, Any]
"""A claim as JSON data."""

_BANDS_YUAN: Final = ((600, 5_000), (5_000, 20_000), (20_000, 60_000), (60_000, 160_000), (160_000, 460_000))
_BAND_WEIGHTS: Final = (26, 38, 22, 10, 4)
"""Many small services, few large ones."""
_PERCENT: Final = 100
_LEGACY_INVOICES_PERCENT: Final = 30
_ROUND_AMOUNTS_PERCENT: Final = 70
_SPLIT_FROM: Final = Money(3_000_000)
"""From here on a service is often invoiced in two parts."""
_MEDIA_TYPES: Final = {"invoice_image": "image/jpeg", "receipt_image": "image/png"}
_PROOF_DOCUMENTS: Final = {
    "incubated": ("incubation_proof",),
    "talent": ("talent_selection_proof", "talent_relation_proof"),
    "zone_resident": ("incubation_proof",),
}


@dataclass(frozen=True, slots=True)
class Order:
    """Who buys what from whom, for how much, claimed when."""

    programme: Programme
    enterprise: Party
    enterprise_type: str
    provider: Party
    provider_kind: str
    service: Service
    amount: Money
    submitted_at: datetime


def some_amount(rng: Random) -> Money:
    """A service total, skewed as such totals are; now and then not in whole tens of yuan."""
    yuan = rng.randrange(*rng.choices(_BANDS_YUAN, weights=_BAND_WEIGHTS)[0])
    if rng.randrange(_PERCENT) < _ROUND_AMOUNTS_PERCENT:
        return Money(yuan // 10 * 10 * FEN_PER_YUAN)
    return Money(yuan * FEN_PER_YUAN + rng.randrange(FEN_PER_YUAN))


def claim_body(rng: Random, external_id: str, order: Order) -> Body:
    """The claim: consistent in its dates and totals, complete in its evidence."""
    issued_on = shanghai_day(order.submitted_at) - timedelta(days=rng.randrange(5, 40))
    completed_on = issued_on - timedelta(days=rng.randrange(25))
    signed_on = completed_on - timedelta(days=rng.randrange(20, 120))
    parts = _parts(rng, order.amount)
    item, name, instrument = order.service
    bound = order.amount if rng.randrange(4) else order.amount + Money(500_000)
    service = {
        "item": item,
        "name": name,
        "instrument": instrument,
        "amount": str(order.amount),
        "completed_on": completed_on.isoformat(),
    }
    return {
        "external_id": external_id,
        "tenant": order.programme.tenant,
        "scheme": order.programme.scheme,
        "mode": "common_use",
        "submitted_at": print_instant(order.submitted_at),
        "enterprise": _enterprise(rng, order),
        "provider": _provider(rng, order),
        "contract": {
            "number": f"{rng.choice(('JS', 'KD', 'HT', '技合'))}-{signed_on.year}-{rng.randrange(1, 1000):03d}",
            "title": f"{name}{rng.choice(('技术服务', '委托', '技术开发'))}合同",
            "signed_on": signed_on.isoformat(),
            "amount": str(bound),
        },
        "services": [service],
        "invoices": [_invoice(rng, order, part, issued_on) for part in parts],
        "receipts": [receipt(rng, part, issued_on + timedelta(days=rng.randrange(4))) for part in parts],
        "documents": documents(external_id, _kinds(order, len(parts))),
        "declarations": {
            "related_party": {
                "direct_equity": False,
                "same_legal_representative": False,
                "common_shareholder_percent": "0",
                "control": False,
            },
            "statutory_testing": False,
            "publicly_funded": False,
            "subcontracted": False,
            "rd_related": True,
        },
        "payee": payee(order.enterprise),
        "reservation_id": None,
        "duplicate_explanation": None,
    }


def payee(party: Party) -> Body:
    """The account of the party."""
    return {
        "account_name": party.name,
        "account_number": party.account_number,
        "bank_name": party.bank_name,
        "cnaps": party.cnaps,
    }


def receipt(rng: Random, amount: Money, paid_on: date) -> Body:
    """A bank receipt over the amount."""
    serial = rng.choice(("HD", "", f"{paid_on:%Y%m%d}")) + digits(rng, 10)
    return {"serial": serial, "paid_on": paid_on.isoformat(), "amount": str(amount)}


def documents(external_id: str, kinds: Iterable[str]) -> list[Body]:
    """One document of each kind, their digests peculiar to the claim."""
    listed = []
    for position, kind in enumerate(kinds):
        digest = hashlib.sha256(f"demonstration/{external_id}/{position}/{kind}".encode()).hexdigest()
        listed.append(
            {
                "kind": kind,
                "sha256": digest,
                "media_type": _MEDIA_TYPES.get(kind, "application/pdf"),
                "bytes": 60_000 + int(digest[:5], 16),
            }
        )
    return listed


def _kinds(order: Order, invoices: int) -> list[str]:
    proofs = _PROOF_DOCUMENTS.get(order.enterprise_type, ())
    return [*order.programme.evidence, *["invoice_image"] * (invoices - 1), *proofs]


def _parts(rng: Random, amount: Money) -> list[Money]:
    if amount < _SPLIT_FROM or rng.randrange(2):
        return [amount]
    first = Money(amount.fen * rng.randrange(30, 70) // _PERCENT)
    return [first, amount - first]


def _enterprise(rng: Random, order: Order) -> Body:
    party, kind, day = order.enterprise, order.enterprise_type, shanghai_day(order.submitted_at)
    proof: Body = {}
    if kind in ("tech_sme", "innovative_sme", "specialised_sme"):
        proof = {kind: {"number": f"{day.year}{party.division}{digits(rng, 8)}"}}
    elif kind == "high_tech":
        proof = {kind: {"issued_on": (day - timedelta(days=rng.randrange(60, 1_000))).isoformat()}}
    return {
        "uscc": party.uscc,
        "name": party.name,
        "division": party.division,
        "types": [kind],
        "type_proofs": proof,
        "prior_year_revenue": f"{rng.randrange(300, 39_000)}0000.00",
        "established_on": f"{rng.randrange(2003, 2023)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
        "resident_of": ["jinchuang_valley"] if kind == "zone_resident" else [],
    }


def _provider(rng: Random, order: Order) -> Body:
    return {
        "uscc": order.provider.uscc,
        "name": order.provider.name,
        "division": order.provider.division,
        "kind": order.provider_kind,
        "established_on": f"{rng.randrange(1986, 2019)}-{rng.randrange(1, 13):02d}-15",
        "on_platform": True,
        "qualifications": [
            {"kind": kind, "valid_through": f"{rng.randrange(2025, 2030)}-12-31"}
            for kind in rng.sample(("CMA", "CNAS"), k=rng.randrange(1, 3))
        ],
    }


def _invoice(rng: Random, order: Order, amount: Money, issued_on: date) -> Body:
    """A fully digital invoice (数电票), or an older one with its code."""
    area = order.provider.division[:2]
    if rng.randrange(_PERCENT) < _LEGACY_INVOICES_PERCENT:
        code = f"0{area}00{issued_on:%y}00{rng.randrange(1, 10)}11"
        number = digits(rng, 8)
    else:
        code = None
        number = f"{issued_on:%y}{area}2{digits(rng, 15)}"
    invoice: Body = {"code": code, "number": number, "issued_on": issued_on.isoformat(), "amount": str(amount)}
    if rng.randrange(2):
        invoice |= {"seller_uscc": order.provider.uscc, "buyer_uscc": order.enterprise.uscc}
    return invoice
