"""A policy version's life over HTTP: drafted, submitted, decided by another person, and never changed again."""

import re
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from clearing.claims.activation import assess_waiting
from tenants.policy_document import read_document
from tests.tenancy.office import Office

DAY = "2024-08-01"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def test_a_version_goes_from_draft_to_approval_and_each_step_is_in_the_chain(office: Office) -> None:
    drafted = office.draft(office.rated("2024-09-01"), "2024-09-01")
    assert drafted.status_code == 201
    version = drafted.get_json()
    assert (version["state"], version["kind"], version["author"], version["approver"]) == (
        "draft", "ordinary", "drafter", None,
    )  # fmt: skip
    assert version["content_sha256"] == read_document(version["document"]).digest
    assert drafted.headers["ETag"] == f'"{version["content_sha256"]}"'
    submitted = office.got("drafter", "POST", f"{office.policies}/2024-09-01/submit")
    assert (submitted["state"], submitted["submitter"]) == ("submitted", "drafter")
    approved = office.got("approver", "POST", f"{office.policies}/2024-09-01/approve")
    assert (approved["state"], approved["approver"], approved["document"]) == (
        "approved", "approver", version["document"],
    )  # fmt: skip
    actions = office.do(
        lambda work: list(
            work.connection.exec_driver_sql(
                "select action from audit_entry where tenant = %s order by seq", (office.tenant,)
            ).scalars()
        )
    )
    assert actions == ["policy.drafted", "policy.submitted", "policy.approved"]


def test_nobody_decides_what_he_drafted_or_submitted(office: Office) -> None:
    assert office.draft(office.rated("2024-09-01"), "2024-09-01", who="both").status_code == 201
    office.got("second drafter", "POST", f"{office.policies}/2024-09-01/submit")
    for step, body in (("approve", None), ("reject", {"reason": "不妥"})):
        own = office.call("both", "POST", f"{office.policies}/2024-09-01/{step}", body)
        assert code(own) == (403, "policy.four_eyes")
    assert office.got("approver", "POST", f"{office.policies}/2024-09-01/approve")["state"] == "approved"


def test_a_submitter_does_not_approve_what_another_drafted(office: Office) -> None:
    assert office.draft(office.rated("2024-09-01"), "2024-09-01").status_code == 201
    office.got("both", "POST", f"{office.policies}/2024-09-01/submit")
    assert code(office.call("both", "POST", f"{office.policies}/2024-09-01/approve")) == (403, "policy.four_eyes")


def test_what_is_approved_is_neither_drafted_submitted_nor_decided_again(office: Office) -> None:
    office.approved(office.rated(DAY), DAY)
    assert code(office.draft(office.rated(DAY, "0.40"), DAY)) == (409, "policy.state")
    for step, body in (("submit", None), ("approve", None), ("reject", {"reason": "不妥"})):
        who = "drafter" if step == "submit" else "approver"
        assert code(office.call(who, "POST", f"{office.policies}/{DAY}/{step}", body)) == (409, "policy.state")


def test_a_draft_is_rewritten_until_it_is_submitted_and_a_rejected_one_again(office: Office) -> None:
    path = f"{office.policies}/2024-09-01"
    for rate in ("0.20", "0.25"):
        assert office.draft(office.rated("2024-09-01", rate), "2024-09-01").status_code == 201
    assert '"0.25"' in office.got("drafter", "GET", path)["document"]
    office.got("drafter", "POST", f"{path}/submit")
    assert code(office.draft(office.rated("2024-09-01"), "2024-09-01")) == (409, "policy.state")
    rejected = office.got("approver", "POST", f"{path}/reject", {"reason": "比例无文号"})
    assert (rejected["state"], rejected["approver"], rejected["reason"]) == ("rejected", "approver", "比例无文号")
    assert office.draft(office.rated("2024-09-01"), "2024-09-01").get_json()["state"] == "draft"
    assert office.got("drafter", "GET", path)["approver"] is None


