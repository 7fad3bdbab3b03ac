from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from connectors.reading import read_submission
from tenants.kernel.errors import FieldError, Invalid

CLAIM: dict[str, Any] = {
    "external_id": "CXQ202408293280",
    "tenant": "jiangsu",
    "scheme": "provincial",
    "mode": "common_use",
    "submitted_at": "2024-08-29T21:21:19+08:00",
    "enterprise": {
        "uscc": "91320312M49W4QLE12",
        "name": "徐州某精密机械有限公司",
        "division": "320312",
        "types": ["tech_sme"],
        "type_proofs": {"tech_sme": {"number": "202432031208000771"}},
        "prior_year_revenue": "38000000.00",
        "established_on": "2016-05-04",
        "resident_of": [],
    },
    "provider": {
        "uscc": "91320100A17C7BA37A",
        "name": "某大学",
        "division": "320100",
        "kind": "university",
        "established_on": "1902-05-20",
        "on_platform": True,
        "qualifications": [{"kind": "CMA", "valid_through": "2027-12-31"}],
    },
    "contract": {
        "number": "KD-2024-017",
        "title": "履带件热处理工艺及磨损机理研究",
        "signed_on": "2024-02-01",
        "amount": "1000000.00",
    },
    "services": [
        {
            "item": "B1.3",
            "name": "磨损性能测试",
            "instrument": "摩擦磨损试验机",
            "amount": "408000.00",
            "completed_on": "2024-08-01",
        }
    ],
    "invoices": [
        {
            "number": "24322000000002658959",
            "code": None,
            "issued_on": "2024-08-05",
            "amount": "408000.00",
            "claimed_amount": "408000.00",
            "seller_uscc": "91320100A17C7BA37A",
            "buyer_uscc": "91320312M49W4QLE12",
        }
    ],
    "receipts": [
        {
            "serial": "HD9794185398",
            "paid_on": "2024-08-10",
            "amount": "408000.00",
            "claimed_amount": "408000.00",
            "payer_account": "6222 0200 1234 5678",
        }
    ],
    "documents": [
        {"kind": "contract", "sha256": "4e" * 32, "media_type": "application/pdf", "bytes": 183221},
        {"kind": "invoice_image", "sha256": "5f" * 32, "media_type": "image/jpeg", "bytes": 99000},
    ],
    "declarations": {
        "related_party": {
            "direct_equity": False,
            "same_legal_representative": False,
            "common_shareholder_percent": "33.4",
            "control": False,
        },
        "statutory_testing": False,
        "publicly_funded": False,
        "subcontracted": False,
        "rd_related": True,
    },
    "payee": {
        "account_name": "徐州某精密机械有限公司",
        "account_number": "1106014019000000000",
        "bank_name": "中国工商银行",
        "cnaps": "102301000017",
    },
    "reservation_id": None,
    "restores": "01920000-0000-7000-8000-000000000001",
    "duplicate_explanation": None,
}
"""A claim that states every field of the contract (api.md)."""

Change = Callable[[str, Any], dict[str, Any]]
Fault = Callable[[dict[str, Any]], tuple[FieldError, ...]]


@pytest.fixture
def claim() -> dict[str, Any]:
    return deepcopy(CLAIM)


@pytest.fixture
def with_value(claim: dict[str, Any]) -> Change:
    """The claim with another value at the pointer; ``...`` takes the member away."""

    def changed(place: str, value: Any) -> dict[str, Any]:
        *path, last = [int(part) if part.isdigit() else part for part in place.removeprefix("/").split("/")]
        part: Any = claim
        for step in path:
            part = part[step]
        if value is ...:
            del part[last]
        else:
            part[last] = value
        return claim

    return changed


@pytest.fixture
def faults() -> Fault:
    """The faults for which a claim is refused."""

    def refused(claim: dict[str, Any]) -> tuple[FieldError, ...]:
        with pytest.raises(Invalid) as problem:
            read_submission(claim)
        assert problem.value.code == "claim.invalid"
        return problem.value.errors

    return refused
