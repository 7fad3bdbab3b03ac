"""Reservations of the story."""

from typing import Protocol
from uuid import UUID

from clearing.demonstration.claims import GeneratedClaim, cross_redemption
from tenants.kernel.money import Money
from tests.verification.suspicions import Body, Teller


class Submitter(Teller, Protocol):
    """What this chapter needs besides."""

    def submit(self, given: GeneratedClaim, key: str | None = None) -> Body:
        """Submit one claim through its platform."""
        ...


SEED = 7


def reserve(story: Submitter) -> None:
    """A reservation that a claim uses, one that is cancelled, and one that waits."""
    for number, name in enumerate(("used", "cancelled", "waiting", "unused")):
        body = reservation(cross_redemption(SEED + number, None, Money(300_000)).body, f"reservation-{name}")
        made = story.call("delta", "POST", "/v1/reservations", body).get_json()
        if name != "waiting":
            story.call("reviewer of center", "POST", f"/v1/reservations/{made['id']}/confirm", {})
        if name == "unused":
            lower = {"amount": "100.00", "reason": "部分服务不在目录内"}
            story.call("reviewer of center", "POST", f"/v1/reservations/{made['id']}/confirm", lower)
        if name == "cancelled":
            story.call("delta", "POST", f"/v1/reservations/{made['id']}/cancel", {})
        if name == "used":
            given = cross_redemption(SEED, UUID(made["id"]), Money.parse(made["amount"]))
            assert story.submit(given)["state"] == "in_review"


def reservation(draft: Body, external_id: str) -> Body:
    return {
        "external_id": external_id, "tenant": draft["tenant"], "scheme": draft["scheme"],
        "mode": draft["mode"], "requested_at": "2024-09-26T09:00:00+08:00",
        "enterprise": {k: draft["enterprise"][k] for k in ("uscc", "name", "division", "types", "type_proofs", "prior_year_revenue", "established_on", "resident_of") if k in draft["enterprise"]},
        "provider": draft["provider"], "contract": draft["contract"], "amount": "3000.00",
    }  # fmt: skip
