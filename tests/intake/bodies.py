"""Claims as JSON data, each of its own enterprise, provider, contract, invoice, receipt and papers."""

import itertools
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from random import SystemRandom
from typing import Any, Final

from clearing.demonstration.parties import Party, Region, Seller, digits, enterprise_in, provider_of
from tenants.kernel.clock import SHANGHAI

Body = dict[str, Any]

DAY: Final = date(2024, 8, 29)
"""When claims are submitted unless a test says another day; the other days of a claim lie before it."""

_BASIC: Final = ("contract", "service_report", "invoice_image", "receipt_image")
_RNG: Final = SystemRandom()
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Programme:
    """One scheme of one tenant, and what a claim in it states."""

    platform: str
    tenant: str
    scheme: str
    enterprises: Region
    seller: Seller
    item: str
    type: str
    evidence: tuple[str, ...] = _BASIC


JIANGSU: Final = Programme(
    "jssic", "jiangsu", "provincial", Region("320115", "南京", 1), Seller("江左理工大学", "320100", "university"),
    "B1.3", "tech_sme", (*_BASIC, "rd_evidence"),
)  # fmt: skip
"""25 % of the base, at most 100,000 yuan a year; one stage of review: center."""
WUJIANG: Final = Programme(
    "delta", "wujiang", "delta", Region("320509", "苏州吴江", 1), Seller("钱塘检测研究院", "330100", "institute"),
    "testing", "tech_sme",
)  # fmt: skip
"""Its demonstration policy: 30 %, at most 300,000 yuan a year; two stages of review: center, authority."""
SHANXI: Final = Programme(
    "shanxi-inno", "shanxi-hainan", "provincial", Region("140802", "运城", 1),
    Seller("河东工业大学", "140800", "university"), "testing", "innovative_sme",
    (*_BASIC, "commitment_letter", "business_licence", "legal_representative_id"),
)  # fmt: skip
"""50 % of the base; the budget's end cuts an award; two stages of review: city, province."""


def buyer(programme: Programme = JIANGSU) -> Party:
    """A new enterprise of the programme's region."""
    return enterprise_in(_RNG, programme.enterprises)


def seller(programme: Programme = JIANGSU) -> Party:
    """A new provider."""
    return provider_of(_RNG, programme.seller)


def invoice_number() -> str:
    """A new number of a fully digital invoice."""
    return f"2432{digits(_RNG, 16)}"


def noon(day: date) -> str:
    """Twelve o'clock of the day in Shanghai."""
    return datetime.combine(day, time(12), SHANGHAI).isoformat()


def claim(
    programme: Programme = JIANGSU,
    amount: str = "10000.00",
    *,
    on: date = DAY,
    by: Party | None = None,
    to: Party | None = None,
    **members: Any,
) -> Body:
    """A claim without fault over one invoice of ``amount``; ``members`` replace the body's own."""
    enterprise, provider = by or buyer(programme), to or seller(programme)
    external_id = f"T{next(_NUMBERS)}-{digits(_RNG, 12)}"
    body: Body = {
        "external_id": external_id,
        "tenant": programme.tenant,
        "scheme": programme.scheme,
        "mode": "common_use",
        "submitted_at": noon(on),
        "enterprise": _enterprise(enterprise, programme.type, on),
        "provider": _provider(provider, programme.seller),
        "contract": {
            "number": f"KD-{on.year}-{digits(_RNG, 10)}",
            "title": "磨损性能测试技术服务合同",
            "signed_on": (on - timedelta(days=120)).isoformat(),
            "amount": amount,
        },
        "services": [
            {
                "item": programme.item,
                "name": "磨损性能测试",
                "instrument": "摩擦磨损试验机",
                "amount": amount,
                "completed_on": (on - timedelta(days=30)).isoformat(),
            }
        ],
        "invoices": [invoice(amount, on)],
        "receipts": [receipt(amount, on)],
        "documents": papers(external_id, programme.evidence),
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
        "payee": account_of(enterprise),
        "reservation_id": None,
        "duplicate_explanation": None,
    }
    return body | members


def invoice(amount: str, on: date = DAY, **members: Any) -> Body:
    """A fully digital invoice, new unless ``members`` say its number."""
    issued_on = (on - timedelta(days=20)).isoformat()
    return {"code": None, "number": invoice_number(), "issued_on": issued_on, "amount": amount} | members


def receipt(amount: str, on: date = DAY, **members: Any) -> Body:
    """A bank receipt, new unless ``members`` say its serial number."""
    return {
        "serial": f"HD{digits(_RNG, 14)}",
        "paid_on": (on - timedelta(days=15)).isoformat(),
        "amount": amount,
    } | members


def papers(seed: str, kinds: tuple[str, ...]) -> list[Body]:
    """One file of each kind, their digests peculiar to ``seed``."""
    return [
        {
            "kind": kind,
            "sha256": sha256(f"{seed}/{kind}".encode()).hexdigest(),
            "media_type": "application/pdf",
            "bytes": 180_000,
        }
        for kind in kinds
    ]


def account_of(party: Party) -> Body:
    """The party's bank account as a payee."""
    return {
        "account_name": party.name,
        "account_number": party.account_number,
        "bank_name": party.bank_name,
        "cnaps": party.cnaps,
    }


def again(body: Body, **members: Any) -> Body:
    """The same spending once more, under another number and with new scans of its papers."""
    copy = deepcopy(body)
    copy["external_id"] = f"T{next(_NUMBERS)}-{digits(_RNG, 12)}"
    kinds = tuple(paper["kind"] for paper in body["documents"])
    copy["documents"] = papers(copy["external_id"], kinds)
    return copy | members


def like(body: Body, programme: Programme, **members: Any) -> Body:
    """The same spending claimed in another programme, with that programme's catalogue and evidence."""
    copy = again(body, tenant=programme.tenant, scheme=programme.scheme)
    copy["services"][0]["item"] = programme.item
    copy["documents"] = papers(copy["external_id"], programme.evidence)
    return copy | members


def part(body: Body, amount: str) -> Body:
    """The claim over a part of its invoice: service, receipt and claimed amount are ``amount``."""
    body["services"][0]["amount"] = amount
    body["invoices"][0]["claimed_amount"] = amount
    body["receipts"] = [receipt(amount)]
    return body


def _enterprise(party: Party, kind: str, on: date) -> Body:
    return {
        "uscc": party.uscc,
        "name": party.name,
        "division": party.division,
        "types": [kind],
        "type_proofs": {kind: {"number": f"{on.year}{party.division}{digits(_RNG, 8)}"}},
        "prior_year_revenue": "38000000.00",
        "established_on": "2016-05-04",
        "resident_of": [],
    }


def _provider(party: Party, kind: Seller) -> Body:
    return {
        "uscc": party.uscc,
        "name": party.name,
        "division": party.division,
        "kind": kind.kind,
        "established_on": "1999-01-01",
        "on_platform": True,
        "qualifications": [{"kind": "CMA", "valid_through": "2099-12-31"}],
    }
