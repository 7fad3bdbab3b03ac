"""The office of one region: who drafts, who approves, which platform submits, and the document that they start from."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, cast

from flask import Flask
from werkzeug.test import TestResponse

from clearing.demonstration.parties import Party
from clearing.service import Service
from tenants.credentials import create_client
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, Work, run
from tenants.policy_document import load_shipped
from tests.intake.bodies import WUJIANG, claim

OPENED: Final = datetime.fromisoformat("2024-08-01T09:00:00+08:00")
SCHEME: Final = "delta"
Body = dict[str, Any]

SCOPES: Final = {
    "drafter": ("policies:write", "claims:read"),
    "second drafter": ("policies:write",),
    "approver": ("policies:approve",),
    "auditor": ("audit:read", "claims:read"),
    "reviewer": ("reviews:write",),
    "reader": ("claims:read",),
    "both": ("policies:write", "policies:approve"),
}
"""Persons and what they may do; ``platform`` is a platform's client."""


@dataclass
class Office:
    """One region's people over HTTP, and its clock."""

    app: Flask
    service: Service
    tenant: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> FixedClock:
        return cast("FixedClock", self.service.machine)

    @property
    def policies(self) -> str:
        return f"/v1/tenants/{self.tenant}/schemes/{SCHEME}/policies"

    def move(self, to: str) -> None:
        """Set the clock forward; everybody asks for a new token."""
        self.clock.move_to(datetime.fromisoformat(to))
        self.tokens.clear()

    def call(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        given = {"Authorization": f"Bearer {self._token(who)}", **headers}
        return self.app.test_client().open(path, method=method, json=body, headers=given)

    def got(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Body:
        """What a call answers that succeeds."""
        answer = self.call(who, method, path, body, **headers)
        assert answer.status_code in {200, 201}, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def _token(self, who: str) -> str:
        if who not in self.tokens:
            is_platform = who == "platform"
            scopes = ("claims:write", "claims:read", "claims:import") if is_platform else SCOPES[who]
            with self.service.engine.begin() as connection:
                made = create_client(
                    connection,
                    "delta" if is_platform else None,
                    (self.tenant,),
                    scopes,
                    None if is_platform else who,
                    self.clock.now(),
                )
            form = {"grant_type": "client_credentials"}
            answer = self.app.test_client().post("/oauth/token", data=form, auth=(made.client_id, made.client_secret))
            self.tokens[who] = answer.get_json()["access_token"]
        return self.tokens[who]

    def document(self, on: str, **changes: str) -> str:
        """The Delta frame as this region's own, effective on the day; each change replaces a passage by another."""
        text = WUJIANG_TEXT.replace('tenant = "wujiang"', f'tenant = "{self.tenant}"').replace("2021-01-09", on)
        for old, new in changes.items():
            passage, replacement = PASSAGES[old], new
            assert passage in text, passage
            text = text.replace(passage, replacement)
        return text

    def rated(self, on: str, rate: str = "0.30") -> str:
        """The same with a support rate."""
        return self.document(on, rate=f'rate = {{ value = "{rate}", cite = "测试发〔2024〕1号 第三条" }}')

    def draft(self, document: str, on: str, who: str = "drafter", **members: Any) -> TestResponse:
        return self.call(who, "POST", self.policies, {"effective_on": on, "document": document, **members})

    def approved(self, document: str, on: str, **members: Any) -> Body:
        """A version that has gone the whole way by now."""
        assert self.draft(document, on, **members).status_code == 201
        name = f"{on}.{members['number']}" if "number" in members else on
        self.got("drafter", "POST", f"{self.policies}/{name}/submit")
        return self.got("approver", "POST", f"{self.policies}/{name}/approve")

    def claim(self, amount: str = "10000.00", on: str = "2024-08-29", by: Party | None = None, **members: Any) -> Body:
        """A claim without fault of an enterprise of the region."""
        body = claim(WUJIANG, amount, on=date.fromisoformat(on), by=by)
        return body | {"tenant": self.tenant} | members

    def submitted(
        self, amount: str = "10000.00", on: str = "2024-08-29", by: Party | None = None, **members: Any
    ) -> Body:
        return self.got("platform", "POST", "/v1/claims", self.claim(amount, on, by, **members))

    def stands(self, given: Body) -> Body:
        """The claim as it is now."""
        return self.got("auditor", "GET", f"/v1/claims/{given['id']}")

    def do(self, use_case: Any) -> Any:
        """One use case in its own transaction."""

        def bound(work: Work) -> Any:
            return use_case(work)

        return run(self.service.engine, Scope((self.tenant,)), self.clock, bound)


WUJIANG_TEXT: Final = next(each.text for each in load_shipped() if each.policy.tenant == "wujiang")


def _line(start: str) -> str:
    return next(line for line in WUJIANG_TEXT.splitlines() if line.startswith(start))


PASSAGES: Final = {"rate": _line("rate = "), "annual_cap": _line("annual_cap = "), "budget_rule": _line("budget_rule")}
"""Lines of the document that tests change, by their keys."""
