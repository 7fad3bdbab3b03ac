"""One invoice over several claims: split lawfully, stated differently, used by a stranger, supported elsewhere."""

import pytest
from sqlalchemy.exc import DBAPIError

from tenants.kernel.errors import Conflict
from tests.intake.bodies import JIANGSU, WUJIANG, Body, again, buyer, claim, invoice_number, part, seller
from tests.intake.counter import Counter, award, codes, open_holds

EXPLANATION = "发票含两次检测，本次申请第二次的费用。"


def registered(counter: Counter, *holders: object) -> list[tuple[int, int | None]]:
    """Taken and total fen of each invoice that the holders hold."""
    return [
        (taken, total)
        for taken, total in counter.rows(
            "select taken_fen, total_fen from registry_key k where kind = 'invoice' and exists ("
            "select 1 from registry_holding h where h.digest = k.digest and h.exclusion_group = k.exclusion_group "
            "and h.holder_id = any(%s)) order by k.digest",
            list(holders),
        )
    ]


def halves(first: str = "4000.00", second: str = "6000.00") -> tuple[Body, Body]:
    """Two claims of one enterprise under one contract, each over a part of one invoice of 10,000 yuan."""
    body = claim()
    other = again(body)
    return part(body, first), part(other, second)


def test_a_second_part_without_explanation_is_sent_back(counter: Counter) -> None:
    first, second = halves()
    one = counter.submit(first)
    two = counter.submit(second)
    assert (one.row.state, award(one)) == ("in_review", "1000.00")
    assert (two.row.state, codes(two)) == ("needs_correction", {"duplicate.explanation_missing"})
    assert registered(counter, one.row.id) == [(1_000_000, 1_000_000)]


@pytest.mark.parametrize("as_document", [False, True])
def test_a_second_part_with_an_explanation_is_held_and_passes_when_cleared(
    counter: Counter, *, as_document: bool
) -> None:
    first, second = halves()
    counter.submit(first)
    if as_document:
        second["documents"].append(second["documents"][0] | {"kind": "duplicate_explanation", "sha256": "0" * 64})
    else:
        second["duplicate_explanation"] = EXPLANATION
    held = counter.submit(second)
    assert (held.row.state, open_holds(held), award(held)) == ("on_hold", {"duplicate.invoice_reuse"}, "1500.00")
    cleared = counter.resolve(held, "duplicate.invoice_reuse")
    assert (cleared.row.state, cleared.row.next_stage, award(cleared)) == ("in_review", "center", "1500.00")
    assert registered(counter, held.row.id) == [(1_000_000, 1_000_000)]


def test_parts_above_the_invoice_by_one_fen_are_rejected(counter: Counter) -> None:
    first, second = halves("4000.00", "6000.01")
    second["contract"]["amount"] = first["contract"]["amount"] = "20000.00"
    one = counter.submit(first)
    second["duplicate_explanation"] = EXPLANATION
    two = counter.submit(second)
    assert (two.row.state, codes(two)) == ("rejected", {"duplicate.invoice_exhausted"})
    assert registered(counter, one.row.id) == [(400_000, 1_000_000)]


def test_a_rejected_part_is_free_for_another(counter: Counter) -> None:
    first, second = halves("10000.00", "6000.00")
    one = counter.submit(first)
    assert counter.submit(second).row.state == "rejected"
    counter.review(one, "reject", reason="不符")
    assert counter.submit(again(second)).row.state == "in_review"


def test_the_same_invoice_under_its_legacy_and_its_joined_number_is_one(counter: Counter) -> None:
    body = claim()
    body["invoices"][0] |= {"code": "3200211130", "number": "01234567"}
    second = again(body)
    second["invoices"][0] |= {"code": None, "number": "320021113001234567"}
    counter.submit(body)
    assert codes(counter.submit(second)) == {
        "duplicate.invoice_exhausted", "duplicate.receipt_exhausted", "totals.contract",
    }  # fmt: skip


def test_an_invoice_with_two_numbers_is_found_by_either(counter: Counter) -> None:
    digital, legacy = invoice_number(), "32002111309" + invoice_number()[-7:]
    body = claim()
    body["invoices"][0] |= {"number": digital, "code": legacy}
    counter.submit(body)
    for number in (digital, legacy):
        other = claim()
        other["invoices"][0]["number"] = number
        assert codes(counter.submit(other)) == {"duplicate.foreign_invoice"}


def test_an_eight_digit_number_needs_its_code_or_seller(counter: Counter) -> None:
    body = claim()
    body["invoices"][0]["number"] = "01234567"
    assert codes(counter.submit(body)) == {"invoice.code_missing"}
    body["invoices"][0]["seller_uscc"] = body["provider"]["uscc"]
    assert counter.submit(body).row.state == "in_review"


