from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from connectors import reading
from connectors.faults import MESSAGES
from connectors.reading import MAX_FAULTS, ClaimSchema, read_submission
from tenants.kernel.errors import FieldError, Invalid
from tenants.kernel.money import Money

Claim = dict[str, Any]
Change = Callable[[str, Any], Claim]
Faults = Callable[[Claim], tuple[FieldError, ...]]


def test_a_sound_claim_becomes_a_typed_submission(claim: Claim) -> None:
    read = read_submission(claim)
    assert read.submitted_at == datetime(2024, 8, 29, 13, 21, 19, tzinfo=UTC)
    assert read.enterprise.prior_year_revenue == Money(3_800_000_000)
    assert read.enterprise.type_proofs["tech_sme"].number == "202432031208000771"
    assert read.enterprise.types == ("tech_sme",)
    assert read.provider.established_on == date(1902, 5, 20)
    assert read.declarations.related_party.common_shareholder_percent == Fraction("33.4")
    assert read.documents[1].size_bytes == 99000
    assert read.invoices[0].claimed == Money(40_800_000)
    assert read.restores == UUID("01920000-0000-7000-8000-000000000001")


OPTIONAL = [
    "/enterprise/type_proofs",
    "/enterprise/prior_year_revenue",
    "/enterprise/established_on",
    "/enterprise/resident_of",
    "/provider/established_on",
    "/provider/qualifications",
    "/services/0/instrument",
    "/invoices/0/code",
    "/invoices/0/claimed_amount",
    "/invoices/0/seller_uscc",
    "/invoices/0/buyer_uscc",
    "/receipts/0/claimed_amount",
    "/receipts/0/payer_account",
    "/reservation_id",
    "/restores",
    "/duplicate_explanation",
]


@pytest.mark.parametrize("place", OPTIONAL)
def test_an_optional_field_may_be_absent_or_null_alike(claim: Claim, with_value: Change, place: str) -> None:
    with_null = read_submission(with_value(place, None))
    assert read_submission(with_value(place, ...)) == with_null
    assert ClaimSchema().load(claim) == with_null


