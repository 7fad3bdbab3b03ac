"""Regions that owe each other, on the session's database: fresh tenants with divisions of their own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from clearing.embedded import Addresses
from clearing.migrations import migrate
from tenants.kernel.database import open_engine
from tests.cycles.regions import Regions, new_regions


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


@pytest.fixture
def regions(app: Engine, owner: Engine) -> Regions:
    """Three regions, none of which has agreed anything with another."""
    return new_regions(app, owner, 3)
