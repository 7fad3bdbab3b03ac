"""A seventh region as one data file: full support of a first amount, rates by class, a cap a claim, pro rata."""

from pathlib import Path
from typing import Any, Final

import pytest

from clearing.claims.assessment import assess
from clearing.claims.facts import Facts
from connectors.reading import read_submission
from tenants.kernel.money import Money, divide, total
from tenants.policy import Policy
from tenants.policy_document import read_policy
from tests.intake.bodies import WUJIANG, claim
from tests.tenancy.office import Office

TEXT: Final = (Path(__file__).parent / "regions" / "seventh.toml").read_text(encoding="utf-8")
DAY: Final = "2024-08-01"
Body = dict[str, Any]


def body(office_tenant: str, *services: tuple[str, str], division: str = "430211") -> Body:
    """A claim with these services, paid and invoiced in full."""
    whole = str(total(Money.parse(amount) for _, amount in services))
    made = claim(WUJIANG, whole, tenant=office_tenant, scheme="provincial")
    made["enterprise"]["division"] = division
    line = made["services"][0]
    made["services"] = [{**line, "item": item, "amount": amount} for item, amount in services]
    return made


def policy() -> Policy:
    return read_policy(TEXT.replace('"seventh"', '"wujiang"'))


TWO_CLASSES: Final = (("testing", "60000.00"), ("technology_rd", "40000.00"))
WORKED: Final = [
    ("within the first amount: in full", (("testing", "8000.00"),), "8000.00"),
    ("the first amount itself", (("testing", "10000.00"),), "10000.00"),
    ("10000 + 30000 × 50 %", (("testing", "40000.00"),), "25000.00"),
    ("10000 + 30000 × 30 %", (("technology_rd", "40000.00"),), "19000.00"),
    ("10000 + 30000 × 25 %, of no class", (("novelty_search", "40000.00"),), "17500.00"),
    ("10000 + 90000 × (60000 × 50 % + 40000 × 30 %) ÷ 100000", TWO_CLASSES, "47800.00"),
    ("rounded down once", (("testing", "10000.01"), ("technology_rd", "0.02")), "10000.01"),
    ("the cap of one claim", (("technology_rd", "300000.00"),), "60000.00"),
]  # fmt: skip


@pytest.mark.parametrize(("services", "due"), [row[1:] for row in WORKED], ids=[row[0] for row in WORKED])
def test_what_is_due_is_what_the_document_says(services: tuple[tuple[str, str], ...], due: str) -> None:
    submission = read_submission(body("wujiang", *services))
    verdict = assess(submission, policy(), Facts("X", budget_share=Money(10**9)))
    assert str(verdict.award) == due


def test_the_capital_has_its_own_rate_and_cap() -> None:
    submission = read_submission(body("wujiang", ("novelty_search", "40000.00"), division="430103"))
    verdict = assess(submission, policy(), Facts("X", budget_share=Money(10**9), quota_taken=Money.parse("95000.00")))
    assert (verdict.zone, str(verdict.computed), str(verdict.award)) == ("capital", "16000.00", "5000.00")


def opened(office: Office) -> None:
    """The region's policy in force: the data file, and nothing else."""
    path = f"/v1/tenants/{office.tenant}/schemes/provincial/policies"
    text = TEXT.replace('"seventh"', f'"{office.tenant}"')
    assert office.call("drafter", "POST", path, {"effective_on": DAY, "document": text}).status_code == 201
    office.got("drafter", "POST", f"{path}/{DAY}/submit")
    office.got("approver", "POST", f"{path}/{DAY}/approve")
    office.move("2024-08-30T09:00:00+08:00")


def submitted(office: Office, *services: tuple[str, str]) -> Body:
    return office.got("platform", "POST", "/v1/claims", body(office.tenant, *services))


def test_a_short_budget_is_divided_to_the_fen_by_the_largest_remainder(office: Office) -> None:
    """Due are 25000, 47800, 60000 and 8000; there are 100000.01, which is 71.0227… % of the 140800."""
    opened(office)
    budget = f"/v1/tenants/{office.tenant}/schemes/provincial/budgets/2024"
    claims = [
        submitted(office, *services)
        for services in (
            [("testing", "40000.00")],
            [("testing", "60000.00"), ("technology_rd", "40000.00")],
            [("technology_rd", "300000.00")],
            [("testing", "8000.00")],
        )
    ]
    assert {one["state"] for one in claims} == {"on_hold"}
    assert [hold["code"] for hold in claims[0]["holds"]] == ["award.pro_rata"]
    refused = office.call("approver", "POST", f"{budget}/division")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "division.no_budget")
    office.got("drafter", "PUT", budget, {"amount": "100000.01"})
    division = office.got("approver", "POST", f"{budget}/division")
    shares = ["17755.68", "33948.87", "42613.64", "5681.82"]
    assert [line["share"] for line in division["claims"]] == shares
    assert (division["pot"], division["due"], division["shared"]) == ("100000.01", "140800.00", "100000.01")
    stand = [office.stands(one) for one in claims]
    assert [(one["state"], one["assessment"]["award"]) for one in stand] == [("in_review", share) for share in shares]
    assert office.got("drafter", "GET", budget)["left"] == "0.00"
    told = office.got("auditor", "GET", f"/v1/claims/{claims[1]['id']}/explanation")
    assert (
        "（60,000.00 × 50% + 40,000.00 × 30%）÷ 100,000.00 = 0.42；10,000.00 + 90,000.00 × 0.42 = 47,800.00 元"
        in told["zh"]
    )
    assert "按比例分配，分得 33,948.87 元：47,800.00 与 33,948.87 取小 = 33,948.87 元" in told["zh"]


def test_a_budget_that_suffices_gives_everybody_what_is_due_and_a_latecomer_gets_nothing_of_an_empty_one(
    office: Office,
) -> None:
    opened(office)
    budget = f"/v1/tenants/{office.tenant}/schemes/provincial/budgets/2024"
    office.got("drafter", "PUT", budget, {"amount": "33000.00"})
    first = [submitted(office, ("testing", "40000.00")), submitted(office, ("testing", "8000.00"))]
    office.got("approver", "POST", f"{budget}/division")
    assert [office.stands(one)["assessment"]["award"] for one in first] == ["25000.00", "8000.00"]
    again = office.call("approver", "POST", f"{budget}/division")
    assert again.get_json()["code"] == "division.nothing"
    late = submitted(office, ("testing", "8000.00"))
    assert office.got("approver", "POST", f"{budget}/division")["claims"][0]["share"] == "0.00"
    assert office.stands(late)["state"] == "rejected"


def test_a_claim_that_waits_for_the_division_is_not_cleared_by_hand(office: Office) -> None:
    opened(office)
    held = submitted(office, ("testing", "8000.00"))
    path = f"/v1/claims/{held['id']}/holds/{held['holds'][0]['id']}/resolution"
    refused = office.call("reviewer", "POST", path, {"outcome": "clear", "reason": "先行核定"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "hold.not_clearable")


def test_the_shares_of_thirds_go_to_the_first() -> None:
    thirds = divide(Money(100), [Money(100)] * 3)
    assert [share.fen for share in thirds] == [34, 33, 33]
    assert divide(Money(5), [Money(2), Money(3)]) == [Money(2), Money(3)]
    assert divide(Money(0), [Money(2), Money(3)]) == [Money(0), Money(0)]
    assert divide(Money(7), []) == []
