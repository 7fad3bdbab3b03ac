"""Rehearsals, retroactive corrections and differences in words, over HTTP: exact, and without any effect."""

from typing import Any

from tenants.kernel.money import Money
from tests.intake.bodies import WUJIANG, buyer
from tests.tenancy.office import Office

DAY = "2024-08-01"
Report = dict[str, Any]


def opened(office: Office, rate: str = "0.30") -> None:
    office.approved(office.rated(DAY, rate), DAY)
    office.move("2024-08-30T09:00:00+08:00")


def simulated(office: Office, version: str, **body: Any) -> Report:
    return office.got("drafter", "POST", f"{office.policies}/{version}/simulate", body)


def busy_history(office: Office) -> list[Report]:
    """Claims of two enterprises: within the cap, cut by it, beyond it; one withdrawn, one lowered, one sent back."""
    first, second = buyer(WUJIANG), buyer(WUJIANG)
    claims = [
        office.submitted(amount, by=party)
        for amount, party in (
            ("500000.00", first),
            ("400000.00", first),
            ("100000.00", second),
            ("300000.00", first),
            ("70000.01", second),
        )
    ]
    office.move("2024-08-30T09:01:00+08:00")
    office.got("platform", "POST", f"/v1/claims/{claims[0]['id']}/withdraw", {"reason": "撤回"})
    office.move("2024-08-30T09:02:00+08:00")
    claims.append(office.submitted("600000.00", by=first))
    lower = {"stage": "center", "outcome": "approve", "award": "20000.00", "reason": "核减"}
    office.got("reviewer", "POST", f"/v1/claims/{claims[2]['id']}/reviews", lower)
    back = {"stage": "center", "outcome": "correct", "reason": "补正"}
    office.got("reviewer", "POST", f"/v1/claims/{claims[4]['id']}/reviews", back)
    office.move("2024-08-30T09:03:00+08:00")
    claims += [office.submitted("900000.00", by=second) for _ in range(2)]
    return [office.stands(claim) for claim in claims]


def awards(claims: list[Report]) -> list[str]:
    return [claim["assessment"]["award"] for claim in claims]


def test_a_version_rehearsed_over_its_own_claims_changes_none(office: Office) -> None:
    opened(office)
    busy_history(office)
    report = simulated(office, DAY)
    assert (report["claims"], report["changed"], report["changed_claims"]) == (8, 0, [])
    assert report["award"]["difference"] == report["standing"]["difference"] == "0.00"


def test_a_draft_is_rehearsed_claim_by_claim_with_quota_carried_on(office: Office) -> None:
    """At 50 % the first claim fills the cap; what it would have taken it gives back when it is withdrawn."""
    opened(office)
    claims = busy_history(office)
    assert awards(claims) == [
        "0.00", "120000.00", "20000.00", "30000.00", "0.00", "150000.00", "270000.00", "10000.00",
    ]  # fmt: skip
    office.draft(office.rated("2024-09-02", "0.50"), "2024-09-02")
    report = simulated(office, "2024-09-02")
    after = {line["claim_no"]: (line["before"]["award"], line["after"]["award"]) for line in report["changed_claims"]}
    expected = [
        ("150000.00", "250000.00"),
        ("120000.00", "50000.00"),
        ("30000.00", "50000.00"),
        ("30000.00", "0.00"),
        ("21000.00", "35000.00"),
        ("150000.00", "250000.00"),
        ("270000.00", "280000.00"),
        ("10000.00", "0.00"),
    ]
    assert after == dict(zip((claim["claim_no"] for claim in claims), expected, strict=True))
    states = {(each["before"], each["after"]): each["claims"] for each in report["states"]}
    assert states == {("in_review", "rejected"): 2}
    before, would = (Money.parse(report["standing"][side]).fen for side in ("before", "after"))
    assert (before, would) == (60_000_000, 60_000_000)
    assert report["zones"][0]["changed"] == 8
    assert report["months"][0]["month"] == "2024-08"
    assert report["types"][0]["type"] == "tech_sme"
    caps = {each["cap"]: (each["before"]["claims"], each["after"]["claims"]) for each in report["caps"]}
    assert caps == {"annual_cap": (3, 5)}


def test_a_rehearsal_counts_the_budget_and_says_what_would_be_left(office: Office) -> None:
    opened(office)
    path = f"/v1/tenants/{office.tenant}/schemes/delta/budgets/2024"
    office.got("drafter", "PUT", path, {"amount": "7000.00"})
    claims = [office.submitted() for _ in range(3)]
    assert [claim["state"] for claim in claims] == ["in_review", "in_review", "on_hold"]
    office.draft(office.rated("2024-09-02", "0.20"), "2024-09-02")
    report = simulated(office, "2024-09-02")
    line = report["budgets"][0]
    assert (line["appropriated"], line["left"], line["left_after"]) == ("7000.00", "1000.00", "1000.00")
    changes = [(each["before"]["award"], each["after"]["award"]) for each in report["changed_claims"]]
    assert changes == [("3000.00", "2000.00"), ("3000.00", "2000.00"), ("0.00", "2000.00")]


