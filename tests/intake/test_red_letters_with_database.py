"""Red-letter invoices (红字发票): what they cancel cannot be claimed, and what was claimed on it starts again."""

from typing import Any

import pytest

from clearing.claims.records import ClaimView
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, invoice, invoice_number, part, seller
from tests.intake.counter import Counter, award, codes, open_holds
from tests.intake.test_support_records_with_database import invoice_key, record

WHOLE = "10000.00"


def red_letter(body: Body, amount: str = WHOLE, **members: Any) -> Body:
    """The statement that the claim's invoice was cancelled, by so much."""
    key = {"kind": "red_letter", "value": body["invoices"][0]["number"], "amount": amount}
    return record(body, key, external_id=f"R-{invoice_number()}") | members


def wujiang_enterprises() -> Body:
    return claim(JIANGSU, WHOLE, by=buyer(WUJIANG), to=seller(WUJIANG))


def test_a_cancelled_invoice_cannot_be_claimed(counter: Counter) -> None:
    body = wujiang_enterprises()
    told = counter.support(red_letter(body))
    assert (told.status, told.keys, told.collisions) == (201, 1, ())
    assert codes(counter.submit(body)) == {"duplicate.red_letter"}


def test_of_an_invoice_that_is_cancelled_in_part_the_rest_can_be_claimed(counter: Counter) -> None:
    body = wujiang_enterprises()
    counter.support(red_letter(body, "6000.00"))
    over = part(again(body), "4000.01")
    assert codes(counter.submit(over)) == {"duplicate.red_letter"}
    first = counter.submit(part(again(body), "4000.00"))
    assert (first.row.state, award(first)) == ("in_review", "1000.00")


@pytest.mark.parametrize("state", ["in_review", "on_hold", "needs_correction", "approved", "batched"])
def test_an_unpaid_claim_on_it_starts_again_with_everything_free(counter: Counter, state: str) -> None:
    body = wujiang_enterprises()
    first = claimed(counter, body, state)
    counter.support(red_letter(body))
    back = counter.view(first)
    assert (back.state_now, award(back), open_holds(back)) == ("needs_correction", "0.00", set())
    assert counter.rows("select count(*) from registry_holding where holder_id = %s", first.row.id) == [(0,)]
    body["invoices"] = [invoice(WHOLE)]
    body["documents"][2]["sha256"] = claim()["documents"][2]["sha256"]
    corrected = counter.submit(body)
    assert (corrected.row.state, corrected.row.revision, award(corrected)) == ("in_review", 2, "2500.00")


def claimed(counter: Counter, body: Body, state: str) -> ClaimView:
    """A claim in this state."""
    if state == "on_hold":
        other = claim()
        counter.submit(other)
        body["documents"][2]["sha256"] = other["documents"][2]["sha256"]
    first = counter.submit(body)
    if state == "needs_correction":
        counter.review(first, "correct", reason="补充材料")
    if state in {"approved", "batched"}:
        counter.review(first)
    if state == "batched":
        counter.cut()
    assert counter.view(first).state_now == state
    return first


def test_a_claim_that_comes_again_with_the_cancelled_invoice_is_refused(counter: Counter) -> None:
    body = wujiang_enterprises()
    counter.submit(body)
    counter.support(red_letter(body))
    body["contract"]["title"] = "更正后的合同名称"
    assert codes(counter.submit(body)) == {"duplicate.red_letter"}


def test_a_claim_on_the_part_that_is_not_cancelled_stays(counter: Counter) -> None:
    body = wujiang_enterprises()
    first = counter.submit(part(body, "4000.00"))
    counter.support(red_letter(body, "6000.00"))
    assert counter.view(first).row.state == "in_review"
    assert counter.rows(
        "select taken_fen, total_fen from registry_key where kind = 'invoice' and digest in ("
        "select digest from registry_holding where holder_id = %s)",
        first.row.id,
    ) == [(1_000_000, 1_000_000)]


def test_a_claim_that_was_paid_on_it_opens_a_case_and_waits_for_nothing(counter: Counter) -> None:
    body = wujiang_enterprises()
    first = counter.paid(body)
    told = counter.support(red_letter(body))
    assert counter.view(first).state_now == "payable"
    [case] = counter.cases("jiangsu", first)
    assert (case["kind"], case["code"], case["side"]) == ("red_letter", "duplicate.red_letter", "earlier")
    assert case["other_side"] == {"platform": "wujiang-local", "month": "2024-06", "reference": str(told.record_id)}
    [theirs] = counter.cases("wujiang")[-1:]
    assert theirs["id"] == case["id"]
    assert counter.decide(case, "later_stands")["outcome"] == "later_stands"
    assert counter.view(first).state_now == "payable"


def test_two_cancelled_invoices_of_one_paid_claim_are_one_case(counter: Counter) -> None:
    body = wujiang_enterprises()
    body["invoices"] = [invoice("6000.00"), invoice("4000.00")]
    first = counter.paid(body)
    keys = [{"kind": "red_letter", "value": one["number"], "amount": one["amount"]} for one in body["invoices"]]
    assert counter.support(record(body, *keys)).keys == 2
    assert [case["code"] for case in counter.cases("jiangsu", first)] == ["duplicate.red_letter"]


def test_what_was_paid_elsewhere_on_it_opens_a_case_too(counter: Counter) -> None:
    body = wujiang_enterprises()
    counter.support(record(body, invoice_key(body)))
    counter.support(red_letter(body))
    assert [case["kind"] for case in counter.cases("wujiang")[-1:]] == ["red_letter"]


def test_a_red_letter_of_another_enterprise_cancels_nothing_but_is_looked_at(counter: Counter) -> None:
    body = wujiang_enterprises()
    first = counter.submit(body)
    counter.support(red_letter(body, enterprise_uscc=buyer(WUJIANG).uscc))
    assert open_holds(counter.view(first)) == {"duplicate.collision"}


def test_a_re_issued_invoice_of_a_paid_claim_does_not_pass_beside_it(counter: Counter) -> None:
    body = wujiang_enterprises()
    counter.paid(body)
    counter.support(red_letter(body))
    second = again(body)
    second["invoices"] = [invoice(WHOLE)]
    assert codes(counter.submit(second)) == {"totals.contract", "duplicate.receipt_exhausted"}


def test_a_record_of_cancelled_invoices_tells_of_nothing_else(counter: Counter) -> None:
    body = wujiang_enterprises()
    mixed = record(body, {"kind": "red_letter", "value": invoice_number(), "amount": "1.00"}, invoice_key(body))
    assert [fault.code for fault in counter.refused_support(mixed).errors] == ["key.mixed"]
    without = record(body, {"kind": "red_letter", "value": invoice_number()})
    assert [fault.code for fault in counter.refused_support(without).errors] == ["amount.missing"]
