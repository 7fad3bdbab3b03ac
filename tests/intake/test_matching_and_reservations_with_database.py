"""Linked regions' matching, and quota reserved for an intended contract."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import SystemRandom

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from clearing.claims import reservations
from clearing.claims.reservations import Lower, ReservationRow
from clearing.demonstration.parties import Region, enterprise_in
from settlement import ledger
from settlement.ledger import Sums
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, run
from tenants.kernel.errors import Conflict, Invalid
from tenants.kernel.money import Money
from tenants.policy import Policy, Term
from tests.intake.bodies import JIANGSU, WUJIANG, Body, buyer, claim, invoice, noon, receipt, seller
from tests.intake.counter import Counter, assessed, award, codes
from tests.intake.linking import link
from tests.intake.own_tenant import own_programme

YEARS = iter(range(2061, 2080))
"""Linked regions are set for a whole year, so each test has a year of its own."""


def xuzhou_claim(year: int, amount: str, uscc_of: Body | None = None) -> Body:
    party = enterprise_in(SystemRandom(), Region("320312", "徐州", 1))
    body = claim(JIANGSU, amount, by=party, on=date(year, 8, 29))
    return body if uscc_of is None else body | {"enterprise": uscc_of["enterprise"]}


def matching_of(counter: Counter, year: int, uscc: str) -> Sums:
    account = ledger.matching_account("provincial", year, "320300", uscc)
    return counter.do(lambda work: ledger.sums_of(work.connection, "jiangsu", account), "jiangsu")


def test_a_linked_region_matches_the_award_within_its_own_cap(counter: Counter) -> None:
    year = next(YEARS)
    link(counter, year, {"320300": ["tech_sme"]})
    first = xuzhou_claim(year, "200000.00")
    one = counter.submit(first)
    assert assessed(one)["matching"] == {"linked_region": "320300", "amount": "30000.00"}
    two = counter.submit(xuzhou_claim(year, "210000.00", first))
    assert (award(two), two.row.matching_fen) == ("70000.00", 3_000_000)
    held = matching_of(counter, year, one.row.enterprise_uscc)
    assert (str(held.taken), str(held.limit)) == ("60000.00", "60000.00")


def test_a_lowered_award_lowers_its_matching_by_the_regions_ratio(counter: Counter) -> None:
    year = next(YEARS)
    link(counter, year, {"320300": ["tech_sme"]})
    one = counter.submit(xuzhou_claim(year, "200000.00"))
    lowered = counter.review(one, award="7000.01", reason="部分不符")
    assert (award(lowered), lowered.row.matching_fen) == ("7000.01", 300_000)
    held = matching_of(counter, year, one.row.enterprise_uscc)
    assert (str(held.debits_pending), str(held.debits_posted)) == ("0.00", "3000.00")


def test_a_withdrawn_claim_frees_its_matching(counter: Counter) -> None:
    year = next(YEARS)
    link(counter, year, {"320300": ["tech_sme"]})
    one = counter.withdraw(counter.submit(xuzhou_claim(year, "400000.00")))
    assert str(matching_of(counter, year, one.row.enterprise_uscc).taken) == "0.00"


@pytest.mark.parametrize("regions", [{}, {"320300": ["high_tech"]}, {"320700": ["tech_sme"]}, {"320311": ["tech_sme"]}])
def test_a_region_or_type_that_is_not_linked_matches_nothing(counter: Counter, regions: dict[str, list[str]]) -> None:
    year = next(YEARS)
    link(counter, year, regions)
    one = counter.submit(xuzhou_claim(year, "200000.00"))
    assert (award(one), one.row.matching_fen) == ("70000.00", 0)


def test_the_most_local_of_several_linked_regions_matches(counter: Counter) -> None:
    year = next(YEARS)
    link(counter, year, {"320000": ["tech_sme"], "320300": ["tech_sme"], "320312": ["tech_sme"]})
    one = counter.submit(xuzhou_claim(year, "20000.00"))
    assert assessed(one)["matching"] == {"linked_region": "320312", "amount": "3000.00"}


def request(body: Body, **members: object) -> Body:
    """The reservation for the contract of a claim."""
    shared = ("external_id", "tenant", "scheme", "mode", "enterprise", "provider", "contract")
    return {name: body[name] for name in shared} | {"requested_at": noon(date(2024, 8, 1))} | members


def voucher_claim(reservation: ReservationRow | None = None, paid: str = "7000.00") -> Body:
    """A cross-redemption claim over 10,000 yuan of which the enterprise paid a part; the provider is paid the rest."""
    body = claim(WUJIANG, mode="cross_redemption")
    body["receipts"] = [receipt(paid)]
    return body if reservation is None else body | {"reservation_id": str(reservation.id)}


def reserved(counter: Counter, body: Body) -> ReservationRow:
    return counter.confirm(counter.reserve(request(body), "delta"))


def quota(counter: Counter, uscc: str) -> Sums:
    account = ledger.quota_account("delta", 2024, uscc)
    return counter.do(lambda work: ledger.sums_of(work.connection, "wujiang", account), "wujiang")


def test_a_confirmed_reservation_sets_quota_aside_and_a_claim_uses_it(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    uscc = body["enterprise"]["uscc"]
    assert (held.state, held.amount_fen, str(quota(counter, uscc).taken)) == ("confirmed", 300_000, "3000.00")
    used = counter.submit(body | {"reservation_id": str(held.id)})
    assert (used.row.state, award(used), used.row.reservation_id) == ("in_review", "3000.00", held.id)
    assert str(quota(counter, uscc).taken) == "3000.00"
    assert _state(counter, held) == "used"


def test_a_claim_is_bound_by_the_vouchers_face_value(counter: Counter) -> None:
    body = voucher_claim(paid="8000.00")
    held = counter.confirm(counter.reserve(request(body, amount="2000.00"), "delta"))
    used = counter.submit(body | {"reservation_id": str(held.id)})
    assert (award(used), assessed(used)["cut"]) == ("2000.00", {"reservation": "1000.00"})


def test_payments_and_face_value_must_cover_the_invoices(counter: Counter) -> None:
    body = voucher_claim(paid="6999.99")
    held = reserved(counter, body)
    short = counter.submit(body | {"reservation_id": str(held.id)})
    assert (short.row.state, codes(short)) == ("needs_correction", {"totals.receipts"})
    assert _state(counter, held) == "confirmed"
    body["receipts"] = [receipt("7000.00")]
    assert counter.submit(body | {"reservation_id": str(held.id)}).row.state == "in_review"
    assert _state(counter, held) == "used"


def test_cross_redemption_without_reservation_is_rejected(counter: Counter) -> None:
    assert "reservation" in codes(counter.submit(voucher_claim()))


def test_a_reservation_serves_its_own_enterprise_provider_and_contract_only(counter: Counter) -> None:
    held = reserved(counter, voucher_claim())
    stranger = counter.submit(voucher_claim(held))
    assert (stranger.row.state, codes(stranger)) == ("rejected", {"reservation"})
    assert _state(counter, held) == "confirmed"


def test_a_reservation_is_used_once(counter: Counter) -> None:
    body = voucher_claim()
    body["contract"]["amount"] = "20000.00"
    held = counter.confirm(counter.reserve(request(body, amount="3000.00"), "delta"))
    first = body | {"reservation_id": str(held.id)}
    second = voucher_claim(held) | {name: body[name] for name in ("enterprise", "provider", "contract")}
    outcomes = counter.submit_all([first, second])
    assert [one.view.row.state for one in outcomes if one.view] == ["in_review", "rejected"]


def test_a_requested_reservation_sets_nothing_aside_and_cannot_be_used(counter: Counter) -> None:
    body = voucher_claim()
    asked = counter.reserve(request(body), "delta")
    assert str(quota(counter, body["enterprise"]["uscc"]).taken) == "0.00"
    assert "reservation" in codes(counter.submit(body | {"reservation_id": str(asked.id)}))


def test_a_cancelled_reservation_is_free_at_once(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    cancelled = counter.do(lambda work: reservations.cancel(work, "client", held.id, "delta"), "wujiang")
    assert (cancelled.state, str(quota(counter, body["enterprise"]["uscc"]).taken)) == ("cancelled", "0.00")
    with pytest.raises(Conflict):
        counter.confirm(held)


def test_a_used_reservation_cannot_be_cancelled(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    counter.submit(body | {"reservation_id": str(held.id)})
    with pytest.raises(Conflict) as refused:
        counter.do(lambda work: reservations.cancel(work, "client", held.id, "delta"), "wujiang")
    assert refused.value.code == "reservation.state"


def test_reservations_end_with_their_year(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    assert held.expires_on == date(2024, 12, 31)
    last = datetime(2024, 12, 31, 15, 59, tzinfo=UTC)
    for at, left, state in ((last, "3000.00", "confirmed"), (last + timedelta(minutes=1), "0.00", "expired")):
        run(counter.app, Scope(("wujiang",)), FixedClock(at), reservations.release_expired)
        assert (str(quota(counter, body["enterprise"]["uscc"]).taken), _state(counter, held)) == (left, state)


def test_an_expired_reservation_is_neither_confirmed_cancelled_nor_used(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    end = datetime(2024, 12, 31, 16, tzinfo=UTC)
    run(counter.app, Scope(("wujiang",)), FixedClock(end), reservations.release_expired)
    with pytest.raises(Conflict):
        counter.confirm(held)
    with pytest.raises(Conflict):
        counter.do(lambda work: reservations.cancel(work, "client", held.id, "delta"), "wujiang")
    assert "reservation" in codes(counter.submit(body | {"reservation_id": str(held.id)}))


def test_a_reservation_used_in_part_gives_the_rest_back_at_once(counter: Counter) -> None:
    body = voucher_claim(paid="2000.00")
    body["contract"]["amount"] = "20000.00"
    held = reserved(counter, body)
    uscc = body["enterprise"]["uscc"]
    assert (held.amount_fen, str(quota(counter, uscc).taken)) == (600_000, "6000.00")
    body["services"][0]["amount"] = "3000.00"
    body["invoices"] = [invoice("3000.00")]
    used = counter.submit(body | {"reservation_id": str(held.id)})
    assert (award(used), str(quota(counter, uscc).taken), _state(counter, held)) == ("900.00", "900.00", "used")


def test_a_withdrawn_claims_voucher_is_spent_and_its_quota_free(counter: Counter) -> None:
    body = voucher_claim()
    held = reserved(counter, body)
    counter.withdraw(counter.submit(body | {"reservation_id": str(held.id)}))
    assert (str(quota(counter, body["enterprise"]["uscc"]).taken), _state(counter, held)) == ("0.00", "used")


@pytest.mark.parametrize(
    ("part", "members", "code"),
    [
        ("enterprise", {"division": "310118"}, "enterprise.region"),
        ("enterprise", {"types": ["high_tech"]}, "enterprise.type"),
        ("provider", {"division": "110108"}, "provider.region"),
        ("provider", {"on_platform": False}, "provider.admission"),
    ],
)
def test_quota_is_refused_where_the_rules_would_reject_the_claim_for_its_parties(
    counter: Counter, part: str, members: Body, code: str
) -> None:
    body = voucher_claim()
    body[part] |= members
    with pytest.raises(Invalid) as refused:
        counter.reserve(request(body), "delta")
    assert [fault.code for fault in refused.value.errors] == [code]


def test_a_reservation_belongs_to_the_quota_year_of_its_policy(counter: Counter, owner: Engine, app: Engine) -> None:
    def by_october(policy: Policy) -> Policy:
        return replace(
            policy,
            modes=Term(("common_use", "cross_redemption"), "测试"),
            quota_year=replace(policy.quota_year, starts=Term("10-01", "测试")),
        )

    own = own_programme(owner, app, by_october)
    for day, year in (("2024-09-30", 2024), ("2024-10-01", 2025)):
        asked = request(claim(own, mode="cross_redemption"), requested_at=noon(date.fromisoformat(day)))
        held = counter.reserve(asked, "jssic")
        assert (held.quota_year, held.expires_on) == (year, date(year, 9, 30))


def test_quota_that_is_not_there_cannot_be_confirmed(counter: Counter) -> None:
    party, provider = buyer(WUJIANG), seller(WUJIANG)
    counter.submit(claim(WUJIANG, "1000000.00", by=party, to=provider))
    body = claim(WUJIANG, mode="cross_redemption", by=party, to=provider)
    with pytest.raises(Conflict) as refused:
        reserved(counter, body)
    assert refused.value.code == "quota.exhausted"


def test_the_same_request_again_is_the_same_reservation_and_other_content_is_refused(counter: Counter) -> None:
    body = voucher_claim()
    first = counter.reserve(request(body), "delta")
    assert counter.reserve(request(body), "delta").id == first.id
    with pytest.raises(Conflict) as refused:
        counter.reserve(request(body, amount="1.00"), "delta")
    assert refused.value.code == "reservation.content_differs"


def test_a_mode_that_the_scheme_does_not_offer_cannot_be_reserved(counter: Counter) -> None:
    with pytest.raises(Invalid) as refused:
        counter.reserve(request(claim(JIANGSU, mode="cross_redemption")), "jssic")
    assert refused.value.errors[0].code == "policy.mode"


def _state(counter: Counter, held: ReservationRow) -> str:
    return counter.do(lambda work: reservations.view(work.connection, held.id).state, "wujiang")


def lowered(
    counter: Counter, held: ReservationRow, amount: str, reason: str | None = "部分服务不在目录内"
) -> ReservationRow:
    lower = Lower(Money.parse(amount), reason)
    done: ReservationRow = counter.do(
        lambda work: reservations.confirm(work, "test-reviewer", held.id, lower, demonstration=True), "wujiang"
    )
    return done


def test_the_center_confirms_less_with_a_reason_and_the_rest_is_free_at_once(counter: Counter) -> None:
    body = voucher_claim(paid="8000.00")
    asked, uscc = counter.reserve(request(body), "delta"), body["enterprise"]["uscc"]
    for amount, reason, pointer in (("3000.01", "x", "/amount"), ("2000.00", None, "/reason")):
        with pytest.raises(Invalid) as refused:
            lowered(counter, asked, amount, reason)
        assert [fault.pointer for fault in refused.value.errors] == [pointer]
    held = lowered(counter, asked, "2500.00")
    assert (held.state, held.amount_fen, held.computed_fen) == ("confirmed", 250_000, 300_000)
    assert str(quota(counter, uscc).taken) == "2500.00"
    again = lowered(counter, held, "2000.00", "再核减")
    assert (again.amount_fen, again.lowered_reason, str(quota(counter, uscc).taken)) == (200_000, "再核减", "2000.00")
    assert lowered(counter, again, "2000.00").lowered_reason == "再核减"
    used = counter.submit(body | {"reservation_id": str(held.id)})
    assert (award(used), assessed(used)["cut"]) == ("2000.00", {"reservation": "1000.00"})
    with pytest.raises(Conflict):
        lowered(counter, again, "1000.00")


def test_the_face_value_that_was_lowered_must_cover_the_invoices_with_the_payments(counter: Counter) -> None:
    body = voucher_claim(paid="7000.00")
    held = lowered(counter, counter.reserve(request(body), "delta"), "2999.99")
    short = counter.submit(body | {"reservation_id": str(held.id)})
    assert (short.row.state, codes(short)) == ("needs_correction", {"totals.receipts"})


def test_of_a_contract_whose_services_are_named_only_those_of_the_catalogue_count(counter: Counter) -> None:
    body = voucher_claim()
    services = [
        {"item": "testing", "name": "检测", "amount": "4000.00"},
        {"item": "catering", "name": "餐饮", "amount": "5000.00"},
    ]
    asked = counter.reserve(request(body, services=services), "delta")
    assert (asked.computed_fen, asked.amount_fen) == (120_000, 120_000)
    assert reservations.reservation_json(asked, date(2024, 8, 1))["services"] == services
    with pytest.raises(Invalid) as refused:
        counter.reserve(request(voucher_claim(), services=services[1:]), "delta")
    assert [fault.code for fault in refused.value.errors] == ["service.catalogue"]


def test_the_database_lets_no_face_value_rise_above_what_was_computed(counter: Counter) -> None:
    held = reserved(counter, voucher_claim())
    more = "update reservation set amount_fen = amount_fen + 1, lowered_reason = 'x' where id = %s"
    less = "update reservation set amount_fen = amount_fen - 1 where id = %s"
    with pytest.raises(IntegrityError, match="reservation_"):
        counter.do(lambda work: work.connection.exec_driver_sql(more, (held.id,)), "wujiang")
    with pytest.raises(IntegrityError, match="reservation_lowered_with_reason"):
        counter.do(lambda work: work.connection.exec_driver_sql(less, (held.id,)), "wujiang")
