"""The auditor's own readings of formats agree with those that it checks, on whatever comes."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.claims.fingerprint import Identity, canonical_contract_number, canonical_serial, identities
from clearing.verification.amounts import fen_of
from clearing.verification.claim_content import _content, mask
from clearing.verification.identities import project_number, serial, spendings_of
from clearing.verification.merkle import tree_hash
from clearing.verification.numerals import in_capitals
from clearing.verification.payout_lines import _reference
from clearing.verification.terms import read_terms
from clearing.verification.unsealing import OpenedSecrets
from connectors.printing import canonical_content, submission_json
from connectors.submission import Invoice, Receipt, Submission
from settlement.formats.amount_in_words import amount_in_words
from settlement.payouts.instruction import end_to_end_id
from settlement.signatures.key_custody import make_key
from settlement.signatures.merkle import merkle_root
from settlement.signatures.signing import Purpose
from tenants.kernel.clock import SHANGHAI
from tenants.kernel.money import MAX_FEN, Money, MoneyError
from tenants.kernel.sealing import KeyEncryptionKey, Place, Sealer, mask_account
from tenants.policy import UNSET, Policy
from tenants.policy_document import load_demonstration, load_shipped
from tests.claims.claims_of_cases import CASES, claim_of, read_case, submission_of

PIECES = st.sampled_from(
    ["0", "1", "12345678", "24322000", "No.", "№", "NO", "号", "号码", "发票号码", "编号", "回单", "Ａ", "O", "０", "１", "-",
     "—", " ", "\u3000", "А", "Β", "ß", "①", "²", "°", "ﬁ", "（", "甲", "壹", "號", "编", "术", "a", "Z", "٣", ""]
)  # fmt: skip
NUMBERS = st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(bool) | st.text(min_size=1, max_size=24)
SCANNED = st.from_regex(
    r"[0 ]?1,(01|10|31|32),([0-9]{10}|[0-9]{12}|),([0-9]{8}|[0-9]{20}),[0-9]{1,3}(\\.[0-9]{1,3})?,202[0-9](08|13)[0-3][0-9],"
    r"[0-9]{0,21},[0-9A-Fa]{0,4}[,，]?",
    fullmatch=True,
)
"""What may come as the text of a QR code."""
AMOUNTS = st.integers(1, 10**9).map(Money)


@st.composite
def invoices(draw: Any) -> Invoice:
    amount = draw(AMOUNTS)
    return Invoice(
        number=draw(NUMBERS | SCANNED),
        issued_on=draw(st.dates(date(2020, 1, 1), date(2025, 1, 1))),
        amount=amount,
        claimed=Money(draw(st.integers(1, amount.fen))),
        code=draw(st.none() | NUMBERS),
        seller_uscc=draw(st.none() | st.just("91320100A17C7BA37A")),
    )


@st.composite
def receipts(draw: Any) -> Receipt:
    amount = draw(AMOUNTS)
    paid_on, payer = date(2024, 8, 1), draw(st.none() | st.sampled_from(["62220001", "6222 0001", "62220002"]))
    return Receipt(draw(NUMBERS), paid_on, amount, Money(draw(st.integers(1, amount.fen))), payer)


def _by_text(found: tuple[Identity, ...]) -> dict[tuple[str, str], tuple[str, int, int | None]]:
    return {
        (each.kind, each.text): (each.place, each.claimed.fen, None if each.total is None else each.total.fen)
        for each in found
    }


@settings(max_examples=600, deadline=None)
@given(st.lists(invoices(), max_size=5), st.lists(receipts(), max_size=4), NUMBERS)
def test_the_identities_of_a_submission_are_those_of_the_registry(
    bought: list[Invoice], paid: list[Receipt], contract: str
) -> None:
    source = claim_of("jiangsu_north_capped")
    claim = replace(
        source, invoices=tuple(bought), receipts=tuple(paid), contract=replace(source.contract, number=contract)
    )
    printed: dict[str, Any] = submission_json(claim, mask=False)
    own = {
        (each.kind, text): (each.place, each.claimed_fen, each.stated_fen)
        for each in spendings_of(printed, [receipt.payer_account for receipt in paid])
        for text in each.texts
    }
    assert own == _by_text(identities(claim))


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30) | NUMBERS)
def test_numbers_of_contracts_are_kept_alike(text: str) -> None:
    assert project_number(text) == canonical_contract_number(text)
    assert serial(text) == canonical_serial(text)


@given(st.integers(0, MAX_FEN - 1) | st.integers(0, 10**7))
def test_capital_numerals_are_those_of_the_instructions(fen: int) -> None:
    assert in_capitals(fen) == amount_in_words(Money(fen))


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_the_merkle_root_is_that_of_the_seal(leaves: list[bytes]) -> None:
    assert tree_hash(leaves) == merkle_root(leaves).hex()


@given(st.integers(0, MAX_FEN - 1))
def test_an_amount_is_read_as_it_is_printed(fen: int) -> None:
    assert fen_of(str(Money(fen))) == fen


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.5", "01.00", "-1.00", "１.00", "1,000.00", "1.000", ".50", "1e3.00", "99999999999999.00", "x.yz"],
)
def test_what_is_no_amount_of_the_service_is_read_like_money_or_refused(text: str) -> None:
    try:
        expected = Money.parse(text).fen
    except MoneyError:
        with pytest.raises(MoneyError):
            fen_of(text)
    else:
        assert fen_of(text) == expected


@given(st.text(alphabet="0123456789ABab- １２", max_size=24))
def test_account_numbers_are_masked_alike(number: str) -> None:
    assert mask(number) == mask_account(number)


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.json")))
def test_the_content_of_every_worked_case_has_the_same_bytes(name: str) -> None:
    for step in read_case(name)["steps"]:
        if "claim" in step:
            claim = submission_of(step["claim"])
            assert _own_content(claim) == canonical_content(claim)


@given(st.text(max_size=12), st.none() | st.text(max_size=12), st.text(alphabet='",:null[]\\{}x', max_size=20))
def test_texts_that_look_like_absent_members_stay(title: str, explanation: str | None, tricky: str) -> None:
    source = claim_of("jiangsu_north_capped")
    contract = replace(source.contract, title=title)
    enterprise = replace(source.enterprise, name=tricky)
    claim = replace(source, contract=contract, enterprise=enterprise, duplicate_explanation=explanation)
    assert _own_content(claim) == canonical_content(claim)


def _own_content(claim: Submission) -> bytes:
    numbers = {"payee": claim.payee.account_number, "payers": [receipt.payer_account for receipt in claim.receipts]}
    return _content(submission_json(claim, mask=True), numbers)


@given(st.binary(min_size=32, max_size=32), st.text(max_size=40), st.sampled_from(["jiangsu", "wujiang"]))
def test_what_is_sealed_opens_at_its_place_and_nowhere_else(kek: bytes, text: str, tenant: str) -> None:
    secrets = OpenedSecrets(kek, bytes(32))
    sealed = Sealer([KeyEncryptionKey(1, kek)]).seal(text, Place("claim_revision", "sealed", tenant, "a/1"))
    assert secrets.field_value(sealed, "claim_revision", "sealed", tenant, "a/1") == text.encode()
    assert secrets.field_value(sealed, "claim_revision", "sealed", tenant, "a/2") is None
    assert secrets.field_value(sealed, "claim_revision", "sealed", "qingpu", "a/1") is None
    assert secrets.field_value(sealed[:-1], "claim_revision", "sealed", tenant, "a/1") is None
    assert OpenedSecrets(bytes(32), kek).field_value(sealed, "claim_revision", "sealed", tenant, "a/1") is None or (
        kek == bytes(32)
    )


def test_a_sealed_signing_key_opens_for_its_tenant_and_purpose_alone() -> None:
    kek = bytes(range(32))
    made = make_key("jiangsu", Purpose.PAYOUT, datetime(2024, 1, 1, tzinfo=SHANGHAI), kek)
    secrets = OpenedSecrets(kek, bytes(32))
    assert secrets.private_key(made.private_sealed, "jiangsu", "payout", made.public.kid) is not None
    assert secrets.private_key(made.private_sealed, "wujiang", "payout", made.public.kid) is None
    assert secrets.private_key(made.private_sealed, "jiangsu", "checkpoint", made.public.kid) is None


@pytest.mark.parametrize("document", [*load_shipped(), *load_demonstration()], ids=lambda each: each.policy.version)
def test_the_terms_of_every_shipped_version_are_read_alike(document: Any) -> None:
    policy: Policy = document.policy
    terms = read_terms(policy.version, document.text)
    assert (terms.exclusion_group, terms.review_chain) == (policy.exclusion_group, policy.review_chain)
    assert (terms.publicity_days, terms.correction_days) == (policy.publicity_days, policy.review.correction_days.value)
    assert terms.items == {item.code for item in policy.services}
    for division in ("320312", "320100", "140105", "310118", "330421", "340503"):
        for residences in ((), ("jinchuang_valley",)):
            zone, own = policy.zone(division, residences), terms.zone(division, residences)
            assert own.code == zone.code
            assert own.rate == (None if zone.rate.value is UNSET else zone.rate.value)
            assert own.annual_cap_fen == (None if zone.annual_cap.value is UNSET else zone.annual_cap.value.fen)
            assert (own.local_share is None) == (zone.provincial_to_local is None)


def test_the_reference_of_an_instruction_is_the_one_on_its_payment() -> None:
    for number in (0, 1, 2**127 + 12345, 2**128 - 1):
        assert _reference(UUID(int=number)) == end_to_end_id(UUID(int=number))
