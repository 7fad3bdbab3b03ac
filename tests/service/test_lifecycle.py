"""Starting, stopping and being killed."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from clearing.embedded import embedded
from tests.intake.bodies import claim
from tests.service.running import DEMO_CLOCK, READY_SECONDS, RunningService, running, until

RECOVERY_SECONDS = 30


def everything(service: RunningService) -> list[psutil.Process]:
    """The keeper and all below it."""
    keeper = psutil.Process(service.pid)
    return [keeper, *keeper.children(recursive=True)]


def none_lives(processes: list[psutil.Process]) -> bool:
    """Whether all have ended; one that nobody reaps counts as ended."""
    return all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in processes)


def test_sigterm_ends_everything_within_ten_seconds_and_nothing_is_lost(own: RunningService) -> None:
    own.start()
    platform = own.platform("jssic")
    stored = platform.post("/v1/claims", claim()).json
    assert len(own.children("clearing.nursery")) >= 5
    processes = everything(own)
    assert own.stop() < 10
    assert own.process is not None
    assert own.process.returncode == 0
    assert none_lives(processes)
    own.start()
    assert platform.get(f"/v1/claims/{stored['id']}").json == stored


@pytest.fixture
def at_a_terminal() -> Iterator[None]:
    """Ctrl-C as a terminal's shell leaves it: a shell that put the tests in its background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("at_a_terminal")
def test_ctrl_c_for_the_whole_group_ends_it_cleanly(own: RunningService) -> None:
    own.start()
    processes = everything(own)
    os.killpg(own.pid, signal.SIGINT)
    assert own.process is not None
    assert own.process.wait(10) == 0
    assert none_lives(processes)
    assert "Traceback" not in own.output.read_text()


def test_sigterm_while_it_is_starting_ends_it(own: RunningService) -> None:
    own.begin()
    until(own.data_dir.exists)
    processes = everything(own)
    assert own.stop() < 10
    assert none_lives(processes)


@pytest.mark.parametrize("whom", ["group", "keeper"])
def test_after_sigkill_the_same_command_is_ready_again_with_all_that_was_acknowledged(
    own: RunningService, whom: str
) -> None:
    own.start()
    platform = own.platform("jssic")
    stored = [platform.post("/v1/claims", claim()).json for _ in range(3)]
    if whom == "group":
        own.kill_all()
    else:
        os.kill(own.pid, signal.SIGKILL)
        assert own.process is not None
        own.process.wait()
    assert own.start() < RECOVERY_SECONDS
    for each in stored:
        assert platform.get(f"/v1/claims/{each['id']}").json == each


def test_a_second_service_on_the_same_folder_is_refused_and_the_first_goes_on(own: RunningService) -> None:
    own.start()
    second = RunningService(own.data_dir, *own.options)
    second.output = own.data_dir.with_name("second.out")
    second.begin()
    assert second.process is not None
    assert second.process.wait(READY_SECONDS) == 3
    assert f"process {own.pid}" in second.output.read_text()
    assert own.is_ready()


def test_a_taken_address_is_refused_with_a_reason(own: RunningService) -> None:
    with socket.create_server(("127.0.0.1", own.port)):
        own.begin()
        assert own.process is not None
        assert own.process.wait(READY_SECONDS) == 3
    assert f"127.0.0.1:{own.port}" in own.output.read_text()
    assert "Traceback" not in own.output.read_text()


def test_a_client_is_created_while_no_service_runs_and_holds_afterwards(own: RunningService) -> None:
    made = own.client_by_command("--platform", "jssic", "--tenant", "jiangsu")
    assert not (own.data_dir / "servers.json").exists()
    own.start()
    assert made.post("/v1/claims", claim()).status == 201


