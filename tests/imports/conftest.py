"""An importer for Wujiang's own platform, on the session's database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine

from clearing.claims.vault import open_vault
from clearing.embedded import Addresses
from clearing.service import Service
from clearing.settings import Settings
from tenants.kernel.clock import FixedClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tenants.principal import Principal
from tests.imports.files import AT, LOCAL
from tests.intake.counter import Counter
from tests.intake.prepared import prepared


@pytest.fixture(scope="session")
def app(servers: Addresses, data_dir: Path) -> Iterator[Engine]:
    prepared(servers, data_dir / "secrets")
    engine = open_engine(servers.app_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def service(servers: Addresses, app: Engine, data_dir: Path) -> Service:
    settings = Settings(servers.app_url, servers.redis_url, data_dir / "secrets", demonstration=True)
    secrets = load_secrets(data_dir / "secrets")
    return Service(settings, app, Redis.from_url(servers.redis_url), secrets, open_vault(secrets), FixedClock(AT))


@pytest.fixture
def counter(service: Service) -> Counter:
    return Counter(service.engine, service.vault)


@pytest.fixture
def caller() -> Principal:
    return LOCAL
