"""A running sandbox, with its ready-made keys, and stopped folders of both kinds to mix up."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearing.embedded import EmbeddedServers
from clearing.sandbox.test_keys import read_keys
from tests.service.running import Api, RunningService, running

CLOCK = "2024-09-27T09:00:00+08:00"


class Keys:
    """Callers with the ready-made clients of a running sandbox."""

    def __init__(self, service: RunningService) -> None:
        self.service = service

    @property
    def content(self) -> dict[str, Any]:
        """The file as it is now."""
        return read_keys(self.service.data_dir / "secrets")

    def platform(self, code: str) -> Api:
        """The platform's ready-made client."""
        return self._api(self.content["platforms"][code])

    def staff(self, role: str) -> Api:
        """The ready-made client of a member of staff."""
        return self._api(self.content["staff"][role])

    def _api(self, key: dict[str, Any]) -> Api:
        return Api(self.service.address, key["client_id"], key["client_secret"])


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningService]:
    """A sandbox that serves."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    with running(folder / "data", "--sandbox", "--demo-clock", CLOCK, "--web-processes", "1") as started:
        yield started
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def keys(sandbox: RunningService) -> Keys:
    """Callers of the sandbox."""
    return Keys(sandbox)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stopped() -> Iterator[tuple[Path, Path]]:
    """Data folders of a real instance and of a sandbox in which nothing runs."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    real, other = RunningService(folder / "real"), RunningService(folder / "sandbox")
    real.run("seed")
    other.run("sandbox", "create", "--clock", CLOCK)
    yield folder / "real", folder / "sandbox"
    shutil.rmtree(folder)


@pytest.fixture
def both(stopped: tuple[Path, Path], place: Path) -> tuple[RunningService, RunningService]:
    """Copies of them, which the test may spoil: the real one and the sandbox."""
    for name, folder in zip(("real", "sandbox"), stopped, strict=True):
        subprocess.run(["/bin/cp", "-a", folder, place / name], check=True)
    return RunningService(place / "real"), RunningService(place / "sandbox")


@pytest.fixture(scope="module")
def running_both(stopped: tuple[Path, Path]) -> Iterator[tuple[RunningService, RunningService]]:
    """The real one and the sandbox, their databases running, for commands and services to be led astray with."""
    real, sandbox = stopped
    with EmbeddedServers(real), EmbeddedServers(sandbox):
        yield RunningService(real), RunningService(sandbox)


@pytest.fixture
def put_back(running_both: tuple[RunningService, RunningService]) -> Iterator[None]:
    """Both secrets folders are afterwards what they were."""
    folders = [service.data_dir / "secrets" for service in running_both]
    before = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    yield
    for folder, files in zip(folders, before, strict=True):
        for path in folder.iterdir():
            path.unlink()
        for name, content in files.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o600)
