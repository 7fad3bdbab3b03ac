"""A database of our own: a plan depends on how many rows there are, so nobody else may write any."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clearing.embedded import Addresses, EmbeddedServers
from clearing.migrations import migrate
from tenants.kernel.database import open_engine


@pytest.fixture(scope="session")
def servers() -> Iterator[Addresses]:
    with tempfile.TemporaryDirectory(prefix="clearing-plans-") as folder, EmbeddedServers(Path(folder)) as addresses:
        yield addresses


@pytest.fixture(scope="session")
def owner(servers: Addresses) -> Iterator[Engine]:
    engine = open_engine(servers.owner_url)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def app(servers: Addresses, owner: Engine) -> Iterator[Engine]:
    engine = open_engine(servers.app_url)
    yield engine
    engine.dispose()
