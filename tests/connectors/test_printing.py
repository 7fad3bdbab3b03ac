import json
from collections.abc import Callable
from typing import Any

import pytest

from clearing.demonstration.claims import generate
from connectors.printing import masked, printed_content
from connectors.reading import canonical_content, read_submission, submission_json
from tenants.kernel.canonical import canonical_bytes
from tenants.kernel.strict_json import decode

Claim = dict[str, Any]
Change = Callable[[str, Any], Claim]


def test_the_unmasked_answer_reads_as_the_same_submission(claim: Claim) -> None:
    read = read_submission(claim)
    assert read_submission(submission_json(read, mask=False)) == read
    for generated in generate(3, 60):
        read = read_submission(generated.body)
        assert read_submission(submission_json(read, mask=False)) == read


def test_the_answer_repeats_the_claim_in_the_form_of_the_contract(claim: Claim) -> None:
    answer = submission_json(read_submission(claim))
    claim["payee"]["account_number"] = "****0000"
    claim["receipts"][0]["payer_account"] = "****5678"
    assert answer == claim
    assert list(answer) == list(claim)


def test_what_was_printed_in_clear_is_masked_as_it_would_have_been_printed() -> None:
    for generated in generate(5, 60):
        read = read_submission(generated.body)
        printed = submission_json(read, mask=False)
        assert masked(printed) == submission_json(read, mask=True)
        assert list(masked(printed)) == list(printed)
        assert printed_content(printed) == canonical_content(read)
        assert printed == submission_json(read, mask=False)


def test_absent_fields_are_answered_as_null_or_empty(claim: Claim) -> None:
    for part in (claim["enterprise"], claim["provider"], claim["services"][0], claim["invoices"][0]):
        for name in ("resident_of", "type_proofs", "established_on", "qualifications", "instrument", "seller_uscc"):
            part.pop(name, None)
    answer: Any = submission_json(read_submission(claim))
    assert answer["enterprise"]["resident_of"] == []
    assert answer["enterprise"]["type_proofs"] == {}
    assert answer["provider"]["qualifications"] == []
    assert answer["provider"]["established_on"] is None
    assert answer["services"][0]["instrument"] is None
    assert answer["invoices"][0]["seller_uscc"] is None


def test_no_account_number_stands_in_a_masked_answer() -> None:
    for generated in generate(4, 60):
        answer = json.dumps(submission_json(read_submission(generated.body)))
        assert generated.body["payee"]["account_number"] not in answer


def test_amounts_are_printed_with_two_decimals_and_instants_with_the_offset_of_shanghai(with_value: Change) -> None:
    with_value("/submitted_at", "2024-08-29T13:21:19Z")
    answer: Any = submission_json(read_submission(with_value("/contract/amount", "1000000.5")))
    assert answer["contract"]["amount"] == "1000000.50"
    assert answer["submitted_at"] == "2024-08-29T21:21:19+08:00"


SAME: list[tuple[str, Any]] = [
    ("/contract/amount", "1000000"),
    ("/submitted_at", "2024-08-29T13:21:19Z"),
    ("/invoices/0/claimed_amount", None),
    ("/enterprise/uscc", "91320312 m49w4qle12"),
    ("/documents/0/sha256", "4E" * 32),
    ("/declarations/related_party/common_shareholder_percent", "33.40"),
    ("/enterprise/resident_of", None),
    ("/reservation_id", ...),
]


@pytest.mark.parametrize(("place", "value"), SAME)
def test_another_spelling_is_the_same_content(place: str, value: Any, claim: Claim, with_value: Change) -> None:
    content = canonical_content(read_submission(claim))
    assert canonical_content(read_submission(with_value(place, value))) == content


def test_the_order_of_members_is_no_content(claim: Claim) -> None:
    content = canonical_content(read_submission(claim))
    turned = dict(reversed([(name, claim[name]) for name in claim]))
    assert canonical_content(read_submission(decode(json.dumps(turned).encode(), 2**18))) == content


OTHER: list[tuple[str, Any]] = [
    ("/contract/amount", "1000000.01"),
    ("/submitted_at", "2024-08-29T21:21:20+08:00"),
    ("/invoices/0/claimed_amount", "407999.99"),
    ("/invoices/0/number", "２4322000000002658959"),
    ("/enterprise/type_proofs", {"tech_sme": {"number": "202432031208000771"}, "talent": {}}),
    ("/enterprise/resident_of", ["jinchuang_valley"]),
    ("/payee/account_number", "1106014019000000001"),
    ("/restores", None),
    ("/duplicate_explanation", "同一发票分两次使用"),
    ("/documents", []),
]


@pytest.mark.parametrize(("place", "value"), OTHER)
def test_any_other_statement_is_other_content(place: str, value: Any, claim: Claim, with_value: Change) -> None:
    content = canonical_content(read_submission(claim))
    assert canonical_content(read_submission(with_value(place, value))) != content


def test_content_is_written_as_rfc_8785_says(claim: Claim) -> None:
    content = canonical_content(read_submission(claim))
    assert canonical_bytes(json.loads(content)) == content


def test_an_absent_field_leaves_no_trace_in_the_content(claim: Claim) -> None:
    content = canonical_content(read_submission(claim))
    assert b"null" not in content
    assert b"reservation_id" not in content
