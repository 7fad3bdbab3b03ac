"""The database or the queue stopped, killed, frozen or emptied: 503 where it must be, and all is well later."""

import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from redis import Redis

from tests.faults.faults import (
    POSTGRES,
    VALKEY,
    database,
    events,
    frozen,
    places,
    require_told_once,
    require_whole,
    sealed_batch,
    server,
    submit,
    without,
)
from tests.intake.bodies import claim
from tests.service.running import Reply, RunningService, until


def away(answer: Reply) -> list[str]:
    """The parts that a readiness answer names."""
    assert (answer.status, answer.code) == (503, "service.not_ready")
    assert int(answer.headers["Retry-After"]) > 0
    return [error["pointer"] for error in answer.json["errors"]]


def test_without_the_database_every_call_is_503_and_later_all_is_well(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    kept = platform.post("/v1/claims", claim()).json
    body = claim()
    with without(hurt, *POSTGRES):
        assert away(hurt.api.get("/readyz")) == ["/database"]
        for answer in (platform.post("/v1/claims", body), platform.get("/v1/claims"), platform.ask_token()):
            assert (answer.status, answer.code) == (503, "database.unavailable")
            assert int(answer.headers["Retry-After"]) > 0
        assert hurt.api.get("/healthz").status == 200
        assert "clearing_database_up 0.0" in hurt.api.get("/metrics").body.decode()
    until(hurt.is_ready)
    assert platform.get(f"/v1/claims/{kept['id']}").json == kept
    assert platform.post("/v1/claims", body).status == 201


def test_without_the_queue_intake_goes_on_and_what_waited_is_told_later(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    with without(hurt, *VALKEY):
        assert away(hurt.api.get("/readyz")) == ["/queue"]
        stored = [platform.post("/v1/claims", claim()).json["id"] for _ in range(3)]
        assert events(platform) == []
    until(hurt.is_ready)
    until(lambda: len(events(platform)) == 3)
    assert [event["subject_id"] for event in events(platform)] == stored


def test_a_frozen_queue_is_seen_and_holds_nobody_up(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    with frozen(server(hurt, *VALKEY)):
        begun = time.monotonic()
        assert away(hurt.api.get("/readyz")) == ["/queue"]
        assert platform.post("/v1/claims", claim()).status == 201
        assert time.monotonic() - begun < 10
    until(hurt.is_ready)
    until(lambda: len(events(platform)) == 1, seconds=60)


@pytest.mark.parametrize("words", [POSTGRES, VALKEY], ids=["database", "queue"])
def test_a_killed_server_is_started_again(hurt: RunningService, words: tuple[str, ...]) -> None:
    platform = hurt.platform("jssic")
    kept = platform.post("/v1/claims", claim()).json
    killed = server(hurt, *words)
    killed.kill()
    until(lambda: not killed.is_running() or killed.status() == psutil.STATUS_ZOMBIE)
    until(lambda: hurt.is_ready() and hurt.process is not None and server(hurt, *words).pid != killed.pid)
    assert platform.get(f"/v1/claims/{kept['id']}").json == kept
    assert submit(platform, claim())
    until(lambda: len(events(platform)) == 2)


def test_a_queue_emptied_in_mid_batch_loses_nothing(hurt: RunningService) -> None:
    path, releaser = sealed_batch(hurt, "10000.00")
    queue = Redis.from_url(places(hurt).redis_url)
    hurt.part("worker").suspend()
    assert releaser.post(f"{path}/release").status == 200
    until(lambda: queue.keys("*msgs*"))
    queue.flushall()
    hurt.part("worker").resume()
    until(lambda: releaser.get(path).json["state"] == "instructed", seconds=40)
    with database(hurt, "auditor") as connection:
        counted = connection.execute("select count(*), sum(amount_fen) from instruction").fetchone()
    assert counted == (1, 2_500_00)
    require_whole(hurt)


def test_a_hostile_queue_changes_no_outcome(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    queue = Redis.from_url(places(hurt).redis_url)
    for key, value in (("clearing:clearing", b"not a message"), ("clearing:clearing.msgs", b"x")):
        queue.rpush(key, value)
    stored = platform.post("/v1/claims", claim()).json["id"]
    queue.flushall()
    seen = until(lambda: events(platform), seconds=40)
    assert [event["subject_id"] for event in seen] == [stored]


def test_no_acknowledged_claim_is_lost_while_the_database_is_killed_again_and_again(hurt: RunningService) -> None:
    platform = hurt.platform("jssic")
    bodies = [claim() for _ in range(120)]
    with ThreadPoolExecutor(4) as senders:
        sent = senders.map(lambda body: submit(platform, body), bodies)
        for _ in range(3):
            time.sleep(0.7)
            until(hurt.is_ready)
            server(hurt, *POSTGRES).kill()
        ids = list(sent)
    until(hurt.is_ready)
    assert len(set(ids)) == len(bodies)
    listed = until(lambda: platform.get("/v1/claims?limit=500").json.get("items"))
    stored = {item["external_id"]: item["id"] for item in listed}
    assert stored == {str(body["external_id"]): claim_id for body, claim_id in zip(bodies, ids, strict=True)}
    require_told_once(platform, ids)
    require_whole(hurt)
