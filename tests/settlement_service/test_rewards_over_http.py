"""Yearly rewards over HTTP: five per cent of the paid services, 500,000.00 at most, once, from the year's budget."""

from typing import Any

import pytest

from clearing.tenancy import budgets
from settlement.batches.batch import Batch
from settlement.batches.delivery import instruct
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction
from tenants.kernel.money import Money
from tests.settlement_service.bench import APPROVED, CUT, OFFICE, OVER, Bench, shanghai
from tests.settlement_service.claims import approved_claim
from tests.settlement_service.desk import Desk

PROVIDER, OTHER = "12100000400000624D", "91320300MA1MPGAF10"
NEXT_YEAR = shanghai("2025-01-06")
PAYEE = {
    "account_name": "测试大学", "account_number": "6222000011112222", "bank_name": "测试银行", "cnaps": "102301000017",
}  # fmt: skip


def path(desk: Desk, year: int = 2024) -> str:
    return f"/v1/tenants/{desk.tenant}/schemes/provincial/rewards/{year}"


def paid(desk: Desk, bench: Bench, *amounts: str) -> Batch:
    """Claims of the provider's for these services, paid out."""
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(APPROVED)) as work:
        for amount in amounts:
            claim_id = approved_claim(work, desk.service.vault, bench.tenant, amount)
            work.connection.exec_driver_sql("update claim set provider_uscc = %s where id = %s", (PROVIDER, claim_id))
    bench.set_account()
    batch = bench.release(bench.seal(bench.publish(bench.cut())))
    return bench.do(lambda c: instruct(c, bench.tenant, batch.id, OFFICE, OVER), OVER)


def grant(desk: Desk, amount: str, provider: str = PROVIDER, year: int = 2024) -> Any:
    body = {"provider_uscc": provider, "amount": amount, "payee": PAYEE, "reason": "服务效益优秀"}
    return desk.post("maker", path(desk, year), json=body)


@pytest.fixture
def rewarding(desk: Desk, bench: Bench) -> Desk:
    """A provider with services of 2,000.01 yuan in the year that is over."""
    paid(desk, bench, "1500.00", "500.01")
    desk.move_to(NEXT_YEAR)
    return desk


def test_five_per_cent_of_what_was_paid_rounded_down_is_the_ceiling(rewarding: Desk) -> None:
    found = rewarding.get("maker", path(rewarding)).get_json()
    assert [(each["provider_uscc"], each["services"], each["ceiling"], each["claims"]) for each in found["items"]] == [
        (PROVIDER, "2000.01", "100.00", 2)
    ]
    answer = grant(rewarding, "100.01")
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/amount")
    assert grant(rewarding, "100.00").status_code == 201


def test_no_legal_entity_gets_more_than_five_hundred_thousand(desk: Desk, bench: Bench) -> None:
    paid(desk, bench, "9999999.00", "5000000.00")
    desk.move_to(NEXT_YEAR)
    [found] = desk.get("maker", path(desk)).get_json()["items"]
    assert found["ceiling"] == "500000.00"


def test_a_reward_is_granted_once_and_paid_by_an_incentive_batch(rewarding: Desk, bench: Bench) -> None:
    made = grant(rewarding, "60.00")
    assert made.status_code == 201, made.get_json()
    assert made.get_json()["reward_no"].startswith("RW-")
    again = grant(rewarding, "1.00")
    assert (again.status_code, again.get_json()["code"]) == (409, "reward.granted")
    assert rewarding.get("maker", path(rewarding)).get_json()["items"][0]["granted"] == "60.00"
    order = {"scheme": "provincial", "mode": "cross_redemption", "kind": "incentive"}
    batch = rewarding.post("maker", rewarding.batches, json=order).get_json()
    assert (batch["kind"], batch["count"], batch["total"]) == ("incentive", 1, "60.00")
    other = rewarding.post("maker", rewarding.batches, json=order | {"kind": "cross_redemption"}).get_json()
    assert other["count"] == 0
    published = rewarding.step("maker", batch, "publish").get_json()
    assert published["publicity_working_days"] == 5
    wrong = rewarding.post("maker", rewarding.batches, json=order | {"mode": "common_use"})
    assert (wrong.status_code, wrong.get_json()["errors"][0]["pointer"]) == (422, "/kind")


def test_the_years_budget_bounds_the_rewards(rewarding: Desk, bench: Bench) -> None:
    bench.do(lambda c: budgets.appropriate(c, bench.tenant, "provincial", 2024, Money.parse("2050.01"), CUT), CUT)
    answer = grant(rewarding, "50.01")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "budget.exhausted")
    assert grant(rewarding, "50.00").status_code == 201


@pytest.mark.parametrize(
    ("provider", "year", "status", "code"),
    [
        (OTHER, 2024, 422, "input.invalid"),
        (PROVIDER, 2025, 409, "reward.year_running"),
        ("x", 2024, 422, "input.invalid"),
    ],
)
def test_a_reward_needs_a_year_that_is_over_and_services_in_it(
    rewarding: Desk, provider: str, year: int, status: int, code: str
) -> None:
    answer = grant(rewarding, "1.00", provider, year)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_what_was_approved_and_not_paid_counts_for_nothing(desk: Desk, bench: Bench) -> None:
    with transaction(bench.app, Scope((bench.tenant,)), FixedClock(APPROVED)) as work:
        approved_claim(work, desk.service.vault, bench.tenant, "100.00")
    desk.move_to(NEXT_YEAR)
    assert desk.get("maker", path(desk)).get_json()["items"] == []
