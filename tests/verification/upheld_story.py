"""The story's objections that are right: a reward and a matching are lowered, a re-issue goes back, and is given up."""

from typing import Any

Body = dict[str, Any]


def object_to(story: Any, batch: Body, number: str) -> Body:
    """A reviewer's objection to one item of the batch in publicity; the item on hold."""
    tenant = batch["tenant"]
    path = f"/v1/tenants/{tenant}/batches/{batch['id']}/objections"
    story.call("reviewer of authority", "POST", path, {"claim_no": number, "reason": "金额有误"})
    items = story.call("maker", "GET", f"/v1/tenants/{tenant}/held-items?limit=500").get_json()["items"]
    return next(dict(each) for each in items if each["claim_no"] == number)


def uphold(story: Any, tenant: str, held: Body, outcome: str, keeps: str | None = None, said: str = "approve") -> None:
    """One finds that the objection is right, another decides on it."""
    path = f"/v1/tenants/{tenant}/held-items/{held['obligation_id']}/upholding"
    finding = {"outcome": outcome, "reason": "异议属实"} | ({} if keeps is None else {"keeps": keeps})
    story.call("reviewer of authority", "POST", path, finding)
    decision = {"outcome": said, "reason": "已复核"}
    story.call("second reviewer of authority", "POST", f"{path}/decision", decision)


def first_number(story: Any, batch: Body) -> str:
    """The number of the batch's first item."""
    path = f"/v1/tenants/{batch['tenant']}/batches/{batch['id']}/items"
    return str(story.call("maker", "GET", path).get_json()["items"][0]["claim_no"])


def give_up(story: Any, back: Body, correct: Any) -> None:
    """What is issued again goes back for another account, is issued again once more, and is given up."""
    tenant = back["tenant"]
    for outcome in ("returned", "withdrawn"):
        batch = story.cut(tenant, back["scheme"], back["mode"], kind="reissue")
        story.step("maker", tenant, batch, "publish")
        uphold(story, tenant, object_to(story, batch, back["claim_no"]), outcome)
        if outcome == "returned":
            correct(story, back, "6222000099990003", "approve")
            story.move("2024-11-01T09:00:00+08:00")
            story.call("maker", "POST", f"/v1/claims/{back['id']}/reissue")
