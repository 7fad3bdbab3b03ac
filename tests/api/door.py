"""Clients of the interface as a test has them: made, logged in, and calling at once from threads."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from flask import Flask
from werkzeug.test import TestResponse

from clearing.api.frame import Answer, in_transaction
from clearing.service import Service
from tenants.credentials import NewClient, create_client, revoke_client
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import Work

NOW: Final = datetime.fromisoformat("2024-08-30T09:00:00+08:00")
"""A day after the claims of ``tests.intake.bodies`` are submitted."""
EVERY_TENANT: Final = ("jiangsu", "wujiang", "shanxi-hainan")


@dataclass(frozen=True)
class Caller:
    """One client with its token."""

    app: Flask
    client: NewClient
    token: str

    def call(self, method: str, path: str, **how: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **how.pop("headers", {})}
        return self.app.test_client().open(path, method=method, headers=headers, **how)

    def get(self, path: str, **how: Any) -> TestResponse:
        return self.call("GET", path, **how)

    def post(self, path: str, **how: Any) -> TestResponse:
        return self.call("POST", path, **how)

    def put(self, path: str, **how: Any) -> TestResponse:
        return self.call("PUT", path, **how)


@dataclass(frozen=True)
class Door:
    """The application, and the clients that call it."""

    app: Flask
    service: Service

    @property
    def clock(self) -> FixedClock:
        return cast("FixedClock", self.service.machine)

    def new_client(
        self,
        *scopes: str,
        platform: str | None = None,
        tenants: tuple[str, ...] = EVERY_TENANT,
        person: str | None = None,
    ) -> NewClient:
        with self.service.engine.begin() as connection:
            return create_client(connection, platform, tenants, scopes, person, self.clock.now())

    def ask_token(self, client: NewClient, **form: str) -> TestResponse:
        basic = b64encode(f"{client.client_id}:{client.client_secret}".encode()).decode()
        data = {"grant_type": "client_credentials", **form}
        return self.app.test_client().post("/oauth/token", data=data, headers={"Authorization": f"Basic {basic}"})

    def hire(self, *scopes: str, platform: str | None = None, tenants: tuple[str, ...] = EVERY_TENANT) -> Caller:
        client = self.new_client(*scopes, platform=platform, tenants=tenants)
        return Caller(self.app, client, self.ask_token(client).get_json()["access_token"])

    def platform(self, platform: str = "jssic", tenants: tuple[str, ...] = ("jiangsu",)) -> Caller:
        return self.hire("claims:write", "claims:read", platform=platform, tenants=tenants)

    def fire(self, caller: Caller) -> None:
        with self.service.engine.begin() as connection:
            assert revoke_client(connection, caller.client.client_id, self.clock.now())

    def offer(self, path: str, use_case: Callable[[Work], Answer], *methods: str) -> None:
        """Serve a use case of the test's own through the frame."""
        self.app.add_url_rule(path, path, lambda: in_transaction(use_case), methods=methods or ("POST", "GET"))


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call answered or raised, all begun at the same moment."""
    answers: list[Any] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def take(number: int) -> None:
        barrier.wait(20)
        try:
            answers[number] = calls[number]()
        except Exception as fault:  # noqa: BLE001 - what is raised is the answer
            answers[number] = fault

    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


def pages(caller: Caller, path: str) -> Iterator[list[Any]]:
    """Every page of a list, by its cursors."""
    cursor = ""
    while True:
        body = caller.get(f"{path}{cursor}").get_json()
        yield body["items"]
        if body["next_cursor"] is None:
            return
        cursor = f"&cursor={body['next_cursor']}"
