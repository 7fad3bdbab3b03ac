"""Fixtures for all tests: the real PostgreSQL and Valkey, started once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Engine
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from clearing.embedded import Addresses, EmbeddedServers
from clearing.migrations import migrate
from tenants.kernel.database import open_engine

SLOW: Final = ("service", "console", "faults", "races", "verification", "embedded", "year")
"""Packages whose tests wait for processes: begun first, so that no process is left with them alone at the end."""


class PackageScheduling(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """A package's tests stay in one process, so that its servers and its services are started once."""

    def _split_scope(self, nodeid: str) -> str:
        return _package(nodeid)


def _package(nodeid: str) -> str:
    """`tests/races/test_books.py::…` is of `races`."""
    return nodeid.split("/", 2)[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> PackageScheduling:
    """Used where the tests run in several processes, as `./run test` has it."""
    return PackageScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow packages first."""
    items.sort(key=lambda item: _package(item.nodeid) not in SLOW)


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """The data folder of the session's servers, with its secrets."""
    folder = Path(tempfile.mkdtemp(prefix="clearing-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def servers(data_dir: Path) -> Iterator[Addresses]:
    """Addresses of servers that all tests of the session share; the database has its roles and is empty."""
    with EmbeddedServers(data_dir) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def owner(servers: Addresses) -> Iterator[Engine]:
    """The owner of the session's database, which is migrated."""
    engine = open_engine(servers.owner_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def app(servers: Addresses, owner: Engine) -> Iterator[Engine]:
    """The application's role on it."""
    engine = open_engine(servers.app_url)
    yield engine
    engine.dispose()
