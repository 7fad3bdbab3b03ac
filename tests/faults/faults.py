"""What is done to a service, and what is seen of it afterwards."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psutil
import psycopg
import urllib3

from clearing.embedded import Addresses, addresses_of
from tests.intake.bodies import claim
from tests.service.running import Api, RunningService, until

AFTER_PUBLICITY: Final = "2024-10-16T09:00:00+08:00"
TRIES: Final = 200
POSTGRES: Final = ("postgres", "--config-file")
VALKEY: Final = ("valkey-server",)


def places(service: RunningService) -> Addresses:
    """Where the service's servers are."""
    found = addresses_of(service.data_dir)
    assert found is not None
    return found


@contextmanager
def database(service: RunningService, role: str = "app") -> Iterator[psycopg.Connection[Any]]:
    """A connection past the service, bound to no tenant."""
    url: str = getattr(places(service), f"{role}_url")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def server(service: RunningService, *words: str) -> psutil.Process:
    """The main process of an embedded server."""
    keeper = psutil.Process(service.pid)
    return next(one for one in keeper.children() if all(word in " ".join(one.cmdline()) for word in words))


@contextmanager
def without(service: RunningService, *words: str) -> Iterator[None]:
    """A time in which a server is stopped and nobody starts it again."""
    keeper = psutil.Process(service.pid)
    stopped = server(service, *words)
    keeper.suspend()
    try:
        stopped.send_signal(signal.SIGINT if words == POSTGRES else signal.SIGTERM)
        until(lambda: stopped.status() == psutil.STATUS_ZOMBIE)
        yield
    finally:
        keeper.resume()


@contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    """A time in which a process does not move."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def events(platform: Api) -> list[dict[str, Any]]:
    """All events of the platform."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        answer = platform.get(f"/v1/events?after={after}&limit=500").json
        found += answer["items"]
        if answer["next_cursor"] is None:
            return found


def submit(platform: Api, body: dict[str, Any]) -> str:
    """Send until it is acknowledged, as a client does; the claim's id."""
    for _ in range(TRIES):
        try:
            answer = platform.post("/v1/claims", body)
        except urllib3.exceptions.HTTPError:  # whoever would have answered was killed
            continue
        assert answer.status in {200, 201, 503}, answer
        if answer.status != 503:
            return str(answer.json["id"])
        time.sleep(0.1)
    raise AssertionError("never acknowledged")


def require_told_once(platform: Api, ids: list[str]) -> None:
    """Each claim's event comes once, and the events are numbered without a gap."""
    seen = until(lambda: (found := events(platform)) and len(found) >= len(ids) and found)
    assert sorted(event["subject_id"] for event in seen) == sorted(ids)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


def require_whole(service: RunningService) -> None:
    """The independent auditor finds no difference."""
    done = service.run("verify", check=False)
    assert done.returncode == 0, done.stdout


def sealed_batch(service: RunningService, *amounts: str) -> tuple[str, Api]:
    """The path of a sealed batch of Jiangsu with these claims, and who may release it."""
    platform = service.platform("jssic")
    center = service.staff("reviewer-zhang", "reviews:write", "claims:read", "policies:write")
    maker = service.staff("maker-wang", "batches:write")
    budget = center.put("/v1/tenants/jiangsu/schemes/provincial/budgets/2024", {"amount": "6000000.00"})
    assert budget.status == 200, budget
    for amount in amounts:
        stored = platform.post("/v1/claims", claim(amount=amount)).json
        review = {"stage": "center", "outcome": "approve"}
        assert center.post(f"/v1/claims/{stored['id']}/reviews", review).json["state"] == "approved"
    cut = maker.post("/v1/tenants/jiangsu/batches", {"scheme": "provincial", "mode": "common_use"}).json
    path = f"/v1/tenants/jiangsu/batches/{cut['id']}"
    assert maker.post(f"{path}/publish").json["state"] == "in_publicity"
    operator = service.staff("operator-chen", "clearing:operate")
    assert operator.put("/v1/demo/clock", {"now": AFTER_PUBLICITY}).status == 200
    assert maker.post(f"{path}/seal").json["state"] == "sealed"
    return path, service.staff("releaser-zhao", "batches:release", "batches:write")