def test_an_approver_may_name_the_text_that_was_read(office: Office) -> None:
    first = office.draft(office.rated("2024-09-01", "0.20"), "2024-09-01").headers["ETag"]
    office.draft(office.rated("2024-09-01", "0.90"), "2024-09-01")
    office.got("drafter", "POST", f"{office.policies}/2024-09-01/submit")
    stale = office.call("approver", "POST", f"{office.policies}/2024-09-01/approve", If_Match=first)
    assert code(stale) == (412, "policy.changed")


def test_an_ordinary_version_never_begins_before_its_approval(office: Office) -> None:
    assert office.draft(office.rated("2024-07-31"), "2024-07-31").status_code == 201
    office.got("drafter", "POST", f"{office.policies}/2024-07-31/submit")
    refused = office.call("approver", "POST", f"{office.policies}/2024-07-31/approve")
    assert code(refused) == (409, "policy.effective_passed")
    assert office.approved(office.rated(DAY), DAY)["state"] == "approved"


def test_drafts_are_not_shown_to_those_who_only_read_claims(office: Office) -> None:
    office.approved(office.rated(DAY), DAY)
    office.draft(office.rated("2024-09-01"), "2024-09-01")
    for who, seen in (("reader", [DAY]), ("drafter", [DAY, "2024-09-01"]), ("auditor", [DAY, "2024-09-01"])):
        items = office.got(who, "GET", office.policies)["items"]
        assert [item["effective_on"] for item in items] == seen
    assert office.call("reader", "GET", f"{office.policies}/2024-09-01").status_code == 404


def test_a_faulty_document_is_refused_with_the_line_of_each_fault(office: Office) -> None:
    text = office.rated("2024-09-01").replace('"300000.00"', "300000").replace("agent =", "angel =")
    refused = office.draft(text, "2024-09-01")
    assert code(refused) == (422, "policy.document")
    lines = text.splitlines()
    found = {error["pointer"]: error["message"] for error in refused.get_json()["errors"]}
    assert set(found) == {"/document/zones/0/annual_cap/value", "/document/payout/angel", "/document/payout/agent"}
    for pointer, start in (("/document/zones/0/annual_cap/value", "annual_cap"), ("/document/payout/angel", "angel")):
        number = re.match(r"第 (\d+) 行：", found[pointer])
        assert number is not None
        assert lines[int(number[1]) - 1].startswith(start)
    assert office.got("drafter", "GET", office.policies)["items"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (("delta", "provincial"), "/document/scheme"),
        (("2024-09-01", "2024-09-02"), "/effective_on"),
    ],
)
def test_a_document_of_another_scheme_or_day_is_refused(office: Office, change: tuple[str, str], pointer: str) -> None:
    text = office.rated("2024-09-01")
    old, new = change
    text = text.replace(f'scheme = "{old}"', f'scheme = "{new}"').replace(f"value = {old}", f"value = {new}")
    refused = office.draft(text, "2024-09-01")
    assert [error["pointer"] for error in refused.get_json()["errors"]] == [pointer]


def test_versions_of_one_scheme_have_one_exclusion_group(office: Office) -> None:
    office.approved(office.rated(DAY), DAY)
    other = office.rated("2024-09-01").replace('value = "national"', 'value = "regional"')
    assert office.draft(other, "2024-09-01").status_code == 201
    refused = office.call("drafter", "POST", f"{office.policies}/2024-09-01/submit")
    assert code(refused) == (422, "policy.invalid")


def refused_by_database(owner: Engine, office: Office, statement: str, *values: str) -> str:
    """What the database says to a statement of its owner, which it refuses."""
    with owner.connect() as connection:
        connection.exec_driver_sql("select * from bind_scope(%s, null)", (office.tenant,))
        with pytest.raises(DBAPIError) as refused:
            connection.exec_driver_sql(statement, values)
    return str(refused.value)