def _leaves(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [path, *(leaf for key, inner in value.items() for leaf in _leaves(inner, f"{path}/{key}"))]
    if isinstance(value, list):
        return [path, *(leaf for index, inner in enumerate(value) for leaf in _leaves(inner, f"{path}/{index}"))]
    return [path]


def test_every_other_field_is_required(claim: Claim, with_value: Change, faults: Faults) -> None:
    required = [place for place in _leaves(claim) if place and place not in OPTIONAL and not place[-1].isdigit()]
    required = [place for place in required if not place.startswith("/enterprise/type_proofs/")]
    assert len(required) == 58
    for place in required:
        *_, name = place.split("/")
        kept = claim
        for part in place.split("/")[1:-1]:
            kept = kept[int(part)] if part.isdigit() else kept[part]  # type: ignore[index]
        value = kept[name]
        assert [(fault.pointer, fault.code) for fault in faults(with_value(place, ...))] == [(place, "field.required")]
        assert [(fault.pointer, fault.code) for fault in faults(with_value(place, None))] == [(place, "field.null")]
        kept[name] = value


def test_an_unknown_field_is_refused_wherever_it_stands(claim: Claim, with_value: Change, faults: Faults) -> None:
    objects = ["", "/enterprise", "/enterprise/type_proofs/tech_sme", "/provider", "/provider/qualifications/0"]
    objects += ["/contract", "/services/0", "/invoices/0", "/receipts/0", "/documents/1", "/declarations", "/payee"]
    objects += ["/declarations/related_party"]
    for place in objects:
        with_value(f"{place}/surprise", 1)
    assert [(fault.pointer, fault.code) for fault in faults(claim)] == sorted(
        (f"{place}/surprise", "field.unknown") for place in objects
    )


def test_an_unknown_field_may_bear_the_library_s_own_name(with_value: Change, faults: Faults) -> None:
    assert [fault.pointer for fault in faults(with_value("/contract/_schema", {}))] == ["/contract/_schema"]


def test_all_faults_of_a_claim_are_named_at_once(claim: Claim, faults: Faults) -> None:
    claim["mode"] = "gift"
    claim["enterprise"]["uscc"] = "91320312M49W4QLE13"
    claim["contract"]["amount"] = 1000000
    claim["services"] += [{}, 7]
    claim["invoices"][0] |= {"claimed_amount": "408000.01", "issued_on": "2024-02-30"}
    claim["payee"]["cnaps"] = None
    found = {(fault.pointer, fault.code) for fault in faults(claim)}
    assert found == {
        ("/mode", "choice.unknown"),
        ("/enterprise/uscc", "uscc.check_character"),
        ("/contract/amount", "money.text_expected"),
        ("/services/1/item", "field.required"),
        ("/services/1/name", "field.required"),
        ("/services/1/amount", "field.required"),
        ("/services/1/completed_on", "field.required"),
        ("/services/2", "object.expected"),
        ("/invoices/0/claimed_amount", "claimed_amount.above_amount"),
        ("/invoices/0/issued_on", "day.impossible"),
        ("/payee/cnaps", "field.null"),
    }


def test_a_fault_speaks_chinese_and_english(with_value: Change, faults: Faults) -> None:
    (fault,) = faults(with_value("/contract/title", "题" * 501))
    assert fault.message.zh == "最多 500 个字符。"
    assert fault.message.en == "At most 500 characters."


def test_every_message_has_both_languages() -> None:
    for code, text in MESSAGES.items():
        assert any("\u4e00" <= character <= "\u9fff" for character in text.zh), code
        assert text.en.isascii(), code


def test_faults_stand_in_the_order_of_their_places(claim: Claim, faults: Faults) -> None:
    claim["invoices"] = [claim["invoices"][0] | {"amount": "x", "claimed_amount": None} for _ in range(12)]
    assert [fault.pointer for fault in faults(claim)] == [f"/invoices/{index}/amount" for index in range(12)]


def test_a_claim_full_of_faults_is_answered_with_the_first_hundred(claim: Claim) -> None:
    claim["documents"] = [{}] * 400
    with pytest.raises(Invalid) as refused:
        read_submission(claim)
    assert len(refused.value.errors) == MAX_FAULTS
    assert "1600" in refused.value.text.zh
    assert "1600" in refused.value.text.en


def test_a_list_that_is_too_long_is_refused_unread(with_value: Change, faults: Faults) -> None:
    assert [(f.pointer, f.code) for f in faults(with_value("/receipts", [{}] * 501))] == [
        ("/receipts", "list.too_long")
    ]


@pytest.mark.parametrize("data", [None, 1, True, "claim", [], [{}], {}])
def test_what_is_no_claim_at_all_is_refused(data: Any, faults: Faults) -> None:
    assert {fault.code for fault in faults(data)} <= {"object.expected", "field.required"}


@pytest.mark.parametrize("place", ["/services", "/invoices", "/receipts", "/documents", "/enterprise/types"])
def test_an_empty_list_is_a_matter_of_the_assessment(with_value: Change, place: str) -> None:
    assert read_submission(with_value(place, [])).external_id == "CXQ202408293280"


def test_the_claimed_part_is_by_default_the_whole(claim: Claim, with_value: Change) -> None:
    with_value("/invoices/0/claimed_amount", ...)
    assert read_submission(with_value("/receipts/0/claimed_amount", None)).receipts[0].claimed == Money(40_800_000)
    assert read_submission(claim).invoices[0].claimed == Money(40_800_000)
    assert read_submission(with_value("/invoices/0/claimed_amount", "0.01")).invoices[0].claimed == Money(1)


def test_a_disguise_stays_on_record(with_value: Change) -> None:
    number = "№\u3000２４３２\u200b２０００–0000\ufeff02658959"
    assert read_submission(with_value("/invoices/0/number", number)).invoices[0].number == number


def test_one_file_and_one_firm_have_one_spelling(claim: Claim, with_value: Change) -> None:
    plain = read_submission(claim)
    with_value("/documents/0/sha256", "4E" * 32)
    assert read_submission(with_value("/enterprise/uscc", "91320312-m49w4qle1 2")) == plain


@pytest.mark.parametrize(("place", "longest"), [("/invoices", 500), ("/documents", 500), ("/enterprise/types", 20)])
def test_the_hot_path_takes_a_list_of_the_greatest_length(
    claim: Claim, with_value: Change, place: str, longest: int
) -> None:
    items = [deepcopy(claim["enterprise"]["types"][0] if "types" in place else claim[place[1:]][0])]
    read = reading._READ(with_value(place, items * longest))
    assert read == ClaimSchema().load(claim)
    assert len(read.enterprise.types if "types" in place else getattr(read, place[1:])) == longest


def test_the_hot_path_takes_a_claim_that_states_everything(claim: Claim) -> None:
    assert reading._READ(claim) == ClaimSchema().load(claim)