def test_a_service_started_while_a_client_is_being_created_waits_for_it(own: RunningService) -> None:
    command = [*own._program(), "client", "create", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as creating:
        until((own.data_dir / "servers.json").exists)
        own.start()
        assert creating.wait(READY_SECONDS) == 0


def test_a_database_in_real_use_cannot_become_a_demonstration(place: Path) -> None:
    with running(place / "data") as real:
        platform = real.platform("jssic", scopes=("claims:write", "claims:import"))
        assert platform.post("/v1/claims", claim()).status == 201
    asked = RunningService(place / "data", "--demo-clock", DEMO_CLOCK)
    asked.begin()
    assert asked.process is not None
    assert asked.process.wait(READY_SECONDS) == 2
    assert "real use" in asked.output.read_text()


def test_seeding_again_adds_nothing_and_a_changed_shipped_version_is_refused(own: RunningService) -> None:
    assert "Added 0 tenants and 0 policy versions" in own.run("seed").stdout
    with embedded(own.data_dir) as addresses, psycopg.connect(addresses.owner_url.replace("+psycopg", "")) as owner:
        owner.execute("alter table policy_version no force row level security")
        owner.execute("alter table policy_version disable trigger user")
        owner.execute(
            "update policy_version set document = document || ' ', "
            "content_sha256 = encode(sha256(convert_to(document || ' ', 'UTF8')), 'hex') where tenant = 'qingpu'"
        )
    refused = own.run("seed", check=False)
    assert refused.returncode == 1
    assert "qingpu/delta/2021-01-09" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_operator_sees_what_waits_and_keys_are_rotated_and_revoked(service: RunningService) -> None:
    made = service.run("key", "rotate", "--tenant", "maanshan", "--person", "key-officer", "--json").stdout
    keys = service.api.get("/.well-known/jwks/maanshan.json").json["keys"]
    assert [key["kid"] in made for key in keys] == [True]
    revoke = ("key", "revoke", keys[0]["kid"], "--tenant", "maanshan", "--reason", "lost", "--person", "key-officer")
    assert service.run(*revoke).returncode == 0
    assert "revoked_at" in service.api.get("/.well-known/jwks/maanshan.json").json["keys"][0]
    assert service.run("key", "revoke", "nokey", *revoke[3:], check=False).returncode == 2
    assert service.run("outbox", "--stuck").returncode == 0


def test_clients_are_made_listed_and_refused_by_name(service: RunningService) -> None:
    reader = service.client_by_command()
    assert reader.ask_token().json["scope"] == "claims:read audit:read"
    platform = service.client_by_command("--platform", "delta", "--tenant", "wujiang", "--tenant", "wujiang")
    assert platform.ask_token().json["scope"] == "claims:write claims:read support:write"
    listed = json.loads(service.run("client", "list", "--json").stdout)["items"]
    assert [item["tenants"] for item in listed if item["client_id"] == platform.client_id] == [["wujiang"]]
    for option, value in (("--tenant", "atlantis"), ("--scope", "claims:fly"), ("--platform", "No Such")):
        refused = service.run("client", "create", "--json", option, value, check=False)
        assert refused.returncode == 2
        assert option in refused.stderr
        assert not refused.stdout


def test_help_is_there_for_every_command(service: RunningService) -> None:
    shown = service.run("--help").stdout
    for command in ("serve", "work", "schedule", "migrate", "seed", "client create", "key rotate", "verify-batch"):
        assert command.split()[0] in shown
        help_text = service.run(*command.split(), "--help").stdout
        assert "--help" in help_text
    assert service.run("no-such-command", check=False).returncode == 2


def test_verification_finds_nothing_on_a_service_at_work_and_a_change_by_hand(own: RunningService) -> None:
    own.start()
    platform = own.platform("jssic")
    for _ in range(3):
        assert platform.post("/v1/claims", claim()).status == 201
    until(lambda: len(platform.get("/v1/events").json["items"]) == 3)
    assert own.run("verify").returncode == 0
    own.stop()
    assert own.run("verify", "--json").returncode == 0
    with embedded(own.data_dir) as addresses, psycopg.connect(addresses.owner_url.replace("+psycopg", "")) as owner:
        owner.execute("alter table claim no force row level security")
        owner.execute("update claim set award_fen = award_fen - 1 where claim_no like '%-000002'")
        owner.execute("alter table claim force row level security")
    found = own.run("verify", check=False)
    assert found.returncode == 1
    assert "CL-JS-2024-000002" in found.stdout
