import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from stdnum.cn import uscc

from clearing.claims.fingerprint import Identity, identities
from clearing.demonstration.claims import GeneratedClaim, cross_redemption, generate, support_record
from clearing.demonstration.disguises import CORRECTIONS, DUPLICATES, PLANTED_STATES
from connectors.claim_schema import SupportRecordSchema
from connectors.directory import may_submit
from connectors.reading import read_submission
from connectors.submission import Submission
from tenants.kernel.money import ZERO, Money, total
from tenants.kernel.strict_json import decode

SEED, COUNT = 20240927, 300
NOW = datetime(2024, 9, 27, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def claims() -> list[GeneratedClaim]:
    return generate(SEED, COUNT)


@pytest.fixture(scope="module")
def submissions(claims: list[GeneratedClaim]) -> dict[str, Submission]:
    bodies = (decode(json.dumps(claim.body).encode(), 2**18) for claim in claims)
    return {read.external_id: read for read in map(read_submission, bodies)}


def test_the_same_seed_gives_the_same_claims_and_another_gives_others(claims: list[GeneratedClaim]) -> None:
    assert generate(SEED, COUNT) == claims
    assert generate(SEED + 1, COUNT) != claims


@pytest.mark.parametrize("count", [0, 1, 2, 9, 40, 1_000])
def test_as_many_claims_are_made_as_are_asked_for(count: int) -> None:
    made = generate(SEED, count)
    assert len(made) == count
    assert len({claim.body["external_id"] for claim in made}) == count


def test_every_claim_passes_the_door_and_its_platform_serves_it(
    claims: list[GeneratedClaim], submissions: dict[str, Submission]
) -> None:
    assert len(submissions) == COUNT
    assert all(may_submit(c.platform, c.body["tenant"], c.body["scheme"]) for c in claims)
    assert set(Counter(c.platform for c in claims)) == {"jssic", "delta", "shanxi-inno"}
    assert {c.body["tenant"] for c in claims} == {
        "jiangsu",
        "shanxi-hainan",
        "wujiang",
        "qingpu",
        "jiashan",
        "maanshan",
    }


def test_every_party_has_a_valid_credit_code_of_its_division(submissions: dict[str, Submission]) -> None:
    for claim in submissions.values():
        for party in (claim.enterprise, claim.provider):
            assert uscc.is_valid(party.uscc)
            assert party.uscc[2:8] == party.division


def test_the_dates_of_a_claim_follow_each_other(submissions: dict[str, Submission]) -> None:
    for claim in submissions.values():
        assert NOW - timedelta(days=30) < claim.submitted_at < NOW
        today = claim.submitted_at.date()
        for line in claim.services:
            assert claim.contract.signed_on <= line.completed_on <= today
        for receipt in claim.receipts:
            assert claim.contract.signed_on <= receipt.paid_on <= today
        for invoice in claim.invoices:
            assert claim.contract.signed_on <= invoice.issued_on <= today


def test_the_totals_of_an_honest_claim_agree_to_the_fen(
    claims: list[GeneratedClaim], submissions: dict[str, Submission]
) -> None:
    for claim in claims:
        read = submissions[claim.body["external_id"]]
        invoiced, paid = total(i.amount for i in read.invoices), total(r.amount for r in read.receipts)
        assert invoiced == total(line.amount for line in read.services) <= read.contract.amount
        assert invoiced - paid == (Money(1) if claim.planted == "receipt_one_fen_short" else ZERO)


def test_both_kinds_of_invoices_and_skewed_amounts_occur(submissions: dict[str, Submission]) -> None:
    invoices = [invoice for claim in submissions.values() for invoice in claim.invoices]
    assert sum(invoice.code is not None for invoice in invoices) > COUNT // 10
    amounts = sorted(total(line.amount for line in claim.services).fen for claim in submissions.values())
    assert amounts[COUNT // 2] < sum(amounts) // COUNT < amounts[-1] // 5


def test_about_an_eighth_is_planted_and_each_kind_occurs(claims: list[GeneratedClaim]) -> None:
    planted = Counter(claim.planted for claim in claims if claim.planted)
    assert set(planted) == set(PLANTED_STATES) == set(DUPLICATES) | set(CORRECTIONS)
    duplicates = sum(planted[kind] for kind in set(DUPLICATES))
    assert COUNT * 11 // 100 <= duplicates <= COUNT * 12 // 100


def _spending(submission: Submission) -> set[tuple[str, str]]:
    return {(identity.kind, identity.text) for identity in identities(submission)}


def test_a_duplicate_comes_later_and_shares_an_identity_with_its_twin(
    claims: list[GeneratedClaim], submissions: dict[str, Submission]
) -> None:
    shared = {"same_document": {"document"}, "other_enterprise": {"invoice"}}
    seen: set[str] = set()
    for claim in claims:
        external_id = claim.body["external_id"]
        seen.add(external_id)
        if claim.twin_of is not None and claim.planted is not None:
            assert claim.twin_of in seen
            again, first = submissions[external_id], submissions[claim.twin_of]
            kinds = {kind for kind, _ in _spending(again) & _spending(first)}
            assert kinds == shared.get(claim.planted, {"invoice", "contract"}), claim.planted


def test_a_disguise_changes_what_is_written(claims: list[GeneratedClaim]) -> None:
    written = {claim.body["external_id"]: claim.body["invoices"] for claim in claims}
    disguised = [c for c in claims if c.planted in set(DUPLICATES) - {"same_document", "other_enterprise"}]
    assert len(disguised) > 20
    for claim in disguised:
        assert claim.twin_of is not None
        before, after = written[claim.twin_of][0], claim.body["invoices"][0]
        assert (before["number"], before["code"]) != (after["number"], after["code"])


def test_honest_claims_share_no_spending(claims: list[GeneratedClaim], submissions: dict[str, Submission]) -> None:
    found: list[Identity] = []
    for claim in claims:
        if claim.twin_of is None:
            found += identities(submissions[claim.body["external_id"]])
    assert len({(identity.kind, identity.text) for identity in found}) == len(found)


def test_a_planted_enterprise_stays_below_every_cap(
    claims: list[GeneratedClaim], submissions: dict[str, Submission]
) -> None:
    for claim in claims:
        if claim.twin_of is not None:
            uscc_of_twin = submissions[claim.twin_of].enterprise.uscc
            spent = total(
                total(line.amount for line in other.services)
                for other in submissions.values()
                if other.enterprise.uscc == uscc_of_twin
            )
            assert spent < Money(12_000_000)


def test_a_cross_redemption_pays_the_provider_the_face_value() -> None:
    reservation = UUID("01920000-0000-7000-8000-000000000001")
    draft = read_submission(cross_redemption(7, None, ZERO).body)
    face = draft.invoices[0].amount.share(draft.declarations.related_party.common_shareholder_percent + 1)
    face = Money(face.fen * 3 // 10)
    claim = read_submission(cross_redemption(7, reservation, face).body)
    assert claim.mode == "cross_redemption"
    assert claim.reservation_id == reservation
    assert (claim.enterprise, claim.provider, claim.contract) == (draft.enterprise, draft.provider, draft.contract)
    assert (claim.enterprise.division, claim.provider.division) == ("320509", "330421")
    assert total(r.amount for r in claim.receipts) + face == total(i.amount for i in claim.invoices)
    assert claim.payee.account_name == claim.provider.name


def test_a_face_value_of_the_whole_price_is_refused() -> None:
    price = read_submission(cross_redemption(7, None, ZERO).body).invoices[0].amount
    with pytest.raises(ValueError, match="below the price"):
        cross_redemption(7, None, price)


def test_a_support_record_names_the_claim_s_invoices(claims: list[GeneratedClaim]) -> None:
    body = next(claim.body for claim in claims if claim.body["tenant"] == "wujiang" and claim.twin_of is None)
    record = support_record(body, "wujiang-local", "wujiang", "WJ-1")
    assert record["enterprise_uscc"] == body["enterprise"]["uscc"]
    assert [key["amount"] for key in record["keys"]] == [invoice["amount"] for invoice in body["invoices"]]
    assert record["supported_on"] <= body["submitted_at"][:10]
    assert SupportRecordSchema().load(record).external_id == "WJ-1"
