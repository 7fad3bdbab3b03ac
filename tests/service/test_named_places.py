"""With the databases that the environment names, as in a container: each part as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from clearing.embedded import EmbeddedServers
from tests.intake.bodies import claim
from tests.service.running import Api, RunningService, free_port, until


@pytest.fixture
def environment(started_once: Path, place: Path) -> Iterator[dict[str, str]]:
    """Servers that run outside the service, named as `docker/compose.yaml` names them."""
    subprocess.run(["/bin/cp", "-a", started_once, place / "data"], check=True)
    with EmbeddedServers(place / "data") as addresses:
        (place / "app-url").write_text(addresses.app_url)
        yield {
            "CLEARING_DATABASE_URL_FILE": str(place / "app-url"),
            "CLEARING_REDIS_URL": addresses.redis_url,
            "CLEARING_OWNER_DATABASE_URL": addresses.owner_url,
            "CLEARING_SECRETS_DIR": str(place / "data" / "secrets"),
            "CLEARING_CHECKPOINTS_DIR": str(place / "data" / "checkpoints"),
            "CLEARING_DEMONSTRATION": "yes",
        }


def test_gunicorn_worker_and_scheduler_work_together(place: Path, environment: dict[str, str]) -> None:
    port = free_port()
    program = [sys.executable, "-m", "clearing"]
    commands = [
        [
            sys.executable,
            "-m",
            "gunicorn",
            f"--bind=127.0.0.1:{port}",
            "--workers=1",
            "--threads=4",
            "clearing.app:wsgi()",
        ],
        [*program, "work"],
        [*program, "schedule"],
    ]
    (place / "metrics").mkdir()
    more = {"PROMETHEUS_MULTIPROC_DIR": str(place / "metrics")}
    for command in ("migrate", "seed"):
        subprocess.run([*program, command], env=os.environ | environment, check=True, capture_output=True)
    with ExitStack() as stack, (place / "out").open("wb") as out:
        parts = [
            stack.enter_context(subprocess.Popen(command, env=os.environ | environment | more, stdout=out, stderr=out))
            for command in commands
        ]
        try:
            caller = RunningService(place / "data").platform("jssic")
            caller.address = f"http://127.0.0.1:{port}"
            until(lambda: ready(caller), seconds=60)
            stored = caller.post("/v1/claims", claim()).json["id"]
            seen = until(lambda: caller.get("/v1/events").json["items"])
            assert [event["subject_id"] for event in seen] == [stored]
        finally:
            for part in parts:
                part.send_signal(signal.SIGTERM)
        assert [part.wait(20) for part in parts] == [0, 0, 0]


def ready(caller: Api) -> bool:
    """Whether it can be used yet."""
    try:
        return Api(caller.address).get("/readyz").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_serve_uses_the_named_databases_and_starts_none(place: Path, environment: dict[str, str]) -> None:
    service = RunningService(place / "nothing-here", environment=environment)
    try:
        service.start()
        assert not service.data_dir.exists()
        assert service.stop() < 10
    finally:
        service.end()
    assert '"process_started"' in service.output.read_text()


@pytest.mark.parametrize("missing", ["CLEARING_REDIS_URL", "CLEARING_SECRETS_DIR"])
def test_an_incomplete_environment_is_refused_by_name(place: Path, environment: dict[str, str], missing: str) -> None:
    service = RunningService(place / "nothing-here", environment={**environment, missing: ""})
    service.begin()
    assert service.process is not None
    assert service.process.wait(60) == 2
    assert missing in service.output.read_text()
