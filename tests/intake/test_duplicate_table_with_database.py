"""The table of verdicts of dedup.md: each kind of key, met by the same or another enterprise, here or elsewhere."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.intake.bodies import JIANGSU, WUJIANG, Body, Programme, buyer, claim, seller
from tests.intake.counter import Counter, codes, traces


@dataclass(frozen=True)
class Meeting:
    """How the second claim meets the key of the first, a provincial claim of a Wujiang enterprise through jssic."""

    same_enterprise: bool
    programme: Programme
    platform: str


OWN = Meeting(same_enterprise=True, programme=JIANGSU, platform="jssic")
OWN_OTHER_PLATFORM = Meeting(same_enterprise=True, programme=JIANGSU, platform="delta")
OWN_OTHER_SCHEME = Meeting(same_enterprise=True, programme=WUJIANG, platform="delta")
FOREIGN = Meeting(same_enterprise=False, programme=JIANGSU, platform="jssic")
FOREIGN_OTHER_PLATFORM = Meeting(same_enterprise=False, programme=JIANGSU, platform="delta")
FOREIGN_OTHER_SCHEME = Meeting(same_enterprise=False, programme=WUJIANG, platform="delta")


def second_claim(first: Body, kind: str, meeting: Meeting) -> Body:
    """A claim that shares one key with the first and nothing else but, where it says so, its enterprise."""
    second = claim(meeting.programme)
    if meeting.same_enterprise:
        second["enterprise"] = first["enterprise"]
    if kind == "invoice":
        second["invoices"][0]["number"] = first["invoices"][0]["number"]
    elif kind == "receipt":
        second["receipts"][0]["serial"] = first["receipts"][0]["serial"]
    elif kind == "contract":
        second["contract"] = first["contract"]
        second["provider"] = first["provider"]
    else:
        second["documents"][1]["sha256"] = first["documents"][1]["sha256"]
    return second


PASSES = ("in_review", set[str]())
CROSS_SCHEME = ("rejected", {"duplicate.cross_scheme"})
PROJECT = ("rejected", {"duplicate.project"})
DOCUMENT = ("on_hold", {"duplicate.document_reuse"})
FOREIGN_INVOICE = ("on_hold", {"duplicate.foreign_invoice"})
FOREIGN_RECEIPT = ("on_hold", {"duplicate.foreign_receipt"})
TABLE = [
    ("invoice", OWN, ("rejected", {"duplicate.invoice_exhausted"})),
    ("invoice", OWN_OTHER_PLATFORM, CROSS_SCHEME),
    ("invoice", OWN_OTHER_SCHEME, CROSS_SCHEME),
    ("invoice", FOREIGN, FOREIGN_INVOICE),
    ("invoice", FOREIGN_OTHER_PLATFORM, FOREIGN_INVOICE),
    ("invoice", FOREIGN_OTHER_SCHEME, FOREIGN_INVOICE),
    ("contract", OWN, PASSES),
    ("contract", OWN_OTHER_PLATFORM, PROJECT),
    ("contract", OWN_OTHER_SCHEME, PROJECT),
    ("contract", FOREIGN, PASSES),
    ("contract", FOREIGN_OTHER_PLATFORM, PASSES),
    ("contract", FOREIGN_OTHER_SCHEME, PASSES),
    ("receipt", OWN, ("needs_correction", {"duplicate.receipt_exhausted"})),
    ("receipt", OWN_OTHER_PLATFORM, CROSS_SCHEME),
    ("receipt", OWN_OTHER_SCHEME, CROSS_SCHEME),
    ("receipt", FOREIGN, FOREIGN_RECEIPT),
    ("receipt", FOREIGN_OTHER_PLATFORM, FOREIGN_RECEIPT),
    ("receipt", FOREIGN_OTHER_SCHEME, FOREIGN_RECEIPT),
    ("document", OWN, DOCUMENT),
    ("document", OWN_OTHER_PLATFORM, DOCUMENT),
    ("document", OWN_OTHER_SCHEME, DOCUMENT),
    ("document", FOREIGN, DOCUMENT),
    ("document", FOREIGN_OTHER_PLATFORM, DOCUMENT),
    ("document", FOREIGN_OTHER_SCHEME, DOCUMENT),
]


def wujiang_claim() -> Body:
    """A provincial claim whose enterprise the Delta scheme serves as well; its contract bears two such invoices."""
    first = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first["contract"]["amount"] = "20000.00"
    return first


@pytest.mark.parametrize(("kind", "meeting", "expected"), TABLE)
def test_a_second_claim_meets_a_live_key(
    counter: Counter, kind: str, meeting: Meeting, expected: tuple[str, set[str]]
) -> None:
    body = wujiang_claim()
    counter.submit(body)
    second = counter.submit(second_claim(body, kind, meeting), meeting.platform)
    assert (second.row.state, codes(second)) == expected


@pytest.mark.parametrize(("kind", "meeting", "expected"), TABLE)
def test_a_second_claim_passes_once_the_first_is_withdrawn(
    counter: Counter, kind: str, meeting: Meeting, expected: tuple[str, set[str]]
) -> None:
    body = wujiang_claim()
    counter.withdraw(counter.submit(body))
    second = counter.submit(second_claim(body, kind, meeting), meeting.platform)
    assert (second.row.state, codes(second)) == PASSES
    assert expected


def test_what_a_tenant_learns_of_the_other_side_is_platform_month_and_reference(counter: Counter) -> None:
    body = wujiang_claim()
    first = counter.submit(body)
    second = counter.submit(second_claim(body, "invoice", OWN_OTHER_SCHEME), "delta")
    trace: Any = traces(counter, second)[0]["trace"]
    found = next(entry for entry in trace if entry["rule"] == "duplicate.cross_scheme")
    assert [side | {"fault": None} for side in found["output"]["other_side"]] == [
        {"fault": None, "platform": "jssic", "month": "2024-08", "reference": str(first.row.id)}
    ]
    told = counter.rows("select result || facts from assessment where claim_id = %s", second.row.id)[0][0]
    for secret in (first.row.claim_no, body["external_id"], body["payee"]["account_number"]):
        assert secret not in told


def test_a_contract_is_exhausted_by_the_claims_of_its_own_programme(counter: Counter) -> None:
    body = wujiang_claim()
    counter.submit(body)
    assert counter.submit(second_claim(body, "contract", OWN)).row.state == "in_review"
    third = counter.submit(second_claim(body, "contract", OWN))
    assert (third.row.state, codes(third)) == ("needs_correction", {"totals.contract"})


@pytest.mark.parametrize("kind", ["invoice", "receipt", "contract"])
def test_claims_of_one_transaction_see_each_other(counter: Counter, kind: str) -> None:
    body = wujiang_claim()
    body["contract"]["amount"] = "10000.00"
    first, second = counter.submit_all([body, second_claim(body, kind, OWN)])
    assert first.view is not None
    assert second.view is not None
    assert first.view.row.state == "in_review"
    assert second.view.row.state in {"rejected", "needs_correction"}
