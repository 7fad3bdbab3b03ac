"""What goes with a verdict of dedup.md (the table itself: ``tests/verdicts``): what is told, what is added up."""

from typing import Any

import pytest

from tests.intake.bodies import JIANGSU, WUJIANG, Body, Programme, buyer, claim, seller
from tests.intake.counter import Counter, codes, traces


def second_claim(first: Body, kind: str, programme: Programme = JIANGSU) -> Body:
    """A claim of the same enterprise that shares one key with the first and nothing else."""
    second = claim(programme)
    second["enterprise"] = first["enterprise"]
    if kind == "invoice":
        second["invoices"][0]["number"] = first["invoices"][0]["number"]
    elif kind == "receipt":
        second["receipts"][0]["serial"] = first["receipts"][0]["serial"]
    else:
        second["contract"] = first["contract"]
        second["provider"] = first["provider"]
    return second


def wujiang_claim() -> Body:
    """A provincial claim whose enterprise the Delta scheme serves as well; its contract bears two such invoices."""
    first = claim(JIANGSU, by=buyer(WUJIANG), to=seller(WUJIANG))
    first["contract"]["amount"] = "20000.00"
    return first


def test_what_a_tenant_learns_of_the_other_side_is_platform_month_and_reference(counter: Counter) -> None:
    body = wujiang_claim()
    first = counter.submit(body)
    second = counter.submit(second_claim(body, "invoice", WUJIANG), "delta")
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
    assert counter.submit(second_claim(body, "contract")).row.state == "in_review"
    third = counter.submit(second_claim(body, "contract"))
    assert (third.row.state, codes(third)) == ("needs_correction", {"totals.contract"})


@pytest.mark.parametrize("kind", ["invoice", "receipt", "contract"])
def test_claims_of_one_transaction_see_each_other(counter: Counter, kind: str) -> None:
    body = wujiang_claim()
    body["contract"]["amount"] = "10000.00"
    first, second = counter.submit_all([body, second_claim(body, kind)])
    assert first.view is not None
    assert second.view is not None
    assert first.view.row.state == "in_review"
    assert second.view.row.state in {"rejected", "needs_correction"}
