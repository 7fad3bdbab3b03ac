"""Awards told to people: from the text alone the amount is computed again; and past assessments proven to the byte."""

import re
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from sqlalchemy import Engine

from clearing.claims.assessment import assess, result_json
from clearing.claims.explanation import explain
from clearing.tenancy.recomputation import recompute_all
from tenants.kernel.money import Money
from tests.claims.claims_of_cases import NORTH, SHANXI, SOUTH, facts_of, policies
from tests.intake.bodies import WUJIANG, buyer
from tests.tenancy.office import Office
from tests.tenancy.test_rehearsal import opened

BASE_AND_RATE = (
    "2. 基数：服务 100,000.00 元与本年度发票 100,000.00 元取小 = 100,000.00 元；100,000.00 × 30% = 30,000.00 元"
    "（分以下舍去）。〔测试发〔2024〕1号 第三条〕"
)
CAP = (
    "3. 年度上限：300,000.00 − 已用 0.00 = 余 300,000.00 元；30,000.00 与 300,000.00 取小 = 30,000.00 元。"
    "〔沪科合〔2020〕31号 二（四）：每家企业每年不超过30万元〕"
)
AMOUNT = r"([\d,]+\.\d\d)"


def by_hand(text: str) -> tuple[int, int | None]:
    """Award and matching in fen, computed by a reader who knows nothing but the text."""

    def fen(amount: str) -> int:
        return int(amount.replace(".", "").replace(",", ""))

    award, matching = 0, None
    for line in text.splitlines():
        if found := re.search(rf"服务 {AMOUNT} 元与本年度发票 {AMOUNT} 元取小.*?× ([\d./%]+) = ", line):
            rate = Fraction(found[3].rstrip("%")) / (100 if found[3].endswith("%") else 1)
            award = floor(min(fen(found[1]), fen(found[2])) * rate)
        elif found := re.search(rf"年度上限：{AMOUNT} − 已用 {AMOUNT}", line):
            award = min(award, max(fen(found[1]) - fen(found[2]), 0))
        elif found := re.search(rf"核减至 {AMOUNT} 元", line):
            award = min(award, fen(found[1]))
        elif found := re.search(rf"× ([\d./]+) = .*?配套上限 {AMOUNT} − 已用 {AMOUNT}", line):
            ratio = Fraction(found[1])
            matching = min(floor(award * ratio), max(fen(found[2]) - fen(found[3]), 0))
        elif found := re.search(rf"(?:预算余|单笔上限|额度确认) {AMOUNT} 元", line):
            award = min(award, fen(found[1]))
    return award, matching


@pytest.mark.parametrize("claim", [NORTH, SOUTH, SHANXI], ids=["north", "south", "shanxi"])
@pytest.mark.parametrize("taken", ["0.00", "20000.00", "99999.99"])
def test_the_amount_follows_from_the_text_by_hand(claim: Any, taken: str) -> None:
    policy = next(each for each in policies() if (each.tenant, each.scheme) == (claim.tenant, claim.scheme))
    facts = facts_of(claim, quota_taken=Money.parse(taken))
    verdict = assess(claim, policy, facts)
    told: Any = explain(result_json(verdict))
    award, matching = by_hand(told["zh"])
    assert award == verdict.award.fen
    assert matching == (None if verdict.matching is None else verdict.matching.amount.fen)
    for step in told["steps"]:
        assert step["cite"] in step["zh"]
        assert step["cite"] in step["en"]
        assert step["cite"]
    assert told["zh"].endswith(f"核定金额：{verdict.award:,} 元。")


def test_an_award_is_explained_over_http_with_what_reviewers_lowered(office: Office) -> None:
    opened(office)
    given = office.submitted("100000.00")
    body = {"stage": "center", "outcome": "approve", "award": "20000.00", "reason": "部分服务未完成"}
    office.got("reviewer", "POST", f"/v1/claims/{given['id']}/reviews", body)
    told = office.got("auditor", "GET", f"/v1/claims/{given['id']}/explanation")
    assert told["zh"].splitlines() == [
        "1. 目录内服务合计 100,000.00 元。〔沪科合〔2020〕31号 二（一）〕",
        BASE_AND_RATE,
        CAP,
        "4. 中心审核由 30,000.00 元核减至 20,000.00 元，理由：部分服务未完成。",
        "核定金额：20,000.00 元。",
    ]
    assert by_hand(told["zh"]) == (2_000_000, None)
    assert [step["amount"] for step in told["steps"]] == ["100000.00", "30000.00", "30000.00", "20000.00"]


def test_a_refused_claim_is_told_why_and_by_which_clause(office: Office) -> None:
    opened(office)
    party = buyer(WUJIANG)
    office.submitted("1000000.00", by=party)
    refused = office.submitted("1000.00", by=party)
    told = office.got("auditor", "GET", f"/v1/claims/{refused['id']}/explanation")
    assert told["award"] == "0.00"
    assert [stop["rule"] for stop in told["stops"]] == ["quota.exhausted"]
    assert told["stops"][0]["cite"] in told["zh"]


def test_a_past_assessment_is_recomputed_to_the_same_bytes_whatever_was_approved_since(office: Office) -> None:
    opened(office)
    given = office.submitted()
    office.move("2024-09-02T09:00:00+08:00")
    text = office.rated("2024-08-01", "0.50").replace('zh = "长三角', 'correction = 1\nzh = "长三角', 1)
    office.draft(text, "2024-08-01", kind="retroactive", reason="更正")
    office.got("drafter", "POST", f"{office.policies}/2024-08-01.1/submit")
    office.got("approver", "POST", f"{office.policies}/2024-08-01.1/approve")
    path = f"/v1/claims/{given['id']}/recomputation"
    for query in ("", "?known_on=2024-08-30", "?known_on=2024-09-30"):
        found = office.got("auditor", "GET", path + query)
        assert (found["identical"], found["difference"]) == (True, None)
        assert found["policy_version"].endswith("/2024-08-01")
        assert found["stored_sha256"] == found["computed_sha256"]
    assert office.call("auditor", "GET", path + "?known_on=2024-08-29").status_code == 404


def test_every_assessment_of_a_region_is_recomputed_and_a_forged_one_is_found(office: Office, owner: Engine) -> None:
    office.approved(office.document("2024-08-01"), "2024-08-01")
    office.move("2024-08-30T09:00:00+08:00")
    given = [office.submitted() for _ in range(3)]
    office.move("2024-09-02T09:00:00+08:00")
    office.approved(office.rated("2024-09-02"), "2024-09-02")

    def recomputed(work: Any) -> Any:
        return recompute_all(work.connection, office.tenant, None, demonstration=False)

    found = office.do(recomputed)
    assert (found.assessments, found.differences) == (6, [])
    with owner.begin() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (office.tenant,))
        connection.exec_driver_sql("alter table assessment disable trigger user")
        connection.exec_driver_sql(
            'update assessment set result = replace(result, \'"award":"3000.00"\', \'"award":"3000.01"\') '
            "where tenant = %s and claim_id = %s and seq = 2",
            (office.tenant, given[1]["id"]),
        )
        connection.exec_driver_sql("alter table assessment enable trigger user")
    found = office.do(recomputed)
    assert [(line.claim_no, line.assessment) for line in found.differences] == [(given[1]["claim_no"], 2)]
