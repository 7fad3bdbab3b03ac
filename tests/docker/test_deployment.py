"""The image and the composition keep what the specification asks of them; no engine is needed to see it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from settlement.signatures.suites import SUITES
from tenants.kernel.secrets import load_secrets

DOCKER = Path(__file__).parents[2] / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"migrate", "seed", "verify"}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([DOCKER / "make-secrets.sh", folder], check=True)
    return folder


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_runs_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"]
    assert "privileged" not in service
    assert not str(service.get("user", "10001")).startswith(("0", "root"))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_every_lasting_service_has_a_health_check_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_a_health_check_in_python_compiles() -> None:
    programs = [
        service["healthcheck"]["test"][3]
        for service in SERVICES.values()
        if service["healthcheck"].get("test", [""])[1:2] == ["python"]
    ]
    assert len(programs) >= 3
    for program in programs:
        compile(program, "health check", "exec")


def test_no_secret_stands_in_an_environment() -> None:
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert not re.search(r"PASSWORD|SECRET|KEY|URL", name) or name.endswith(("_FILE", "_DIR")), name


def test_only_the_web_is_reached_from_outside_and_only_by_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in published["web"])
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for store in ("postgres", "valkey"):
        assert SERVICES[store]["networks"] == ["inside"]


def test_only_migrations_hold_the_owners_password() -> None:
    holders = {name for name, service in SERVICES.items() if "owner-database-url" in service.get("secrets", [])}
    assert holders == {"migrate"}


def test_every_secret_and_mounted_file_exists(secrets: Path) -> None:
    for secret in COMPOSE["secrets"].values():
        assert (secrets.parent / secret["file"]).is_file(), secret
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    for volume in SERVICES["postgres"]["volumes"]:
        source = volume.split(":")[0]
        assert not source.startswith(".") or (DOCKER / source).is_file(), source


def test_the_secrets_made_are_what_the_service_reads(secrets: Path) -> None:
    assert len(load_secrets(secrets).kek) == 32
    assert SUITES["Ed25519"].public_members((secrets / "checkpoint-key").read_bytes())
    password = (secrets / "app-password").read_text()
    assert len(password) == 64
    assert f"clearing_app:{password}@postgres:5432/clearing" in (secrets / "app-database-url").read_text()


def test_secrets_that_exist_are_kept(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    subprocess.run([DOCKER / "make-secrets.sh", secrets], check=True)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before


def test_the_image_is_small_and_ordinary() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert any("-slim" in line for line in lines if line.startswith("ARG "))
    assert any("--require-hashes" in line for line in lines)
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    allowed = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert "*" in allowed


def test_every_image_has_a_version() -> None:
    named = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert named
    assert all(re.search(r":\d", image) for image in named)