def test_a_rehearsal_of_a_period_leaves_other_claims_out_and_nothing_is_changed(office: Office) -> None:
    opened(office)
    office.submitted(on="2024-08-20")
    inside = office.submitted(on="2024-08-29")
    office.draft(office.rated("2024-09-02", "0.10"), "2024-09-02")
    count = (
        "select (select count(*) from audit_entry), (select count(*) from assessment), (select count(*) from outbox)"
    )

    def rows() -> tuple[int, ...]:
        return tuple(office.do(lambda work: work.connection.exec_driver_sql(count).one()))

    before = rows()
    report = simulated(office, "2024-09-02", submitted_from="2024-08-29", submitted_through="2024-08-29")
    assert [line["claim_no"] for line in report["changed_claims"]] == [inside["claim_no"]]
    assert report["claims"] == 1
    assert rows() == before
    assert office.stands(inside)["assessment"]["award"] == "3000.00"


def test_an_uploaded_set_is_rehearsed_without_being_submitted(office: Office) -> None:
    opened(office)
    party = buyer(WUJIANG)
    office.draft(office.rated("2024-09-02", "0.60"), "2024-09-02")
    claims = [office.claim("400000.00", by=party) for _ in range(3)]
    report = simulated(office, "2024-09-02", claims=claims)
    changes = [(each["before"]["award"], each["after"]["award"]) for each in report["changed_claims"]]
    assert changes == [("120000.00", "240000.00"), ("120000.00", "60000.00"), ("60000.00", "0.00")]
    assert office.got("auditor", "GET", f"/v1/claims?tenant={office.tenant}")["items"] == []
    claims[1]["invoices"][0]["amount"] = "1.234"
    refused = office.call("drafter", "POST", f"{office.policies}/2024-09-02/simulate", {"claims": claims})
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.get_json()["errors"]} == {"/claims/1/invoices/0/amount"}


def test_a_retroactive_correction_is_an_act_with_a_report_and_changes_no_claim(office: Office) -> None:
    opened(office)
    claims = [office.submitted(), office.submitted("20000.00")]
    text = office.rated(DAY, "0.35").replace('zh = "长三角', 'correction = 1\nzh = "长三角', 1)
    assert office.draft(text, DAY, kind="retroactive").status_code == 422
    assert office.draft(text, DAY, kind="retroactive", reason="原文件比例误录").status_code == 201
    office.got("drafter", "POST", f"{office.policies}/{DAY}.1/submit")
    approved = office.got("approver", "POST", f"{office.policies}/{DAY}.1/approve")
    impact = approved["impact"]
    assert (impact["claims"], impact["changed"], impact["award"]["difference"]) == (2, 2, "1500.00")
    assert [line["after"]["award"] for line in impact["changed_claims"]] == ["3500.00", "7000.00"]
    assert [office.stands(claim)["assessment"] for claim in claims] == [claim["assessment"] for claim in claims]
    entry = office.do(
        lambda work: work.connection.exec_driver_sql(
            "select body from audit_entry where tenant = %s and action = 'policy.corrected'", (office.tenant,)
        ).scalar_one()
    )
    assert impact["changed_sha256"] in entry
    later = office.submitted(on="2024-08-30", submitted_at="2024-08-30T08:00:00+08:00")
    assert later["assessment"]["policy_version"].endswith(f"{DAY}.1")
    assert later["assessment"]["award"] == "3500.00"


def test_a_retroactive_version_reports_only_claims_that_it_would_have_governed(office: Office) -> None:
    opened(office)
    office.submitted(on="2024-08-10")
    office.submitted(on="2024-08-29")
    office.approved(office.rated("2024-09-02", "0.40"), "2024-09-02")
    text = office.rated("2024-08-20", "0.35")
    office.draft(text, "2024-08-20", kind="retroactive", reason="补录 8 月 20 日起的比例")
    office.got("drafter", "POST", f"{office.policies}/2024-08-20/submit")
    impact = office.got("approver", "POST", f"{office.policies}/2024-08-20/approve")["impact"]
    assert (impact["claims"], impact["award"]["difference"]) == (1, "500.00")


def test_the_difference_between_two_versions_is_told_in_words_with_both_clauses(office: Office) -> None:
    opened(office)
    text = office.rated("2024-09-02", "0.35").replace(
        'value = 5, cite = "租户设置', 'value = 7, cite = "租户设置（新）'
    )
    office.draft(text, "2024-09-02")
    found = office.got("drafter", "GET", f"{office.policies}/2024-09-02/diff")
    assert (found["version"], found["against"]) == (
        f"{office.tenant}/delta/2024-09-02", f"{office.tenant}/delta/{DAY}",
    )  # fmt: skip
    told = {item["place"]: item["zh"] for item in found["items"]}
    assert set(told) == {"/effective", "/zones/whole/rate", "/payout/publicity_days"}
    assert told["/zones/whole/rate"] == "分区·全区域·支持比例由30%改为35%（依据：测试发〔2024〕1号 第三条）。"
    assert told["/payout/publicity_days"].startswith("拨付·公示工作日由5改为7（依据：租户设置（")
    assert office.got("reader", "GET", f"{office.policies}/{DAY}/diff?against={DAY}")["items"] == []
    assert office.call("reader", "GET", f"{office.policies}/2024-09-02/diff").status_code == 404
    assert office.call("drafter", "GET", f"{office.policies}/{DAY}/diff").status_code == 404
