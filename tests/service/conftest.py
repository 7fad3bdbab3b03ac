"""One running service for all tests of the session, and one client of each kind."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import DEMO_CLOCK, Api, RunningService, running


@pytest.fixture(scope="session")
def service() -> Iterator[RunningService]:
    """A service in demonstration mode."""
    folder = Path(tempfile.mkdtemp(prefix="service-"))
    with running(folder / "data", "--demo-clock", DEMO_CLOCK) as started:
        yield started
    shutil.rmtree(folder)


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="service-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def started_once() -> Iterator[Path]:
    """A stopped data folder that a service in demonstration mode ran on once."""
    folder = Path(tempfile.mkdtemp(prefix="service-"))
    with running(folder / "data", "--demo-clock", DEMO_CLOCK) as started:
        assert started.is_ready()
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def own(started_once: Path, place: Path) -> Iterator[RunningService]:
    """A service of the test's own, not yet started, on a copy of that folder."""
    subprocess.run(["/bin/cp", "-a", started_once, place / "data"], check=True)
    service = RunningService(place / "data", "--demo-clock", DEMO_CLOCK)
    yield service
    service.end()


@pytest.fixture(scope="session")
def jssic(service: RunningService) -> Api:
    """Jiangsu's platform."""
    return service.platform("jssic")


@pytest.fixture(scope="session")
def operator(service: RunningService) -> Api:
    """Who moves the demonstration clock."""
    return service.staff("operator-chen", "clearing:operate")
