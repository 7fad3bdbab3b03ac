"""The part of the story that policies play: drafted, rejected, approved, corrected; claims that waited for them."""

from typing import TYPE_CHECKING

from clearing.demonstration.claims import generate
from tenants.policy_document import load_shipped

if TYPE_CHECKING:
    from tests.verification.story import Body, Story

SEED = 7


def service_report(body: "Body") -> "Body":
    """The claim's service report."""
    return next(document for document in body["documents"] if document["kind"] == "service_report")


def draft_policies(story: "Story") -> None:
    """A scheme of Ma'anshan's own whose rate is unset: rejected, drafted anew, approved; a claim waits for the rate."""
    policies = "/v1/tenants/maanshan/schemes/local/policies"
    for rate, outcome in (("unset", "reject"), ("unset", "approve")):
        body = {"effective_on": "2024-09-26", "document": _local("2024-09-26", rate)}
        story.call("administrator", "POST", policies, body)
        story.call("administrator", "POST", f"{policies}/2024-09-26/submit")
        story.call(
            "second administrator",
            "POST",
            f"{policies}/2024-09-26/{outcome}",
            {"reason": "先核对文号"} if outcome == "reject" else None,
        )
    late = {"effective_on": "2025-01-01", "document": _local("2025-01-01", "0.40"), "reason": "明年的比例"}
    story.call("administrator", "POST", policies, late)
    drawn = [each for each in generate(SEED + 3, 400) if each.body["tenant"] == "maanshan" and each.planted is None]
    for number, given in enumerate(drawn[:3]):
        given.body.update({"scheme": "local", "submitted_at": "2024-09-26T09:00:00+08:00"})
        service_report(given.body)["sha256"] = service_report(drawn[0].body)["sha256"]
        held = story.submit(given)
        assert held["state"] == "on_hold", held["assessment"]["findings"]
        if number == 2:
            hold = next(hold for hold in held["holds"] if hold["code"] != "policy.incomplete")
            path = f"/v1/claims/{held['id']}/holds/{hold['id']}/resolution"
            story.call("reviewer of center", "POST", path, {"outcome": "clear", "reason": "已核对"})


def _local(on: str, rate: str) -> str:
    text = next(each.text for each in load_shipped() if each.policy.tenant == "maanshan")
    text = text.replace('scheme = "delta"', 'scheme = "local"').replace("2021-01-09", on)
    return text.replace('rate = { value = "unset"', f'rate = {{ value = "{rate}"')


def link_regions(story: "Story") -> None:
    """The year's linked regions: rejected, approved, superseded, and proposed once more without anybody's decision."""
    path = "/v1/tenants/jiangsu/linked-regions/2024"
    regions = {
        "320509": ["tech_sme", "high_tech", "incubated", "talent"], "320300": ["tech_sme"],
        "320700": ["tech_sme", "high_tech"], "320900": ["tech_sme"],
    }  # fmt: skip
    lists = ({"320300": ["high_tech"]}, regions, {"320300": ["talent"]}, {"320900": ["talent"]})
    for number, (given, outcome) in enumerate(zip(lists, ("reject", "approve", None, None), strict=True), 1):
        story.call("administrator", "PUT", path, {"regions": given})
        if outcome is not None:
            decision = {"version": number, "outcome": outcome, "reason": "经核"}
            story.call("second administrator", "POST", f"{path}/decision", decision)


def commit_regions(story: "Story") -> None:
    """Wujiang, a tenant, and Xuzhou, which is none, match more than the policy asks for; one proposal is rejected."""
    for of, division, ratio, cap, outcome in (
        ("wujiang", "320509", "1:1", "100000.00", "reject"),
        ("wujiang", "320509", "2:3", "150000.00", "approve"),
        ("jiangsu", "320300", "7:4", "80000.00", "approve"),
        ("wujiang", "320509", "1:2", "200000.00", None),
    ):
        body = {
            "province": "jiangsu", "year": 2024, "division": division, "types": ["tech_sme", "high_tech"],
            "provincial_to_local": ratio, "cap": cap, "from_on": "2024-09-26", "cite": "联动承诺书〔2024〕1号",
        }  # fmt: skip
        made = story.call("administrator", "POST", f"/v1/tenants/{of}/linkages", body).get_json()
        if outcome is not None:
            path = f"/v1/tenants/jiangsu/linkages/{made['id']}/decision"
            story.call("second administrator", "POST", path, {"outcome": outcome, "reason": "经核"})


def divide_a_budget(story: "Story") -> None:
    """A scheme of Qingpu's own with rates by class, whose short budget is divided among three claims."""
    path = "/v1/tenants/qingpu/schemes/local"
    text = next(each.text for each in load_shipped() if each.policy.tenant == "qingpu")
    text = text.replace('scheme = "delta"', 'scheme = "local"').replace("2021-01-09", "2024-09-26")
    text = text.replace('rate = { value = "unset"', 'rate = { value = "0.30"').replace('"waitlist"', '"pro_rata"')
    text = text.replace("[limits]\n", '[limits]\nfull_support_through = { value = "500.00", cite = "测" }\n')
    text = text.replace("[limits]\n", '[limits]\nshared_cap = { value = "annual", cite = "测" }\n')
    text += '\n[[service_classes]]\ncode = "t"\nzh = "测"\nen = "t"\ncite = "测"\nitems = ["testing"]\n'
    text += 'rate = { value = "0.45", cite = "测" }\n'
    story.call("administrator", "POST", f"{path}/policies", {"effective_on": "2024-09-26", "document": text})
    story.call("administrator", "POST", f"{path}/policies/2024-09-26/submit")
    story.call("second administrator", "POST", f"{path}/policies/2024-09-26/approve")
    drawn = [each for each in generate(SEED + 4, 300) if each.body["tenant"] == "qingpu" and each.planted is None]
    for given in drawn[:3]:
        given.body.update({"scheme": "local", "submitted_at": "2024-09-26T09:00:00+08:00"})
        held = story.submit(given)
        assert held["state"] == "on_hold", held["assessment"]["findings"]
    story.call("administrator", "PUT", f"{path}/budgets/2024", {"amount": "1000.01"})
    divided = story.call("second administrator", "POST", f"{path}/budgets/2024/division").get_json()
    assert divided["shared"] == "1000.01"


def set_the_rate(story: "Story") -> None:
    """The rate is set, and the claim that waited for it is assessed."""
    story.move("2024-11-21T09:00:00+08:00")
    policies = "/v1/tenants/maanshan/schemes/local/policies"
    story.call(
        "administrator", "POST", policies, {"effective_on": "2024-11-21", "document": _local("2024-11-21", "0.30")}
    )
    story.call("administrator", "POST", f"{policies}/2024-11-21/submit")
    approved = story.call("second administrator", "POST", f"{policies}/2024-11-21/approve").get_json()
    assert approved["assessed_claims"] == 3
    back = {
        "effective_on": "2024-09-25",
        "document": _local("2024-09-25", "0.20"),
        "kind": "retroactive",
        "reason": "补录",
    }
    story.call("administrator", "POST", policies, back)
    story.call("administrator", "POST", f"{policies}/2024-09-25/submit")
    story.call("second administrator", "POST", f"{policies}/2024-09-25/approve")
