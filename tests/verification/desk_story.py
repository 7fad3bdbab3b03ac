"""The part of the story that tells of standings, calendars, interests, samples, the waitlist and the year's end."""

from hashlib import sha256
from typing import Any, Final

from clearing.claims.reservations import release_expired
from clearing.claims.waitlist import promote
from clearing.demonstration.claims import generate
from tenants.kernel.money import Money

SEED: Final = 7
Body = dict[str, Any]


def admit(story: Any) -> None:
    """Qualifications, admissions and trust lists of every state; none is about a party of the claims."""
    codes = [given.body["enterprise"]["uscc"] for given in generate(SEED + 105, 12)]
    sellers = _sellers()
    for number, uscc in enumerate(codes[:6]):
        path = f"/v1/enterprises/{uscc}/qualifications/jiangsu/2024"
        body: Body = {"name": f"企业{number}", "enterprise_type": "high_tech", "issued_on": "2023-11-02"}
        if number == 0:
            body = {"name": "企业0", "enterprise_type": "tech_sme", "number": "202432010000000001"}
        story.call("jssic", "PUT", path, body)
        outcome = (None, "admit", "refuse", "admit", "admit", None)[number]
        if outcome is not None:
            story.call("reviewer of center", "POST", f"{path}/decision", {"outcome": outcome, "reason": "已核"})
        if number == 3:
            body = {"outcome": "withdraw", "reason": "弄虚作假"}
            story.call("reviewer of center", "POST", f"{path}/decision", body)
    for number, uscc in enumerate(sellers):
        path = f"/v1/providers/{uscc}/admissions/jiangsu"
        body = {
            "name": f"检测机构{number}", "division": "320100", "kind": "company" if number else "university",
            "established_on": "2015-03-01", "on_platform": True, "platform_number": f"P{number}",
            "from_on": "2024-01-01",
            "qualifications": [{"kind": "CMA", "valid_through": "2026-05-31", "number": "231012340001"}],
        }  # fmt: skip
        story.call("administrator", "PUT", path, body)
        if number in {1, 2}:
            story.call("reviewer of center", "POST", f"{path}/decision", {"outcome": "admit"})
        if number == 2:
            gone = {"outcome": "exit", "ground": "fraud", "reason": "骗取资金"}
            story.call("reviewer of center", "POST", f"{path}/decision", gone)
    listed = {
        uscc: {"name": f"检测机构{number}", "from_on": "2024-01-01", "through_on": "2024-12-31"}
        for number, uscc in enumerate(sellers)
    }
    for number, outcome in enumerate((None, "approve", "reject")):
        given = {"cite": "服务承诺制", "providers": {uscc: listed[uscc] for uscc in sellers[: number + 1]}}
        made = story.call("administrator", "PUT", "/v1/tenants/jiangsu/trust-list", given).get_json()
        if outcome is not None:
            decision = {"version": made["version"], "outcome": outcome, "reason": "已核"}
            story.call("auditor", "POST", "/v1/tenants/jiangsu/trust-list/decision", decision)


def _sellers() -> list[str]:
    """Providers of nothing else in the story; the first two get onto the trust list."""
    return [given.body["enterprise"]["uscc"] for given in generate(SEED + 106, 4)]


def wait_for_money(story: Any) -> None:
    """Claims that wait for a budget, of which the first gets the money that is added."""
    path = "/v1/tenants/jiashan/schemes/delta/budgets/2024"
    read = story.call("auditor", "GET", path).get_json()
    taken = Money.parse(read["reserved"]) + Money.parse(read["used"])
    story.call("administrator", "PUT", path, {"amount": str(taken + Money(100))})
    due = Money(0)
    honest = [
        given for given in generate(SEED + 112, 200) if given.planted is None and given.body["tenant"] == "jiashan"
    ]
    for number, given in enumerate(honest[:2]):
        given.body["external_id"] += f"-waiting-{number}"
        for document in given.body["documents"]:
            document["sha256"] = sha256(f"{given.body['external_id']}/{document['kind']}".encode()).hexdigest()
        held = story.submit(given)
        assert [hold["code"] for hold in held["holds"]] == ["award.budget"], held["assessment"]["findings"]
        if number == 0:
            due = Money.parse(held["assessment"]["cut"]["budget"])
    story.call("administrator", "PUT", path, {"amount": str(taken + due)})
    budget = ("jiashan", "delta", 2024)
    assert story.do(lambda work: promote(work, story.service.vault, budget, demonstration=True)) == 1


