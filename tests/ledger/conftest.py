"""The session's database, migrated, and a fresh tenant for each test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from clearing.embedded import Addresses
from clearing.migrations import migrate
from tenants.kernel.database import open_engine
from tests.settlement_service.bench import Bench, new_tenant


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
def bench(app: Engine, owner: Engine) -> Bench:
    return Bench(app, new_tenant(owner))
