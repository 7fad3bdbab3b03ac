"""Suspicions of the story: what a platform states as paid elsewhere, and invoices that are cancelled."""

from typing import Any, Protocol

from werkzeug.test import TestResponse

Body = dict[str, Any]


class Teller(Protocol):
    """What these chapters need of the story."""

    def call(self, who: str, method: str, path: str, body: Any = None) -> TestResponse:
        """One call."""
        ...

    def claim(self, claim_id: str) -> Body:
        """The claim as it now is."""
        ...

    def approve(self, claim: Body, reviewer: str = "reviewer") -> Body:
        """Carry the claim through all of its stages."""
        ...


def collide(story: Teller, claim_ids: list[str]) -> None:
    """What a platform states as paid elsewhere freezes claims in publicity; one record is set aside, one stands."""
    for number, claim_id in enumerate(claim_ids):
        claim = story.claim(claim_id)
        keys = [
            {"kind": "invoice", "value": invoice["number"], "amount": invoice["amount"]}
            for invoice in claim["invoices"]
            if len(invoice["number"]) == 20
        ]
        body = {
            "platform": "wujiang-local", "external_id": f"support-collides-{number}", "tenant": "wujiang",
            "enterprise_uscc": claim["enterprise"]["uscc"], "supported_on": "2024-06-03", "keys": keys,
        }  # fmt: skip
        told = story.call("wujiang-local", "POST", "/v1/support-records", body).get_json()
        assert told["collisions"], "the record meets no claim"
        assert story.claim(claim_id)["state"] == "on_hold"
        reviewer = "reviewer of center"
        [case] = story.call(reviewer, "GET", f"/v1/cases?state=open&subject={claim_id}").get_json()["items"]
        path = f"/v1/cases/{case['id']}"
        story.call(reviewer, "POST", f"{path}/assignment", {"owner": "李审"})
        outcome = ("earlier_stands", "later_stands")[number]
        story.call(reviewer, "POST", f"{path}/resolution", {"outcome": outcome, "reason": "已向平台核实"})
        story.approve(story.claim(claim_id), "second reviewer")


def cancel(story: Teller, claim_id: str) -> str:
    """The claim's invoices are cancelled by red-letter invoices: the state that it then has."""
    claim = story.claim(claim_id)
    keys = [
        {"kind": "red_letter", "value": (invoice["code"] or "") + invoice["number"], "amount": invoice["amount"]}
        for invoice in claim["invoices"]
    ]
    body = {
        "platform": "wujiang-local", "external_id": f"red-letter-{claim['claim_no']}", "tenant": "wujiang",
        "enterprise_uscc": claim["enterprise"]["uscc"], "supported_on": "2024-09-27", "keys": keys,
    }  # fmt: skip
    story.call("wujiang-local", "POST", "/v1/support-records", body)
    return str(story.claim(claim_id)["state"])


def cancel_what_was_paid(story: Teller, claim_id: str) -> None:
    """The invoices of a claim that was paid are cancelled: it stays so, and a case is open."""
    assert cancel(story, claim_id) == "instructed"
    query = f"/v1/cases?kind=red_letter&state=open&subject={claim_id}"
    assert len(story.call("auditor", "GET", query).get_json()["items"]) == 1