def pass_trusted(story: Any, seed: int, count: int) -> None:
    """Claims that pass without review."""
    honest = [given for given in generate(seed, 60) if given.planted is None and given.platform == "jssic"]
    for number, given in enumerate(honest[:count]):
        given.body["external_id"] += f"-trusted-{seed}-{number}"
        given.body["provider"] |= {"uscc": _sellers()[0], "kind": "university"}
        for document in given.body["documents"]:
            document["sha256"] = sha256(f"{given.body['external_id']}/{document['kind']}".encode()).hexdigest()
        made = story.submit(given)
        assert made["state"] == "approved", made["assessment"]["findings"]


def end_the_year(story: Any) -> None:
    """What was set aside and not used expires."""
    story.move("2025-01-01T00:00:00+08:00")
    assert story.do(release_expired) == 2
    story.jobs()


def oversee(story: Any) -> None:
    """Interests that stand and have ended, and samples of what passed without review."""
    declared = [
        story.call(
            "administrator",
            "POST",
            "/v1/tenants/jiangsu/interests",
            {"person": person, "uscc": uscc, "ground": "亲属任职"},
        )
        for person, uscc in zip(("reviewer of center", "reviewer of city"), _sellers(), strict=False)
    ]
    path = f"/v1/tenants/jiangsu/interests/{declared[-1].get_json()['id']}/end"
    story.call("administrator", "POST", path, {"reason": "已离职"})
    bound: dict[str, Any] = {}
    for division in ("320300", "320700"):
        body = {"person": "second reviewer of city", "division": division, "ground": "徐科〔2024〕1号"}
        bound = story.call("administrator", "POST", "/v1/tenants/jiangsu/districts", body).get_json()
    story.call("administrator", "POST", f"/v1/tenants/jiangsu/districts/{bound['id']}/end", {"reason": "调离"})
    for from_on, through_on in (("2024-09-01", "2024-10-13"), ("2024-10-14", "2024-10-31")):
        body = {"scheme": "provincial", "from_on": from_on, "through_on": through_on, "share": "0.7"}
        drawn = story.call("reviewer of authority", "POST", "/v1/tenants/jiangsu/samples", body).get_json()
        path = f"/v1/tenants/jiangsu/samples/{drawn['id']}/items/1/decision"
        verdict = {"outcome": "unsound", "reason": "报告与服务不符", "sanction_until": "2027-10-01"}
        story.call("reviewer of authority", "POST", path, verdict)


def load_calendars(story: Any) -> None:
    """A year loaded twice, while a notice runs that it moves, and a year that no notice needs."""
    notice: Body = {"cite": "国办发明电〔2026〕1号", "holidays": ["2027-01-01"], "workdays": []}
    for days in (["2027-01-01"], ["2027-01-01", "2027-02-08"]):
        story.call("administrator", "PUT", "/v1/tenants/jiashan/calendar/2027", notice | {"holidays": days})
    story.step("maker", "jiashan", story.cut("jiashan", "delta"), "publish")
    amended = {
        "cite": "国办发明电〔2024〕补", "workdays": ["2024-10-12", "2024-09-29"],
        "holidays": [f"2024-10-0{day}" for day in range(1, 8)] + ["2024-10-18"],
    }  # fmt: skip
    story.call("administrator", "PUT", "/v1/tenants/jiashan/calendar/2024", amended)