def test_two_face_totals_of_one_invoice_conflict_and_the_smaller_counts(counter: Counter) -> None:
    first, second = halves("4000.00", "5000.00")
    one = counter.submit(first)
    second["invoices"][0]["amount"] = "9000.00"
    second["duplicate_explanation"] = EXPLANATION
    two = counter.submit(second)
    assert open_holds(two) == {"duplicate.invoice_reuse", "duplicate.amount_conflict"}
    assert registered(counter, one.row.id) == [(900_000, 900_000)]


def test_a_smaller_total_that_later_claims_exceed_is_exhausted(counter: Counter) -> None:
    first, second = halves("4000.00", "6000.00")
    counter.submit(first)
    second["invoices"][0]["amount"] = "9000.00"
    second["duplicate_explanation"] = EXPLANATION
    two = counter.submit(second)
    assert (two.row.state, codes(two)) == ("rejected", {"duplicate.invoice_exhausted", "duplicate.amount_conflict"})


def test_a_strangers_claim_on_used_fen_cannot_be_cleared_while_they_are_held(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    stranger = claim()
    stranger["invoices"][0]["number"] = body["invoices"][0]["number"]
    held = counter.submit(stranger)
    assert (held.row.state, open_holds(held)) == ("on_hold", {"duplicate.foreign_invoice"})
    assert registered(counter, held.row.id) == [(1_000_000, 1_000_000)]
    with pytest.raises(Conflict) as refused:
        counter.resolve(held, "duplicate.foreign_invoice")
    assert refused.value.code == "duplicate.still_taken"
    assert open_holds(counter.view(held)) == {"duplicate.foreign_invoice"}
    counter.withdraw(first)
    cleared = counter.resolve(held, "duplicate.foreign_invoice")
    assert cleared.row.state == "in_review"
    assert registered(counter, held.row.id) == [(1_000_000, 1_000_000)]


def test_of_two_strangers_waiting_for_one_invoice_only_one_can_be_cleared(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    waiting = []
    for _ in range(2):
        stranger = claim()
        stranger["invoices"][0]["number"] = body["invoices"][0]["number"]
        waiting.append(counter.submit(stranger))
    counter.withdraw(first)
    assert counter.resolve(waiting[1], "duplicate.foreign_invoice").row.state == "in_review"
    with pytest.raises(Conflict) as refused:
        counter.resolve(waiting[0], "duplicate.foreign_invoice")
    assert refused.value.code == "duplicate.still_taken"


def test_a_strangers_smaller_total_does_not_make_the_first_claim_unlawful(counter: Counter) -> None:
    body = claim()
    first = counter.submit(body)
    stranger = claim(amount="6000.00")
    stranger["invoices"][0]["number"] = body["invoices"][0]["number"]
    held = counter.submit(stranger)
    assert open_holds(held) == {"duplicate.foreign_invoice", "duplicate.amount_conflict"}
    assert registered(counter, first.row.id) == [(1_000_000, 1_000_000)]
    assert counter.review(first).row.state == "approved"


def test_a_rejected_hold_frees_everything(counter: Counter) -> None:
    body = claim()
    stranger = claim()
    stranger["invoices"][0]["number"] = body["invoices"][0]["number"]
    counter.submit(body)
    held = counter.submit(stranger)
    rejected = counter.resolve(held, "duplicate.foreign_invoice", "reject")
    assert (rejected.row.state, award(rejected)) == ("rejected", "0.00")
    assert counter.rows("select count(*) from registry_holding where holder_id = %s", held.row.id) == [(0,)]


def test_claims_of_two_schemes_hold_one_invoice_only_once_in_the_registry(counter: Counter) -> None:
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    first = counter.submit(claim(JIANGSU, by=party, to=provider))
    counter.submit(claim(WUJIANG, by=party, to=provider))
    over = counter.rows("select count(*) from registry_key where taken_fen > total_fen")
    assert over == [(0,)]
    assert registered(counter, first.row.id) == [(1_000_000, 1_000_000)]


def test_a_second_taken_holding_is_refused_by_the_database(counter: Counter) -> None:
    first = counter.submit(claim())
    with pytest.raises(DBAPIError, match="registry_key_fen_once"):
        counter.rows(
            "insert into registry_holding select digest, exclusion_group, gen_random_uuid(), holder_kind, tenant, "
            "scheme, platform, enterprise_digest, month, 'taken', 1, stated_fen from registry_holding "
            "where holder_id = %s and stated_fen is not null returning 1",
            first.row.id,
        )
