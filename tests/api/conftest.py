"""The whole application over the session's migrated and seeded database, with a clock that the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from redis import Redis
from sqlalchemy import Engine

from clearing.app import create_app
from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.api.door import NOW, Door
from tests.intake.prepared import prepared


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> None:
    """Faults are logged as the service logs them: structlog's own way prints every local value, for seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture(scope="session")
def database(servers: Addresses, data_dir: Path) -> Addresses:
    prepared(servers, data_dir / "secrets")
    return servers


@pytest.fixture(scope="session")
def owner(database: Addresses) -> Iterator[Engine]:
    engine = open_engine(database.owner_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def app(database: Addresses) -> Iterator[Engine]:
    engine = open_engine(database.app_url)
    yield engine
    engine.dispose()


@pytest.fixture
def door(database: Addresses, data_dir: Path, app: Engine, owner: Engine) -> Door:
    return opened_door(database, data_dir, app, owner)


def opened_door(database: Addresses, data_dir: Path, app: Engine, owner: Engine) -> Door:
    """A door of its own clock."""
    with owner.begin() as connection:
        connection.exec_driver_sql("delete from service_clock")
    folder = data_dir / "secrets"
    settings = Settings(database.app_url, database.redis_url, folder, demonstration=True)
    secrets = load_secrets(folder)
    service = Service(settings, app, Redis.from_url(database.redis_url), secrets, open_vault(secrets), FixedClock(NOW))
    return Door(create_app(service), service)
