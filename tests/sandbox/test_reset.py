"""Resetting a sandbox: whole or not at all, under a running service too, with or without its keys."""

import json
import signal
import subprocess
import sys
import threading
from datetime import datetime

import pytest
from joserfc.jwk import ECKey

from clearing.demonstration.people import PLATFORMS
from clearing.embedded import addresses_of
from clearing.sandbox.resetting import reset
from clearing.settings import Settings
from clearing.verification import verify_database
from tenants.client_keys import add_key
from tenants.instance import SANDBOX, stored_mark
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import Scope, open_engine, run
from tests.intake.bodies import claim
from tests.sandbox.conftest import CLOCK, Keys
from tests.service.running import Api, RunningService, until


def count(service: RunningService, statement: str) -> int:
    """What the auditor counts."""
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.auditor_url)
    with engine.connect() as connection:
        found: int = connection.exec_driver_sql(statement).scalar_one()
    engine.dispose()
    return found


def reset_now(service: RunningService, *, keep_keys: bool = False) -> None:
    """As the command does it, without the second that a new process takes."""
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    folder = service.data_dir / "secrets"
    checkpoints = service.data_dir / "checkpoints"
    settings = Settings(
        addresses.app_url, addresses.redis_url, folder, checkpoints=checkpoints, sandbox=True, embedded=True
    )
    reset(addresses.owner_url, settings, datetime.fromisoformat(CLOCK), keep_keys=keep_keys)


def is_sound(service: RunningService) -> bool:
    """Whether the auditor finds nothing."""
    addresses = addresses_of(service.data_dir)
    assert addresses is not None
    url, root = addresses.auditor_url, service.data_dir
    return list(verify_database(url, root / "secrets", root / "checkpoints")) == []


def test_everything_is_gone_and_the_ready_made_things_are_there_anew(sandbox: RunningService, keys: Keys) -> None:
    before = keys.content
    caller = keys.platform("jssic")
    assert caller.post("/v1/claims", claim()).status == 201
    reset_now(sandbox)
    assert count(sandbox, "select count(*) from claim") == 0
    assert count(sandbox, "select count(*) from access_token") == 0
    assert keys.content["platforms"].keys() == before["platforms"].keys() == PLATFORMS.keys()
    assert caller.ask_token().status in {400, 401}
    fresh = keys.platform("jssic")
    made = until(lambda: fresh.post("/v1/claims", claim()))
    assert (made.status, made.json["claim_no"]) == (201, "CL-JS-2024-000001")
    assert is_sound(sandbox)


def test_keys_are_kept_where_that_is_asked_for_and_nothing_else(sandbox: RunningService, keys: Keys) -> None:
    made = sandbox.client_by_command("--platform", "jssic", "--tenant", "jiangsu")
    key = ECKey.generate_key("P-256").as_dict(private=False)
    addresses = addresses_of(sandbox.data_dir)
    assert addresses is not None
    engine = open_engine(addresses.app_url)
    run(engine, Scope(("jiangsu",)), SystemClock(), lambda work: add_key(work, made.client_id or "", key, "陈值班"))
    engine.dispose()
    assert made.post("/v1/claims", claim()).status == 201
    before = keys.content
    reset_now(sandbox, keep_keys=True)
    assert keys.content == before
    assert count(sandbox, "select count(*) from claim") == 0
    assert count(sandbox, "select count(*) from client_key where revoked_at is null") == 1
    assert Api(sandbox.address, made.client_id, made.client_secret).post("/v1/claims", claim()).status == 201
    assert not (sandbox.data_dir / "secrets" / "kept-keys.json").exists()
    assert is_sound(sandbox)


def test_callers_of_a_service_that_is_reset_under_them_are_answered_and_find_it_new(
    sandbox: RunningService, keys: Keys
) -> None:
    callers, ended, answers = [keys.platform("jssic") for _ in range(4)], threading.Event(), list[int]()

    def call(caller: Api) -> None:
        while not ended.is_set():
            if caller.token is None:
                asked = caller.ask_token()
                caller.token = asked.json["access_token"] if asked.status == 200 else "test_"
            status = caller.post("/v1/claims", claim()).status
            answers.append(status)
            if status == 401:
                caller.token = None

    threads = [threading.Thread(target=call, args=(caller,)) for caller in callers]
    for thread in threads:
        thread.start()
    until(lambda: answers.count(201) > 5)
    try:
        reset_now(sandbox)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert set(answers) <= {201, 401, 503}, answers
    until(lambda: keys.platform("jssic").post("/v1/claims", claim()).status == 201)
    assert is_sound(sandbox)
    until(sandbox.is_ready)


@pytest.mark.parametrize(
    "where",
    [
        "_forget_checkpoints",
        pytest.param("migrate_within", marks=pytest.mark.long),
        pytest.param("furnish", marks=pytest.mark.long),
    ],
)
def test_who_is_killed_on_the_way_leaves_the_old_or_an_empty_sandbox_and_goes_on(
    running_both: tuple[RunningService, RunningService], where: str
) -> None:
    _, sandbox = running_both
    addresses = addresses_of(sandbox.data_dir)
    assert addresses is not None
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, addresses.owner_url, addresses.app_url, addresses.redis_url,
         str(sandbox.data_dir / "secrets")], check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    owner = open_engine(addresses.owner_url)
    with owner.connect() as connection:
        assert stored_mark(connection) == SANDBOX
    owner.dispose()
    reset_now(sandbox, keep_keys=True)
    assert count(sandbox, "select count(*) from tenant") == 6
    assert is_sound(sandbox)


KILLED = """
import os, signal, sys
from pathlib import Path
from clearing.sandbox import resetting
from clearing.settings import Settings
from clearing.verification import verify_database
where, owner, app, redis, folder = sys.argv[1:]
done = getattr(resetting, where)
def killed(*given, **named):
    answer = done(*given, **named) if where != 'furnish' else None
    os.kill(os.getpid(), signal.SIGKILL)
setattr(resetting, where, killed)
resetting.reset(owner, Settings(app, redis, Path(folder), sandbox=True), None, keep_keys=True)
"""


def test_the_operator_moves_the_clock_forward_and_never_back_until_it_is_reset(sandbox: RunningService) -> None:
    reset_now(sandbox)
    advance = ("sandbox", "advance", "--to")
    told = json.loads(sandbox.run(*advance, "2024-10-08T09:00:00+08:00", "--json").stdout)
    assert told["now"].startswith("2024-10-08T09:00:0")
    refused = sandbox.run(*advance, CLOCK, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "业务时间 / business time" in sandbox.run("sandbox", "reset", "--yes", "--clock", CLOCK).stdout
    assert "2024-09-27T" in sandbox.run(*advance, "2024-09-27T10:00:00+08:00").stdout
    reset_now(sandbox)
