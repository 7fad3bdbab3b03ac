"""The session's database, migrated, and a fresh tenant for each test that wants one."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from clearing.embedded import Addresses
from clearing.migrations import migrate
from tenants.kernel.database import open_engine
from tests.settlement_service.bench import new_tenant


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
def tenant(owner: Engine) -> str:
    return new_tenant(owner)
