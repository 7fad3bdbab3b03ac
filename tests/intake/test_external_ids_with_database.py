"""The same external id again: the same content, other content, another tenant's, and a correction."""

import pytest
from sqlalchemy.exc import IntegrityError

from tenants.kernel.database import broken_constraint
from tests.intake.bodies import JIANGSU, WUJIANG, again, claim, invoice, like, receipt
from tests.intake.counter import Counter, award, codes


def test_the_same_content_again_changes_nothing(counter: Counter) -> None:
    body = claim()
    first, second = counter.outcome(body), counter.outcome(body)
    assert (first.status, second.status) == (201, 200)
    assert first.view is not None
    assert second.view is not None
    assert second.view.row == first.view.row
    assert counter.rows("select count(*) from audit_entry where subject_id = %s", first.view.row.id) == [(1,)]
    assert counter.rows("select count(*) from claim_revision where claim_id = %s", first.view.row.id) == [(1,)]


def test_the_same_content_is_the_same_in_another_spelling(counter: Counter) -> None:
    body = claim(amount="10000.00")
    first = counter.submit(body)
    body["invoices"][0]["claimed_amount"] = "10000.0"
    body["contract"]["amount"] = "10000"
    del body["duplicate_explanation"]
    assert counter.outcome(body).status == 200
    assert counter.view(first).row == first.row


def test_other_content_is_refused_while_the_claim_needs_no_correction(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    problem = counter.refused(body | {"payee": body["payee"] | {"account_number": "6222000011112222333"}})
    assert (problem.status, problem.code) == (409, "claim.content_differs")
    assert counter.view(first).row == first.row


def test_the_same_id_of_another_platform_is_another_claim(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    second = counter.submit(claim(WUJIANG, external_id=body["external_id"]))
    assert second.row.id != first.row.id


def test_an_id_that_the_platform_used_for_a_foreign_tenant_is_refused_by_the_database(counter: Counter) -> None:
    body = claim(WUJIANG)
    counter.submit(body)
    with pytest.raises(IntegrityError) as refused:
        counter.submit(like(body, JIANGSU, external_id=body["external_id"]), "delta")
    assert broken_constraint(refused.value) == "claim_external_id"


def test_a_correction_becomes_the_next_revision_and_keeps_the_first(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("9999.99")]
    first = counter.submit(body)
    assert (first.row.state, codes(first), award(first)) == ("needs_correction", {"totals.receipts"}, "0.00")
    body["receipts"] = [receipt("10000.00")]
    second = counter.submit(body)
    assert (second.row.id, second.row.claim_no) == (first.row.id, first.row.claim_no)
    assert (second.row.revision, second.row.state, award(second)) == (2, "in_review", "2500.00")
    assert second.row.correction_due_on is None
    revisions = counter.rows(
        "select revision, submission::json -> 'receipts' -> 0 ->> 'amount' from claim_revision where claim_id = %s "
        "order by revision",
        first.row.id,
    )
    assert revisions == [(1, "9999.99"), (2, "10000.00")]
    assessments = counter.rows(
        "select revision, result::json ->> 'state' from assessment where claim_id = %s order by seq", first.row.id
    )
    assert assessments == [(1, "needs_correction"), (2, "in_review")]
    actions = counter.rows("select action from audit_entry where subject_id = %s order by seq", first.row.id)
    assert actions == [("claim.submitted",), ("claim.corrected",)]


def test_a_corrected_claim_takes_no_other_content_any_more(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("9999.99")]
    counter.submit(body)
    corrected = again(body, external_id=body["external_id"], receipts=[receipt("10000.00")])
    assert counter.submit(corrected).row.state == "in_review"
    assert counter.refused(body).code == "claim.content_differs"
    assert counter.outcome(corrected).status == 200


def test_a_correction_gives_up_the_keys_that_it_no_longer_names(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    wrong_invoice = body["invoices"][0]
    counter.submit(body)
    counter.submit(body | {"invoices": [invoice("10000.00")], "receipts": [receipt("10000.00")]})
    other = claim()
    other["invoices"] = [wrong_invoice]
    assert counter.submit(other).row.state == "in_review"


def test_a_correction_may_still_be_refused_and_then_keeps_nothing(counter: Counter) -> None:
    body = claim()
    body["receipts"] = [receipt("1.00")]
    counter.submit(body)
    body["declarations"]["publicly_funded"] = True
    refused = counter.submit(body)
    assert (refused.row.state, refused.row.revision) == ("rejected", 2)
    assert counter.rows("select count(*) from registry_holding where holder_id = %s", refused.row.id) == [(0,)]


def test_many_claims_at_once_answer_each_in_its_place(counter: Counter) -> None:
    old, changed, new, broken = claim(), claim(), claim(), claim()
    counter.submit_all([old, changed])
    changed = changed | {"payee": changed["payee"] | {"account_number": "6222000011112222333"}}
    outcomes = counter.submit_all([new, changed, old, broken | {"scheme": "unheard-of"}])
    assert [one.status for one in outcomes] == [201, 409, 200, 422]
    views = [one.view.submission["external_id"] for one in outcomes if one.view is not None]
    assert views == [new["external_id"], old["external_id"]]


def test_claims_taken_in_at_once_are_numbered_in_their_order(counter: Counter) -> None:
    outcomes = counter.submit_all([claim() for _ in range(5)])
    numbers = [int(one.view.row.claim_no[-6:]) for one in outcomes if one.view is not None]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