CHANGES = [
    "update policy_version set document = document || ' ' where tenant = %s",
    "update policy_version set state = 'draft' where tenant = %s",
    "update policy_version set approver = 'someone else' where tenant = %s",
    "delete from policy_version where tenant = %s",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_the_database_keeps_an_approved_version_from_its_very_owner(
    office: Office, owner: Engine, statement: str
) -> None:
    office.approved(office.rated(DAY), DAY)
    assert "never" in refused_by_database(owner, office, statement, office.tenant)


BROKEN = [
    ("state = 'approved', approver = 'x', approved_at = now()", "does not go from draft"),
    ("state = 'submitted', submitter = null", "policy_version_submitted"),
    ("document = document || ' '", "policy_version_content"),
    ("effective_on = effective_on + 1", "keeps its name"),
    ("kind = 'retroactive', reason = 'x'", "keeps its name"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN)
def test_the_database_lets_no_draft_skip_a_step(office: Office, owner: Engine, change: str, said: str) -> None:
    office.draft(office.rated("2024-09-01"), "2024-09-01")
    statement = "update policy_version set {} where tenant = %s".replace("{}", change)
    assert said in refused_by_database(owner, office, statement, office.tenant)


def test_the_database_knows_four_eyes_and_the_day_of_approval(office: Office, owner: Engine) -> None:
    office.draft(office.rated("2024-09-01"), "2024-09-01")
    office.got("second drafter", "POST", f"{office.policies}/2024-09-01/submit")
    decide = "update policy_version set state = 'approved', approved_at = %s, approver = %s where tenant = %s"
    for at, approver, said in (
        ("2024-08-02", "drafter", "policy_version_check"),
        ("2024-08-02", "second drafter", "policy_version_four_eyes"),
        ("2024-09-02", "approver", "policy_version_ahead"),
    ):
        assert said in refused_by_database(owner, office, decide, at, approver, office.tenant)


def unset_then_rated(office: Office, **members: str) -> None:
    """The region's first version leaves the rate unset; claims come; the second sets it for 2 September."""
    office.approved(office.document(DAY, **members), DAY)
    office.move("2024-08-30T09:00:00+08:00")


def test_claims_wait_for_an_unset_rate_and_are_assessed_in_their_order_when_it_is_set(office: Office) -> None:
    unset_then_rated(office)
    budget = f"/v1/tenants/{office.tenant}/schemes/delta/budgets/2024"
    office.got("drafter", "PUT", budget, {"amount": "5000.00"})
    first, second, third = (office.submitted() for _ in range(3))
    assert {one["state"] for one in (first, second, third)} == {"on_hold"}
    assert [hold["code"] for hold in first["holds"]] == ["policy.incomplete"]
    office.move("2024-09-02T08:00:00+08:00")
    approved = office.approved(office.rated("2024-09-02"), "2024-09-02")
    assert approved["assessed_claims"] == 3
    granted = office.stands(first)
    assert (granted["state"], granted["next_stage"], granted["assessment"]["award"]) == (
        "in_review", "center", "3000.00",
    )  # fmt: skip
    assert granted["assessment"]["policy_version"].endswith("/2024-09-02")
    assert [(hold["code"], hold["outcome"]) for hold in granted["holds"]] == [("policy.incomplete", "clear")]
    for one in (second, third):
        waits = office.stands(one)
        assert (waits["state"], waits["assessment"]["award"]) == ("on_hold", "0.00")
        assert [h["code"] for h in waits["holds"] if h["state"] == "open"] == ["award.budget"]
    traces = office.got("auditor", "GET", f"/v1/claims/{first['id']}/trace")["items"]
    assert [(each["revision"], each["assessment"], each["state"]) for each in traces] == [
        (1, 1, "on_hold"), (1, 2, "in_review"),
    ]  # fmt: skip
    assert office.got("auditor", "GET", f"/v1/quotas?tenant={office.tenant}&scheme=delta&year=2024&enterprise="
                      f"{first['enterprise']['uscc']}")["reserved"] == "3000.00"  # fmt: skip


def test_a_version_of_a_later_day_assesses_nothing_before_it(office: Office) -> None:
    unset_then_rated(office)
    given = office.submitted()
    assert office.approved(office.rated("2024-09-02"), "2024-09-02")["assessed_claims"] == 0
    assert office.stands(given)["state"] == "on_hold"
    office.move("2024-09-02T00:00:00+08:00")

    def waiting(work: Any) -> int:
        return assess_waiting(work, office.service.vault, office.tenant, "delta", demonstration=False)

    assert office.do(waiting) == 1
    assert office.do(waiting) == 0
    assert office.stands(given)["state"] == "in_review"


def test_a_version_that_leaves_the_rate_unset_too_keeps_claims_waiting(office: Office) -> None:
    unset_then_rated(office)
    given = office.submitted()
    office.move("2024-09-02T08:00:00+08:00")
    assert office.approved(office.document("2024-09-02"), "2024-09-02")["assessed_claims"] == 0
    held = office.stands(given)
    assert [hold["code"] for hold in held["holds"] if hold["state"] == "open"] == ["policy.incomplete"]


def test_a_duplicate_that_waits_for_a_person_waits_on_and_a_cleared_one_stays_cleared(office: Office) -> None:
    unset_then_rated(office)
    report = next(doc for doc in office.submitted()["documents"] if doc["kind"] == "service_report")
    held = []
    for _ in range(2):
        body = office.claim()
        next(doc for doc in body["documents"] if doc["kind"] == "service_report")["sha256"] = report["sha256"]
        held.append(office.got("platform", "POST", "/v1/claims", body))
    assert all(len(one["holds"]) == 2 for one in held)
    hold = next(hold for hold in held[0]["holds"] if hold["code"] != "policy.incomplete")
    path = f"/v1/claims/{held[0]['id']}/holds/{hold['id']}/resolution"
    office.got("reviewer", "POST", path, {"outcome": "clear", "reason": "已核对"})
    office.move("2024-09-02T08:00:00+08:00")
    assert office.approved(office.rated("2024-09-02"), "2024-09-02")["assessed_claims"] == 3
    cleared, waiting = (office.stands(one) for one in held)
    assert (cleared["state"], cleared["assessment"]["award"]) == ("in_review", "3000.00")
    assert (waiting["state"], waiting["assessment"]["award"]) == ("on_hold", "3000.00")
    assert [h["code"] for h in waiting["holds"] if h["state"] == "open"] == [hold["code"]]


def test_a_claim_that_the_new_version_refuses_frees_what_it_held(office: Office) -> None:
    unset_then_rated(office)
    body = office.claim()
    given = office.got("platform", "POST", "/v1/claims", body)
    office.move("2024-09-02T08:00:00+08:00")
    elsewhere = office.rated("2024-09-02").replace(
        'divisions = { value = ["320509"]', 'divisions = { value = ["320506"]'
    )
    office.approved(elsewhere, "2024-09-02")
    refused = office.stands(given)
    assert (refused["state"], refused["assessment"]["award"]) == ("rejected", "0.00")
    held = office.do(
        lambda work: work.connection.exec_driver_sql(
            "select count(*) from registry_holding where holder_id = %s", (given["id"],)
        ).scalar_one()
    )
    assert held == 0


def test_a_claim_sent_back_by_the_new_version_is_corrected_in_a_second_revision(office: Office) -> None:
    unset_then_rated(office)
    body = office.claim()
    given = office.got("platform", "POST", "/v1/claims", body)
    office.move("2024-09-02T08:00:00+08:00")
    stricter = office.rated("2024-09-02").replace(
        "[quota_year]", '[[evidence]]\nkind = "rd_evidence"\nat_least = 1\ncite = "测试发〔2024〕1号"\n\n[quota_year]'
    )
    office.approved(stricter, "2024-09-02")
    back = office.stands(given)
    assert (back["state"], back["correction_due_on"]) == ("needs_correction", "2024-10-02")
    paper = {**body["documents"][0], "kind": "rd_evidence", "sha256": "0" * 64}
    again = office.got("platform", "POST", "/v1/claims", body | {"documents": [*body["documents"], paper]})
    assert (again["revision"], again["id"]) == (2, given["id"])
