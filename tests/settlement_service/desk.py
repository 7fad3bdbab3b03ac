"""The service's HTTP interface with a clock that the test moves, and the people who call it."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clearing.service import Service
from tenants.credentials import NewClient, create_client
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Scope, transaction

MAKER_SCOPES = ("batches:write",)
RELEASER_SCOPES = ("batches:release",)


@dataclass
class Desk:
    """Calls of named clients for one tenant; each client is one person."""

    http: FlaskClient
    service: Service
    clock: FixedClock
    tenant: str
    clients: dict[str, NewClient] = field(default_factory=dict)

    @property
    def batches(self) -> str:
        return f"/v1/tenants/{self.tenant}/batches"

    def hire(self, name: str, *scopes: str, tenant: str | None = None, person: str | None = None) -> None:
        scope = Scope((self.tenant,))
        with transaction(self.service.engine, scope, self.clock) as work:
            self.clients[name] = create_client(
                work.connection, None, (tenant or self.tenant,), scopes, person, self.clock.now()
            )

    def move_to(self, at: datetime) -> None:
        self.clock.move_to(at)

    def call(self, name: str, method: str, path: str, **how: Any) -> TestResponse:
        headers = {**self._authorization(name), **how.pop("headers", {})}
        return self.http.open(path, method=method, headers=headers, **how)

    def get(self, name: str, path: str, **how: Any) -> TestResponse:
        return self.call(name, "GET", path, **how)

    def post(self, name: str, path: str, **how: Any) -> TestResponse:
        return self.call(name, "POST", path, **how)

    def step(self, name: str, batch: dict[str, Any], step: str, **how: Any) -> TestResponse:
        return self.post(name, f"{self.batches}/{batch['id']}/{step}", **how)

    def _authorization(self, name: str) -> dict[str, str]:
        client = self.clients[name]
        basic = b64encode(f"{client.client_id}:{client.client_secret}".encode()).decode()
        answer = self.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}
        )
        return {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
